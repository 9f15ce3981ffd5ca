"""The 68 short-term features of pyAudioAnalysis: 34 and their deltas, all frames at once.

pyAudioAnalysis takes one frame after the other in Python. Here each feature family is one function
of arrays with a row per frame, and the result is the same to 1e-10. Three rows are touchy: the
roll-off jumps where a sum ties with its threshold, and the spread and the cepstrum of a frame of
appended silence come from the rounding errors of its Fourier transform. So the frames and their
magnitudes are kept equal to pyAudioAnalysis's to the last bit, whatever follows.

Source: Giannakopoulos, pyAudioAnalysis, PLoS ONE 10(12), 2015.
"""

from __future__ import annotations

import sys

import numpy as np

from voicetraits.features.signal import checked_signal
from voicetraits.features.tables import Tables, tables_for

FEATURE_NAMES = (
    *("zcr", "energy", "energy_entropy"),
    *("spectral_centroid", "spectral_spread", "spectral_entropy"),
    *("spectral_flux", "spectral_rolloff"),
    *(f"mfcc_{number}" for number in range(1, 14)),
    *(f"chroma_{number}" for number in range(1, 13)),
    "chroma_std",
)


FEATURE_NAMES += tuple(f"delta {name}" for name in FEATURE_NAMES)


FEATURES = len(FEATURE_NAMES)

# pyAudioAnalysis adds it to sums that it divides by or takes logarithms of. It is not negligible:
# the cepstrum of silence is the logarithm of this number.
EPS = sys.float_info.epsilon

# Parts of a frame, and of a spectrum, whose energies the entropies compare.
BLOCKS = 10


def short_term_features(
    signal: np.ndarray, sample_rate: int, *, window: int, hop: int
) -> np.ndarray:
    """Short-term features of one clip: 34 features and their deltas.

    Args:
        signal: Mono PCM, shape (samples,); the scale does not matter.
        sample_rate: In Hz, at least 6,854 (where the highest mel filter ends).
        window: Window length in samples.
        hop: Step between windows in samples.

    Returns:
        Shape (68, frames), float64; rows in the order of FEATURE_NAMES,
        frames = 1 + (samples - window) // hop.

    Raises:
        ValueError: If the signal is not mono, is shorter than one window or holds values that are
            not numbers, or if pyAudioAnalysis has no filters for the rate and window.
    """
    signal = checked_signal(signal, sample_rate, window=window, hop=hop)
    tables = tables_for(sample_rate, window)
    frames = _frames(_normalised(signal), window=window, hop=hop)
    energy = np.vecdot(frames, frames)
    magnitude = _magnitude(frames)
    total = magnitude @ np.ones(magnitude.shape[1])
    power = np.vecdot(magnitude, magnitude)
    power_blocks = _block_energies(magnitude)
    chroma = _chroma(magnitude, power, tables)

    features = np.empty((FEATURES, len(frames)))
    features[0] = _zero_crossing_rate(frames)
    features[1] = energy / window
    features[2] = _entropy(_block_energies(frames), energy)
    features[3], features[4] = _centroid_and_spread(magnitude, total, tables.frequency)
    features[5] = _entropy(power_blocks, power)
    features[6] = _flux(magnitude, total, power)
    features[7] = _rolloff(magnitude, power, power_blocks)
    features[8:21] = _cepstrum(magnitude, tables).T
    features[21:33] = chroma.T
    # chroma.std(axis=1), without the many small steps that would take as long as the chroma.
    centred = chroma - (chroma @ np.full(12, 1 / 12))[:, None]
    features[33] = np.sqrt(np.vecdot(centred, centred) / 12)
    features[34:, 0] = 0
    np.subtract(features[:34, 1:], features[:34, :-1], out=features[34:, 1:])
    return features


def _normalised(signal: np.ndarray) -> np.ndarray:
    """Mean removed, divided by the highest absolute value of the whole clip."""
    samples = np.array(signal, dtype=np.float64)
    mean = samples.sum() / len(samples)
    samples -= mean
    peak = max(signal.max() - mean, mean - signal.min())
    # pyAudioAnalysis first divides by 2^15, which changes no bit and here no more than its 1e-10.
    samples /= peak + 1e-10 * 2**15
    return samples


