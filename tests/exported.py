"""A tiny model in the form of an exported one, and speech to try it on."""

from __future__ import annotations

import json
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import soxr
from onnx import TensorProto, helper, numpy_helper

from voicetraits.sample.espeak import SAMPLE_RATE, prepare_data, synthesise

LOCALES = ["de", "en", "es", "fr"]
CHANCES = [0.1, 0.2, 0.6, 0.1]
LOUDNESS = 5.0  # the probability of "female" is so many times the mean of the absolute samples


def description(**changes: Any) -> dict[str, Any]:
    """What an exported file says of itself."""
    gender = {"task": "gender", "classes": ["female", "male"], "threshold": 0.5, "temperature": 1.0}
    language = {**gender, "task": "language", "classes": LOCALES}
    return {
        "version": 1,
        "name": "tiny",
        "sample_rate": 16000,
        "heads": [gender, language],
        "synthetic": True,
        "trained_on": "nothing at all",
        **changes,
    }


def write_model(path: Path, *, chances: list[float] = CHANCES, **changes: Any) -> Path:
    """Write a model: its language is always the same, its gender is the loudness of what it hears.

    Args:
        path: Of the file.
        chances: Probabilities of the languages.
        changes: Of the description; `description=None` leaves it out, a text stands as it is.
    """
    constants = {
        "scale": np.array([LOUDNESS], np.float32),
        "one": np.array([1], np.float32),
        "zero": np.array([0], np.float32),
        "chances": np.array(chances, np.float32),
    }
    nodes = [
        helper.make_node("Abs", ["samples"], ["loudness"]),
        helper.make_node("ReduceMean", ["loudness"], ["mean"], keepdims=1),
        helper.make_node("Mul", ["mean", "scale"], ["female"]),
        helper.make_node("Sub", ["one", "female"], ["male"]),
        helper.make_node("Concat", ["female", "male"], ["gender"], axis=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "chances"], ["language"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("samples", TensorProto.FLOAT, ["n"])],
        [
            helper.make_tensor_value_info("gender", TensorProto.FLOAT, [2]),
            helper.make_tensor_value_info("language", TensorProto.FLOAT, [len(chances)]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    said = changes.pop("description", description(**changes))
    if said is not None:
        text = said if isinstance(said, str) else json.dumps(said)
        helper.set_model_props(model, {"voicetraits": text})
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(path))
    return path


@cache
def speech() -> np.ndarray:
    """About three seconds of speech at 16 kHz, float32."""
    with tempfile.TemporaryDirectory() as folder:
        prepare_data(Path(folder), language="es", variants={})
        text = "El viento del norte y el sol discutían."
        spoken = synthesise(text, voice="es", data=Path(folder))
    spoken = spoken / np.abs(spoken).max() / 2
    return soxr.resample(spoken.astype(np.float32), SAMPLE_RATE, 16000)
