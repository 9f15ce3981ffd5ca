"""Repeats, sources that are left out, and corpora beside the one that is tested on."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
from conftest import GENDER, language

from voicetraits.dataset.folds import EACH, ENOUGH_CLIPS, split_clips
from voicetraits.dataset.parts import PARTS, TEST, TRAINING, VALIDATION
from voicetraits.errors import InputError

SOURCES = {"books": 12, "phone": 12, "few": 3}
CLIPS = 4  # of a speaker


def index(corpus: str = "", *, sources: dict[str, int] = SOURCES) -> pd.DataFrame:
    """Converted clips of sources with so many speakers, every third labelled female."""
    rows = [
        {
            "clip": f"{source}_{speaker}_{clip}.mp3",
            "locale": "es",
            "corpus": corpus,
            "source": source,
            "speaker": f"{source}{speaker}",
            "gender": "female" if speaker % 3 == 0 else "male",
            "checksum": f"{corpus}{source}_{speaker}_{clip}",
            "sentence": "",
            "part": "",
            "shard": 0,
            "row": 0,
        }
        for source, speakers in sources.items()
        for speaker in range(speakers)
        for clip in range(CLIPS)
    ]
    return pd.DataFrame(rows).assign(row=range(len(rows)))


def split(clips, edited_params, *, left_out=(), repeats=1, task=GENDER):
    params = edited_params(
        split={"min_speakers": 3, "left_out": list(left_out)}, train={"repeats": repeats}
    )
    return split_clips(clips, task, params)


def test_every_repeat_has_all_clips_in_parts_of_its_own(edited_params):
    table, said = split(index(), edited_params, repeats=3)
    assert table["repeat"].tolist() == sorted(table["repeat"])
    parts = []
    for _, one in table.groupby("repeat"):
        assert sorted(one["clip"]) == sorted(index()["clip"])
        assert (one.groupby("speaker")["part"].nunique() == 1).all()
        assert set(one["part"]) == set(PARTS)
        parts.append(tuple(one.set_index("clip")["part"].sort_index()))
    assert len(set(parts)) == 3
    assert len(said) == 1


def test_the_first_repeat_is_what_one_alone_would_be(edited_params):
    alone, _ = split(index(), edited_params)
    several, _ = split(index(), edited_params, repeats=2)
    pd.testing.assert_frame_equal(several[several["repeat"] == 1], alone)


def test_a_source_that_is_left_out_is_the_test_part_and_nothing_else_is(edited_params):
    table, said = split(index(), edited_params, left_out=["phone"], repeats=2)
    for repeat in (1, 2):
        one = table[(table["left_out"] == "phone") & (table["repeat"] == repeat)]
        assert set(one.loc[one["part"] == TEST, "source"]) == {"phone"}
        assert set(one.loc[one["source"] == "phone", "part"]) == {TEST}
        assert {TRAINING, VALIDATION} <= set(one["part"])
    assert any(line.startswith("without phone: ") for line in said)


def test_a_speaker_of_the_source_left_out_is_not_trained_on_elsewhere(edited_params):
    clips = index()
    clips.loc[clips["speaker"] == "books1", "speaker"] = "phone1"
    table, _ = split(clips, edited_params, left_out=["phone"])
    one = table[table["left_out"] == "phone"]
    apart = set(one.loc[one["part"] == TEST, "speaker"])
    assert not apart & set(one.loc[one["part"] != TEST, "speaker"])
    assert len(one) == len(clips) - CLIPS


def test_each_is_every_source_with_enough_clips_of_a_class(edited_params):
    assert 2 * CLIPS < ENOUGH_CLIPS <= 8 * CLIPS
    table, _ = split(index(), edited_params, left_out=[EACH])
    assert table["left_out"].unique().tolist() == ["", "books", "phone"]


@pytest.mark.parametrize("name", ["few", "none"])
def test_a_source_with_too_few_clips_is_refused_by_name(edited_params, name):
    with pytest.raises(InputError, match=rf"split\.left_out names '{name}', .*books, few, phone"):
        split(index(), edited_params, left_out=[name])


def test_where_too_few_speakers_are_left_there_is_no_such_split(edited_params):
    table, said = split(index(sources={"books": 12, "few": 2}), edited_params, left_out=["books"])
    assert set(table["left_out"]) == {""}
    assert "without books: no split: too few speakers are left" in said


def test_clips_of_a_corpus_beside_it_are_trained_on_and_never_tested(edited_params):
    beside = index("other", sources={"books": 20, "radio": 5})
    table, said = split(pd.concat([index(), beside]), edited_params, left_out=["phone"])
    alone, _ = split(index(), edited_params, left_out=["phone"])
    for left_out in ("", "phone"):
        one = table[table["left_out"] == left_out]
        further = one[one["corpus"] == "other"]
        assert set(further["part"]) == {TRAINING}
        # Speakers whom the test part or the validation part has are the same persons here.
        apart = one.loc[one["part"].isin([TEST, VALIDATION]), "speaker"]
        assert not set(further["speaker"]) & set(apart)
        own = one[one["corpus"] == ""].reset_index(drop=True)
        expected = alone[alone["left_out"] == left_out].reset_index(drop=True)
        pd.testing.assert_frame_equal(own, expected)
    assert any("clips of other beside it, all in training" in line for line in said)


def test_a_file_that_both_corpora_hold_is_there_once(edited_params):
    beside = index("other").assign(speaker=lambda clips: "x" + clips["speaker"])
    beside["checksum"] = index()["checksum"]
    table, _ = split(pd.concat([index(), beside]), edited_params)
    assert set(table["corpus"]) == {""}


def test_a_joined_task_keeps_clips_without_the_second_label(edited_params):
    clips = pd.concat([index(), index().assign(locale="en")], ignore_index=True)
    clips["speaker"] = clips["locale"] + clips["speaker"]
    clips["checksum"] = clips["locale"] + clips["checksum"]
    clips.loc[::2, "gender"] = ""
    both = language(["es", "en"])
    joined = replace(both, name="language_and_gender", joined=(both, GENDER))
    table, _ = split(clips, edited_params, task=joined)
    assert len(table) == len(clips)
    assert table["label"].tolist() == table["locale"].tolist()
    assert (table["gender"] == "").sum() == len(clips) / 2
