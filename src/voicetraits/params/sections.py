"""params.yaml as one typed, validated object.

Every stage loads the whole file, so that a typo or an impossible value anywhere stops the run
before any work, whichever stage comes first.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from voicetraits.params.tasks import ALL, JOINED, LOCALES, DeclaredTask, Models
from voicetraits.params.values import (
    Count,
    Crops,
    Ending,
    Locale,
    Name,
    Number,
    Section,
    Share,
    Whole,
    native,
    pattern,
    unknown,
)

Folder = Annotated[str, StringConstraints(min_length=1), AfterValidator(native)]


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

    path: Folder
    ending: Ending
    splits: Literal["ours", "common_voice"]
    source: Annotated[str, AfterValidator(pattern)]


class Beside(Section):
    """A further corpus, all of whose clips are trained on."""

    name: Name
    path: Folder
    ending: Ending
    source: Annotated[str, AfterValidator(pattern)] = ""


class Select(Section):
    """Which clips of a corpus are used."""

    clips_per_speaker: Count
    clips_per_locale: Count


class Clip(Section):
    """The one format that every clip is brought to."""

    sample_rate: Annotated[Whole, Field(ge=8000, le=48000)]
    seconds: Annotated[Number, Field(ge=0.5, le=60)]
    longest: Annotated[Number, Field(ge=0.5, le=600)]

    @model_validator(mode="after")
    def _ordered(self) -> Clip:
        if self.longest < self.seconds:
            raise ValueError(f"longest ({self.longest}) is shorter than seconds ({self.seconds})")
        return self


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
    left_out: list[str]


class Protocol(Section):
    """What the test part is kept apart from."""

    split_by: Literal["speaker", "clip"]
    undersample: Literal["training", "everything"]
    scale: Literal["training", "everything"]


class Train(Section):
    """Optimisation, the same for every model."""

    repeats: Count
    epochs: Count
    steps: Count
    batch_size: Annotated[Whole, Field(ge=2)]
    learning_rate: Annotated[Number, Field(gt=0, le=1)]
    warmup: Annotated[Whole, Field(ge=0)]
    patience: Count
    selection_clips: Count
    memory_budget_gb: Annotated[Number, Field(ge=0)]


class Frames(Section):
    """Networks on representations of any length, and how they are trained."""

    representations: list[Name]
    networks: list[Name]
    per_locale: list[str]
    joined: list[str]
    beside_first: Annotated[Number, Field(gt=0, le=1)]
    phones: Annotated[Whole, Field(ge=0)]
    passes: Count
    steps: Count
    crop: Annotated[Whole, Field(ge=20)]
    crops: Count
    ensemble: Count
    distil: Annotated[Number, Field(ge=0, le=1)]
    batch_size: Annotated[Whole, Field(ge=2)]
    learning_rate: Annotated[Number, Field(gt=0, le=1)]
    warmup: Annotated[Whole, Field(ge=0)]
    weight_decay: Annotated[Number, Field(ge=0, le=1)]
    smoothing: Annotated[Number, Field(ge=0, lt=1)]
    mixup: Annotated[Number, Field(ge=0)]
    room: Annotated[Number, Field(ge=0, le=1)]
    noise: Annotated[Number, Field(ge=0, le=1)]
    low_pass: Annotated[Number, Field(ge=0, le=1)]
    high_pass: Annotated[Number, Field(ge=0, le=1)]
    time_masks: Annotated[Whole, Field(ge=0)]
    frequency_masks: Annotated[Whole, Field(ge=0)]

    @property
    def shown(self) -> Crops:
        """What a finished network is shown of a clip: crops as in training."""
        return Crops(self.crop, self.crops, least=self.crop)

    @property
    def members(self) -> int:
        """Networks that a trained model consists of."""
        return 1 if self.distil else self.ensemble


class Params(Section):
    """The whole of params.yaml."""

    seed: Annotated[Whole, Field(ge=0, lt=2**32)]
    locales: Annotated[list[Locale], Field(min_length=1)]
    representations: Annotated[list[Name], Field(min_length=1)]
    networks: Annotated[list[Name], Field(min_length=1)]
    models: Models
    tasks: dict[Name, DeclaredTask]
    sample: Sample
    corpus: Corpus
    beside: list[Beside]
    select: Select
    clip: Clip
    extract: Extract
    split: Split
    protocol: Protocol
    train: Train
    frames: Frames

    @model_validator(mode="after")
    def _consistent(self) -> Params:
        lists = {name: getattr(self, name) for name in ("locales", "representations", "networks")}
        lists["beside"] = [corpus.name for corpus in self.beside]
        lists["split.left_out"] = self.split.left_out
        for key in ("representations", "networks", "per_locale", "joined"):
            lists[f"frames.{key}"] = getattr(self.frames, key)
        for key in ("per_locale", "pooled"):
            lists[f"models.{key}"] = getattr(self.models, key)
        for key, values in lists.items():
            if len(set(values)) < len(values):
                raise ValueError(f"{key} names one value twice: {', '.join(values)}")
        if ALL in self.locales:
            raise ValueError(f"locales names {ALL}, which stands for all of them together")
        if taken := [name for name in self.tasks if JOINED in name]:
            raise ValueError(
                f"tasks names {taken[0]}; {JOINED} stands between tasks that are joined"
            )
        parts = [name for joined in self.frames.joined for name in joined.split(JOINED)]
        for key, names in (
            ("models.per_locale", self.models.per_locale),
            ("models.pooled", self.models.pooled),
            ("frames.joined", parts),
        ):
            for name in names:
                if name not in self.tasks:
                    raise ValueError(unknown(key, name, self.tasks))
        for name in self.frames.per_locale:
            if name not in self.models.per_locale:
                raise ValueError(unknown("frames.per_locale", name, self.models.per_locale))
        for joined in self.frames.joined:
            first, *others = joined.split(JOINED)
            if not others or self.tasks[first].classes != LOCALES:
                raise ValueError(
                    f"frames.joined names {joined}; give several tasks, first one whose classes "
                    f"are the locales, as in language{JOINED}gender"
                )
        for name in self.models.per_locale:
            if self.tasks[name].classes == LOCALES:
                raise ValueError(
                    f"models.per_locale names {name}, whose classes are the locales; in one of "
                    "them there is one class: name it in models.pooled"
                )
        return self
