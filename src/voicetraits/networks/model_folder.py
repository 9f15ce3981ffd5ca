"""The folder of one model: all that it takes to use it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from voicetraits.errors import InputError
from voicetraits.networks import NETWORKS, build
from voicetraits.params import unknown
from voicetraits.tasks import Head

# What a trained model consists of; one that is skipped or failed has the sidecar alone.
WEIGHTS = "model.weights.h5"
SIDECAR = "model.json"
PREDICTIONS = "predictions.parquet"
USED = "used.parquet"
LIVE = "live"
# Ways in which a model can end without a network; its sidecar has the reason under that name.
WITHOUT_FIGURES = ("skipped", "failed")


def write_sidecar(folder: Path, sidecar: dict[str, Any]) -> None:
    """Write what says which model this is."""
    text = json.dumps(sidecar, indent=2, ensure_ascii=False) + "\n"
    (folder / SIDECAR).write_text(text, encoding="utf-8")


def read_sidecar(folder: Path) -> dict[str, Any]:
    """Read what says which model this is.

    Raises:
        InputError: If the folder holds no model.
    """
    path = folder / SIDECAR
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: no model to read ({error}); run `make repro`") from error
    assert isinstance(found, dict)
    return found


def load(folder: Path) -> Any:
    """Load a trained network.

    Args:
        folder: What the training stage wrote, e.g. models/gender-es-features-original.

    Returns:
        A keras.Model that takes representations as they are stored, unscaled: shape
        (clips, rows, frames). Its outputs are the classes of `read_sidecar(folder)["task"]`, or of
        two classes the probability of the second; of several tasks learned together, a list.

    Raises:
        InputError: If the folder holds no trained network, or one that this version cannot build.
    """
    sidecar = read_sidecar(folder)
    for status in WITHOUT_FIGURES:
        if sidecar[status]:
            raise InputError(f"{folder}: no trained network: {status}: {sidecar[status]}")
    if sidecar["network"] not in NETWORKS:
        raise InputError(unknown(f"{folder / SIDECAR}: network", sidecar["network"], NETWORKS))
    tasks = sidecar["task"]["joined"] or [sidecar["task"]]
    heads = tuple(Head(task["name"], len(task["classes"])) for task in tasks)
    network = build(
        sidecar["network"], tuple(sidecar["shape"]), heads, seed=0, members=sidecar["members"]
    )
    try:
        network.load_weights(folder / WEIGHTS)
    except (OSError, ValueError) as error:
        raise InputError(f"{folder / WEIGHTS}: weights cannot be read: {error}") from error
    return network
