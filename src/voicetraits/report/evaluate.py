"""What becomes of trained networks outside their own test: conditions, languages, slices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, islice
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
import pandas as pd

from voicetraits.audio.conditions import CONDITIONS
from voicetraits.audio.level import speech_level
from voicetraits.dataset.parts import TEST
from voicetraits.evaluation.across import LocaleClips, LocaleModel, across_records
from voicetraits.evaluation.scores import score
from voicetraits.models import Model
from voicetraits.networks.model_folder import PREDICTIONS, USED, load
from voicetraits.params import ALL, Params
from voicetraits.plots import calibration, robustness
from voicetraits.plots.slices import slices
from voicetraits.plots.style import save
from voicetraits.report.judged import Part, Record, calibrated, sliced, stored_parts
from voicetraits.report.predictions import StaleError, without_figures
from voicetraits.report.summary import write_json
from voicetraits.report.worse import Sound, predictor, read_sounds, worse_arrays
from voicetraits.storage.files import fresh_folder
from voicetraits.storage.shards import INDEX

# Test clips of a model that are brought under every condition, at most: each costs 0.1 s.
CLIPS = 100
# The files in metrics/, and those in plots/.
METRICS = ("robustness", "across", "slices", "calibration")
CURVES = ("reliability", "risk_coverage")
_KEYS = ["clip", "locale"]


class _Split(NamedTuple):
    """Models of one split, which share most of their test clips.

    Attributes:
        models: Each with its folder.
        parts: Validation and test part by the model's name.
        tested: The test clips, with what slices are cut by.
        drawn: By the model's name, places in its test part of clips to be made worse.
        sounds: Clips that are made worse for a model, by locale and name.
        representations: Those of the models.
    """

    models: Sequence[tuple[Model, Path]]
    parts: dict[str, tuple[Part, Part]]
    tested: pd.DataFrame
    drawn: dict[str, np.ndarray]
    sounds: dict[tuple[str, str], Sound]
    representations: Sequence[str]


class _Tried(NamedTuple):
    """A model, and its test clips as it takes them."""

    model: Model
    as_locale: LocaleModel
    clips: LocaleClips


def evaluate(
    models: Sequence[tuple[Model, Path]], params: Params, *, wavs: Path
) -> dict[str, list[Record]]:
    """Records of all models by their file's name: METRICS and CURVES.

    Args:
        models: Each with its folder, as the training stage wrote it. Those without figures have
            no records.
        params: The whole of params.yaml.
        wavs: Folder above the WAV shards of each locale.

    Returns:
        Of robustness and across, `clips` says on how many test clips they are, drawn by the seed
        from `test_clips`.
    """
    found: dict[str, list[Record]] = {name: [] for name in (*METRICS, *CURVES)}
    trained = [(model, path) for model, path in models if not without_figures(model, path)]
    by_split = sorted(trained, key=lambda each: each[0].split)
    splits = [
        _read(list(group), params, wavs)
        for _, group in groupby(by_split, key=lambda each: each[0].split)
    ]
    # One split after the other, but by processes that start once for all.
    sounds = [
        (name, sound, split.representations)
        for split in splits
        for (_, name), sound in split.sounds.items()
    ]
    worse = worse_arrays(sounds, params)
    tried = [each for split in splits for each in _try(split, worse, params, found)]
    found["across"] += _across(tried, seed=params.seed)
    order = {model.name: number for number, (model, _) in enumerate(models)}
    for name in found:
        if name != "across":
            found[name].sort(key=lambda record: order[record["model"]])
    return found


def _read(models: Sequence[tuple[Model, Path]], params: Params, wavs: Path) -> _Split:
    """What is to be known of models of one split before any is tried."""
    locales = models[0][0].locales
    index = pd.concat(pd.read_parquet(wavs / locale / INDEX) for locale in locales)
    parts = {model.name: stored_parts(model, folder) for model, folder in models}
    known = [*_KEYS, "speaker"]
    tested = pd.concat([test.clips[known] for _, test in parts.values()]).drop_duplicates()
    tested = tested.merge(index, on=known, how="left", validate="1:1")
    if tested["shard"].isna().any():
        why = f"tested on clips that are not in {wavs}, or are there of other speakers"
        raise StaleError(models[0][1] / PREDICTIONS, why)
    drawn = {name: _drawn(test, seed=params.seed) for name, (_, test) in parts.items()}
    wanted = {key for name in drawn for key in _keys(parts[name][1].clips.iloc[drawn[name]])}
    keys = _keys(tested)
    loudness = np.full(len(tested), np.nan)
    sounds = {}
    for sound in read_sounds(tested, wavs):
        loudness[sound.place] = speech_level(sound.pcm, sound.rate)
        if keys[sound.place] in wanted:
            sounds[keys[sound.place]] = sound
    representations = list(dict.fromkeys(model.representation for model, _ in models))
    return _Split(models, parts, tested.assign(loudness=loudness), drawn, sounds, representations)


def _try(
    split: _Split,
    worse_of_all: Iterator[dict[str, list[np.ndarray]]],
    params: Params,
    found: dict[str, list[Record]],
) -> list[_Tried]:
    """Add the records of a split's models; return those of one locale, for others to meet."""
    held = dict(zip(split.sounds, islice(worse_of_all, len(split.sounds)), strict=True))
    tried = []
    for model, folder in split.models:
        validation, test = split.parts[model.name]
        of_model = calibrated(model, validation, test)
        found["calibration"].append(of_model.record)
        found["reliability"] += of_model.reliability
        found["risk_coverage"] += of_model.risk_coverage
        attributes = test.clips[_KEYS].merge(split.tested, on=_KEYS, how="left", validate="1:1")
        found["slices"] += sliced(model, test, attributes, seed=params.seed)
        predict = predictor(model, load(folder), params)
        some = _chosen(test, split.drawn[model.name])
        worse = [held[key][model.representation] for key in _keys(some.clips)]
        by_condition = [array for each in zip(*worse, strict=True) for array in each]
        probabilities = predict(by_condition).reshape(len(CONDITIONS), len(worse), -1)
        found["robustness"] += _robustness(
            model, some, probabilities, seed=params.seed, test_clips=len(test.labels)
        )
        if len(model.locales) == 1:
            inputs = np.empty(len(worse), dtype=object)  # of any length: an array of arrays
            inputs[:] = [each[0] for each in worse]
            used = pd.read_parquet(folder / USED)
            trained_on = set(used.loc[used["part"].ne(TEST), "speaker"])
            clips = LocaleClips(some.labels, some.clips["speaker"].to_numpy(), inputs)
            tried.append(_Tried(model, LocaleModel(predict, trained_on), clips))
    return tried


