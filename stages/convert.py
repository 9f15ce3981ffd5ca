"""Convert the selected clips of one locale to mono WAV of one sample rate."""

import shutil
from pathlib import Path

from stages._run import run
from voicetraits.audio.convert import convert, why_useless
from voicetraits.corpus.clips import read_clips
from voicetraits.corpus.layout import CorpusError
from voicetraits.corpus.open import open_corpus
from voicetraits.params import load_params


def main(locale: str) -> None:
    """Read data/clips/<locale>.parquet and the corpus; write data/wav/<locale>/."""
    params = load_params()
    table = read_clips(Path("data/clips", f"{locale}.parquet"))
    wanted = set(table.loc[table["excluded"] == "", "clip"])
    corpus = open_corpus(params.corpus.path, locale)
    out = Path("data/wav", locale)
    clips, unread = corpus.clips(wanted), corpus.unread
    index, excluded = convert(table, clips, params.clip, locale=locale, out=out, unread=unread)
    if reason := why_useless(index, excluded, stray=corpus.stray):
        shutil.rmtree(out)
        raise CorpusError(f"{corpus.path}: {reason}")
    print(f"{locale}: {len(index):,} clips converted, {len(excluded):,} excluded")
    for note, count in sorted(index.loc[index["note"] != "", "note"].value_counts().items()):
        print(f"{locale}: {count:,} of the clips converted: {note}")
    if corpus.skipped:
        reasons = ", ".join(f"{n:,} {reason}" for reason, n in sorted(corpus.skipped.items()))
        print(f"{locale}: files of the corpus left unread: {reasons}")
    for clip, reason in excluded.head(20).itertuples(index=False):
        print(f"  {clip}: {reason}")
    if len(excluded) > 20:
        print(f"  ... the others are in {out}/excluded.parquet")


if __name__ == "__main__":
    run(main)
