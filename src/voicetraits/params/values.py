"""The kinds of value that params.yaml holds, as people write them, and what some come to."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

# A crop that is shorter than others has a whole number of so many frames: each length is compiled.
STEP = 25
# As people write numbers, and as YAML and the grammar of `-S` do not always understand them.
_NUMBER = re.compile(r"[+-]?(\d[\d_]*\.?[\d_]*|\.\d[\d_]*)([eE][+-]?\d+)?")


def _number(value: Any) -> Any:
    """Text that is a number as that number; all else as it is."""
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        return float(value.replace("_", ""))
    return value


def _whole(value: Any) -> Any:
    """The same, and a number without a fraction as an integer: `-S` makes a float of 1e4."""
    if isinstance(value, str) and value.strip().isdecimal():
        return int(value)
    value = _number(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def native(path: str) -> str:
    """A path in the form that Python has it in, also where the locale is not UTF-8."""
    return os.fsdecode(path.encode("utf-8"))


def pattern(source: str) -> str:
    """A column, or a pattern behind ^, as it is.

    Raises:
        ValueError: If it is a broken pattern.
    """
    if source.startswith("^"):
        try:
            re.compile(source)
        except re.error as error:
            raise ValueError(f"no regular expression: {error}") from None
    return source


Number = Annotated[float, BeforeValidator(_number)]
Whole = Annotated[int, BeforeValidator(_whole)]
# Of a corpus, behind the locale; "" for a folder.
Ending = Literal[".tar.gz", ".tgz", ".tar", ".tar.bz2", ".tar.xz", ".tar.zst", ".zip", ""]
# What becomes a file name and the name of a DVC stage.
Locale = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]+)*$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
Share = Annotated[Number, Field(gt=0, lt=1)]
Count = Annotated[Whole, Field(ge=1)]


class Section(BaseModel):
    """A part of params.yaml: no unknown keys, nothing but text taken for a number, read-only."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Crops(NamedTuple):
    """What a network on clips of any length is shown of each.

    Longer crops than in training cost less than many short ones. A clip that is shorter than such a
    crop is not repeated beyond what it takes to fill STEP frames, or a crop as in training.

    Attributes:
        frames: Length of a crop.
        most: How many crops a clip has, at most.
        least: Up to what length a shorter clip is repeated, at least.
    """

    frames: int
    most: int
    least: int

    def length(self, clip: int) -> int:
        """Frames of the crops of a clip that has so many frames."""
        return min(max(-(-clip // STEP) * STEP, self.least), self.frames)


def unknown(key: str, name: str, known: Iterable[str]) -> str:
    """What to say of a name under a key that is none of those known there."""
    return f"{key} names {name!r}, which is not known; {meant(name, known)}"


def meant(name: str, known: Iterable[str]) -> str:
    """The known name that is nearest to an unknown one, or all of them."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}"
