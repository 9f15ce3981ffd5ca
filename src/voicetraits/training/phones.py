"""Teach a network's layers for frames what is spoken, before it learns anything else."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from voicetraits.networks.backend import keras  # isort: skip  (sets JAX up)

from voicetraits.dataset.frames import StoredFrames
from voicetraits.dataset.parts import TRAINING, VALIDATION
from voicetraits.networks import build
from voicetraits.networks.tdnn import frames_of
from voicetraits.params import Frames
from voicetraits.tasks import Task
from voicetraits.training.crops import Clips
from voicetraits.training.epochs import LogEpochs, StopWhereNotFinite
from voicetraits.training.fit import require_finite_weights
from voicetraits.training.fit_frames import RATE, augmentation, optimizer

# Clips are padded to one of these lengths, in frames: a step is compiled for each.
LENGTHS = np.array([256, 352, 448, 576, 800])
STEPS_OF_A_PASS = 100
_WATCHED_STEPS = 4
_DROPOUT = 0.1  # before the output
_STEEPEST = 1.0  # norm of a weight's gradient; the first steps of this loss have larger ones


def fit_phones(
    network: str,
    task: Task,
    stored: StoredFrames,
    spoken: Sequence[Sequence[int]],
    places: dict[str, np.ndarray],
    weights: np.ndarray,
    frames: Frames,
    *,
    steps: int,
    seed: int,
    label: str,
    live_folder: Path,
) -> list[np.ndarray]:
    """Train a network up to its layer FRAMES to write down the phones of whole clips.

    What tells languages apart is which phones follow which. Few clips with a label of the language
    do not teach that; their sentences hold fifty phones each, and those of synthetic speech as
    well.

    Source: Graves et al., ICML 2006 (connectionist temporal classification).

    Args:
        network: A name in ANY_LENGTH, of a network with a layer FRAMES.
        task: What the network will learn afterwards.
        stored: All clips.
        spoken: Their phones by number, from 1 on.
        places: Clips of the training and of the validation part, which is watched alone.
        weights: How often each clip of the training part is drawn, in proportion.
        frames: Optimisation and augmentation; a batch has as many frames as one of crops has.
        steps: In all; rounded up to whole passes.
        seed: Of weights, draws and augmentation.
        label: What is trained, for the progress line.
        live_folder: dvclive's folder.

    Returns:
        The weights of the layers up to FRAMES, with which `fit_frames` can begin.

    Raises:
        NotFiniteError: If a loss or a weight is infinite or no number.
    """
    from dvclive import Live

    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    trunk = frames_of(build(network, (stored.bands, None), task.heads, seed=seed))
    *_, after, _ = trunk.compute_output_shape((1, stored.bands, int(LENGTHS[-1])))
    kept = keras.layers.Dropout(_DROPOUT, seed=seed)(trunk.output)
    phones = 1 + max(int(max(each, default=0)) for each in spoken)  # 0 is none
    writer = keras.Model(trunk.inputs, keras.layers.Dense(phones)(kept))
    training, watched = (
        PhoneBatches(
            stored,
            spoken,
            places[part],
            weights=weights if part == TRAINING else np.ones(len(places[part])),
            stride=int(LENGTHS[-1]) // after,
            frames=frames.crop * frames.batch_size,
            steps=STEPS_OF_A_PASS if part == TRAINING else _WATCHED_STEPS,
            anew=part == TRAINING,
            seed=seed,
        )
        for part in (TRAINING, VALIDATION)
    )
    passes = -(-steps // STEPS_OF_A_PASS)
    trained = _Augmented(augmentation(frames, seed=seed), writer)
    adamw = optimizer(frames, steps=passes * STEPS_OF_A_PASS)
    adamw.clipnorm = _STEEPEST
    trained.compile(optimizer=adamw, loss=_loss_of_a_phone)
    with Live(str(live_folder), save_dvc_exp=False, dvcyaml=None, report=None) as live:
        trained.fit(
            training,
            validation_data=watched,
            epochs=passes,
            callbacks=[StopWhereNotFinite(RATE), LogEpochs(live, label=label, epochs=passes)],
            verbose=0,
            shuffle=False,
        )
    require_finite_weights(trunk, rate=RATE)
    return trunk.get_weights()


class PhoneBatches(keras.utils.PyDataset):
    """Batches of whole clips of about one length, with their phones.

    A batch depends on the seed, the pass and its number alone. Clips that are longer than the last
    of LENGTHS, or too short for their phones, are never drawn.

    Args:
        clips: The clips.
        spoken: Phones of each by number, from 1 on.
        places: Which clips are drawn.
        weights: How often, in proportion.
        stride: Frames for which the network gives one.
        frames: Of all clips of a batch together, at most.
        steps: Batches of a pass.
        anew: Whether each pass draws others.
        seed: Of all draws.

    Raises:
        ValueError: If no clip is left.
    """

    def __init__(
        self,
        clips: Clips,
        spoken: Sequence[Sequence[int]],
        places: np.ndarray,
        *,
        weights: np.ndarray,
        stride: int,
        frames: int,
        steps: int,
        anew: bool = True,
        seed: int,
    ) -> None:
        super().__init__()
        self._clips, self._spoken, self._stride = clips, spoken, stride
        lengths = np.array([clips.length(int(place)) for place in places])
        # Between two equal phones, there is a frame of none.
        needed = np.array([_frames_needed(spoken[place]) for place in places])
        fits = (lengths <= LENGTHS[-1]) & (-(-lengths // stride) >= needed) & (needed > 0)
        if not fits.any():
            raise ValueError("no clip has a sentence that it is long enough for")
        self._places, self._weights = places[fits], weights[fits] / weights[fits].sum()
        self._padded_to = np.searchsorted(LENGTHS, lengths[fits])
        self._sizes = np.maximum(1, frames // LENGTHS)
        self._most = int(needed[fits].max())
        self._steps, self._anew = steps, anew
        self._seed, self._pass = seed, 0

    def __len__(self) -> int:
        """Batches in a pass."""
        return self._steps

    def __getitem__(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Log-mel, (clips, bands, frames); and phones, their number and that of frames before."""
        rng = np.random.default_rng([self._seed, self._pass, number])
        shares = np.bincount(self._padded_to, self._weights, minlength=len(LENGTHS)) / self._sizes
        length = rng.choice(len(LENGTHS), p=shares / shares.sum())
        here = np.flatnonzero(self._padded_to == length)
        chances = self._weights[here] / self._weights[here].sum()
        drawn = self._places[rng.choice(here, self._sizes[length], p=chances)]
        pairs = [self._padded(int(place), int(LENGTHS[length])) for place in drawn]
        inputs, targets = (np.stack(each) for each in zip(*pairs, strict=True))
        return inputs, targets

    def on_epoch_end(self) -> None:
        """Draw other clips for the next pass."""
        self._pass += self._anew

    def _padded(self, place: int, length: int) -> tuple[np.ndarray, np.ndarray]:
        """A clip with 0, the mean of every band, behind it; and its phones behind two numbers."""
        frames, phones = self._clips.length(place), self._spoken[place]
        clip = self._clips.crop(place, 0, frames).T
        target = np.zeros(2 + self._most, np.float32)
        target[:2] = len(phones), -(-frames // self._stride)
        target[2 : 2 + len(phones)] = phones
        return np.pad(clip, ((0, 0), (0, length - frames))), target


class _Augmented(keras.Model):
    """A network behind augmentation, for batches of any shape: each is compiled when it comes."""

    def __init__(self, augmented: Any, network: Any) -> None:
        super().__init__()
        self.augmented, self.network = augmented, network

    def call(self, inputs: Any, training: bool = False) -> Any:
        return self.network(self.augmented(inputs, training=training), training=training)


def _frames_needed(phones: Sequence[int]) -> int:
    """Outputs without which a clip cannot have these phones."""
    return len(phones) + sum(one == other for one, other in pairwise(phones))


def _loss_of_a_phone(expected: Any, found: Any) -> Any:
    expected = keras.ops.cast(expected, "int32")
    count, frames, phones = expected[:, 0], expected[:, 1], expected[:, 2:]
    loss = keras.ops.ctc_loss(phones, found, count, frames, mask_index=0)
    return loss / keras.ops.cast(count, "float32")
