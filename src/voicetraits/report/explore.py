"""What the corpus of one locale holds, and one clip of it to look at and to play."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from voicetraits.audio.example import EXAMPLE, EXAMPLE_LABEL
from voicetraits.audio.wav import read_wav
from voicetraits.corpus.clips import read_clips
from voicetraits.plots.clip import example_clip
from voicetraits.plots.counts import count_plots
from voicetraits.plots.style import message, save
from voicetraits.storage.shards import INDEX


def explore(locale: str, *, plots: Path, examples: Path) -> int:
    """Draw two pictures of one locale and copy its example; return the number of clips.

    Args:
        locale: Whose data/clips/<locale>.parquet and data/wav/<locale>/ are read.
        plots: Folder for counts.png and example.png.
        examples: Folder for <locale>.wav.
    """
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
