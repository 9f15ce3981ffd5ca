"""Common Voice's TSV files in, one clip table out.

The clip table has one row per row of validated.tsv, in its order, whether the clip is used or
not: what is left out stays in the table with the reason, so that nothing is lost silently.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Collection, Iterator
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import IO, Literal

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from voicetraits.corpus.layout import DURATIONS, SPLITS, VALIDATED, CorpusError
from voicetraits.corpus.open import Corpus
from voicetraits.files import whole_file

CLIP_COLUMNS = pa.schema(
    [
        ("clip", pa.string()),  # file name inside clips/; "" in a broken row
        ("speaker", pa.string()),  # speaker_hash(client_id); "" where there is none
        ("gender", pa.string()),  # as labelled by the speaker: male, female, other, "" unlabelled
        ("age", pa.string()),  # as Common Voice spells it, e.g. "twenties", "fourties"; or ""
        ("accent", pa.string()),  # the first that the speaker names; or ""
        ("duration", pa.float32()),  # seconds, of clip_durations.tsv; NaN where unknown
        ("part", pa.string()),  # training, validation or test, of Common Voice's splits; or ""
        ("excluded", pa.string()),  # why the clip is not used; "" for a selected clip
    ]
)

# Every spelling of Common Voice 1 to 25. Any other value is "other".
_GENDERS = {
    "": "",
    "male": "male",
    "male_masculine": "male",
    "female": "female",
    "female_feminine": "female",
}
# A path without one of these is from Common Voice 1 or 2, which leave out ".mp3".
_AUDIO_ENDINGS = {".mp3", ".wav", ".flac", ".ogg", ".opus", ".m4a", ".mp4", ".aac", ".webm", ".amr"}
# Commas inside brackets are part of an accent: "India and South Asia (India, Pakistan, Sri Lanka)".
_BETWEEN_ACCENTS = re.compile(r"[,|](?![^(]*\))")
_SPEAKER_SALT = "voicetraits/speaker/"
_ROWS_AT_ONCE = 50_000
# No table has more: what follows is held in memory. English 25.0 has 2.57 million clips; a sentence
# has some hundred bytes.
_MOST_ROWS = 10_000_000
_LONGEST_LINE = 2**20  # bytes


def read_clip_table(
    corpus: Corpus, *, splits: Literal["ours", "common_voice"] = "ours"
) -> pd.DataFrame:
    """Read the clip table of one locale, before any cap.

    Durations are those of clip_durations.tsv. Where the corpus has none, they are unknown until
    the clips are read.

    Args:
        corpus: Of the locale.
        splits: With "common_voice", clips get the part that train.tsv, dev.tsv or test.tsv gives
            them, and those in none ("not in Common Voice's splits") or several of the three
            ("in two of Common Voice's splits") are excluded.

    Returns:
        One row per row of validated.tsv, in its order, with CLIP_COLUMNS.

    Raises:
        CorpusError: If the corpus is broken, lacks a table, or a table lacks a required column.
    """
    needed = (VALIDATED, *SPLITS) if splits == "common_voice" else (VALIDATED,)
    with corpus.tables(needed) as tables:
        sources = {name: f"{corpus.path}: {name}" for name in tables}
        table = read_validated(tables[VALIDATED], source=sources[VALIDATED])
        names = set(table.loc[table["excluded"] == "", "clip"])
        if splits == "common_voice":
            parts = {
                part: read_names(tables[name], clips=names, source=sources[name])
                for name, part in SPLITS.items()
            }
            table = _assign_given(table, parts)
        if DURATIONS in tables:
            durations = read_durations(tables[DURATIONS], clips=names, source=sources[DURATIONS])
            table["duration"] = table["clip"].map(durations).astype("float32")
    return table


def read_validated(file: IO[bytes], *, source: str) -> pd.DataFrame:
    """Read validated.tsv of any Common Voice version, by header.

    Only `client_id` and `path` are required. Rows that cannot be used are kept, with the reason:
    "broken row" (wrong number of fields, not UTF-8, or with NUL bytes), "no speaker id", "no file
    name", "unsafe file name" (it names a folder), "duplicate file name" (all but the first of rows
    that agree), "conflicting rows" (all rows of one file that disagree on speaker or gender).

    Args:
        file: The table's bytes.
        source: What to call the file in an error.

    Returns:
        One row per row, in the order of the file, with CLIP_COLUMNS; durations are NaN, parts "".

    Raises:
        CorpusError: If the header lacks a required column, or the rows are more than any release
            has.
    """
    rows = map(_clip_row, _read_tsv(file, required=("client_id", "path"), source=source))
    batches = []
    while some := list(islice(rows, _ROWS_AT_ONCE)):
        batches.append(pa.RecordBatch.from_pylist(some, schema=CLIP_COLUMNS))
    table = pa.Table.from_batches(batches, schema=CLIP_COLUMNS).to_pandas()
    return _exclude_repeats(table)


def read_durations(file: IO[bytes], *, clips: Collection[str], source: str) -> dict[str, float]:
    """Read clip_durations.tsv.

    Args:
        file: The table's bytes.
        clips: File names to keep; the table also lists clips that were never validated.
        source: What to call the file in an error.

    Returns:
        Seconds by file name; without the clips whose duration is no positive number.

    Raises:
        CorpusError: If the header lacks a required column.
    """
    durations = {}
    for row in _read_tsv(file, required=("clip", "duration[ms]"), source=source):
        if row is None or (name := _file_name(row["clip"])) not in clips:
            continue
        try:
            seconds = float(row["duration[ms]"]) / 1000
        except ValueError:
            continue
        if 0 < seconds < math.inf:
            durations[name] = seconds
    return durations


def read_names(file: IO[bytes], *, clips: Collection[str], source: str) -> set[str]:
    """Read the file names of train.tsv, dev.tsv or test.tsv.

    Args:
        file: The table's bytes.
        clips: File names to keep.
        source: What to call the file in an error.

    Raises:
        CorpusError: If the header lacks the column `path`.
    """
    rows = _read_tsv(file, required=("path",), source=source)
    names = (_file_name(_known(row["path"])) for row in rows if row is not None)
    return {name for name in names if name in clips}


def _assign_given(table: pd.DataFrame, parts: dict[str, set[str]]) -> pd.DataFrame:
    """Give the usable clips their part; exclude those without exactly one."""
    usable = table["excluded"] == ""
    places = sum(table["clip"].isin(names).astype(int) for names in parts.values())
    for part, names in parts.items():
        table.loc[usable & (places == 1) & table["clip"].isin(names), "part"] = part
    table.loc[usable & (places == 0), "excluded"] = "not in Common Voice's splits"
    table.loc[usable & (places > 1), "excluded"] = "in two of Common Voice's splits"
    return table


def write_clips(table: pd.DataFrame, path: str | Path) -> None:
    """Write a clip table as Parquet: the same table gives the same bytes."""
    arrow = pa.Table.from_pandas(table, schema=CLIP_COLUMNS, preserve_index=False)
    with whole_file(Path(path)) as partial:
        # Without pandas' own metadata, which names its version.
        pq.write_table(arrow.replace_schema_metadata(None), partial, compression="zstd")


def read_clips(path: str | Path) -> pd.DataFrame:
    """Read a clip table, with CLIP_COLUMNS.

    Raises:
        CorpusError: If the file is missing or holds no clip table.
    """
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise CorpusError(f"{path}: no clip table ({error}); run the select stage") from error
    if table.schema != CLIP_COLUMNS:
        raise CorpusError(f"{path}: a table with other columns; run the select stage")
    return table.to_pandas()


def speaker_hash(client_id: str) -> str:
    """Stand-in for a client_id: 16 hexadecimal digits, the same in every run and locale.

    It keeps Common Voice's ids out of outputs. It is no secret: whoever has the corpus can
    compute it.
    """
    return hashlib.sha256((_SPEAKER_SALT + client_id).encode()).hexdigest()[:16]


def _read_tsv(
    file: IO[bytes], *, required: Collection[str], source: str
) -> Iterator[dict[str, str] | None]:
    """Rows by column name; None for a broken one.

    Broken is a row with the wrong number of fields, not in UTF-8, or with NUL bytes, as a damaged
    disk leaves them.

    Common Voice's tables know no quoting: a quotation mark is a part of the sentence, and a line
    is a row. Read as CSV, an unpaired one swallows the rows up to the next.
    """
    lines = _lines(file)
    first = next(lines, b"")
    try:
        if first is None or b"\0" in first:
            raise UnicodeError("no line of text")
        header = first.decode("utf-8-sig").rstrip("\r\n").split("\t")
    except UnicodeError as error:
        raise CorpusError(f"{source}: not UTF-8 text; save it as UTF-8") from error
    missing = [column for column in required if column not in header]
    if missing:
        raise CorpusError(
            f"{source}: no column {', '.join(missing)}; "
            f"the header has {', '.join(filter(None, header)) or 'nothing'}"
        )
    rows = 0
    for line in lines:
        if line is not None and not (line := line.rstrip(b"\r\n")):
            continue
        rows += 1
        if rows > _MOST_ROWS:
            raise CorpusError(
                f"{source}: more than {_MOST_ROWS:,} rows, which no table of Common Voice has; "
                "fetch it again"
            )
        yield _row(line, header)


def _lines(file: IO[bytes]) -> Iterator[bytes | None]:
    """The lines of a file; None for one that is too long to be held in memory."""
    while line := file.readline(_LONGEST_LINE):
        if len(line) < _LONGEST_LINE or line.endswith(b"\n"):
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = file.readline(_LONGEST_LINE)
        yield None


def _row(line: bytes | None, header: list[str]) -> dict[str, str] | None:
    """One row by column name; None where the line is broken."""
    if line is None or b"\0" in line:
        return None
    try:
        fields = line.decode("utf-8").split("\t")
    except UnicodeDecodeError:
        return None
    return dict(zip(header, fields, strict=True)) if len(fields) == len(header) else None


def _clip_row(row: dict[str, str] | None) -> dict[str, str | float]:
    """One row of the clip table from one row of validated.tsv."""
    clip = speaker = gender = age = accent = ""
    if row is None:
        excluded = "broken row"
    else:
        client_id = _known(row["client_id"])
        speaker = speaker_hash(client_id) if client_id else ""
        path = _known(row["path"])
        clip = _file_name(path)
        gender = _GENDERS.get(_known(row.get("gender", "")).lower(), "other")
        age = _known(row.get("age", ""))
        accents = _known(row.get("accents", "")) or _known(row.get("accent", ""))
        accent = _BETWEEN_ACCENTS.split(accents)[0].strip()
        if not speaker:
            excluded = "no speaker id"
        elif not clip:
            excluded = "no file name"
        elif not _is_plain_name(path):
            excluded = "unsafe file name"
        else:
            excluded = ""
    return {
        "clip": clip,
        "speaker": speaker,
        "gender": gender,
        "age": age,
        "accent": accent,
        "duration": math.nan,
        "part": "",
        "excluded": excluded,
    }


def _known(value: str) -> str:
    """The value without blanks around it; "" for what stands for no value."""
    value = value.strip()
    return "" if value.lower() == "nan" else value


def _file_name(path: str) -> str:
    if not path or PurePosixPath(path).suffix.lower() in _AUDIO_ENDINGS:
        return path
    return f"{path}.mp3"


def _is_plain_name(path: str) -> bool:
    """Whether it names a file inside clips/, on any system, and prints as it is."""
    return path.isprintable() and not set(path) & {"/", "\\"} and path not in (".", "..")


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
