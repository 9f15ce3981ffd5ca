"""Refuse an unknown name, an impossible value or a missing corpus before any work."""

from collections.abc import Iterable
from pathlib import Path

from stages._names import check_names
from stages._run import run
from voicetraits.corpus.declared import check_corpus
from voicetraits.features.windows import windows
from voicetraits.params import load_params
from voicetraits.storage.links import check_folders, date_anew

_FOLDERS = ("data", "data/sample", "data/clips", "data/wav", "data/splits", "models", "metrics")


def main() -> None:
    """Read params.yaml; write data/params-are-valid."""
    date_anew(Path("params.yaml"))
    params = load_params()
    check_names(params)
    check_folders(folders([*params.representations, *params.frames.representations]))
    windows(params.clip, params.extract)
    check_corpus(params)
    # Always the same bytes: a change of params.yaml reruns this check, and only the stages that
    # read the changed section after it.
    Path("data").mkdir(exist_ok=True)
    Path("data/params-are-valid").write_text("params.yaml was read without errors\n", "utf-8")


def folders(representations: Iterable[str]) -> list[str]:
    """Everything above the results."""
    return [*_FOLDERS, "plots", *(f"data/{name}" for name in representations)]


if __name__ == "__main__":
    run(main)
