"""The baseline of the audio path: a clip through pydub and an ffmpeg process."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import imageio_ffmpeg

with warnings.catch_warnings():
    # pydub looks for an ffmpeg of the machine's own; both sides use the one that pip installed.
    warnings.simplefilter("ignore")
    from pydub import AudioSegment

AudioSegment.converter = imageio_ffmpeg.get_ffmpeg_exe()


def pydub_clip(path: Path, *, sample_rate: int, samples: int) -> Any:
    """An MP3 file as a mono AudioSegment of one rate and length: silence appended, or cut.

    Naming the codec saves pydub a second process, ffprobe, which it starts otherwise.
    """
    segment = AudioSegment.from_file(path, format="mp3", codec="mp3")
    segment = segment.set_channels(1).set_frame_rate(sample_rate)
    missing = samples - int(segment.frame_count())
    if missing > 0:
        # pydub counts silence in whole milliseconds: one too many, then cut to the sample.
        silence = AudioSegment.silent(1000 * missing // sample_rate + 1, frame_rate=sample_rate)
        segment = segment.append(silence, crossfade=0)
    return segment.get_sample_slice(0, samples)
