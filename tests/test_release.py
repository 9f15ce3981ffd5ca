"""The released model: what it is made of, and what its card says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import COMMITTED, ROOT

from voicetraits.audio.wav import segment_of, wav_bytes
from voicetraits.dataset.parts import TEST, TRAINING, VALIDATION
from voicetraits.errors import InputError
from voicetraits.recognizer.model import RELEASED, ExportedModel
from voicetraits.release.build import assign, assign_spoken, shares
from voicetraits.release.calibrate import ROWS, TESTED, WORSE, answers, calibrated
from voicetraits.release.card import card
from voicetraits.release.clips import FOREIGN
from voicetraits.release.recipe import Recipe, read_recipe
from voicetraits.release.worse import TRIED, predict_worse, worse_clips
from voicetraits.storage.shards import shard_name, write_wavs

LANGUAGES = ["de", "en", "es", "fr"]


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    """That of the repository."""
    return read_recipe(ROOT / "released.yaml")


def clips(recipe: Recipe) -> pd.DataFrame:
    """Clips of every source and locale, four speakers each."""
    rows = []
    for corpus in recipe.corpora:
        for source in corpus.sources or [""]:
            for locale in corpus.locales:
                for speaker in range(4):
                    name = f"{corpus.name}{source}{locale}{speaker}"
                    language = locale if locale in recipe.languages else FOREIGN
                    gender = ("female", "male", "", "male")[speaker]
                    rows += [
                        (f"{name}_{clip}.mp3", locale, corpus.name, source, name, gender, language)
                        for clip in range(3)
                    ]
    columns = ["clip", "locale", "corpus", "source", "speaker", "gender", "language"]
    table = pd.DataFrame(rows, columns=columns)
    phones = [[1, 2] if name.endswith("_0.mp3") else [] for name in table["clip"]]
    return table.assign(synthetic=table["corpus"] == "sample", phones=phones)


def test_no_source_of_another_licence_is_used(recipe):
    licences = {text for corpus in recipe.corpora for text in corpus.sources.values()}
    licences |= {corpus.licence for corpus in recipe.corpora if not corpus.sources}
    assert licences == {"CC0", "CC BY 4.0", "public domain", "synthetic"}


@pytest.mark.parametrize("leave_out", [False, True])
@pytest.mark.parametrize("name", ["language", "gender"])
def test_what_is_left_out_is_tested_on_and_no_speaker_of_it_is_trained_on(recipe, leave_out, name):
    (task,) = (each for each in recipe.tasks if each.name == name)
    found = assign(clips(recipe), recipe, task, leave_out=leave_out)
    test, heard = (found[found["part"] == part] for part in (TEST, TRAINING))
    expected = {*recipe.network(task).left_out} if leave_out else set()
    assert set(test.loc[test["language"] != FOREIGN, "source"]) == expected
    assert (FOREIGN in set(test["language"])) == leave_out
    assert (found.groupby("speaker")["part"].nunique() == 1).all()
    assert not found.loc[found["part"] == VALIDATION, "synthetic"].any()
    assert heard[name].isin(task.classes).all()
    # Of foreign languages nothing is learned but the gender, and that by what is released alone.
    hears_foreign = name == "gender" and not leave_out
    assert set(heard["language"]) == {*recipe.languages, *([FOREIGN] if hears_foreign else [])}


def test_no_phone_is_learned_of_what_is_left_out(recipe):
    language, _ = recipe.tasks
    table = clips(recipe)
    tested = assign(table, recipe, language, leave_out=True).query("part == @TEST")
    spoken = assign_spoken(table, recipe, language)
    assert set(spoken["part"]) == {TRAINING, VALIDATION}
    assert spoken["phones"].map(len).min() > 0
    assert set(spoken["corpus"]) == set(recipe.language.phones.corpora)
    assert not set(spoken["speaker"]) & set(tested["speaker"])
    assert not set(spoken["source"]) & set(recipe.language.left_out)


@pytest.mark.parametrize("change", [{"phones": None}, {"frames": {"phones": 0}}])
def test_phones_have_corpora_and_steps_or_neither(tmp_path, change):
    declared = yaml.safe_load((ROOT / "released.yaml").read_text("utf-8"))
    language = declared["language"]
    for key, value in change.items():
        language[key] = language[key] | value if isinstance(value, dict) else value
    (tmp_path / "released.yaml").write_text(yaml.safe_dump(declared), encoding="utf-8")
    with pytest.raises(InputError, match="give both, or leave the first out"):
        read_recipe(tmp_path / "released.yaml")


def test_people_have_their_share_of_the_draws(recipe):
    table = clips(recipe)
    found = shares(table, people=0.3)
    assert np.isclose(found[~table["synthetic"]].sum(), 0.3)
    assert np.isclose(found.sum(), 1)
    by_source = pd.Series(found).groupby([table["synthetic"], table["source"]]).sum()
    assert by_source[False].min() > 0
    assert np.isclose(shares(table[table["synthetic"]], people=0.3).sum(), 1)


def predicted(recipe: Recipe, folder: Path) -> None:
    """Predictions that are right for four clips of five, and surer of those."""
    rng = np.random.default_rng(0)
    for task in recipe.tasks:
        table = assign(clips(recipe), recipe, task, leave_out=True)
        rows = table[table["part"] == TEST].reset_index(drop=True)
        count = len(task.classes)
        right = rng.uniform(size=len(rows)) < 0.8
        numbers = {name: n % count for n, name in enumerate((*task.classes, FOREIGN))}
        given = rows[task.column].map(numbers).to_numpy()
        given = np.where(right, given, (given + 1) % count)
        sure = np.where(right, 0.95, 0.4 + 0.2 * (count == 2))
        found = np.repeat(((1 - sure) / (count - 1))[:, None], count, axis=1)
        found[np.arange(len(rows)), given] = sure
        rows[list(task.classes)] = found
        here = folder / TESTED / task.name
        here.mkdir(parents=True)
        rows.to_parquet(here / ROWS)
        own = rows[rows["language"] != FOREIGN]
        pd.concat([own.assign(condition=each) for each in TRIED]).to_parquet(here / WORSE)


def test_answers_that_are_not_sure_enough_are_not_given(recipe, tmp_path):
    predicted(recipe, tmp_path)
    language, gender = (calibrated(each, recipe, tmp_path) for each in recipe.tasks)
    known = language.rows[language.rows["language"] != FOREIGN]
    always, right = answers(known, language.task, 0.0)
    assert right < recipe.wanted_right
    answered, right = answers(known, language.task, language.threshold)
    assert answered < always and right >= recipe.wanted_right
    assert gender.threshold == 0.5
    impossible = recipe.model_copy(update={"wanted_right": 1.0, "most_unknown": 0.01})
    kept = calibrated(language.task, impossible, tmp_path)
    assert answers(known, language.task, kept.threshold)[0] >= 0.99


def test_the_card_names_sources_licences_and_what_was_left_out(recipe, tmp_path):
    predicted(recipe, tmp_path)
    table = clips(recipe)
    found = [calibrated(each, recipe, tmp_path) for each in recipe.tasks]
    text = card(recipe, table, found, "so many clips")
    for corpus in recipe.corpora:
        for source, licence in corpus.sources.items():
            assert f"| {source} | {licence} |" in text
    for network in (recipe.language, recipe.gender):
        assert f"| {', '.join(network.left_out)} |" in text
    for condition in TRIED:
        assert f"| {condition} |" in text
    assert "EU AI Act" in text
    read = table[table["corpus"].isin(recipe.language.phones.corpora) & table["phones"].map(bool)]
    people, synthetic = (~read["synthetic"]).sum(), read["synthetic"].sum()
    assert people and synthetic
    said = f"{people} clips of people and {synthetic} of synthetic voices"
    assert said in " ".join(text.split())
    # No speaker, and no clip.
    assert not any(name in text for name in (*table["speaker"], *table["clip"]))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"seed": "x"}, "seed"),
        ({"unknown": 1}, "unknown"),
        ({"pico": {"seed": 1, "speakers": 0, "clips": 1}}, "pico.speakers"),
    ],
)
def test_a_recipe_that_cannot_be_followed_is_refused(tmp_path, changes, why):
    recipe = yaml.safe_load((ROOT / "released.yaml").read_text("utf-8")) | changes
    path = tmp_path / "released.yaml"
    path.write_text(yaml.safe_dump(recipe), encoding="utf-8")
    with pytest.raises(InputError, match=why):
        read_recipe(path)


def test_the_released_model_is_small_and_tells_the_four_languages():
    assert RELEASED.stat().st_size < 1_000_000
    model = ExportedModel()
    assert not model.synthetic
    assert model.heads["language"].classes == tuple(LANGUAGES)
    assert set(model.heads["gender"].classes) == {"female", "male"}
    noise = np.random.default_rng(0).normal(0, 0.1, 48000).astype(np.float32)
    for found in model.probabilities(noise).values():
        assert np.isclose(found.sum(), 1, atol=1e-3)


def test_the_card_in_the_repository_is_that_of_the_recipe(recipe):
    text = (ROOT / "docs" / "model_card.md").read_text(encoding="utf-8")
    for network in (recipe.language, recipe.gender):
        assert f"| {', '.join(network.left_out)} |" in text
    for corpus in recipe.corpora:
        assert all(
            f"| {source} | {licence} |" in text for source, licence in corpus.sources.items()
        )


def test_left_out_clips_are_tried_under_every_condition(recipe, tmp_path, monkeypatch):
    from voicetraits.networks import build

    monkeypatch.setenv("VOICETRAITS_WORKERS", "1")
    table = pd.concat([stored(tmp_path, corpus) for corpus in ("real", "sample")])
    table.index = pd.RangeIndex(40, 46)  # as what is left of a larger table has it
    for task in recipe.tasks:
        labelled = table[table[task.column].isin(task.classes)]
        network = build("tdnn", (64, None), task.heads, seed=0)
        params = COMMITTED.model_copy(update={"clip": recipe.clip})
        worse = worse_clips(labelled, params, corpora=tmp_path)
        found = predict_worse(network, worse, recipe, task)
        counts = {name: len(some) for name, some in found.groupby("condition", sort=False)}
        assert counts == dict.fromkeys(TRIED, len(labelled))
        assert set(found["clip"]) == set(labelled["clip"])
        classes = list(task.classes)
        assert np.allclose(found[classes].sum(axis=1), 1, atol=1e-5)
        # A whole clip is not taken for its first second.
        whole, cut = (found[found["condition"] == name] for name in (TRIED[0], TRIED[-2]))
        assert not np.allclose(whole[classes], cut[classes], atol=1e-6)


def stored(folder: Path, corpus: str) -> pd.DataFrame:
    """Three clips of 3 s, as `gather` leaves them."""
    here = folder / corpus / "de" / "wav"
    here.mkdir(parents=True)
    rng = np.random.default_rng(len(corpus))
    sounds = [rng.normal(0, 0.1, 48_000) * np.linspace(0, 1, 48_000) for _ in range(3)]
    named = [(f"{corpus}{n}.mp3", wav_bytes(segment_of(x, 16_000))) for n, x in enumerate(sounds)]
    write_wavs(here / shard_name(0, "tar"), named)
    return pd.DataFrame(
        {
            "clip": [name for name, _ in named],
            "corpus": corpus,
            "locale": "de",
            "language": "de",
            "gender": ["female", "male", ""],
            "shard": 0,
            "row": range(3),
        }
    )
