"""What each part of the recipe is worth on real voices: every run without one of them.

    python -m stages.released gather      the clips that released.yaml names, once
    python -m benchmarks.recipe           hours on two cores; it goes on where it was interrupted

Networks are trained without the sources of LEFT_OUT and tested on them, with three seeds each, on
the real clips alone unless the variant says otherwise: a run then takes two minutes, not ten.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from stages.released import CLIPS, read_folders
from voicetraits.release.build import assign, tasks, train
from voicetraits.release.calibrate import scored
from voicetraits.release.recipe import Recipe, read_recipe
from voicetraits.workers.environment import pin_environment

RESULTS = Path("benchmarks/results/recipe.json")
# Language is judged on the first three, gender on the others.
LEFT_OUT = ("cvst", "cvdemo", "mls", "librispeech", "cvfr")
SEEDS = (1, 2, 3)
PASSES = 30
# What a variant changes in `frames`, and the corpora that it trains on.
VARIANTS: dict[str, dict[str, Any]] = {
    "the recipe": {},
    "and the synthetic sample": {"corpora": ("real", "sample"), "passes": PASSES * 2 // 3},
    "without noise": {"noise": 0},
    "without filters": {"low_pass": 0, "high_pass": 0},
    "without contrast": {"contrast": 0},
    "without masks": {"time_masks": 0, "frequency_masks": 0},
    "without mixup": {"mixup": 0},
    "without smoothing": {"smoothing": 0},
    "without weight decay": {"weight_decay": 0},
    "without any augmentation": {
        **{"noise": 0, "low_pass": 0, "high_pass": 0, "contrast": 0},
        **{"time_masks": 0, "frequency_masks": 0, "mixup": 0},
    },
    "crops of 2 s": {"crop": 200},
    "crops of 5 s": {"crop": 500},
}


def main() -> None:
    """Run what is not in RESULTS yet; print the table."""
    recipe = read_recipe(Path("released.yaml"))
    done = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else []
    known = {(row["variant"], row["seed"]) for row in done}
    for seed in SEEDS:
        for variant in VARIANTS:
            if (variant, seed) not in known:
                done.append({"variant": variant, "seed": seed, **measure(recipe, variant, seed)})
                print(done[-1], file=sys.stderr, flush=True)
                RESULTS.write_text(
                    "[\n" + ",\n".join(json.dumps(row) for row in done) + "\n]\n", "utf-8"
                )
    print(table(done))


def measure(recipe: Recipe, variant: str, seed: int) -> dict[str, float]:
    """Balanced accuracies of one network on what was left out."""
    changes = dict(VARIANTS[variant])
    corpora = changes.pop("corpora", ("real",))
    frames = {"passes": PASSES, **changes}
    recipe = recipe.of_one_network()
    recipe = recipe.model_copy(
        update={"seed": seed, "frames": recipe.frames.model_copy(update=frames)}
    )
    clips = pd.read_parquet(CLIPS)
    clips = clips[clips["corpus"].isin(corpora)]
    with TemporaryDirectory() as folder:
        _, tested = train(
            assign(clips, recipe, left_out=LEFT_OUT),
            read_folders(),
            recipe,
            live_folder=Path(folder),
            label=f"{variant}, seed {seed}",
        )
    return {each.name: scored(tested[each.name], each).value for each in tasks(recipe).tasks}


def table(done: list[dict[str, Any]]) -> str:
    """Mean and range over the seeds of every variant, as Markdown."""
    lines = ["| variant | gender | language | seeds |", "|---|---|---|---|"]
    rows = pd.DataFrame(done)
    for variant in VARIANTS:
        of = rows[rows["variant"] == variant]
        if len(of):
            cells = [
                f"{of[task].mean():.3f} ({of[task].min():.3f} to {of[task].max():.3f})"
                for task in ("gender", "language")
            ]
            lines.append(f"| {variant} | {' | '.join(cells)} | {len(of)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    pin_environment()
    main()
