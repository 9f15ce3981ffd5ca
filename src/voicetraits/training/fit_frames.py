"""Fit a network on random crops of clips of any length."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from voicetraits.networks.backend import keras  # isort: skip  (sets JAX up)

from voicetraits.dataset.frames import StoredFrames
from voicetraits.dataset.parts import TRAINING, VALIDATION
from voicetraits.networks import build
from voicetraits.networks.augment import Augmentation
from voicetraits.params import Frames
from voicetraits.tasks import Head, Task
from voicetraits.training.batches import Batches
from voicetraits.training.crop_batches import CropBatches
from voicetraits.training.crops import SpreadCrops
from voicetraits.training.epochs import LogEpochs, StopWhereNotFinite
from voicetraits.training.fit import (
    balanced_weights,
    require_finite_weights,
    rise_and_fall,
    targets,
)


def fit_frames(
    network: str,
    task: Task,
    stored: StoredFrames,
    labels: np.ndarray,
    places: dict[str, np.ndarray],
    groups: Sequence[Hashable],
    frames: Frames,
    *,
    seed: int,
    label: str,
    live_folder: Path,
) -> Any:
    """Train a network on crops; its last weights are kept.

    Args:
        network: A name in ANY_LENGTH.
        task: The task, which has one head.
        stored: All clips.
        labels: Their class numbers.
        places: Clips of the training and of the validation part, which is watched alone.
        groups: What each clip's group is: smaller ones are drawn beyond their share.
        frames: Passes, crops, optimisation and augmentation.
        seed: Of initial weights, draws and augmentation.
        label: What is trained, for the progress line.
        live_folder: dvclive's folder; every pass's loss and accuracy go there.

    Returns:
        The trained keras.Model, without augmentation.

    Raises:
        NotFiniteError: If a loss or a weight is infinite or no number.
    """
    from dvclive import Live

    (head,) = task.heads
    # Layers are numbered through a process, and the numbers go into the weights file.
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    model = build(network, (stored.bands, None), task.heads, seed=seed)
    here = places[TRAINING]
    batches = CropBatches(
        stored,
        here,
        labels=labels[here],
        groups=[groups[place] for place in here],
        targets=targets(labels[here], head),
        frames=frames.crop,
        batch_size=frames.batch_size,
        steps=frames.steps,
        mixup=frames.mixup,
        seed=seed,
    )
    watched = places[VALIDATION]
    validation = Batches(
        SpreadCrops(stored, watched, frames=frames.crop, crops=1),
        targets(labels[watched], head),
        balanced_weights(labels[watched]),
        batch_size=frames.batch_size,
    )
    trained = keras.Sequential([_augmentation(frames, seed=seed), model])
    trained.compile(
        optimizer=_optimizer(frames, steps=frames.passes * len(batches)),
        loss=_loss(head, smoothing=frames.smoothing),
        weighted_metrics=[keras.metrics.MeanMetricWrapper(_agreement, name="accuracy")],
    )
    with Live(str(live_folder), save_dvc_exp=False, dvcyaml=None, report=None) as live:
        trained.fit(
            batches,
            validation_data=validation,
            epochs=frames.passes,
            callbacks=[
                StopWhereNotFinite(),
                LogEpochs(live, label=label, epochs=frames.passes),
            ],
            verbose=0,
            shuffle=False,
        )
    require_finite_weights(model)
    return model


def _augmentation(frames: Frames, *, seed: int) -> Augmentation:
    return Augmentation(
        seed=seed,
        noise=frames.noise,
        low_pass=frames.low_pass,
        high_pass=frames.high_pass,
        contrast=frames.contrast,
        time_masks=frames.time_masks,
        frequency_masks=frames.frequency_masks,
    )


def _optimizer(frames: Frames, *, steps: int) -> Any:
    """AdamW with a rise and a cosine to 0; biases and normalisation do not decay.

    Source: Loshchilov and Hutter, ICLR 2019.
    """
    rise = min(frames.warmup, steps // 2)
    rate = rise_and_fall(frames.learning_rate, steps=steps, rise=rise)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=frames.weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def _loss(head: Head, *, smoothing: float) -> Any:
    if head.units == 1:
        return keras.losses.BinaryCrossentropy(label_smoothing=smoothing)
    return keras.losses.CategoricalCrossentropy(label_smoothing=smoothing)


def _agreement(expected: Any, found: Any) -> Any:
    """1 where the likeliest class is the one that has most of the (mixed) targets."""
    if found.shape[-1] == 1:
        return keras.ops.cast((expected > 0.5) == (found > 0.5), "float32")[:, 0]
    same = keras.ops.argmax(expected, axis=-1) == keras.ops.argmax(found, axis=-1)
    return keras.ops.cast(same, "float32")