def _keys(clips: pd.DataFrame) -> list[tuple[str, str]]:
    return list(zip(clips["locale"], clips["clip"], strict=True))


def _drawn(test: Part, *, seed: int) -> np.ndarray:
    """Places of the clips to be made worse: the same for every model that has the same clips."""
    rank = [crc32(f"{seed} {locale} {clip}".encode()) for locale, clip in _keys(test.clips)]
    return np.sort(np.argsort(rank, kind="stable")[:CLIPS])


def _chosen(part: Part, places: np.ndarray) -> Part:
    clips = part.clips.iloc[places].reset_index(drop=True)
    return Part(clips, part.labels[places], part.probabilities[places])


def _robustness(
    model: Model, test: Part, probabilities: np.ndarray, *, seed: int, test_clips: int
) -> list[Record]:
    """A record per condition, of probabilities of shape (conditions, clips, classes)."""
    speakers = test.clips["speaker"].to_numpy()
    chance = round(1 / len(model.task.classes), 4)
    records = []
    for condition, of_clips in zip(CONDITIONS, probabilities, strict=True):
        predicted = of_clips.argmax(axis=1)
        found = score(test.labels, predicted, speakers, model.task, seed=seed)
        records.append(
            {
                **model.columns,
                "condition": condition,
                **found._asdict(),
                "chance": chance,
                "test_clips": test_clips,
            }
        )
    return records


def _across(tried: Sequence[_Tried], *, seed: int) -> list[Record]:
    """Every model of one locale on the clips of all locales that have such a model."""
    groups: dict[tuple[str, str, str], dict[str, _Tried]] = {}
    for each in tried:
        model = each.model
        kind = (model.task.name, model.representation, model.network)
        groups.setdefault(kind, {})[model.locale] = each
    records = []
    for (task, representation, network), group in groups.items():
        if len(group) < 2:
            continue
        rows = across_records(
            {locale: each.as_locale for locale, each in group.items()},
            {locale: each.clips for locale, each in group.items()},
            next(iter(group.values())).model.task,
            seed=seed,
        )
        columns = {"task": task, "representation": representation, "network": network}
        records += [{**columns, **row} for row in rows]
    return records


def write_evaluation(found: Mapping[str, list[Record]]) -> None:
    """Write what `evaluate` gave to metrics/ and plots/, with its pictures."""
    for name in METRICS:
        write_json(Path("metrics", f"{name}.json"), found[name])
    for name in CURVES:
        write_json(Path("plots", f"{name}.json"), found[name])
    tables: dict[str, Any] = {name: pd.DataFrame(rows) for name, rows in found.items()}
    with fresh_folder(Path("plots/evaluation")) as folder:
        save(robustness.robustness(tables["robustness"]), folder / "robustness.png")
        as_trained = [row for row in found["reliability"] if row["probabilities"] == "as trained"]
        save(calibration.reliability(pd.DataFrame(as_trained)), folder / "reliability.png")
        save(calibration.risk_coverage(tables["risk_coverage"]), folder / "risk-coverage.png")
        for task in dict.fromkeys(row["task"] for row in found["across"]):
            rows = tables["across"][tables["across"]["task"].eq(task)]
            save(robustness.across(rows), folder / f"across-{task}.png")
        for model, rows in _to_be_sliced(tables["slices"]):
            save(slices(rows, name=model), folder / f"slices-{model}.png")


def _to_be_sliced(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Models to draw: of a task that is learned in all locales together, those alone."""
    for _, of_task in rows.groupby("task", sort=False) if len(rows) else []:
        pooled = of_task[of_task["locale"].eq(ALL)]
        shown = of_task if pooled.empty else pooled
        for model, of_model in shown.groupby("model", sort=False):
            yield str(model), of_model
