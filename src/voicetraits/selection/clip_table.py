"""Common Voice's TSV files in, one clip table out.

The clip table has one row per row of validated.tsv, in its order, whether the clip is used or
not: what is left out stays in the table with the reason, so that nothing is lost silently.
"""

from __future__ import annotations

import sys
from collections.abc import Collection
from pathlib import Path
from typing import IO, Literal

import pandas as pd

from voicetraits.corpus.labels import CONTRADICTORY
from voicetraits.corpus.layout import (
    DURATIONS,
    REPORTED,
    SPLITS,
    SPONTANEOUS,
    VALIDATED,
    CorpusError,
)
from voicetraits.corpus.open import Corpus
from voicetraits.selection.language import exclude_other_languages, refuse_other_language
from voicetraits.selection.rows import read_durations, read_names, read_reported, read_rows


def read_clip_table(
    corpus: Corpus, *, splits: Literal["ours", "common_voice"] = "ours", told_by: str = ""
) -> pd.DataFrame:
    """Read the clip table of one locale, before any cap.

    The rows are those of validated.tsv, or of the one table of Spontaneous Speech. Without either,
    they are those of train.tsv, dev.tsv and test.tsv, as far as these are there, which a line on
    standard error tells. The clips of a speaker who is labelled both female and male
    have the gender CONTRADICTORY.

    Durations are those of clip_durations.tsv. Where the corpus has none, they are unknown until
    the clips are read.

    Args:
        corpus: Of the locale.
        splits: With "common_voice", clips get the part that train.tsv, dev.tsv or test.tsv gives
            them, and those in none ("not in Common Voice's splits") or several of the three
            ("in two of Common Voice's splits") are excluded.
        told_by: See `read_rows`.

    Returns:
        One row per row, in its order, with CLIP_COLUMNS.

    Raises:
        CorpusError: If the corpus is broken or of another language, lacks a table, or a table
            lacks a required column.
    """
    needed = (VALIDATED, *SPLITS) if splits == "common_voice" else (VALIDATED,)
    with corpus.tables(needed) as tables:
        sources = {name: f"{corpus.path}: {name}" for name in tables}
        refuse_other_language(
            corpus.locale,
            corpus.path,
            folder=corpus.roots.tables or "",
            table=corpus.roots.locale,
        )
        names = _main_tables(tables, corpus.path)
        table = pd.concat(
            [read_rows(tables[name], source=sources[name], told_by=told_by) for name in names],
            ignore_index=True,
        )
        table = exclude_other_languages(
            table,
            table.pop("language"),
            corpus.locale,
            path=corpus.path,
            source=" and ".join(names),
        )
        if REPORTED in tables:
            reported = read_reported(tables[REPORTED], source=sources[REPORTED])
            usable = table["excluded"] == ""
            table.loc[usable & table["clip"].isin(reported), "excluded"] = "reported by a listener"
        table = _exclude_repeats(table)
        clips = set(table.loc[table["excluded"] == "", "clip"])
        if splits == "common_voice" and SPONTANEOUS in tables:
            usable = table["excluded"].eq("") & table["part"].eq("")
            table.loc[usable, "excluded"] = "not in Common Voice's splits"
        elif splits == "common_voice":
            parts = {
                part: read_names(tables[name], clips=clips, source=sources[name])
                for name, part in SPLITS.items()
            }
            table = _assign_given(table, parts)
        else:
            table["part"] = ""
        if DURATIONS in tables:
            durations = read_durations(tables[DURATIONS], clips=clips, source=sources[DURATIONS])
            table["duration"] = table["clip"].map(durations).astype("float32")
    return _mark_contradictory(table)


def _main_tables(tables: Collection[str], path: Path) -> list[str]:
    """The tables that list the clips."""
    if VALIDATED in tables and SPONTANEOUS in tables:
        raise CorpusError(
            f"{path}: holds two corpora, of {VALIDATED} and of Spontaneous Speech; keep one"
        )
    for name in (VALIDATED, SPONTANEOUS):
        if name in tables:
            return [name]
    names = [name for name in SPLITS if name in tables]
    print(f"{path}: no {VALIDATED}; taking the clips of {', '.join(names)}", file=sys.stderr)
    return names


def read_validated(file: IO[bytes], *, source: str) -> pd.DataFrame:
    """Read validated.tsv of any Common Voice version, by header, or a table like it.

    Only `client_id` and `path` are required (of Spontaneous Speech, `audio_file`). Rows that cannot
    be used are kept, with the reason: "broken row" (wrong number of fields, not UTF-8, or with NUL
    bytes), "no speaker id", "no file name", "unsafe file name" (it names a folder), "duplicate file
    name" (all but the first of rows that agree), "conflicting rows" (all rows of one file that
    disagree on speaker or gender).

    Args:
        file: The table's bytes.
        source: What to call the file in an error.

    Returns:
        One row per row, in the order of the file, with CLIP_COLUMNS; without durations and parts,
        but for those of Spontaneous Speech.

    Raises:
        CorpusError: If the header lacks a required column, or the rows are more than any release
            has.
    """
    return _exclude_repeats(read_rows(file, source=source).drop(columns="language"))


def _assign_given(table: pd.DataFrame, parts: dict[str, set[str]]) -> pd.DataFrame:
    """Give the usable clips their part; exclude those without exactly one."""
    usable = table["excluded"] == ""
    places = sum(table["clip"].isin(names).astype(int) for names in parts.values())
    for part, names in parts.items():
        table.loc[usable & (places == 1) & table["clip"].isin(names), "part"] = part
    table.loc[usable & (places == 0), "excluded"] = "not in Common Voice's splits"
    table.loc[usable & (places > 1), "excluded"] = "in two of Common Voice's splits"
    return table


def _exclude_repeats(table: pd.DataFrame) -> pd.DataFrame:
    """Exclude all but the first of rows that name one file, or all where they disagree."""
    usable = table[table["excluded"] == ""]
    repeated = usable[usable["clip"].duplicated(keep=False)]
    if repeated.empty:
        return table
    values = repeated.groupby("clip")[["speaker", "gender"]].transform("nunique")
    conflicting = values.max(axis="columns") > 1
    later = repeated["clip"].duplicated()
    table.loc[repeated.index[later], "excluded"] = "duplicate file name"
    table.loc[repeated.index[conflicting], "excluded"] = "conflicting rows"
    return table


def _mark_contradictory(table: pd.DataFrame) -> pd.DataFrame:
    """Take the gender label off all clips of a speaker who is labelled male and female.

    A client_id stands for a browser, and so, now and then, for more than one person: which of the
    labels is whose, nobody can tell.
    """
    labelled = table[table["excluded"].eq("") & table["gender"].isin(["female", "male"])]
    labels = labelled.groupby("speaker")["gender"].transform("nunique")
    table.loc[labelled.index[labels > 1], "gender"] = CONTRADICTORY
    return table
