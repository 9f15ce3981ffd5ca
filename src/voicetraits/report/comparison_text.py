"""A comparison of two revisions, as it is read on a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

from voicetraits.evaluation.intervals import ENOUGH_SPEAKERS
from voicetraits.report.comparison import Record, same_predictions, same_recipe

WIDTH = 100
_HEADER = ("model", "A -> B", "B - A (95 % interval)", "B is")
_MOST_NAMED = 8  # of files, in the text; --json has all


def comparison_text(found: Record) -> str:
    """What `compare_revisions` has found, in Markdown that fits 100 columns."""
    lines = [f"A: {found['a']['title']}", f"B: {found['b']['title']}", ""]
    if found["rows"]:
        compared = [row for row in found["rows"] if "reason" not in row]
        lines += ["Balanced accuracy of the networks, on the test speakers of both:", ""]
        lines += [*_table(compared), ""] if compared else []
        lines += [*_notes(found["rows"])]
    for name, words in (("gone", "Only in A"), ("new", "Only in B")):
        lines += _item(words, ", ".join(found[name])) if found[name] else []
    return "\n".join([*lines, *([""] if lines[-1] else []), *_causes(found)])


def _table(rows: list[Record]) -> Iterator[str]:
    cells = [_HEADER, *(_cells(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    # What a name may take beside the other columns and the lines between them.
    widths[0] = min(widths[0], WIDTH - sum(widths[1:]) - 3 * len(widths) - 1)
    for number, (name, *others) in enumerate(cells):
        for part, text in enumerate(textwrap.wrap(name, widths[0])):
            line = [text, *(others if not part else [""] * len(others))]
            padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            yield f"| {' | '.join(padded)} |"
        if not number:
            yield f"|{'|'.join('-' * (width + 2) for width in widths)}|"


def _cells(row: Record) -> tuple[str, ...]:
    interval = f"{row['difference']:+.3f} ({row['low']:+.3f}, {row['high']:+.3f})"
    return _name(row), f"{row['a']:.2f} -> {row['b']:.2f}", interval, row["verdict"]


def _name(row: Record) -> str:
    """Of the model; with the task where the model has several, and the source left out."""
    task = "" if row["model"].startswith(f"{row['task']}-") else f", {row['task']}"
    return f"{row['model']}{task}{', without ' + row['left_out'] if row['left_out'] else ''}"


def _notes(rows: Iterable[Record]) -> Iterator[str]:
    """What to know of some rows: one item for each note, with the models it is true of."""
    named: dict[str, list[str]] = {}
    for row in rows:
        for note in _notes_of(row):
            named.setdefault(note, []).append(_name(row))
    for note, names in named.items():
        yield from _item(note, ", ".join(names))


def _notes_of(row: Record) -> Iterator[str]:
    if "reason" in row:
        yield f"Cannot be compared ({row['reason']})"
        return
    if row["too_few"]:
        yield f"{row['too_few']}, {ENOUGH_SPEAKERS} needed for a verdict"
    if not row["same_clips"]:
        tested = f"A tested {row['tested']['a']}, B {row['tested']['b']}"
        yield f"Other test parts, {row['paired']} speakers in both ({tested})"


def _causes(found: Record) -> Iterator[str]:
    causes, rows = found["causes"], found["rows"]
    for side in ("a", "b"):
        if found[side]["changed"]:
            changed = _some(found[side]["changed"])
            yield from _item(
                "Changed in the work tree since its models were made; run `make repro`", changed
            )
    if not rows:
        yield "No model is in both."
        return
    if same_recipe(causes):
        if same_predictions(rows):
            yield "Same parameters, code and data, and the same predictions."
            return
        where = ", with other versions in requirements.txt" if causes["requirements"] else ""
        yield from _wrapped(
            "Same parameters, code and data: the difference is the machine or the environment"
            f"{where}."
        )
        yield from _item("First stage with another output", causes["made"][0])
        return
    yield "What differs in the making of the models in both:"
    yield ""
    for key, values in causes["parameters"].items():
        yield from _item(key, f"{_value(values['a'])} -> {_value(values['b'])}")
    if not causes["parameters"]:
        yield "- Parameters: none"
    for name, words in (("code", "Code"), ("data", "Data"), ("stages", "Stages")):
        yield from _item(words, _some(causes[name]) or "the same")
    yield from _item("requirements.txt", "differs" if causes["requirements"] else "the same")


def _value(value: Any) -> str:
    return "none" if value is None else str(value)


def _some(names: list[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join([*names[:_MOST_NAMED], *([f"and {more} more"] if more > 0 else [])])


def _item(words: str, text: str) -> list[str]:
    return _wrapped(f"- {words}: {text}")


def _wrapped(text: str) -> list[str]:
    # Names have hyphens, at which no line is to break.
    return textwrap.wrap(text, WIDTH, subsequent_indent="  ", break_on_hyphens=False)
