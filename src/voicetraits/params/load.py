"""Read params.yaml, and say in one line each what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML, YAMLError

from voicetraits.errors import InputError
from voicetraits.params.sections import Params
from voicetraits.params.tasks import DeclaredTask
from voicetraits.params.values import Name, meant


class ParamsError(InputError):
    """params.yaml holds an unknown key or an impossible value; the message names it."""


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
        # A key that is misspelt is missing, too; what it was meant to be comes first.
        problems = sorted(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
        lines = [_explain(problem, raw) for problem in problems]
        raise ParamsError("\n".join(f"{path}: {line}" for line in lines)) from None


def _explain(problem: Any, raw: dict[str, Any]) -> str:
    """One line for one pydantic error: key, value, what is allowed."""
    location = problem["loc"]
    key = ".".join(str(part) for part in location)
    if problem["type"] == "extra_forbidden":
        return f"unknown key {key!r}; {meant(str(location[-1]), _known_keys(location[:-1]))}"
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
        # The names of the tasks are the user's own.
        model = DeclaredTask if model == dict[Name, DeclaredTask] else model.model_fields[part]
        model = getattr(model, "annotation", model)
    return list(model.model_fields)
