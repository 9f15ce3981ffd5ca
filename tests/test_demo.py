"""The page of `make demo`: what it serves, to whom, and what it answers."""

from __future__ import annotations

import asyncio
import io
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import soundfile
from conftest import ROOT, audio_file, recording
from exported import CHANCES, LOCALES, description, speech, write_model

from voicetraits.cli import main
from voicetraits.demo import app as app_module
from voicetraits.demo.answer import loudest
from voicetraits.demo.app import LARGEST, application
from voicetraits.demo.serve import listening
from voicetraits.recognizer.recognizer import Recognizer

RATE = 16000
PAGE = ROOT / "src" / "voicetraits" / "demo" / "page"
HOST = "127.0.0.1:8000"
OWN = {"host": HOST, "origin": f"http://{HOST}"}
FILES = sorted(path.name for path in PAGE.iterdir())


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    app: Any,
    method: str = "GET",
    path: str = "/",
    *,
    headers: dict[str, str] = OWN,
    chunks: tuple[bytes, ...] = (b"",),
) -> Answer:
    """Send a request to an application, without a server between."""
    sent: list[dict[str, Any]] = []
    left = list(chunks)

    async def receive() -> dict[str, Any]:
        if not left:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        **{"type": "http", "http_version": "1.1", "scheme": "http", "method": method},
        **{"path": path, "raw_path": path.encode(), "query_string": b"", "root_path": ""},
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    asyncio.run(app(scope, receive, send))
    found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], found, b"".join(part.get("body", b"") for part in sent[1:]))


@pytest.fixture(scope="module")
def recognizer(tmp_path_factory):
    return Recognizer.load(write_model(tmp_path_factory.mktemp("model") / "voice.onnx"))


@pytest.fixture(scope="module")
def app(recognizer):
    return application(recognizer, card="# The card", own_card=True)


def recognise(app: Any, *chunks: bytes) -> Answer:
    return ask(app, "POST", "/recognise", chunks=chunks)


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/", "text/html"), ("/page.css", "text/css"), ("/page.js", "text/javascript")],
)
def test_the_page_and_its_files_are_served(app, path, kind):
    found = ask(app, path=path)
    assert found.status == 200
    assert found.headers["content-type"].startswith(kind)
    name = path[1:] or "index.html"
    assert found.body == (PAGE / name).read_bytes()


@pytest.mark.parametrize("path", ["/", "/page.js", "/about", "/none", "/favicon.ico", "/../app.py"])
def test_every_response_keeps_the_browser_here(app, path):
    found = ask(app, path=path)
    assert found.headers["content-security-policy"].startswith("default-src 'self';")
    assert "unsafe" not in found.headers["content-security-policy"]
    assert found.headers["cache-control"] == "no-store"
    assert found.headers["x-content-type-options"] == "nosniff"
    assert found.headers["referrer-policy"] == "same-origin"
    assert "access-control-allow-origin" not in found.headers
    assert found.status == {"/none": 404, "/favicon.ico": 204, "/../app.py": 404}.get(path, 200)


@pytest.mark.parametrize("name", FILES)
def test_no_file_of_the_page_names_an_address_elsewhere(name):
    text = (PAGE / name).read_text(encoding="utf-8")
    assert not re.search(r"(https?:|wss?:|data:|['\"(]//)", text)
    # What the policy would block: code and style inside the page.
    assert not re.search(r"<style|\sstyle=|\son\w+=\"|<script(?! type=\"module\" src=)", text)


def test_what_the_page_refers_to_is_there():
    html = (PAGE / "index.html").read_text(encoding="utf-8")
    scripts = "".join(path.read_text(encoding="utf-8") for path in PAGE.glob("*.js"))
    assert set(re.findall(r'(?:src|href)="([^"]+)"', html)) <= set(FILES)
    assert set(re.findall(r'from "\./([^"]+)"', scripts)) <= set(FILES)
    ids = re.findall(r'\sid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'find\("([^"]+)"\)', scripts)) <= set(ids)
    assert set(re.findall(r'(?:labelledby|describedby|for)="([^"]+)"', html)) <= set(ids)


