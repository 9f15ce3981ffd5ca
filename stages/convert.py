"""Convert the selected clips of one locale to mono WAV of one sample rate."""

import shutil

from stages._run import run
from voicetraits.audio.convert import convert, why_useless
from voicetraits.corpus.clips import read_clips
from voicetraits.corpus.declared import declared_corpus
from voicetraits.corpus.layout import CorpusError
from voicetraits.corpus.open import open_corpus
from voicetraits.params import load_params
from voicetraits.storage.places import clip_table, shards


def main(locale: str, name: str = "") -> None:
    """Read a clip table and its corpus; write WAV shards."""
    params = load_params()
    table = read_clips(clip_table(locale, name))
    wanted = set(table.loc[table["excluded"] == "", "clip"])
    corpus = open_corpus(declared_corpus(params, name).path, locale)
    out = shards("wav", locale, name)
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
