"""An exported model: one ONNX file that says itself what it tells apart."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from voicetraits.errors import InputError
from voicetraits.export.contract import KEY, SAMPLE_RATE, VERSION
from voicetraits.recognizer.runtime import NotOnnxError, session

RELEASED = Path(__file__).parents[1] / "released" / "voice.onnx"
EXPORTED = Path("data/exported")


class Head(NamedTuple):
    """One question that a model answers: its classes, and how sure an answer must be."""

    classes: tuple[str, ...]
    threshold: float


class ExportedModel:
    """A model that is ready to run.

    Attributes:
        name: Of the model.
        trained_on: A sentence that says it.
        synthetic: Whether it was trained on synthetic voices.
        heads: By task, such as "language".
    """

    def __init__(self, path: Path | None = None) -> None:
        """Read a model.

        Args:
            path: An ONNX file, or models/<name>; by default, the released model.

        Raises:
            InputError: If there is none, or it cannot be used.
        """
        self._path, content = _read(path)
        try:
            self._session = session(content)
        except NotOnnxError as error:
            raise InputError(
                f"{self._path}: not a model that onnxruntime can run ({error})"
            ) from error
        description = self._description()
        self.name = str(description["name"])
        self.trained_on = str(description["trained_on"])
        self.synthetic = bool(description["synthetic"])
        self.heads = {
            str(head["task"]): Head(tuple(map(str, head["classes"])), float(head["threshold"]))
            for head in description["heads"]
        }

    def probabilities(self, samples: np.ndarray) -> dict[str, np.ndarray]:
        """Probabilities of the classes by task.

        Args:
            samples: Mono at 16 kHz, shape (n,), float32, not empty.
        """
        tasks = list(self.heads)
        found = self._session.run(tasks, {"samples": samples})
        return dict(zip(tasks, found, strict=True))

    def _description(self) -> Mapping[str, Any]:
        text = self._session.get_modelmeta().custom_metadata_map.get(KEY)
        if text is None:
            raise InputError(
                f"{self._path}: an ONNX file, but not one that voicetraits has exported"
            )
        try:
            description = json.loads(text)
            if description["version"] != VERSION:
                raise InputError(
                    f"{self._path}: made by another version of voicetraits (format "
                    f"{description['version']}, not {VERSION}); export it again"
                )
            tasks = {head["task"]: head["classes"] for head in description["heads"]}
            fits = description["sample_rate"] == SAMPLE_RATE and self._has(tasks)
            fits = fits and {"name", "trained_on", "synthetic"} <= description.keys()
            fits = fits and all(0 <= head["threshold"] <= 1 for head in description["heads"])
        except (ValueError, TypeError, KeyError) as error:
            if isinstance(error, InputError):
                raise
            fits = False
        if not fits:
            raise InputError(f"{self._path}: its description does not fit; export it again")
        return description

    def _has(self, tasks: Mapping[str, Any]) -> bool:
        """Whether the graph takes samples, and gives so many probabilities for each task."""
        inputs = {one.name: (one.type, len(one.shape)) for one in self._session.get_inputs()}
        outputs = {one.name: one.shape for one in self._session.get_outputs()}
        return (
            bool(tasks)
            and inputs == {"samples": ("tensor(float)", 1)}
            # A dimension may have a name in place of its number.
            and all(
                name in outputs
                and len(outputs[name]) == 1
                and outputs[name][0] in (len(classes), None, str(outputs[name][0]))
                for name, classes in tasks.items()
            )
        )


def _read(path: Path | None) -> tuple[Path, bytes]:
    if path is None and not RELEASED.is_file():
        raise InputError(
            f"{RELEASED}: there is no released model here; name one of your own with "
            "--model models/<name>"
        )
    path = path or RELEASED
    if path.is_dir():
        # The folder of a trained model, beside which `make repro` puts what it exports.
        folder, given = path.resolve(), path
        path = folder.parent.parent / EXPORTED / f"{folder.name}.onnx"
        if not path.is_file():
            raise InputError(
                f"{given}: nothing has been exported from this folder to {path}; name "
                "models/<name> after `make repro`, or an ONNX file"
            )
    try:
        return path, path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path}: the model cannot be read ({error.strerror}); name an ONNX file, or "
            "models/<name> after `make repro`"
        ) from error
