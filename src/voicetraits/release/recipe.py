"""What the released model is made of, as released.yaml says it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationError
from ruamel.yaml import YAML, YAMLError

from voicetraits.errors import InputError
from voicetraits.params import Clip, Frames, Locale, Section
from voicetraits.params.values import Count, Ending, Name, Share, Whole, native, pattern


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


class Recipe(Section):
    """All parameters of the released model.

    Attributes:
        languages: That it tells apart. Clips of other locales are never trained on: they show
            whether it knows what it does not know.
        left_out: Sources, as sets that are left out together to measure what is reported.
        clips_per_speaker: That are used, at most.
        wanted_right: Share of the answers about the language that are to be right.
        most_unknown: Share of the clips that may be left without such an answer for it.
    """

    seed: Whole
    languages: list[Locale]
    left_out: list[list[str]]
    clips_per_speaker: Count
    wanted_right: Share
    most_unknown: Share
    corpora: list[ReleasedCorpus]
    clip: Clip
    frames: Frames

    def of_one_network(self) -> Recipe:
        """The same for a network trained on the labels alone, which stands for no others."""
        frames = self.frames.model_copy(update={"ensemble": 1, "distil": 0})
        return self.model_copy(update={"frames": frames})


def read_recipe(path: Path) -> Recipe:
    """Read and check a recipe.

    Raises:
        InputError: If it cannot be read, or names what is not there.
    """
    try:
        recipe = Recipe.model_validate(YAML(typ="safe").load(path.read_text(encoding="utf-8")))
    except (OSError, YAMLError, ValidationError) as error:
        raise InputError(f"{path}: {error}") from error
    for corpus in recipe.corpora:
        if not Path(corpus.path).is_dir():
            raise InputError(f"{path}: corpora: {corpus.path} is not a folder")
    return recipe
