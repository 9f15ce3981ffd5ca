"""The runner of `make repro`, with small commands in place of DVC's."""

from __future__ import annotations

import fnmatch
import json
import os
import pty
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, is_running, wait_for
from dvc.utils.serialize import modify_yaml
from ruamel.yaml.representer import RepresenterError

from stages import _beside, _dvc, _repro
from voicetraits.params import load_params

pytestmark = pytest.mark.slow

LOCALES = ["es", "en", "fr", "de"]
RUN = """
import signal, sys
from stages import _beside, _line, _repro
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)  # whatever these tests run under ignores
_beside._SECONDS_TO_END = 0.5
commands = [["sh", "-c", each] for each in sys.argv[3:]]
_repro.repro = lambda: _repro.run_beside(commands, label="test", at_once=int(sys.argv[1]))
_line._SECONDS_BETWEEN_LINES = float(sys.argv[2])
_repro.main()
"""
OWN_CODE = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")])}
# Waits for a file of that name.
WAIT_FOR = "until [ -e {} ]; do sleep 0.02; done"


class Run:
    """A run of shell commands in a process of its own, some at a time."""

    def __init__(
        self,
        folder: Path,
        *commands: str,
        at_once: int = 2,
        between: float = 10,
        name: str = "run",
    ) -> None:
        self._errors = folder / f"{name}.err"
        with self._errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-c", RUN, str(at_once), str(between), *commands],
                cwd=folder,
                env=OWN_CODE,
                stdin=subprocess.DEVNULL,
                stderr=errors,
            )

    def said(self) -> str:
        """Standard error so far."""
        return self._errors.read_text(encoding="utf-8")


@pytest.fixture
def run(tmp_path: Path):
    """Start runs in a folder, and end what is left of them."""
    runs = []

    def start(*arguments: str, **options) -> Run:
        runs.append(Run(tmp_path, *arguments, **options))
        return runs[-1]

    yield start
    for each in runs:
        each.process.kill()
        each.process.wait()


def test_all_commands_run_so_many_at_a_time(tmp_path, run):
    # Each of two waits for the other; the third finds what the first has left.
    both = [f"touch {one}; {WAIT_FOR.format(other)}" for one, other in ("ab", "ba")]
    assert run(*both, "mv a c").process.wait() == 0
    assert (tmp_path / "c").exists()
    one_by_one = run("test ! -e y; touch x", "test -e x", "touch y", at_once=1)
    assert one_by_one.process.wait() == 0


def test_after_a_failure_nothing_is_begun_and_what_is_under_way_ends(tmp_path, run):
    beside = f"{WAIT_FOR.format('go')}; echo the other is done >&2; touch done"
    failed = run(beside, "echo error: no luck >&2; exit 3", "touch begun")
    wait_for(lambda: "A step has failed; waiting for those beside it." in failed.said())
    (tmp_path / "go").touch()
    assert failed.process.wait() == 1
    assert (tmp_path / "done").exists()
    assert not (tmp_path / "begun").exists()
    # The reason is said at once, and again where it can be seen: last.
    lines = failed.said().splitlines()
    assert lines.count("error: no luck") == 2
    assert lines.index("error: no luck") < lines.index("the other is done")
    assert lines[-1] == "error: no luck"


def test_a_failure_with_nothing_beside_it_is_said_once(run):
    failed = run("echo error: no luck >&2; exit 3", "echo never >&2", at_once=1)
    assert failed.process.wait() == 1
    assert failed.said() == "error: no luck\n"


