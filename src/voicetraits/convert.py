"""Selected clips of a corpus to fixed-length WAV shards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from voicetraits.audio import AudioError, decode, fix_length, wav_bytes
from voicetraits.files import fresh_folder
from voicetraits.parallel import map_ordered, workers_for
from voicetraits.params import Clip
from voicetraits.progress import progress
from voicetraits.shards import (
    INDEX,
    PUT_ASIDE,
    SHARD_CLIPS,
    shard_name,
    write_table,
    write_wavs,
)

# A new process starts as slowly as this process converts a shard or two.
_SHARDS_PER_WORKER = 4
NOT_IN_CORPUS = "listed in validated.tsv, not in the corpus"


class _Job(NamedTuple):
    """One shard to make: where, in which format, from which files."""

    path: Path
    clip: Clip
    files: list[tuple[str, bytes]]


def convert(
    table: pd.DataFrame,
    files: Iterable[tuple[str, bytes]],
    clip: Clip,
    *,
    locale: str,
    out: Path,
    workers: int | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Convert the selected clips of one locale to mono WAV of one length, in shards.

    A clip that cannot be decoded, or that the corpus lacks, is put aside with its reason, and the
    others go on: selected = converted + put aside.

    Args:
        table: Clip table of the locale; the rows with nothing in `excluded` are selected.
        files: (file name, bytes) of the selected clips, in any fixed order.
        clip: Sample rate and length.
        locale: Written to the index.
        out: Folder for the shards, `index.parquet` and `put_aside.parquet`; replaced as a whole.
        workers: Processes; by default one per core where that pays. The output is the same.

    Returns:
        The index of the converted clips (clip, locale, speaker, gender, shard, row) and the table
        of those put aside (clip, reason).
    """
    selected = table.loc[table["excluded"] == "", ["clip", "speaker", "gender"]].set_index("clip")
    rows: list[tuple[str, int, int]] = []
    put_aside: list[tuple[str, str]] = []
    with fresh_folder(out) as folder:
        jobs = _jobs(files, clip, folder)
        shards = -(-len(selected) // SHARD_CLIPS)
        workers = workers or workers_for(shards, jobs_per_worker=_SHARDS_PER_WORKER)
        results = map_ordered(_convert_shard, jobs, workers=workers)
        label = f"convert {locale}"
        for number, (converted, broken) in enumerate(
            progress(results, label=label, unit="shards", total=shards)
        ):
            rows += [(name, number, row) for row, name in enumerate(converted)]
            put_aside += broken
        found = {name for name, _, _ in rows} | {name for name, _ in put_aside}
        put_aside += [(name, NOT_IN_CORPUS) for name in selected.index if name not in found]

        index = pd.DataFrame(rows, columns=["clip", "shard", "row"]).join(selected, on="clip")
        index.insert(1, "locale", locale)
        index = index[["clip", "locale", "speaker", "gender", "shard", "row"]]
        aside = pd.DataFrame(put_aside, columns=["clip", "reason"]).astype(str)
        write_table(folder / INDEX, index)
        write_table(folder / PUT_ASIDE, aside)
    return index, aside


def _jobs(files: Iterable[tuple[str, bytes]], clip: Clip, folder: Path) -> Iterator[_Job]:
    stream = iter(files)
    number = 0
    while batch := list(islice(stream, SHARD_CLIPS)):
        yield _Job(folder / shard_name(number, "tar"), clip, batch)
        number += 1


def _convert_shard(job: _Job) -> tuple[list[str], list[tuple[str, str]]]:
    """Write one shard; return the clips in it, and those put aside with their reasons."""
    wavs: list[tuple[str, bytes]] = []
    put_aside: list[tuple[str, str]] = []
    rate, seconds = job.clip.sample_rate, job.clip.seconds
    for name, data in job.files:
        try:
            signal = decode(data, name=name, sample_rate=rate, seconds=seconds)
        except AudioError as error:
            put_aside.append((name, str(error)))
            continue
        wavs.append((name, wav_bytes(fix_length(signal, rate, samples=job.clip.samples))))
    write_wavs(job.path, wavs)
    return [name for name, _ in wavs], put_aside
