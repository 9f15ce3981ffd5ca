"""Write all results as one page that opens offline."""

from pathlib import Path

from stages._run import run
from voicetraits.params import load_params
from voicetraits.report.page import write_page


def main() -> None:
    """Read params.yaml, metrics/ and plots/; write report.html."""
    out = Path("report.html")
    size = write_page(load_params(), out=out)
    print(f"{out}: {size / 1e6:.1f} MB, opens in any browser, without a network")


if __name__ == "__main__":
    run(main)
