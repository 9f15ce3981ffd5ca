"""Two revisions compared, by the speakers that both tested and by what they were made from."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from voicetraits.evaluation.compare import BETTER, SAME, WORSE, Answers, paired_difference
from voicetraits.report import comparison
from voicetraits.report.comparison import causes, compare_model
from voicetraits.report.comparison_text import WIDTH, comparison_text
from voicetraits.report.revisions import Revision, RevisionError, Stage, read_revision

CLASSES = ["male", "female"]
MODEL = "gender-es-features-original"


def answers(speakers=12, *, right=1.0, clips=4, seed=0, first=0, repeat=1):
    """Test clips of so many speakers of each class, of which a share is found right."""
    rng = np.random.default_rng(seed)
    labels = np.repeat([0, 1], speakers * clips)
    names = np.array([f"{label}-{first + n // clips % speakers}" for n, label in enumerate(labels)])
    predicted = np.where(rng.uniform(size=len(labels)) < right, labels, 1 - labels)
    return Answers(labels, predicted, names, np.full(len(labels), repeat))


def together(*several):
    return Answers(*(np.concatenate(arrays) for arrays in zip(*several, strict=True)))


def difference(a, b, **options):
    found = paired_difference(a, b, CLASSES, seed=1, **options)
    assert not isinstance(found, str), found
    return found


class TestPairedDifference:
    def test_a_better_model_is_better_and_the_other_way_round_worse(self):
        bad, good = answers(right=0.6), answers(right=0.95, seed=1)
        found = difference(bad, good)
        assert found.verdict == BETTER
        assert 0 < found.low < found.difference < found.high
        assert difference(good, bad).verdict == WORSE

    def test_a_model_is_not_distinguishable_from_itself(self):
        found = difference(answers(right=0.7), answers(right=0.7))
        assert (found.difference, found.low, found.high, found.verdict) == (0, 0, 0, SAME)

    def test_too_few_speakers_of_one_class_give_no_verdict(self):
        bad, good = answers(right=0.1), answers()
        few = [
            Answers(*(array[(each.labels == 0) | (each.speakers < "1-5")] for array in each))
            for each in (bad, good)
        ]
        found = difference(*few)
        assert found.low > 0
        assert (found.verdict, found.too_few) == (SAME, "female")
        assert found.speakers["male"] == 12
        assert found.speakers["female"] < 10

    def test_pairing_narrows_the_interval_where_both_fail_on_the_same_speakers(self):
        a = answers(speakers=20)
        hard = np.isin(a.speakers, [f"{label}-{n}" for label in (0, 1) for n in range(8)])
        a = a._replace(predicted=np.where(hard, 1 - a.labels, a.labels))
        b = a._replace(predicted=a.predicted.copy())
        b.predicted[:4] = b.labels[:4]  # one speaker is found right by B alone
        paired = difference(a, b)
        assert paired.high - paired.low < 0.1
        # Of one model by itself, the same speakers move the figure by far more.
        alone = difference(a._replace(predicted=a.labels), a)
        assert alone.high - alone.low > 0.2

    def test_the_interval_is_that_of_speakers_drawn_one_by_one(self):
        a, b = answers(right=0.6, seed=2), answers(right=0.75, seed=3)
        rng = np.random.default_rng(5)
        drawn = []
        for _ in range(2000):
            recalls = []
            for label in (0, 1):
                names = np.unique(a.speakers[a.labels == label])
                for each in (a, b):
                    if each is a:
                        chosen = rng.choice(names, len(names))
                    hits = [each.predicted[each.speakers == name] == label for name in chosen]
                    recalls.append(np.concatenate(hits).mean())
            drawn.append((recalls[1] + recalls[3] - recalls[0] - recalls[2]) / 2)
        found = difference(a, b)
        expected = np.percentile(drawn, [2.5, 97.5])
        np.testing.assert_allclose([found.low, found.high], expected, atol=0.015)

    def test_speakers_that_one_alone_tested_do_not_count(self):
        a, b = answers(speakers=12), answers(speakers=12, first=6, right=0.5)
        found = difference(a, b)
        assert found.speakers == {"male": 6, "female": 6}
        kept = np.isin(b.speakers, a.speakers)
        recalls = [(b.predicted == b.labels)[kept & (b.labels == label)].mean() for label in (0, 1)]
        assert found.b == pytest.approx(np.mean(recalls), abs=1e-4)

    def test_without_a_speaker_in_common_there_is_no_difference(self):
        found = paired_difference(answers(), answers(first=50), CLASSES, seed=1)
        assert found == "no speaker of the class male was tested by both"

    def test_a_speaker_is_paired_within_a_repeat(self):
        a = together(answers(repeat=1), answers(repeat=2, first=12))
        swapped = together(answers(repeat=2), answers(repeat=1, first=12))
        assert isinstance(paired_difference(a, swapped, CLASSES, seed=1), str)
        b = together(answers(repeat=1), answers(repeat=2, first=12, right=0.0))
        # In one repeat all right, in the other all wrong: half, whoever is drawn.
        found = difference(a, b)
        assert (found.a, found.b, found.speakers["male"]) == (1, 0.5, 24)

    def test_more_repeats_of_the_same_speakers_are_no_more_speakers(self):
        a, b = answers(right=0.6), answers(right=0.75, seed=3)
        again = [together(each, each._replace(repeats=each.repeats + 1)) for each in (a, b)]
        assert difference(*again) == difference(a, b)


def predictions(found: Answers, *, repeats=False) -> pd.DataFrame:
    """The table that training writes, of a network and a baseline; with columns of repeats."""
    table = pd.DataFrame(
        {
            "clip": [f"{number}.mp3" for number in range(len(found.labels))],
            "locale": "es",
            "speaker": found.speakers,
            "label": np.array(CLASSES)[found.labels],
        }
    )
    tables = []
    for name, predicted in (("network", found.predicted), ("linear", 1 - found.labels)):
        rows = table.assign(estimator=name, male=1 - predicted, female=predicted)
        tables.append(rows)
    whole = pd.concat(tables, ignore_index=True)
    if not repeats:
        return whole
    wrong = whole.assign(male=whole["female"], female=whole["male"])
    whole = pd.concat([whole.assign(part="test"), wrong.assign(part="validation")])
    return whole.assign(task="gender", left_out="", repeat=1)


class Cache:
    """A folder as DVC's cache, and revisions whose models lie in it."""

    def __init__(self, folder):
        self.folder = folder

    def put(self, content: bytes, ending: str = "") -> str:
        """Keep some bytes, and give their checksum."""
        checksum = hashlib.md5(content, usedforsecurity=False).hexdigest() + ending
        path = self.folder / checksum[:2] / checksum[2:]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return checksum

    def model(self, table, *, classes=CLASSES, skipped="", joined=()) -> str:
        """Keep the folder of a model, and give its checksum."""
        task = {"name": "gender", "column": "gender", "classes": classes, "joined": joined}
        sidecar = {"task": task, "skipped": skipped, "failed": ""}
        files = {"model.json": json.dumps(sidecar).encode()}
        if table is not None:
            files["predictions.parquet"] = table.to_parquet()
        listed = [{"md5": self.put(data), "relpath": name} for name, data in files.items()]
        return self.put(json.dumps(listed).encode(), ".dir")

    def revision(self, name, models, **changes) -> Revision:
        """A revision with a stage that converts, and one for each model."""
        made = {"data/wav/es": "w"} | changes.get("made", {})
        convert = Stage("convert", {"clip.seconds": 3.4}, {}, {"es.tar.gz": "t"}, made, frozenset())
        stages = {"convert": convert} | {
            f"train@{model}": Stage(
                command=f"train {model}",
                params={"train.epochs": 6} | changes.get("params", {}),
                code={"src/voicetraits/training": "c"} | changes.get("code", {}),
                inputs=made | changes.get("inputs", {}),
                outputs={f"models/{model}": checksum},
                after=frozenset({"convert"}),
            )
            for model, checksum in models.items()
        }
        requirements = changes.get("requirements", "numpy==2.1")
        return Revision(name, name * 8, stages, requirements, (), self.folder)


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path)