def test_what_a_killed_step_leaves_behind_is_ended(tmp_path, run):
    failed = run("sleep 600 & echo $! > left; kill -9 $$", at_once=1)
    assert failed.process.wait() == 1
    wait_for(lambda: not is_running(tmp_path / "left"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_every_process_even_those_that_ignore_it(tmp_path, run, number):
    stubborn = "trap '' INT TERM HUP; echo $$ > {}; mv {} {}; while :; do sleep 1; done"
    grandchild = stubborn.format("a.partial", "a.partial", "grandchild")
    child = stubborn.format("b.partial", "b.partial", "child")
    interrupted = run(f"sh -c {shlex.quote(grandchild)} & {child}", "touch never", at_once=1)
    pids = [tmp_path / "grandchild", tmp_path / "child"]
    wait_for(lambda: all(path.exists() for path in pids))
    assert all(map(is_running, pids))
    interrupted.process.send_signal(number)
    assert interrupted.process.wait() == 128 + number
    wait_for(lambda: not any(map(is_running, pids)))
    assert interrupted.said() == "interrupted; the same command goes on from here\n"
    assert not (tmp_path / "never").exists()


def test_a_signal_that_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does it
    try:
        with _beside._interrupts() as interrupts:
            os.kill(os.getpid(), signal.SIGHUP)
            os.kill(os.getpid(), signal.SIGTERM)
            assert interrupts == [signal.SIGTERM]
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_second_run_waits_for_the_first(tmp_path, run):
    first = run(f"touch first; {WAIT_FOR.format('go')}; rm first")
    wait_for((tmp_path / "first").exists)
    second = run("test ! -e first && touch second", name="second")
    wait_for(lambda: "another `make repro` is under way here; waiting" in second.said())
    assert not (tmp_path / "second").exists()
    (tmp_path / "go").touch()
    assert (first.process.wait(), second.process.wait()) == (0, 0)
    assert (tmp_path / "second").exists()


def recorded_by_job(label: str, state: str) -> str:
    """A command that writes down how far it is."""
    return f"echo '{json.dumps([label, state])}' >> $VOICETRAITS_PROGRESS"


def test_piped_there_are_plain_lines_when_a_step_is_done_and_now_and_then(tmp_path, run):
    job = recorded_by_job("es", "epoch 4")
    piped = run(job, f"sleep 0.3; {job}; sleep 0.5", "true", between=0.1)
    assert piped.process.wait() == 0
    lines = piped.said().splitlines()
    assert [line for line in lines if line.endswith(" done")] == [
        f"test {number} of 3 done" for number in (1, 2, 3)
    ]
    assert any(re.fullmatch(r"test \d of 3 · es epoch 4", line) for line in lines)
    assert "\r" not in piped.said()


def test_short_work_says_no_more_than_that_its_steps_are_done(run):
    piped = run(recorded_by_job("es", "epoch 4"), "true")
    assert piped.process.wait() == 0
    assert piped.said() == "test 1 of 2 done\ntest 2 of 2 done\n"


def test_a_terminal_gets_one_line_below_what_the_jobs_say(tmp_path):
    job = f"{recorded_by_job('es', 'epoch 4')}; printf to; sleep 0.5; echo gether; sleep 0.5"
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, "2", "10", job, "sleep 0.6"],
        cwd=tmp_path,
        env=OWN_CODE,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    with suppress(OSError):  # of Linux, at the end
        while data := os.read(ours, 2**16):
            shown += data
    os.close(ours)
    assert process.wait() == 0
    text = shown.decode()
    assert "\rtest 0 of 2 · es epoch 4" in text
    assert "\rtest 1 of 2" in text
    # As a terminal has it: whatever stands in a row at the end.
    rows = []
    for written in text.split("\r\n"):
        row = ""
        for part in written.split("\r"):
            row = part + row[len(part) :]
        rows.append(row.rstrip())
    assert rows == ["together", ""]


def test_it_ends_without_a_word_when_nobody_reads_it(tmp_path):
    ours, theirs = os.pipe()
    with (tmp_path / "err").open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-c", RUN, "2", "10", "while :; do echo more; sleep 0.05; done"],
            cwd=tmp_path,
            env=OWN_CODE,
            stdout=theirs,
            stderr=errors,
        )
    os.close(theirs)
    assert os.read(ours, 4) == b"more"
    os.close(ours)
    assert process.wait() == 128 + signal.SIGPIPE
    assert (tmp_path / "err").read_bytes() == b""


