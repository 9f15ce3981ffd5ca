"""Write the file of the released network, and its card."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from voicetraits.networks.backend import keras  # isort: skip  (sets JAX up)

from voicetraits.export.description import Answer, Description
from voicetraits.export.model import export
from voicetraits.features.mel import BANDS
from voicetraits.networks import build
from voicetraits.networks.model_folder import WEIGHTS
from voicetraits.params import load_params
from voicetraits.release.calibrate import FINAL, calibrated
from voicetraits.release.card import card
from voicetraits.release.clips import FOREIGN, REPRESENTATION
from voicetraits.release.recipe import Recipe
from voicetraits.storage.files import whole_file
from voicetraits.tasks import Task

MODEL = Path("src/voicetraits/released/voice.onnx")
CARD = Path("docs/model_card.md")
NAME = "voice"
_TRAINED_ON = (
    "{clips:,} clips of real people from {sources} public sources in {languages}, "
    "and {synthetic:,} of synthetic voices"
)


def write_release(recipe: Recipe, work: Path) -> None:
    """Write the model's file and its card.

    Args:
        recipe: Of the model.
        work: Where the steps before have left networks and predictions.
    """
    clips = pd.read_parquet(work / "clips.parquet")
    found = [calibrated(task, recipe, work) for task in recipe.tasks]
    real = clips[~clips["synthetic"] & clips["language"].ne(FOREIGN)]
    trained_on = _TRAINED_ON.format(
        clips=len(real),
        sources=real["source"].nunique(),
        languages=", ".join(recipe.languages),
        synthetic=int(clips["synthetic"].sum()),
    )
    model = export(
        _side_by_side([_final(task, recipe, work) for task in recipe.tasks]),
        representation=REPRESENTATION,
        clip=recipe.clip,
        extract=load_params().extract,
        crops=recipe.shown,
        description=Description(
            NAME,
            tuple(
                Answer(
                    each.task.name,
                    each.task.classes,
                    threshold=each.threshold,
                    temperature=each.temperature,
                    shift=each.shift,
                )
                for each in found
            ),
            synthetic=False,
            trained_on=trained_on,
        ),
        small=True,
    )
    MODEL.parent.mkdir(exist_ok=True)
    with whole_file(MODEL) as partial:
        partial.write_bytes(model.SerializeToString())
    with whole_file(CARD) as partial:
        partial.write_text(card(recipe, clips, found, trained_on), encoding="utf-8")
    print(f"{MODEL}: {MODEL.stat().st_size:,} bytes; {CARD}")


def _final(task: Task, recipe: Recipe, work: Path) -> Any:
    frames = recipe.network(task).frames
    name, members = frames.networks[0], frames.members
    network = build(name, (BANDS, None), task.heads, seed=0, members=members)
    network.load_weights(work / FINAL / task.name / WEIGHTS)
    return network


def _side_by_side(networks: Sequence[Any]) -> Any:
    """One keras.Model with the outputs of several."""
    inputs = keras.Input((BANDS, None))
    return keras.Model(inputs, [network(inputs) for network in networks])
