"""Run a stage from the command line."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from pathlib import Path

from voicetraits.errors import InputError
from voicetraits.output import printable_output

_INTERRUPTED = 130  # as a shell says it of Ctrl-C


def run(main: Callable[..., None]) -> None:
    """Call `main` with the arguments of the command line.

    An error in what the user gave (params.yaml, the corpus, the arguments) ends the process with
    exit code 1 and its message alone; any other is a fault of ours and keeps its traceback.
    Ctrl-C needs none.
    """
    printable_output()
    signature = inspect.signature(main)
    try:
        signature.bind(*sys.argv[1:])
    except TypeError:
        names = " ".join(
            name.upper() if each.default is each.empty else f"[{name.upper()}]"
            for name, each in signature.parameters.items()
        )
        sys.exit(f"usage: python -m stages.{Path(sys.argv[0]).stem} {names}")
    try:
        main(*sys.argv[1:])
    except InputError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
