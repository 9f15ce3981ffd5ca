"""One side of the training benchmark: an epoch for every line read, its CPU seconds for answer.

    python benchmarks/_epochs.py <side> <samples> <batch size>

A file of its own, because the TensorFlow side runs in an environment that has nothing of ours.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

FRAMES = 68
FILTERS = (16, 32, 64, 128)


def main() -> None:
    """Train the first epoch, which also compiles, then one for every line."""
    side, samples, batch_size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(samples, 68, FRAMES)).astype(np.float32)
    targets = rng.integers(0, 2, (samples, 1)).astype(np.float32)
    train_epoch = SIDES[side](inputs, targets, batch_size)
    train_epoch()
    print("ready", flush=True)
    for _ in sys.stdin:
        start = time.process_time()  # of all threads
        train_epoch()
        print(time.process_time() - start, flush=True)


def voicetraits(inputs: np.ndarray, targets: np.ndarray, batch_size: int) -> Callable[[], Any]:
    """The network and the batches of the pipeline."""
    from voicetraits.networks import build
    from voicetraits.networks.backend import keras
    from voicetraits.tasks import Head
    from voicetraits.training.batches import Batches

    model = build("original", (68, FRAMES), (Head("gender", 2),), seed=0)
    model.compile(
        optimizer=keras.optimizers.Adam(),
        loss="binary_crossentropy",
        weighted_metrics=["accuracy"],
    )
    weights = np.ones(len(inputs))
    batches = Batches(inputs, targets, weights, batch_size=batch_size, shuffle_seed=0)
    return lambda: model.fit(batches, shuffle=False, verbose=0)


def tensorflow(inputs: np.ndarray, targets: np.ndarray, batch_size: int) -> Callable[[], Any]:
    """Stock Keras on TensorFlow as it comes."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    return _stock(inputs, targets, batch_size)


def tensorflow_onednn(
    inputs: np.ndarray, targets: np.ndarray, batch_size: int
) -> Callable[[], Any]:
    """The same with Intel's oneDNN, which TensorFlow uses by itself on some processors only."""
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"
    return tensorflow(inputs, targets, batch_size)


def tensorflow_onednn_one_thread(
    inputs: np.ndarray, targets: np.ndarray, batch_size: int
) -> Callable[[], Any]:
    """The same with one thread."""
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    return tensorflow(inputs, targets, batch_size)


def jax(inputs: np.ndarray, targets: np.ndarray, batch_size: int) -> Callable[[], Any]:
    """Stock Keras on JAX as it comes."""
    os.environ["KERAS_BACKEND"] = "jax"
    return _stock(inputs, targets, batch_size)


def _stock(inputs: np.ndarray, targets: np.ndarray, batch_size: int) -> Callable[[], Any]:
    """The gender network in stock layers, fed in the way Keras offers first."""
    import keras

    model = keras.Sequential([keras.Input((68, FRAMES, 1))])
    for filters in FILTERS:
        model.add(keras.layers.Conv2D(filters, 3, padding="same", activation="relu"))
        model.add(keras.layers.BatchNormalization())
        model.add(keras.layers.MaxPooling2D())
    model.add(keras.layers.Flatten())
    model.add(keras.layers.Dense(64, activation="relu"))
    model.add(keras.layers.Dense(1, activation="sigmoid"))
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    images = inputs[..., None]
    return lambda: model.fit(images, targets, batch_size=batch_size, verbose=0)


SIDES = {
    "voicetraits": voicetraits,
    "TensorFlow": tensorflow,
    "TensorFlow, oneDNN": tensorflow_onednn,
    "TensorFlow, oneDNN, one thread": tensorflow_onednn_one_thread,
    "stock Keras on JAX": jax,
}

if __name__ == "__main__":
    main()
