"""How many threads the numeric libraries of a process use."""

from __future__ import annotations

import os

_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def one_numeric_thread() -> None:
    """Give NumPy and its like one thread, in this process and those it starts.

    What is worth several cores runs in several processes, and the threads of the libraries would
    spin against those. It counts where NumPy is not loaded yet; a number that the user has set
    stands.
    """
    for name in _VARIABLES:
        os.environ.setdefault(name, "1")
