"""CPU time of an epoch of the gender CNN, against stock Keras on TensorFlow.

    python -m benchmarks.training

2,000 clips, in the batch size of params.yaml and in batches of 32. Every side runs in a process of
its own, TensorFlow in `.venv-bench`, and has trained one epoch, which compiles, before the rounds
begin. TensorFlow is measured in three settings; the cheapest of them is the baseline.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks._measure import OURS, alternate, compare, report
from voicetraits.params import load_params

SAMPLES = 2000
ROUNDS = 5
SIDES = (
    OURS,
    "TensorFlow",
    "TensorFlow, oneDNN",
    "TensorFlow, oneDNN, one thread",
    "stock Keras on JAX",
)
EPOCHS = Path(__file__).with_name("_epochs.py")
PYTHON_WITH_TENSORFLOW = Path(".venv-bench/bin/python")


def main() -> None:
    """Measure and report."""
    if not PYTHON_WITH_TENSORFLOW.exists():
        sys.exit(f"{PYTHON_WITH_TENSORFLOW} is not there: `make bench` sets it up")
    comparisons = {}
    for batch_size in dict.fromkeys((load_params().train.batch_size, 32)):
        # Full batches for all: only ours would leave the last, smaller one out.
        samples = SAMPLES // batch_size * batch_size
        with ExitStack() as stack:
            costs = alternate(
                {side: stack.enter_context(_epochs(side, samples, batch_size)) for side in SIDES},
                rounds=ROUNDS,
            )
        baseline = min(
            (side for side in SIDES if side.startswith("TensorFlow")),
            key=lambda side: statistics.median(costs[side]),
        )
        title = f"one epoch of {samples:,} clips in batches of {batch_size}"
        comparisons[title] = compare(costs, unit="s of CPU", baseline=baseline, target=1)
    report("training", comparisons)


@contextmanager
def _epochs(side: str, samples: int, batch_size: int) -> Iterator[Callable[[], float]]:
    """A process that trains; each call lets it train an epoch, and returns its CPU seconds."""
    python = str(PYTHON_WITH_TENSORFLOW) if side.startswith("TensorFlow") else sys.executable
    command = [python, str(EPOCHS), side, str(samples), str(batch_size)]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # TensorFlow talks a lot
        encoding="utf-8",
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        requests, answers = process.stdin, process.stdout

        def answer() -> str:
            line = answers.readline()
            if not line:
                sys.exit(f"{side} failed; see: {' '.join(command)!r}")
            return line

        def train_epoch() -> float:
            print(file=requests, flush=True)
            return float(answer())

        answer()  # that the first epoch is over
        yield train_epoch
        requests.close()  # ends the process


if __name__ == "__main__":
    main()
