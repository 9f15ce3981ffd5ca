"""Log-mel frames: of speech alone, at one level, without the sound of the channel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicetraits.features.mel import BANDS, log_mel_frames, mel_bands

RATE = 16000


def speech(seconds: float = 1.0, *, seed: int = 0) -> np.ndarray:
    """Noise whose loudness and colour change, int16."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=round(seconds * RATE))
    time = np.arange(len(noise)) / RATE
    return (3000 * noise * (1 + 0.8 * np.sin(2 * np.pi * 4 * time))).clip(-3e4, 3e4).astype("<i2")


def test_frames_are_those_of_a_plain_loop():
    signal = speech(0.3)
    wave = signal / 2**15
    wave = wave * 0.1 / np.sqrt((wave**2).mean())
    rows = []
    for start in range(0, len(wave) - 400 + 1, 160):
        spectrum = np.abs(np.fft.rfft(wave[start : start + 400] * np.hanning(400), 512)) ** 2
        rows.append([np.log(band @ spectrum + 1e-7) for band in mel_bands(RATE, 512)])
    expected = np.array(rows)
    level = expected.mean(axis=1)
    expected = expected[level >= np.percentile(level, 95) - 6]
    expected -= expected.mean(axis=0)
    found = log_mel_frames(signal, RATE)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected.T, atol=1e-4)


def test_each_band_has_a_mean_of_zero():
    np.testing.assert_allclose(log_mel_frames(speech(), RATE).mean(axis=1), 0, atol=1e-5)


def test_the_level_plays_no_part():
    loud = speech()
    quiet = (loud // 8 * 1).astype("<i2")
    np.testing.assert_allclose(
        log_mel_frames(loud, RATE), log_mel_frames(quiet * 8, RATE), atol=0.3
    )
    np.testing.assert_allclose(
        log_mel_frames(quiet * 8, RATE), log_mel_frames(quiet, RATE), atol=1e-3
    )


def test_pauses_are_dropped():
    part = speech(0.5)
    pause = np.zeros(RATE, "<i2")
    with_pause = log_mel_frames(np.concatenate([part, pause, part]), RATE)
    without = log_mel_frames(np.concatenate([part, part]), RATE)
    assert abs(with_pause.shape[1] - without.shape[1]) <= 6


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 48000])
def test_every_band_hears_something_at_any_rate(rate):
    length = int(2 ** np.ceil(np.log2(round(0.025 * rate))))
    bands = mel_bands(rate, length)
    assert bands.shape == (BANDS, length // 2 + 1)
    assert (bands.max(axis=1) > 0).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 3000), st.sampled_from([8000, 16000]), st.integers(0, 3))
def test_any_clip_has_a_frame_and_no_number_that_is_none(samples, rate, kind):
    signal = [
        np.zeros(samples),
        np.ones(samples),
        np.full(samples, 32767),
        np.random.default_rng(samples).normal(0, 900, samples),
    ][kind].astype("<i2")
    found = log_mel_frames(signal, rate)
    assert found.shape[0] == BANDS
    assert found.shape[1] >= 1
    assert np.isfinite(found).all()
