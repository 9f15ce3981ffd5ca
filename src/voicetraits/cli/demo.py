"""`voicetraits demo`: a page that records a voice and shows what a model says of it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from voicetraits.cli.options import add_model
from voicetraits.errors import InputError
from voicetraits.output import quiet_libraries

_CARD = Path(__file__).parents[3] / "docs" / "model_card.md"
_PORTS = range(1, 65536)


def add_demo(commands: Any) -> None:
    """Declare the command and its options."""
    command = commands.add_parser(
        "demo",
        help="serve a page that records a voice and shows what is recognised",
        epilog="For this machine alone; nothing is stored or sent elsewhere. See docs/demo.md.",
    )
    add_model(command)
    command.add_argument(
        "--port", type=int, default=8000, help="another one if it is taken (default: %(default)s)"
    )


def demo(options: argparse.Namespace) -> None:
    """Run the command, until Ctrl-C.

    Raises:
        InputError: If the model or the port cannot be used.
    """
    if options.port not in _PORTS:
        raise InputError(f"--port {options.port}: give a number from 1 to {_PORTS[-1]}")
    from voicetraits.recognizer.recognizer import Recognizer

    recognizer = Recognizer.load(options.model)
    # What is missing is said now, and the first answer comes as fast as the others.
    recognizer.predict(np.zeros(16_000, np.float32), sample_rate=16_000)
    from voicetraits.demo.app import application
    from voicetraits.demo.serve import serve

    card = _CARD.read_text(encoding="utf-8") if _CARD.is_file() else None
    page = application(recognizer, card=card, own_card=options.model is None)
    with quiet_libraries():
        serve(page, port=options.port)
