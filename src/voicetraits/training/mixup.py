"""Mixup: clips that are each a bit of another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def mix(
    inputs: np.ndarray,
    labels: Sequence[tuple[np.ndarray, np.ndarray]],
    *,
    alpha: float,
    rng: np.random.Generator,
) -> tuple[np.ndarray, tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    """Mix every clip of a batch with another of it, and their targets in the same proportion.

    The share of a clip is drawn from Beta(alpha, alpha); the larger of the two is its own. Where
    one of the two has no label, the other's counts by its share.

    Source: Zhang, Cisse, Dauphin and Lopez-Paz, ICLR 2018.

    Args:
        inputs: Shape (clips, ...).
        labels: Of every head: targets, shape (clips, units), and weights, shape (clips,).
        alpha: How much is mixed: with small values, most clips stay nearly as they are; 0 is off.
        rng: Random numbers.

    Returns:
        Inputs, then targets and weights of every head, of the same shapes and types.
    """
    if alpha:
        shares = rng.beta(alpha, alpha, len(inputs))
        shares = np.maximum(shares, 1 - shares)
        others = rng.permutation(len(inputs))
        inputs = _mixed(inputs, inputs[others], shares)
        labels = [_mixed_labels(*head, others, shares) for head in labels]
    targets, weights = zip(*labels, strict=True)
    return inputs, targets, weights


def _mixed_labels(
    targets: np.ndarray, weights: np.ndarray, others: np.ndarray, shares: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    both = _mixed(weights, weights[others], shares)
    known = _mixed(targets * weights[:, None], (targets * weights[:, None])[others], shares)
    return known / np.where(both > 0, both, 1)[:, None], both


def _mixed(values: np.ndarray, others: np.ndarray, shares: np.ndarray) -> np.ndarray:
    shares = shares.astype(values.dtype).reshape(-1, *[1] * (values.ndim - 1))
    return others + shares * (values - others)
