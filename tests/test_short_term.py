"""The short-term features equal pyAudioAnalysis's, and refuse what it cannot do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyAudioAnalysis import ShortTermFeatures

from benchmarks._reference import reference_features
from voicetraits.features.short_term import FEATURE_NAMES, FEATURES, short_term_features

TOLERANCE = 1e-10
RATE = 16000
SAMPLES = 8000
ENGINES = pytest.mark.parametrize("engine", [short_term_features, reference_features])


def noise(seed: int = 0, scale: float = 3000) -> np.ndarray:
    return np.random.default_rng(seed).normal(scale=scale, size=SAMPLES).astype(np.int16)


def tone(frequency: float) -> np.ndarray:
    phase = 2 * np.pi * frequency * np.arange(SAMPLES) / RATE
    return np.round(20000 * np.sin(phase)).astype(np.int16)


def silent_from(start: int, signal: np.ndarray) -> np.ndarray:
    signal = signal.copy()
    signal[start:] = 0
    return signal


def impulses(period: int) -> np.ndarray:
    """Of both signs, so that the mean is zero and each frame's spectrum is exactly flat."""
    signal = np.zeros(SAMPLES, dtype=np.int16)
    signal[10 :: 2 * period] = 1000
    signal[10 + period :: 2 * period] = -1000
    return signal


def voice() -> np.ndarray:
    """Harmonics of a gliding pitch in syllables, over a little noise, then appended silence."""
    seconds = np.arange(SAMPLES) / RATE
    phase = 2 * np.pi * np.cumsum(120 + 40 * np.sin(9 * seconds)) / RATE
    harmonics = sum(np.sin(number * phase) / number for number in range(1, 30))
    signal = 4000 * np.maximum(0, np.sin(25 * seconds)) * harmonics + noise(1, scale=20)
    return silent_from(6500, np.round(signal).astype(np.int16))


