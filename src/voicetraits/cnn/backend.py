"""Keras on JAX, set up once before either is imported.

`from voicetraits.cnn.backend import keras` is the one way in.
"""

from __future__ import annotations

import os
import platform
from pathlib import Path

from voicetraits.imports import without
from voicetraits.memory import keep_freed_memory

os.environ["KERAS_BACKEND"] = "jax"
# XLA divides work by the number of cores, and with it the order of sums: one thread gives the
# same bits on every machine with the same instruction set. Cells run beside each other instead.
os.environ.setdefault("NPROC", "1")
if platform.machine() in ("x86_64", "AMD64"):
    # The same vector width on all of them.
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_max_isa=AVX2 --xla_cpu_enable_platform_dependent_math=false")
# Cells share a GPU, where there is one: JAX would take three quarters of its memory for each.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
# All cells compile the same few programs: keep them.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(".cache", "jax").absolute()))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")

keep_freed_memory()

with without("matplotlib", "matplotlib.pyplot"):
    import keras

__all__ = ["keras"]
