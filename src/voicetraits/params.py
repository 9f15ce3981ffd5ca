"""params.yaml as one typed, validated object.

Every stage loads the whole file, so that a typo or an impossible value anywhere stops the run
before any work, whichever stage comes first.
"""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)
from ruamel.yaml import YAML, YAMLError

from voicetraits.errors import InputError

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


def _native(path: str) -> str:
    """A path in the form that Python has it in, also where the locale is not UTF-8."""
    return os.fsdecode(path.encode("utf-8"))


Number = Annotated[float, BeforeValidator(_number)]
Whole = Annotated[int, BeforeValidator(_whole)]
Representation = Literal["features", "spectrogram"]
# Of a corpus, behind the locale; "" for a folder.
Ending = Literal[".tar.gz", ".tgz", ".tar", ".tar.bz2", ".tar.xz", ".tar.zst", ".zip", ""]
# Locale names become file names and DVC stage names.
Locale = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]+)*$")]
Share = Annotated[Number, Field(gt=0, lt=1)]
Count = Annotated[Whole, Field(ge=1)]


class ParamsError(InputError):
    """params.yaml holds an unknown key or an impossible value; the message names it."""


class Section(BaseModel):
    """A part of params.yaml: no unknown keys, nothing but text taken for a number, read-only."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Sample(Section):
    """The synthetic corpus."""

    seed: Annotated[Whole, Field(ge=0)]
    speakers: dict[Locale, Count]
    female: Share
    unlabelled: Annotated[Number, Field(ge=0, le=1)]
    clips_min: Count
    clips_max: Count

    @model_validator(mode="after")
    def _ordered(self) -> Sample:
        if self.clips_min > self.clips_max:
            raise ValueError(f"clips_min ({self.clips_min}) exceeds clips_max ({self.clips_max})")
        return self


class Corpus(Section):
    """Where the Common Voice archives or folders are, and whose split is used."""

    path: Annotated[str, StringConstraints(min_length=1), AfterValidator(_native)]
    ending: Ending
    splits: Literal["ours", "common_voice"]


class Select(Section):
    """Which clips of a corpus are used."""

    clips_per_speaker: Count
    clips_per_locale: Count


class Clip(Section):
    """The one format that every clip is brought to."""

    sample_rate: Annotated[Whole, Field(ge=8000, le=48000)]
    seconds: Annotated[Number, Field(ge=0.5, le=60)]

    @property
    def samples(self) -> int:
        """Length of every clip, in samples."""
        return round(self.seconds * self.sample_rate)


class Extract(Section):
    """The analysis windows of both representations."""

    window: Annotated[Number, Field(ge=0.01, le=0.5)]
    # Four poolings halve the frames four times: fewer than 16 leave nothing.
    frames: Annotated[Whole, Field(ge=16, le=1024)]


class Split(Section):
    """Shares of the speakers (or clips) in each part."""

    test: Share
    validation: Share
    # One each for training, validation and test.
    min_speakers: Annotated[Whole, Field(ge=3)]


class Protocol(Section):
    """What the test part is kept apart from."""

    split_by: Literal["speaker", "clip"]
    undersample: Literal["training", "everything"]
    scale: Literal["training", "everything"]


class Train(Section):
    """Optimisation, the same for every cell."""

    epochs: Count
    steps: Count
    batch_size: Annotated[Whole, Field(ge=2)]
    learning_rate: Annotated[Number, Field(gt=0, le=1)]
    warmup: Annotated[Whole, Field(ge=0)]
    patience: Count
    selection_clips: Count
    memory_budget_gb: Annotated[Number, Field(ge=0)]


class Params(Section):
    """The whole of params.yaml."""

    seed: Annotated[Whole, Field(ge=0, lt=2**32)]
    locales: Annotated[list[Locale], Field(min_length=1)]
    representations: Annotated[list[Representation], Field(min_length=1)]
    sample: Sample
    corpus: Corpus
    select: Select
    clip: Clip
    extract: Extract
    split: Split
    protocol: Protocol
    train: Train

    @model_validator(mode="after")
    def _consistent(self) -> Params:
        for name in ("locales", "representations"):
            values = getattr(self, name)
            if len(set(values)) < len(values):
                raise ValueError(f"{name} names one value twice: {', '.join(values)}")
        if self.hop < 1:
            raise ValueError(
                f"clip.seconds ({self.clip.seconds}) is too short for extract.frames "
                f"({self.extract.frames}) windows of extract.window ({self.extract.window}) seconds"
            )
        return self

    @property
    def window(self) -> int:
        """Analysis window in samples."""
        return round(self.extract.window * self.clip.sample_rate)

    @property
    def hop(self) -> int:
        """Step in samples that spreads the windows over the clip, the last one ending with it."""
        return (self.clip.samples - self.window) // (self.extract.frames - 1)


# Where DVC's grammar of `-S` may have made something else of what was meant.
_HINTS = {
    "string_type": "; with -S, write a text in two pairs of quotes: -S '{}=\"...\"'",
    "list_type": "; with -S, write a list in brackets and quotes: -S '{}=[..., ...]'",
}


def load_params(path: str | Path = "params.yaml") -> Params:
    """Read and validate params.yaml, by the YAML that DVC reads it by.

    Raises:
        ParamsError: If the file is missing, is not YAML, holds an unknown key or an impossible
            value. The message has one line per problem with the key, the value and what is allowed.
    """
    try:
        raw = YAML(typ="safe").load(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, YAMLError) as error:
        raise ParamsError(f"{path}: cannot be read: {error}") from error
    if not isinstance(raw, dict):
        raise ParamsError(f"{path}: expected sections, found {type(raw).__name__}")
    try:
        return Params.model_validate(raw)
    except ValidationError as error:
        lines = [_explain(problem, raw) for problem in error.errors()]
        raise ParamsError("\n".join(f"{path}: {line}" for line in lines)) from None


def _explain(problem: Any, raw: dict[str, Any]) -> str:
    """One line for one pydantic error: key, value, what is allowed."""
    location = problem["loc"]
    key = ".".join(str(part) for part in location)
    if problem["type"] == "extra_forbidden":
        known = _known_keys(location[:-1])
        near = difflib.get_close_matches(str(location[-1]), known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}"
        return f"unknown key {key!r}; {hint}"
    if problem["type"] == "missing":
        return f"missing key {key!r}"
    allowed = problem["msg"].removeprefix("Value error, ")
    if not location:
        return allowed
    hint = _HINTS.get(problem["type"], "").format(key)
    if isinstance(problem["input"], dict):
        return f"{key}: {allowed}{hint}"
    return f"{key} = {problem['input']!r} is not possible: {allowed}{hint}"


def _known_keys(location: tuple[Any, ...]) -> list[str]:
    model: Any = Params
    for part in location:
        model = model.model_fields[part].annotation
    return list(model.model_fields)
