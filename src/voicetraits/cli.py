"""The command `voicetraits`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from voicetraits.download import download, next_command, parse_wanted
from voicetraits.errors import InputError
from voicetraits.params import load_params
from voicetraits.summary import Cell, declared_cells

_HEADER = """\
| task | locale | representation | CNN balanced accuracy (95 % interval) | CNN ROC AUC or macro F1 \
| logistic regression balanced accuracy | majority class balanced accuracy |
|---|---|---|---|---|---|---|"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line.

    An error in what the user gave ends the process with exit code 1 and its message alone.
    """
    parser = argparse.ArgumentParser(prog="voicetraits", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("results", help="print the table of results from metrics/ as Markdown")
    fetch = commands.add_parser(
        "download",
        help="download Common Voice archives from Mozilla Data Collective",
        epilog="Needs an API key in MDC_API_KEY; see docs/download.md.",
    )
    fetch.add_argument(
        "locales",
        nargs="+",
        metavar="LOCALE[=DATASET]",
        help="e.g. es for the newest release, or es=<id of a dataset>",
    )
    fetch.add_argument(
        "--folder",
        type=Path,
        default=Path("data/common_voice"),
        help="where <locale>.tar.gz is put (default: %(default)s)",
    )
    options = parser.parse_args(arguments)
    try:
        if options.command == "download":
            _download(options.locales, options.folder)
        else:
            print(results_table(Path()))
    except InputError as error:
        sys.exit(f"error: {error}")


def _download(locales: Sequence[str], folder: Path) -> None:
    configured = load_params().locales
    download(parse_wanted(locales), folder)
    print(f"Next:\n  {next_command(folder, configured)}")


def results_table(root: Path) -> str:
    """The table of results, in Markdown.

    Args:
        root: The repository; params.yaml says which cells, metrics/ holds their figures.
    """
    cells = declared_cells(load_params(root / "params.yaml"), models=root / "models")
    return "\n".join([_HEADER, *(_row(cell, root / "metrics") for cell in cells)])


def _row(cell: Cell, metrics: Path) -> str:
    cnn, linear, majority = (
        json.loads((metrics / cell.task.name / cell.name / f"{model}.json").read_text("utf-8"))
        for model in ("cnn", "linear", "majority")
    )
    columns = [cell.task.name, cell.locale, cell.representation]
    if "skipped" in cnn:
        columns += [f"skipped: {cnn['skipped']}", "", "", ""]
    else:
        note = " (collapsed: one class for everything)" if cnn["collapsed"] else ""
        score = cnn["roc_auc"] if cell.task.binary else cnn["macro_f1"]
        columns += [
            f"{cnn['balanced_accuracy']:.2f} ({cnn['low']:.2f}–{cnn['high']:.2f}){note}",  # noqa: RUF001
            f"{score:.2f}",
            f"{linear['balanced_accuracy']:.2f}",
            f"{majority['balanced_accuracy']:.2f}",
        ]
    return f"| {' | '.join(columns)} |"