def _frames(samples: np.ndarray, *, window: int, hop: int) -> np.ndarray:
    """View of shape (frames, window); the samples after the last full window are left out.

    >>> _frames(np.arange(6.0), window=3, hop=2).tolist()
    [[0.0, 1.0, 2.0], [2.0, 3.0, 4.0]]
    """
    shape = (1 + (len(samples) - window) // hop, window)
    step = samples.itemsize
    return np.ndarray(shape, samples.dtype, buffer=samples, strides=(hop * step, step))


def _magnitude(frames: np.ndarray) -> np.ndarray:
    """Magnitudes of the lower half of the spectrum, shape (frames, window // 2).

    Quirks: no window function; divided by the number of bins that are kept. numpy.fft and the
    scipy.fftpack of pyAudioAnalysis are one library, pocketfft, and give the same bits.
    """
    bins = frames.shape[1] // 2
    return np.abs(np.fft.rfft(frames))[:, :bins] / bins


def _zero_crossing_rate(frames: np.ndarray) -> np.ndarray:
    """Half the sum of |sign differences|: a step onto or off exact zero counts half a crossing.

    >>> _zero_crossing_rate(np.array([[1.0, -1.0, 1.0], [1.0, 0.0, 0.0]])).tolist()
    [1.0, 0.25]
    """
    signs = (frames > 0).view(np.int8) - (frames < 0).view(np.int8)
    steps = signs[:, 1:] - signs[:, :-1]
    np.abs(steps, out=steps)
    return steps.sum(axis=1, dtype=np.int32) / (2.0 * steps.shape[1])


def _block_energies(rows: np.ndarray) -> np.ndarray:
    """Energies of ten equal blocks of each row, shape (rows, 10).

    Quirk: up to nine values at the end of a row belong to no block, though to the row's energy.
    """
    length = rows.shape[1] // BLOCKS
    blocks = rows[:, : BLOCKS * length].reshape(len(rows), BLOCKS, length)
    return np.vecdot(blocks, blocks)


def _entropy(blocks: np.ndarray, energy: np.ndarray) -> np.ndarray:
    """Entropy in bits of how a row's energy is shared out over its blocks.

    >>> _entropy(np.array([[2.0, 2.0], [3.0, 1.0]]), np.array([4.0, 4.0])).round(4).tolist()
    [1.0, 0.8113]
    """
    shares = blocks / (energy + EPS)[:, None]
    return -np.vecdot(shares, np.log2(shares + EPS))


def _centroid_and_spread(
    magnitude: np.ndarray, total: np.ndarray, frequency: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of frequency, weighed by magnitude; both 0 for silence."""
    total = np.where(total > 0, total, 1)
    centroid = magnitude @ frequency / total
    # Not as a difference of squares, which keeps no digits of a narrow spectrum: a tone's, or
    # that of appended silence.
    distance = frequency - centroid[:, None]
    distance *= distance
    return centroid, np.sqrt(np.vecdot(distance, magnitude) / total)


def _flux(magnitude: np.ndarray, total: np.ndarray, power: np.ndarray) -> np.ndarray:
    """Squared distance between successive spectra, each divided by its sum; 0 for the first."""
    total = total + magnitude.shape[1] * EPS
    squares = power / (total * total)
    products = np.vecdot(magnitude[1:], magnitude[:-1]) / (total[1:] * total[:-1])
    flux = np.zeros(len(magnitude))
    flux[1:] = squares[1:] + squares[:-1] - 2 * products
    return flux


def _rolloff(magnitude: np.ndarray, power: np.ndarray, blocks: np.ndarray) -> np.ndarray:
    """Share of the bins below the one where the summed power passes nine tenths.

    A running sum over all bins would take as long as the Fourier transform. The sums of the
    blocks tell in which one the threshold is passed; only that one is summed bin by bin.
    """
    bins = magnitude.shape[1]
    length = bins // BLOCKS
    if not length:
        return _first_bin_above(magnitude) / bins
    rows = np.arange(len(magnitude))
    threshold = 0.9 * power - EPS
    sums = blocks.cumsum(axis=1)
    block = (sums > threshold[:, None]).argmax(axis=1)
    inside = magnitude[:, : BLOCKS * length].reshape(-1, BLOCKS, length)[rows, block]
    inside *= inside
    missing = threshold - (sums - blocks)[rows, block]  # at the start of the block
    running = inside.cumsum(axis=1)
    first = (running > missing[:, None]).argmax(axis=1)
    # Ties, which flat and periodic spectra do produce, are broken by the rounding errors of
    # pyAudioAnalysis's own sum. It also serves frames that pass in the bins after the last block.
    above = running[rows, first] - missing
    below = inside[rows, first] - above
    unsure = np.flatnonzero(np.minimum(above, below) <= 1e-12 * power)
    first += block * length
    if len(unsure):
        first[unsure] = _first_bin_above(magnitude[unsure])
    return first / bins


def _first_bin_above(magnitude: np.ndarray) -> np.ndarray:
    power = magnitude * magnitude
    above = power.cumsum(axis=1) + EPS > 0.9 * power.sum(axis=1, keepdims=True)
    return above.argmax(axis=1)


def _cepstrum(magnitude: np.ndarray, tables: Tables) -> np.ndarray:
    """Mel-frequency cepstral coefficients, shape (frames, 13)."""
    mel = magnitude[:, tables.mel_bins] @ tables.mel
    return np.log(mel + EPS) @ tables.cosine


def _chroma(magnitude: np.ndarray, power: np.ndarray, tables: Tables) -> np.ndarray:
    """Share of the power in each of the twelve pitch classes, shape (frames, 12); 0 for silence."""
    notes = magnitude[:, tables.chroma_bins]
    notes *= notes
    return notes @ tables.chroma / np.where(power > 0, power, 1)[:, None]
