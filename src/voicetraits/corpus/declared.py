"""The corpus that params.yaml declares is there, or will be."""

from __future__ import annotations

import os
from pathlib import Path

from voicetraits.corpus.layout import CorpusError
from voicetraits.corpus.open import open_corpus
from voicetraits.params import Params, ParamsError


def check_corpus(params: Params) -> None:
    """See that there is, or will be, a corpus of every locale.

    DVC would refuse a missing one with less of a message, or after it has removed the results of
    others.
    """
    path = Path(params.corpus.path)
    if path != Path("data/sample"):
        if not path.is_dir():
            raise ParamsError(
                f"params.yaml: corpus.path = {str(path)!r} is not a folder; {_remedy(path)}"
            )
        for locale in params.locales:
            try:
                found = open_corpus(path, locale).path.name
            except CorpusError as error:
                raise ParamsError(f"params.yaml: corpus.path: {error}") from error
            _check_ending(locale, found, params.corpus.ending)
    elif params.corpus.ending != ".tar.gz":
        raise ParamsError(
            f"params.yaml: corpus.ending = {params.corpus.ending!r}, but the sample corpus in "
            "data/sample has '.tar.gz'; set it to that, or corpus.path to another corpus"
        )
    elif missing := [name for name in params.locales if name not in params.sample.speakers]:
        raise ParamsError(
            f"params.yaml: locales names {', '.join(missing)}, of which the sample corpus has no "
            f"speakers; it has {', '.join(params.sample.speakers)}"
        )


def _remedy(path: Path) -> str:
    clone, isolated, _ = str(Path.cwd()).partition(f"{os.sep}.dvc{os.sep}tmp{os.sep}exps{os.sep}")
    if isolated and not path.is_absolute():
        return (
            "`dvc exp run --temp` and `--queue` work in a folder of their own, without what Git "
            f"ignores; give the whole path: {os.path.normpath(Path(clone, path))}"
        )
    return "name one that holds <locale>.tar.gz, another archive, or <locale>/"


def _check_ending(locale: str, found: str, ending: str) -> None:
    """DVC has to know the name of what a stage depends on."""
    if found != locale + ending:
        raise ParamsError(
            f"params.yaml: corpus.ending = {ending!r}, but there is {found}; set it to "
            f"{found.removeprefix(locale)!r}"
        )
