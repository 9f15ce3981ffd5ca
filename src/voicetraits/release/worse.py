"""What a network makes of clips that it was trained without when they are spoilt or cut short."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from voicetraits.audio.conditions import CONDITIONS
from voicetraits.features.mel import HOP
from voicetraits.params import Params
from voicetraits.release.clips import REPRESENTATION
from voicetraits.release.recipe import Recipe
from voicetraits.report.worse import predict_frames, read_sounds, worse_arrays
from voicetraits.tasks import Task

# Seconds of speech that are left of a clip, by what the card calls it.
SHORT = {"its first second alone": 1.0, "its first two seconds alone": 2.0}
TRIED = (*CONDITIONS, *SHORT)


class WorseClips(NamedTuple):
    """Clips, and the log-mel of each under every one of CONDITIONS."""

    clips: pd.DataFrame
    mels: list[list[np.ndarray]]


def worse_clips(clips: pd.DataFrame, params: Params, *, corpora: Path) -> WorseClips:
    """Bring clips under every condition.

    Args:
        clips: From `gather`.
        params: With the clips' length and the seed.
        corpora: Folder that `gather` filled.
    """
    sounds = [
        (some["clip"].iloc[sound.place], some.index[sound.place], sound)
        for corpus, some in _by_corpus(clips)
        for sound in read_sounds(some, corpora / corpus)
    ]
    arrays = worse_arrays([(name, sound, [REPRESENTATION]) for name, _, sound in sounds], params)
    rows = clips.loc[[place for _, place, _ in sounds]].reset_index(drop=True)
    return WorseClips(rows, [each[REPRESENTATION] for each in arrays])


def predict_worse(network: Any, worse: WorseClips, recipe: Recipe, task: Task) -> pd.DataFrame:
    """Predict clips under every condition of TRIED.

    Args:
        network: The keras.Model.
        worse: The clips.
        recipe: What the network hears of a clip.
        task: Its task.

    Returns:
        The clips once for each condition, which is in column `condition`, with the probabilities of
        the classes.
    """
    batch_size = recipe.network(task).frames.batch_size
    tried = []
    for condition in TRIED:
        mels = [_under(condition, each) for each in worse.mels]
        (found,) = predict_frames(network, mels, recipe.shown, batch_size=batch_size)
        tried.append(
            worse.clips.assign(condition=condition, **dict(zip(task.classes, found.T, strict=True)))
        )
    return pd.concat(tried, ignore_index=True)


def _by_corpus(clips: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    # The WAV shards of a locale lie in a folder of their own beside its arrays.
    placed = clips.assign(locale=clips["locale"] + "/wav")
    return [(str(corpus), some) for corpus, some in placed.groupby("corpus")]


def _under(condition: str, arrays: list[np.ndarray]) -> np.ndarray:
    """Log-mel of one clip under a condition, from those under each of CONDITIONS."""
    if condition not in SHORT:
        return arrays[list(CONDITIONS).index(condition)]
    mel = arrays[0][:, : round(SHORT[condition] / HOP)]
    # As a recording that is as short would have it.
    return mel - mel.mean(axis=1, keepdims=True)
