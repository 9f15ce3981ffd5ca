"""Options that several commands have."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path


def add_model(command: ArgumentParser) -> None:
    """Declare which exported model is used; by default, the released one."""
    command.add_argument(
        "--model", type=Path, metavar="PATH", help="an ONNX file, or a folder models/<name>"
    )
