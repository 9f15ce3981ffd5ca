"""Which part a clip falls into: by speaker, and by nothing else that it shares with others."""

from __future__ import annotations

import numpy as np
import pandas as pd

from voicetraits.dataset.parts import PARTS, TEST, TRAINING, VALIDATION
from voicetraits.errors import InputError
from voicetraits.params import Split
from voicetraits.tasks import Task

_RANK = {TEST: 0, VALIDATION: 1, TRAINING: 2}


class SharedClipsError(InputError):
    """Clips that are in the corpora of two languages; the message names both and one clip."""


def refuse_shared_clips(index: pd.DataFrame) -> None:
    """Stop where the corpora of two languages have clips in common: one of them is the other's.

    Args:
        index: Converted clips of all locales, with columns clip, locale, checksum.

    Raises:
        SharedClipsError: If a file is in two of them.
    """
    locales = index.groupby("checksum")["locale"].transform("nunique")
    shared = index[locales > 1].sort_values(["checksum", "locale", "clip"])
    if shared.empty:
        return
    first = shared[shared["checksum"] == shared["checksum"].iloc[0]].drop_duplicates("locale")
    (one, this), (other, that) = first[["locale", "clip"]].head(2).itertuples(index=False)
    raise SharedClipsError(
        f"{one} and {other}: {shared['checksum'].nunique():,} clips are in the corpora of both, "
        f"such as {this} in {one}, which is {that} in {other}; is one corpus a copy of the other, "
        "or under the wrong name? Give each language its own"
    )


def exclude_shared(clips: pd.DataFrame) -> pd.DataFrame:
    """Exclude clips that are in a further part under another speaker.

    Nothing tells whose they are. The test part keeps its own, or else the validation part.

    Args:
        clips: Assigned clips, with columns checksum and part.
    """
    rank = clips["part"].map(_RANK)
    return clips[rank.isna() | (rank == rank.groupby(clips["checksum"]).transform("min"))]


def assign_parts(
    clips: pd.DataFrame, task: Task, split: Split, *, by: str, seed: int, test: bool = True
) -> pd.DataFrame:
    """Assign every clip to training, validation or test, in equal shares of every class.

    With `by="speaker"` all clips of a speaker fall into one part. A speaker is known by the hash
    alone, so one who recorded in two languages is still one speaker; where a speaker's clips carry
    different labels, the most frequent one counts for the shares.

    Args:
        clips: Labelled clips, with columns clip, locale, speaker, label.
        task: The task, for its classes.
        split: Shares of test and validation, and the least number of speakers per class.
        by: "speaker" or "clip".
        seed: Of the shuffle.
        test: Whether there is a test part among them.

    Returns:
        The clips with a column `part`. It is empty everywhere when a class has too few speakers
        (or clips): see `why_not`.
    """
    unit = _unit(clips, by)
    labels = _most_frequent(clips["label"], unit)
    if _too_few(labels, task, split.min_speakers):
        return clips.assign(part="")
    rng = np.random.default_rng(seed)
    parts: dict[str, str] = {}
    for label in task.classes:
        units = rng.permutation(sorted(labels.index[labels == label]))
        tested = _share(len(units), split.test, leave=2) if test else 0
        validation = _share(len(units) - tested, split.validation, leave=1)
        names = [TEST] * tested + [VALIDATION] * validation
        names += [TRAINING] * (len(units) - len(names))
        parts.update(zip(units, names, strict=True))
    return clips.assign(part=unit.map(parts))


def given_parts(clips: pd.DataFrame, task: Task, split: Split, *, by: str) -> pd.DataFrame:
    """Take the parts that Common Voice assigned.

    Within a locale it keeps speakers apart, but not between locales, and nothing keeps a broken
    release from mixing them. With `by="speaker"`, a speaker with clips in several parts keeps those
    of the test part, or else those of the validation part, and the others are excluded: so the
    test part stays the published one.

    Args:
        clips: Labelled clips, with columns clip, locale, speaker, label, part.
        task: The task, for its classes.
        split: The least number of speakers per class.
        by: "speaker" or "clip".

    Returns:
        What `assign_parts` returns, without the clips excluded.
    """
    unit = _unit(clips, by)
    if _too_few(_most_frequent(clips["label"], unit), task, split.min_speakers):
        return clips.assign(part="")
    rank = clips["part"].map(_RANK)
    return clips[rank == rank.groupby(unit).transform("min")].reset_index(drop=True)


def _unit(clips: pd.DataFrame, by: str) -> pd.Series:
    """What is assigned as one: each clip's speaker, or the clip itself."""
    return clips["speaker"] if by == "speaker" else clips["locale"] + "/" + clips["clip"]


def _most_frequent(labels: pd.Series, unit: pd.Series) -> pd.Series:
    counts = pd.DataFrame({"unit": unit, "label": labels}).value_counts().reset_index()
    counts = counts.sort_values(["unit", "count", "label"], ascending=[True, False, True])
    return counts.drop_duplicates("unit").set_index("unit")["label"]


def _share(count: int, share: float, *, leave: int) -> int:
    """At least one, and `leave` for the parts that follow, so that no part lacks a class."""
    return max(1, min(round(count * share), count - leave))


def _too_few(labels: pd.Series, task: Task, least: int) -> bool:
    return len(task.classes) < 2 or any((labels == label).sum() < least for label in task.classes)


def why_not(clips: pd.DataFrame, task: Task, split: Split, *, by: str) -> str:
    """Why a split table cannot be learned from; empty when it can."""
    if len(clips) and (clips["part"] != "").all():
        places = set(zip(clips["label"], clips["part"], strict=True))
        lacking = [f"{a} clips in {b}" for b in PARTS for a in task.classes if (a, b) not in places]
        return f"no {', no '.join(lacking)}" if lacking else ""
    if len(task.classes) < 2:
        return f"{task.name} needs two classes, found {', '.join(task.classes)}"
    labels = _most_frequent(clips["label"], _unit(clips, by))
    found = ", ".join(f"{(labels == label).sum()} {label}" for label in task.classes)
    return f"{found} {by}s, {split.min_speakers} of each needed"
