"""Test clips under every condition, represented as a network takes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import pandas as pd

from voicetraits.audio.conditions import CONDITIONS, clip_rng, under
from voicetraits.audio.wav import read_wav
from voicetraits.features.extract import represent
from voicetraits.features.representations import REPRESENTATIONS
from voicetraits.models import Model
from voicetraits.params import JOINED, Clip, Crops, Extract, Params
from voicetraits.storage.shards import read_wavs, shard_name
from voicetraits.training.crops import predict_clips
from voicetraits.workers.pool import map_in_pool, workers_for

# Starting a worker takes as long as so many clips.
_CLIPS_PER_WORKER = 60


class Sound(NamedTuple):
    """A clip as it is stored: its place in the table it was asked by, mono int16, rate in Hz."""

    place: int
    pcm: np.ndarray
    rate: int


def read_sounds(clips: pd.DataFrame, wavs: Path) -> Iterator[Sound]:
    """The sound of clips, in the order in which it is stored.

    Args:
        clips: With columns locale, shard and row.
        wavs: Folder above the WAV shards of each locale.
    """
    numbered = clips.assign(place=np.arange(len(clips)))
    for place, here in numbered.groupby(["locale", "shard"]):
        locale, shard = cast("tuple[str, int]", place)
        places = dict(zip(here["row"], here["place"], strict=True))
        for row, wav in enumerate(read_wavs(wavs / locale / shard_name(shard, "tar"))):
            if row in places:
                yield Sound(int(places[row]), *read_wav(wav))


class Job(NamedTuple):
    """One clip to bring under every condition."""

    name: str
    pcm: np.ndarray
    rate: int
    representations: tuple[str, ...]
    clip: Clip
    analysis: Extract
    seed: int


def represent_worse(job: Job) -> dict[str, list[np.ndarray]]:
    """Arrays of one clip by representation, one for each of CONDITIONS in their order."""
    found: dict[str, list[np.ndarray]] = {name: [] for name in job.representations}
    for condition in CONDITIONS:
        pcm = under(condition, job.pcm, job.rate, clip_rng(job.name, seed=job.seed))
        for name, arrays in found.items():
            arrays.append(represent(pcm, job.rate, name, clip=job.clip, analysis=job.analysis))
    return found


def worse_arrays(
    sounds: Sequence[tuple[str, Sound, Sequence[str]]], params: Params
) -> Iterator[dict[str, list[np.ndarray]]]:
    """What `represent_worse` gives for every clip, by as many processes as pay.

    Args:
        sounds: Name and sound of every clip, and the names of its representations.
        params: Gives the length of clips, their windows, and the seed.
    """
    jobs = (
        Job(
            name,
            sound.pcm,
            sound.rate,
            tuple(representations),
            params.clip,
            params.extract,
            params.seed,
        )
        for name, sound, representations in sounds
    )
    workers = workers_for(len(sounds), jobs_per_worker=_CLIPS_PER_WORKER)
    return map_in_pool(represent_worse, jobs, workers=workers)


class _Held:
    """Clips of any length in memory, as crops are taken of them."""

    def __init__(self, arrays: Sequence[np.ndarray] | np.ndarray) -> None:
        self._arrays = arrays

    def length(self, clip: int) -> int:
        return int(self._arrays[clip].shape[1])

    def crop(self, clip: int, start: int, length: int) -> np.ndarray:
        frames = (start + np.arange(length)) % self.length(clip)
        return self._arrays[clip].T[frames].astype(np.float32)


def predictor(
    model: Model, network: Any, params: Params
) -> Callable[[Sequence[np.ndarray] | np.ndarray], np.ndarray]:
    """What gives the probabilities of a model, (clips, classes), from arrays of clips.

    Args:
        model: The model.
        network: From `networks.model_folder.load`.
        params: Says how many clips a batch has, and which crops a clip of any length.
    """
    # Imported here: it takes seconds, which a model without figures need not wait for.
    from voicetraits.training.fit import predict_heads

    head = model.within.split(JOINED).index(model.task.name) if model.within else 0

    def of_one_length(arrays: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
        stacked = np.stack(list(arrays))
        return predict_heads(network, stacked, batch_size=params.train.batch_size)[head]

    def of_any_length(arrays: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
        found = predict_frames(
            network, arrays, params.frames.shown, batch_size=params.frames.batch_size
        )
        return found[head]

    one_length = REPRESENTATIONS[model.representation].one_length
    return of_one_length if one_length else of_any_length


def predict_frames(
    network: Any,
    arrays: Sequence[np.ndarray] | np.ndarray,
    shown: Crops,
    *,
    batch_size: int,
) -> list[np.ndarray]:
    """Probabilities of clips of any length, shape (clips, classes), for each head.

    Args:
        network: A keras.Model.
        arrays: Log-mel of every clip, shape (bands, frames) each.
        shown: Which crops.
        batch_size: How many at a time.
    """
    places = np.arange(len(arrays))
    return predict_clips(network, _Held(arrays), places, shown, batch_size=batch_size)
