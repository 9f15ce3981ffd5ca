"""What the released model is made of, as released.yaml says it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationError, model_validator
from ruamel.yaml import YAML, YAMLError

from voicetraits.errors import InputError
from voicetraits.params import Clip, Crops, Frames, Locale, Section
from voicetraits.params.values import Count, Ending, Name, Share, Whole, native, pattern
from voicetraits.tasks import Task


class ReleasedCorpus(Section):
    """A corpus, and which of it may be used.

    Attributes:
        locales: Of the corpus that are used.
        source: What tells where a clip comes from; see `corpus.source` of params.yaml.
        sources: Those that are used, with their licence; empty where all of the corpus is.
        licence: Of a corpus without sources.
        synthetic: Whether its voices are.
    """

    name: Name
    path: Annotated[str, AfterValidator(native)]
    ending: Ending
    locales: list[Locale]
    source: Annotated[str, AfterValidator(pattern)] = ""
    sources: dict[str, str] = Field(default_factory=dict)
    licence: str = ""
    synthetic: bool = False


class Pico(Section):
    """How much is spoken by SVOX Pico; see `sample.pico`.

    Attributes:
        speakers: Of every language.
        clips: Of every speaker.
    """

    seed: Whole
    speakers: Count
    clips: Count


class Heard(Section):
    """What a finished network hears of a recording.

    Attributes:
        crop: Frames of a crop.
        crops: How many there are, at most.
    """

    crop: Count
    crops: Count


class Phones(Section):
    """What the layers for frames of a network learn first; see `training.phones`.

    Attributes:
        corpora: Names of those whose sentences they learn.
        people: Share of the draws that clips of people have.
    """

    corpora: list[Name]
    people: Share


class ReleasedNetwork(Section):
    """How the network of one task is trained.

    Attributes:
        corpora: Names of those it learns from.
        left_out: Sources that another network of the same recipe is trained without: what is
            reported is measured on them, and on all clips of foreign languages.
        phones: What it learns phones from before, where `frames.phones` is above 0.
        frames: How.
    """

    corpora: list[Name]
    left_out: list[str]
    phones: Phones | None = None
    frames: Frames

    @model_validator(mode="after")
    def _phones_have_corpora(self) -> ReleasedNetwork:
        if (self.phones is None) != (self.frames.phones == 0):
            raise ValueError(
                "`phones` says of which corpora, `frames.phones` for how many steps: give both, or "
                "leave the first out and set the other to 0"
            )
        return self


class Recipe(Section):
    """All parameters of the released model.

    Attributes:
        languages: That it tells apart. Of clips of other locales nothing but the gender is ever
            learned: they show whether it knows what it does not know.
        language, gender: The networks that it is made of.
        heard: What they hear of a recording; longer crops than in training cost less.
        clips_per_speaker: That are used, at most.
        wanted_right: Share of the answers about the language that are to be right.
        most_unknown: Share of the clips that may be left without such an answer for it.
    """

    seed: Whole
    languages: list[Locale]
    clips_per_speaker: Count
    wanted_right: Share
    most_unknown: Share
    pico: Pico
    corpora: list[ReleasedCorpus]
    clip: Clip
    heard: Heard
    language: ReleasedNetwork
    gender: ReleasedNetwork

    @property
    def tasks(self) -> tuple[Task, Task]:
        """What is told, in the order in which the card has it."""
        return _task("language", sorted(self.languages)), _task("gender", ["female", "male"])

    def network(self, task: Task) -> ReleasedNetwork:
        """How the network of a task is trained."""
        return {"language": self.language, "gender": self.gender}[task.name]

    def learned_phones(self, task: Task) -> list[str]:
        """Names of the corpora whose phones the network of a task learns."""
        phones = self.network(task).phones
        return phones.corpora if phones else []

    @property
    def shown(self) -> Crops:
        """What the finished networks hear of a recording: of a short one, a crop as in training."""
        trained = max(self.network(task).frames.crop for task in self.tasks)
        return Crops(self.heard.crop, self.heard.crops, least=min(trained, self.heard.crop))


def _task(name: str, classes: Sequence[str]) -> Task:
    """A task whose column has its name, and whose classes are labels as they are."""
    merged = {label: label for label in classes}
    return Task(name, name, tuple(classes), merged, undersample="random", metrics=())


def read_recipe(path: Path) -> Recipe:
    """Read and check a recipe.

    Raises:
        InputError: If it cannot be read.
    """
    try:
        return Recipe.model_validate(YAML(typ="safe").load(path.read_text(encoding="utf-8")))
    except (OSError, YAMLError, ValidationError) as error:
        raise InputError(f"{path}: {error}") from error
