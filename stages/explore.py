"""Draw what the corpus of every locale holds, and one clip of it to look at and to play."""

from pathlib import Path

from stages._inputs import fetch_missing
from stages._run import run
from voicetraits.params import load_params
from voicetraits.report.explore import explore
from voicetraits.storage.files import fresh_folder


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


if __name__ == "__main__":
    run(main)
