"""The sample corpus: a synthetic Common Voice archive, the same bytes on every run.

It has the layout and the columns of Common Voice 17 and later, so that whatever reads it reads
the real one. All of its speakers, sentences and voices are invented.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from voicetraits.progress import progress
from voicetraits.sample import espeak
from voicetraits.sample.channel import duration, encode_mp3, record
from voicetraits.sample.speakers import Clip, Speaker, draw_speakers, random_numbers
from voicetraits.sample.texts import read_sentences
from voicetraits.storage.files import whole_file
from voicetraits.workers.pool import map_in_pool

if TYPE_CHECKING:
    from voicetraits.params import Sample

RELEASE = "cv-corpus-0.0-2000-01-01"  # in the form of Common Voice, and before its first release

# Columns as Common Voice has them; the two sentence tables since 25.0.
CLIP_COLUMNS = [
    "client_id",
    "path",
    "sentence_id",
    "sentence",
    "sentence_domain",
    "up_votes",
    "down_votes",
    "age",
    "gender",
    "accents",
    "variant",
    "locale",
    "segment",
]
_OTHER_COLUMNS = {
    "reported.tsv": ["sentence_id", "sentence", "locale", "reason"],
    "unvalidated_sentences.tsv": [
        "sentence_id",
        "sentence",
        "variant",
        "sentence_domain",
        "source",
        "up_votes",
        "down_votes",
        "status",
    ],
    "validated_sentences.tsv": [
        "sentence_id",
        "sentence",
        "variant",
        "sentence_domain",
        "source",
        "is_used",
        "clips_count",
    ],
}


@dataclass(frozen=True, kw_only=True)
class SampleReport:
    """What an archive holds."""

    locale: str
    clips: int
    labelled: int
    unlabelled: int

    def __str__(self) -> str:
        """One line for the log."""
        return (
            f"{self.locale}: {self.clips:,} clips of {self.labelled + self.unlabelled} speakers, "
            f"{self.unlabelled} of them labelled neither female nor male"
        )


def write_sample(
    params: Sample, locale: str, path: Path, *, workers: int | None = None
) -> SampleReport:
    """Synthesise the archive of one locale.

    The bytes depend on the parameters and the locale alone, not on the number of workers.

    Args:
        params: Section `sample` of params.yaml.
        locale: One of `es`, `en`, `fr`, `de`, with an entry in `params.speakers`.
        path: Of the archive, a `.tar.gz`; missing parent folders are created.
        workers: Processes that synthesise; by default one per core.

    Raises:
        SampleError: If the locale has no speakers or no voices, or has fewer sentences than a
            speaker is to read.
    """
    speakers = draw_speakers(params, locale)
    with (
        tempfile.TemporaryDirectory(prefix="vt-") as data,
        tempfile.TemporaryFile() as audio,
        whole_file(path) as partial_file,
        _archive(partial_file) as archive,
    ):
        variants = {
            (name := _variant(speaker, number)): speaker.voice.variant(name, pitch=clip.pitch)
            for speaker in speakers
            for number, clip in enumerate(speaker.clips)
        }
        espeak.prepare_data(Path(data), language=locale, variants=variants)
        sizes, lengths = [], []
        for clip, mp3 in _synthesise(speakers, params.seed, locale, Path(data), workers):
            audio.write(mp3)
            sizes.append((clip.path, len(mp3)))
            lengths.append((clip.path, str(duration(mp3))))
        # The tables stand first, as in a release: who wants those need not read the clips.
        for name, content in sorted(_tables(speakers, locale, lengths).items()):
            _add(archive, f"{RELEASE}/{locale}/{name}", content)
        audio.seek(0)
        for name, size in sizes:
            _add(archive, f"{RELEASE}/{locale}/clips/{name}", audio.read(size))
    labelled = params.speakers[locale]
    return SampleReport(
        locale=locale,
        clips=len(lengths),
        labelled=labelled,
        unlabelled=len(speakers) - labelled,
    )


def _synthesise(
    speakers: Sequence[Speaker], seed: int, locale: str, data: Path, workers: int | None
) -> Iterator[tuple[Clip, bytes]]:
    """All clips in the order of the speakers, a speaker being the unit of work."""
    read_aloud = partial(_read_aloud, seed=seed, locale=locale, data=data)
    spoken = map_in_pool(read_aloud, speakers, workers=workers)
    label = f"sample {locale}"
    for speaker, mp3s in zip(
        speakers,
        progress(spoken, label=label, unit="speakers", total=len(speakers)),
        strict=True,
    ):
        yield from zip(speaker.clips, mp3s, strict=True)


def _read_aloud(speaker: Speaker, *, seed: int, locale: str, data: Path) -> list[bytes]:
    """All clips of one speaker as MP3."""
    mp3s = []
    for number, clip in enumerate(speaker.clips):
        voice = f"{speaker.voice.base}+{_variant(speaker, number)}"
        speech = espeak.synthesise(clip.sentence, voice=voice, data=data)
        rng = random_numbers(seed, locale, speaker.index, number)
        signal = record(speech, espeak.SAMPLE_RATE, speaker.channel, rng)
        mp3s.append(encode_mp3(signal, speaker.channel.sample_rate))
    return mp3s


def _variant(speaker: Speaker, number: int) -> str:
    """Name in espeak-ng of the voice of one of a speaker's clips."""
    return f"vt{speaker.index}-{number}"


