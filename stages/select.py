"""Select the clips of one locale: data/clips/<locale>.parquet."""

from __future__ import annotations

from pathlib import Path

from stages._run import run
from voicetraits.corpus.clips import CONTRADICTORY, write_clips
from voicetraits.corpus.layout import CorpusError
from voicetraits.corpus.open import open_corpus
from voicetraits.params import load_params
from voicetraits.selection.caps import (
    cap_clips,
    many_damaged,
    missing_label,
    selection_counts,
    why_useless,
)
from voicetraits.selection.clip_table import read_clip_table


def main(locale: str) -> None:
    """Read the corpus, cap the clips, write the clip table, print what became of the rows."""
    params = load_params()
    corpus = open_corpus(params.corpus.path, locale)
    listed = read_clip_table(corpus, splits=params.corpus.splits)
    table = cap_clips(
        listed,
        per_speaker=params.select.clips_per_speaker,
        per_locale=params.select.clips_per_locale,
        seed=params.seed,
    )
    counts = selection_counts(table)
    if reason := why_useless(counts):
        raise CorpusError(f"{corpus.path}: {reason}")
    write_clips(table, Path("data/clips", f"{locale}.parquet"))

    if damage := many_damaged(counts):
        print(f"{locale}: warning: {damage}")
    rows, selected = counts.pop("rows"), counts.pop("selected")
    line = [f"{locale}: {rows:,} rows", f"{selected:,} selected"]
    print(", ".join(line + [f"{count:,} {reason}" for reason, count in counts.items()]))
    contradictory = listed[listed["gender"] == CONTRADICTORY]
    if speakers := contradictory["speaker"].nunique():
        print(
            f"{locale}: {len(contradictory):,} clips of {speakers:,} speakers labelled both female "
            "and male: kept, but without a gender"
        )
    if label := missing_label(listed):
        print(
            f"{locale}: warning: of many labelled speakers not one is {label}; the tables may lack "
            "the label, as those of Common Voice 6.0 do: try another release, such as 6.1"
        )


if __name__ == "__main__":
    run(main)
