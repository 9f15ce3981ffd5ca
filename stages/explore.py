"""Draw what the corpus of one locale holds, and one clip of it to look at and to play."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from stages._run import run
from voicetraits.audio import AudioError, decode, write_wav
from voicetraits.corpus.open import open_corpus
from voicetraits.corpus.table import read_clips
from voicetraits.params import Params, load_params
from voicetraits.plots import count_plots, example_clip, message, save

CANDIDATES = 5  # clips to try as the example, before giving up
LONGEST = 20.0  # seconds of a clip that are drawn; a read sentence takes less


def main(locale: str) -> None:
    """Read data/clips/<locale>.parquet and the corpus; write two pictures and a WAV file."""
    params = load_params()
    table = read_clips(Path("data/clips", f"{locale}.parquet"))
    pictures = Path("plots/explore", locale)
    save(count_plots(table, locale), pictures / "counts.png")

    rate = params.clip.sample_rate
    if example := find_example(table, params, locale):
        label, signal = example
        picture = example_clip(signal, rate, locale=locale, label=label)
    else:
        signal = np.zeros(rate // 10, dtype=np.float32)  # DVC wants the file all the same
        picture = message(f"{locale}: no example, as no clip with a gender label can be played")
    save(picture, pictures / "example.png")
    write_wav(Path("data/example", f"{locale}.wav"), signal, rate)
    print(f"{locale}: {len(table):,} clips counted, see {pictures}/")


def find_example(table: pd.DataFrame, params: Params, locale: str) -> tuple[str, np.ndarray] | None:
    """Label and signal of the selected clip nearest to the median duration that can be decoded."""
    usable = table[table["excluded"].eq("") & table["gender"].isin(["female", "male"])]
    distance = (usable["duration"] - usable["duration"].median()).abs()
    nearest = usable.assign(distance=distance).sort_values(["distance", "clip"]).head(CANDIDATES)
    rate = params.clip.sample_rate
    if nearest.empty:
        return None
    files = dict(open_corpus(params.corpus.path, locale).clips(set(nearest["clip"])))
    for name, label in zip(nearest["clip"], nearest["gender"], strict=True):
        try:
            data = files.get(name, b"")
            return label, decode(data, name=name, sample_rate=rate, seconds=LONGEST)
        except AudioError:
            continue  # `convert` counts and names the clips that cannot be decoded
    return None


if __name__ == "__main__":
    run(main)
