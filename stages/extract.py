"""Extract one representation of the converted clips of one locale."""

from pathlib import Path

from stages._run import run
from voicetraits.features.extract import extract
from voicetraits.features.windows import windows
from voicetraits.params import load_params


def main(locale: str, representation: str) -> None:
    """Read data/wav/<locale>/; write data/<representation>/<locale>/."""
    params = load_params()
    window, hop = windows(params.clip, params.extract)
    clips = extract(
        Path("data/wav", locale),
        representation,
        window=window,
        hop=hop,
        out=Path("data", representation, locale),
    )
    print(f"{locale}: {representation} of {clips:,} clips, 68 x {params.extract.frames} each")


if __name__ == "__main__":
    run(main)
