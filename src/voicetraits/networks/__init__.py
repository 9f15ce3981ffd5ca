"""The networks, in Keras on JAX: a module each, with a function `build`."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from voicetraits.tasks import Head

# The modules of this folder that are networks: on clips of one length, and on clips of any.
ONE_LENGTH = ("original",)
ANY_LENGTH = ("tdnn", "tdnn_context")
NETWORKS = ONE_LENGTH + ANY_LENGTH


def build(
    network: str,
    shape: tuple[int | None, ...],
    heads: tuple[Head, ...],
    *,
    seed: int,
    members: int = 1,
) -> Any:
    """Build a network with fresh weights.

    Imports Keras, and no other network: a change in one retrains no other.

    Args:
        network: A name in NETWORKS.
        shape: (rows, frames) of one clip's representation, as it is stored; None frames stand for
            any number.
        heads: Its outputs, at least one.
        seed: Of the weights.
        members: Networks whose mean it is.

    Returns:
        A keras.Model, not compiled: shape (clips, *shape) in, (clips, units) out for every head.
    """
    module = import_module(f"voicetraits.networks.{network}")
    if members == 1:
        return module.build(shape, heads, seed=seed)
    several = [module.build(shape, heads, seed=seed + number) for number in range(members)]
    return import_module("voicetraits.networks.ensemble").mean_of(several)
