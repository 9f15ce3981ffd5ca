"""Assign the clips of one task to training, validation and test."""

from pathlib import Path

import pandas as pd

from stages._inputs import fetch_missing
from stages._run import run
from voicetraits.dataset.split import (
    assign_parts,
    given_parts,
    leave_out_shared,
    refuse_shared_clips,
    why_not,
)
from voicetraits.params import load_params
from voicetraits.storage.shards import INDEX, write_table
from voicetraits.tasks import GENDER, language


def main(task_name: str, *locales: str) -> None:
    """Read the indices of data/wav/<locale>/; write data/splits/<task>.parquet.

    `gender es` splits the gender task of one locale, `language` that of all locales together.
    """
    params = load_params()
    task = GENDER if task_name == "gender" else language(params.locales)
    name = "-".join((task_name, *locales))
    folders = [Path("data/wav", locale) for locale in locales or params.locales]
    fetch_missing(folders)
    index = pd.concat(pd.read_parquet(folder / INDEX) for folder in folders)
    refuse_shared_clips(index)
    labelled = task.labelled(index.drop(columns=["duration", "note"]))
    by = params.protocol.split_by
    # The part comes last in the table, whoever assigned it.
    given = labelled.pop("part")
    if params.corpus.splits == "common_voice":
        clips = given_parts(labelled.assign(part=given), task, params.split, by=by)
        if left_out := len(labelled) - len(clips):
            print(f"{name}: {left_out:,} clips left out, of speakers in two of the parts")
    else:
        clips = assign_parts(labelled, task, params.split, by=by, seed=params.seed)
    whole = leave_out_shared(clips)
    if left_out := len(clips) - len(whole):
        print(f"{name}: {left_out:,} clips left out, which another speaker has in another part")
    clips = whole.drop(columns="checksum")
    write_table(Path("data/splits", f"{name}.parquet"), clips)
    reason = why_not(clips, task, params.split, by=by)
    counts = clips.groupby("part")["speaker"].agg(["size", "nunique"])
    parts = [f"{n:,} {part} ({speakers} speakers)" for part, n, speakers in counts.itertuples()]
    print(f"{name}: no split: {reason}" if reason else f"{name}: {', '.join(parts)}")


if __name__ == "__main__":
    run(main)
