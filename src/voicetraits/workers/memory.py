"""How the C library of this process handles memory."""

from __future__ import annotations

import ctypes


def keep_freed_memory() -> None:
    """Make the C library keep what is freed, for the next clip or training step to use again.

    Decoding a clip takes and frees a megabyte, a training step some hundred. By default glibc
    hands them back to the kernel each time, and a third of the CPU time goes into getting them
    again, page by page. Elsewhere (macOS, musl) there is no mallopt, and nothing is done.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    # Constants of glibc's malloc.h: one arena for all threads (M_ARENA_MAX), no allocation by
    # mmap (M_MMAP_MAX), never trim (M_TRIM_THRESHOLD), grow by 256 MiB at a time (M_TOP_PAD).
    for option, value in ((-8, 1), (-4, 0), (-1, 2**31 - 1), (-2, 2**28)):
        mallopt(option, value)
