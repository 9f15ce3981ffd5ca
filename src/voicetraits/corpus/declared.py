"""The corpus that params.yaml declares is there, or will be."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from voicetraits.corpus.layout import CorpusError
from voicetraits.corpus.open import open_corpus
from voicetraits.params import Beside, Corpus, Params, ParamsError, unknown


def declared_corpus(params: Params, name: str = "") -> Corpus | Beside:
    """The corpus that is tested on, or one beside it by its name.

    Raises:
        ParamsError: If params.yaml declares none of that name.
    """
    if not name:
        return params.corpus
    named = {corpus.name: corpus for corpus in params.beside}
    if name not in named:
        raise ParamsError(f"params.yaml: {unknown('beside', name, named)}")
    return named[name]


def check_corpus(params: Params) -> None:
    """See that there is, or will be, a corpus of every locale, and so of those beside it.

    DVC would refuse a missing one with less of a message, or after it has removed the results of
    others.

    Raises:
        ParamsError: If there is none; the message names the key.
    """
    keys = {"corpus": params.corpus} | {f"beside[{n}]": c for n, c in enumerate(params.beside)}
    for key, corpus in keys.items():
        if Path(corpus.path) == Path("data/sample"):
            _check_sample(key, corpus, params)
        else:
            _check_there(key, corpus, params.locales)
    paths = [Path(corpus.path).resolve() for corpus in keys.values()]
    if again := next((path for path in paths if paths.count(path) > 1), None):
        raise ParamsError(f"params.yaml: corpus and beside name one folder twice: {again}")


def _check_there(key: str, corpus: Corpus | Beside, locales: Iterable[str]) -> None:
    path = Path(corpus.path)
    if not path.is_dir():
        raise ParamsError(
            f"params.yaml: {key}.path = {str(path)!r} is not a folder; {_remedy(path)}"
        )
    for locale in locales:
        try:
            found = open_corpus(path, locale).path.name
        except CorpusError as error:
            raise ParamsError(f"params.yaml: {key}.path: {error}") from error
        _check_ending(key, locale, found, corpus.ending)


def _check_sample(key: str, corpus: Corpus | Beside, params: Params) -> None:
    if corpus.ending != ".tar.gz":
        raise ParamsError(
            f"params.yaml: {key}.ending = {corpus.ending!r}, but the sample corpus in "
            f"data/sample has '.tar.gz'; set it to that, or {key}.path to another corpus"
        )
    if missing := [name for name in params.locales if name not in params.sample.speakers]:
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


def _check_ending(key: str, locale: str, found: str, ending: str) -> None:
    """DVC has to know the name of what a stage depends on."""
    if found != locale + ending:
        raise ParamsError(
            f"params.yaml: {key}.ending = {ending!r}, but there is {found}; set it to "
            f"{found.removeprefix(locale)!r}"
        )
