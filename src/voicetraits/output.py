"""What a process prints, on terminals and pipes of any encoding."""

from __future__ import annotations

import codecs
import errno
import io
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

# Others are shown by their numbers, which tell one file name from another: \\xfc.
_PLAIN = {"·": "-", "–": "-", "—": "-", "…": "...", "’": "'", "“": '"', "”": '"'}  # noqa: RUF001


def printable_output() -> None:
    """Let this process print whatever it has to say, with replacements if need be.

    Without it, one letter that the encoding of a terminal or a pipe lacks ends the process.
    """
    codecs.register_error("voicetraits.plain", _plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a test, or a notebook, has others
            stream.reconfigure(errors="voicetraits.plain")


@contextmanager
def quiet_without_reader() -> Iterator[None]:
    """End the process without a word when nobody reads it any more, as `| head` does.

    The exit code is what a shell gives for a process that the signal of a broken pipe has ended.
    Where a disk is full, the process ends with one line that says so.
    """
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        _discard(sys.stdout, sys.stderr)
        sys.exit(128 + signal.SIGPIPE)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _discard(sys.stdout)
        sys.exit(f"error: standard output: cannot be written ({error.strerror})")


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Let what libraries in C write to standard error go nowhere, and what Python writes there on.

    libmpg123 has up to hundreds of lines to say about one damaged MP3.
    """
    before = sys.stderr
    try:
        number = before.fileno()
    except (AttributeError, OSError):  # closed, or not of this system, as in a notebook
        yield
        return
    before.flush()
    with open(  # noqa: PTH123 - it has no path
        os.dup(number), "w", buffering=1, encoding=before.encoding, errors=before.errors
    ) as sys.stderr:
        try:
            _discard(before)
            yield
        finally:
            sys.stderr.flush()
            os.dup2(sys.stderr.fileno(), number)
            sys.stderr = before


def _discard(*streams: TextIO) -> None:
    """Let what is still held for these go nowhere when Python flushes them at its end."""
    with Path(os.devnull).open("wb") as nowhere:
        for stream in streams:
            os.dup2(nowhere.fileno(), stream.fileno())


def _plain(error: UnicodeError) -> tuple[str | bytes, int]:
    """What stands for the first character that cannot be encoded, and where to go on."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    char = error.object[error.start]
    if "\udc80" <= char <= "\udcff":
        # A byte of a file name, as Python has one that is not in the encoding of file names.
        return bytes([ord(char) - 0xDC00]), error.start + 1
    return _PLAIN.get(char) or char.encode("ascii", "backslashreplace").decode(), error.start + 1
