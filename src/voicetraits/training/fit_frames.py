"""Fit a network on random crops of clips of any length."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from voicetraits.networks.backend import keras  # isort: skip  (sets JAX up)

from voicetraits.dataset.frames import StoredFrames
from voicetraits.dataset.parts import TRAINING, VALIDATION
from voicetraits.networks import build
from voicetraits.networks.augment import Augmentation
from voicetraits.networks.ensemble import mean_of
from voicetraits.networks.tdnn import frames_of
from voicetraits.params import Frames
from voicetraits.tasks import Head, Task
from voicetraits.training.adamw import adamw
from voicetraits.training.batches import Batches
from voicetraits.training.crop_batches import CropBatches
from voicetraits.training.crops import SpreadCrops
from voicetraits.training.distil import Teacher
from voicetraits.training.epochs import LogEpochs, StopWhereNotFinite
from voicetraits.training.fit import (
    balanced_weights,
    require_finite_weights,
    targets,
)

# Far from those of repeats, which are one apart.
_BETWEEN_SEEDS = 1000
# What a smaller value of may help where numbers become infinite.
RATE = "frames.learning_rate"


def fit_frames(
    network: str,
    task: Task,
    stored: StoredFrames,
    labels: Sequence[np.ndarray],
    places: dict[str, np.ndarray],
    groups: Sequence[Hashable],
    frames: Frames,
    *,
    seed: int,
    label: str,
    live_folder: Path,
    begin: list[np.ndarray] | None = None,
) -> Any:
    """Train a network on crops, or several from other seeds and take their mean.

    Args:
        network: A name in ANY_LENGTH.
        task: The task; of several heads, the first counts most.
        stored: All clips.
        labels: Their class numbers, of every head; below 0, a clip has no label for it. Classes of
            the first are drawn equally often.
        places: Clips of the training and of the validation part, which is watched alone.
        groups: What each clip's group is: smaller ones are drawn beyond their share.
        frames: Passes, crops, optimisation and augmentation.
        seed: Of initial weights, draws and augmentation.
        label: What is trained, for the progress line.
        live_folder: dvclive's folder; every pass's loss and accuracy go there.
        begin: Weights of the layers up to FRAMES of a `tdnn`, from `fit_phones`: those of each
            network, which learns nothing more in them.

    Returns:
        The trained keras.Model, without augmentation.

    Raises:
        NotFiniteError: If a loss or a weight is infinite or no number.
    """
    # Layers are numbered through a process, and the numbers go into the weights file.
    keras.utils.clear_session()

    fit = partial(_fit_one, network, task, stored, labels, places, groups, frames)
    several = frames.ensemble > 1

    def fit_one(number: int, teacher: Teacher | None = None) -> Any:
        """The network of a number, and its curves beside those of the others."""
        return fit(
            teacher=teacher,
            begin=begin,
            seed=seed + _BETWEEN_SEEDS * (number - 1),
            label=f"{label}, network {number}" if several else label,
            live_folder=live_folder if number == 1 else live_folder / f"network_{number}",
        )

    members = [fit_one(number) for number in range(1, frames.ensemble + 1)]
    if len(members) == 1:
        return members[0]
    together = mean_of(members)
    if not frames.distil:
        return together
    return fit_one(len(members) + 1, Teacher(together, share=frames.distil))


def _fit_one(
    network: str,
    task: Task,
    stored: StoredFrames,
    labels: Sequence[np.ndarray],
    places: dict[str, np.ndarray],
    groups: Sequence[Hashable],
    frames: Frames,
    *,
    teacher: Teacher | None,
    begin: list[np.ndarray] | None,
    seed: int,
    label: str,
    live_folder: Path,
) -> Any:
    """Train one network; its last weights are kept."""
    from dvclive import Live

    keras.utils.set_random_seed(seed)
    model = build(network, (stored.bands, None), task.heads, seed=seed)
    if begin is not None:
        knowing = frames_of(model)
        knowing.set_weights(begin)
        knowing.trainable = False
    here, watched = places[TRAINING], places[VALIDATION]
    batches = CropBatches(
        stored,
        here,
        labels=labels[0][here],
        groups=[groups[place] for place in here],
        targets=_targets(labels, here, task),
        weights=[
            _balanced(each[here]) if n else np.ones(len(here)) for n, each in enumerate(labels)
        ],
        frames=frames.crop,
        batch_size=frames.batch_size,
        steps=frames.steps,
        mixup=frames.mixup,
        teacher=teacher,
        seed=seed,
    )
    validation = Batches(
        SpreadCrops(stored, watched, frames=frames.crop, crops=1),
        _targets(labels, watched, task),
        tuple(_balanced(each[watched]) for each in labels),
        batch_size=frames.batch_size,
    )
    inputs = keras.Input((stored.bands, frames.crop), frames.batch_size)
    outputs = model(augmentation(frames, seed=seed)(inputs))
    trained = keras.Model(inputs, outputs if isinstance(outputs, list) else [outputs])
    trained.compile(
        optimizer=adamw(frames, steps=frames.passes * len(batches)),
        # What a teacher says is smooth already.
        loss=[_loss(head, smoothing=0 if teacher else frames.smoothing) for head in task.heads],
        loss_weights=[frames.beside_first if number else 1.0 for number in range(len(task.heads))],
        weighted_metrics=[[_accuracy()] for _ in task.heads],
    )
    with Live(str(live_folder), save_dvc_exp=False, dvcyaml=None, report=None) as live:
        trained.fit(
            batches,
            validation_data=validation,
            epochs=frames.passes,
            callbacks=[
                StopWhereNotFinite(RATE),
                LogEpochs(live, label=label, epochs=frames.passes),
            ],
            verbose=0,
            shuffle=False,
        )
    require_finite_weights(model, rate=RATE)
    return model


def _targets(
    labels: Sequence[np.ndarray], places: np.ndarray, task: Task
) -> tuple[np.ndarray, ...]:
    """Targets of every head; where a clip has no label, those of its first class."""
    return tuple(
        targets(np.maximum(each[places], 0), head)
        for each, head in zip(labels, task.heads, strict=True)
    )


def _balanced(labels: np.ndarray) -> np.ndarray:
    """Weights under which every class counts the same, and what has no label nothing."""
    weights = np.zeros(len(labels))
    there = labels >= 0
    weights[there] = balanced_weights(labels[there])
    return weights


def augmentation(frames: Frames, *, seed: int) -> Augmentation:
    """The layer that changes clips as the parameters say."""
    return Augmentation(
        seed=seed,
        room=frames.room,
        noise=frames.noise,
        low_pass=frames.low_pass,
        high_pass=frames.high_pass,
        time_masks=frames.time_masks,
        frequency_masks=frames.frequency_masks,
    )


def _loss(head: Head, *, smoothing: float) -> Any:
    if head.units == 1:
        return keras.losses.BinaryCrossentropy(label_smoothing=smoothing)
    return keras.losses.CategoricalCrossentropy(label_smoothing=smoothing)


def _accuracy() -> Any:
    return keras.metrics.MeanMetricWrapper(_agreement, name="accuracy")


def _agreement(expected: Any, found: Any) -> Any:
    """1 where the likeliest class is the one that has most of the (mixed) targets."""
    if found.shape[-1] == 1:
        return keras.ops.cast((expected > 0.5) == (found > 0.5), "float32")[:, 0]
    same = keras.ops.argmax(expected, axis=-1) == keras.ops.argmax(found, axis=-1)
    return keras.ops.cast(same, "float32")
