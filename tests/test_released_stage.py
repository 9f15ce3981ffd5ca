"""The steps of `make released`, from small corpora to file and card, but for the training."""

from __future__ import annotations

import io
import shutil
from contextlib import redirect_stdout

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import COMMITTED, ROOT

from stages.released import main
from voicetraits.dataset.parts import TRAINING, VALIDATION
from voicetraits.errors import InputError
from voicetraits.networks import build
from voicetraits.recognizer.model import ExportedModel
from voicetraits.release.calibrate import ROWS, TESTED, WORSE
from voicetraits.release.clips import FOREIGN
from voicetraits.release.worse import TRIED
from voicetraits.release.write import CARD, MODEL
from voicetraits.sample.archive import write_sample

KNOWN = np.arange(3.0)  # weights that know phones
FIRST_HALF, SECOND_HALF = list("01234567"), list("89abcdef")  # of what a client_id begins with


def small_recipe() -> dict:
    """That of the repository, of two languages and a foreign one, all spoken by the sample."""
    recipe = yaml.safe_load((ROOT / "released.yaml").read_text("utf-8"))
    shared = {"path": "corpora", "ending": ".tar.gz", "licence": "CC0"}
    sources = dict.fromkeys([*FIRST_HALF, *SECOND_HALF], "CC0")
    real = {"name": "real", **shared, "locales": ["de", "en"], "source": "^.", "sources": sources}
    foreign = {"name": "foreign", **shared, "locales": ["es"]}
    small = {"languages": ["de", "en"], "corpora": [real, foreign]}
    for task, names in {"language": ["real"], "gender": ["real", "foreign"]}.items():
        small[task] = recipe[task] | {"corpora": names, "left_out": FIRST_HALF}
    small["language"]["phones"] = recipe["language"]["phones"] | {"corpora": ["real"]}
    # Crops of one length, for which the networks are compiled once.
    return recipe | small | {"heard": {"crop": 100, "crops": 2}}


def listed(steps: str) -> list[str]:
    said = io.StringIO()
    with redirect_stdout(said):
        main("steps", steps)
    return said.getvalue().split("\n")[:-1]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folder in which all steps have been done, with networks that nobody has trained."""
    place = tmp_path_factory.mktemp("released")
    (place / "released.yaml").write_text(yaml.safe_dump(small_recipe()), encoding="utf-8")
    shutil.copy(ROOT / "params.yaml", place)
    (place / MODEL.parent).mkdir(parents=True)
    sample = COMMITTED.sample.model_copy(
        update={"speakers": {"de": 10, "en": 10, "es": 4}, "clips_min": 1, "clips_max": 1}
    ).model_copy(update={"female": 0.5, "unlabelled": 0.0})

    def untrained(network, task, _stored, _labels, _places, _groups, frames, *, begin, **_):
        assert (begin is not None) == (task.name == "language")
        if begin:
            np.testing.assert_array_equal(begin, [KNOWN])
        return build(network, (64, None), task.heads, seed=0, members=frames.members)

    def unread(_network, task, stored, spoken, places, weights, *_, **__):
        assert task.name == "language"
        assert len(stored) == len(spoken) and all(map(len, spoken))
        assert len(weights) == len(places[TRAINING]) > len(places[VALIDATION]) > 0
        return [KNOWN]

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VOICETRAITS_WORKERS", "1")
        patch.setattr("voicetraits.training.fit_frames.fit_frames", untrained)
        patch.setattr("voicetraits.training.phones.fit_phones", unread)
        patch.setattr("voicetraits.sample.phones._SELDOM", 2)
        patch.chdir(place)
        for locale in sample.speakers:
            write_sample(sample, locale, place / "corpora" / f"{locale}.tar.gz")
        main("gather")
        for steps in ("first", "then"):
            for step in listed(steps):
                main(*step.split())
        main("card")
    return place


def test_what_is_left_out_is_predicted_as_it_is_and_spoilt(made):
    for task in ("language", "gender"):
        here = made / "data" / "released" / TESTED / task
        rows, worse = (pd.read_parquet(here / name) for name in (ROWS, WORSE))
        own = rows[rows["language"] != FOREIGN]
        assert set(own["source"]) <= set(FIRST_HALF)
        assert FOREIGN in set(rows["language"])
        assert worse["condition"].value_counts().to_dict() == dict.fromkeys(TRIED, len(own))


def test_the_file_answers_both_questions_and_the_card_is_written(made):
    model = ExportedModel(made / MODEL)
    assert model.heads["language"].classes == ("de", "en")
    assert model.heads["gender"].classes == ("female", "male")
    noise = np.random.default_rng(0).normal(0, 0.1, 48000).astype(np.float32)
    assert {task: len(found) for task, found in model.probabilities(noise).items()} == {
        "language": 2,
        "gender": 2,
    }
    text = (made / CARD).read_text(encoding="utf-8")
    assert f"| {', '.join(FIRST_HALF)} |" in text
    assert "| telephone |" in text


def test_the_steps_are_listed_and_pico_speaks_each_language(made, monkeypatch):
    spoken = []

    def write_pico(locale, folder, **options):
        spoken.append((locale, folder.name, options))
        return 7

    monkeypatch.setattr("voicetraits.sample.pico.write_pico", write_pico)
    monkeypatch.chdir(made)
    main("speak")
    declared = small_recipe()["pico"]
    assert spoken == [(locale, locale, declared) for locale in ("de", "en")]
    assert listed("first") == ["phones language", "final gender", "tested gender"]
    assert listed("then") == ["final language", "tested language"]
    for step in (["final"], ["round", "language"], ["tested", "age"], ["steps"]):
        with pytest.raises(InputError, match="no such step"):
            main(*step)
