"""The splits of a model: one for each repeat, and one for each source that is left out."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from voicetraits.dataset.parts import TEST, TRAINING, VALIDATION
from voicetraits.dataset.split import (
    assign_parts,
    exclude_shared,
    given_parts,
    refuse_shared_clips,
    why_not,
)
from voicetraits.errors import InputError
from voicetraits.params import Params
from voicetraits.tasks import Task

# In place of the names of sources: all that have enough clips.
EACH = "each"
# Clips of a class that a source needs for its recall to count.
ENOUGH_CLIPS = 20
# What tells the splits of one table apart.
FOLD = ["left_out", "repeat"]

_KEPT = ("clip", "locale", "corpus", "source", "speaker", "gender", "sentence", "shard", "row")


def split_clips(index: pd.DataFrame, task: Task, params: Params) -> tuple[pd.DataFrame, list[str]]:
    """The labelled clips of a task, each in its part, in every split.

    Args:
        index: Converted clips of the locales that the task is learned in, with `corpus`: "" in the
            one that is tested on, else the name of one beside it.
        task: The task.
        params: Says who assigns the parts, in which shares, whether speakers are kept apart, how
            many repeats there are, and which sources are left out.

    Returns:
        The split table: clip, locale, corpus, source, speaker, gender (and other labels of the
        task), sentence, shard, row, label, part, left_out ("" in a split of speakers), repeat (from
        1); and lines that say what is in it and what is not.

    Raises:
        SharedClipsError: If the corpora of two locales have clips in common.
        InputError: If a source to be left out has too few clips, or none.
    """
    refuse_shared_clips(index)
    columns = dict.fromkeys([*_KEPT, *(each.column for each in task.tasks)])
    labelled = task.labelled(index)[[*columns, "checksum", "label", "part"]]
    tested, beside = (labelled[labelled["corpus"].eq("") == own] for own in (True, False))
    said: list[str] = []
    tables = []
    for repeat in range(1, params.train.repeats + 1):
        clips, lines = _by_speaker(tested, task, params, seed=params.seed + repeat - 1)
        whole, more = _with_corpora_beside(clips, beside)
        said += [*lines, *more, _counts(whole, task, params)] if repeat == 1 else []
        tables.append(whole.assign(left_out="", repeat=repeat))
    for source in sources_to_leave_out(tested, task, params.split.left_out):
        for repeat in range(1, params.train.repeats + 1):
            clips = _without(source, tested, task, params, seed=params.seed + repeat - 1)
            whole, _ = _with_corpora_beside(clips, beside)
            if not (whole["part"] == TEST).any():
                said.append(f"without {source}: no split: too few speakers are left")
                break
            said += [f"without {source}: {_counts(whole)}"] if repeat == 1 else []
            tables.append(whole.assign(left_out=source, repeat=repeat))
    return pd.concat(tables, ignore_index=True), said


def sources_to_leave_out(clips: pd.DataFrame, task: Task, wanted: Sequence[str]) -> list[str]:
    """The sources that are tested on by a network trained without them.

    Args:
        clips: Labelled clips, with columns source, label and those of the task.
        task: The task.
        wanted: Their names, or EACH.

    Raises:
        InputError: If one that is named has no class of ENOUGH_CLIPS.
    """
    most = {
        str(source): _clips_of_largest_class(of_source, task)
        for source, of_source in clips.groupby("source")
        if source
    }
    if list(wanted) == [EACH]:
        return sorted(source for source, count in most.items() if count >= ENOUGH_CLIPS)
    for source in wanted:
        if most.get(source, 0) < ENOUGH_CLIPS:
            known = ", ".join(sorted(most)) or "none: set corpus.source"
            raise InputError(
                f"params.yaml: split.left_out names {source!r}, which has {most.get(source, 0)} "
                f"clips of its largest class in {task.name}, {ENOUGH_CLIPS} needed; the sources "
                f"are {known}"
            )
    return list(wanted)


def _clips_of_largest_class(clips: pd.DataFrame, task: Task) -> int:
    counts = [clips[each.column].map(each.merged).value_counts().max() for each in task.tasks]
    return int(pd.Series(counts).max())


def _by_speaker(
    labelled: pd.DataFrame, task: Task, params: Params, *, seed: int
) -> tuple[pd.DataFrame, list[str]]:
    """The parts that Common Voice gives, or those that we draw."""
    by, said = params.protocol.split_by, []
    if params.corpus.splits == "common_voice":
        clips = given_parts(labelled, task, params.split, by=by)
        if excluded := len(labelled) - len(clips):
            said.append(f"{excluded:,} clips excluded, of speakers in two of the parts")
    else:
        drawn = labelled.drop(columns="part")
        clips = assign_parts(drawn, task, params.split, by=by, seed=seed)
    whole = exclude_shared(clips)
    if excluded := len(clips) - len(whole):
        said.append(f"{excluded:,} clips excluded, which another speaker has in another part")
    return whole, said


def _without(
    source: str, labelled: pd.DataFrame, task: Task, params: Params, *, seed: int
) -> pd.DataFrame:
    """One source as the test part; the speakers of the others in training and validation."""
    here = labelled["source"] == source
    test = labelled[here].assign(part=TEST)
    others = labelled[~here & ~labelled["speaker"].isin(test["speaker"])].drop(columns="part")
    by = params.protocol.split_by
    parts = assign_parts(others, task, params.split, by=by, seed=seed, test=False)
    if (parts["part"] == "").any():
        return parts
    return exclude_shared(pd.concat([parts, test], ignore_index=True))


def _with_corpora_beside(
    clips: pd.DataFrame, beside: pd.DataFrame
) -> tuple[pd.DataFrame, list[str]]:
    """A split with the clips of further corpora in training, but for those that it has itself.

    No voice of the validation and the test part is among them, by speaker or by file.
    """
    if beside.empty or (clips["part"] == "").any():
        return clips.drop(columns="checksum"), []
    apart = clips.loc[clips["part"].isin([VALIDATION, TEST]), "speaker"]
    known = beside["speaker"].isin(apart) | beside["checksum"].isin(clips["checksum"])
    further = beside[~known].drop_duplicates("checksum").assign(part=TRAINING)
    whole = pd.concat([clips, further], ignore_index=True).drop(columns="checksum")
    return whole, [
        f"{len(further):,} clips of {corpus} beside it, all in training"
        for corpus, further in further.groupby("corpus")
    ]


def _counts(clips: pd.DataFrame, task: Task | None = None, params: Params | None = None) -> str:
    if task and params:
        reason = why_not(clips, task, params.split, by=params.protocol.split_by)
        if reason:
            return f"no split: {reason}"
    counts = clips.groupby("part")["speaker"].agg(["size", "nunique"])
    parts = [f"{n:,} {part} ({speakers} speakers)" for part, n, speakers in counts.itertuples()]
    return ", ".join(parts)
