"""From the folder of a trained model to its ONNX file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from voicetraits.errors import InputError
from voicetraits.export.description import Answer, Description
from voicetraits.export.model import export
from voicetraits.networks import ANY_LENGTH
from voicetraits.networks.model_folder import SIDECAR, load, read_sidecar
from voicetraits.params import Clip, Crops, Extract
from voicetraits.storage.files import whole_file

_NONE: Mapping[str, float] = MappingProxyType({})


def export_folder(
    folder: Path,
    out: Path,
    *,
    synthetic: bool,
    trained_on: str,
    thresholds: Mapping[str, float] = _NONE,
    temperatures: Mapping[str, float] = _NONE,
) -> None:
    """Write the network of a model folder as one ONNX file.

    Args:
        folder: What the training stage wrote, e.g. models/language-all-mel-tdnn.
        out: The file; its folder is made if it is missing.
        synthetic: Whether all voices that it was trained on are synthetic.
        trained_on: The same for people, as one sentence.
        thresholds: Of tasks by name, where it is not 0.5.
        temperatures: Of tasks by name, where it is not 1.

    Raises:
        InputError: If the folder holds no trained network, or one that cannot be exported, or a
            threshold or temperature is of another task.
    """
    network, sidecar = load(folder), read_sidecar(folder)
    tasks = sidecar["task"]["joined"] or [sidecar["task"]]
    names = {task["name"] for task in tasks}
    if strange := sorted((thresholds.keys() | temperatures.keys()) - names):
        raise InputError(f"{folder}: has no task {strange[0]}; it has {', '.join(sorted(names))}")
    heads = tuple(
        Answer(
            task["name"],
            tuple(task["classes"]),
            threshold=thresholds.get(task["name"], 0.5),
            temperature=temperatures.get(task["name"], 1.0),
        )
        for task in tasks
    )
    model = export(
        network,
        representation=sidecar["representation"],
        clip=Clip(**sidecar["clip"]),
        extract=Extract(**sidecar["extract"]),
        crops=_crops(folder, sidecar),
        description=Description(folder.name, heads, synthetic, trained_on),
    )
    with whole_file(out) as partial:
        partial.write_bytes(model.SerializeToString())


def _crops(folder: Path, sidecar: Mapping[str, Any]) -> Crops | None:
    if sidecar["network"] not in ANY_LENGTH:
        return None
    frames = sidecar.get("frames") or {}
    if lacking := [key for key in ("crop", "crops") if key not in frames]:
        raise InputError(
            f"{folder / SIDECAR}: no frames.{lacking[0]}, which says what the network is shown of "
            "a clip; train it again with `make repro`"
        )
    return Crops(frames["crop"], frames["crops"], least=frames["crop"])