OFF = {"representations": [], "networks": [], "per_locale": [], "joined": []}
MODELS = {"per_locale": ["gender"], "pooled": ["language"]}
OTHER = {"name": "other", "path": "data/other", "ending": ""}
# Of every stage that has several items, one of the locale es.
ITEM = {
    **dict.fromkeys(("sample", "select", "convert", "pitch"), "es"),
    **dict.fromkeys(("select_beside", "convert_beside"), "other-es"),
    "extract": "es-features",
    "extract_frames": "es-mel",
    "extract_beside": "other-es-features",
    "extract_frames_beside": "other-es-mel",
    "split": "gender-es",
    "split_pooled": "language",
    "split_joined": "language_and_gender",
    "train": "gender-es-features-original",
    "train_pooled": "language-features-original",
    "train_frames": "gender-es-mel-tdnn",
    "train_frames_pooled": "language-mel-tdnn",
    "train_frames_joined": "language_and_gender-mel-tdnn",
}


def stage_names() -> list[str]:
    """The stages of dvc.yaml in its order, one item of each."""
    pipeline = yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]
    return [f"{name}@{ITEM[name]}" if name in ITEM else name for name in pipeline]


def targets(commands: list[list[str]]) -> list[list[str]]:
    """What `dvc repro` is to make, command by command."""
    start = [*_repro.dvc_repro(), "--single-item", "--glob"]
    assert all(command[: len(start)] == start for command in commands)
    return [command[len(start) :] for command in commands]


def test_a_locale_goes_all_the_way_to_its_arrays_in_one_command(edited_params):
    made = targets(_repro.by_locale(edited_params(locales=["es", "en"], frames=OFF), 2))
    assert made == [[f"*@{locale}", f"*@{locale}-*"] for locale in ("es", "en")]


@pytest.mark.parametrize(("cores", "commands"), [(1, 1), (2, 2), (3, 2), (4, 4), (64, 4)])
def test_with_few_cores_a_command_gets_several_locales(cores, commands, edited_params):
    made = targets(_repro.by_locale(edited_params(locales=LOCALES), cores))
    assert len(made) == commands
    first = [target for command in made for target in command if not target.endswith("-*")]
    assert first == [f"*@{locale}" for locale in LOCALES]


def test_the_pooled_models_go_first_and_those_of_a_locale_together(edited_params):
    params = edited_params(locales=["es", "en"], models=MODELS, frames=OFF)
    made = targets(_repro.networks(params))
    assert made == [
        ["split_pooled@language", "train_pooled@language-*"],
        ["split@gender-es", "train@gender-es-*"],
        ["split@gender-en", "train@gender-en-*"],
        ["explore"],
    ]


def test_models_on_frames_go_with_those_on_arrays_where_there_are_any(edited_params):
    frames = {**OFF, "representations": ["mel"], "networks": ["tdnn"], "per_locale": ["gender"]}
    frames["joined"] = ["language_and_gender"]
    params = edited_params(locales=["es"], models=MODELS, frames=frames)
    assert targets(_repro.networks(params))[:3] == [
        ["split_joined@language_and_gender", "train_frames_joined@language_and_gender-*"],
        ["split_pooled@language", "train_pooled@language-*", "train_frames_pooled@language-*"],
        ["split@gender-es", "train@gender-es-*", "train_frames@gender-es-*"],
    ]


def test_corpora_beside_are_read_before_any_split(edited_params):
    frames = {**OFF, "representations": ["mel"], "networks": ["tdnn"]}
    params = edited_params(locales=["es"], models=MODELS, frames=frames, beside=[OTHER])
    (made,) = targets(_repro.by_locale(params, 2))
    assert made == ["*@es", "*@es-*", "*_beside@*-es", "*_beside@*-es-*"]


