"""Extract one representation of the converted clips of one locale."""

from pathlib import Path
from typing import cast

from stages._run import run
from voicetraits.features.extract import extract
from voicetraits.params import Representation, load_params


def main(locale: str, representation: str) -> None:
    """Read data/wav/<locale>/; write data/<representation>/<locale>/."""
    params = load_params()
    clips = extract(
        Path("data/wav", locale),
        cast(Representation, representation),
        window=params.window,
        hop=params.hop,
        out=Path("data", representation, locale),
    )
    print(f"{locale}: {representation} of {clips:,} clips, 68 x {params.extract.frames} each")


if __name__ == "__main__":
    run(main)
