"""Teach a network's layers for frames what is spoken, before it learns anything else."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from voicetraits.networks.backend import keras  # isort: skip  (sets JAX up)

from voicetraits.dataset.frames import StoredFrames
from voicetraits.dataset.parts import TRAINING, VALIDATION
from voicetraits.errors import InputError
from voicetraits.networks import build
from voicetraits.networks.tdnn import FRAMES, frames_of
from voicetraits.params import Frames
from voicetraits.tasks import Task
from voicetraits.training.adamw import adamw
from voicetraits.training.crops import Clips
from voicetraits.training.epochs import LogEpochs, StopWhereNotFinite
from voicetraits.training.fit import require_finite_weights
from voicetraits.training.fit_frames import RATE, augmentation

# Clips are padded to one of these lengths, in frames: a step is compiled for each.
LENGTHS = np.array([256, 352, 448, 576, 800])
STEPS_OF_A_PASS = 100
_WATCHED_STEPS = 4
_DROPOUT = 0.1  # before the output
_STEEPEST = 1.0  # norm of a weight's gradient; the first steps of this loss have larger ones


class NoPhonesError(InputError):
    """No clip has phones to learn; the message names the key and the remedy."""


def fit_phones(
    network: str,
    task: Task,
    stored: StoredFrames,
    spoken: Sequence[Sequence[int]],
    places: dict[str, np.ndarray],
    weights: np.ndarray,
    frames: Frames,
    *,
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
        places: Clips of the training and of the validation part, which is watched alone; without a
            sentence there, some of the training part are.
        weights: How often each clip of the training part is drawn, in proportion.
        frames: Steps (`phones`; rounded up to whole passes), optimisation and augmentation; a batch
            has as many frames as one of crops has.
        seed: Of weights, draws and augmentation.
        label: What is trained, for the progress line.
        live_folder: dvclive's folder; every pass's loss goes to the folder `phones` in it.

    Returns:
        The weights of the layers up to FRAMES, with which `fit_frames` can begin.

    Raises:
        NotFiniteError: If a loss or a weight is infinite or no number.
        NoPhonesError: If no clip of the training part has phones that it is long enough for.
        InputError: If the network has no layer FRAMES.
    """
    from dvclive import Live

    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    whole = build(network, (stored.bands, None), task.heads, seed=seed)
    if FRAMES not in {layer.name for layer in whole.layers}:
        raise InputError(
            f"params.yaml: frames.phones is above 0, and the network {network!r} has no layer "
            f"{FRAMES!r}, up to which it would learn phones; set it to 0"
        )
    trunk = frames_of(whole)
    *_, after, _ = trunk.compute_output_shape((1, stored.bands, int(LENGTHS[-1])))
    kept = keras.layers.Dropout(_DROPOUT, seed=seed)(trunk.output)
    phones = 1 + max(int(max(each, default=0)) for each in spoken)  # 0 is none
    writer = keras.Model(trunk.inputs, keras.layers.Dense(phones)(kept))
    batches = partial(
        PhoneBatches,
        stored,
        spoken,
        stride=int(LENGTHS[-1]) // after,
        frames=frames.crop * frames.batch_size,
        seed=seed,
    )
    training = batches(places[TRAINING], weights=weights, steps=STEPS_OF_A_PASS)
    watch = partial(batches, steps=_WATCHED_STEPS, anew=False)
    watched = watch(places[VALIDATION])
    if not watched.clips:
        watched = watch(places[TRAINING])
    if not training.clips:
        raise NoPhonesError(
            "frames.phones is above 0, and no clip of the training part teaches phones (see "
            "docs/own_data.md); set it to 0"
        )
    passes = -(-frames.phones // STEPS_OF_A_PASS)
    trained = _Augmented(augmentation(frames, seed=seed), writer)
    careful = adamw(frames, steps=passes * STEPS_OF_A_PASS)
    careful.clipnorm = _STEEPEST
    trained.compile(optimizer=careful, loss=_loss_of_a_phone)
    with Live(str(live_folder / "phones"), save_dvc_exp=False, dvcyaml=None, report=None) as live:
        trained.fit(
            training,
            validation_data=watched,
            epochs=passes,
            callbacks=[
                StopWhereNotFinite(RATE),
                LogEpochs(live, label=f"{label}, phones", epochs=passes),
            ],
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
        weights: How often, in proportion; by default, all equally.
        stride: Frames for which the network gives one.
        frames: Of all clips of a batch together, at most.
        steps: Batches of a pass.
        anew: Whether each pass draws others.
        seed: Of all draws.

    Attributes:
        clips: How many may be drawn. Without any, there is no batch.
    """

    def __init__(
        self,
        clips: Clips,
        spoken: Sequence[Sequence[int]],
        places: np.ndarray,
        *,
        weights: np.ndarray | None = None,
        stride: int,
        frames: int,
        steps: int,
        anew: bool = True,
        seed: int,
    ) -> None:
        super().__init__()
        self._stored, self._spoken, self._stride = clips, spoken, stride
        lengths = np.array([clips.length(int(place)) for place in places])
        # Between two equal phones, there is a frame of none.
        needed = np.array([_frames_needed(spoken[place]) for place in places])
        fits = (lengths <= LENGTHS[-1]) & (self._outputs(lengths) >= needed) & (needed > 0)
        self.clips = int(fits.sum())
        self._places = places[fits]
        drawn = np.ones(self.clips) if weights is None else weights[fits]
        self._weights = drawn / drawn.sum() if self.clips else drawn
        self._padded_to = np.searchsorted(LENGTHS, lengths[fits])
        self._sizes = np.maximum(1, frames // LENGTHS)
        # How often a batch has each length: of long clips, few make one.
        self._shares = np.bincount(self._padded_to, self._weights, len(LENGTHS)) / self._sizes
        self._most = int(needed[fits].max(initial=0))
        self._steps, self._anew = steps if self.clips else 0, anew
        self._seed, self._pass = seed, 0

    def __len__(self) -> int:
        """Batches in a pass."""
        return self._steps

    def __getitem__(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Log-mel, (clips, bands, frames); and phones, their number and that of frames before."""
        rng = np.random.default_rng([self._seed, self._pass, number])
        length = rng.choice(len(LENGTHS), p=self._shares / self._shares.sum())
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
        frames, phones = self._stored.length(place), self._spoken[place]
        clip = self._stored.crop(place, 0, frames).T
        target = np.zeros(2 + self._most, np.float32)
        target[:2] = len(phones), self._outputs(frames)
        target[2 : 2 + len(phones)] = phones
        return np.pad(clip, ((0, 0), (0, length - frames))), target

    def _outputs(self, frames: Any) -> Any:
        """Of the network, for as many frames."""
        return -(-frames // self._stride)


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
