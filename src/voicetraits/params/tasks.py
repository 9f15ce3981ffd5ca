"""Tasks and models, as params.yaml declares them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from voicetraits.params.values import Section

# In the place of a locale, for a model that has them all.
ALL = "all"
# Between the names of tasks that one network learns together.
JOINED = "_and_"
# In place of a list of classes: they are the locales.
LOCALES = "locales"
# Beside the classes, columns of the predictions.
_TAKEN = (
    *("clip", "locale", "speaker", "label", "estimator"),
    *("task", "part", "left_out", "repeat"),
)


def _merged(classes: Any) -> dict[str, list[str]]:
    """Class to the labels that it stands for, in order."""
    if not isinstance(classes, list) or not classes:
        raise ValueError(f"a list of classes is expected, or the word {LOCALES}")
    found: dict[str, list[str]] = {}
    for each in classes:
        pairs = each if isinstance(each, dict) else {each: [each]}
        for name, labels in pairs.items():
            if not isinstance(labels, list) or not all(isinstance(x, str) for x in (name, *labels)):
                raise ValueError("a class is a text, or a text and a list: {class: [label, label]}")
            if name in found or name in _TAKEN:
                raise ValueError(f"{name!r} cannot be a class (again)")
            found[name] = labels
    labels = [label for several in found.values() for label in several]
    if again := sorted({label for label in labels if labels.count(label) > 1}):
        raise ValueError(f"{again[0]!r} is in two classes")
    return found


def _classes(value: Any) -> Any:
    if value != LOCALES:
        _merged(value)
    return value


class DeclaredTask(Section):
    """What is learned: a label of the clips and its classes."""

    label: Literal["gender", "age", "accent", "locale"]
    # "locales", or a list; a dictionary of them would hide their order from DVC.
    classes: Annotated[Any, AfterValidator(_classes)]
    undersample: str
    metrics: Annotated[list[str], Field(min_length=1)]

    @property
    def merged(self) -> dict[str, list[str]]:
        """Class to the labels that it stands for, in order."""
        return _merged(self.classes)


class Models(Section):
    """Which tasks are learned where."""

    # The stage that gathers them depends on the first.
    per_locale: Annotated[list[str], Field(min_length=1)]
    pooled: list[str]
