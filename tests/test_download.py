"""Downloads from a server on this machine that answers as Mozilla Data Collective does.

The real client talks to it over HTTP; only the address of the API is another.
"""

from __future__ import annotations

import hashlib
import io
import json
import shlex
import shutil
import subprocess
import sys
import tarfile
import threading
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import datacollective  # noqa: F401  (reads .env when it is imported: before the tests set theirs)
import pandas as pd
import pytest
import requests
import yaml
from conftest import ROOT, folder_bytes
from corpora import GOOD

from stages import convert, select
from voicetraits.cli import main
from voicetraits.corpus.open import open_corpus
from voicetraits.download import fetch as module
from voicetraits.download.catalogue import CLIENT, newest
from voicetraits.storage.shards import INDEX

KEY = "the-secret-key"
SIGNATURE = "the-secret-signature"
ARCHIVE = hashlib.shake_128(b"archive").digest(300_000)
READ = 2**16  # bytes that the client reads and writes at once


@dataclass
class Collective:
    """The state of the server, and what it was asked.

    Attributes:
        address: Of the server.
        datasets: As the API describes them, by id.
        archives: What is sent for each.
        accepted: Ids of the datasets whose terms are accepted.
        break_after: After how many bytes an answer with an archive breaks off.
        failing: Status that every request of the catalogue gets.
        asked: Method and path of every request, with the range of bytes.
    """

    address: str = ""
    datasets: dict[str, dict[str, Any]] = field(default_factory=dict)
    archives: dict[str, bytes] = field(default_factory=dict)
    accepted: set[str] = field(default_factory=set)
    break_after: int | None = None
    failing: int | None = None
    asked: list[str] = field(default_factory=list)

    def publish(
        self,
        id: str,
        locale: str = "es",
        *,
        name: str = "Common Voice Scripted Speech 26.0 - Spanish",
        archive: bytes = ARCHIVE,
        **details: Any,
    ) -> None:
        """Add a dataset whose terms are accepted."""
        self.archives[id] = archive
        self.accepted.add(id)
        self.datasets[id] = {
            "id": id,
            "name": name,
            "locale": locale,
            "organization": {"name": "Common Voice", "slug": "common-voice"},
            "filename": f"{id}.tar.gz",
            "sizeBytes": str(len(archive)),
            "checksum": hashlib.sha256(archive).hexdigest(),
            "datasetUrl": f"https://mozilladatacollective.com/datasets/{id}",
            **details,
        }

    def count(self, start: str) -> int:
        """How many requests begin so."""
        return sum(request.startswith(start) for request in self.asked)


