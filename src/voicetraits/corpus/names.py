"""The clips that a table lists, found among files whose names differ a little from the listed."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Collection
from functools import cached_property
from urllib.parse import unquote

AUDIO_ENDINGS = {".mp3", ".wav", ".flac", ".ogg", ".opus", ".m4a", ".mp4", ".aac", ".webm", ".amr"}


class WantedClips:
    """Listed clips, and the files of a corpus that could be them.

    A file of the listed name in its place is the clip. Failing that, it is the only file whose name
    is the listed one but for its folder below clips/, upper and lower case, the ending of another
    audio format, percent signs for other characters, or accents written as one character or two
    (macOS changes those).

    >>> wanted = WantedClips(["ä.mp3", "b.mp3"])
    >>> wanted.note("clips/1/%C3%A4.WAV", "%C3%A4.WAV")
    >>> wanted.settle(found=["b.mp3"])
    ({'clips/1/%C3%A4.WAV': 'ä.mp3'}, [])

    Attributes:
        stray: A file that is no listed clip, to show what the names look like; "" where all are.
    """

    def __init__(self, names: Collection[str]) -> None:
        self.names = names
        self.stray = ""
        self._alike: dict[str, set[str]] = defaultdict(set)

    def is_listed(self, name: str, *, plain: bool) -> bool:
        """Whether a file right in its place is a listed clip, by its very name."""
        return plain and name in self.names

    def note(self, path: str, name: str) -> None:
        """Take a file into account that is none by its very name.

        Args:
            path: To find it again.
            name: The last part of it.
        """
        listed = self._by_key.get(_key(name))
        if listed:
            self._alike[listed].add(path)
        elif not self.stray:
            self.stray = name

    def settle(self, found: Collection[str]) -> tuple[dict[str, str], list[str]]:
        """Which of the noted files are the listed clips that were not found by their very name.

        Args:
            found: Clips that were.

        Returns:
            The clip by the path of its file, and the clips that could be several files.
        """
        missing = {name: paths for name, paths in self._alike.items() if name not in found}
        alone = {next(iter(paths)): name for name, paths in missing.items() if len(paths) == 1}
        return alone, sorted(name for name, paths in missing.items() if len(paths) > 1)

    @cached_property
    def _by_key(self) -> dict[str, str]:
        """Listed name by what two names for one clip have in common; "" where two share it."""
        names: dict[str, str] = {}
        for name in self.names:
            key = _key(name)
            names[key] = "" if key in names else name
        return names


def _key(name: str) -> str:
    if "%" in name:
        name = unquote(name)
    if not name.isascii():
        name = unicodedata.normalize("NFC", name)
    stem, _, ending = name.rpartition(".")
    return (stem if f".{ending.lower()}" in AUDIO_ENDINGS else name).casefold()
