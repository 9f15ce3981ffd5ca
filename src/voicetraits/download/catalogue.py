"""The catalogue of Mozilla Data Collective, through its own client `datacollective`.

Since October 2025 Common Voice is published there alone. The catalogue is public. A download needs
an API key (MDC_API_KEY, in the environment or in a file .env), and the terms of each dataset
accepted on its page.

Sources: https://github.com/Mozilla-Data-Collective/datacollective-python (docs/index.md; the
fields, codes of errors and checksum in tests/fixtures/openapi.json),
https://mozilladatacollective.com/api-reference/docs
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voicetraits.errors import InputError
from voicetraits.selection.language import same_language

# As in the extra `download` of pyproject.toml. Its authors announce breaking changes before 1.0.
CLIENT = "datacollective>=0.7,<0.8"
KEY = "MDC_API_KEY"
SITE = "https://mozilladatacollective.com"
# As the releases are named there: "Common Voice Scripted Speech 25.0 - Czech". "Spontaneous
# Speech" is small, and has to be named; others publish subsets under other organisations.
_SERIES = "Common Voice Scripted Speech"
_RELEASE = re.compile(rf"{_SERIES} (\d+)\.(\d+) - ")
_PUBLISHER = "Common Voice"
_PAGE_SIZE = 100  # the most that the catalogue gives at once


class FetchError(InputError):
    """A download that cannot be made; the message names the locale or folder and the remedy."""


@dataclass(frozen=True)
class Release:
    """What is to be downloaded for one locale.

    Attributes:
        locale: As Common Voice names it; the archive becomes `<locale>.tar.gz`.
        dataset: Its id in the catalogue.
        name: As its page is headed.
        page: Address of that page, where its terms are accepted.
        filename: Of the archive in the catalogue.
        size: Of the archive in bytes, where the catalogue gives it.
        sha256: Of the archive in hexadecimal digits, where the catalogue gives it.
    """

    locale: str
    dataset: str
    name: str
    page: str
    filename: str
    size: int | None
    sha256: str | None

    @property
    def label(self) -> str:
        """How messages name it."""
        return f"{self.locale}: {self.name}"


def client_with_key() -> Any:
    """The package `datacollective`, which takes a second to load, where a key is set.

    Raises:
        FetchError: If the package or the key is missing.
    """
    try:
        import datacollective
    except ModuleNotFoundError as error:
        if error.name != "datacollective":
            raise
        command = shlex.join([sys.executable, "-m", "pip", "install", CLIENT])
        raise FetchError(
            f"the package datacollective is missing from this environment; type: {command}"
        ) from None
    # Only now: the client has read .env into the environment.
    if not os.environ.get(KEY, "").strip():
        raise FetchError(
            f"{KEY} is not set; make a key at {SITE}/api-reference, then type: export {KEY}=<key>"
        )
    return datacollective


def find_release(client: Any, locale: str, dataset: str | None) -> Release:
    """Look a release up in the catalogue.

    Args:
        client: The package `datacollective`.
        locale: As Common Voice names it.
        dataset: Its id or slug; None for the newest release of the locale.

    Raises:
        FetchError: If there is none, or it is no archive of this language.
    """
    label = f"{locale}={dataset}" if dataset else locale
    with clear_errors(label, f"{SITE}/datasets/{dataset or ''}"):
        if dataset:
            details = client.get_dataset_details(dataset)
        else:
            details = newest(locale, list(_listed(client, locale)))
    if details is None:
        raise FetchError(
            f"{locale}: no release of {_SERIES} found for this locale; look for it at "
            f"{SITE}/datasets and name it: {locale}=<dataset id>"
        )
    name, filename = details.name or details.id, details.filename or ""
    if details.locale and not same_language(details.locale, locale):
        raise FetchError(f"{label}: {name} is of the locale {details.locale}")
    # The client makes a path of it, so it must not lead out of the folder.
    if Path(filename).name != filename or not filename.endswith(".tar.gz"):
        raise FetchError(f"{locale}: {name} is no .tar.gz archive but {filename!r}")
    return Release(
        locale=locale,
        dataset=details.id,
        name=name,
        page=details.datasetUrl or f"{SITE}/datasets/{details.id}",
        filename=filename,
        size=int(details.sizeBytes) if details.sizeBytes else None,
        sha256=(details.checksum or "").lower().removeprefix("sha256:") or None,
    )


def _listed(client: Any, locale: str) -> Iterator[Any]:
    """Every dataset of one locale that a search for Common Voice finds."""
    number, seen = 1, 0
    while True:
        page = client.list_datasets(
            _SERIES, locale=locale, results_per_page=_PAGE_SIZE, page_number=number
        )
        yield from page.items
        number, seen = number + 1, seen + len(page.items)
        if not page.items or seen >= page.total:
            return


def newest(locale: str, listed: Sequence[Any]) -> Any | None:
    """The newest release of one locale among datasets of the catalogue, or None.

    Of two with one version the larger one: the other is a part of it.

    Args:
        locale: As Common Voice names it.
        listed: Datasets, each with `name`, `locale`, `organization.name` and `sizeBytes`.
    """
    releases = {}
    for dataset in listed:
        match = _RELEASE.match(dataset.name or "")
        publisher = dataset.organization.name if dataset.organization else None
        if match and dataset.locale == locale and publisher == _PUBLISHER:
            releases[int(match[1]), int(match[2]), dataset.sizeBytes or 0] = dataset
    return releases[max(releases)] if releases else None


@contextmanager
def clear_errors(what: str, page: str) -> Iterator[None]:
    """Turn what the client raises before a download begins into one line.

    Args:
        what: How the line begins.
        page: Where terms are accepted.
    """
    from datacollective import AuthenticationError, RateLimitError
    from requests import HTTPError, RequestException

    # The client raises built-in errors for answers of the server: 403 and 404.
    try:
        yield
    except AuthenticationError as error:
        raise FetchError(
            f"{what}: the key in {KEY} is refused; make a new one at {SITE}/api-reference"
        ) from error
    except RateLimitError as error:
        raise FetchError(
            f"{what}: Mozilla Data Collective has had too many requests or downloads of yours "
            "today; try later"
        ) from error
    except PermissionError as error:
        raise FetchError(
            f"{what}: access denied; open {page}, accept the terms there with the account that "
            f"the key belongs to, and type the same command again ({_one_line(error)})"
        ) from error
    except FileNotFoundError as error:
        raise FetchError(
            f"{what}: Mozilla Data Collective has no such dataset, or no longer; look for another "
            f"at {SITE}/datasets and name it as <locale>=<dataset id>"
        ) from error
    except HTTPError as error:
        raise FetchError(
            f"{what}: Mozilla Data Collective answers {_one_line(error)}; try later"
        ) from error
    except RequestException as error:
        raise FetchError(
            f"{what}: Mozilla Data Collective cannot be reached ({cause(error)}); see to the "
            "network and type the same command again"
        ) from error
    except OSError as error:
        raise FetchError(f"{what}: {error}") from error
    except (RuntimeError, ValueError) as error:
        raise FetchError(
            f"{what}: Mozilla Data Collective gives an answer that {CLIENT} does not understand "
            f"({cause(error)}); download it from {page} by hand"
        ) from error


def cause(error: BaseException | None) -> str:
    """What went wrong, without the client's text: that may hold the signed address."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    response = getattr(error, "response", None)
    if response is not None:
        return f"HTTP status {response.status_code}"
    return getattr(error, "strerror", None) or type(error).__name__


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