class Handler(BaseHTTPRequestHandler):
    """Answers like tests/fixtures/openapi.json of the client describes."""

    state: Collective

    def do_GET(self) -> None:
        span = self.headers.get("Range", "")
        self.state.asked.append(f"GET {self.path} {span}".strip())
        url = urlsplit(self.path)
        if url.path.startswith("/storage/"):
            assert "Authorization" not in self.headers
            self.send_archive(self.state.archives[url.path.split("/")[-1]], span)
        elif self.state.failing:
            self.send_json(self.state.failing, {"error": "Out of order"})
        elif url.path == "/api/datasets":
            self.send_list({name: values[0] for name, values in parse_qs(url.query).items()})
        elif dataset := self.state.datasets.get(url.path.split("/")[-1]):
            self.send_json(200, dataset)
        else:
            self.send_json(404, {"error": "Dataset not found"})

    def do_POST(self) -> None:
        self.state.asked.append(f"POST {self.path}")
        id = self.path.split("/")[-2]
        if self.headers.get("Authorization") != f"Bearer {KEY}":
            self.send_json(401, {"error": "Authentication required"})
        elif id not in self.state.accepted:
            self.send_json(403, {"error": "You must agree to the terms of use"})
        else:
            dataset = self.state.datasets[id]
            session = {name: dataset[name] for name in ("filename", "sizeBytes", "checksum")}
            address = f"{self.state.address}/storage/{id}?signature={SIGNATURE}"
            # The size is never null here.
            session["sizeBytes"] = len(self.state.archives[id])
            self.send_json(200, {"downloadUrl": address, **session})

    def send_list(self, query: dict[str, str]) -> None:
        found = [x for x in self.state.datasets.values() if x["locale"] == query["locale"]]
        # Fewer at once than the client asks for, so that some lie on later pages.
        first = 2 * (int(query["page"]) - 1)
        self.send_json(200, {"items": found[first : first + 2], "total": len(found)})

    def send_json(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def send_archive(self, archive: bytes, span: str) -> None:
        first = int(span.removeprefix("bytes=").removesuffix("-")) if span else 0
        if span and first >= len(archive):
            self.send_error(416)
            return
        body = archive[first:]
        self.send_response(206 if span else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: self.state.break_after])
        self.close_connection = True

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def collective(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Collective]:
    """A running server, a key that it knows, and a folder with params.yaml to work in."""
    state = Collective()
    handler = type("BoundHandler", (Handler,), {"state": state})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    state.address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("MDC_API_URL", f"{state.address}/api")
    monkeypatch.setenv("MDC_API_KEY", KEY)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run the command, and give the one line that it ends with."""

    def run(*arguments: str) -> str:
        with pytest.raises(SystemExit) as ended:
            main(["download", *arguments])
        # Python prints a text that a process is ended with, and ends it with code 1.
        line = ended.value.code
        assert isinstance(line, str) and line.startswith("error: ") and "\n" not in line
        shown = line + "".join(capsys.readouterr())
        assert KEY not in shown and SIGNATURE not in shown
        return line

    return run


FOLDER = Path("data/common_voice")


def test_the_newest_release_is_downloaded_under_the_name_of_its_locale(collective, capsys):
    collective.publish("old", name="Common Voice Scripted Speech 9.0 - Spanish")
    collective.publish("spontaneous", name="Common Voice Spontaneous Speech 30.0 - Spanish")
    collective.publish("new", name="Common Voice Scripted Speech 26.0 - Spanish")
    collective.publish("foreign", name="Common Voice Scripted Speech 31.0 - Spanish")
    collective.datasets["foreign"]["organization"]["name"] = "Somebody"
    collective.publish("german", "de", name="Common Voice Scripted Speech 27.0 - German")
    main(["download", "es", "de"])
    assert folder_bytes(FOLDER) == {"es.tar.gz": ARCHIVE, "de.tar.gz": ARCHIVE}
    assert open_corpus(FOLDER, "es").path == FOLDER / "es.tar.gz"
    assert [x for x in collective.asked if x.startswith("POST")] == [
        "POST /api/datasets/new/download",
        "POST /api/datasets/german/download",
    ]
    printed = capsys.readouterr().out
    terms, first_release = printed.index("Terms of Common Voice"), printed.index("26.0 - Spanish")
    assert terms < first_release
    assert "do not re-host" in printed
    assert "https://mozilladatacollective.com/datasets/new" in printed
    assert printed.endswith(
        "Next:\n  dvc exp run -S corpus.path=data/common_voice -S 'locales=[de,es]' report\n"
    )


def test_of_one_version_the_whole_is_taken_and_not_a_part():
    def listed(size: int | None) -> Any:
        return SimpleNamespace(
            name="Common Voice Scripted Speech 26.0 - English",
            locale="en",
            organization=SimpleNamespace(name="Common Voice"),
            sizeBytes=size,
        )

    part, whole, unknown = listed(5), listed(90), listed(None)
    assert newest("en", [part, whole, unknown]) is whole
    assert newest("es", [part, whole, unknown]) is None


def test_the_next_command_names_no_locales_when_every_one_is_there(collective, capsys):
    FOLDER.mkdir(parents=True)
    for locale in ("en", "fr", "de"):
        (FOLDER / f"{locale}.tar.gz").touch()
    collective.publish("new")
    main(["download", "es"])
    assert "-S corpus.path=data/common_voice report\n" in capsys.readouterr().out


def test_a_folder_that_dvc_cannot_be_told_is_refused_before_the_download(collective, tmp_path):
    collective.publish("new")
    with pytest.raises(SystemExit, match=r"error: '.*a\\nb': a folder that DVC cannot be told"):
        main(["download", "es", "--folder", str(tmp_path / "a\nb")])
    assert not collective.asked
    assert not (tmp_path / "a\nb").exists()


def test_a_dataset_can_be_named_and_the_folder_chosen(collective, capsys):
    collective.publish("cm1", "en-GB", name="British English")
    main(["download", "en=cm1", "--folder", "my archives"])
    assert folder_bytes(Path("my archives")) == {"en.tar.gz": ARCHIVE}
    assert collective.count("GET /api/datasets?") == 0
    assert """-S 'corpus.path="my archives"' -S 'locales=[en]'""" in capsys.readouterr().out


def test_an_archive_that_is_there_and_whole_is_not_fetched_again(collective, capsys):
    collective.publish("new")
    main(["download", "es"])
    collective.asked.clear()
    main(["download", "es"])
    assert collective.count("POST") == collective.count("GET /storage") == 0
    printed = capsys.readouterr().out
    assert "26.0 - Spanish is there and whole: data/common_voice/es.tar.gz" in printed


@pytest.mark.parametrize("other", [b"short", bytes(len(ARCHIVE))])
def test_another_archive_of_the_locale_is_left_alone(collective, refused, other):
    FOLDER.mkdir(parents=True)
    (FOLDER / "es.tar.gz").write_bytes(other)
    collective.publish("new")
    assert "es.tar.gz: is not Common Voice Scripted Speech 26.0" in refused("es")
    assert folder_bytes(FOLDER) == {"es.tar.gz": other}


@pytest.mark.parametrize("name", ["es", "es.tar", "es.zip"])
def test_a_second_corpus_of_the_locale_is_refused_before_the_download(collective, refused, name):
    (FOLDER / name).mkdir(parents=True)
    collective.publish("new")
    assert f"{FOLDER / name}: is in the way of es.tar.gz" in refused("es")
    assert collective.count("POST") == 0


def test_a_download_that_broke_in_the_middle_goes_on_from_there(collective, refused):
    collective.publish("new")
    collective.break_after = 3 * READ
    line = refused("es")
    assert "broken off at 0.2 MB of 0.3 MB" in line and "the same command goes on" in line
    assert not (FOLDER / "es.tar.gz").exists()
    collective.break_after = None
    main(["download", "es"])
    assert collective.asked[-1].endswith(f"bytes={3 * READ}-")
    assert folder_bytes(FOLDER) == {"es.tar.gz": ARCHIVE}


def test_a_download_that_stopped_after_the_last_byte_is_finished(collective):
    work = FOLDER / ".es.tar.gz.partial"
    work.mkdir(parents=True)
    (work / "new.tar.gz.part").write_bytes(ARCHIVE)
    (work / "new.tar.gz.checksum").write_text(hashlib.sha256(ARCHIVE).hexdigest())
    collective.publish("new")
    main(["download", "es"])
    assert collective.count("GET /storage") == 0
    assert folder_bytes(FOLDER) == {"es.tar.gz": ARCHIVE}


def test_what_is_left_of_another_release_is_cleared(collective, refused):
    collective.publish("old", name="Common Voice Scripted Speech 25.0 - Spanish")
    collective.break_after = 3 * READ
    refused("es")
    collective.publish("new")
    refused("es")
    left = [path.name for path in FOLDER.rglob("*") if path.is_file()]
    assert sorted(left) == ["new.tar.gz.checksum", "new.tar.gz.part"]


def test_an_interrupt_from_the_keyboard_is_one_line_too(collective, refused, monkeypatch):
    collective.publish("new")

    read = requests.Response.iter_content

    def interrupted(self: requests.Response, *arguments: Any, **options: Any) -> Any:
        if "/storage/" in self.url:
            raise KeyboardInterrupt
        return read(self, *arguments, **options)

    monkeypatch.setattr(requests.Response, "iter_content", interrupted)
    assert "(interrupted); the same command goes on" in refused("es")


def test_an_archive_with_another_checksum_is_removed_and_fetched_anew(collective, refused):
    collective.publish("new")
    collective.archives["new"] = bytes(len(ARCHIVE))
    line = refused("es")
    assert f"instead of {hashlib.sha256(ARCHIVE).hexdigest()}" in line and "anew" in line
    assert folder_bytes(FOLDER) == {}
    collective.archives["new"] = ARCHIVE
    main(["download", "es"])
    assert collective.asked[-1] == f"GET /storage/new?signature={SIGNATURE}"
    assert folder_bytes(FOLDER) == {"es.tar.gz": ARCHIVE}


@pytest.mark.parametrize(
    "details",
    [
        {"checksum": "sha256:" + hashlib.sha256(ARCHIVE).hexdigest().upper()},
        {"checksum": None},
        {"checksum": None, "sizeBytes": None},
    ],
)
def test_checksum_and_size_are_used_as_far_as_they_are_known(collective, details):
    collective.publish("new", **details)
    main(["download", "es"])
    assert folder_bytes(FOLDER) == {"es.tar.gz": ARCHIVE}


def test_without_a_checksum_the_size_still_has_to_agree(collective, refused):
    collective.publish("new", checksum=None, sizeBytes=len(ARCHIVE) + 1)
    assert "300000 bytes instead of 300001" in refused("es")
    assert folder_bytes(FOLDER) == {}


@pytest.mark.parametrize("key", [None, "", " "])
def test_a_missing_key_is_said_before_anything_is_asked(collective, refused, monkeypatch, key):
    if key is None:
        monkeypatch.delenv("MDC_API_KEY")
    else:
        monkeypatch.setenv("MDC_API_KEY", key)
    line = refused("es")
    assert "MDC_API_KEY is not set" in line
    assert "https://mozilladatacollective.com/api-reference" in line
    assert collective.asked == []


def test_a_refused_key_is_said(collective, refused, monkeypatch):
    collective.publish("new")
    monkeypatch.setenv("MDC_API_KEY", "another")
    line = refused("es")
    assert "the key in MDC_API_KEY is refused" in line and "/api-reference" in line


def test_the_key_may_stand_in_a_file_and_errors_end_the_process_with_1(collective, monkeypatch):
    collective.publish("new")
    monkeypatch.delenv("MDC_API_KEY")
    Path(".env").write_text("MDC_API_KEY=of-the-file", encoding="utf-8")
    command = "from voicetraits.cli import main; main(['download', 'es'])"
    ended = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stderr.startswith(
        "error: es: Common Voice Scripted Speech 26.0 - Spanish: the key"
    )
    assert ended.stderr.count("\n") == 1


def test_terms_that_are_not_accepted_are_named_with_the_page(collective, refused):
    collective.publish("first", "de", name="Common Voice Scripted Speech 26.0 - German")
    collective.publish("new")
    collective.accepted.remove("new")
    line = refused("de", "es")
    assert "open https://mozilladatacollective.com/datasets/new, accept the terms" in line
    assert "You must agree to the terms of use" in line
    # The locale before it is done.
    assert folder_bytes(FOLDER) == {"de.tar.gz": ARCHIVE}


def test_an_unknown_dataset_is_said_before_any_download(collective, refused):
    collective.publish("new")
    line = refused("es", "de=nothing")
    assert line.startswith("error: de=nothing: Mozilla Data Collective has no such dataset")
    assert collective.count("POST") == 0


def test_a_locale_without_a_release_is_said(collective, refused):
    collective.publish("spontaneous", name="Common Voice Spontaneous Speech 3.0 - Spanish")
    line = refused("es")
    assert "no release of Common Voice Scripted Speech" in line and "es=<dataset id>" in line


def test_a_dataset_of_another_language_is_refused(collective, refused):
    collective.publish("new")
    assert refused("de=new").endswith("is of the locale es")
    collective.publish("taiwan", "zh-TW")
    assert refused("zh-CN=taiwan").endswith("is of the locale zh-TW")


def test_a_dataset_of_spontaneous_speech_that_is_named_is_downloaded_and_can_be_read(collective):
    folder = "sps-corpus-3.0-2026-03-09-es"
    clip = "spontaneous-speech-es-7.mp3"
    files = {
        f"{folder}/README.md": b"...",
        f"{folder}/audios/{clip}": GOOD,
        f"{folder}/ss-corpus-es.tsv": b"client_id\taudio_file\tgender\tlanguage\n"
        + f"ann\t{clip}\tfemale_feminine\tSpanish\n".encode(),
        f"{folder}/ss-reported-audios-es.tsv": b"client_id\taudio_file\n",
    }
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    name = "Common Voice Spontaneous Speech 3.0 - Spanish"
    collective.publish("sps", name=name, archive=content.getvalue(), filename=f"{folder}.tar.gz")
    main(["download", "es=sps"])
    params = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    params["corpus"]["path"] = str(FOLDER)
    Path("params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    select.main("es")
    convert.main("es")
    index = pd.read_parquet(Path("data/wav/es", INDEX))
    assert index[["clip", "gender"]].to_numpy().tolist() == [[clip, "female"]]


@pytest.mark.parametrize("filename", ["../../es.tar.gz", "corpus.zip", "", None])
def test_a_dataset_has_to_be_an_archive_with_a_plain_name(collective, refused, filename):
    collective.publish("new", filename=filename)
    assert "is no .tar.gz archive" in refused("es")
    assert collective.count("POST") == 0


@pytest.mark.parametrize(
    ("status", "said"),
    [(500, "answers 500 Server Error"), (429, "too many requests"), (410, "no such dataset")],
)
def test_a_server_that_fails_is_said(collective, refused, status, said):
    collective.failing = status
    assert said in refused("es")


def test_an_answer_that_is_not_understood_is_said(collective, refused):
    collective.datasets["odd"] = {"locale": "es"}
    assert f"an answer that {CLIENT} does not understand" in refused("es")


def test_a_server_that_is_down_is_said(collective, refused, monkeypatch):
    monkeypatch.setenv("MDC_API_URL", "http://127.0.0.1:9/api")
    assert "cannot be reached (ConnectionError)" in refused("es")


def test_a_disk_that_is_too_small_is_said_before_the_download(collective, refused, monkeypatch):
    collective.publish("new")
    collective.publish("german", "de", name="Common Voice Scripted Speech 26.0 - German")
    free = 2 * len(ARCHIVE)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    collective.break_after = READ
    assert "es: " in (line := refused("es", "de")) and "broken off" in line
    free -= READ  # what is there already needs no room
    assert "es: " in (line := refused("es", "de")) and "broken off" in line
    free -= READ + 1
    collective.asked.clear()
    line = refused("es", "de")
    assert "data/common_voice: 0.5 MB still to download, 0.5 MB free on this disk" in line
    assert collective.count("POST") == 0


def test_a_folder_that_cannot_be_made_is_said(collective, refused):
    collective.publish("new")
    Path("file").touch()
    assert "file/archives: cannot be used" in refused("es", "--folder", "file/archives")


def test_a_missing_package_is_said_with_the_command_that_installs_it(
    collective, refused, monkeypatch
):
    monkeypatch.setitem(sys.modules, "datacollective", None)
    line = refused("es")
    assert line.endswith(f"{shlex.quote(sys.executable)} -m pip install '{CLIENT}'")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["Spanish"], "'Spanish' is no locale"),
        (["../es"], "'../es' is no locale"),
        (["es="], "'' is no id of a dataset"),
        (["es=https://mozilladatacollective.com/datasets/x"], "the last part of the address"),
        (["es=../x"], "is no id of a dataset"),
        (["es", "es=x"], "es is named twice"),
    ],
)
def test_arguments_that_cannot_be_are_refused(collective, refused, arguments, said):
    assert said in refused(*arguments)
    assert collective.asked == []


def test_params_that_are_invalid_are_said_in_one_line(collective, refused):
    Path("params.yaml").unlink()
    assert "params.yaml: cannot be read" in refused("es")


def test_the_package_stands_with_one_bound_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    assert extras["download"] == [CLIENT]
    assert CLIENT in extras["dev"]
