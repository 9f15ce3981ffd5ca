"""The rows of Common Voice's tables, of every version, as rows of the clip table."""

from __future__ import annotations

import hashlib
import math
import re
import sys
from collections.abc import Collection
from itertools import islice
from pathlib import PurePosixPath
from typing import IO

import pandas as pd
import pyarrow as pa

from voicetraits.corpus.clips import CLIP_COLUMNS
from voicetraits.corpus.layout import SPLITS, SPONTANEOUS
from voicetraits.corpus.names import AUDIO_ENDINGS
from voicetraits.selection.language import OTHER_LANGUAGE, row_language
from voicetraits.selection.tsv import TsvReader

# Every spelling of Common Voice 1 to 25. Any other value is "other".
_GENDERS = {
    "": "",
    "male": "male",
    "male_masculine": "male",
    "female": "female",
    "female_feminine": "female",
}

# Commas inside brackets are part of an accent: "India and South Asia (India, Pakistan, Sri Lanka)".
_BETWEEN_ACCENTS = re.compile(r"[,|](?![^(]*\))")
_SPEAKER_SALT = "voicetraits/speaker/"
_ROWS_AT_ONCE = 50_000

# What programs that have saved a table again put where there was nothing.
_NO_VALUE = {"nan", "none", "null", "<na>", "n/a"}
# A tag of Spontaneous Speech: its check of the sound found another language.
_WRONG_LANGUAGE = "dataset-language-audio-mismatch"


def read_rows(file: IO[bytes], *, source: str, told_by: str = "") -> pd.DataFrame:
    """Read the rows of validated.tsv or of a table like it, each on its own.

    Args:
        file: The table's bytes.
        source: What to call the file in an error.
        told_by: What tells the source of a clip: a column, or a pattern of client_id that begins
            with ^. By default, nothing.

    Returns:
        One row per row, in the order of the file, with CLIP_COLUMNS and `language`, the locale that
        the row gives, or "". What only several rows together tell is not looked at.

    Raises:
        CorpusError: If the header lacks a required column, or the rows are more than any release
            has.
    """
    file.seek(0)
    path = "audio_file" if source.endswith(SPONTANEOUS) else "path"
    column = [told_by] if told_by and not told_by.startswith("^") else []
    reader = TsvReader(file, required=("client_id", path, *column), source=source)
    rows = (_clip_row(row, path, told_by) for row in reader)
    schema = CLIP_COLUMNS.append(pa.field("language", pa.string()))
    batches = []
    while some := list(islice(rows, _ROWS_AT_ONCE)):
        batches.append(pa.RecordBatch.from_pylist(some, schema=schema))
    table = pa.Table.from_batches(batches, schema=schema).to_pandas()
    if broken := list(reader.doubtful()):
        nothing = _clip_row(None, path, told_by)
        table.loc[broken, list(nothing)] = list(nothing.values())
    return table


def read_durations(file: IO[bytes], *, clips: Collection[str], source: str) -> dict[str, float]:
    """Read clip_durations.tsv.

    Args:
        file: The table's bytes.
        clips: File names to keep; the table also lists clips that were never validated.
        source: What to call the file in an error.

    Returns:
        Seconds by file name; without the clips whose duration is no positive number.

    Raises:
        CorpusError: If the header lacks a required column.
    """
    durations = {}
    for row in TsvReader(file, required=("clip", "duration[ms]"), source=source):
        if row is None or (name := _file_name(row["clip"])) not in clips:
            continue
        if not math.isnan(seconds := _seconds(row["duration[ms]"])):
            durations[name] = seconds
    return durations


def read_names(file: IO[bytes], *, clips: Collection[str], source: str) -> set[str]:
    """Read the file names of train.tsv, dev.tsv or test.tsv.

    Args:
        file: The table's bytes.
        clips: File names to keep.
        source: What to call the file in an error.

    Raises:
        CorpusError: If the header lacks the column `path`.
    """
    file.seek(0)
    rows = TsvReader(file, required=("path",), source=source)
    names = (_file_name(_known(row["path"])) for row in rows if row is not None)
    return {name for name in names if name in clips}


