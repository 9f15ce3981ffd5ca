"""Draw what the corpus of one locale holds, and one clip of it to look at and to play."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from stages._run import run
from voicetraits.audio import read_wav, write_wav
from voicetraits.corpus.table import read_clips
from voicetraits.example import EXAMPLE, EXAMPLE_LABEL
from voicetraits.plots import count_plots, example_clip, message, save
from voicetraits.shards import INDEX


def main(locale: str) -> None:
    """Read data/clips/<locale>.parquet and data/wav/<locale>/; write two pictures and a WAV."""
    table = read_clips(Path("data/clips", f"{locale}.parquet"))
    wavs = Path("data/wav", locale)
    # Where the corpus tells no durations, the conversion found those of the clips it read.
    measured = pd.read_parquet(wavs / INDEX).set_index("clip")["duration"]
    table["duration"] = table["duration"].fillna(table["clip"].map(measured))
    pictures = Path("plots/explore", locale)
    save(count_plots(table, locale), pictures / "counts.png")

    if (wavs / EXAMPLE).exists():
        samples, rate = read_wav((wavs / EXAMPLE).read_bytes())
        signal = samples.astype(np.float32) / 2**15
        label = json.loads((wavs / EXAMPLE_LABEL).read_text(encoding="utf-8"))["gender"]
        picture = example_clip(signal, rate, locale=locale, label=label)
    else:
        rate, signal = 16000, np.zeros(1600, np.float32)  # DVC wants the file all the same
        picture = message(f"{locale}: no example, as no clip with a gender label can be played")
    save(picture, pictures / "example.png")
    write_wav(Path("data/example", f"{locale}.wav"), signal, rate)
    print(f"{locale}: {len(table):,} clips counted, see {pictures}/")


if __name__ == "__main__":
    run(main)
