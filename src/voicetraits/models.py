"""The models that params.yaml declares: a task, its locales, a representation and a network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

from voicetraits.params import ALL, LOCALES, Params
from voicetraits.tasks import Task


@dataclass(frozen=True)
class Model:
    """One model of the experiment.

    Attributes:
        task: What it learns.
        locale: Where its clips come from: one locale, or ALL.
        locales: The same as a list.
        representation: What it sees: a name in REPRESENTATIONS.
        network: What it is: a name in NETWORKS.
    """

    task: Task
    locale: str
    locales: tuple[str, ...]
    representation: str
    network: str

    @property
    def name(self) -> str:
        """Name of its folder in models/, e.g. gender-es-features-original."""
        return f"{self.split}-{self.representation}-{self.network}"

    @property
    def split(self) -> str:
        """Name of its split table, which models of the same task and locales share."""
        return f"{self.task.name}-{self.locale}"

    @property
    def columns(self) -> dict[str, Any]:
        """What says, in every table of results, which model a row belongs to."""
        return {
            "model": self.name,
            "task": self.task.name,
            "locale": self.locale,
            "representation": self.representation,
            "network": self.network,
        }


def declared_task(params: Params, name: str) -> Task:
    """A task of params.yaml by its name."""
    declared = params.tasks[name]
    if declared.classes == LOCALES:
        classes = {locale: [locale] for locale in sorted(params.locales)}
    else:
        classes = declared.merged
    return Task(
        name,
        declared.label,
        classes=tuple(classes),
        merged={label: each for each, labels in classes.items() for label in labels},
        undersample=declared.undersample,
        metrics=tuple(declared.metrics),
    )


def declared_locales(params: Params, locale: str) -> tuple[str, ...]:
    """The locales behind a locale or ALL."""
    return tuple(params.locales) if locale == ALL else (locale,)


def declared_model(
    params: Params, task: str, locale: str, representation: str, network: str
) -> Model:
    """One model by the names that dvc.yaml gives its stage."""
    locales = declared_locales(params, locale)
    return Model(declared_task(params, task), locale, locales, representation, network)


def declared_models(params: Params) -> list[Model]:
    """All models, in the order in which they are shown."""
    return [
        declared_model(params, task, locale, representation, network)
        for task, locale in _declared_splits(params)
        for representation, network in (
            *product(params.representations, params.networks),
            *product(params.frames.representations, params.frames.networks),
        )
    ]


def _declared_splits(params: Params) -> Iterator[tuple[str, str]]:
    for task in params.models.per_locale:
        for locale in params.locales:
            yield task, locale
    for task in params.models.pooled:
        yield task, ALL
