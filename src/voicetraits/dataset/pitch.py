"""The pitch table of each locale, looked up for the clips of a split table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from voicetraits.errors import InputError

_PLACE = ["shard", "row"]


class StalePitchError(InputError):
    """A pitch table of other clips than those that it is asked for."""

    def __init__(self, path: Path, clip: str) -> None:
        super().__init__(f"{path}: holds no clip {clip}; delete it and run `make repro`")


def read_pitch(clips: pd.DataFrame, files: dict[str, Path]) -> pd.DataFrame:
    """Rows of the pitch tables for these clips.

    Args:
        clips: With columns clip, locale, shard and row.
        files: Locale to its pitch table.

    Returns:
        Columns f0 (Hz, NaN where nothing is voiced), voiced, seconds and silent_tail, in the order
        of `clips`.

    Raises:
        StalePitchError: If a clip is not in the table of its locale, at its place.
    """
    found = pd.DataFrame(
        np.nan, index=range(len(clips)), columns=["f0", "voiced", "seconds", "silent_tail"]
    )
    locales = clips["locale"].to_numpy()
    for locale in np.unique(locales):
        here = np.flatnonzero(locales == locale)
        wanted = clips.iloc[here]
        table = pd.read_parquet(files[locale]).set_index(_PLACE)
        rows = table.reindex(pd.MultiIndex.from_frame(wanted[_PLACE]))
        other = rows["clip"].to_numpy() != wanted["clip"].to_numpy()
        if other.any():
            raise StalePitchError(files[locale], wanted["clip"].iloc[int(other.argmax())])
        found.iloc[here] = rows[list(found)].to_numpy()
    return found
