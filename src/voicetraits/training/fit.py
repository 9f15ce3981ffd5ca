"""Fit a network with early stopping, and write down every epoch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from voicetraits.networks.backend import keras  # isort: skip  (sets JAX up)
import jax

from voicetraits.dataset.arrays import Arrays
from voicetraits.dataset.parts import TRAINING, VALIDATION, Part
from voicetraits.dataset.scaling import Scaling
from voicetraits.errors import NotFiniteError
from voicetraits.networks import build
from voicetraits.networks.layers import MinMaxScaling
from voicetraits.params import Train
from voicetraits.tasks import Head, Task
from voicetraits.training.batches import Batches, devices_for
from voicetraits.training.epochs import LogEpochs, StopWhereNotFinite

# What a smaller value of may help where numbers become infinite.
_RATE = "train.learning_rate"


def fit(
    network: str,
    task: Task,
    parts: dict[str, Part],
    scaling: Scaling,
    train: Train,
    *,
    seed: int,
    label: str,
    live_folder: Path,
) -> Any:
    """Train a network on a task and keep the weights of the best validation loss.

    Validation clips are weighted so that every class counts the same, as in the undersampled
    training part, without throwing any away.

    Args:
        network: A name in NETWORKS.
        task: The task, which has one head.
        parts: Training and validation clips.
        scaling: For the layer that scales.
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

    (head,) = task.heads
    devices = devices_for(train.batch_size)
    batches = {
        name: Batches(
            part.arrays,
            targets(part.labels, head),
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
    model = build(network, parts[TRAINING].arrays.shape[1:], task.heads, seed=seed)
    for layer in model.layers:
        if isinstance(layer, MinMaxScaling):
            layer.set_weights(list(scaling))
    steps = train.epochs * len(batches[TRAINING])
    optimizer = keras.optimizers.Adam()
    rise_and_fall(optimizer, train.learning_rate, steps=steps, rise=steps // 10)
    model.compile(
        optimizer=optimizer,
        loss="binary_crossentropy" if head.units == 1 else "categorical_crossentropy",
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
                callbacks=[StopWhereNotFinite(_RATE), log, early_stopping],
                verbose=0,
                shuffle=False,
            )
        except NotFiniteError:
            log.on_train_end()
            raise
    require_finite_weights(model, rate=_RATE)
    return model


def require_finite_weights(model: Any, *, rate: str) -> None:
    """Raise NotFiniteError unless all weights are numbers.

    Args:
        model: A trained network.
        rate: Key of params.yaml that a smaller value of may help.
    """
    if not all(np.isfinite(weights).all() for weights in model.get_weights()):
        raise NotFiniteError(f"weights are not finite; a smaller {rate} may help")


def rise_and_fall(optimizer: Any, rate: float, *, steps: int, rise: int) -> None:
    """Let the learning rate of an optimiser rise over the first steps, then fall to 0.

    At a constant rate the validation loss leaps from epoch to epoch, and the best is luck; with
    full steps from the first, before batch normalisation has settled, now and then a network
    loses all of its units for good.

    Source: Loshchilov and Hutter, SGDR, ICLR 2017 (the cosine); Goyal et al., arXiv 1706.02677
    (the rise).

    Args:
        optimizer: A new keras.optimizers.Optimizer.
        rate: The largest, after the rise.
        steps: In all.
        rise: How many of them it rises.
    """

    def variable(name: str, value: float) -> Any:
        # A number would be compiled into the step, and another one would have it compiled anew.
        value_of = keras.initializers.Constant(value)
        return optimizer.add_variable((), value_of, dtype="float32", name=name)

    optimizer.learning_rate = keras.optimizers.schedules.CosineDecay(
        0.0,
        variable("steps_of_fall", steps - rise),
        warmup_target=variable("largest_rate", rate),
        warmup_steps=variable("steps_of_rise", rise),
    )


def targets(labels: np.ndarray, head: Head) -> np.ndarray:
    """Class numbers as the targets of a head: (clips, 1) for a sigmoid, else one-hot."""
    if head.units == 1:
        return labels[:, None].astype(np.float32)
    return keras.utils.to_categorical(labels, head.classes)


def balanced_weights(labels: np.ndarray) -> np.ndarray:
    """Weights of mean 1 under which every class that is there counts the same."""
    classes, counts = np.unique(labels, return_counts=True)
    weight = dict(zip(classes, len(labels) / (len(classes) * counts), strict=True))
    return np.array([weight[label] for label in labels])


def predict(model: Any, inputs: Arrays, *, batch_size: int) -> np.ndarray:
    """Class probabilities of clips by a network with one head: see `predict_heads`."""
    (found,) = predict_heads(model, inputs, batch_size=batch_size)
    return found


def predict_heads(model: Any, inputs: Arrays, *, batch_size: int) -> list[np.ndarray]:
    """Class probabilities of clips.

    Args:
        model: A trained network.
        inputs: Unscaled, shape (clips, rows, frames).
        batch_size: Clips at a time; every batch is filled up to it.

    Returns:
        Of every head, shape (clips, classes), float64; rows sum to one.
    """
    ones = np.ones(len(inputs))
    batches = Batches(inputs, ones, ones, batch_size=batch_size)
    found = model.predict(batches, verbose=0)
    outputs = found if isinstance(found, list) else [found]
    return [_probabilities(each[: len(inputs)].astype(np.float64)) for each in outputs]


def _probabilities(outputs: np.ndarray) -> np.ndarray:
    """Outputs of a head, those of a sigmoid as both classes."""
    return np.hstack([1 - outputs, outputs]) if outputs.shape[1] == 1 else outputs
