"""What libsndfile reads, but for what it misreads."""

from __future__ import annotations

import io
from contextlib import suppress

import soundfile

_PAGE = b"OggS"
_PAGE_HEADER = 27  # bytes; the last of them says how many segments follow
_FIRST_PAGE, _LAST_PAGE = 2, 4  # flags


class MisreadError(Exception):
    """A file that libsndfile would open, and not give as it is."""


def by_libsndfile(data: bytes) -> soundfile.SoundFile:
    """Open a file.

    Args:
        data: Its bytes.

    Raises:
        soundfile.LibsndfileError: If libsndfile does not know it.
        MisreadError: If only the first of several Oggs would be read; or for samples without a
            header, which it takes for an MPEG layer I that nobody records in.
    """
    if data.startswith(_PAGE) and _is_chained(data):
        raise MisreadError
    file = soundfile.SoundFile(_Bytes(data))
    if file.subtype == "MPEG_LAYER_I":
        file.close()
        raise MisreadError
    return file


class _Bytes(io.BytesIO):
    """Bytes before whose beginning a damaged header can send libsndfile without a traceback."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a place; stay where there is none."""
        with suppress(ValueError):
            return super().seek(offset, whence)
        return self.tell()


def _is_chained(data: bytes) -> bool:
    """Whether another Ogg begins where one has ended, as RFC 3533 allows."""
    place, ended = 0, False
    while (place := data.find(_PAGE, place)) >= 0 and place + _PAGE_HEADER <= len(data):
        flags = data[place + 5]
        if ended and flags & _FIRST_PAGE:
            return True
        ended = ended or bool(flags & _LAST_PAGE)
        segments = data[place + _PAGE_HEADER - 1]
        sizes = data[place + _PAGE_HEADER : place + _PAGE_HEADER + segments]
        place += _PAGE_HEADER + segments + sum(sizes)
    return False
