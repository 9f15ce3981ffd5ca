"""Select the clips of one locale: data/clips/<locale>.parquet."""

from __future__ import annotations

from pathlib import Path

from stages._run import run
from voicetraits.corpus.open import open_corpus
from voicetraits.corpus.selection import cap_clips, missing_label, selection_counts
from voicetraits.corpus.table import read_clip_table, write_clips
from voicetraits.params import load_params


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
    write_clips(table, Path("data/clips", f"{locale}.parquet"))

    counts = selection_counts(table)
    rows, selected = counts.pop("rows"), counts.pop("selected")
    line = [f"{locale}: {rows:,} rows", f"{selected:,} selected"]
    print(", ".join(line + [f"{count:,} {reason}" for reason, count in counts.items()]))
    if not selected:
        print(f"{locale}: nothing to train on; later stages skip this locale")
    if label := missing_label(listed):
        print(
            f"{locale}: warning: of many labelled speakers not one is {label}; the tables may lack "
            "the label, as those of Common Voice 6.0 do: try another release, such as 6.1"
        )


if __name__ == "__main__":
    run(main)
