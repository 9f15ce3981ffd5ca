"""Train and test the gender CNN of one locale on one representation."""

from pathlib import Path
from typing import cast

import pandas as pd

from stages._run import run
from voicetraits.params import Representation, load_params
from voicetraits.tasks import GENDER
from voicetraits.training.run import run_cell


def main(locale: str, representation: str) -> None:
    """Read data/splits/gender-<locale>.parquet and the arrays; write models/gender/<cell>/."""
    cell = f"{locale}-{representation}"
    print(
        run_cell(
            GENDER,
            pd.read_parquet(Path("data/splits", f"gender-{locale}.parquet")),
            {locale: Path("data", representation, locale)},
            load_params(),
            representation=cast(Representation, representation),
            label=f"gender {cell}",
            out=Path("models/gender", cell),
        )
    )


if __name__ == "__main__":
    run(main)