def _tables(
    speakers: Sequence[Speaker], locale: str, lengths: Iterable[tuple[str, str]]
) -> dict[str, bytes]:
    """The TSV files of a release by name."""
    rows: dict[str, list[list[str]]] = {"train": [], "dev": [], "test": []}
    # Common Voice lists the clips of a speaker together, the speakers in no telling order.
    for speaker in sorted(speakers, key=lambda speaker: speaker.client_id):
        rows[speaker.part] += [_row(speaker, clip, locale) for clip in speaker.clips]
    validated = sorted((row for part in rows.values() for row in part), key=lambda row: row[:2])
    read = Counter(clip.sentence for speaker in speakers for clip in speaker.clips)
    sentences = [
        [_sentence_id(locale, text), text, "", "", "Voice Traits", "1", str(read[text])]
        for text in read_sentences(locale)
    ]
    tables = {f"{part}.tsv": _tsv(CLIP_COLUMNS, part_rows) for part, part_rows in rows.items()}
    tables["validated.tsv"] = _tsv(CLIP_COLUMNS, validated)
    # Every clip has been validated; these files are in a release even when empty.
    tables |= {name: _tsv(CLIP_COLUMNS, []) for name in ("invalidated.tsv", "other.tsv")}
    tables |= {name: _tsv(columns, []) for name, columns in _OTHER_COLUMNS.items()}
    name = "validated_sentences.tsv"
    tables[name] = _tsv(_OTHER_COLUMNS[name], sentences)
    tables["clip_durations.tsv"] = _tsv(["clip", "duration[ms]"], lengths)
    return tables


def _row(speaker: Speaker, clip: Clip, locale: str) -> list[str]:
    fields = {
        "client_id": speaker.client_id,
        "path": clip.path,
        "sentence_id": _sentence_id(locale, clip.sentence),
        "sentence": clip.sentence,
        "up_votes": str(clip.up_votes),
        "down_votes": str(clip.down_votes),
        "age": speaker.age,
        "gender": speaker.gender,
        "accents": speaker.accents,
        "locale": locale,
    }
    return [fields.get(column, "") for column in CLIP_COLUMNS]


def _sentence_id(locale: str, sentence: str) -> str:
    return hashlib.sha256(f"{locale} {sentence}".encode()).hexdigest()


def _tsv(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    return "".join("\t".join(row) + "\n" for row in [columns, *rows]).encode()


@contextmanager
def _archive(path: Path) -> Iterator[tarfile.TarFile]:
    """A `.tar.gz` without name, time or owner in it.

    Level 0, stored as it is: MP3 does not compress, and what a higher level makes of the tables
    depends on the version of zlib.
    """
    with (
        path.open("wb") as file,
        gzip.GzipFile("", "wb", compresslevel=0, fileobj=file, mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        yield archive


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)  # owner 0, time 0, mode 644
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))
