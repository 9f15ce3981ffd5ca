"""Refuse an unknown name, an impossible value or a missing corpus before any work."""

from pathlib import Path

from stages._leftovers import remove_leftovers
from stages._names import check_names
from stages._run import run
from voicetraits.corpus.declared import check_corpus
from voicetraits.features.windows import windows
from voicetraits.params import Params, load_params
from voicetraits.sample.texts import require_sentences
from voicetraits.storage.links import check_folders, date_anew
from voicetraits.storage.places import BESIDE

_FOLDERS = (
    *("data", "data/sample", "data/clips", "data/wav", "data/pitch", "data/splits", "data/beside"),
    *("models", "metrics", "plots"),
)


def main() -> None:
    """Read params.yaml; write data/params-are-valid, and remove what it no longer names."""
    date_anew(Path("params.yaml"))
    params = load_params()
    check_folders(folders(params))
    check_params(params)
    if removed := [str(path) for path in remove_leftovers(params)]:
        others = f" and {len(removed) - 3:,} more" if len(removed) > 3 else ""
        print(
            f"removed what params.yaml no longer names, and DVC's cache keeps: "
            f"{', '.join(removed[:3])}{others}"
        )
    # Always the same bytes: a change of params.yaml reruns this check, and only the stages that
    # read the changed section after it.
    BESIDE.mkdir(parents=True, exist_ok=True)
    names = [corpus.name for corpus in params.beside]
    (BESIDE / "corpora.txt").write_text("".join(f"{name}\n" for name in names), "utf-8")
    Path("data/params-are-valid").write_text("params.yaml was read without errors\n", "utf-8")


def check_params(params: Params) -> None:
    """See that there is what the parameters name, and that they fit each other.

    Raises:
        InputError: If not; the message names the key and the remedy.
    """
    check_names(params)
    windows(params.clip, params.extract)
    for locale in params.sample.speakers:
        require_sentences(params.sample, locale)
    check_corpus(params)


def folders(params: Params) -> list[str]:
    """Everything above the results."""
    representations = [*params.representations, *params.frames.representations]
    corpora = [BESIDE / corpus.name for corpus in params.beside]
    return [
        *_FOLDERS,
        *(f"data/{name}" for name in representations),
        *map(str, corpora),
        *(str(corpus / locale) for corpus in corpora for locale in params.locales),
    ]


if __name__ == "__main__":
    run(main)
