"""Mixup: training clips that are two clips at once, with the targets of both."""

from __future__ import annotations

import numpy as np


def mix(
    inputs: np.ndarray, targets: np.ndarray, *, alpha: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Mix every clip of a batch with another of it, and their targets in the same proportion.

    The share of a clip is drawn from Beta(alpha, alpha); the larger of the two is its own.

    Source: Zhang, Cisse, Dauphin and Lopez-Paz, ICLR 2018.

    Args:
        inputs: Shape (clips, ...).
        targets: Shape (clips, units).
        alpha: How much is mixed: with small values, most clips stay nearly as they are; 0 is off.
        rng: Random numbers.

    Returns:
        Inputs and targets of the same shapes and types.
    """
    if not alpha:
        return inputs, targets
    shares = rng.beta(alpha, alpha, len(inputs))
    shares = np.maximum(shares, 1 - shares)
    others = rng.permutation(len(inputs))
    mixed = (_mixed(values, values[others], shares) for values in (inputs, targets))
    return next(mixed), next(mixed)


def _mixed(values: np.ndarray, others: np.ndarray, shares: np.ndarray) -> np.ndarray:
    shares = shares.astype(values.dtype).reshape(-1, *[1] * (values.ndim - 1))
    return others + shares * (values - others)
