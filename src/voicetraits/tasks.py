"""The two tasks, each a declaration; everything else is shared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pandas as pd


@dataclass(frozen=True)
class Task:
    """What is learned, and how its network ends.

    Attributes:
        name: "gender" or "language".
        column: Column of the index that holds the label.
        classes: Labels in the order of the network's outputs. With two, the network has one
            sigmoid output: the probability of the second.
        dense: Units of the dense layers before the output.
        sampler: How the classes are balanced by undersampling.
    """

    name: Literal["gender", "language"]
    column: Literal["gender", "locale"]
    classes: tuple[str, ...]
    dense: tuple[int, ...]
    sampler: Literal["random", "one-sided"]

    @property
    def binary(self) -> bool:
        """Whether the network ends in one sigmoid output."""
        return self.name == "gender"

    def labelled(self, index: pd.DataFrame) -> pd.DataFrame:
        """The clips of an index that carry a label of this task, with it in column `label`."""
        known = index[index[self.column].isin(self.classes)]
        return known.assign(label=known[self.column]).reset_index(drop=True)


# "female" is second, and so the class whose probability the network gives and whose F1 is
# reported: it is the smaller one in Common Voice, and the one that a lazy model gives up.
GENDER = Task("gender", "gender", ("male", "female"), dense=(64,), sampler="random")


def language(locales: list[str]) -> Task:
    """The language task over these locales."""
    return Task("language", "locale", tuple(sorted(locales)), dense=(128, 32), sampler="one-sided")
