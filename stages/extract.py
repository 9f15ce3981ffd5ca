"""Extract one representation of the converted clips of one locale."""

from stages._run import run
from voicetraits.features.extract import extract
from voicetraits.params import load_params
from voicetraits.storage.places import shards


def main(locale: str, representation: str, name: str = "") -> None:
    """Read WAV shards, of the corpus that is tested on or of one beside it; write array shards."""
    params = load_params()
    clips = extract(
        shards("wav", locale, name),
        representation,
        clip=params.clip,
        analysis=params.extract,
        out=shards(representation, locale, name),
    )
    print(f"{locale}: {representation} of {clips:,} clips")


if __name__ == "__main__":
    run(main)
