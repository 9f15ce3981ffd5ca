"""The command `voicetraits`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from voicetraits.download import download, next_command, parse_wanted
from voicetraits.errors import InputError
from voicetraits.evaluation.intervals import too_few_speakers
from voicetraits.output import printable_output
from voicetraits.params import load_params
from voicetraits.report.models import MODELS, WITHOUT_FIGURES, Cell, declared_cells

_HEADER = """\
| task | locale | representation | CNN balanced accuracy (95 % interval) | CNN ROC AUC or macro F1 \
| logistic regression balanced accuracy | majority class balanced accuracy |
|---|---|---|---|---|---|---|"""

_START = "import sys; sys.path.insert(0, sys.argv.pop(1)); from voicetraits.cli import main; main()"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line.

    An error in what the user gave ends the process with exit code 1 and its message alone.
    """
    if arguments is None:
        _use_library_of_this_work_tree()
    printable_output()
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


def _use_library_of_this_work_tree() -> None:
    """Begin again with the library of the work tree one is in, where another is installed.

    As the stages do: the environment of one clone may be active in a copy of it.
    """
    source = Path("src").resolve()
    installed = Path(__file__).resolve().parents[1]
    if source != installed and (source / "voicetraits" / "cli.py").is_file():
        command = [sys.executable, "-c", _START, str(source), *sys.argv[1:]]
        os.execv(sys.executable, command)


def _download(locales: Sequence[str], folder: Path) -> None:
    configured = load_params().locales
    download(parse_wanted(locales), folder)
    print(f"Next:\n  {next_command(folder, configured)}")


def results_table(root: Path) -> str:
    """The table of results, in Markdown.

    Args:
        root: The repository; params.yaml says which cells, metrics/ holds their figures.

    Raises:
        InputError: If a cell has no metrics.
    """
    cells = declared_cells(load_params(root / "params.yaml"), models=root / "models")
    return "\n".join([_HEADER, *(_row(cell, root / "metrics") for cell in cells)])


def _row(cell: Cell, metrics: Path) -> str:
    folder = metrics / cell.task.name / cell.name
    cnn, linear, majority = (_read(folder / f"{model}.json") for model in MODELS)
    columns = [cell.task.name, cell.locale, cell.representation]
    if reason := next((f"{name}: {cnn[name]}" for name in WITHOUT_FIGURES if name in cnn), ""):
        return f"| {' | '.join([*columns, reason, '', '', ''])} |"
    value = f"{cnn['balanced_accuracy']:.2f} ({cnn['low']:.2f}–{cnn['high']:.2f})"  # noqa: RUF001
    notes = [
        "collapsed: one class for everything" if cnn["collapsed"] else "",
        too_few_speakers(cnn["speakers_by_class"], cell.task),
    ]
    score = cnn["roc_auc"] if cell.task.binary else cnn["macro_f1"]
    columns += [
        ", ".join([value, *filter(None, notes)]),
        f"{score:.2f}",
        f"{linear['balanced_accuracy']:.2f}",
        f"{majority['balanced_accuracy']:.2f}",
    ]
    return f"| {' | '.join(columns)} |"


def _read(path: Path) -> dict[str, Any]:
    """Metrics of one model.

    Raises:
        InputError: If there are none, or they are those of an earlier version.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: no results to read ({error}); run `make repro`") from error
    if not found.keys() & {"speakers_by_class", *WITHOUT_FIGURES}:
        raise InputError(f"{path}: results of an earlier version; run `make repro`")
    return found
