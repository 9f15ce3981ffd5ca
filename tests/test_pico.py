"""The speech of Pico as a corpus; its library is not there, and a tone stands for it."""

from __future__ import annotations

import sys
import types
from collections import Counter

import numpy as np
import pytest
from conftest import tone

from voicetraits.audio.decode import decode
from voicetraits.corpus.open import open_corpus
from voicetraits.errors import InputError
from voicetraits.sample import pico
from voicetraits.sample.pico import VOICES, write_pico
from voicetraits.sample.texts import read_sentences
from voicetraits.selection.clip_table import read_clip_table

RATE = 16_000
# How often each is used; 2nd and xz are no words.
WORDS = {"the": 0.06, "to": 0.02, "2nd": 0.001, "xz": 1e-5, "pebble": 6e-4, "gable": 6e-4}
FEW = {"seed": 1, "speakers": 3, "clips": 4}


@pytest.fixture
def spoken(monkeypatch, tmp_path):
    """The voices and texts that are asked for."""
    asked: list[tuple[str, str]] = []

    class Engine:
        def __init__(self, voice, lang_dir):
            self.voice = voice

        def speak(self, text):
            asked.append((self.voice, text))
            return (9000 * tone(200, RATE, seconds=1)).astype(np.int16).tobytes()

    words = types.ModuleType("wordfreq")
    words.top_n_list = lambda locale, count: list(WORDS)
    words.word_frequency = lambda word, locale: WORDS[word]
    monkeypatch.setitem(sys.modules, "wordfreq", words)
    module = types.ModuleType("ttspico")
    module.TtsEngine = Engine
    module.__file__ = str(tmp_path / "ttspico.py")
    monkeypatch.setitem(sys.modules, "ttspico", module)
    monkeypatch.setenv("VOICETRAITS_WORKERS", "1")
    return asked


def test_it_is_a_corpus_of_speakers_without_a_gender(spoken, tmp_path):
    assert write_pico("en", tmp_path / "pico" / "en", **FEW) == 12
    corpus = open_corpus(tmp_path / "pico", "en")
    table = read_clip_table(corpus)
    assert len(table) == 12
    assert table["speaker"].nunique() == 3
    assert (table["excluded"] == "").all()
    assert (table["gender"] == "").all()
    assert {voice for voice, _ in spoken} == set(VOICES["en"])
    lengths = []
    for name, content in corpus.clips(set(table["clip"])):
        lengths.append(decode(content, name=name, sample_rate=RATE).duration)
    assert len(lengths) == 12
    # Of a second, with silence around it, faster or slower by speaker.
    assert 1.0 < min(lengths) < max(lengths) < 2.5


def test_texts_are_sentences_and_words_that_are_in_use(spoken, tmp_path):
    pico._words.cache_clear()
    write_pico("fr", tmp_path / "fr", **FEW | {"clips": 40})
    sentences = set(read_sentences("fr"))
    whole = [text for _, text in spoken if text in sentences]
    assert 20 < len(whole) < 55
    others = [text.strip(".").split() for _, text in spoken if text not in sentences]
    assert all(5 <= len(words) <= 13 for words in others)
    counts = Counter(word for words in others for word in words)
    assert set(counts) == {"the", "to", "pebble", "gable"}
    assert 1.5 < counts["the"] / counts["to"] < 2.5  # three times as frequent


def test_the_same_seed_makes_the_same_bytes(spoken, tmp_path):
    for name in ("one", "two"):
        write_pico("de", tmp_path / name, **FEW)
    for path in (tmp_path / "one" / "clips").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / "clips" / path.name).read_bytes()


def test_without_the_library_or_a_voice_one_line_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("VOICETRAITS_WORKERS", "1")
    monkeypatch.setitem(sys.modules, "ttspico", None)
    with pytest.raises(InputError, match=r"Pico is not there .*; run `make released`"):
        write_pico("de", tmp_path / "de", **FEW)
    assert not (tmp_path / "de").exists()
    with pytest.raises(InputError, match="no voice for pt"):
        write_pico("pt", tmp_path / "pt", **FEW)
