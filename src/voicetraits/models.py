"""The models that params.yaml declares: a task, its locales, a representation and a network."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from voicetraits.params import ALL, JOINED, LOCALES, Params
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
        within: Name of the joined task, where this is one of the tasks that are learned together.
    """

    task: Task
    locale: str
    locales: tuple[str, ...]
    representation: str
    network: str
    within: str = ""

    @property
    def name(self) -> str:
        """What results name it by, e.g. gender-es-features-original."""
        return f"{self.folder}-{self.task.name}" if self.within else self.folder

    @property
    def folder(self) -> str:
        """Name of its folder in models/, which tasks learned together share."""
        return f"{self.split}-{self.representation}-{self.network}"

    @property
    def split(self) -> str:
        """Name of its split table, which models of the same task and locales share."""
        return f"{self.within or self.task.name}-{self.locale}"

    @property
    def columns(self) -> dict[str, Any]:
        """What says, in every table of results, which model a row belongs to."""
        return {
            "model": self.name,
            "task": self.task.name,
            "locale": self.locale,
            "representation": self.representation,
            "network": f"{self.network}, joined" if self.within else self.network,
        }

    @property
    def judged(self) -> list[Model]:
        """The same model, once for every task that it learns."""
        within = self.task.name if self.task.joined else ""
        return [replace(self, task=task, within=within) for task in self.task.tasks]


def declared_task(params: Params, name: str) -> Task:
    """A task of params.yaml by its name; by those of several, that which joins them."""
    if JOINED in name:
        joined = tuple(declared_task(params, each) for each in name.split(JOINED))
        return replace(joined[0], name=name, joined=joined)
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


def declared_homes(params: Params, locales: Iterable[str]) -> list[tuple[str, str]]:
    """Where clips of these locales are: locale and corpus, "" for that which is tested on."""
    corpora = ["", *(corpus.name for corpus in params.beside)]
    return [(locale, corpus) for corpus in corpora for locale in locales]


def declared_model(
    params: Params, task: str, locale: str, representation: str, network: str
) -> Model:
    """One model by the names that dvc.yaml gives its stage."""
    locales = declared_locales(params, locale)
    return Model(declared_task(params, task), locale, locales, representation, network)


def declared_models(params: Params) -> list[Model]:
    """All models that are trained."""
    of_one_length = list(product(params.representations, params.networks))
    of_any = list(product(params.frames.representations, params.frames.networks))
    trained = [
        *product(params.models.per_locale, params.locales, of_one_length),
        *product(params.models.pooled, [ALL], of_one_length),
        *product(params.frames.per_locale, params.locales, of_any),
        *product(params.models.pooled, [ALL], of_any),
        *product(params.frames.joined, [ALL], of_any),
    ]
    return [declared_model(params, task, locale, *pair) for task, locale, pair in trained]


def judged_models(params: Params) -> list[Model]:
    """All models once for each task that they learn, in the order in which they are shown."""
    found = [judged for model in declared_models(params) for judged in model.judged]
    tasks = list(params.tasks)
    return sorted(found, key=lambda model: tasks.index(model.task.name))
