"""Select the clips of one locale: data/clips/<locale>.parquet."""

from pathlib import Path

from stages._run import run
from voicetraits.corpus.clips import write_clips
from voicetraits.corpus.layout import CorpusError
from voicetraits.corpus.open import open_corpus
from voicetraits.params import load_params
from voicetraits.selection.caps import cap_clips
from voicetraits.selection.clip_table import read_clip_table
from voicetraits.selection.findings import findings, why_useless


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
    if reason := why_useless(table):
        raise CorpusError(f"{corpus.path}: {reason}")
    write_clips(table, Path("data/clips", f"{locale}.parquet"))
    for line in findings(listed, table):
        print(f"{locale}: {line}")


if __name__ == "__main__":
    run(main)
