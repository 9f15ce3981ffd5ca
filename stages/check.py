"""Refuse an unknown key, an impossible value or a missing corpus before any work."""

import os
import time
from contextlib import suppress
from pathlib import Path

from stages._run import run
from voicetraits.corpus.layout import CorpusError
from voicetraits.corpus.open import open_corpus
from voicetraits.errors import InputError
from voicetraits.params import Params, ParamsError, load_params

_FOLDERS = (
    "data",
    *(f"data/{each}" for each in ("sample", "clips", "wav", "features", "spectrogram", "splits")),
    *("models", "models/gender", "models/language", "metrics", "plots"),
)


def main() -> None:
    """Read params.yaml; write data/params-are-valid."""
    date_anew(Path("params.yaml"))
    check_folders()
    check_corpus(load_params())
    # Always the same bytes: a change of params.yaml reruns this check, and only the stages that
    # read the changed section after it.
    Path("data").mkdir(exist_ok=True)
    Path("data/params-are-valid").write_text("params.yaml was read without errors\n", "utf-8")


def date_anew(file: Path) -> None:
    """Give a file a date in another second than it has.

    `dvc exp run -S` restores params.yaml and changes it in one second, often without a change of
    size. Git, which looks at these two, would take it for unchanged, and never restore it.
    """
    with suppress(OSError):
        old = file.stat().st_mtime
        new = time.time()
        new += int(new) == int(old)
        os.utime(file, (new, new))


def check_folders() -> None:
    """See that DVC can take the results: it follows no link above them, and says so too late."""
    for name in _FOLDERS:
        if Path(name).is_symlink():
            raise InputError(
                f"{name} is a link, and DVC writes no results through links; clone onto the larger "
                f"disk, or mount a folder of it here: rm {name} && mkdir {name} && "
                f"sudo mount --bind /path/on/the/disk {name}"
            )


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


if __name__ == "__main__":
    run(main)
