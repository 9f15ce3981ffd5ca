"""Assign the clips of one task to training, validation and test."""

from pathlib import Path

import pandas as pd

from stages._inputs import fetch_missing
from stages._run import run
from voicetraits.dataset.folds import split_clips
from voicetraits.models import declared_homes, declared_locales, declared_task
from voicetraits.params import load_params
from voicetraits.storage.places import shards
from voicetraits.storage.shards import INDEX, write_table


def main(task_name: str, locale: str) -> None:
    """Read the indices of data/wav/<locale>/; write data/splits/<task>-<locale>.parquet.

    With the locale `all`, of all locales together.
    """
    params = load_params()
    task = declared_task(params, task_name)
    homes = declared_homes(params, declared_locales(params, locale))
    folders = {each: shards("wav", *each) for each in homes}
    fetch_missing(folders.values())
    index = pd.concat(
        pd.read_parquet(folder / INDEX).assign(corpus=corpus)
        for (_, corpus), folder in folders.items()
    )
    clips, said = split_clips(index, task, params)
    name = f"{task_name}-{locale}"
    write_table(Path("data/splits", f"{name}.parquet"), clips)
    for line in said:
        print(f"{name}: {line}")


if __name__ == "__main__":
    run(main)
