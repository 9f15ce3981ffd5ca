"""What `make repro` shows of all its jobs: one line on a terminal, plain lines when piped."""

from __future__ import annotations

import os
import sys
import time
from typing import TextIO

_SECONDS_BETWEEN_LINES = 10.0  # when piped
_SECONDS_BETWEEN_DRAWINGS = 0.2


class Line:
    """The line, on standard error, and all else that is written beside it."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._drawn = ""
        self._due = 0.0 if self._terminal else time.monotonic() + _SECONDS_BETWEEN_LINES

    def show(self, text: str) -> None:
        """Show how far the jobs are, where it is time to."""
        if time.monotonic() < self._due or text == self._drawn:
            return
        if self._terminal:
            self._draw(text)
            self._due = time.monotonic() + _SECONDS_BETWEEN_DRAWINGS
        else:
            print(text, file=sys.stderr, flush=True)
            self._drawn = text
            self._due = time.monotonic() + _SECONDS_BETWEEN_LINES

    def done(self, text: str) -> None:
        """Say that a step is done; on a terminal the line will show it."""
        if not self._terminal:
            print(text, file=sys.stderr, flush=True)

    def pass_on(self, data: bytes, stream: TextIO) -> None:
        """Write what a job has said, which stays, above the line."""
        self.clear()
        stream.flush()
        stream.buffer.write(data)
        stream.flush()

    def clear(self) -> None:
        """Take the line away."""
        if self._terminal and self._drawn:
            self._draw("")
            self._due = 0.0

    def _draw(self, text: str) -> None:
        text = text[: _columns() - 1]  # in the last column the cursor would move on to the next row
        # Spaces, not an escape sequence: every terminal knows them.
        spaces = " " * (len(self._drawn) - len(text))
        sys.stderr.write(f"\r{text}{spaces}" if text else f"\r{spaces}\r")
        sys.stderr.flush()
        self._drawn = text


def _columns() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except OSError:
        return 80
