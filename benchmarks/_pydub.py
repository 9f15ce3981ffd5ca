"""The baseline of the audio path: a clip decoded by FFmpeg, and brought into form by pydub."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import av

with warnings.catch_warnings():
    # pydub looks for an ffmpeg program; both sides decode without one.
    warnings.simplefilter("ignore")
    from pydub import AudioSegment


def pydub_clip(path: Path, *, sample_rate: int, samples: int) -> Any:
    """An MP3 file as a mono AudioSegment of one rate and length: silence appended, or cut."""
    segment = _decoded(path).set_channels(1).set_frame_rate(sample_rate)
    missing = samples - int(segment.frame_count())
    if missing > 0:
        # pydub counts silence in whole milliseconds: one too many, then cut to the sample.
        silence = AudioSegment.silent(1000 * missing // sample_rate + 1, frame_rate=sample_rate)
        segment = segment.append(silence, crossfade=0)
    return segment.get_sample_slice(0, samples)


def _decoded(path: Path) -> Any:
    """The whole file, 16 bit, as pydub has it from an ffmpeg program, but without the process."""
    resampler = av.AudioResampler(format="s16")
    with av.open(str(path)) as container:
        frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
    pcm = b"".join(part.to_ndarray().tobytes() for part in frames)
    first = frames[0]
    return AudioSegment(
        pcm, sample_width=2, frame_rate=first.sample_rate, channels=first.layout.nb_channels
    )
