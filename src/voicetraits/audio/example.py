"""The one clip of a locale that is shown as an example."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd

from voicetraits.audio.decode import AudioError, decode
from voicetraits.audio.wav import write_wav
from voicetraits.storage.files import whole_file

EXAMPLE = "example.wav"
EXAMPLE_LABEL = "example.json"
_CANDIDATES = 5  # clips to try, before giving up
_LONGEST = 20.0  # seconds that are kept; a read sentence takes less


class ExampleClip:
    """The selected clip with a gender label that is nearest to the median duration.

    A few candidates are chosen from the clip table, and picked out of the stream of clips on its
    way to the conversion, so that no archive is read for their sake. The first that can be decoded
    is the example, whatever the order and the number of the workers.
    """

    def __init__(self, table: pd.DataFrame) -> None:
        """Choose the candidates.

        Where no duration is known, they are the first by name.

        Args:
            table: With CLIP_COLUMNS.
        """
        usable = table[table["excluded"].eq("") & table["gender"].isin(["female", "male"])]
        distance = (usable["duration"] - usable["duration"].median()).abs()
        nearest = usable.assign(distance=distance).sort_values(["distance", "clip"])
        nearest = nearest.head(_CANDIDATES)
        self._labels = dict(zip(nearest["clip"], nearest["gender"], strict=True))
        self._files: dict[str, bytes] = {}

    def watch(self, files: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
        """Pass (file name, bytes) on, and keep those of the candidates."""
        for name, data in files:
            if name in self._labels:
                self._files[name] = data
            yield name, data

    def write(self, folder: Path, *, sample_rate: int) -> None:
        """Write the example at its own length, and beside it name and label as JSON.

        Neither is written where no candidate can be decoded.

        Args:
            folder: For EXAMPLE and EXAMPLE_LABEL.
            sample_rate: In Hz.
        """
        for name, label in self._labels.items():
            data = self._files.get(name, b"")
            try:
                signal = decode(data, name=name, sample_rate=sample_rate, seconds=_LONGEST).signal
            except AudioError:
                continue  # excluded with its reason by the conversion
            longest = round(_LONGEST * sample_rate)
            write_wav(folder / EXAMPLE, signal[:longest], sample_rate)
            with whole_file(folder / EXAMPLE_LABEL) as partial:
                partial.write_text(json.dumps({"clip": name, "gender": label}) + "\n", "utf-8")
            return
