"""The selection of clips: caps by speaker and by locale."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd


def cap_clips(table: pd.DataFrame, *, per_speaker: int, per_locale: int, seed: int) -> pd.DataFrame:
    """Exclude the clips over the caps.

    Which clips stay depends on the seed and the names alone, not on the order of the rows. The
    cap of the locale takes speakers in turns: the first clip of every speaker comes before the
    second of any. Labels play no part, so that the selection has the corpus's own mix of them.
    Clips that Common Voice's splits give to validation or test are none of those capped: figures
    on its test part are to be those of the published one.

    Args:
        table: With CLIP_COLUMNS.
        per_speaker: Most clips of one speaker.
        per_locale: Most clips of all speakers.
        seed: Draws the order of each speaker's clips, and of the speakers.

    Returns:
        A copy with "over the speaker's cap" and "over the locale's cap" in `excluded`.
    """
    capped_part = table["part"].isin(["", "training"])
    clips = table.loc[table["excluded"].eq("") & capped_part, ["clip", "speaker"]]
    clips = clips.assign(draw=_draws(clips["clip"], seed)).sort_values(["draw", "clip"])
    # Within a turn, speakers go by a draw of their own: by that of the clip, whoever has many
    # clips, and so a lower lowest draw, would come first.
    clips = clips.assign(
        turn=clips.groupby("speaker").cumcount(), draw=_draws(clips["speaker"], seed)
    ).sort_values(["turn", "draw", "speaker"])
    over_speaker = clips["turn"] >= per_speaker
    capped = table.copy()
    capped.loc[clips.index[over_speaker], "excluded"] = "over the speaker's cap"
    capped.loc[clips.index[~over_speaker][per_locale:], "excluded"] = "over the locale's cap"
    return capped


def _draws(names: pd.Series, seed: int) -> np.ndarray:
    """A number per name, shape (names,), uint64, that depends on nothing but seed and name."""
    digests = b"".join(
        hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=8).digest() for name in names
    )
    return np.frombuffer(digests, dtype="<u8")
