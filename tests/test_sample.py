"""The sample corpus: layout, labels, reproducibility, and voices worth learning from."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
import tarfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import parselmouth
import pytest
import soundfile

from voicetraits.params import Sample
from voicetraits.sample.archive import RELEASE, SampleReport, write_sample
from voicetraits.sample.espeak import SAMPLE_RATE, EspeakError, prepare_data, synthesise
from voicetraits.sample.speakers import draw_speakers
from voicetraits.sample.texts import SampleError, read_sentences
from voicetraits.sample.voices import ACCENTS, draw_voice

REPOSITORY = Path(__file__).parents[1]
LABELLED = {"female_feminine", "male_masculine"}


def params(**changes: object) -> Sample:
    values: dict[str, object] = {
        "seed": 1,
        "speakers": {"es": 4, "en": 4, "fr": 4, "de": 4, "it": 4},
        "female": 0.5,
        "unlabelled": 0.5,
        "clips_min": 1,
        "clips_max": 2,
    }
    return Sample.model_validate(values | changes)


@dataclass(frozen=True)
class Archive:
    report: SampleReport
    names: list[str]
    files: dict[str, bytes]

    def table(self, name: str) -> list[dict[str, str]]:
        text = io.StringIO(self.files[name].decode())
        return list(csv.DictReader(text, delimiter="\t", quoting=csv.QUOTE_NONE))

    def clips(self) -> Iterator[tuple[dict[str, str], np.ndarray, int]]:
        for row in self.table("validated.tsv"):
            mp3 = io.BytesIO(self.files[f"clips/{row['path']}"])
            signal, rate = soundfile.read(mp3)
            yield row, signal, rate


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    path = tmp_path_factory.mktemp("with spaces") / "new folder" / "es.tar.gz"
    wanted = params(speakers={"es": 14}, clips_max=3)
    report = write_sample(wanted, "es", path, workers=1)
    assert [entry.name for entry in path.parent.iterdir()] == ["es.tar.gz"]
    with tarfile.open(path) as tar:
        prefix = f"{RELEASE}/es/"
        names = tar.getnames()
        assert all(name.startswith(prefix) for name in names)
        files = {m.name.removeprefix(prefix): tar.extractfile(m).read() for m in tar}  # type: ignore[union-attr]
    return Archive(report, [name.removeprefix(prefix) for name in names], files)


def test_layout_is_that_of_common_voice(archive: Archive) -> None:
    tables = [name for name in archive.names if not name.startswith("clips/")]
    clips = [name for name in archive.names if name.startswith("clips/")]
    assert tables == [
        "clip_durations.tsv",
        "dev.tsv",
        "invalidated.tsv",
        "other.tsv",
        "reported.tsv",
        "test.tsv",
        "train.tsv",
        "unvalidated_sentences.tsv",
        "validated.tsv",
        "validated_sentences.tsv",
    ]
    assert archive.names == tables + sorted(clips)
    assert {f"clips/{row['path']}" for row in archive.table("validated.tsv")} == set(clips)


@pytest.mark.parametrize("name", ["validated", "train", "dev", "test", "other", "invalidated"])
def test_clip_tables_have_the_columns_of_common_voice_17(archive: Archive, name: str) -> None:
    assert archive.files[f"{name}.tsv"].decode().splitlines()[0] == (
        "client_id\tpath\tsentence_id\tsentence\tsentence_domain\tup_votes\tdown_votes\tage\t"
        "gender\taccents\tvariant\tlocale\tsegment"
    )


def test_fields_have_the_form_of_common_voice(archive: Archive) -> None:
    accents = {accent for _, accent in ACCENTS["es"]}
    for row in archive.table("validated.tsv"):
        assert len(row["client_id"]) == 128
        assert int(row["client_id"], 16) >= 0
        assert row["path"].startswith("common_voice_es_")
        assert len(row["path"]) == len("common_voice_es_12345678.mp3")
        assert len(row["sentence_id"]) == 64
        assert row["locale"] == "es"
        assert row["accents"] in accents | {""}
        assert int(row["up_votes"]) > int(row["down_votes"])


def test_train_dev_and_test_share_no_speaker_and_cover_the_validated(archive: Archive) -> None:
    parts = [archive.table(f"{part}.tsv") for part in ("train", "dev", "test")]
    speakers = [{row["client_id"] for row in part} for part in parts]
    assert sum(map(len, speakers)) == len(set.union(*speakers))
    together = [row["path"] for part in parts for row in part]
    assert sorted(together) == sorted(row["path"] for row in archive.table("validated.tsv"))


def test_speakers_genders_and_clips_are_as_many_as_asked_for(archive: Archive) -> None:
    rows = archive.table("validated.tsv")
    genders = {row["client_id"]: row["gender"] for row in rows}
    count = Counter(genders.values())
    assert count["female_feminine"] == 7
    assert count["male_masculine"] == 7
    assert {gender for gender in genders.values() if gender not in LABELLED} == {
        "",
        "do_not_wish_to_say",
        "non-binary",
        "transgender",
        "intersex",
    }
    assert set(Counter(row["client_id"] for row in rows).values()) == {1, 2, 3}
    assert archive.report == SampleReport(locale="es", clips=len(rows), labelled=14, unlabelled=7)


def test_gender_says_nothing_about_the_order_of_the_speakers() -> None:
    genders = [s.gender for s in draw_speakers(params(speakers={"es": 60}), "es")]
    assert genders != sorted(genders)
    assert 5 < genders[:30].count("female_feminine") < 25


def test_clips_decode_to_the_durations_of_the_table(archive: Archive) -> None:
    durations = {r["clip"]: int(r["duration[ms]"]) for r in archive.table("clip_durations.tsv")}
    rates = set()
    for row, signal, rate in archive.clips():
        assert abs(1000 * len(signal) / rate - durations.pop(row["path"])) <= 1
        assert 1500 < 1000 * len(signal) / rate < 6000
        assert signal.ndim == 1
        assert 0.05 < np.abs(signal).max() <= 1
        rates.add(rate)
    assert not durations
    assert rates == {32000, 48000}


def test_female_voices_are_higher_than_male_ones(archive: Archive) -> None:
    pitches: dict[str, list[float]] = defaultdict(list)
    for row, signal, rate in archive.clips():
        pitches[row["gender"]].append(median_pitch(signal, rate))
    assert 90 < np.median(pitches["male_masculine"]) < 150
    assert 170 < np.median(pitches["female_feminine"]) < 230


def median_pitch(signal: np.ndarray, rate: int) -> float:
    """Median over the louder 80 ms frames of the strongest period between 70 and 350 Hz."""
    size = round(0.08 * rate)
    frames = signal[: len(signal) // size * size].reshape(-1, size)
    energy = np.square(frames).sum(axis=1)
    loud = frames[energy > np.median(energy)]
    power = np.abs(np.fft.rfft(loud, 2 * size)) ** 2
    correlation = np.fft.irfft(power)[:, :size]
    shortest, longest = rate // 350, rate // 70
    periods = shortest + correlation[:, shortest:longest].argmax(axis=1)
    return float(np.median(rate / periods))


def test_formants_move_with_their_scale_and_not_with_the_pitch(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    plain = replace(draw_voice(rng, locale="en", female=False), base="en", formants=(1.0,) * 6)
    voices = {
        "low": replace(plain, f0=95),
        "high": replace(plain, f0=170),
        "small": replace(plain, f0=170, formants=(1.15,) * 6),
    }
    variants = {name: voice.variant(name, pitch=1.0) for name, voice in voices.items()}
    prepare_data(tmp_path, language="en", variants=variants)
    third = {name: formants(f"en+{name}", tmp_path)[2] for name in voices}
    assert third["high"] == pytest.approx(third["low"], rel=0.04)
    assert 1.04 < third["small"] / third["high"] < 1.15


# Third and fourth formant of clips of people, by Praat, in Hz.
@pytest.mark.parametrize(("female", "of_people"), [(False, [2557, 3605]), (True, [2714, 3807])])
def test_formants_lie_where_those_of_people_do(
    tmp_path: Path, female: bool, of_people: list[int]
) -> None:
    rng = np.random.default_rng(1)
    drawn = [draw_voice(rng, locale="en", female=female) for _ in range(6)]
    variants = {f"v{n}": voice.variant(f"v{n}", pitch=1.0) for n, voice in enumerate(drawn)}
    prepare_data(tmp_path, language="en", variants=variants)
    found = [formants(f"en+{name}", tmp_path) for name in variants]
    assert np.mean(found, axis=0)[2:] == pytest.approx(of_people, rel=0.05)


def formants(voice: str, data: Path) -> list[float]:
    """Medians of the first four formants of a sentence, in Hz."""
    text = "My mother and father go to the river to watch the boats in the evening."
    signal = synthesise(text, voice=voice, data=data) / 2**15
    sound = parselmouth.Sound(signal, SAMPLE_RATE)
    pitch, found = sound.to_pitch(), sound.to_formant_burg(maximum_formant=5200)
    voiced = pitch.xs()[pitch.selected_array["frequency"] > 0]
    return [
        float(np.nanmedian([found.get_value_at_time(number, time) for time in voiced]))
        for number in (1, 2, 3, 4)
    ]


@pytest.mark.slow
def test_same_bytes_with_one_worker_and_with_two(tmp_path: Path) -> None:
    one, two = tmp_path / "one.tar.gz", tmp_path / "two.tar.gz"
    write_sample(params(), "de", one, workers=1)
    write_sample(params(), "de", two, workers=2)
    assert one.read_bytes() == two.read_bytes()


def test_same_bytes_on_a_second_call_and_others_with_another_seed(tmp_path: Path) -> None:
    first, second, other = (tmp_path / name for name in ("first", "second", "other"))
    write_sample(params(), "fr", first, workers=1)
    write_sample(params(), "fr", second, workers=1)
    write_sample(params(seed=2), "fr", other, workers=1)
    assert first.read_bytes() == second.read_bytes()
    assert first.read_bytes() != other.read_bytes()


def test_a_text_sounds_the_same_whatever_was_spoken_before(tmp_path: Path) -> None:
    # Breath is noise, the part of a voice that a forgotten seed would change.
    variant = "language variant\nname a\npitch 90 130\nbreath 5 5 5 5 5 5 5 5\n"
    prepare_data(tmp_path, language="en", variants={"a": variant})
    first, between, again = (
        synthesise(text, voice="en-us+a", data=tmp_path) for text in ("One.", "Two.", "One.")
    )
    np.testing.assert_array_equal(first, again)
    assert first.shape != between.shape or (first != between).any()


def test_no_speaker_has_a_twin_in_another_locale() -> None:
    wanted = params(speakers=dict.fromkeys(ACCENTS, 20))
    speakers = [speaker for locale in ACCENTS for speaker in draw_speakers(wanted, locale)]
    assert len({speaker.client_id for speaker in speakers}) == len(speakers)
    assert len({speaker.voice.f0 for speaker in speakers}) == len(speakers)
    assert len({speaker.channel.snr for speaker in speakers}) == len(speakers)


def test_a_locale_without_accents_has_the_voice_of_its_name(tmp_path, monkeypatch) -> None:
    (tmp_path / "it.txt").write_text("\n".join(f"Frase {n}." for n in range(12)), "utf-8")
    monkeypatch.setattr(
        "voicetraits.sample.texts._sentences_of", lambda locale: tmp_path / f"{locale}.txt"
    )
    speakers = draw_speakers(params(speakers={"it": 6}, clips_max=8), "it")
    assert {(speaker.voice.base, speaker.voice.accent) for speaker in speakers} == {("it", "")}


def test_unlabelled_speakers_may_have_either_voice() -> None:
    speakers = draw_speakers(params(speakers={"es": 40}, unlabelled=1.0), "es")
    pitches = [speaker.voice.f0 for speaker in speakers if speaker.gender not in LABELLED]
    assert min(pitches) < 140
    assert max(pitches) > 180


@pytest.mark.parametrize("locale", ACCENTS)
def test_sentences_are_many_and_each_is_there_once(locale: str) -> None:
    sentences = read_sentences(locale)
    assert len(sentences) >= 150
    assert len(set(sentences)) == len(sentences)
    assert all(30 < len(sentence) < 70 and sentence[-1] in ".?!" for sentence in sentences)


def test_a_speaker_reads_no_sentence_twice_and_speakers_read_different_ones() -> None:
    speakers = draw_speakers(params(clips_min=8, clips_max=10), "en")
    read = [frozenset(clip.sentence for clip in speaker.clips) for speaker in speakers]
    assert [len(r) for r in read] == [len(speaker.clips) for speaker in speakers]
    assert len(set(read)) == len(speakers)


@pytest.mark.parametrize(
    ("changes", "locale", "message"),
    [
        ({"speakers": {"it": 4}}, "it", r"no sentences in 'it': .*sentences/it\.txt.*corpus\.path"),
        ({"speakers": {"en": 4}}, "es", r"sample\.speakers has no entry for 'es': add one"),
        ({"clips_max": 1000}, "es", r"sample\.clips_max = 1000: .* at most \d+"),
    ],
)
def test_impossible_wishes_name_key_and_remedy_and_leave_no_file(
    tmp_path: Path, changes: dict[str, object], locale: str, message: str
) -> None:
    with pytest.raises(SampleError, match=message):
        write_sample(params(**changes), locale, tmp_path / "a.tar.gz")
    assert not list(tmp_path.iterdir())


def test_a_failure_midway_leaves_neither_archive_nor_partial_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise EspeakError("no voice")

    monkeypatch.setattr("voicetraits.sample.espeak.synthesise", fail)
    with pytest.raises(EspeakError, match="no voice"):
        write_sample(params(), "es", tmp_path / "es.tar.gz", workers=1)
    assert not list(tmp_path.iterdir())


def test_a_temporary_folder_too_deep_for_espeak_is_reported(tmp_path: Path) -> None:
    with pytest.raises(EspeakError, match="set TMPDIR"):
        prepare_data(tmp_path / ("a" * 160), language="es", variants={})


def test_an_unknown_voice_is_an_error(tmp_path: Path) -> None:
    prepare_data(tmp_path, language="es", variants={})
    with pytest.raises(EspeakError, match="no voice 'fr'"):
        synthesise("Hola.", voice="fr", data=tmp_path)


def test_the_stage_ends_with_one_line_on_a_locale_that_it_cannot_speak() -> None:
    command = [sys.executable, "-m", "stages.sample", "it"]
    run = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert run.stderr.startswith("error: sample.speakers has no entry for 'it'")
    assert len(run.stderr.splitlines()) == 1
