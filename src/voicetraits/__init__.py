"""Learn voice gender and language from short clips, and recognise both in recordings."""

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    """Load `Recognizer` when it is first asked for, so that importing the package takes no time."""
    if name == "Recognizer":
        return import_module("voicetraits.recognizer.recognizer").Recognizer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
