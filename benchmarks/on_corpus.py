r"""What an exported model gives on a labelled corpus, by source.

The recordings are heard as those of users are, by the recogniser.

    python -m benchmarks.on_corpus ../shared/real_speech --source '^[a-z0-9]+' \
        --model models/gender-all-mel-tdnn

The corpus is one that `make repro` reads. Where a model was trained on it, the figures flatter.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd

from voicetraits.corpus.open import open_corpus
from voicetraits.errors import InputError
from voicetraits.evaluation.scores import score
from voicetraits.recognizer.decision import UNKNOWN
from voicetraits.recognizer.recognizer import Recognizer
from voicetraits.selection.clip_table import read_clip_table
from voicetraits.tasks import Task


def main(arguments: Sequence[str] | None = None) -> None:
    """Recognise every clip with a label, and print a table for gender and one for language."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path, help="folder with <locale>/ or <locale>.tar.gz")
    parser.add_argument("--locale", action="append", help="by default, all that are there")
    parser.add_argument("--source", default="", help="as corpus.source in params.yaml")
    parser.add_argument("--model", type=Path, help="by default, the released model")
    options = parser.parse_args(arguments)
    locales = options.locale or sorted(p.name.split(".")[0] for p in options.path.iterdir())
    recognizer = Recognizer.load(options.model)
    rows = pd.DataFrame(
        row
        for locale in locales
        if locale.isalpha() and locale.islower()
        for row in recognised(recognizer, options.path, locale, options.source)
    )
    for task in recognizer.model.heads:
        print(f"\n{task}, {recognizer.model.name}\n\n{table(rows, task)}")


def recognised(
    recognizer: Recognizer, path: Path, locale: str, source: str
) -> Iterator[dict[str, Any]]:
    """What every clip of a locale is labelled, and what it is taken for."""
    corpus = open_corpus(path, locale)
    listed = read_clip_table(corpus, told_by=source).set_index("clip")
    wanted = set(listed.index[listed["excluded"] == ""])

    def one(file: tuple[str, bytes]) -> dict[str, Any]:
        name, data = file
        label = listed.loc[name]
        row = {"source": label["source"] or "all", "speaker": label["speaker"]}
        row |= {"gender": label["gender"], "language": locale}
        try:
            found = recognizer.predict(data)
        except InputError as error:
            print(f"{locale}/{name}: {error}", file=sys.stderr)
            return {**row, "said_gender": UNKNOWN, "said_language": UNKNOWN}
        return {**row, "said_gender": found.gender, "said_language": found.language}

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(one, corpus.clips(wanted))


def table(rows: pd.DataFrame, task: str) -> str:
    """Answers by source, as Markdown, for the clips whose label the model knows."""
    said = f"said_{task}"
    classes = sorted(set(rows[said]) - {UNKNOWN})
    rows = rows[rows[task].isin(classes)]
    lines = [
        "| source | clips | speakers | answered | right, of these | balanced accuracy, of all "
        "(95 % interval) |",
        "|---|---|---|---|---|---|",
    ]
    for source, some in [*rows.groupby("source"), ("together", rows)]:
        answered = some[said] != UNKNOWN
        right = some[said] == some[task]
        cells = [
            str(source),
            f"{len(some):,}",
            f"{some['speaker'].nunique():,}",
            f"{answered.mean():.2f}",
            f"{right[answered].mean():.3f}",
            _score(some, task, said, classes),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _score(rows: pd.DataFrame, task: str, said: str, classes: list[str]) -> str:
    """Balanced accuracy, unknown counting as wrong; of one speaker alone there is no interval."""
    numbers = {name: number for number, name in enumerate(classes)}
    asked = Task(task, task, tuple(classes), {}, undersample="random", metrics=())
    labels = rows[task].map(numbers).to_numpy()
    predicted = rows[said].map(numbers).fillna(-1).to_numpy()
    found = score(labels, predicted, rows["speaker"].to_numpy(), asked, seed=0)
    if found.low is None:
        return f"{found.value:.3f}"
    return f"{found.value:.3f} ({found.low:.2f}–{found.high:.2f})"  # noqa: RUF001


if __name__ == "__main__":
    main()