@pytest.fixture
def compared(monkeypatch):
    """A function that compares two made-up revisions, and gives the record and its text."""

    def compare(a, b):
        monkeypatch.setattr(comparison, "read_revision", {a.name: a, b.name: b}.__getitem__)
        found = comparison.compare_revisions(a.name, b.name)
        text = comparison_text(found)
        assert max(map(len, text.splitlines())) <= WIDTH
        json.dumps(found)
        return found, text

    return compare


def revisions(cache, a=None, b=None, **changes):
    """Two revisions of one model with these test clips, the second with changes."""
    tables = [predictions(each or answers(right=0.7)) for each in (a, b)]
    return (
        cache.revision("one", {MODEL: cache.model(tables[0])}),
        cache.revision("two", {MODEL: cache.model(tables[1])}, **changes),
    )


class TestRows:
    def test_a_row_has_both_figures_the_difference_and_a_word(self, cache, compared):
        a, b = revisions(cache, answers(right=0.0), answers(), params={"train.epochs": 3})
        found, text = compared(a, b)
        (row,) = found["rows"]
        assert (row["a"], row["b"], row["verdict"], row["same"]) == (0, 1, BETTER, False)
        line = f"| {MODEL} | 0.00 -> 1.00 | +1.000 (+1.000, +1.000) | better |"
        assert line in text.replace("  ", "").splitlines()
        assert "- train.epochs: 6 -> 3" in text.splitlines()

    def test_old_and_new_tables_of_predictions_are_compared_on_the_test_part(self, cache):
        found = answers(right=0.7)
        a = cache.revision("one", {MODEL: cache.model(predictions(found))})
        b = cache.revision("two", {MODEL: cache.model(predictions(found, repeats=True))})
        (row,) = compare_model(a, b, MODEL)
        assert row["same"]
        assert row["difference"] == 0

    def test_another_test_part_is_said_with_the_speakers_of_both(self, cache, compared):
        _, text = compared(*revisions(cache, answers(16), answers(16, first=4)))
        expected = "24 speakers in both (A tested 32, B 32)"
        assert f"Other test parts, {expected}: {MODEL}" in text.replace("\n  ", " ")

    def test_too_few_speakers_are_counted_below_the_table(self, cache, compared):
        found, text = compared(*revisions(cache, answers(4, right=0.0), answers(4)))
        assert found["rows"][0]["verdict"] == SAME
        assert f"- 4 speakers labelled male, 10 needed for a verdict: {MODEL}" in text

    def test_test_parts_without_a_common_speaker_cannot_be_compared(self, cache, compared):
        found, text = compared(*revisions(cache, answers(), answers(first=50)))
        assert "verdict" not in found["rows"][0]
        joined = text.replace("\n  ", " ")
        assert f"(no speaker of the class male was tested by both): {MODEL}" in joined
        assert "| model" not in text

    def test_other_classes_and_skipped_models_cannot_be_compared(self, cache):
        table = predictions(answers())
        a = cache.revision("one", {MODEL: cache.model(table)})
        b = cache.revision("two", {MODEL: cache.model(table, classes=["female"])})
        (row,) = compare_model(a, b, MODEL)
        assert row["reason"] == "A tells male, female; B tells female"
        b = cache.revision("two", {MODEL: cache.model(None, skipped="3 speakers")})
        (row,) = compare_model(a, b, MODEL)
        assert row["reason"] == "B: skipped: 3 speakers"

    def test_every_task_and_source_left_out_has_a_row_of_its_own(self, cache, compared):
        joined = [
            {"name": "gender", "column": "gender", "classes": CLASSES},
            {"name": "age", "column": "age", "classes": ["young"]},
        ]
        gender = predictions(answers(right=0.7), repeats=True)
        age = gender.assign(task="age", label="young", young=1.0, male=np.nan, female=np.nan)
        # The same speakers, tested by a network without the clips of one source.
        left_out = gender.assign(left_out="radio", male=gender["female"], female=gender["male"])
        table = pd.concat([gender, age, left_out])
        a, b = (
            cache.revision(name, {"gender+age-all": cache.model(rows, joined=joined)})
            for name, rows in (("one", pd.concat([gender, age])), ("two", table))
        )
        found, text = compared(b, b)
        rows = {(row["task"], row["left_out"]): row for row in found["rows"]}
        assert set(rows) == {("gender", ""), ("gender", "radio"), ("age", "")}
        assert rows["gender", "radio"]["a"] == pytest.approx(1 - rows["gender", ""]["a"])
        assert rows["age", ""]["a"] == 1
        assert "| gender+age-all, gender, without" in text  # the rest stands below
        found, text = compared(a, b)
        assert "- Cannot be compared (A: not tested): gender+age-all, gender, without radio" in text

    def test_models_of_one_revision_alone_are_named(self, cache, compared):
        checksum = cache.model(predictions(answers()))
        a = cache.revision("one", {MODEL: checksum, "old": checksum})
        b = cache.revision("two", {MODEL: checksum, "fresh": checksum})
        found, text = compared(a, b)
        assert (found["gone"], found["new"]) == (["old"], ["fresh"])
        assert {"- Only in A: old", "- Only in B: fresh"} <= set(text.splitlines())

    def test_long_names_are_broken_to_fit(self, cache, compared):
        name = "gender-all-" + "-".join(["representation"] * 6)
        checksum = cache.model(predictions(answers()))
        _, text = compared(*(cache.revision(each, {name: checksum}) for each in ("one", "two")))
        cells = [line.split(" | ")[0] for line in text.splitlines() if line.startswith("| ")]
        assert name in "".join(cell.strip("| ") for cell in cells)

    def test_a_model_that_is_not_in_the_cache_names_the_remedy(self, cache):
        a, b = revisions(cache)
        lost = cache.revision("two", {MODEL: "00" * 16 + ".dir"})
        with pytest.raises(RevisionError, match=rf"two.*{MODEL}.*`dvc fetch --all-commits`"):
            list(compare_model(a, lost, MODEL))
        (cache.folder / b.models[MODEL][:2]).mkdir(exist_ok=True)
        table = cache.put(predictions(answers(right=0.7)).to_parquet())
        (cache.folder / table[:2] / table[2:]).unlink()
        with pytest.raises(RevisionError, match=r"predictions\.parquet is not in DVC's cache"):
            list(compare_model(a, b, MODEL))

    def test_outside_a_clone_it_says_where_to_go(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(RevisionError, match=r"not in a clone.*go to the folder of dvc\.yaml"):
            read_revision("HEAD")


MACHINE = "Same parameters, code and data: the difference is the machine or the environment"


class TestCauses:
    def test_the_same_in_everything_is_said(self, cache, compared):
        _, text = compared(*revisions(cache))
        assert text.endswith("Same parameters, code and data, and the same predictions.")

    def test_only_figures_differ_on_another_machine(self, cache, compared):
        a, b = revisions(cache, answers(right=0.7), answers(right=0.7, seed=9))
        _, text = compared(a, b)
        assert f"{MACHINE}." in text.splitlines()
        assert f"- First stage with another output: train@{MODEL}" in text

    def test_what_a_stage_made_otherwise_is_the_machine_and_no_other_data(self, cache, compared):
        pair = answers(right=0.7), answers(right=0.7, seed=9)
        made = {"data/wav/es": "other"}
        _, text = compared(*revisions(cache, *pair, made=made, requirements="numpy==2.2"))
        joined = text.replace("\n  ", " ")
        assert f"{MACHINE}, with other versions in requirements.txt." in joined
        assert "- First stage with another output: convert" in text

    @pytest.mark.parametrize(
        ("changes", "line"),
        [
            ({"params": {"train.epochs": 3}}, "- train.epochs: 6 -> 3"),
            ({"params": {"train.repeats": 2}}, "- train.repeats: none -> 2"),
            ({"code": {"src/voicetraits/training": "d"}}, "- Code: src/voicetraits/training"),
            ({"inputs": {"fr.tar.gz": "f"}}, "- Data: fr.tar.gz"),
        ],
    )
    def test_a_changed_recipe_is_named(self, cache, compared, changes, line):
        pair = answers(right=0.7), answers(right=0.7, seed=9)
        _, text = compared(*revisions(cache, *pair, **changes))
        assert line in text.splitlines()
        assert MACHINE not in text

    def test_stages_that_lead_to_no_model_of_both_do_not_count(self, cache):
        a, b = revisions(cache)
        other = Stage("explore", {"seed": 1}, {}, {}, {"plots/explore": "p"}, frozenset())
        b = replace(b, stages={**b.stages, "explore": other})
        assert not any(causes(a, b, [MODEL]).values())

    def test_files_beyond_the_first_are_counted(self, cache, compared):
        code = {f"src/voicetraits/a{number}.py": "x" for number in range(11)}
        found, text = compared(*revisions(cache, code=code))
        assert len(found["causes"]["code"]) == 11
        assert "and 3 more" in text.replace("\n  ", " ")
