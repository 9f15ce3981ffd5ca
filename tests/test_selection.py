"""The selection of clips is fair, keeps the caps, and depends on seed and names alone."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicetraits.selection.caps import cap_clips
from voicetraits.selection.findings import many_damaged, missing_label, selection_counts

# Speaker, and why the clip is excluded already.
ROWS = st.lists(
    st.tuples(
        st.sampled_from(["ann", "bob", "cy", "dee"]), st.sampled_from(["", "", "broken row"])
    ),
    max_size=60,
)


def clip_table(rows: list[tuple[str, str]]) -> pd.DataFrame:
    clips = [(f"{n}.mp3", speaker, excluded) for n, (speaker, excluded) in enumerate(rows)]
    return pd.DataFrame(clips, columns=["clip", "speaker", "excluded"], dtype=str).assign(part="")


def many(clips_of: dict[str, int]) -> pd.DataFrame:
    rows = [(f"{who}-{n}.mp3", who, "") for who, count in clips_of.items() for n in range(count)]
    return pd.DataFrame(rows, columns=["clip", "speaker", "excluded"]).assign(part="")


def selected(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["excluded"] == ""]


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, per_speaker=st.integers(1, 5), per_locale=st.integers(1, 12))
def test_every_row_is_accounted_for_and_no_cap_is_exceeded(rows, per_speaker, per_locale):
    before = clip_table(rows)
    after = cap_clips(before, per_speaker=per_speaker, per_locale=per_locale, seed=1)
    counts = selection_counts(after)
    assert counts["rows"] == len(rows) == sum(counts.values()) - counts["rows"]
    kept = selected(after)
    per_speaker_kept = kept["speaker"].value_counts()
    assert (per_speaker_kept <= per_speaker).all()
    # As many as the caps allow, and nothing that was excluded before comes back.
    available = selected(before)["speaker"].value_counts().clip(upper=per_speaker)
    assert len(kept) == min(per_locale, available.sum())
    was_excluded = before["excluded"] != ""
    assert (after["excluded"][was_excluded] == before["excluded"][was_excluded]).all()
    # In turns: nobody has two more than somebody who had clips left.
    left = per_speaker_kept.reindex(available.index, fill_value=0)
    waiting = left[left < available]
    assert waiting.empty or left.max() <= waiting.min() + 1


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_the_order_of_the_rows_plays_no_part(data):
    table = many({"ann": 7, "bob": 4, "cy": 2, "dee": 1})
    order = data.draw(st.permutations(range(len(table))))
    shuffled = table.iloc[order].reset_index(drop=True)
    caps = {"per_speaker": 3, "per_locale": 6, "seed": 5}
    kept = set(selected(cap_clips(table, **caps))["clip"])
    assert set(selected(cap_clips(shuffled, **caps))["clip"]) == kept


def test_the_seed_decides_which_clips_stay():
    table = many({"ann": 50, "bob": 50})
    kept = [
        set(selected(cap_clips(table, per_speaker=10, per_locale=99, seed=seed))["clip"])
        for seed in (1, 1, 2)
    ]
    assert kept[0] == kept[1] != kept[2]


def test_each_clip_of_a_speaker_is_as_likely_to_stay():
    table = many({"ann": 20})
    stayed = sum(
        cap_clips(table, per_speaker=10, per_locale=99, seed=seed)["excluded"] == ""
        for seed in range(100)
    )
    # Binomial(100, 0.5) is within 25 to 75 but for one case in a million.
    assert stayed.between(25, 75).all()


def test_a_speaker_with_many_clips_is_no_likelier_to_be_taken():
    few = {f"few{n}": 1 for n in range(300)}
    table = many(few | {f"many{n}": 20 for n in range(300)})
    kept = selected(cap_clips(table, per_speaker=10, per_locale=300, seed=1))
    assert kept["speaker"].nunique() == 300
    # Binomial(300, 0.5), five standard deviations.
    assert 107 < kept["clip"].str.startswith("few").sum() < 193


def test_the_table_given_is_left_as_it_was():
    table = many({"ann": 3})
    cap_clips(table, per_speaker=1, per_locale=1, seed=1)
    assert (table["excluded"] == "").all()


def test_the_reason_names_the_cap():
    table = cap_clips(many({"ann": 5, "bob": 5}), per_speaker=3, per_locale=4, seed=1)
    assert selection_counts(table) == {
        "rows": 10,
        "selected": 4,
        "over the locale's cap": 2,
        "over the speaker's cap": 4,
    }


def labelled(female: int, male: int, *, clips: int = 3, excluded: str = "") -> pd.DataFrame:
    """Clips of speakers by label, and of some without."""
    speakers = [(f"f{n}", "female") for n in range(female)]
    speakers += [(f"m{n}", "male") for n in range(male)]
    rows = [row for row in [*speakers, ("x", ""), ("o", "other")] for _ in range(clips)]
    return pd.DataFrame(rows, columns=["speaker", "gender"], dtype=str).assign(excluded=excluded)


@pytest.mark.parametrize(
    ("female", "male", "label"),
    [(10, 0, "male"), (0, 10, "female"), (9, 0, ""), (0, 9, ""), (50, 1, ""), (1, 50, "")],
)
def test_a_label_that_many_speakers_should_have_given_is_missed(female, male, label):
    assert missing_label(labelled(female, male)) == label
    assert missing_label(labelled(female, male, excluded="broken row")) == ""


def test_many_clips_are_not_many_speakers():
    assert missing_label(labelled(3, 0, clips=100)) == ""


def test_of_common_voices_splits_only_the_training_part_is_capped():
    table = many({"ann": 8, "bob": 8, "cy": 8})
    parts = {"ann": "training", "bob": "validation", "cy": "test"}
    table["part"] = table["speaker"].map(parts)
    for caps in ({"per_speaker": 3, "per_locale": 100}, {"per_speaker": 100, "per_locale": 3}):
        kept = selected(cap_clips(table, seed=1, **caps))["part"].value_counts()
        assert kept.to_dict() == {"training": 3, "validation": 8, "test": 8}


def test_many_damaged_rows_are_told_with_the_remedy():
    counts = {"rows": 30, "selected": 9, "broken row": 21}
    assert "21 of 30 rows" in many_damaged(counts)
    assert "encoding other than UTF-8" in many_damaged(counts)


def test_a_few_damaged_rows_are_as_in_any_release():
    assert many_damaged({"rows": 1000, "selected": 996, "broken row": 4}) == ""
    assert many_damaged({"rows": 0, "selected": 0}) == ""