def read_reported(file: IO[bytes], *, source: str) -> set[str]:
    """Read the file names of the clips that listeners of Spontaneous Speech have reported.

    Args:
        file: The table's bytes.
        source: What to call the file where it is of no use, which a line on standard error tells.
    """
    rows = TsvReader(file, required=(), source=source)
    if "audio_file" not in rows.columns:
        print(f"{source}: no column audio_file; left unread", file=sys.stderr)
        return set()
    return {_file_name(_known(row["audio_file"])) for row in rows if row is not None}


def speaker_hash(client_id: str) -> str:
    """Stand-in for a client_id: 16 hexadecimal digits, the same in every run and locale.

    It keeps Common Voice's ids out of outputs. It is no secret: whoever has the corpus can
    compute it.
    """
    return hashlib.sha256((_SPEAKER_SALT + client_id).encode()).hexdigest()[:16]


def _clip_row(row: dict[str, str] | None, path_column: str, told_by: str) -> dict[str, str | float]:
    """One row of the clip table, and its language, from one row of a table."""
    clip = speaker = gender = age = accent = origin = sentence = part = language = ""
    duration = math.nan
    if row is None:
        excluded = "broken row"
    else:
        client_id = _known(row["client_id"])
        speaker = speaker_hash(client_id) if client_id else ""
        path = _known(row[path_column])
        clip = _file_name(path)
        gender = _GENDERS.get(_known(row.get("gender", "")).lower(), "other")
        age = _known(row.get("age", ""))
        accents = _known(row.get("accents", "")) or _known(row.get("accent", ""))
        accent = _BETWEEN_ACCENTS.split(accents)[0].strip()
        origin = _source(row, client_id, told_by)
        sentence = _known(row.get("sentence", ""))
        # Spontaneous Speech has in this table what other releases have in tables of their own.
        duration = _seconds(row.get("duration_ms", ""))
        part = SPLITS.get(f"{_known(row.get('split', ''))}.tsv", "")
        language = row_language(_known(row.get("locale", "") or row.get("language", "")), clip)
        if not speaker:
            excluded = "no speaker id"
        elif not clip:
            excluded = "no file name"
        elif not _is_plain_name(path):
            excluded = "unsafe file name"
        elif _WRONG_LANGUAGE in row.get("quality_tags", ""):
            excluded = OTHER_LANGUAGE
        else:
            excluded = ""
    return {
        "clip": clip,
        "speaker": speaker,
        "gender": gender,
        "age": age,
        "accent": accent,
        "source": origin,
        "sentence": sentence,
        "duration": duration,
        "part": part,
        "excluded": excluded,
        "language": language,
    }


def _source(row: dict[str, str], client_id: str, told_by: str) -> str:
    """What a column names as the source, or the part of client_id that fits a pattern."""
    if told_by.startswith("^"):
        found = re.match(told_by, client_id)
        return found[0] if found else ""
    return _known(row[told_by]) if told_by else ""


def _known(value: str) -> str:
    """The value without blanks around it; "" for what stands for no value."""
    value = value.strip()
    return "" if value.lower() in _NO_VALUE else value


def _seconds(milliseconds: str) -> float:
    """A duration in seconds; NaN for what is none."""
    try:
        seconds = float(milliseconds) / 1000
    except ValueError:
        return math.nan
    return seconds if 0 < seconds < math.inf else math.nan


def _file_name(path: str) -> str:
    # A path without an ending is from Common Voice 1 or 2, which leave out ".mp3".
    if not path or PurePosixPath(path).suffix.lower() in AUDIO_ENDINGS:
        return path
    return f"{path}.mp3"


def _is_plain_name(path: str) -> bool:
    """Whether it names a file inside clips/, on any system, and prints as it is."""
    return path.isprintable() and not set(path) & {"/", "\\"} and path not in (".", "..")
