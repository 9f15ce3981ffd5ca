"""What the pipeline has made by earlier parameters, where it would count as made by these."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from voicetraits.errors import InputError
from voicetraits.models import declared_models
from voicetraits.networks.model_folder import read_sidecar
from voicetraits.params import Params
from voicetraits.storage.places import BESIDE

_MODELS = Path("models")


def remove_leftovers(params: Params) -> list[Path]:
    """Remove what `leftovers` finds, and say what that was. DVC's cache keeps it."""
    found = list(leftovers(params))
    for path in found:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    return found


def leftovers(params: Params) -> Iterator[Path]:
    """Results for locales, tasks, corpora and models that the parameters no longer name.

    A stage for all locales depends on the folder above them. Were anything else in it, the stage
    would run again, and dvc.lock would never be again what was committed.

    Args:
        params: The whole of params.yaml.

    Yields:
        Tables and folders as the stages write them. Whatever else is there is not the pipeline's: a
        copy of a model under another name, a hidden file, a link.
    """
    models = declared_models(params)
    locales = set(params.locales)
    tables = {f"{locale}.parquet" for locale in locales}
    representations = (*params.representations, *params.frames.representations)
    named = {
        **{Path("data", name): tables for name in ("clips", "pitch")},
        **{Path("data", name): locales for name in ("wav", *representations)},
        Path("data/splits"): {f"{model.split}.parquet" for model in models},
        BESIDE: {corpus.name for corpus in params.beside},
        **{BESIDE / corpus.name: locales for corpus in params.beside},
        _MODELS: {model.folder for model in models},
    }
    for folder, names in named.items():
        for path in sorted(folder.glob("[!.]*")):
            if path.name not in names and not path.is_symlink() and _is_a_result(path):
                yield path


def _is_a_result(path: Path) -> bool:
    if path.parent == _MODELS:
        return path.name == _own_name(path)
    return path.is_dir() or path.suffix == ".parquet"


def _own_name(model: Path) -> str:
    """What the folder of a model was called when it was made."""
    with suppress(InputError, AssertionError, KeyError, TypeError):  # of what is no model
        about = read_sidecar(model)
        kind = (about["task"]["name"], about["locale"], about["representation"], about["network"])
        return "-".join(kind)
    return ""
