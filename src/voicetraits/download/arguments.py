"""What the command line names: locales, datasets, a folder; and what to type next."""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from voicetraits.download.catalogue import SITE, FetchError
from voicetraits.params import Locale

# What Hydra's grammar takes as it is; in quotes, it takes everything.
_BARE = re.compile(r"/?[a-z_][\w.-]*(/[\w.-]+)*", re.ASCII | re.IGNORECASE)
_NO_TEXT = {"true", "false", "null", "nan", "inf"}
_UNUSUAL = {"Cc", "Cs", "Zl", "Zp"}  # control characters, no UTF-8, ends of lines and paragraphs
_DATASET = re.compile(r"[\w-][\w.-]*")


def parse_wanted(arguments: Sequence[str]) -> dict[str, str | None]:
    """Read locales from a command line: `es`, or `es=<id or slug of a dataset>`.

    Returns:
        The dataset by locale; None stands for the newest release.

    Raises:
        FetchError: If a locale or a dataset cannot be one, or a locale is named twice.
    """
    wanted: dict[str, str | None] = {}
    for argument in arguments:
        locale, equals, dataset = argument.partition("=")
        if not _is_locale(locale):
            raise FetchError(
                f"{argument}: {locale!r} is no locale of Common Voice, such as es or zh-TW"
            )
        if equals and not _DATASET.fullmatch(dataset):
            raise FetchError(
                f"{argument}: {dataset!r} is no id of a dataset; it is the last part of the "
                f"address of its page, {SITE}/datasets/<id>"
            )
        if locale in wanted:
            raise FetchError(f"{argument}: {locale} is named twice")
        wanted[locale] = dataset or None
    return wanted


def require_usable(folder: Path) -> None:
    """See that a folder can be named to `dvc exp run -S`, and in params.yaml.

    Raises:
        FetchError: If its name has line breaks or other control characters, bytes that are no
            UTF-8, or what is a reference there.
    """
    name = str(folder)
    if "${" in name or name == "???" or any(unicodedata.category(c) in _UNUSUAL for c in name):
        raise FetchError(
            f"{name!r}: a folder that DVC cannot be told, as the name has control characters, "
            "bytes that are no UTF-8, ${ or nothing but ???; choose another"
        )


def next_command(folder: Path, configured: Sequence[str]) -> str:
    """What to type to run the pipeline on the archives of a folder.

    Args:
        folder: Of the archives; see `require_usable`.
        configured: `locales` of params.yaml; named in the command where some have no archive.
    """
    names = sorted(path.name.removesuffix(".tar.gz") for path in folder.glob("[!.]*.tar.gz"))
    there = [name for name in names if _is_locale(name)]
    options = ["-S", shlex.quote(f"corpus.path={_in_hydra(str(folder))}")]
    if not set(configured) <= set(there):
        options += ["-S", shlex.quote(f"locales=[{','.join(map(_in_hydra, there))}]")]
    return f"dvc exp run {' '.join(options)} report"


def _in_hydra(text: str) -> str:
    """A text in the grammar of `dvc exp run -S`, which is Hydra's.

    Source: https://hydra.cc/docs/advanced/override_grammar/basic/#quoted-values
    """
    if _BARE.fullmatch(text) and text.lower() not in _NO_TEXT:
        return text
    # Backslashes before a quote are doubled, those before the last quote included.
    doubled = re.sub(r'(\\+)(?="|$)', r"\1\1", text)
    return '"' + doubled.replace('"', r"\"") + '"'


def _is_locale(name: str) -> bool:
    try:
        TypeAdapter(Locale).validate_python(name)
    except ValidationError:
        return False
    return True
