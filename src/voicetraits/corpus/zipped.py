"""One locale of Common Voice, read from a zip archive, which tells its files at its end."""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

from voicetraits.corpus.layout import (
    LARGEST_CLIP,
    LARGEST_TABLE,
    TOO_LARGE,
    CorpusError,
    Place,
    Roots,
    is_unsafe,
    place,
)
from voicetraits.corpus.listed import ListedCorpus
from voicetraits.corpus.streams import broken

_UTF8_NAME, _ENCRYPTED = 0x800, 0x1


class ZipCorpus(ListedCorpus):
    """One locale in a zip archive, read file by file and never unpacked."""

    @contextmanager
    def _opened(self) -> Iterator[None]:
        try:
            with zipfile.ZipFile(self.path) as self._zip:
                self.roots = Roots(self.path)
                self._infos: dict[str, zipfile.ZipInfo] = {}
                for info in self._zip.infolist():
                    if not info.is_dir() and self._is_safe(info):
                        self._infos.setdefault(_name(info), info)
                yield
        except (zipfile.BadZipFile, NotImplementedError, zlib.error, EOFError) as error:
            raise broken(self.path, error) from error

    def _is_safe(self, info: zipfile.ZipInfo) -> bool:
        mode = info.external_attr >> 16
        if info.flag_bits & _ENCRYPTED:
            raise CorpusError(f"{self.path}: is locked with a password; pack it without")
        if is_unsafe(_name(info)):
            self.skipped["unsafe name"] += 1
        elif stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            self.skipped["link or device"] += 1
        else:
            return True
        return False

    def _find_tables(self) -> dict[str, str]:
        paths: dict[str, str] = {}
        for path in self._infos:
            found = place(path)
            if found is None:
                self.roots.pass_by(path)
                continue
            self.roots.add(found)
            if found.kind == "table":
                paths.setdefault(found.name, path)
        return paths

    def _open(self, path: str) -> IO[bytes]:
        size = self._infos[path].file_size
        if size > LARGEST_TABLE:
            raise CorpusError(
                f"{self.path}: {path} has {size / 2**30:,.0f} GiB, which no table of Common Voice "
                "has; fetch the archive again"
            )
        return self._zip.open(self._infos[path])

    def _files(self) -> Iterator[tuple[str, Place]]:
        for path in self._infos:
            found = place(path)
            if found is not None:
                self.roots.add(found)
                if found.kind == "clip":
                    yield path, found

    def _read(self, path: str) -> bytes | str:
        info = self._infos[path]
        return TOO_LARGE if info.file_size > LARGEST_CLIP else self._zip.read(info)


def _name(info: zipfile.ZipInfo) -> str:
    """The path of a file. Some tools write UTF-8 without saying so, or backslashes."""
    name = info.filename
    if not info.flag_bits & _UTF8_NAME:
        with suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return name.replace("\\", "/")
