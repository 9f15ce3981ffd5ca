"""Tar files as streams, the broken ones told from the finished."""

from __future__ import annotations

import tarfile
from typing import IO

# tarfile reads long names and extended headers into memory, whatever size they claim.
_LARGEST_HEADER = 2**20  # bytes
_HEADER_TYPES = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)


class _StrictHeader(tarfile.TarInfo):
    """A header that tells a broken archive from a finished one.

    tarfile stops without a word at a header that is broken or missing; only the block of zeros
    that ends every archive is an end here.
    """

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _StrictHeader:
        try:
            header = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if len(buf) == tarfile.BLOCKSIZE and not any(buf):
                raise
            raise tarfile.ReadError(str(error)) from error
        if header.type in _HEADER_TYPES and header.size > _LARGEST_HEADER:
            raise tarfile.ReadError(f"a header of {header.size:,} bytes")
        return header


def open_tar(stream: IO[bytes]) -> tarfile.TarFile:
    """Open a tar file that is read once, from front to back."""
    return tarfile.open(
        fileobj=stream, mode="r|", bufsize=2**17, tarinfo=_StrictHeader, encoding="utf-8"
    )
