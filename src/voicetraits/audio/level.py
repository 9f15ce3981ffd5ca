"""How loud the speech of a clip is."""

from __future__ import annotations

import numpy as np

_FRAME = 0.02  # seconds
_QUIET = 20.0  # dB below the loudest frames, at which a frame counts as a pause
_LOUD = 95  # percentile of the frames' levels that stands for the loudest ones
SILENCE = -120.0  # dBFS; what digital silence is given, below one step of 16 bits


def speech_level(signal: np.ndarray, sample_rate: int) -> float:
    """Level of the speech of a clip, without its pauses.

    Pauses would make a clip with much silence around it look quiet, and noise that is added at
    some distance from such a level too faint.

    Args:
        signal: Mono PCM, shape (samples,), int16, or float in [-1, 1]; at least one sample.
        sample_rate: In Hz.

    Returns:
        Root mean square of the frames with sound in dBFS, 0 dB being a full-scale square wave;
        SILENCE where there is none.
    """
    scale = 2**15 if signal.dtype.kind == "i" else 1
    wave = signal.astype(np.float64) / scale
    length = min(round(_FRAME * sample_rate), len(wave))
    frames = wave[: len(wave) // length * length].reshape(-1, length)
    power = np.mean(frames**2, axis=1)
    loud = float(np.percentile(power, _LOUD))
    # Where nearly all is digital silence, that percentile is zero and every frame counts.
    mean = float(power[power >= loud * 10 ** (-_QUIET / 10)].mean())
    return 10 * float(np.log10(max(mean, 10 ** (SILENCE / 10))))