def test_targets_of_a_locale_are_all_stages_up_to_its_arrays_and_in_their_order(edited_params):
    """DVC takes those of a target in the order of dvc.yaml."""
    params = edited_params(locales=["es"], beside=[OTHER])
    (made,) = targets(_repro.by_locale(params, 2))
    found = [name for target in made for name in fnmatch.filter(stage_names(), target)]
    expected = ["sample@es", "select@es", "convert@es", "pitch@es"]
    expected += ["extract@es-features", "extract_frames@es-mel"]
    expected += ["select_beside@other-es", "convert_beside@other-es"]
    expected += ["extract_beside@other-es-features", "extract_frames_beside@other-es-mel"]
    assert found == expected


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[tuple]]:
    """Run nothing, and give what would be run: commands, how many at once, and environment."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(_repro, "machine_cores", lambda: 6)

    def record() -> list[tuple]:
        calls = []

        def note(commands, *, label, at_once, environment=None):
            calls.append((commands, at_once, environment))

        monkeypatch.setattr(_repro, "run_beside", note)
        _repro.repro()
        return calls

    return record


def test_the_check_comes_first_and_what_is_left_last(recorded, edited_params, monkeypatch):
    frames = {"representations": ["mel"], "networks": ["tdnn"], "per_locale": ["gender"]}
    frames["joined"] = ["language_and_gender"]
    params = edited_params(models=MODELS, frames=frames, beside=[OTHER])
    monkeypatch.setattr(_repro, "load_params", lambda: params)
    calls = recorded()
    assert calls[0] == ([_repro.dvc_repro("check")], 1, None)
    assert calls[-1] == ([_repro.dvc_repro()], 1, None)
    assert [at_once for _, at_once, _ in calls] == [1, 6, 6, 6, 1]
    # Every stage that has work for several cores is asked for before the last call.
    asked = [target for some, *_ in calls[1:-1] for each in targets(some) for target in each]
    left = [
        name
        for name in stage_names()
        if not any(fnmatch.fnmatchcase(name, target) for target in asked)
    ]
    assert left == ["check", "report"]


def test_the_locales_share_the_cores_unless_the_user_says_how_many(recorded, monkeypatch):
    monkeypatch.delenv("VOICETRAITS_WORKERS", raising=False)
    share = (6 - 1) // len(load_params(ROOT / "params.yaml").locales) + 1
    assert recorded()[1][2] == {"VOICETRAITS_WORKERS": str(share)}
    monkeypatch.setenv("VOICETRAITS_WORKERS", "3")
    assert recorded()[1][2] == {"VOICETRAITS_WORKERS": "3"}


ODD = OrderedDict(
    cmd="python",
    params=OrderedDict({
        "params.yaml": {
            **{"none": None, "lines": "one\ntwo\n\nthree", "quote": "it's", "number": "1e3"},
            **{"long": "x" * 200, "words": "word " * 40, "list": [], "tiny": 1e-07, "yes": "yes"},
        }
    }),
)  # fmt: skip


@pytest.mark.parametrize("name", ["split@gender-es", "report", "one more", "1e3"])
@pytest.mark.parametrize("there", [True, False])
def test_dvc_lock_is_written_as_dvc_writes_it(there: bool, name: str, tmp_path: Path):
    """Where a stage stands in the middle, at the end or nowhere, and what stands after it."""
    written = []
    for modify in (_dvc.modify, modify_yaml):
        path = tmp_path / "dvc.lock"
        path.unlink(missing_ok=True)
        if there:
            shutil.copy(ROOT / "dvc.lock", path)
        for stage in (ODD, {"cmd": "python -m", "outs": [{"path": "x"}]}):
            with modify(str(path)) as content:
                content["schema"] = "2.0"
                content["stages"] = content.get("stages", {})
                content["stages"].update({name: stage, "check": {"cmd": "another"}})
            written.append(path.read_bytes())
    assert written[:2] == written[2:]
    assert name.encode() in written[0]


def test_other_files_keep_their_comments(tmp_path: Path):
    path = tmp_path / "dvc.yaml"
    path.write_text("stages: {}  # none yet\n", "utf-8")
    with _dvc.modify(str(path)) as content:
        content["vars"] = []
    assert path.read_text("utf-8") == "stages: {}  # none yet\nvars: []\n"


def test_dvc_lock_stays_as_it_was_when_dvc_is_interrupted(tmp_path: Path):
    path = tmp_path / "dvc.lock"
    path.write_text("schema: '2.0'\n", "utf-8")
    with pytest.raises(KeyboardInterrupt), _dvc.modify(str(path)) as content:
        content["stages"] = {}
        raise KeyboardInterrupt
    with pytest.raises(RepresenterError), _dvc.modify(str(path)) as content:
        content["odd"] = object  # which YAML cannot say
    assert path.read_text("utf-8") == "schema: '2.0'\n"
    assert list(tmp_path.iterdir()) == [path]
