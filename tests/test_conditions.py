"""What is done to a clip is what its name says, and the same for the same clip."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import tone
from scipy.signal import butter, sosfilt

from voicetraits.audio.conditions import (
    CONDITIONS,
    SAMPLE_RATE,
    clip_rng,
    room_response,
    telephone,
    under,
    white_noise,
)
from voicetraits.audio.level import SILENCE, speech_level

ALL = pytest.mark.parametrize("name", CONDITIONS)


def speech(*, seconds: float = 2.0, level: float = -20.0) -> np.ndarray:
    """Noise in the band of speech that comes and goes four times a second."""
    samples = round(seconds * SAMPLE_RATE)
    band = butter(2, [150, 3500], btype="bandpass", fs=SAMPLE_RATE, output="sos")
    wave = sosfilt(band, np.random.default_rng(0).standard_normal(samples))
    wave *= np.sin(np.pi * 4 * np.arange(samples) / SAMPLE_RATE) ** 2
    wave *= 10 ** ((level - speech_level(wave, SAMPLE_RATE)) / 20)
    return wave.astype(np.float32)


def worse(name: str, signal: np.ndarray, *, clip: str = "a.mp3") -> np.ndarray:
    return CONDITIONS[name](signal, clip_rng(clip, seed=1))


def power_between(signal: np.ndarray, low: float, high: float) -> float:
    power = np.abs(np.fft.rfft(signal)) ** 2
    hertz = np.fft.rfftfreq(len(signal), 1 / SAMPLE_RATE)
    return float(power[(hertz >= low) & (hertz < high)].sum())


def decibels(ratio: float) -> float:
    return 10 * float(np.log10(ratio))


@ALL
@pytest.mark.parametrize("samples", [1, 400, 16_001, 50_000])
def test_a_clip_keeps_its_length_type_and_range(name: str, samples: int) -> None:
    signal = np.random.default_rng(0).uniform(-1, 1, samples).astype(np.float32)
    found = worse(name, signal)
    assert (found.shape, found.dtype) == (signal.shape, np.float32)
    assert np.isfinite(found).all()
    assert np.abs(found).max() <= 1


@ALL
def test_silence_stays_nearly_silent(name: str) -> None:
    found = worse(name, np.zeros(8000, np.float32))
    assert np.abs(found).max() < 2**-12


@ALL
def test_a_condition_depends_on_clip_and_seed_alone(name: str) -> None:
    signal = speech()
    before = signal.copy()
    once = worse(name, signal)
    worse(name, speech(level=-30), clip="b.mp3")
    assert np.array_equal(worse(name, signal), once)
    assert np.array_equal(signal, before)
    other = worse(name, signal, clip="b.mp3")
    assert np.array_equal(other, once) is not (name.startswith("white") or name == "small room")


@ALL
def test_the_clip_is_still_there_and_in_its_place(name: str) -> None:
    signal = speech()
    found = worse(name, signal).astype(np.float64)
    spectrum = np.fft.rfft(found, 2**17) * np.conj(np.fft.rfft(signal, 2**17))
    lag = int(np.fft.irfft(spectrum).argmax())
    assert min(lag, 2**17 - lag) <= 8  # half a millisecond, which the line's filter takes
    # The edges of a band shift phases, an echo adds its own; another clip is near 0.
    assert np.corrcoef(np.roll(found, -lag), signal)[0, 1] > 0.5


def test_the_clip_as_it_is_comes_first_and_is_unchanged() -> None:
    assert next(iter(CONDITIONS)) == "as it is"
    assert np.array_equal(worse("as it is", speech()), speech())


def test_the_line_passes_its_band_alone() -> None:
    flat = 0.1 * np.random.default_rng(0).standard_normal(4 * SAMPLE_RATE)
    heard = telephone(flat.astype(np.float32), clip_rng("", seed=0))
    for low, high, least, most in [(500, 3000, -1, 1), (0, 150, -90, -15), (4100, 8000, -90, -40)]:
        change = decibels(power_between(heard, low, high) / power_between(flat, low, high))
        assert least < change < most, (low, high)


def test_the_line_has_the_steps_of_the_mu_law() -> None:
    # 14-bit linear to 8-bit logarithmic: about 38 dB above what is lost, at any level.
    for amplitude in (1.0, 0.1):
        sine = (amplitude * tone(1000, SAMPLE_RATE)).astype(np.float32)
        heard = telephone(sine, clip_rng("", seed=0))
        inside = power_between(heard, 950, 1050)
        outside = power_between(heard, 300, 3400) - inside
        assert 30 < decibels(inside / outside) < 45


@pytest.mark.parametrize("snr", [20, 10])
@pytest.mark.parametrize("level", [-20.0, -45.0])
def test_noise_lies_so_far_below_the_speech_whatever_the_pauses(snr: int, level: float) -> None:
    padded = np.concatenate([np.zeros(30_000, np.float32), speech(level=level)])
    added = white_noise(snr)(padded, clip_rng("", seed=0)) - padded
    assert 10 * np.log10(np.mean(added**2)) == pytest.approx(level - snr, abs=0.3)
    assert power_between(added, 0, 4000) == pytest.approx(power_between(added, 4000, 8000), rel=0.1)


def test_the_echo_of_the_room_falls_by_sixty_decibels_in_its_time() -> None:
    # Schroeder's backward integral, from -5 to -25 dB, over the mean of several rooms.
    energy = np.mean([room_response(clip_rng(str(n), seed=0)) ** 2 for n in range(20)], axis=0)
    left = 10 * np.log10(np.cumsum(energy[40:][::-1])[::-1] / energy[40:].sum())
    start, end = (int(np.argmax(left < fall)) for fall in (-5, -25))
    assert 3 * (end - start) / SAMPLE_RATE == pytest.approx(0.3, abs=0.02)
    assert energy[1:].sum() == pytest.approx(1)


def test_the_room_leaves_the_level() -> None:
    wet = worse("small room", speech())
    assert np.mean(wet**2) == pytest.approx(np.mean(speech() ** 2), rel=1e-3)


def test_a_quiet_clip_is_thirty_decibels_down_in_steps_of_sixteen_bits() -> None:
    found = worse("30 dB quieter", speech(level=-20))
    assert speech_level(found, SAMPLE_RATE) == pytest.approx(-50, abs=0.1)
    assert np.array_equal(np.round(found * 32768), found * 32768)


def test_mp3_takes_away_what_it_always_takes() -> None:
    signal = 0.1 * np.random.default_rng(0).standard_normal(4 * SAMPLE_RATE)
    coded = worse("MP3, 32 kbit/s", signal.astype(np.float32))
    kept = [
        power_between(coded, low, low + 500) / power_between(signal, low, low + 500)
        for low in (1000, 7500)
    ]
    assert kept[0] > 0.5
    assert kept[1] < 0.05  # its low-pass


def test_the_level_is_that_of_the_sound_without_pauses() -> None:
    sine = 0.5 * np.sin(2 * np.pi * 200 * np.arange(SAMPLE_RATE) / SAMPLE_RATE)
    expected = 20 * np.log10(0.5 / np.sqrt(2))
    assert speech_level(sine, SAMPLE_RATE) == pytest.approx(expected, abs=0.01)
    pcm = np.concatenate([np.zeros(2 * SAMPLE_RATE), sine, np.zeros(SAMPLE_RATE)])
    assert speech_level(pcm, SAMPLE_RATE) == pytest.approx(expected, abs=0.1)
    assert speech_level((pcm * 32768).astype(np.int16), SAMPLE_RATE) == pytest.approx(
        expected, abs=0.1
    )
    assert speech_level(np.zeros(100, np.int16), SAMPLE_RATE) == SILENCE
    assert speech_level(np.array([0.5]), SAMPLE_RATE) == pytest.approx(-6.02, abs=0.01)


@pytest.mark.parametrize("rate", [8000, 16_000, 22_050])
def test_a_stored_clip_of_any_rate_is_brought_under_a_condition(rate: int) -> None:
    pcm = (20_000 * tone(440, rate, seconds=0.7)).astype(np.int16)
    for name in CONDITIONS:
        found = under(name, pcm, rate, clip_rng("a.mp3", seed=1))
        assert (found.shape, found.dtype) == (pcm.shape, np.int16)
    if rate == SAMPLE_RATE:
        assert np.array_equal(under("as it is", pcm, rate, clip_rng("", seed=0)), pcm)
