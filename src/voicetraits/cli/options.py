"""Options that several commands have."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path


def add_model(command: ArgumentParser) -> None:
    """Declare which exported model is used; by default, the released one."""
    command.add_argument(
        "--model", type=_model, metavar="PATH", help="an ONNX file, or a folder models/<name>"
    )


def _model(text: str) -> Path:
    if not text:
        raise ArgumentTypeError("names nothing; give an ONNX file, or a folder models/<name>")
    return Path(text)


def probability(text: str) -> float:
    """A number, for argparse; its range is seen to where it is used.

    Raises:
        ArgumentTypeError: If it is none.
    """
    try:
        return float(text)
    except ValueError:
        raise ArgumentTypeError(f"{text} is no number; give one from 0 to 1") from None
