"""Fit a CNN with early stopping, and write down every epoch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from voicetraits.cnn.backend import keras  # isort: skip  (sets JAX up)
import jax

from voicetraits.arrays import Arrays
from voicetraits.cnn.epochs import LogEpochs, StopWhereNotFinite
from voicetraits.cnn.models import build_model
from voicetraits.dataset import TRAINING, VALIDATION, Part
from voicetraits.errors import InputError, NotFiniteError
from voicetraits.params import Train
from voicetraits.tasks import Task


class Batches(keras.utils.PyDataset):
    """Full batches only, because JAX compiles again for every new batch size.

    Shuffled: each epoch draws a new order and leaves out the few clips that do not fill the last
    batch; a set too small for `steps` batches is passed again, each time in a new order. Not
    shuffled: one pass, and the last batch is filled up with clips of weight zero.

    Args:
        inputs: The clips, read batch by batch.
        targets: Of every clip, in the same order.
        weights: Of every clip.
        batch_size: Clips in a batch; a smaller set that is shuffled has smaller batches.
        steps: Batches of an epoch, at least, where shuffled.
        shuffle_seed: Of the orders; none leaves the clips in theirs.
        devices: What the number of clips in a batch is a multiple of.
    """

    def __init__(
        self,
        inputs: Arrays,
        targets: np.ndarray,
        weights: np.ndarray,
        *,
        batch_size: int,
        steps: int = 1,
        shuffle_seed: int | None = None,
        devices: int = 1,
    ) -> None:
        super().__init__()
        self._data = (inputs, targets, weights)
        self._batch = batch_size
        if shuffle_seed is not None:
            whole = min(batch_size, len(inputs)) // devices * devices
            self._batch = max(whole, devices)
        self._steps = steps
        self._rng = None if shuffle_seed is None else np.random.default_rng(shuffle_seed)
        self.on_epoch_end()
        if shuffle_seed is None:
            # Keras divides a loss by all places of its batches, those of weight zero included.
            places = len(self) * batch_size
            self._data = (inputs, targets, weights * (places / len(inputs)))

    def on_epoch_end(self) -> None:
        """Draw the order of the next epoch."""
        clips = len(self._data[0])
        if self._rng is not None:
            places = max(self._steps, clips // self._batch) * self._batch
            passes = [self._rng.permutation(clips) for _ in range(-(-places // clips))]
            self._order = np.concatenate(passes)[:places]
        else:
            self._order = np.arange(clips)

    def __len__(self) -> int:
        """Batches in an epoch."""
        return -(-len(self._order) // self._batch)

    def __getitem__(self, number: int) -> tuple[np.ndarray, ...]:
        """Inputs, targets and weights of one batch."""
        chosen = self._order[number * self._batch : (number + 1) * self._batch]
        fill = self._batch - len(chosen)
        inputs, targets, weights = (part[chosen] for part in self._data)
        if fill:
            inputs, targets = (
                np.concatenate([part, np.repeat(part[:1], fill, axis=0)])
                for part in (inputs, targets)
            )
            weights = np.concatenate([weights, np.zeros(fill, weights.dtype)])
        return inputs, targets, weights


def devices_for(batch_size: int) -> int:
    """Number of devices (GPUs, or the one CPU) that every batch is shared by.

    Raises:
        InputError: If they cannot have equal shares.
    """
    devices = jax.device_count()
    if batch_size % devices:
        raise InputError(
            f"train.batch_size = {batch_size} cannot be shared equally by the {devices} devices "
            f"that JAX finds: set it to a multiple of {devices}"
        )
    return devices


def fit(
    task: Task, parts: dict[str, Part], train: Train, *, seed: int, label: str, live_folder: Path
) -> Any:
    """Train a task's CNN and keep the weights of the best validation loss.

    Validation clips are weighted so that every class counts the same, as in the undersampled
    training part, without throwing any away.

    Args:
        task: The task.
        parts: Training and validation clips.
        train: Epochs, batch size, learning rate, warm-up and patience.
        seed: Of initial weights and batch order.
        label: What is trained, for the progress line.
        live_folder: dvclive's folder; every epoch's loss and accuracy go there.

    Returns:
        The trained keras.Model.

    Raises:
        InputError: See `devices_for`.
        NotFiniteError: If a loss or a weight is infinite or no number.
    """
    from dvclive import Live

    devices = devices_for(train.batch_size)
    batches = {
        name: Batches(
            part.inputs,
            targets(part.labels, task),
            balanced_weights(part.labels) if name == VALIDATION else np.ones(len(part.labels)),
            batch_size=train.batch_size,
            steps=train.steps,
            shuffle_seed=seed if name == TRAINING else None,
            devices=devices,
        )
        for name, part in parts.items()
        if name in (TRAINING, VALIDATION)
    }
    # Layers are numbered through a process, and the numbers go into the weights file.
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    if devices > 1:
        # A copy of the weights on each, and an equal share of every batch; `predict` needs it, too.
        everything = keras.distribution.DataParallel(devices=jax.devices())
        keras.distribution.set_distribution(everything)
    model = build_model(task, frames=parts[TRAINING].inputs.shape[2], seed=seed)
    model.compile(
        optimizer=keras.optimizers.Adam(
            _rise_and_fall(train.learning_rate, train.epochs * len(batches[TRAINING]))
        ),
        loss="binary_crossentropy" if task.binary else "categorical_crossentropy",
        weighted_metrics=["accuracy"],
    )
    early_stopping = keras.callbacks.EarlyStopping(
        monitor="val_loss",
        patience=train.patience,
        start_from_epoch=train.warmup,
        restore_best_weights=True,
    )
    with Live(str(live_folder), save_dvc_exp=False, dvcyaml=None, report=None) as live:
        log = LogEpochs(live, label=label, epochs=train.epochs)
        try:
            model.fit(
                batches[TRAINING],
                validation_data=batches[VALIDATION],
                epochs=train.epochs,
                callbacks=[StopWhereNotFinite(), log, early_stopping],
                verbose=0,
                shuffle=False,
            )
        except NotFiniteError:
            log.on_train_end()
            raise
    if not all(np.isfinite(weights).all() for weights in model.get_weights()):
        raise NotFiniteError("weights are not finite; a smaller train.learning_rate may help")
    return model


def _rise_and_fall(rate: float, steps: int) -> Any:
    """A learning rate that rises over the first tenth of the steps, then falls to 0.

    At a constant rate the validation loss leaps from epoch to epoch, and the best is luck; with
    full steps from the first, before batch normalisation has settled, now and then a network
    loses all of its units for good.

    Source: Loshchilov and Hutter, SGDR, ICLR 2017 (the cosine); Goyal et al., arXiv 1706.02677
    (the rise).
    """
    rise = steps // 10
    return keras.optimizers.schedules.CosineDecay(
        0.0, steps - rise, warmup_target=rate, warmup_steps=rise
    )


def targets(labels: np.ndarray, task: Task) -> np.ndarray:
    """Class numbers as the network's targets: (clips, 1) for a sigmoid, else one-hot."""
    if task.binary:
        return labels[:, None].astype(np.float32)
    return keras.utils.to_categorical(labels, len(task.classes))


def balanced_weights(labels: np.ndarray) -> np.ndarray:
    """Weights of mean 1 under which every class that is there counts the same."""
    classes, counts = np.unique(labels, return_counts=True)
    weight = dict(zip(classes, len(labels) / (len(classes) * counts), strict=True))
    return np.array([weight[label] for label in labels])


def predict(model: Any, inputs: Arrays, *, batch_size: int) -> np.ndarray:
    """Class probabilities of scaled clips.

    Args:
        model: A trained CNN.
        inputs: Shape (clips, 68, frames, 1).
        batch_size: Clips at a time; every batch is filled up to it.

    Returns:
        Shape (clips, classes), float64; rows sum to one.
    """
    ones = np.ones(len(inputs))
    batches = Batches(inputs, ones, ones, batch_size=batch_size)
    outputs = model.predict(batches, verbose=0)[: len(inputs)].astype(np.float64)
    return np.hstack([1 - outputs, outputs]) if outputs.shape[1] == 1 else outputs
