"""The pictures show the numbers they are given, and the same data gives the same bytes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest
import soundfile
import yaml
from conftest import ROOT, audio_file, clips_of_one_speaker
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from stages import explore
from voicetraits.audio.convert import convert
from voicetraits.corpus.clips import CLIP_COLUMNS, write_clips
from voicetraits.params import Clip
from voicetraits.plots.clip import example_clip
from voicetraits.plots.counts import count_plots
from voicetraits.plots.results import results
from voicetraits.plots.style import bars as draw_bars
from voicetraits.plots.style import message, save
from voicetraits.plots.undersampling import undersampling

pytestmark = pytest.mark.slow

SPEAKERS = ("5f0c", "6a1d", "7b2e", "8c3f")


def clip_table() -> pd.DataFrame:
    """Seven clips: four of a first speaker, and one each of three others."""
    speaker = [SPEAKERS[0]] * 4 + list(SPEAKERS[1:])
    return pd.DataFrame(
        {
            "clip": [f"clip_{number}.mp3" for number in range(7)],
            "speaker": speaker,
            "gender": ["female"] * 4 + ["male", "other", ""],
            "age": ["twenties"] * 4 + ["fourties", "", "centenarian"],
            "accent": ["México"] * 4 + ["$a_1$", "", "a name that is far too long for a bar chart"],
            "duration": [1.0, 2.0, 2.0, 3.0, 4.0, 5.0, np.nan],
            "excluded": ["", "", "", "over the speaker's cap", "", "", "no file name"],
        }
    )


def panel(figure: Figure, title: str) -> Axes:
    return next(axes for axes in figure.axes if axes.get_title(loc="left").startswith(title))


def bars(axes: Axes) -> dict[str, tuple[float, ...]]:
    """Lengths of the bars by name: (before, after), or (count,)."""
    names = [label.get_text() for label in axes.get_yticklabels()]
    drawn = axes.patches[: len(axes.patches) // len(names) * len(names)]
    lengths = np.array([bar.get_width() for bar in drawn]).reshape(-1, len(names))
    return dict(zip(names, map(tuple, lengths.T), strict=True))


def counts_beside(axes: Axes) -> Axes:
    """The axes whose ticks are the counts of these bars."""
    (beside,) = set(axes.get_shared_x_axes().get_siblings(axes)) - {axes}
    return beside


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def size_of(figure: Figure, path: Path) -> int:
    save(figure, path)
    return path.stat().st_size


def test_bars_are_as_long_as_the_counts_before_and_after_selection() -> None:
    figure = count_plots(clip_table(), "es")
    assert bars(panel(figure, "Gender")) == {
        "male": (1, 1),
        "female": (4, 3),
        "other": (1, 1),
        "not given": (1, 0),
    }
    assert bars(panel(figure, "Age")) == {
        "20 to 29": (4, 3),
        "40 to 49": (1, 1),
        "centenarian": (1, 0),
        "not given": (1, 1),
    }
    assert bars(panel(figure, "Speakers by")) == {
        "1": (3, 2),
        "2": (0, 0),
        "3": (0, 1),
        "4": (1, 0),
    }
    assert bars(panel(figure, "Clips not selected")) == {
        "no file name": (1,),
        "over the speaker's cap": (1,),
    }


def test_counts_are_written_at_the_bars_and_in_the_title() -> None:
    figure = count_plots(clip_table(), "es")
    assert "es: 7 clips in the corpus, 5 selected" in texts(figure)
    written = counts_beside(panel(figure, "Gender")).get_yticklabels()
    assert [text.get_text() for text in written] == ["1", "4 → 3", "1", "1 → 0"]


COUNTS = {
    "capped": ([0, 5, 300], [280, 20, 5]),  # speakers by clips: a cap of the clips moves them
    "one far larger": ([12_345_678, 3, 1], [12_345_677, 0, 1]),
    "all selected": ([4, 298, 127], [4, 298, 127]),
    "all dropped": ([98_765, 4_321, 1], [0, 0, 0]),
    "nothing": ([0, 0, 0], [0, 0, 0]),
}


@pytest.mark.parametrize("name", COUNTS)
def test_a_count_stands_right_of_both_bars_and_left_of_the_next_panel(name: str) -> None:
    before, after = COUNTS[name]
    counts = pd.DataFrame({"before": before, "after": after}, index=["a" * 26, "b", "c"])
    figure = Figure(figsize=(12, 7.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    draw_bars(left, "A title", counts)
    draw_bars(right, "A title", counts)
    FigureCanvasAgg(figure).draw()
    next_panel = right.get_yticklabels()[0].get_window_extent().x0
    for row, count in enumerate(counts_beside(left).get_yticklabels()):
        written = count.get_window_extent()
        assert written.x1 < next_panel
        for drawn in left.containers:
            bar = drawn.patches[row].get_window_extent()
            assert bar.x1 < written.x0
            assert bar.y0 < (written.y0 + written.y1) / 2 < bar.y1


def test_ages_stand_in_the_order_of_life_and_genders_in_that_of_the_classes() -> None:
    ages = ["nineties", "teens", "fourties", "eighties", "twenties", "fifties", "thirties", ""]
    ages += ["sixties", "seventies"]
    genders = ["", "contradictory", "other", "female", "male"] * 2
    table = pd.DataFrame({"age": ages, "gender": genders})
    table = table.assign(speaker="s", accent="", duration=1.0, excluded="")
    figure = count_plots(table, "en")
    assert list(bars(panel(figure, "Age"))) == [
        "under 20",
        *[f"{age} to {age + 9}" for age in range(20, 90, 10)],
        "90 and over",
        "not given",
    ]
    assert list(bars(panel(figure, "Gender"))) == [
        *["male", "female", "other", "contradictory", "not given"]
    ]


def test_durations_are_counted_once_each_and_the_unknown_are_mentioned() -> None:
    axes = panel(count_plots(clip_table(), "es"), "Duration")
    before, after = (sum(bar.get_height() for bar in drawn) for drawn in axes.containers)
    assert (before, after) == (6, 5)
    assert "1 unknown" in axes.get_xlabel()


def test_an_endless_recording_does_not_squeeze_the_others() -> None:
    table = pd.concat([clip_table()] * 30, ignore_index=True)
    table.loc[0, "duration"] = 3000.0
    axes = panel(count_plots(table, "es"), "Duration")
    assert axes.get_xlim()[1] < 10
    assert sum(bar.get_height() for bar in axes.containers[0]) == 180
    assert "1 longer" in axes.get_xlabel()


def test_rare_accents_share_a_bar_and_long_names_are_shortened() -> None:
    table = pd.DataFrame({"accent": [f"accent {n:02}" for n in range(12) for _ in range(20 - n)]})
    table["accent"] = table["accent"].replace(
        "accent 00", "one   very long accent name that goes on"
    )
    table = table.assign(speaker="s", gender="male", age="", duration=1.0, excluded="")
    drawn = bars(panel(count_plots(table, "en"), "Accent"))
    assert len(drawn) == 9
    assert next(iter(drawn)) == "one very long accent name…"
    assert drawn["other accents"] == (12 + 11 + 10 + 9,) * 2
    assert sum(before for before, _ in drawn.values()) == len(table)


def test_many_clips_per_speaker_are_drawn_as_ranges() -> None:
    table = pd.DataFrame({"speaker": ["a"] * 30 + ["b"] * 3 + ["c"] + [""]})
    table = table.assign(gender="male", age="", accent="", duration=1.0, excluded="")
    drawn = bars(panel(count_plots(table, "en"), "Speakers by"))
    assert {name: count[0] for name, count in drawn.items() if count[0]} == {
        "1": 1,
        "2 to 4": 1,
        "20 to 30": 1,
    }


@pytest.mark.parametrize("rows", [0, 1, 7])
def test_a_table_without_labels_or_without_rows_is_drawn(rows: int, tmp_path: Path) -> None:
    table = clip_table().head(rows).assign(gender="", age="", accent="", duration=np.nan)
    figure = count_plots(table, "fr")
    assert size_of(figure, tmp_path / "counts.png") > 0
    if rows:
        assert bars(panel(figure, "Accent")).keys() == {"not given"}


def test_no_speaker_and_no_file_name_is_written_in_a_picture() -> None:
    written = " ".join(texts(count_plots(clip_table(), "es")))
    assert "clip_" not in written
    assert not any(speaker in written for speaker in SPEAKERS)


def noise(seconds: float) -> np.ndarray:
    return np.random.default_rng(1).normal(0, 0.1, int(16000 * seconds)).astype(np.float32)


def test_waveform_and_spectrogram_share_the_time_axis() -> None:
    figure = example_clip(noise(1.5), 16000, locale="de", label="male")
    waveform, spectrogram = figure.axes[:2]
    assert waveform.get_xlim() == spectrogram.get_xlim() == (0, 1.5)
    assert spectrogram.get_ylim() == (0, 8)
    assert "de: voice labelled male by the speaker, 1.5 s" in texts(figure)


def test_a_tone_stands_at_its_frequency() -> None:
    tone = np.sin(2 * np.pi * 2000 * np.arange(16000) / 16000).astype(np.float32)
    image = example_clip(tone, 16000, locale="de", label="male").axes[1].images[0]
    loudest = np.asarray(image.get_array()).mean(axis=1)
    assert 8000 * loudest.argmax() / (len(loudest) - 1) == pytest.approx(2000, abs=32)


@pytest.mark.parametrize("signal", [np.zeros(8000, np.float32), np.ones(1, np.float32)])
def test_silence_and_a_single_sample_can_be_drawn(signal: np.ndarray, tmp_path: Path) -> None:
    figure = example_clip(signal, 8000, locale="de", label="male")
    assert size_of(figure, tmp_path / "clip.png") > 0


def undersampled() -> pd.DataFrame:
    rows = [
        ("es", "male", "before", 50, 9),
        ("es", "female", "before", 20, 4),
        ("en", "female", "before", 30, 5),
        ("es", "male", "after", 20, 8),
        ("es", "female", "after", 20, 4),
    ]
    return pd.DataFrame(rows, columns=["class", "gender", "stage", "clips", "speakers"])


def test_undersampling_is_told_in_bars_and_in_the_title() -> None:
    figure = undersampling(undersampled(), given="the training part")
    assert bars(panel(figure, "Clips of the training part")) == {
        "es  male": (50, 20),
        "es  female": (20, 20),
        "en  female": (30, 0),
    }
    assert bars(panel(figure, "Speakers of the training part"))["es  male"] == (9, 8)
    assert "Undersampling keeps 40 of 100 clips of the training part" in texts(figure)


def test_undersampling_of_classes_without_a_second_label_is_drawn_by_class() -> None:
    table = undersampled().iloc[[0, 2, 3]].drop(columns="gender")
    figure = undersampling(table, given="all parts")
    drawn = bars(panel(figure, "Clips of all parts"))
    assert drawn == {"es": (50, 20), "en": (30, 0)}


def test_undersampling_that_was_given_nothing_is_said() -> None:
    figure = undersampling(undersampled().head(0), given="the training part")
    assert texts(figure) == ["undersampling was given no clips of the training part"]


def result_rows() -> pd.DataFrame:
    rows = [
        ("gender", "es", "features", "network", 0.81, 0.75, 0.86, "ok", ""),
        ("gender", "es", "features", "linear", 0.72, 0.66, 0.78, "ok", ""),
        ("gender", "es", "features", "pitch", 0.7, 0.64, 0.76, "ok", ""),
        ("gender", "es", "features", "majority", 0.5, 0.5, 0.5, "ok", ""),
        ("gender", "es", "mel", "network", 0.52, 0.46, 0.58, "ok", ""),
        ("gender", "es", "mel", "linear", 0.6, 0.54, 0.66, "ok", ""),
        ("gender", "es", "mel", "pitch", 0.7, 0.64, 0.76, "ok", ""),
        ("gender", "es", "mel", "majority", 0.5, 0.5, 0.5, "ok", ""),
        ("gender", "fr", "features", "network", None, None, None, "skipped", "1 female speaker"),
        ("language", "all", "features", "network", 0.63, 0.6, 0.67, "ok", ""),
        ("language", "all", "features", "linear", 0.55, 0.5, 0.6, "ok", ""),
        ("language", "all", "features", "pitch", 0.22, 0.18, 0.26, "ok", ""),
        ("language", "all", "features", "majority", 0.2, 0.2, 0.2, "ok", ""),
    ]
    columns = ["task", "locale", "representation", "estimator", "value", "low", "high"]
    table = pd.DataFrame(rows, columns=[*columns, "status", "note"]).assign(network="original")
    model = table["task"] + table["locale"] + table["representation"]
    chance = table["task"].map({"gender": 0.5, "language": 0.2})
    return table.assign(model=model, chance=chance)


def test_dots_intervals_and_chance_stand_where_the_values_are() -> None:
    gender, language = results(result_rows()).axes
    drawn = [tuple(np.asarray(line.get_xdata(), dtype=float)) for line in gender.lines]
    for value in ((0.81,), (0.75, 0.86), (0.72,), (0.66, 0.78), (0.52,), (0.46, 0.58)):
        assert drawn.count(value) == 1
    assert drawn.count((0.5, 0.5)) == 3  # chance, and the majority class of two models
    assert {text.get_text() for text in gender.texts} >= {"chance 0.50", "0.81", "0.72", "es", "fr"}
    assert {text.get_text() for text in language.texts} >= {"chance 0.20", "0.63"}


def titles(rows: pd.DataFrame) -> list[str]:
    return [axes.get_title(loc="left") for axes in results(rows).axes]


def test_a_model_counts_as_better_only_with_its_whole_interval_above_chance() -> None:
    assert titles(result_rows()) == [
        "Gender: whole interval above chance in 1 of 2 models",
        "Language: whole interval above chance in 1 of 1 models",
    ]


def test_a_model_with_too_few_speakers_does_not_count_as_better() -> None:
    rows = result_rows()
    too_few = rows["locale"].isin(["es", "all"]) & (rows["representation"] == "features")
    rows.loc[too_few, "note"] = "5 speakers labelled female: too few"
    assert titles(rows) == [
        "Gender: whole interval above chance in 0 of 1 models; 1 with too few speakers to tell",
        "Language: too few test speakers to tell, in 1 of 1 models",
    ]


def test_a_skipped_model_keeps_its_row_and_gives_its_reason() -> None:
    gender = results(result_rows()).axes[0]
    assert len(gender.get_yticklabels()) == 3
    assert "skipped: 1 female speaker" in [text.get_text() for text in gender.texts]


@pytest.mark.parametrize("words", [8, 60], ids=["two lines", "too long"])
def test_a_long_reason_stays_within_its_row_and_the_picture(words: int) -> None:
    rows = result_rows()
    rows.loc[rows["status"] == "skipped", "note"] = "fourties of 12" + ", thirties of 4" * words
    figure = results(rows)
    FigureCanvasAgg(figure).draw()
    axes = figure.axes[0]
    (reason,) = [text for text in axes.texts if text.get_text().startswith("skipped: ")]
    written = reason.get_window_extent()
    assert written.x1 < figure.bbox.x1
    bottom, top = (axes.transData.transform((0, 2 + half))[1] for half in (0.5, -0.5))
    assert bottom < written.y0 < written.y1 < top
    assert reason.get_text().endswith("…") == (words == 60)


def test_a_failed_model_gives_its_reason_and_no_value() -> None:
    rows = result_rows()
    rows.loc[rows["status"] == "skipped", ["status", "note"]] = ["failed", "the loss is nan"]
    words = [text.get_text() for text in results(rows).axes[0].texts]
    assert "failed: the loss is nan" in words
    assert "nan" not in words
    assert titles(rows)[0].endswith("in 1 of 2 models")


def test_results_without_any_trained_model_are_drawn(tmp_path: Path) -> None:
    rows = result_rows()
    bare = rows[rows["status"] == "skipped"].drop(columns=["value", "low", "high"])
    skipped = results(bare)
    assert skipped.axes[0].get_title(loc="left") == "Gender: no model could be trained"
    assert size_of(skipped, tmp_path / "skipped.png") > 0
    assert "no results yet" in texts(results(pd.DataFrame()))


@pytest.mark.parametrize(
    "draw",
    [
        lambda: count_plots(clip_table(), "es"),
        lambda: example_clip(noise(10), 16000, locale="es", label="female"),
        lambda: undersampling(undersampled(), given="all parts"),
        lambda: results(result_rows()),
    ],
    ids=["counts", "example", "undersampling", "results"],
)
def test_the_bytes_depend_on_the_data_alone_and_are_few(draw, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    first, second = tmp_path / "first.png", tmp_path / "deep" / "second.png"
    save(draw(), first)
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red"}):
        save(draw(), second)
    assert first.read_bytes() == second.read_bytes()
    assert first.stat().st_size < 200_000
    assert sorted(path.name for path in tmp_path.rglob("*.png*")) == ["first.png", "second.png"]


def test_drawing_leaves_matplotlib_as_it_was(tmp_path: Path) -> None:
    code = (
        "import sys, matplotlib; before = matplotlib.rcParams.copy()\n"
        "from voicetraits.plots.style import message, save\n"
        "save(message('no example'), sys.argv[1])\n"
        "assert matplotlib.rcParams.copy() == before\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.png")], check=True)
    assert "no example" in texts(message("no example"))


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project folder to work in, with one locale and no data."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({**params, "locales": ["es"]}))
    monkeypatch.chdir(tmp_path)


def write_converted(durations: dict[str, float], *, gender: str = "female") -> None:
    """The clip table and the converted clips of a locale: "broken", "half" (0.5 s), "one" (1 s)."""
    lengths = np.array(list(durations.values()), np.float32)
    table = clips_of_one_speaker(list(durations), gender=gender, duration=lengths)
    write_clips(table[CLIP_COLUMNS.names], "data/clips/es.parquet")
    sounds = {
        "broken": b"RIFF, but not really",
        "half": audio_file(noise(0.5), 16000),
        "one": audio_file(noise(1.0), 16000),
    }
    files = [(name, sounds[name]) for name in durations if name in sounds]
    clip = Clip(sample_rate=16000, seconds=0.5, longest=0.5)
    convert(table, files, clip, locale="es", out=Path("data/wav/es"), workers=1)


def test_explore_shows_the_example_at_its_own_length() -> None:
    write_converted({"broken": 0.9, "half": 0.5, "one": 1.0})
    explore.main()
    samples, rate = soundfile.read("data/example/es.wav")
    assert (len(samples), rate) == (16000, 16000)
    np.testing.assert_allclose(samples, noise(1.0), atol=2**-15)
    assert Path("plots/explore/es/example.png").read_bytes().startswith(b"\x89PNG")
    assert Path("plots/explore/es/counts.png").read_bytes().startswith(b"\x89PNG")


def test_explore_takes_durations_of_the_files_where_the_corpus_has_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = []
    module = "voicetraits.report.explore"
    monkeypatch.setattr(f"{module}.save", lambda *_: None)
    monkeypatch.setattr(f"{module}.count_plots", lambda table, _: seen.append(table["duration"]))
    write_converted({"broken": np.nan, "half": np.nan, "one": 7.0})
    explore.main()
    np.testing.assert_array_equal(seen[0], [np.nan, 0.5, 7.0])


def test_explore_gives_the_same_bytes_again() -> None:
    write_converted({"half": np.nan, "one": np.nan})
    outputs = ["plots/explore/es/counts.png", "plots/explore/es/example.png", "data/example/es.wav"]
    explore.main()
    first = [Path(output).read_bytes() for output in outputs]
    explore.main()
    assert [Path(output).read_bytes() for output in outputs] == first


@pytest.mark.parametrize(
    ("durations", "gender"),
    [({}, "female"), ({"one": 1.0}, ""), ({"broken": 1.0, "missing": 2.0}, "female")],
    ids=["empty table", "no label", "not decodable"],
)
def test_explore_draws_both_pictures_without_an_example(
    durations: dict[str, float], gender: str
) -> None:
    write_converted(durations, gender=gender)
    explore.main()
    assert list(Path("data/example").iterdir()) == []
    for name in ("counts", "example"):
        assert Path(f"plots/explore/es/{name}.png").read_bytes().startswith(b"\x89PNG")
