"""The log-mel spectrogram, against its definition written out."""

from __future__ import annotations

import numpy as np
import pytest

from voicetraits.features.spectrogram import log_mel, mel_filters

RATE, WINDOW, HOP = 16000, 800, 800


def band_edges(rate: int) -> np.ndarray:
    """Lower edge, centre and upper edge of the 68 bands overlap: 70 points on the mel scale."""
    top = 2595 * np.log10(1 + rate / 2 / 700)
    return np.array([700 * (10 ** (mel / 2595) - 1) for mel in np.linspace(0, top, 70)])


def by_definition(signal: np.ndarray, rate: int, window: int, hop: int) -> np.ndarray:
    """Frame by frame and band by band."""
    size = 1
    while size < 2 * window:
        size *= 2
    bins = np.arange(size // 2 + 1) * rate / size
    edges = band_edges(rate)
    frames = []
    for start in range(0, len(signal) - window + 1, hop):
        frame = signal[start : start + window] * np.hanning(window)
        power = np.abs(np.fft.fft(frame, size)[: len(bins)]) ** 2
        frames.append(
            [
                np.sum(power * np.interp(bins, edges[band : band + 3], [0, 1, 0]))
                for band in range(68)
            ]
        )
    mel = np.array(frames).T
    return np.maximum(10 * np.log10(mel / mel.max() + 1e-300), -80)


@pytest.mark.parametrize(
    ("rate", "window", "hop", "samples"),
    [(16000, 800, 800, 54400), (16000, 800, 480, 8000), (8000, 256, 100, 4000)],
)
def test_it_is_what_the_definition_says(rate, window, hop, samples):
    signal = np.random.default_rng(0).normal(0, 3000, samples).cumsum()
    found = log_mel(signal, rate, window=window, hop=hop)
    assert found.shape == (68, 1 + (samples - window) // hop)
    np.testing.assert_allclose(found, by_definition(signal, rate, window, hop), atol=1e-8)


@pytest.mark.parametrize("hertz", [100, 440, 1000, 4000, 7500])
def test_a_tone_is_loudest_in_its_own_band(hertz):
    signal = 8000 * np.sin(2 * np.pi * hertz * np.arange(54400) / RATE)
    found = log_mel(signal, RATE, window=WINDOW, hop=HOP)
    centres = band_edges(RATE)[1:-1]
    assert set(found.argmax(axis=0)) == {np.abs(centres - hertz).argmin()}


def test_the_range_is_80_decibels_below_the_loudest_cell():
    signal = np.random.default_rng(0).normal(0, 1000, 54400)
    signal[27200:] = 0
    found = log_mel(signal, RATE, window=WINDOW, hop=HOP)
    assert found.max() == 0
    assert (found[:, 34:] == -80).all()
    assert (found[:, :34] > -80).all()


def test_twice_the_amplitude_changes_nothing():
    signal = np.random.default_rng(0).normal(0, 1000, 54400).round().astype(np.int16)
    once = log_mel(signal, RATE, window=WINDOW, hop=HOP)
    twice = log_mel(2 * signal.astype(np.int32), RATE, window=WINDOW, hop=HOP)
    np.testing.assert_allclose(twice, once, atol=1e-9)


def test_digital_silence_is_silence_everywhere():
    assert (log_mel(np.zeros(54400), RATE, window=WINDOW, hop=HOP) == -80).all()


def test_the_filters_are_triangles_that_share_out_every_frequency():
    filters = mel_filters(RATE, 2048)
    assert filters.shape == (68, 1025)
    assert filters.min() == 0
    assert filters.max() <= 1
    bins = np.arange(1025) * RATE / 2048
    edges = band_edges(RATE)
    for band, triangle in enumerate(filters):
        inside = (bins > edges[band]) & (bins < edges[band + 2])
        assert (triangle[inside] > 0).all()
        assert (triangle[~inside] == 0).all()
    # Between the first and the last centre, neighbours add up to one.
    between = (bins >= edges[1]) & (bins <= edges[-2])
    np.testing.assert_allclose(filters[:, between].sum(axis=0), 1)


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
@pytest.mark.parametrize("seconds", [0.01, 0.05])
def test_every_window_that_params_yaml_allows_fills_all_bands(rate, seconds):
    window = round(rate * seconds)
    noise = np.random.default_rng(0).normal(0, 1, 2 * window)
    assert (log_mel(noise, rate, window=window, hop=window) > -80).all()


def test_a_window_too_short_for_the_bands_is_refused_with_the_remedy():
    with pytest.raises(ValueError, match=r"raise extract\.window"):
        log_mel(np.ones(1000), RATE, window=40, hop=40)


@pytest.mark.parametrize(
    ("signal", "message"),
    [
        (np.zeros(799), r"at least one window \(800 samples\), got shape \(799,\)"),
        (np.zeros(0), r"got shape \(0,\)"),
        (np.zeros((54400, 2)), r"mono .* \(54400, 2\)"),
        (np.r_[np.zeros(54399), np.nan], "not numbers"),
        (np.r_[np.zeros(54399), np.inf], "not numbers"),
    ],
    ids=["short", "empty", "stereo", "nan", "infinite"],
)
def test_what_cannot_be_analysed_is_refused(signal, message):
    with pytest.raises(ValueError, match=message):
        log_mel(signal, RATE, window=WINDOW, hop=HOP)


@pytest.mark.parametrize(("window", "hop"), [(1, 1), (800, 0), (800, -1)])
def test_a_window_or_hop_out_of_range_is_refused(window, hop):
    with pytest.raises(ValueError, match="expected a window of two samples or more, a hop of one"):
        log_mel(np.zeros(54400), RATE, window=window, hop=hop)
