"""What leakage is worth: the protocol of the original experiment beside ours.

    python -m benchmarks.leakage

Both train the models of params.yaml on the clips that the last `make repro` has left in data/, in a
temporary folder, with three seeds, each of which splits anew. Two probes see nothing of the sound:
a logistic regression on the length of a clip, and one on the silence at its end, under our
protocol. What they know, a network on clips of one length may know as well.

Takes six times the training of `make repro`, on one core.
"""

from __future__ import annotations

from stages import split, summarise, train  # first: it settles the environment of NumPy

# isort: split
import json
import os
import statistics
import sys
import tempfile
from contextlib import chdir
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ruamel.yaml import YAML

from benchmarks._measure import RESULTS, machine
from voicetraits.dataset.parts import TEST, TRAINING, encode
from voicetraits.dataset.pitch import read_pitch
from voicetraits.models import Model, declared_models
from voicetraits.params import Params, load_params
from voicetraits.training.baselines import one_number_baseline

SEEDS = 3  # that of params.yaml, and those that follow
PROTOCOLS = {
    "ours": {"split_by": "speaker", "undersample": "training", "scale": "training"},
    "original": {"split_by": "clip", "undersample": "everything", "scale": "everything"},
}
ESTIMATORS = ("network", "linear")
PROBES = ("seconds", "silent_tail")

# By task, representation and estimator, or task and probe: a balanced accuracy for each model.
Scores = dict[tuple[str, ...], list[float]]


def main() -> None:
    """Measure, print as in docs/leakage.md, and store in results/leakage.json."""
    params = load_params()
    here = Path().absolute()
    # Compiled networks of `make repro` serve again.
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(here / ".cache/jax"))
    runs: dict[str, list[Scores]] = {name: [] for name in PROTOCOLS}
    probes: list[Scores] = []
    with tempfile.TemporaryDirectory() as name, chdir(name):
        link_data(params, here)
        for number in range(SEEDS):
            for protocol, changes in PROTOCOLS.items():
                changed = write_params(here / "params.yaml", changes, params.seed + number)
                runs[protocol].append(measure(changed))
                if protocol == "ours":
                    probes.append(probe(changed))
    content = {
        "machine": machine(),
        "seeds": [params.seed + number for number in range(SEEDS)],
        "chance": {model.task.name: 1 / len(model.task.classes) for model in models(params)},
        "leakage": worth(runs),
        "probes": {" ".join(key): summary(probes, key) for key in probes[0]},
    }
    print(table(content))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "leakage.json").write_text(json.dumps(content, indent=2) + "\n", "utf-8")


def link_data(params: Params, source: Path) -> None:
    """Have what precedes the split in the current folder, by links."""
    Path("data").mkdir()
    for name in ("clips", "wav", "pitch", *params.representations):
        folder = source / "data" / name
        if not folder.is_dir():
            sys.exit(f"{folder} is not there: run `make repro` first")
        Path("data", name).symlink_to(folder)


def write_params(committed: Path, protocol: dict[str, str], seed: int) -> Params:
    """Write params.yaml with another protocol and seed into the current folder."""
    params = YAML(typ="safe").load(committed.read_text("utf-8"))
    params |= {"protocol": protocol, "seed": seed}
    params["frames"] |= {"representations": [], "networks": []}  # they are not undersampled
    with Path("params.yaml").open("w", encoding="utf-8") as file:
        YAML(typ="safe").dump(params, file)
    return load_params()


def models(params: Params) -> list[Model]:
    """The models on clips of one length."""
    return [each for each in declared_models(params) if each.network in params.networks]


def measure(params: Params) -> Scores:
    """Split, train and summarise, as the stages do; balanced accuracies of the test parts."""
    declared = models(params)
    for task, locale in dict.fromkeys((model.task.name, model.locale) for model in declared):
        split.main(task, locale)
    for model in declared:
        train.main(model.task.name, model.locale, model.representation, model.network)
    summarise.main()
    found: Scores = {}
    for record in json.loads(Path("metrics/results.json").read_text("utf-8")):
        if record["metric"] == "balanced_accuracy" and record["estimator"] in ESTIMATORS:
            key = (record["task"], record["representation"], record["estimator"])
            found.setdefault(key, []).append(record["value"])
    return found


def probe(params: Params) -> Scores:
    """What can be told from a number that says nothing of the voice, in the splits that are here.

    Every training clip counts; where there are fewer of a class, each weighs more.
    """
    found: Scores = {}
    for model in {model.split: model for model in models(params)}.values():
        clips = pd.read_parquet(Path("data/splits", f"{model.split}.parquet"))
        files = {locale: Path("data/pitch", f"{locale}.parquet") for locale in model.locales}
        numbers = read_pitch(clips, files)
        labels = encode(clips["label"].to_numpy(), model.task)
        training, test = (np.flatnonzero(clips["part"] == part) for part in (TRAINING, TEST))
        for name in PROBES:
            values = numbers[name].to_numpy()
            probabilities = one_number_baseline(
                values[training], labels[training], values[test], classes=len(model.task.classes)
            )
            score = balanced_accuracy(labels[test], probabilities)
            found.setdefault((model.task.name, name), []).append(score)
    return found


def balanced_accuracy(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean recall of the classes."""
    from sklearn.metrics import balanced_accuracy_score

    return float(balanced_accuracy_score(labels, probabilities.argmax(axis=1)))


def worth(runs: dict[str, list[Scores]]) -> dict[str, Any]:
    """Both protocols, and by how much the original one is better within a seed."""
    found = {}
    for key in runs["ours"][0]:
        differences = [
            statistics.mean(original[key]) - statistics.mean(ours[key])
            for original, ours in zip(runs["original"], runs["ours"], strict=True)
        ]
        found[" ".join(key)] = {
            **{protocol: summary(some, key) for protocol, some in runs.items()},
            "worth": spread(differences),
        }
    return found


def table(content: dict[str, Any]) -> str:
    """The figures as Markdown: a table of both protocols, and one of the probes."""
    lines = ["| task, representation, model | ours | original | what leakage is worth |"]
    lines.append("|---|---|---|---|")
    for name, found in content["leakage"].items():
        mean, low, high = (found["worth"][kind] for kind in ("mean", "lowest", "highest"))
        values = f"{found['ours']['mean']:.2f} | {found['original']['mean']:.2f}"
        lines.append(f"| {name} | {values} | {mean:+.3f} ({low:+.3f} to {high:+.3f}) |")
    lines += ["", "| task, probe | balanced accuracy | chance |", "|---|---|---|"]
    for name, found in content["probes"].items():
        chance = content["chance"][name.split()[0]]
        value = f"{found['mean']:.2f} ({found['lowest']:.2f} to {found['highest']:.2f})"
        lines.append(f"| {name} | {value} | {chance:.2f} |")
    return "\n".join(lines)


def summary(runs: list[Scores], key: tuple[str, ...]) -> dict[str, float]:
    """Mean over the models, then mean, lowest and highest over the seeds."""
    return spread([statistics.mean(scores[key]) for scores in runs])


def spread(values: list[float]) -> dict[str, float]:
    """Mean, lowest and highest."""
    kinds = {"mean": statistics.mean(values), "lowest": min(values), "highest": max(values)}
    return {name: round(value, 3) for name, value in kinds.items()}


if __name__ == "__main__":
    main()
