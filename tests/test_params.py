"""params.yaml: typed, validated, and clear about what is wrong."""

from pathlib import Path

import pytest
import yaml

from voicetraits.params import ParamsError, load_params

ROOT = Path(__file__).parents[1]


@pytest.fixture
def edited(tmp_path):
    """A function that writes the committed params.yaml with some keys changed."""

    def write(**changes):
        raw = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
        for dotted, value in changes.items():
            *sections, key = dotted.split("__")
            place = raw
            for section in sections:
                place = place[section]
            place[key] = value
        path = tmp_path / "params.yaml"
        path.write_text(yaml.safe_dump(raw), encoding="utf-8")
        return path

    return write


def test_the_committed_file_is_valid():
    params = load_params(ROOT / "params.yaml")
    assert params.locales == ["es", "en", "fr", "de"]


def test_the_windows_spread_over_the_clip_to_its_end():
    params = load_params(ROOT / "params.yaml")
    last = (params.extract.frames - 1) * params.hop + params.window
    assert params.clip.samples - params.hop < last <= params.clip.samples


def test_an_unknown_key_is_refused_with_the_nearest_name(edited):
    with pytest.raises(ParamsError, match=r"unknown key 'train.epohcs'.*'epochs'"):
        load_params(edited(train__epohcs=3))


def test_an_unknown_section_is_refused_with_the_nearest_name(edited):
    with pytest.raises(ParamsError, match=r"unknown key 'trian'.*'train'"):
        load_params(edited(trian={"epochs": 3}))


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("split__test", 1.4, "less than 1"),
        ("split__test", "0.3", "valid number"),
        ("train__epochs", 0, "greater than or equal to 1"),
        ("train__epochs", 2.5, "valid integer"),
        ("train__selection_clips", 0, "greater than or equal to 1"),
        ("train__memory_budget_gb", -1.0, "greater than or equal to 0"),
        ("train__memory_budget_gb", "4 GB", "valid number"),
        ("protocol__split_by", "clips", "'speaker' or 'clip'"),
        ("representations", ["mfcc"], "'features' or 'spectrogram'"),
        ("locales", [], "at least 1 item"),
        ("locales", ["../es"], "match pattern"),
        ("sample__speakers", {"es": 0}, "greater than or equal to 1"),
    ],
)
def test_an_impossible_value_is_refused_with_key_value_and_what_is_allowed(
    edited, key, value, allowed
):
    with pytest.raises(ParamsError) as refused:
        load_params(edited(**{key: value}))
    message = str(refused.value)
    assert key.replace("__", ".") in message
    assert allowed in message


def test_values_that_contradict_each_other_are_refused(edited):
    with pytest.raises(ParamsError, match=r"clips_min \(12\) exceeds clips_max \(8\)"):
        load_params(edited(sample__clips_min=12))
    with pytest.raises(ParamsError, match="locales names one value twice"):
        load_params(edited(locales=["es", "es"]))
    with pytest.raises(ParamsError, match=r"clip.seconds .* is too short"):
        load_params(edited(clip__seconds=0.5, extract__window=0.5))


def test_every_problem_is_reported_at_once(edited):
    with pytest.raises(ParamsError) as refused:
        load_params(edited(split__test=1.4, train__epochs=0))
    assert len(str(refused.value).splitlines()) == 2


def test_a_missing_key_is_named(edited, tmp_path):
    path = edited()
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    del raw["train"]["patience"]
    path.write_text(yaml.safe_dump(raw), encoding="utf-8")
    with pytest.raises(ParamsError, match=r"missing key 'train.patience'"):
        load_params(path)


@pytest.mark.parametrize("text", ["just words", "- a\n- list", "a: [1", ""])
def test_a_file_that_holds_no_sections_is_refused(tmp_path, text):
    path = tmp_path / "params.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ParamsError, match=r"params\.yaml"):
        load_params(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ParamsError, match=r"nowhere\.yaml"):
        load_params(tmp_path / "nowhere.yaml")
