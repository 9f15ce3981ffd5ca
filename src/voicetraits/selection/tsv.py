"""Tab-separated tables as Common Voice writes them, and as editors and spreadsheets save them."""

from __future__ import annotations

import codecs
import re
from array import array
from collections.abc import Collection, Iterable, Iterator
from itertools import chain
from typing import IO

from voicetraits.corpus.layout import CorpusError
from voicetraits.corpus.streams import table_chunks

# No table has more: what follows is held in memory. English 25.0 has 2.57 million clips; a sentence
# has some hundred bytes.
_MOST_ROWS = 10_000_000
_LONGEST_LINE = 2**20  # bytes
# Columns that have a value in every row: a row without one of these was not merely trimmed.
_NEVER_EMPTY = {
    *("client_id", "path", "sentence", "up_votes", "down_votes", "locale"),
    *("clip", "duration[ms]", "audio_id", "audio_file", "duration_ms", "votes", "language"),
}
_COLUMN_NAME = re.compile(r'[\w\[\]"-]{1,30}')
_SEPARATORS = {",": "commas", ";": "semicolons", "|": "vertical bars", " ": "blanks"}
_UTF16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


class TsvReader:
    """The rows of a table by column name, front to back, in little memory.

    Common Voice's tables know no quoting: a quotation mark is a part of the sentence, and a line
    is a row. Read as CSV, an unpaired one swallows the rows up to the next. Only where the header
    itself has quotation marks around every name, as pandas and spreadsheets save it, are those
    around a field taken off.

    Attributes:
        columns: Of the header.
    """

    def __init__(self, file: IO[bytes], *, required: Collection[str], source: str) -> None:
        """Read the header.

        Args:
            file: UTF-8 or UTF-16, with any line ends; may be compressed by gzip.
            required: Columns that the table has to have.
            source: What to call the file in an error.

        Raises:
            CorpusError: If it is no text, lacks a required column, or has one column twice.
        """
        self._source = source
        self._lines = _lines(_utf8(table_chunks(file, source)))
        self.columns, self._quoted = self._header(required)
        self._short = array("q")
        self._full_rows_end_in_tab = False

    def _header(self, required: Collection[str]) -> tuple[list[str], bool]:
        first = next(self._lines, b"")
        if first is not None and first.startswith((b"PK\3\4", b"\xd0\xcf\x11\xe0")):
            raise CorpusError(f"{self._source}: a spreadsheet; save it as tab-separated text")
        try:
            if first is None or b"\0" in first:
                raise UnicodeError("no line of text")
            header = first.decode("utf-8-sig")
        except UnicodeError as error:
            raise CorpusError(f"{self._source}: not UTF-8 text; save it as UTF-8") from error
        columns = [name.strip() for name in header.split("\t")]
        quoted = all(len(name) > 1 and name[0] == name[-1] == '"' for name in columns)
        if quoted:
            columns = [_unquoted(name) for name in columns]
        missing = [column for column in required if column not in columns]
        if missing:
            raise CorpusError(
                f"{self._source}: no column {', '.join(missing)}; "
                f"the header has {_names(columns)}{_hint(header, missing)}"
            )
        twice = {name for name in columns if name and columns.count(name) > 1}
        if twice:
            raise CorpusError(
                f"{self._source}: has the column {_names(sorted(twice))} twice; keep one of each, "
                "so that it is clear which is used"
            )
        return columns, quoted

    def __iter__(self) -> Iterator[dict[str, str] | None]:
        """The rows; None for a broken one.

        Broken is a row with the wrong number of fields, not in UTF-8, or with NUL bytes, as a
        damaged disk leaves them. Empty fields that are missing at the end are no fault: they may
        have been trimmed, see `doubtful`.

        Raises:
            CorpusError: If the rows are more than any table has.
        """
        rows = 0
        for line in self._lines:
            if line == b"":
                continue
            rows += 1
            if rows > _MOST_ROWS:
                raise CorpusError(
                    f"{self._source}: more than {_MOST_ROWS:,} rows, which no table of Common "
                    "Voice has; fetch it again"
                )
            yield self._row(line, rows - 1)

    def doubtful(self) -> array[int]:
        """Rows, by number from 0, that lacked fields at the end though no others were trimmed.

        An editor that trims lines takes the empty last fields of all rows. Where other rows have
        kept theirs, a row that is too short has lost something else, and is a broken one.
        """
        return self._short if self._full_rows_end_in_tab else array("q")

    def _row(self, line: bytes | None, number: int) -> dict[str, str] | None:
        """One row by column name; None where the line is broken."""
        if line is None or b"\0" in line:
            return None
        try:
            fields = line.decode("utf-8").split("\t")
        except UnicodeDecodeError:
            return None
        while len(fields) > len(self.columns) and not fields[-1]:
            fields.pop()
        if len(fields) != len(self.columns):
            lacking = self.columns[len(fields) :]
            if not lacking or not _NEVER_EMPTY.isdisjoint(lacking):
                return None
            self._short.append(number)
            fields += [""] * len(lacking)
        elif not fields[-1]:
            self._full_rows_end_in_tab = True
        if self._quoted:
            fields = [_unquoted(field) for field in fields]
        return dict(zip(self.columns, fields, strict=True))


def _unquoted(field: str) -> str:
    if len(field) > 1 and field[0] == field[-1] == '"':
        return field[1:-1].replace('""', '"')
    return field


def _names(columns: Iterable[str]) -> str:
    """Column names for an error. Anything else, such as a speaker id, is not to be printed."""
    names = [name for name in columns if _COLUMN_NAME.fullmatch(name)]
    return ", ".join(names) or "nothing that could be a column's name"


def _hint(header: str, missing: Collection[str]) -> str:
    for separator, name in _SEPARATORS.items():
        if all(column in re.split(rf"[{separator}\"]+", header.strip()) for column in missing):
            return f"; it is separated by {name}, save it with tabs between the columns"
    return ""


def _utf8(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """UTF-16, as spreadsheets save it, to UTF-8; all else as it is."""
    first = next(chunks, b"")
    encoding = _UTF16.get(first[:2])
    if encoding is None and len(first) > 3 and first[0] and not any(first[1:64:2]):
        encoding = "utf-16-le"  # without a mark, it starts with a letter of the alphabet
    if encoding is None:
        yield first
        yield from chunks
        return
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    for chunk in chain([first], chunks):
        yield decoder.decode(chunk).encode("utf-8", "replace")


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes | None]:
    """The lines of a file without their ends; None for one too long to be held in memory.

    A line ends in a line feed, or, in a file without any, in a carriage return.
    """
    rest, too_long, end = b"", False, b""
    for chunk in chunks:
        if not end:
            end = b"\r" if b"\r" in chunk and b"\n" not in chunk else b"\n"
        first, *others = chunk.split(end)
        for following in others:
            yield None if too_long else (rest + first).rstrip(b"\r\n")
            first, rest, too_long = following, b"", False
        rest += first
        if len(rest) >= _LONGEST_LINE:
            rest, too_long = b"", True
    if too_long:
        yield None
    elif rest:
        yield rest.rstrip(b"\r\n")
