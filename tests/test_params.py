"""params.yaml: typed, validated, and clear about what is wrong."""

from pathlib import Path

import pandas as pd
import pytest
import yaml
from dvc.utils.serialize import load_yaml

from voicetraits.audio.wav import clip_samples
from voicetraits.errors import InputError
from voicetraits.features.windows import windows
from voicetraits.models import declared_task
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


@pytest.fixture
def written_as(tmp_path):
    """A function that writes the committed params.yaml with a key of `train` in these letters."""

    def write(key, text):
        lines = (ROOT / "params.yaml").read_text(encoding="utf-8").splitlines(keepends=True)
        changed = [f"  {key}: {text}\n" if f"  {key}: " in line else line for line in lines]
        path = tmp_path / "params.yaml"
        path.write_text("".join(changed), encoding="utf-8")
        return path

    return write


def test_the_committed_file_is_valid():
    params = load_params(ROOT / "params.yaml")
    raw = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    assert params.locales == raw["locales"]


def test_the_windows_spread_over_the_clip_to_its_end():
    params = load_params(ROOT / "params.yaml")
    window, hop = windows(params.clip, params.extract)
    last = (params.extract.frames - 1) * hop + window
    assert clip_samples(params.clip) - hop < last <= clip_samples(params.clip)


def test_a_clip_too_short_for_its_windows_is_refused(edited_params):
    params = edited_params(clip={"seconds": 0.5}, extract={"window": 0.5})
    with pytest.raises(InputError, match=r"clip.seconds .* is too short"):
        windows(params.clip, params.extract)


def test_an_unknown_key_is_refused_with_the_nearest_name(edited):
    with pytest.raises(ParamsError, match=r"unknown key 'train.epohcs'.*'epochs'"):
        load_params(edited(train__epohcs=3))


def test_a_misspelt_key_is_named_before_the_one_that_is_then_missing(tmp_path):
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    path = tmp_path / "params.yaml"
    path.write_text(text.replace("\n  epochs: ", "\n  epcohs: "), encoding="utf-8")
    with pytest.raises(ParamsError, match=r"^\S+ unknown key 'train.epcohs'.*\n.*missing key"):
        load_params(path)


def test_an_unknown_section_is_refused_with_the_nearest_name(edited):
    with pytest.raises(ParamsError, match=r"unknown key 'trian'.*'train'"):
        load_params(edited(trian={"epochs": 3}))


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("split__test", 1.4, "less than 1"),
        ("split__test", "0,3", "valid number"),
        ("split__test", "30 %", "valid number"),
        ("split__test", "nan", "valid number"),
        ("split__test", True, "valid number"),
        ("train__epochs", "six", "valid integer"),
        ("train__epochs", "1e-1", "valid integer"),
        ("train__epochs", "1e999", "valid integer"),
        ("train__epochs", True, "valid integer"),
        ("train__epochs", "-3", "greater than or equal to 1"),
        ("train__learning_rate", ".", "valid number"),
        ("train__learning_rate", "1e999", "finite number"),
        ("train__epochs", 0, "greater than or equal to 1"),
        ("train__epochs", 2.5, "valid integer"),
        ("train__selection_clips", 0, "greater than or equal to 1"),
        ("train__memory_budget_gb", -1.0, "greater than or equal to 0"),
        ("train__memory_budget_gb", "4 GB", "valid number"),
        ("protocol__split_by", "clips", "'speaker' or 'clip'"),
        ("representations", ["../mfcc"], "match pattern"),
        ("models__per_locale", [], "at least 1 item"),
        ("tasks__age", {"label": "agee"}, "'gender', 'age', 'accent' or 'locale'"),
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


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1e-5", 0.00001),
        ("1E-5", 0.00001),
        ("1e-05", 0.00001),
        ("'1e-5'", 0.00001),
        ('"0.001"', 0.001),
        ("2e-3", 0.002),
        ("2.e-3", 0.002),
        ("+2e-3", 0.002),
        (".5", 0.5),
        ("'.5'", 0.5),
        ("1.", 1.0),
        ("1", 1.0),
        ("' 0.5 '", 0.5),
    ],
)
def test_a_number_can_be_written_as_people_write_it(written_as, written, meant):
    assert load_params(written_as("learning_rate", written)).train.learning_rate == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1e4", 10_000),
        ("1E+4", 10_000),
        ("10000.0", 10_000),
        ("10_000", 10_000),
        ("'10_000'", 10_000),
        ("'10000'", 10_000),
        ("1_0e3", 10_000),
        ("'12345678901234567'", 12345678901234567),
    ],
)
def test_a_whole_number_can_be_written_as_people_write_it(written_as, written, meant):
    found = load_params(written_as("selection_clips", written)).train.selection_clips
    assert (found, type(found)) == (meant, int)


