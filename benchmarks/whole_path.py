"""CPU time from MP3 to the 68 x 68 short-term features, against the usual chain.

    python -m benchmarks.whole_path

Ours is what the pipeline does, on one core: corpus archive, WAV shards, array shards. The other
goes clip by clip through FFmpeg, pydub, a WAV file and pyAudioAnalysis. A thousand
clips of the sample corpus: ours converts them all in every round, the other the next part of them.
"""

from __future__ import annotations

import os

# Before NumPy: threads that wait for each other would be counted as work.
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from pyAudioAnalysis.ShortTermFeatures import feature_extraction
from scipy.io import wavfile

from benchmarks._measure import OURS, alternate, compare, cpu_seconds, report
from benchmarks._pydub import pydub_clip
from benchmarks._sample import sample_corpus
from voicetraits.audio.convert import convert
from voicetraits.audio.wav import clip_samples
from voicetraits.corpus.open import Corpus
from voicetraits.features.extract import extract
from voicetraits.features.windows import windows
from voicetraits.params import Params, load_params
from voicetraits.selection.caps import cap_clips
from voicetraits.selection.clip_table import read_clip_table

LOCALES = ("es", "en")
CLIPS = 500  # of each locale
SPEAKERS = 80  # of each locale: more clips than that
ROUNDS = 5
BASELINE = "FFmpeg, pydub, pyAudioAnalysis"


def main() -> None:
    """Measure and report."""
    params = load_params()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        corpora = {
            locale: sample_corpus(params, locale, folder=folder, speakers=SPEAKERS)
            for locale in LOCALES
        }
        tables = {locale: _selected(corpus, params) for locale, corpus in corpora.items()}
        mp3s = _mp3s(corpora, tables, folder / "mp3")
        parts = iter([mp3s[start::ROUNDS] for start in range(ROUNDS)])

        def ours() -> float:
            seconds = cpu_seconds(lambda: _ours(corpora, tables, params, folder / "ours"))
            return 1000 * seconds / len(mp3s)

        def theirs() -> float:
            part = next(parts)
            seconds = cpu_seconds(lambda: _theirs(part, params, folder / "theirs"))
            return 1000 * seconds / len(part)

        costs = alternate({BASELINE: theirs, OURS: ours}, rounds=ROUNDS)
    comparison = compare(costs, unit="ms of CPU a clip", baseline=BASELINE, target=20)
    report("whole_path", {f"MP3 to features, {len(mp3s):,} clips": comparison})


def _selected(corpus: Corpus, params: Params) -> pd.DataFrame:
    """The clip table with no more than CLIPS of them selected."""
    return cap_clips(
        read_clip_table(corpus),
        per_speaker=params.select.clips_per_speaker,
        per_locale=CLIPS,
        seed=params.seed,
    )


def _names(table: pd.DataFrame) -> set[str]:
    return set(table.loc[table["excluded"] == "", "clip"])


def _mp3s(corpora: dict[str, Corpus], tables: dict[str, pd.DataFrame], folder: Path) -> list[Path]:
    """The selected clips as files, for the side that does not read archives."""
    folder.mkdir()
    paths = []
    for locale, corpus in corpora.items():
        for name, data in corpus.clips(_names(tables[locale])):
            paths.append(folder / name)
            paths[-1].write_bytes(data)
    return paths


def _ours(
    corpora: dict[str, Corpus], tables: dict[str, pd.DataFrame], params: Params, folder: Path
) -> None:
    for locale, corpus in corpora.items():
        table, wavs = tables[locale], folder / "wav" / locale
        files = corpus.clips(_names(table))
        _, excluded = convert(table, files, params.clip, locale=locale, out=wavs, workers=1)
        assert excluded.empty
        extract(
            wavs,
            "features",
            clip=params.clip,
            analysis=params.extract,
            out=folder / "features" / locale,
            workers=1,
        )


def _theirs(mp3s: list[Path], params: Params, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    clip, arrays = params.clip, []
    window, hop = windows(clip, params.extract)
    for mp3 in mp3s:
        wav = folder / f"{mp3.stem}.wav"
        segment = pydub_clip(mp3, sample_rate=clip.sample_rate, samples=clip_samples(clip))
        segment.export(wav, format="wav")
        rate, signal = wavfile.read(wav)
        features, _ = feature_extraction(signal, rate, window, hop)
        arrays.append(features.astype(np.float32))
    np.save(folder / "features.npy", np.stack(arrays))


if __name__ == "__main__":
    main()
