"""What a process takes from its surroundings, settled before a numeric library is loaded.

The table says what code, data and parameters give. So nothing that somebody set for another
project may reach the figures: a `~/.keras/keras.json`, variables of JAX, threads of BLAS. And
NumPy and OpenBLAS choose their code by the processor, with other last bits in each; they are held
to what every x86 processor since 2015 has.
"""

from __future__ import annotations

import os
import platform
import sys
import warnings
from pathlib import Path

# Read by these libraries, which have too many of them to name: all but those that say where memory
# and compiled programs go.
_FOREIGN = ("JAX_", "KERAS_", "NPY_", "PANDAS_", "SCIPY_", "SKLEARN_", "SOXR_", "XLA_")
_HARMLESS = (
    "JAX_COMPILATION_CACHE",
    "JAX_ENABLE_COMPILATION_CACHE",
    "JAX_PERSISTENT_CACHE",
    "XLA_PYTHON_CLIENT_",
)
# What is worth several cores runs in several processes, and the threads of the libraries would
# spin against those. The number of threads also changes the order of sums; NPROC is XLA's.
_ONE_THREAD = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NPROC",
)
_XLA_FLAGS = "--xla_cpu_enable_platform_dependent_math=false"
# The same instructions on all x86 processors.
_AVX2 = {
    "XLA_FLAGS": f"--xla_cpu_max_isa=AVX2 {_XLA_FLAGS}",
    "OPENBLAS_CORETYPE": "Haswell",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
}


def pin_environment() -> None:
    """Set the variables that can change a figure, in this process and those it starts.

    It counts where NumPy, JAX and Keras are not loaded yet. A second call changes nothing.
    """
    for name in list(os.environ):
        if name.startswith(_FOREIGN) and not name.startswith(_HARMLESS):
            del os.environ[name]
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    os.environ.update(_AVX2 if _has_avx2() else {"XLA_FLAGS": _XLA_FLAGS})
    # In what is no folder, there is no keras.json, and none is written.
    os.environ.update(KERAS_BACKEND="jax", KERAS_HOME=os.devnull, MPLBACKEND="agg")
    if os.environ.pop("PYTHONWARNINGS", None) is not None:
        # As errors, those of other packages would end the run.
        sys.warnoptions.clear()
        warnings.resetwarnings()
        warnings.simplefilter("ignore")


def _has_avx2() -> bool:
    if platform.machine() not in ("x86_64", "AMD64"):
        return False
    try:
        return " avx2 " in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return True  # of a Mac; those without are older than the versions that are supported
