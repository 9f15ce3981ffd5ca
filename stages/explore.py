"""Draw what the corpus of every locale holds, and one clip of it to look at and to play."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from stages._inputs import fetch_missing
from stages._run import run
from voicetraits.audio.example import EXAMPLE, EXAMPLE_LABEL
from voicetraits.audio.wav import read_wav
from voicetraits.corpus.clips import read_clips
from voicetraits.params import load_params
from voicetraits.plots.clip import example_clip
from voicetraits.plots.counts import count_plots
from voicetraits.plots.style import message, save
from voicetraits.storage.files import fresh_folder
from voicetraits.storage.shards import INDEX


def main() -> None:
    """Read data/clips/ and data/wav/; write plots/explore/ and data/example/."""
    locales = load_params().locales
    fetch_missing(
        [Path("data/clips", f"{locale}.parquet") for locale in locales]
        + [Path("data/wav", locale) for locale in locales]
    )
    with (
        fresh_folder(Path("plots/explore")) as plots,
        fresh_folder(Path("data/example")) as examples,
    ):
        for locale in locales:
            clips = explore(locale, plots=plots / locale, examples=examples)
            print(f"{locale}: {clips:,} clips counted, see plots/explore/{locale}/")


def explore(locale: str, *, plots: Path, examples: Path) -> int:
    """Draw two pictures of one locale and copy its example; return the number of clips."""
    table = read_clips(Path("data/clips", f"{locale}.parquet"))
    wavs = Path("data/wav", locale)
    # Where the corpus tells no durations, the conversion found those of the clips it read.
    measured = pd.read_parquet(wavs / INDEX).set_index("clip")["duration"]
    table["duration"] = table["duration"].fillna(table["clip"].map(measured))
    save(count_plots(table, locale), plots / "counts.png")

    if (wavs / EXAMPLE).exists():
        wav = (wavs / EXAMPLE).read_bytes()
        (examples / f"{locale}.wav").write_bytes(wav)
        samples, rate = read_wav(wav)
        label = json.loads((wavs / EXAMPLE_LABEL).read_text(encoding="utf-8"))["gender"]
        signal = samples.astype(np.float32) / 2**15
        picture = example_clip(signal, rate, locale=locale, label=label)
    else:
        picture = message(f"{locale}: no example, as no clip with a gender label can be played")
    save(picture, plots / "example.png")
    return len(table)


if __name__ == "__main__":
    run(main)
