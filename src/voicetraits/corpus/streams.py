"""The bytes of an archive or a table, decompressed as a stream, whatever its name promises."""

from __future__ import annotations

import bz2
import io
import lzma
import sys
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from voicetraits.corpus.layout import CorpusError, readable

_GZIP, _BZIP2, _XZ, _ZSTD = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"
_ZIP = (b"PK\3\4", b"PK\5\6")
_READ_AT_ONCE = 2**20  # bytes
_MOST_LAYERS = 3  # of compression: a download compressed once more by its server or its user
# What is no archive, by its first bytes, and what to do about it.
_OTHERS = {
    b"PK\3\4": "is a zip archive, compressed once more as a stream; undo that: gunzip",
    b"7z\xbc\xaf\x27\x1c": "is a 7z archive, which cannot be read as a stream; unpack it: 7z x",
    b"Rar!": "is a RAR archive, which cannot be read as a stream; unpack it: unrar x",
    b"version https://git-lfs": "is a pointer of Git LFS, not the archive; fetch it: git lfs pull",
}


def is_zip(path: Path) -> bool:
    """Whether a file is a zip archive.

    Raises:
        CorpusError: If it cannot be read, or is something else that is known to be no archive.
    """
    with readable(path), path.open("rb") as file:
        start = file.read(512)
        if start.startswith(_ZIP):
            return True
        refuse_others(start, path)
        return False


def refuse_others(start: bytes, path: Path) -> None:
    """Tell what is no archive from a broken one.

    Args:
        start: The first bytes, after decompression.
        path: Of the archive.

    Raises:
        CorpusError: If they are of a web page, or of an archive of a kind that is not read.
    """
    for magic, what in _OTHERS.items():
        if start.startswith(magic):
            raise CorpusError(f"{path}: {what}")
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    # A tar file starts with a name, which may be any.
    if text.startswith((b"<", b"{")) and start[257:262] != b"ustar":
        raise CorpusError(
            f"{path}: is no archive but a web page, such as a server sends when an address has "
            "expired or asks for a login; download it again"
        )


def decompressed(file: io.BufferedReader, path: Path) -> io.BufferedReader:
    """A stream of what a file holds, decompressed as often as it is compressed.

    Args:
        file: gzip, bzip2, xz, Zstandard, or none of these.
        path: For errors, and for the line that tells of bytes behind the end.
    """
    for _ in range(_MOST_LAYERS):
        start = file.peek(6)[:6]
        stream: Any
        if start.startswith(_GZIP):
            stream = _Gzip(file, path)
        elif start.startswith(_BZIP2):
            stream = bz2.BZ2File(file)
        elif start.startswith(_XZ):
            stream = lzma.LZMAFile(file)  # noqa: SIM115 (it is what is given back)
        elif start.startswith(_ZSTD):
            stream = _Zstandard(file)
        else:
            break
        file = io.BufferedReader(stream, _READ_AT_ONCE)
    return file


def table_chunks(file: IO[bytes], source: str) -> Iterator[bytes]:
    """What a table holds, some at a time; a table may be compressed by gzip on its own.

    Args:
        file: The table, from its first byte on.
        source: What to call it in an error.

    Raises:
        CorpusError: If its gzip file is broken.
    """
    gzipped = file.read(2) == _GZIP
    file.seek(0)
    stream: IO[bytes] = cast(IO[bytes], _Gzip(file, source)) if gzipped else file
    try:
        while data := stream.read(_READ_AT_ONCE):
            yield data
    except (zlib.error, EOFError) as error:
        raise CorpusError(f"{source}: broken or cut off ({error}); fetch it again") from error


class _Gzip(io.RawIOBase):
    """A gzip file, read to the last byte that is one.

    Not the standard library's, which refuses a file with something else behind its end, such as
    the line end that a script or an upload form has added.
    """

    def __init__(self, file: IO[bytes], name: object) -> None:
        self._file, self._name = file, name
        self._input = b""
        self._member: Any = zlib.decompressobj(wbits=31)  # with header and checksum
        self._done = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._done:
            if not self._input:
                self._input = self._file.read(_READ_AT_ONCE)
                if not self._input:
                    raise EOFError("the gzip file ends before its checksum")
            found = self._member.decompress(self._input, len(buffer))
            self._input = self._member.unconsumed_tail
            if self._member.eof:
                self._input = self._member.unused_data
                self._next_member()
            if found:
                buffer[: len(found)] = found
                return len(found)
        return 0

    def _next_member(self) -> None:
        """A gzip file may be several, one after the other, with zeros between them."""
        while not self._input.lstrip(b"\0"):
            self._input = self._file.read(_READ_AT_ONCE)
            if not self._input:
                self._done = True
                return
        self._input = self._input.lstrip(b"\0")
        if len(self._input) < 2:
            self._input += self._file.read(2)
        if self._input.startswith(_GZIP):
            self._member = zlib.decompressobj(wbits=31)
            return
        print(
            f"{self._name}: what stands behind the end of the gzip file is left unread",
            file=sys.stderr,
        )
        self._done = True


class _Zstandard(io.RawIOBase):
    """A Zstandard file, by way of Arrow, which reads Parquet with it."""

    def __init__(self, file: IO[bytes]) -> None:
        import pyarrow as pa

        self._stream = pa.CompressedInputStream(pa.PythonFile(file, mode="r"), "zstd")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        found = self._stream.read(len(buffer))
        buffer[: len(found)] = found
        return len(found)


@contextmanager
def clear_errors(path: Path) -> Iterator[None]:
    """Turn what a broken or unreadable archive raises into one line."""
    with readable(path):
        try:
            yield
        except (tarfile.TarError, zlib.error, lzma.LZMAError, EOFError) as error:
            raise broken(path, error) from error
        except OSError as error:
            if error.errno is not None:
                raise  # of the disk; decompressors give no number
            raise broken(path, error) from error


def broken(path: Path, error: Exception) -> CorpusError:
    """The error for an archive that is damaged."""
    return CorpusError(
        f"{path}: broken or cut off ({error}); compare its size with the download page "
        "and fetch it again"
    )
