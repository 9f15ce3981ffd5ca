"""The time-delay network with layers that look at what follows what, for languages."""

from __future__ import annotations

from typing import Any

from voicetraits.networks.tdnn import built
from voicetraits.tasks import Head

# In frames after the first layer, of 20 ms. With those before, the last one sees 0.8 seconds.
DILATIONS = (4, 8)


def build(shape: tuple[int | None, ...], heads: tuple[Head, ...], *, seed: int) -> Any:
    """Build `tdnn` with two convolutions more between its last layer for frames and its pooling.

    The layers for frames see 0.3 seconds, a few phones; these see which follow which.

    Args:
        shape: (bands, frames) of a clip's log-mel; None frames stand for any number.
        heads: The outputs.
        seed: Of the weights and of what dropout leaves out.

    Returns:
        A keras.Model, not compiled.
    """
    return built(shape, heads, seed=seed, contexts=DILATIONS)