def test_the_numbers_of_speakers_can_be_written_so_too(edited):
    params = load_params(edited(sample__speakers={"es": "1e2", "en": 20.0}))
    assert params.sample.speakers == {"es": 100, "en": 20}


@pytest.mark.parametrize("written", ["1e-5", "0.0001", "'1e-5'", "1e-05", "2e-3", ".5", "1_0e-3"])
def test_dvc_records_the_number_that_is_read(written_as, written):
    path = written_as("learning_rate", written)
    recorded = load_yaml(str(path))["train"]["learning_rate"]
    assert float(recorded) == load_params(path).train.learning_rate


@pytest.mark.parametrize("name", ["no", "on", "yes", "off"])
def test_a_language_is_no_truth_value(written_as, name):
    path = written_as("patience", "3")
    path.write_text(path.read_text(encoding="utf-8").replace("  - es\n", f"  - {name}\n"))
    assert load_params(path).locales[0] == name


def test_a_key_that_is_there_twice_is_refused(written_as):
    with pytest.raises(ParamsError, match="cannot be read"):
        load_params(written_as("epochs", "3\n  epochs: 4"))


@pytest.mark.parametrize("value", [["old"], 123, 1.5, True, None, {"a": "b"}])
def test_a_text_that_was_taken_for_something_else_is_refused_with_how_to_quote_it(edited, value):
    with pytest.raises(ParamsError) as refused:
        load_params(edited(corpus__path=value))
    assert str(refused.value).endswith("""-S 'corpus.path="..."'""")


def test_a_list_that_was_taken_for_a_text_is_refused_with_how_to_write_it(edited):
    with pytest.raises(ParamsError, match=r"-S 'locales=\[..., ...\]'$"):
        load_params(edited(locales="es"))


def test_values_that_contradict_each_other_are_refused(edited):
    with pytest.raises(ParamsError, match=r"clips_min \(12\) exceeds clips_max \(8\)"):
        load_params(edited(sample__clips_min=12, sample__clips_max=8))
    with pytest.raises(ParamsError, match="locales names all, which stands for all of them"):
        load_params(edited(locales=["all", "es"]))
    with pytest.raises(ParamsError, match="locales names one value twice"):
        load_params(edited(locales=["es", "es"]))


AGE = {"label": "age", "undersample": "random", "metrics": ["macro_f1"]}


@pytest.mark.parametrize(
    ("classes", "why"),
    [
        ("ages", "a list of classes is expected, or the word locales"),
        ([], "a list of classes is expected"),
        (["teens", 30], "a class is a text"),
        ([{"young": "teens"}], "a class is a text"),
        (["teens", "teens"], "'teens' cannot be a class"),
        ([{"young": ["teens"]}, {"old": ["teens"]}], "'teens' is in two classes"),
        (["clip"], "'clip' cannot be a class"),
    ],
)
def test_classes_that_are_none_are_refused_with_the_task(edited, classes, why):
    with pytest.raises(ParamsError, match=rf"tasks\.age\.classes.*{why}"):
        load_params(edited(tasks__age={**AGE, "classes": classes}))


def test_classes_keep_their_order_and_may_stand_for_several_labels(edited):
    classes = [{"young": ["teens", "twenties"]}, "thirties", {"old": ["fifties", "sixties"]}]
    params = load_params(edited(tasks__age={**AGE, "classes": classes}))
    task = declared_task(params, "age")
    assert task.classes == ("young", "thirties", "old")
    ages = ["sixties", "teens", "", "fourties", "thirties", "twenties"]
    found = task.labelled(pd.DataFrame({"age": ages}))["label"].tolist()
    assert found == ["old", "young", "thirties", "young"]


def test_a_model_of_an_unknown_task_is_refused_with_the_nearest_name(edited):
    for key in ("per_locale", "pooled"):
        with pytest.raises(ParamsError, match=rf"models\.{key} names 'gendre'.*'gender'"):
            load_params(edited(**{f"models__{key}": ["gendre"]}))


def test_a_task_whose_classes_are_the_locales_needs_all_of_them(edited):
    with pytest.raises(ParamsError, match=r"models\.per_locale names language.*models\.pooled"):
        load_params(edited(models__per_locale=["language"]))


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
