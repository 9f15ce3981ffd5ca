"""Import a large package without what it imports itself and we have no use for."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any


class _Placeholder(ModuleType):
    """A module in which every name is there, and is None."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__path__: list[str] = []  # a package: others may be said to be in it

    def __getattr__(self, name: str) -> Any:
        return None


@contextmanager
def without(*names: str) -> Iterator[None]:
    """Let an import statement find empty modules of these names, as long as the block lasts.

    For packages that import others at the top for functions that we never call: Keras for
    galleries of pictures, pyAudioAnalysis for plots and one filter. It saves every training and
    extraction process a second or two. A module that is loaded already stays as it is.

    Args:
        names: Modules by their full name, a package before what is in it.
    """
    missing = [name for name in names if name not in sys.modules]
    for name in missing:
        sys.modules[name] = _Placeholder(name)
    try:
        yield
    finally:
        for name in missing:
            del sys.modules[name]
