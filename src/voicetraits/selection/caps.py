"""The selection of clips: caps by speaker and by locale."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd

# Were either label as likely, ten speakers would all give the same one once in 512 corpora.
_SPEAKERS_OF_ONE_LABEL = 10
# Rows of these reasons are some in every release; a table of little else is damaged.
_DAMAGES = {
    "broken row": "was the table cut off, or saved in an encoding other than UTF-8? Fetch it anew",
    "no speaker id": "the column client_id is empty; take the table of the release",
    "no file name": "the column with the file names is empty; take the table of the release",
    "unsafe file name": "the table is to list file names alone, without folders in front of them",
    "conflicting rows": "the table lists each clip for several speakers; is it made of two?",
}
_DAMAGED = 0.9  # share of the rows
# So many rows, and such a share of them, no release has of any damage.
_MANY_ROWS = 10
_MANY = 0.05
_REMEDIES = {
    "not in Common Voice's splits": "set corpus.splits to ours in params.yaml",
    "in two of Common Voice's splits": "set corpus.splits to ours in params.yaml",
}


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


def selection_counts(table: pd.DataFrame) -> dict[str, int]:
    """Count rows, selected clips, and excluded rows by reason.

    Returns:
        "rows", "selected", then each reason; "rows" is the sum of the others.
    """
    reasons = table.loc[table["excluded"] != "", "excluded"].value_counts().sort_index()
    counts = {str(reason): int(count) for reason, count in reasons.items()}
    return {"rows": len(table), "selected": len(table) - sum(counts.values()), **counts}


def why_useless(counts: dict[str, int]) -> str:
    """Why the tables of a corpus are of no use as a whole; empty where they are.

    Args:
        counts: What `selection_counts` gave.
    """
    rows, selected = counts["rows"], counts["selected"]
    damaged = {reason: counts[reason] for reason in _DAMAGES if reason in counts}
    if rows and selected and sum(damaged.values()) < _DAMAGED * rows:
        return ""
    if not rows:
        return "its table has a header and no rows; fetch or unpack the corpus again"
    reasons = [reason for reason in counts if reason not in ("rows", "selected")]
    told = ", ".join(f"{counts[reason]:,} {reason}" for reason in reasons)
    worst = max(reasons, key=lambda reason: counts[reason])
    remedy = _DAMAGES.get(worst) or _REMEDIES.get(worst, "look into the table")
    return f"{selected:,} of {rows:,} rows can be used ({told}); {remedy}"


def many_damaged(counts: dict[str, int]) -> str:
    """What a usable table seems to suffer from, and the remedy; empty where it does not.

    Args:
        counts: What `selection_counts` gave.
    """
    for reason, remedy in _DAMAGES.items():
        if counts.get(reason, 0) >= max(_MANY_ROWS, _MANY * counts["rows"]):
            return f"{counts[reason]:,} of {counts['rows']:,} rows are excluded: {reason}; {remedy}"
    return ""


def missing_label(table: pd.DataFrame) -> str:
    """The gender label that a corpus seems to have lost: "male", "female", or "" for neither.

    The tables of Common Voice 6.0 have no "male", though 47 % of its English is; 6.1 mended that.

    Args:
        table: With CLIP_COLUMNS, before any cap.
    """
    speakers = table[table["excluded"] == ""].groupby("gender")["speaker"].nunique()
    for label, other in (("male", "female"), ("female", "male")):
        if label not in speakers and speakers.get(other, 0) >= _SPEAKERS_OF_ONE_LABEL:
            return label
    return ""


def _draws(names: pd.Series, seed: int) -> np.ndarray:
    """A number per name, shape (names,), uint64, that depends on nothing but seed and name."""
    digests = b"".join(
        hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=8).digest() for name in names
    )
    return np.frombuffer(digests, dtype="<u8")
