"""Extract one representation of the converted clips of one locale."""

from pathlib import Path

from stages._run import run
from voicetraits.features.extract import extract
from voicetraits.params import load_params


def main(locale: str, representation: str) -> None:
    """Read data/wav/<locale>/; write data/<representation>/<locale>/."""
    params = load_params()
    clips = extract(
        Path("data/wav", locale),
        representation,
        clip=params.clip,
        analysis=params.extract,
        out=Path("data", representation, locale),
    )
    print(f"{locale}: {representation} of {clips:,} clips")


if __name__ == "__main__":
    run(main)
