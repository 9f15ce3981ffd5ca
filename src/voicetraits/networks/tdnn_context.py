"""`tdnn` with two convolutions more between its last layer for frames and its pooling.

The layers for frames see 0.3 seconds, a few phones; these see which follow which, 0.8 seconds with
those before. For languages.
"""

from __future__ import annotations

from functools import partial

from voicetraits.networks import tdnn

# The dilations are in frames after the first layer, of 20 ms.
build = partial(tdnn.build, contexts=(4, 8))