def test_everything_to_operate_has_a_name():
    html = (PAGE / "index.html").read_text(encoding="utf-8")
    assert re.search(r'<label for="file">[^<]+</label>', html)
    assert re.search(r"<button [^>]*>\w+</button>", html)
    assert re.search(r'<canvas [^>]*role="img" aria-label="\w', html)
    assert re.search(r'id="status" [^>]*aria-live="polite"', html)
    assert re.search(r'id="error" role="alert"', html)
    assert '<html lang="en">' in html
    assert "width=device-width" in html


def test_a_recording_is_answered(app, recognizer):
    found = recognise(app, audio_file(speech(), RATE))
    assert found.status == 200
    said = found.json
    expected = recognizer.predict(audio_file(speech(), RATE))
    assert said["seconds"] == pytest.approx(len(speech()) / RATE)
    assert said["speech_seconds"] == pytest.approx(expected.speech_seconds)
    assert said["speech"] == [list(part) for part in expected.speech]
    assert said["whole"] == {
        "start": 0,
        "end": said["seconds"],
        "language": "es",
        "language_probabilities": pytest.approx(dict(zip(LOCALES, CHANCES, strict=True))),
        "gender": expected.gender,
        "female_probability": pytest.approx(expected.female_probability),
    }
    assert len(said["segments"]) == 1
    assert len(said["waveform"]) == 800
    assert max(said["waveform"]) == pytest.approx(np.abs(speech()).max(), abs=1e-3)


def test_a_recording_that_comes_in_pieces_is_the_same(app):
    content = audio_file(speech(), RATE)
    pieces = tuple(content[start : start + 5000] for start in range(0, len(content), 5000))
    assert recognise(app, *pieces).json == recognise(app, content).json


def test_what_a_browser_records_is_decoded(app):
    said = recognise(app, recording(speech(), RATE, "webm", "libopus")).json
    assert said["whole"]["language"] == "es"


def test_a_long_recording_has_a_timeline(app):
    pause = np.zeros(3 * RATE, np.float32)
    said = recognise(app, audio_file(np.concatenate([speech(), pause, speech()]), RATE)).json
    first, second = said["segments"]
    assert first["end"] < len(speech()) / RATE + 0.2 < 3 < second["start"]
    assert second["end"] <= said["seconds"]


@pytest.mark.parametrize("silent", [np.zeros(RATE), 0.1 * np.sin(np.arange(RATE))])
def test_no_speech_is_an_answer_and_no_error(app, silent):
    found = recognise(app, audio_file(silent, RATE))
    assert found.status == 200
    said = found.json
    assert said["seconds"] == 1
    assert (said["speech"], said["segments"], said["speech_seconds"]) == ([], [], 0)
    assert said["whole"]["language"] == said["whole"]["gender"] == "unknown"
    assert said["whole"]["language_probabilities"] == {}


def test_a_silence_whose_packets_alone_say_its_length_is_answered(app):
    said = recognise(app, recording(np.zeros(RATE), RATE, "adts", "aac"))
    assert said.status == 200
    assert said.json["seconds"] == said.json["whole"]["end"] == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("content", [b"", b"no audio at all", b"RIFF" + bytes(99)])
def test_what_is_no_audio_is_refused_in_a_sentence(app, content):
    found = recognise(app, content)
    assert found.status == 422
    assert re.fullmatch(r"This recording cannot be used: .+[^.]\.", found.json["error"])


def test_a_recording_of_more_than_ten_minutes_is_refused(app):
    longest = np.zeros(600 * RATE, np.int16)
    longest[::7] = 99
    assert recognise(app, audio_file(longest, RATE)).status == 200
    for too_long in (np.append(longest, longest[:RATE]), np.zeros(601 * RATE, np.int16)):
        found = recognise(app, audio_file(too_long, RATE))
        assert found.status == 422
        assert "longer than 10 minutes" in found.json["error"]


