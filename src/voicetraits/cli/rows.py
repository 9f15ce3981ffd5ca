"""Rows of results as a table, JSON, CSV or Parquet, each written as soon as it is there."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterable, Mapping
from itertools import chain, islice
from typing import Any, BinaryIO, TextIO

Row = Mapping[str, Any]

COLUMNS = (
    *("path", "seconds", "speech_seconds", "language", "language_probability"),
    *("language_probabilities", "gender", "female_probability", "reason", "error"),
)
PLACE = ("start", "end")  # of a line of a timeline; they come after the path
_ROWS_AT_ONCE = 1000  # in a group of rows of Parquet


def write_table(rows: Iterable[Row], out: TextIO, *, timeline: bool) -> None:
    """Write plain columns; the path comes last, for it may have any length."""
    place = (("START", "start", 8), ("END", "end", 8)) if timeline else ()
    columns = (
        *place,
        ("SECONDS", "seconds", 8),
        ("SPEECH", "speech_seconds", 8),
        ("LANGUAGE", "language", 9),
        ("P", "language_probability", 5),
        ("GENDER", "gender", 8),
        ("FEMALE", "female_probability", 6),
    )
    out.write("  ".join([*(title.rjust(width) for title, _, width in columns), "FILE"]) + "\n")
    for row in rows:
        cells = [_cell(row[key], key).rjust(width) for _, key, width in columns]
        why = row["error"] or row["reason"]
        shown = "error: " * bool(row["error"]) + str(why)
        line = "  ".join([*cells, row["path"]]) + (f"  ({shown})" if why else "")
        out.write(_printable(line) + "\n")
        out.flush()


def write_json(rows: Iterable[Row], out: TextIO, *, timeline: bool) -> None:
    """Write one array, an object a line."""
    before = "[\n"
    for row in rows:
        out.write(before + _object(row))
        out.flush()
        before = ",\n"
    out.write("\n]\n" if before == ",\n" else "[]\n")


def write_jsonl(rows: Iterable[Row], out: TextIO, *, timeline: bool) -> None:
    """Write an object a line."""
    for row in rows:
        out.write(_object(row) + "\n")
        out.flush()


def write_csv(rows: Iterable[Row], out: TextIO, *, timeline: bool) -> None:
    """Write CSV; the probabilities of the languages are one column of JSON."""
    columns = _columns(timeline=timeline)
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    # It quotes no carriage return by itself, which other programs take for the end of a line.
    quoting = csv.DictWriter(out, columns, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    writer.writeheader()
    for row in rows:
        languages = json.dumps(row["language_probabilities"])
        of_row = quoting if "\r" in f"{row['path']}{row['error']}" else writer
        of_row.writerow({**row, "language_probabilities": languages})
        out.flush()


def write_parquet(rows: Iterable[Row], out: BinaryIO, *, timeline: bool) -> None:
    """Write Parquet; the probabilities of the languages are a map."""
    import pyarrow
    from pyarrow import parquet

    types = {
        "language_probabilities": pyarrow.map_(pyarrow.string(), pyarrow.float64()),
        **dict.fromkeys(("path", "language", "gender", "reason", "error"), pyarrow.string()),
    }
    schema = pyarrow.schema(
        [(name, types.get(name, pyarrow.float64())) for name in _columns(timeline=timeline)]
    )
    left = iter(rows)
    with parquet.ParquetWriter(out, schema) as writer:
        for first in left:
            group = [_parquet_row(row) for row in chain([first], islice(left, _ROWS_AT_ONCE - 1))]
            writer.write_table(pyarrow.Table.from_pylist(group, schema))


TEXT_WRITERS: Mapping[str, Callable[..., None]] = {
    "table": write_table,
    "json": write_json,
    "jsonl": write_jsonl,
    "csv": write_csv,
}
FORMATS = (*TEXT_WRITERS, "parquet")


def _columns(*, timeline: bool) -> tuple[str, ...]:
    return ("path", *PLACE, *COLUMNS[1:]) if timeline else COLUMNS


def _object(row: Row) -> str:
    # A name that is no UTF-8 holds surrogates, which only an escape brings into valid JSON.
    return json.dumps(row, ensure_ascii=not _is_text(row["path"]), allow_nan=False)


def _parquet_row(row: Row) -> Row:
    path = os.fsencode(row["path"]).decode("utf-8", "backslashreplace")
    return {**row, "path": path, "language_probabilities": [*row["language_probabilities"].items()]}


def _is_text(path: str) -> bool:
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _cell(value: str | float | None, key: str) -> str:
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    return f"{value:.2f}" if key.endswith("probability") else f"{value:.1f}"


def _printable(line: str) -> str:
    """A line without what would break it or the terminal."""
    return "".join(
        char if char.isprintable() or "\udc80" <= char <= "\udcff" else f"\\x{ord(char):02x}"
        for char in line
    )
