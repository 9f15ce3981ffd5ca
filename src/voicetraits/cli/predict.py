"""`voicetraits predict`: the language of recordings, and the gender of their voices."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from voicetraits.cli.options import add_model, probability
from voicetraits.cli.recordings import ENDINGS, STANDARD_INPUT, recordings
from voicetraits.cli.rows import COLUMNS, FORMATS, PLACE, TEXT_WRITERS, Row, write_parquet
from voicetraits.errors import InputError
from voicetraits.output import quiet_libraries, quiet_without_reader

if TYPE_CHECKING:
    from voicetraits.recognizer.decision import Recognition
    from voicetraits.recognizer.recognizer import Recognizer

# Of files that --output writes.
_ENDINGS = f"{', '.join(f'.{name}' for name in FORMATS[1:])} or .txt"
_DIGITS = 4
# What is said of a recording that cannot be read, in the order of the others.
_NOTHING: Row = {
    **dict.fromkeys(COLUMNS[1:]),
    "language": "unknown",
    "language_probabilities": {},
    "gender": "unknown",
}


def add_predict(commands: Any) -> None:
    """Declare the command and its options."""
    command = commands.add_parser(
        "predict",
        help="recognise the language of recordings, and the gender of their voices",
        epilog="Exit code 1 where a recording could not be read; see docs/predict.md.",
    )
    command.add_argument(
        "paths",
        nargs="+",
        metavar="PATH",
        help="a recording, a folder of them, a pattern such as 'calls/**/*.mp3', or - for "
        "standard input",
    )
    add_model(command)
    command.add_argument(
        "--format", choices=FORMATS, help="default: as the ending of --output says, or a table"
    )
    command.add_argument(
        "--output", type=Path, metavar="FILE", help="write there, not to standard output"
    )
    command.add_argument(
        "--segments", action="store_true", help="a timeline: a row for each piece of a recording"
    )
    command.add_argument(
        "--locale",
        action="append",
        default=[],
        metavar="LOCALE",
        help="answer with this language or another one given so; with a single one, that is the "
        "answer wherever somebody speaks",
    )
    for task in ("language", "gender"):
        command.add_argument(
            f"--{task}-threshold",
            type=probability,
            metavar="P",
            help="answer `unknown` below this probability (default: the model's own)",
        )


def predict(options: argparse.Namespace) -> None:
    """Run the command.

    Raises:
        InputError: If the model or a path cannot be used. That a recording cannot be read is said
            in its row, and by exit code 1 at the end.
    """
    form = options.format or _form(options.output)
    if form == "parquet" and not options.output and sys.stdout.isatty():
        raise InputError("a terminal cannot show Parquet; name a file with --output")
    paths, passed_over = recordings(options.paths)
    _check_output(options.output, paths)
    # Loading what runs a model takes a while, and what is wrong otherwise is said before.
    from voicetraits.recognizer.recognizer import Recognizer
    from voicetraits.workers.pool import cores

    cores()

    recognizer = Recognizer.load(
        options.model,
        locales=options.locale,
        language_threshold=options.language_threshold,
        gender_threshold=options.gender_threshold,
    )
    _introduce(recognizer)
    if passed_over:
        files = "file that does" if passed_over == 1 else "files that do"
        print(f"passed over: {passed_over:,} {files} not end as audio or video", file=sys.stderr)
    failed = 0

    def rows() -> Iterator[Row]:
        nonlocal failed
        for found in _results(recognizer, paths, options):
            failed += any(row["error"] for row in found)
            yield from found

    with quiet_libraries(), quiet_without_reader(), _output(options.output) as out:
        if form == "parquet":
            write_parquet(rows(), out.buffer, timeline=options.segments)
        else:
            TEXT_WRITERS[form](rows(), out, timeline=options.segments)
    if failed:
        print(f"{failed:,} of {len(paths):,} recordings could not be read", file=sys.stderr)
        sys.exit(1)


def _form(output: Path | None) -> str:
    """The format that the ending of a file says.

    Raises:
        InputError: If it says another one.
    """
    ending = output.suffix.removeprefix(".").lower() if output else ""
    if ending in ("", "txt"):
        return "table"
    if ending not in FORMATS:
        raise InputError(f"{output}: name a file that ends in {_ENDINGS}, or give --format as well")
    return ending


def _check_output(output: Path | None, paths: Sequence[str]) -> None:
    """See that what is written goes somewhere, and over no recording, before any work.

    Raises:
        InputError: If not.
    """
    if output is None:
        if sys.stdout is None:
            raise InputError("standard output is closed; name a file with --output")
        return
    if output.is_dir():
        raise InputError(f"{output}: a folder; name a file in it with --output")
    if output.suffix.lower() in ENDINGS:
        raise InputError(
            f"{output}: --output writes no recording; name a file that ends in {_ENDINGS}"
        )
    if output.exists() and any(Path(path).exists() and output.samefile(path) for path in paths):
        raise InputError(f"{output}: is one of the recordings; name another file with --output")


def _introduce(recognizer: Recognizer) -> None:
    model = recognizer.model
    print(f"model {model.name}, trained on: {model.trained_on}", file=sys.stderr)
    if model.synthetic:
        print(
            "warning: it was trained on synthetic voices; what it says of people is a guess",
            file=sys.stderr,
        )


@contextmanager
def _output(path: Path | None) -> Iterator[TextIO]:
    """Standard output, or a file that is there when it is whole; a device or pipe as it is."""
    if path is None:
        yield sys.stdout
        return
    from voicetraits.storage.files import whole_file

    try:
        path = path.resolve()  # what a link leads to is written, not the link
        whole = nullcontext(path) if path.exists() and not path.is_file() else whole_file(path)
        with (
            whole as place,
            place.open("w", encoding="utf-8", errors="surrogateescape") as file,
        ):
            yield file
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from error


def _results(
    recognizer: Recognizer, paths: Sequence[str], options: argparse.Namespace
) -> Iterator[list[Row]]:
    """Rows of each recording, in order; more than one where a timeline is wanted."""
    job = partial(_rows, recognizer, timeline=options.segments)
    if len(paths) == 1:
        yield job(paths[0])
        return
    from voicetraits.progress import progress
    from voicetraits.workers.pool import map_in_threads

    results = map_in_threads(job, paths)
    if options.output or not sys.stdout.isatty():  # there, the rows themselves show it
        results = progress(results, label="predict", unit="recordings", total=len(paths))
    yield from results


def _rows(recognizer: Recognizer, path: str, *, timeline: bool) -> list[Row]:
    try:
        source = _standard_input() if path == STANDARD_INPUT else path
        found = recognizer.segments(source) if timeline else [recognizer.predict(source)]
    except (InputError, MemoryError) as error:
        place = dict.fromkeys(PLACE) if timeline else {}
        return [{"path": path, **place, **_NOTHING, "error": str(error) or "out of memory"}]
    return [{"path": path, **_row(one, timeline=timeline)} for one in found]


def _standard_input() -> bytes:
    if sys.stdin is None:
        raise InputError("standard input is closed")
    return sys.stdin.buffer.read()


def _row(found: Recognition, *, timeline: bool) -> Row:
    place = {"start": _rounded(found.start), "end": _rounded(found.end)} if timeline else {}
    return {
        **place,
        "seconds": _rounded(found.seconds),
        "speech_seconds": _rounded(found.speech_seconds),
        "language": found.language,
        "language_probability": _rounded(found.language_probability),
        "language_probabilities": {
            name: _rounded(chance) for name, chance in found.language_probabilities.items()
        },
        "gender": found.gender,
        "female_probability": _rounded(found.female_probability),
        "reason": found.reason,
        "error": None,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else round(value, _DIGITS)
