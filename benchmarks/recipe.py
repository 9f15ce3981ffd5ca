"""What each part of the recipe is worth on real voices: every run without one of them.

    make released                          or its first steps: what released.yaml names, gathered
    python -m benchmarks.recipe language   two hours on a core; it goes on where it stopped
    python -m benchmarks.recipe gender     likewise, beside the other

A network is trained without the sources that released.yaml leaves out and tested on them, with
three seeds. All have about as many steps, but for those of learning phones before. All but those
with "and" in their name have heard the real clips alone: so the parts of the recipe are judged, not
what synthetic speech makes up for.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from stages.released import CLIPS, read_folders
from voicetraits.dataset.parts import TRAINING
from voicetraits.release.build import assign, assign_spoken, predict, train
from voicetraits.release.calibrate import scored
from voicetraits.release.clips import FOREIGN
from voicetraits.release.recipe import Recipe, read_recipe
from voicetraits.tasks import Task
from voicetraits.workers.environment import pin_environment

SEEDS = (1, 2, 3)
STEPS = 1100
# What a variant changes in `frames`, the corpora that it trains on, and whether it learns phones.
VARIANTS: dict[str, dict[str, Any]] = {
    "the recipe": {},
    "and the sample": {"corpora": ["real", "sample"]},
    "and Pico's voices": {"corpora": ["real", "pico"]},
    "and both": {"corpora": ["real", "sample", "pico"]},
    "and both, and phones before": {"corpora": ["real", "sample", "pico"], "phones": True},
    "without any augmentation": {
        **{"room": 0, "noise": 0, "low_pass": 0, "high_pass": 0, "contrast": 0},
        **{"time_masks": 0, "frequency_masks": 0, "mixup": 0},
    },
    "without rooms": {"room": 0},
    "without noise": {"noise": 0},
    "without filters": {"low_pass": 0, "high_pass": 0},
    "without contrast": {"contrast": 0},
    "without masks": {"time_masks": 0, "frequency_masks": 0},
    "without mixup": {"mixup": 0},
    "without smoothing": {"smoothing": 0},
    "without weight decay": {"weight_decay": 0},
    "crops of 2 s": {"crop": 200},
    "crops of 5 s": {"crop": 500},
}


def main(name: str) -> None:
    """Run what is not in the results yet; print the table."""
    recipe = read_recipe(Path("released.yaml"))
    (task,) = (each for each in recipe.tasks if each.name == name)
    results = Path(f"benchmarks/results/recipe-{name}.json")
    done = json.loads(results.read_text(encoding="utf-8")) if results.is_file() else []
    known = {(row["variant"], row["seed"]) for row in done}
    for variant in VARIANTS:
        for seed in SEEDS:
            # Pico's voices have no gender; nor is there any need of phones to tell it.
            if (variant, seed) in known or (name == "gender" and "pico" in corpora(variant)):
                continue
            value = measure(recipe, task, variant, seed)
            done.append({"variant": variant, "seed": seed, "balanced_accuracy": value})
            print(done[-1], file=sys.stderr, flush=True)
            lines = ",\n".join(json.dumps(row) for row in done)
            results.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    print(table(done))


def corpora(variant: str) -> list[str]:
    """Names of the corpora that a variant trains on."""
    return list(VARIANTS[variant].get("corpora", ["real"]))


def measure(recipe: Recipe, task: Task, variant: str, seed: int) -> float:
    """Balanced accuracy of one network on what was left out."""
    names = corpora(variant)
    changes = {"ensemble": 1, "distil": 0, **VARIANTS[variant]}
    changes.pop("corpora", None)
    declared = recipe.network(task)
    phones = declared.phones if changes.pop("phones", False) else None
    frames = declared.frames.model_copy(update=changes)
    network = declared.model_copy(update={"corpora": names, "phones": phones, "frames": frames})
    recipe = recipe.model_copy(update={"seed": seed, task.name: network})
    table = pd.read_parquet(CLIPS)
    clips = assign(table, recipe, task, leave_out=True)
    spoken = assign_spoken(table, recipe, task, leave_out=True) if phones else None
    in_a_pass = (clips["part"] == TRAINING).sum() // frames.batch_size
    passes = round(STEPS / max(in_a_pass, frames.steps))
    frames = frames.model_copy(update={"passes": passes})
    network = network.model_copy(update={"frames": frames})
    recipe = recipe.model_copy(update={task.name: network})
    with TemporaryDirectory() as folder:
        trained = train(
            clips,
            read_folders(),
            recipe,
            task,
            live_folder=Path(folder),
            label=f"{variant}, {task.name}, seed {seed}",
            spoken=spoken,
        )
    tested = predict(trained, clips, read_folders(), recipe, task)
    return scored(tested[tested["language"] != FOREIGN], task).value


def table(done: list[dict[str, Any]]) -> str:
    """Mean and range over the seeds of every variant, as Markdown."""
    lines = ["| variant | balanced accuracy, mean (range) | seeds |", "|---|---|---|"]
    rows = pd.DataFrame(done)
    for variant in VARIANTS:
        of = rows.loc[rows["variant"] == variant, "balanced_accuracy"]
        if len(of):
            found = f"{of.mean():.3f} ({of.min():.3f} to {of.max():.3f})"
            lines.append(f"| {variant} | {found} | {len(of)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    pin_environment()
    main(*sys.argv[1:])
