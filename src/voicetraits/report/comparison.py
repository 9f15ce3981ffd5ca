"""Two revisions compared: their figures, row by row, and what their models were made from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from voicetraits.dataset.parts import TEST
from voicetraits.evaluation.compare import Answers, Difference, paired_difference
from voicetraits.networks.model_folder import PREDICTIONS, SIDECAR, WITHOUT_FIGURES
from voicetraits.report.revisions import Revision, RevisionError, Stage, read_revision

Record = dict[str, Any]
_SEED = 2026  # of the draws of speakers; the same two revisions give the same intervals
# Of predictions that know neither repeats nor sources left out.
_ONLY: Record = {"part": TEST, "repeat": 1, "left_out": ""}


def compare_revisions(name_a: str, name_b: str) -> Record:
    """How B differs from A, as `voicetraits compare --json` prints it.

    Args:
        name_a: A commit, tag, branch or experiment, or "." for the work tree.
        name_b: The same.

    Returns:
        `a` and `b` (which revisions), `rows` (a record for each model of both), `gone` and `new`
        (models of one alone), and the `causes` of `causes`.

    Raises:
        RevisionError: If one is not there, or its results are not on this machine.
    """
    a, b = read_revision(name_a), read_revision(name_b)
    both = [model for model in a.models if model in b.models]
    return {
        "a": _named(a),
        "b": _named(b),
        "rows": [row for model in both for row in compare_model(a, b, model)],
        "gone": [model for model in a.models if model not in b.models],
        "new": [model for model in b.models if model not in a.models],
        "causes": causes(a, b, both),
    }


def _named(revision: Revision) -> Record:
    return {
        "name": revision.name,
        "title": revision.title,
        "commit": revision.commit,
        "changed": list(revision.changed),
    }


def compare_model(a: Revision, b: Revision, model: str) -> Iterator[Record]:
    """One record for each task and left-out source of a model.

    A record has `model`, `task`, `left_out`, `same` (whether both predict the same bits), and
    either `reason` (why it cannot be compared) or the fields of `Difference` with its `verdict`.
    """
    found_a, found_b = _tested(a, model), _tested(b, model)
    for key in dict.fromkeys([*found_a, *found_b]):
        record: Record = {"model": model, "task": key[0], "left_out": key[1], "same": False}
        one, other = (found.get(key, "not tested") for found in (found_a, found_b))
        if isinstance(one, str) or isinstance(other, str):
            reasons = [f"{n}: {r}" for n, r in (("A", one), ("B", other)) if isinstance(r, str)]
            yield {**record, "reason": "; ".join(reasons)}
        else:
            yield {**record, **_compared(one, other)}


def _compared(a: pd.DataFrame, b: pd.DataFrame) -> Record:
    """The difference between two tables of `_tested`, or the reason why there is none."""
    classes = list(a.attrs["classes"])
    if classes != b.attrs["classes"]:
        return {"reason": f"A tells {', '.join(classes)}; B tells {', '.join(b.attrs['classes'])}"}
    found = paired_difference(_arrays(a), _arrays(b), classes, seed=_SEED)
    if isinstance(found, str):
        return {"reason": found}
    clips = ["repeat", "speaker", "locale", "clip"]
    return {
        "same": a.reset_index(drop=True).equals(b.reset_index(drop=True)),
        "a": found.a,
        "b": found.b,
        "difference": found.difference,
        "low": found.low,
        "high": found.high,
        "verdict": found.verdict,
        "too_few": _too_few(found, a.attrs["column"]),
        "speakers": dict(found.speakers),
        "tested": {"a": a["speaker"].nunique(), "b": b["speaker"].nunique()},
        "paired": int(a["speaker"][a["speaker"].isin(b["speaker"])].nunique()),
        "same_clips": set(zip(*(a[name] for name in clips), strict=True))
        == set(zip(*(b[name] for name in clips), strict=True)),
    }


def _too_few(found: Difference, column: str) -> str:
    if not found.too_few:
        return ""
    count = found.speakers[found.too_few]
    which = "of" if column == "locale" else "labelled"
    return f"{count} {'speaker' if count == 1 else 'speakers'} {which} {found.too_few}"


def _arrays(table: pd.DataFrame) -> Answers:
    classes = list(table.attrs["classes"])
    return Answers(
        labels=table["label"].map({name: n for n, name in enumerate(classes)}).to_numpy(),
        predicted=table[classes].to_numpy().argmax(axis=1),
        speakers=table["speaker"].to_numpy(str),
        repeats=table["repeat"].to_numpy(),
    )


def _tested(revision: Revision, model: str) -> dict[tuple[str, str], pd.DataFrame | str]:
    """What the network of a model makes of its test clips, by task and left-out source.

    Returns:
        Tables with the classes of the task, and the column of its labels, as `attrs`; in place of a
        table the reason why there is none.
    """
    path = revision.file(model, SIDECAR)
    if path is None:
        raise RevisionError(f"{revision.title}: models/{model} has no {SIDECAR}; run `make repro`")
    sidecar = json.loads(path.read_text(encoding="utf-8"))
    tasks = sidecar["task"].get("joined") or [sidecar["task"]]
    for status in WITHOUT_FIGURES:
        if sidecar[status]:
            return {(task["name"], ""): f"{status}: {sidecar[status]}" for task in tasks}
    path = revision.file(model, PREDICTIONS)
    if path is None:
        return {(task["name"], ""): f"it has no {PREDICTIONS}" for task in tasks}
    table = pd.read_parquet(path)
    for name, value in _ONLY.items():
        if name not in table:
            table[name] = value
    table = table[(table["estimator"] == "network") & (table["part"] == TEST)]
    found: dict[tuple[str, str], pd.DataFrame | str] = {}
    for task in tasks:
        of_task = table[table["task"] == task["name"]] if "task" in table else table
        columns = ["clip", "locale", "speaker", "label", "repeat", *task["classes"]]
        for left_out, rows in of_task.groupby("left_out", sort=False):
            kept = rows[columns].copy()
            kept.attrs = {"classes": task["classes"], "column": task["column"]}
            found[task["name"], str(left_out)] = kept
    return found


def causes(a: Revision, b: Revision, models: list[str]) -> Record:
    """What differs between two revisions in the stages that lead to these models.

    Returns:
        `parameters` (name to the values of `a` and `b`, None where there is none), `code` (files
        and folders), `data` (what no stage has made), `stages` (of one revision alone, or with
        another command), `made` (stages whose outputs differ), all empty where nothing differs,
        and whether the pinned `requirements` differ.
    """
    ways = [_way(each, models) for each in (a, b)]
    made = {path for way in ways for stage in way.values() for path in stage.outputs}
    parameters: dict[str, Record] = {}
    differs: dict[str, dict[str, None]] = {name: {} for name in ("code", "data", "stages", "made")}
    for name in dict.fromkeys([*ways[0], *ways[1]]):
        one, other = (way.get(name) for way in ways)
        if one is None or other is None or one.command != other.command:
            differs["stages"][name] = None
        if one is None or other is None:
            continue
        for key in _differing(one.params, other.params):
            parameters[key] = {"a": one.params.get(key), "b": other.params.get(key)}
        differs["code"] |= dict.fromkeys(_differing(one.code, other.code))
        differs["data"] |= dict.fromkeys(
            path for path in _differing(one.inputs, other.inputs) if not _made(path, made)
        )
        if _differing(one.outputs, other.outputs):
            differs["made"][name] = None
    return {
        "parameters": dict(sorted(parameters.items())),
        **{name: sorted(found) for name, found in differs.items() if name != "made"},
        "made": list(differs["made"]),
        "requirements": a.requirements != b.requirements,
    }


def _way(revision: Revision, models: list[str]) -> dict[str, Stage]:
    """The stages that lead to these models, in the order of the pipeline."""
    trains = {revision.models[model] for model in models}
    names = trains.union(*(revision.stages[name].after for name in trains))
    return {name: stage for name, stage in revision.stages.items() if name in names}


def _differing(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    return [name for name in dict.fromkeys([*a, *b]) if a.get(name) != b.get(name)]


def _made(path: str, outputs: set[str]) -> bool:
    """Whether a stage has made a file or folder, or a part of it."""
    return any(
        path == out or path.startswith(f"{out}/") or out.startswith(f"{path}/") for out in outputs
    )


def same_recipe(found: Record) -> bool:
    """Whether `causes` has found the same parameters, code, data and stages."""
    return not any(found[name] for name in ("parameters", "code", "data", "stages"))


def same_predictions(rows: list[Record]) -> bool:
    """Whether all models of both revisions predict the same bits."""
    return bool(rows) and all(row["same"] or "reason" in row for row in rows)
