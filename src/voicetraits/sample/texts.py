"""What the speakers of the sample corpus read."""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable

from voicetraits.errors import InputError
from voicetraits.params import Sample


class SampleError(InputError):
    """The sample corpus cannot be made as asked; the message names the key and the remedy."""


def require_sentences(params: Sample, locale: str) -> None:
    """See that speakers of a locale are asked for, and have enough to read.

    Raises:
        SampleError: If not; the message names the key or the file, and the remedy.
    """
    if locale not in params.speakers:
        raise SampleError(
            f"sample.speakers has no entry for {locale!r}: add one (for example {locale}: 60), or "
            "take the locale out of locales"
        )
    if not _sentences_of(locale).is_file():
        raise SampleError(
            f"the sample corpus has no sentences in {locale!r}: write them, one a line, into "
            f"src/voicetraits/sample/sentences/{locale}.txt, take {locale} out of locales and "
            "sample.speakers, or point corpus.path to a folder with its Common Voice archive"
        )
    sentences = read_sentences(locale)
    if params.clips_max > len(sentences):
        raise SampleError(
            f"sample.clips_max = {params.clips_max}: a speaker reads each sentence once, and "
            f"{locale} has {len(sentences)}; set it to at most {len(sentences)}"
        )


def _sentences_of(locale: str) -> Traversable:
    return resources.files("voicetraits.sample").joinpath("sentences", f"{locale}.txt")


def read_sentences(locale: str) -> list[str]:
    """Our own sentences in one language, one a line of `sentences/<locale>.txt`."""
    return _sentences_of(locale).read_text(encoding="utf-8").splitlines()
