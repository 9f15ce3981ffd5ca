"""Clips for the benchmarks: the sample corpus, synthesised on the spot."""

from __future__ import annotations

from pathlib import Path

from voicetraits.corpus.open import Corpus, open_corpus
from voicetraits.params import Params
from voicetraits.sample.archive import write_sample


def sample_corpus(params: Params, locale: str, *, folder: Path, speakers: int) -> Corpus:
    """A locale of the sample corpus, with this many labelled speakers."""
    sample = params.sample.model_copy(update={"speakers": {locale: speakers}})
    write_sample(sample, locale, folder / f"{locale}.tar.gz")
    return open_corpus(folder, locale)
