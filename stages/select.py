"""Select the clips of one locale, of the corpus that is tested on or of one beside it."""

from stages._run import run
from voicetraits.corpus.clips import write_clips
from voicetraits.corpus.declared import declared_corpus
from voicetraits.corpus.layout import CorpusError
from voicetraits.corpus.open import open_corpus
from voicetraits.params import load_params
from voicetraits.selection.caps import cap_clips
from voicetraits.selection.clip_table import read_clip_table
from voicetraits.selection.findings import findings, why_useless
from voicetraits.storage.places import clip_table


def main(locale: str, name: str = "") -> None:
    """Read the corpus, cap the clips, write the clip table, print what became of the rows."""
    params = load_params()
    declared = declared_corpus(params, name)
    corpus = open_corpus(declared.path, locale)
    splits = "ours" if name else params.corpus.splits
    listed = read_clip_table(corpus, splits=splits, told_by=declared.source)
    table = cap_clips(
        listed,
        per_speaker=params.select.clips_per_speaker,
        per_locale=params.select.clips_per_locale,
        seed=params.seed,
    )
    if reason := why_useless(table):
        raise CorpusError(f"{corpus.path}: {reason}")
    write_clips(table, clip_table(locale, name))
    for line in findings(listed, table):
        print(f"{locale}: {line}")


if __name__ == "__main__":
    run(main)
