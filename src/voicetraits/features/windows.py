"""The analysis windows of both representations."""

from __future__ import annotations

from voicetraits.audio.wav import clip_samples
from voicetraits.errors import InputError
from voicetraits.params import Clip, Extract


def windows(clip: Clip, extract: Extract) -> tuple[int, int]:
    """Window and hop in samples that spread the windows over a clip, the last one ending with it.

    Raises:
        InputError: If the clip is too short for so many windows.
    """
    window = round(extract.window * clip.sample_rate)
    hop = (clip_samples(clip) - window) // (extract.frames - 1)
    if hop < 1:
        raise InputError(
            f"params.yaml: clip.seconds ({clip.seconds}) is too short for extract.frames "
            f"({extract.frames}) windows of extract.window ({extract.window}) seconds"
        )
    return window, hop
