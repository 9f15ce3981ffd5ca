"""Synthesise the sample corpus of one locale, in the form of a Common Voice archive."""

from pathlib import Path

from stages._run import run
from voicetraits.params import load_params
from voicetraits.sample.archive import write_sample


def main(locale: str) -> None:
    """Write data/sample/<locale>.tar.gz."""
    params = load_params()
    print(write_sample(params.sample, locale, Path("data/sample", f"{locale}.tar.gz")))


if __name__ == "__main__":
    run(main)
