"""Keras on JAX, set up once before either is imported.

`from voicetraits.networks.backend import keras` is the one way in.
"""

from __future__ import annotations

import os
from pathlib import Path

from voicetraits.workers.environment import pin_environment
from voicetraits.workers.imports import without
from voicetraits.workers.memory import keep_freed_memory

pin_environment()
# Models share a GPU, where there is one: JAX would take three quarters of its memory for each.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
# All models compile the same few programs: keep them.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(".cache", "jax").absolute()))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")

keep_freed_memory()

with without("matplotlib", "matplotlib.pyplot"):
    import keras

__all__ = ["keras"]
