"""Train and test the language CNN of all locales on one representation."""

from pathlib import Path
from typing import cast

import pandas as pd

from stages._inputs import fetch_missing
from stages._run import run
from voicetraits.params import Representation, load_params
from voicetraits.tasks import language
from voicetraits.training.run import run_cell


def main(representation: str) -> None:
    """Read data/splits/language.parquet and the arrays; write models/language/<representation>/."""
    params = load_params()
    folders = {locale: Path("data", representation, locale) for locale in params.locales}
    fetch_missing(folders.values())
    print(
        run_cell(
            language(params.locales),
            pd.read_parquet("data/splits/language.parquet"),
            folders,
            params,
            representation=cast(Representation, representation),
            label=f"language {representation}",
            out=Path("models/language", representation),
        )
    )


if __name__ == "__main__":
    run(main)
