"""Measure the pitch of the converted clips of one locale."""

from pathlib import Path

from stages._run import run
from voicetraits.features.pitch import measure_pitch
from voicetraits.params import load_params


def main(locale: str) -> None:
    """Read data/wav/<locale>/; write data/pitch/<locale>.parquet."""
    clip = load_params().clip
    out = Path("data/pitch", f"{locale}.parquet")
    clips = measure_pitch(Path("data/wav", locale), clip=clip, out=out)
    print(f"{locale}: pitch of {clips:,} clips")


if __name__ == "__main__":
    run(main)