SIGNALS = {
    "voice": voice(),
    "noise": noise(),
    "tone on a bin": tone(440),
    "tone between bins": tone(443.21),
    "digital silence": np.zeros(SAMPLES, dtype=np.int16),
    "a constant": np.full(SAMPLES, 7, dtype=np.int16),
    "a constant that is no binary fraction": np.full(SAMPLES, 0.1),
    "silent tail": silent_from(3000, noise()),
    "silent tail on a large mean": silent_from(3000, np.abs(noise())),
    "silence, then a step": np.repeat(np.array([0, 1000], dtype=np.int16), SAMPLES // 2),
    "flat spectra": impulses(800),
    "several impulses in a frame": impulses(100),
    "one impulse": impulses(SAMPLES),
    "square wave through zero": np.tile(np.array([0, 5, 0, -5], dtype=np.int16), SAMPLES // 4),
    "full scale": np.tile(np.array([-32768, 32767], dtype=np.int16), SAMPLES // 2),
    "faint": noise() * 1e-12,
    "loud": noise() * 1e12,
    "float32": noise().astype(np.float32) / 32768,
    "unsigned": (noise() % 256).astype(np.uint8),
    "every second sample, backwards": np.repeat(noise(), 2)[::-2],
}


def assert_equal(
    signal: np.ndarray, sample_rate: int = RATE, *, window: int = 800, hop: int = 800
) -> None:
    expected, _ = ShortTermFeatures.feature_extraction(signal, sample_rate, window, hop)
    features = short_term_features(signal, sample_rate, window=window, hop=hop)
    assert features.shape == expected.shape
    assert features.dtype == np.float64
    difference = np.abs(features - expected).max(axis=1)
    assert difference.max() <= TOLERANCE, FEATURE_NAMES[difference.argmax()]


@pytest.mark.parametrize("window, hop", [(800, 800), (800, 300), (401, 700), (1338, 999)])
@pytest.mark.parametrize("name", SIGNALS)
def test_equals_pyaudioanalysis(name: str, window: int, hop: int) -> None:
    assert_equal(SIGNALS[name], window=window, hop=hop)


def test_rolloff_of_flat_spectra_falls_as_in_pyaudioanalysis() -> None:
    for window in range(200, 1001, 20):
        signal = np.zeros(2 * window)
        signal[[10, window + 10]] = 1, -1
        assert_equal(signal, window=window, hop=window)


def test_rolloff_ties_fall_as_in_pyaudioanalysis() -> None:
    # As the noise grows against the offset, the roll-off leaves bin 0. Around the factor at which
    # it does, nothing but the rounding errors of pyAudioAnalysis's own sums decides.
    sound = np.random.default_rng(3).uniform(-1, 1, 400)

    def signal(factor: float) -> np.ndarray:
        frame = 3 + factor * sound
        return np.concatenate((frame, -frame))

    low, high = 0.1, 30.0
    while np.nextafter(low, high) < high:
        middle = (low + high) / 2
        rolloff = reference_features(signal(middle), RATE, window=400, hop=400)[7, 0]
        low, high = (low, middle) if rolloff > 0 else (middle, high)
    for step in range(-40, 40):
        assert_equal(signal(low + step * np.spacing(low)), window=400, hop=400)


@pytest.mark.parametrize("sample_rate", [6854, 8000, 11025, 16000, 22050, 44100, 48000, 192000])
def test_equals_pyaudioanalysis_at_every_rate_and_its_shortest_window(sample_rate: int) -> None:
    assert_equal(voice(), sample_rate, window=shortest_window(sample_rate), hop=200)
    assert_equal(voice(), sample_rate, window=round(0.05 * sample_rate) // 2 + 1000, hop=500)


@pytest.mark.parametrize("window", [2, 3])
def test_equals_pyaudioanalysis_for_windows_too_short_for_a_spectrum(window: int) -> None:
    assert_equal(noise()[:100], window=window, hop=1)


def shortest_window(sample_rate: int) -> int:
    """The highest chroma note is the one of half the sample rate; more bins than that."""
    return 2 * (round(12 * np.log2(sample_rate / 2 / 27.5)) + 1)


@st.composite
def analyses(draw: st.DrawFn) -> tuple[np.ndarray, int, int, int]:
    """A signal of two or three windows' length in unlike pieces, with rate, window and hop."""
    sample_rate = draw(st.integers(6854, 96000))
    window = draw(st.integers(shortest_window(sample_rate), 1500))
    hop = draw(st.integers(window // 3, 2 * window))
    length = window + draw(st.integers(0, 3 * hop))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    pieces = []
    while sum(map(len, pieces)) < length:
        count = draw(st.integers(1, length))
        size = draw(st.sampled_from([1, 2, 30, 1000, 32767]))
        kind = draw(st.sampled_from(["zero", "constant", "noise", "tone", "impulses", "coarse"]))
        if kind == "zero":
            piece = np.zeros(count)
        elif kind == "constant":
            piece = np.full(count, size)
        elif kind == "noise":
            piece = rng.uniform(-size, size, count)
        elif kind == "tone":
            cycles = draw(st.integers(1, window // 2))
            piece = size * np.sin(2 * np.pi * cycles * np.arange(count) / window)
        elif kind == "impulses":
            piece = np.zeros(count)
            piece[:: draw(st.integers(1, window))] = size
        else:
            piece = rng.integers(-1, 2, count) * size
        pieces.append(piece)
    signal = np.concatenate(pieces)[:length]
    if draw(st.booleans()):
        return np.round(signal).astype(np.int16), sample_rate, window, hop
    return signal * 10.0 ** draw(st.integers(-20, 20)), sample_rate, window, hop


@pytest.mark.slow
@given(analyses())
@settings(max_examples=400, deadline=None, derandomize=True)
def test_equals_pyaudioanalysis_for_any_signal_rate_window_and_hop(
    analysis: tuple[np.ndarray, int, int, int],
) -> None:
    signal, sample_rate, window, hop = analysis
    assert_equal(signal, sample_rate, window=window, hop=hop)


def test_rows_are_named_as_in_pyaudioanalysis() -> None:
    _, names = ShortTermFeatures.feature_extraction(noise(), RATE, 800, 800)
    assert list(FEATURE_NAMES) == names
    assert len(names) == FEATURES == 68


def test_reference_is_pyaudioanalysis() -> None:
    expected, _ = ShortTermFeatures.feature_extraction(voice(), RATE, 800, 500)
    assert np.array_equal(reference_features(voice(), RATE, window=800, hop=500), expected)


def test_same_bits_every_time_and_the_signal_left_alone() -> None:
    signal = voice().astype(np.float64)
    before = signal.copy()
    first = short_term_features(signal, RATE, window=800, hop=400)
    assert np.array_equal(signal, before)
    assert first.tobytes() == short_term_features(signal, RATE, window=800, hop=400).tobytes()
    # ... and whatever type holds the same samples.
    assert first.tobytes() == short_term_features(voice(), RATE, window=800, hop=400).tobytes()


@ENGINES
@pytest.mark.parametrize(
    "signal, message",
    [
        (np.zeros((2, 1000)), r"mono .* \(2, 1000\)"),
        (np.zeros(799), r"at least one window \(800 samples\)"),
        (np.array([np.nan] + [1.0] * 999), "not numbers"),
        (np.array([-np.inf] + [1.0] * 999), "not numbers"),
        (np.array([1e308, -1e308] * 500), "beyond 1e\\+300"),
    ],
)
def test_refuses_signals_without_features(
    engine: Callable[..., np.ndarray], signal: np.ndarray, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        engine(signal, RATE, window=800, hop=800)


@ENGINES
@pytest.mark.parametrize(
    "sample_rate, window, hop, message",
    [
        (RATE, 1, 1, "window of two samples"),
        (RATE, 800, 0, "hop of one"),
        (RATE, 800, -5, "hop of one"),
        (0, 800, 800, "positive sample rate"),
        (6853, 800, 800, "a sample rate of at least that, got 6853 Hz"),
        (RATE, 196, 100, r"raise extract.window to 198 samples"),
        (RATE, 4, 100, r"raise extract.window to 198 samples"),
    ],
)
def test_refuses_analyses_that_pyaudioanalysis_has_no_filters_for(
    engine: Callable[..., np.ndarray], sample_rate: int, window: int, hop: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        engine(noise(), sample_rate, window=window, hop=hop)


@pytest.mark.parametrize("sample_rate, window", [(6853, 800), (RATE, 196), (RATE, 197), (RATE, 4)])
def test_refuses_no_more_than_pyaudioanalysis_fails_on(sample_rate: int, window: int) -> None:
    with pytest.raises((IndexError, ValueError)):
        ShortTermFeatures.feature_extraction(noise(), sample_rate, window, 100)


def test_import_leaves_pyaudioanalysis_and_matplotlib_for_later() -> None:
    code = (
        "import sys, voicetraits.features.short_term;"
        "sys.exit(not {'pyAudioAnalysis', 'matplotlib', 'scipy'}.isdisjoint(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
