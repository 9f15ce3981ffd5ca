"""What each part of the recipe is worth on real voices: every run without one of them.

    make released                          or its first steps: what released.yaml names, gathered
    python -m benchmarks.recipe language   five minutes a run on a core, ten more with phones before
    python -m benchmarks.recipe gender     two minutes a run; both go on where they stopped

A network is trained without the sources that released.yaml leaves out and tested on them, with
three seeds: on the clips as they are, and on the same clips spoilt (the mean over MP3, telephone,
noise, a small room and a lower level), which is what augmentation is for. All have about as many
steps, but for those of learning phones before. All but those with "and" in their name have heard
the real clips alone: so the parts of the recipe are judged, not what synthetic speech makes up for.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from stages.released import CLIPS, read_folders, spoilt
from voicetraits.audio.conditions import CONDITIONS
from voicetraits.dataset.parts import TEST, TRAINING
from voicetraits.release.build import assign, assign_spoken, learn_phones, train
from voicetraits.release.calibrate import scored
from voicetraits.release.clips import FOREIGN
from voicetraits.release.recipe import Recipe, read_recipe
from voicetraits.release.worse import WorseClips, predict_worse
from voicetraits.tasks import Task
from voicetraits.workers.environment import pin_environment

SEEDS = (1, 2, 3)
STEPS = {"language": 1100, "gender": 550}
# What a variant changes in `frames`, the corpora that it trains on, and steps of learning phones.
VARIANTS: dict[str, dict[str, Any]] = {
    "the recipe": {},
    "without any augmentation": {
        **{"room": 0, "noise": 0, "low_pass": 0, "high_pass": 0},
        **{"time_masks": 0, "frequency_masks": 0, "mixup": 0},
    },
    "without rooms": {"room": 0},
    "without noise": {"noise": 0},
    "without filters": {"low_pass": 0, "high_pass": 0},
    "without masks": {"time_masks": 0, "frequency_masks": 0},
    "without mixup": {"mixup": 0},
    "without smoothing": {"smoothing": 0},
    "without weight decay": {"weight_decay": 0},
    "crops of 2 s": {"crop": 200},
    "and the sample": {"corpora": ["real", "sample"]},
    "and Pico's voices": {"corpora": ["real", "pico"]},
    "and both": {"corpora": ["real", "sample", "pico"]},
    "and both, and phones before": {"corpora": ["real", "sample", "pico"], "phones": 3000},
    "and context": {
        **{"corpora": ["real", "sample", "pico"], "phones": 3000},
        "networks": ["tdnn_context"],
    },
}


def main(name: str) -> None:
    """Run what is not in the results yet; print the table."""
    recipe = read_recipe(Path("released.yaml"))
    (task,) = (each for each in recipe.tasks if each.name == name)
    results = Path(f"benchmarks/results/recipe-{name}.json")
    done = json.loads(results.read_text(encoding="utf-8")) if results.is_file() else []
    known = {(row["variant"], row["seed"]) for row in done}
    worse = left_out(recipe, task)
    for variant in VARIANTS:
        for seed in SEEDS:
            # Pico's voices have no gender; nor is there any need of phones to tell it.
            if (variant, seed) in known or (name == "gender" and "pico" in corpora(variant)):
                continue
            done.append(
                {"variant": variant, "seed": seed, **measure(recipe, task, variant, seed, worse)}
            )
            print(done[-1], file=sys.stderr, flush=True)
            lines = ",\n".join(json.dumps(row) for row in done)
            results.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    print(table(done))


def corpora(variant: str) -> list[str]:
    """Names of the corpora that a variant trains on."""
    return list(VARIANTS[variant].get("corpora", ["real"]))


def left_out(recipe: Recipe, task: Task) -> WorseClips:
    """What no network hears, under every condition."""
    clips = assign(pd.read_parquet(CLIPS), recipe, task, leave_out=True)
    return spoilt(clips[clips["part"].eq(TEST) & clips["language"].ne(FOREIGN)], recipe)


def measure(
    recipe: Recipe, task: Task, variant: str, seed: int, worse: WorseClips
) -> dict[str, float]:
    """Balanced accuracy of one network on what was left out, as it is and spoilt."""
    changes = {"networks": ["tdnn"], "ensemble": 1, "distil": 0, "phones": 0, **VARIANTS[variant]}
    changes.pop("corpora", None)
    declared = recipe.network(task)
    frames = declared.frames.model_copy(update=changes)
    phones = declared.phones if frames.phones else None
    network = declared.model_copy(
        update={"corpora": corpora(variant), "phones": phones, "frames": frames}
    )
    recipe = recipe.model_copy(update={"seed": seed, task.name: network})
    table = pd.read_parquet(CLIPS)
    clips = assign(table, recipe, task, leave_out=True)
    in_a_pass = (clips["part"] == TRAINING).sum() // frames.batch_size
    passes = round(STEPS[task.name] / max(in_a_pass, frames.steps))
    network = network.model_copy(update={"frames": frames.model_copy(update={"passes": passes})})
    recipe = recipe.model_copy(update={task.name: network})
    label, begin = f"{variant}, {task.name}, seed {seed}", None
    with TemporaryDirectory() as folder:
        live = Path(folder)
        if phones:
            spoken = assign_spoken(table, recipe, task)
            begin = learn_phones(
                *(spoken, read_folders(), recipe, task), live_folder=live, label=label
            )
        trained = train(
            *(clips, read_folders(), recipe, task), live_folder=live, label=label, begin=begin
        )
    tested = predict_worse(trained, worse, recipe, task)
    found = {
        str(condition): scored(rows, task).value for condition, rows in tested.groupby("condition")
    }
    as_they_are = next(iter(CONDITIONS))
    others = [found[condition] for condition in CONDITIONS if condition != as_they_are]
    return {"as they are": found[as_they_are], "spoilt": round(mean(others), 4)}


def table(done: list[dict[str, Any]]) -> str:
    """Mean and range over the seeds of every variant, as Markdown."""
    lines = ["| variant | clips as they are | spoilt | seeds |", "|---|---|---|---|"]
    rows = pd.DataFrame(done)
    for variant in dict.fromkeys(rows["variant"]):
        of = rows[rows["variant"] == variant]
        found = (
            f"{of[kind].mean():.3f} ({of[kind].min():.3f} to {of[kind].max():.3f})"
            for kind in ("as they are", "spoilt")
        )
        lines.append(f"| {variant} | {' | '.join(found)} | {len(of)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    pin_environment()
    main(*sys.argv[1:])
