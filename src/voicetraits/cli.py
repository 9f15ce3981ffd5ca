"""The command `voicetraits`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from voicetraits.params import load_params
from voicetraits.summary import Cell, declared_cells

_HEADER = """\
| task | locale | representation | CNN balanced accuracy (95 % interval) | CNN ROC AUC or macro F1 \
| logistic regression balanced accuracy | majority class balanced accuracy |
|---|---|---|---|---|---|---|"""


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="voicetraits", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("results", help="print the table of results from metrics/ as Markdown")
    parser.parse_args()
    print(results_table(Path()))


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
