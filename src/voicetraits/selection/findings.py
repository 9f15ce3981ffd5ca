"""What is to be said of the rows of a corpus's tables: counts, and what seems to be wrong."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from voicetraits.corpus.labels import CONTRADICTORY

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


def findings(listed: pd.DataFrame, table: pd.DataFrame) -> Iterator[str]:
    """What became of the rows, and warnings, a line each.

    Args:
        listed: With CLIP_COLUMNS, before any cap.
        table: The same, capped.
    """
    counts = selection_counts(table)
    if damage := many_damaged(counts):
        yield f"warning: {damage}"
    rows, selected = counts.pop("rows"), counts.pop("selected")
    line = [f"{rows:,} rows", f"{selected:,} selected"]
    yield ", ".join(line + [f"{count:,} {reason}" for reason, count in counts.items()])
    contradictory = listed[listed["gender"] == CONTRADICTORY]
    if speakers := contradictory["speaker"].nunique():
        yield (
            f"{len(contradictory):,} clips of {speakers:,} speakers labelled both female and male: "
            "kept, but without a gender"
        )
    if label := missing_label(listed):
        yield (
            f"warning: of many labelled speakers not one is {label}; the tables may lack the "
            "label, as those of Common Voice 6.0 do: try another release, such as 6.1"
        )


def selection_counts(table: pd.DataFrame) -> dict[str, int]:
    """Count rows, selected clips, and excluded rows by reason.

    Returns:
        "rows", "selected", then each reason; "rows" is the sum of the others.
    """
    reasons = table.loc[table["excluded"] != "", "excluded"].value_counts().sort_index()
    counts = {str(reason): int(count) for reason, count in reasons.items()}
    return {"rows": len(table), "selected": len(table) - sum(counts.values()), **counts}


def why_useless(table: pd.DataFrame) -> str:
    """Why the tables of a corpus are of no use as a whole; empty where they are.

    Args:
        table: With CLIP_COLUMNS, capped.
    """
    counts = selection_counts(table)
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
