"""The command `voicetraits`."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from voicetraits.cli.demo import add_demo, demo
from voicetraits.cli.predict import add_predict, predict
from voicetraits.errors import InputError
from voicetraits.output import printable_output, quiet_without_reader

_START = "import sys; sys.path.insert(0, sys.argv.pop(1)); from voicetraits.cli import main; main()"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line.

    An error in what the user gave ends the process with exit code 1 and its message alone.
    """
    if arguments is None:
        _use_library_of_this_work_tree()
    printable_output()
    parser = argparse.ArgumentParser(prog="voicetraits", description=__doc__)
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version, and end")
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
    compare = commands.add_parser(
        "compare",
        help="compare the models of two revisions, paired by test speaker",
        epilog="A revision is a commit, tag, branch or experiment, or . for the work tree; see "
        "docs/experiments.md.",
    )
    compare.add_argument("a", metavar="A", help="the revision to compare with")
    compare.add_argument("b", metavar="B", nargs="?", default=".", help="default: the work tree")
    compare.add_argument("--json", action="store_true", help="print everything as JSON")
    add_predict(commands)
    add_demo(commands)
    options = parser.parse_args(arguments)
    try:
        if options.command == "download":
            _download(options.locales, options.folder)
        elif options.command == "compare":
            _compare(options.a, options.b, as_json=options.json)
        elif options.command == "predict":
            predict(options)
        elif options.command == "demo":
            demo(options)
        else:
            _results()
    except InputError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


class _Version(argparse.Action):
    """Look the version up when it is asked for, and not at every start."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"{parser.prog} {version('voicetraits')}")
        parser.exit()


def _use_library_of_this_work_tree() -> None:
    """Begin again with the library of the work tree one is in, where another is installed.

    As the stages do: the environment of one clone may be active in a copy of it.
    """
    source = Path("src").resolve()
    installed = Path(__file__).resolve().parents[2]
    if source != installed and (source / "voicetraits" / "cli" / "__init__.py").is_file():
        command = [sys.executable, "-c", _START, str(source), *sys.argv[1:]]
        os.execv(sys.executable, command)


# What a command needs is loaded by that command alone: others take seconds to load.
def _download(locales: Sequence[str], folder: Path) -> None:
    from voicetraits.download import download, next_command, parse_wanted
    from voicetraits.params import load_params

    configured = load_params().locales
    download(parse_wanted(locales), folder)
    print(f"Next:\n  {next_command(folder, configured)}")


def _compare(a: str, b: str, *, as_json: bool) -> None:
    from voicetraits.report.comparison import compare_revisions
    from voicetraits.report.comparison_text import comparison_text

    found = compare_revisions(a, b)
    with quiet_without_reader():
        print(json.dumps(found, indent=2) if as_json else comparison_text(found))


def _results() -> None:
    from voicetraits.models import judged_models
    from voicetraits.params import load_params
    from voicetraits.report.markdown import results_table
    from voicetraits.report.results import read_results

    results = read_results(Path("metrics/results.json"))
    with quiet_without_reader():
        print(results_table(results, judged_models(load_params())))
