"""Write the file of the released network, and its card."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from voicetraits.export.crops import Crops
from voicetraits.export.description import Answer, Description
from voicetraits.export.model import export
from voicetraits.features.mel import BANDS
from voicetraits.networks import build
from voicetraits.networks.model_folder import WEIGHTS
from voicetraits.params import load_params
from voicetraits.release.build import tasks
from voicetraits.release.calibrate import calibrated
from voicetraits.release.card import card
from voicetraits.release.clips import FOREIGN, REPRESENTATION
from voicetraits.release.recipe import Recipe
from voicetraits.storage.files import whole_file

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
    task = tasks(recipe)
    found = [calibrated(each, recipe, work) for each in task.tasks]
    real = clips[~clips["synthetic"] & clips["language"].ne(FOREIGN)]
    trained_on = _TRAINED_ON.format(
        clips=len(real),
        sources=real["source"].nunique(),
        languages=", ".join(recipe.languages),
        synthetic=int(clips["synthetic"].sum()),
    )
    frames = recipe.frames
    shape = (BANDS, None)
    network = build(frames.networks[0], shape, task.heads, seed=0, members=frames.members)
    network.load_weights(work / "final" / WEIGHTS)
    model = export(
        network,
        representation=REPRESENTATION,
        clip=recipe.clip,
        extract=load_params().extract,
        crops=Crops(frames.crop, frames.crops),
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
        float16=True,
    )
    MODEL.parent.mkdir(exist_ok=True)
    with whole_file(MODEL) as partial:
        partial.write_bytes(model.SerializeToString())
    with whole_file(CARD) as partial:
        partial.write_text(card(recipe, clips, found, trained_on), encoding="utf-8")
    print(f"{MODEL}: {MODEL.stat().st_size:,} bytes; {CARD}")
