"""The networks, in Keras on JAX: a module each, with a function `build`."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from voicetraits.tasks import Head

# The modules of this folder that are networks.
NETWORKS = ("original",)


def build(network: str, shape: tuple[int, ...], heads: tuple[Head, ...], *, seed: int) -> Any:
    """Build a network with fresh weights.

    Imports Keras, and no other network: a change in one retrains no other.

    Args:
        network: A name in NETWORKS.
        shape: Of one clip's representation, as it is stored: unscaled.
        heads: Its outputs, at least one.
        seed: Of the weights.

    Returns:
        A keras.Model, not compiled: shape (clips, *shape) in, (clips, units) out for every head.
    """
    return import_module(f"voicetraits.networks.{network}").build(shape, heads, seed=seed)