def test_a_recording_that_is_too_large_is_not_read(app, monkeypatch):
    stated = {**OWN, "content-length": str(LARGEST + 1)}
    found = ask(app, "POST", "/recognise", headers=stated, chunks=())
    assert found.status == 413
    assert "larger than 50 MB" in found.json["error"]
    monkeypatch.setattr(app_module, "LARGEST", 1000)
    assert recognise(app, bytes(600), bytes(600)).status == 413
    assert recognise(app, bytes(600), bytes(400)).status == 422


def test_one_that_breaks_off_is_no_error_of_the_server(app):
    assert ask(app, "POST", "/recognise", chunks=()).status == 400


@pytest.mark.parametrize(
    "host", ["example.com", "localhost.example.com", "127.0.0.1.example.com:8000", "10.0.0.1", ""]
)
@pytest.mark.parametrize("path", ["/", "/about", "/recognise"])
def test_a_foreign_host_is_refused(app, host, path):
    method = "POST" if path == "/recognise" else "GET"
    found = ask(app, method, path, headers={"host": host, "origin": f"http://{host}"})
    assert found.status == 421
    assert found.json == {"error": "Open this page as localhost or 127.0.0.1."}
    assert "content-security-policy" in found.headers


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "LOCALHOST:1", "127.0.0.1"])
def test_names_of_this_machine_are_let_in(app, host):
    assert ask(app, headers={"host": host}).status == 200
    headers = {"host": host, "origin": f"http://{host}"}
    assert ask(app, "POST", "/recognise", headers=headers).status == 422


@pytest.mark.parametrize(
    "origin",
    [None, "null", "http://example.com", "http://localhost:8000", "http://127.0.0.1:9000"],
)
def test_recordings_from_another_page_are_refused(app, origin):
    headers = {"host": HOST, **({"origin": origin} if origin else {})}
    content = audio_file(speech(), RATE)
    found = ask(app, "POST", "/recognise", headers=headers, chunks=(content,))
    assert found.status == 403
    assert "whole" not in found.json


def test_the_page_is_told_of_the_model_and_its_card(app, recognizer):
    assert ask(app, path="/about").json == {
        **{"model": "tiny", "trained_on": "nothing at all", "synthetic": True},
        **{"thresholds": {"gender": 0.5, "language": 0.5}, "largest": 50_000_000},
        **{"longest": 600.0, "card": "# The card", "own_card": True},
    }
    without = application(recognizer, card=None, own_card=False)
    assert ask(without, path="/about").json["card"] is None


def test_a_model_with_one_head_has_one_threshold(tmp_path):
    path = write_model(tmp_path / "voice.onnx", heads=description()["heads"][:1])
    one = application(Recognizer.load(path), card=None, own_card=False)
    assert ask(one, path="/about").json["thresholds"] == {"gender": 0.5}
    assert recognise(one, audio_file(speech(), RATE)).json["whole"]["language"] == "unknown"


def test_the_waveform_has_the_peak_of_each_stretch():
    samples = np.zeros(8000, np.float32)
    samples[[0, 4005, 7999]] = -0.5, 0.25, 1
    found = loudest(samples)
    assert {i: peak for i, peak in enumerate(found) if peak} == {0: 0.5, 400: 0.25, 799: 1}
    assert loudest(np.array([0.5, -1], np.float32)) == [0.5, 1]
    assert loudest(np.empty(0, np.float32)) == []


@pytest.fixture
def node(tmp_path):
    """Runs JavaScript after imports from a file of the page, and gives what it prints."""
    if not shutil.which("node"):
        pytest.skip("needs node")
    shutil.copytree(PAGE, tmp_path, dirs_exist_ok=True)
    (tmp_path / "package.json").write_text('{"type": "module"}', encoding="utf-8")

    def run(names: str, file: str, code: str) -> bytes:
        script = f'import {{ {names} }} from "./{file}";\n{code}'
        (tmp_path / "test.mjs").write_text(script, encoding="utf-8")
        command = ["node", str(tmp_path / "test.mjs")]
        return subprocess.run(command, capture_output=True, check=True).stdout

    return run


