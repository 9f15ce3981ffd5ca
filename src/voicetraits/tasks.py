"""What a network learns: a label of the clips, its classes, and how they are judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd  # half a second, which the check of the names has no use for


@dataclass(frozen=True)
class Head:
    """One output of a network.

    Attributes:
        name: Of the task it answers.
        classes: Number of its classes. Two have one sigmoid unit, the probability of the second
            class; more have a softmax over all.
    """

    name: str
    classes: int

    @property
    def units(self) -> int:
        """Units of the output layer."""
        return 1 if self.classes == 2 else self.classes


@dataclass(frozen=True)
class Task:
    """One task, as params.yaml declares it.

    Attributes:
        name: As in `tasks` of params.yaml.
        column: Column of the index that holds the label.
        classes: In their natural order, which is that of the network's outputs.
        merged: Label of the column to class, for all labels that are used.
        undersample: How undersampling balances the classes: a name in SAMPLERS.
        metrics: Names in METRICS, beside those that every task has; the first is in the table.
        joined: The tasks that one network learns together; empty where it learns this one alone.
            The first of them has a label for every clip, and gives the rest of these attributes.
    """

    name: str
    column: str
    classes: tuple[str, ...]
    merged: dict[str, str]
    undersample: str
    metrics: tuple[str, ...]
    joined: tuple[Task, ...] = ()

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The tasks that a network learns: those joined, or this one."""
        return self.joined or (self,)

    @property
    def heads(self) -> tuple[Head, ...]:
        """Outputs of a network that learns this task."""
        return tuple(Head(each.name, len(each.classes)) for each in self.tasks)

    def labelled(self, index: pd.DataFrame) -> pd.DataFrame:
        """The clips of an index that carry a label of this task, with their class as `label`."""
        label = index[self.column].map(self.merged)
        return index.assign(label=label)[label.notna()].reset_index(drop=True)