def test_the_wav_of_the_page_holds_its_samples(node):
    content = node(
        "wav, mono",
        "wav.js",
        "const wave = Float32Array.from({ length: 16000 }, (_, i) => 2 * Math.sin(i / 9));"
        "const bytes = await wav(mono([wave, new Float32Array(16000)])).arrayBuffer();"
        "process.stdout.write(Buffer.from(bytes));",
    )
    samples, rate = soundfile.read(io.BytesIO(content))
    assert rate == RATE
    np.testing.assert_allclose(samples, np.sin(np.arange(16000) / 9), atol=1e-4)


def test_the_page_says_why_an_answer_is_unknown(node):
    code = """
    console.log(JSON.stringify([
      why("es", { es: 0.9 }, 0.5),
      why("unknown", { es: 0.45, fr: 0.4 }, 0.5),
      why("unknown", { es: 0.3, other: 0.7 }, 0.5),
      why("unknown", {}, 0.5),
      why("unknown", {}, undefined),
    ]));
    """
    assert json.loads(node("why", "result.js", code)) == [
        "",
        "Not sure enough: an answer needs 50%.",
        "It sounds like none of those that the model knows.",
        "There is not enough speech.",
        "This model does not tell it.",
    ]


def test_the_marks_of_the_time_axis_do_not_overlap(node):
    code = """
    for (const [seconds, width] of [[3.1, 800], [3.1, 320], [600, 320], [0.01, 320]]) {
      const all = marks(seconds, width);
      console.log(JSON.stringify(all.slice(0, 3).map((second) => markText(second, all))));
    }
    """
    found = [json.loads(line) for line in node("marks, markText", "waveform.js", code).splitlines()]
    assert found == [
        ["0.0 s", "0.5 s", "1.0 s"],
        ["0:00", "0:01", "0:02"],
        ["0:00", "2:00", "4:00"],
        ["0:00"],
    ]


def test_without_a_model_the_command_says_what_to_give(tmp_path, monkeypatch):
    monkeypatch.setattr("voicetraits.recognizer.model.RELEASED", tmp_path / "voice.onnx")
    with pytest.raises(SystemExit, match=r"error: .*no released model here.*--model"):
        main(["demo"])
    with pytest.raises(SystemExit, match=r"error: .*none\.onnx: the model cannot be read"):
        main(["demo", "--model", str(tmp_path / "none.onnx")])
    with pytest.raises(SystemExit, match="error: --port 70000: give a number from 1 to 65535"):
        main(["demo", "--port", "70000"])


def test_a_port_that_is_taken_is_left_alone():
    with listening(0) as taken:
        port = taken.getsockname()[1]
        with listening(port) as other:
            assert other.getsockname()[1] != port
            assert other.getsockname()[0] == "127.0.0.1"


@pytest.mark.slow
def test_the_command_serves_until_it_is_stopped_and_leaves_nothing(tmp_path):
    model = write_model(tmp_path / "voice.onnx")
    (tmp_path / "empty").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = subprocess.Popen(
            [
                *(sys.executable, "-c", "from voicetraits.cli import main; main()", "demo"),
                *("--model", str(model), "--port", str(port)),
            ],
            cwd=tmp_path / "empty",
            env={"PYTHONPATH": str(ROOT / "src"), "TMPDIR": str(tmp_path / "empty")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == f"Port {port} is taken.\n"
            line = server.stdout.readline()
            (address,) = re.findall(r"http://127\.0\.0\.1:\d+", line)
            request = urllib.request.Request(
                f"{address}/recognise",
                data=audio_file(np.tile(speech(), 20), RATE),
                headers={"Origin": address},
            )
            with urllib.request.urlopen(request, timeout=60) as response:
                assert json.load(response)["whole"]["language"] == "es"
        finally:
            server.send_signal(signal.SIGINT)
            out, err = server.communicate(timeout=30)
    assert (server.returncode, out, err) == (0, "", "")
    assert not list(Path(tmp_path / "empty").iterdir())
