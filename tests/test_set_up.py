"""`make` makes the environment, or says in one line why not; with a stub in place of Python."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, folder_bytes, is_running, wait_for

pytestmark = pytest.mark.slow

pytest.importorskip("pip")

# It writes down its calls; what it computes for the script, a real Python computes.
PYTHON = r"""#!/bin/bash
[ -z "${STUB_BROKEN:-}" ] || exit 1
note() { echo "$*" >> "$STUB_LOG"; }
case "$*" in
    --version) echo "Python ${STUB_VERSION:-3.11.9}" ;;
    *gettempdir*) [ -z "${STUB_NO_TEMPORARY:-}" ] && echo /tmp ;;
    *ensurepip*) [ -z "${STUB_NO_VENV:-}" ] ;;
    "-m venv"*)
        note venv
        mkdir -p "$3/bin" "$3/lib/python3.11/site-packages"
        cp "$0" "$3/bin/python" ;;
    "-m pip config list") exec "$STUB_REAL" "$@" ;;
    "-m pip"*)
        note "${*:2}"
        env | sort > "$STUB_LOG.environment"
        if [ -n "${STUB_HANG:-}" ]; then echo $$ > "$STUB_HANG"; exec sleep 600; fi
        [ -z "${STUB_NO_PIP:-}" ] || exit 1
        echo "#!/bin/sh
'''exec' \"$0\" \"dvc\" \"\$@\"
' '''" > "${0%/*}/dvc"
        chmod +x "${0%/*}/dvc" ;;
    "-m compileall"*) note "${*:2}" ;;
    "-m voicetraits.plots.page"*) note page; touch "$3" ;;
    "dvc config --local --unset"*) grep -v "$5" .dvc/config.local > new; mv new .dvc/config.local ;;
    "dvc config --local"*) echo "$4 = $5" >> .dvc/config.local ;;
    "dvc --version") echo 3 ;;
    *) exec "$STUB_REAL" "$@" ;;
esac
"""
DF = r"""#!/bin/bash
echo "Filesystem 1024-blocks Used Available Capacity Mounted on"
echo "disk 99999999 0 ${STUB_FREE:-99999999} 1% /"
"""
TOOLS = (
    *("awk", "bash", "cat", "chmod", "cp", "dirname", "env", "find", "git", "grep", "head"),
    *("make", "mkdir", "mv", "rm", "sed", "sh", "sleep", "sort", "touch", "tr"),
)
INSTALLED = [
    "pip install --quiet --no-compile --no-deps --require-hashes -r requirements.txt",
    "pip install --quiet --no-build-isolation --no-deps --editable .",
    "compileall -qq -j 0 .venv/lib",
    "page",
]
MADE = ["venv", *INSTALLED]


class Clone:
    """The files that the set-up reads, in a folder of its own, and the tools that it may use."""

    def __init__(self, base: Path, name: str = "voice traits ü") -> None:
        self.base = base
        self.folder = base / name
        for place in (self.folder / ".dvc" / "plots", self.folder / ".git", base / "bin"):
            place.mkdir(parents=True)
        for file in ("Makefile", "set_up.sh"):
            shutil.copy(ROOT / file, self.folder)
        for file in ("requirements.txt", "pyproject.toml"):
            (self.folder / file).touch()
        self.add_command("python3.11", PYTHON)
        self.add_command("df", DF)
        for tool in TOOLS:
            if found := shutil.which(tool):
                (base / "bin" / tool).symlink_to(found)
        self.environment = {
            "PATH": str(base / "bin"),
            "HOME": str(base / "home"),
            "GIT_CEILING_DIRECTORIES": str(base),
            "STUB_LOG": str(base / "log"),
            "STUB_REAL": sys.executable,
        }

    def add_command(self, name: str, script: str) -> None:
        """Put a script on the path."""
        path = self.base / "bin" / name
        path.write_text(script, encoding="utf-8")
        path.chmod(0o755)

    def start(self, python: str = "", **environment: str) -> subprocess.Popen[str]:
        """Begin `make .venv/ready`."""
        return subprocess.Popen(
            ["make", "--no-print-directory", ".venv/ready", *([f"PYTHON={python}"] * bool(python))],
            cwd=self.folder,
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )

    def make(self, python: str = "", **environment: str) -> str:
        """Run `make .venv/ready` to its good end, and give what it says."""
        process = self.start(python, **environment)
        said, _ = process.communicate()
        assert process.returncode == 0, said
        return said

    def refused(self, python: str = "", **environment: str) -> str:
        """Run it to its bad end, and give the one line that says why."""
        process = self.start(python, **environment)
        said, _ = process.communicate()
        assert process.returncode != 0
        first, *others = said.splitlines()
        assert all(line.startswith("make: ") for line in others), said
        return first

    def calls(self) -> list[str]:
        """What the stub was asked to do since the last time."""
        log = Path(self.environment["STUB_LOG"])
        calls = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return calls

    def pip_environment(self) -> dict[str, str]:
        """The variables that the last call of pip got."""
        text = Path(f"{self.environment['STUB_LOG']}.environment").read_text(encoding="utf-8")
        return dict(line.partition("=")[::2] for line in text.splitlines() if "=" in line)


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """Without an environment as yet."""
    return Clone(tmp_path)


@pytest.fixture
def ready(clone: Clone) -> Clone:
    """With an environment."""
    clone.make()
    assert clone.calls() == MADE
    return clone


def test_the_environment_is_made_once(clone):
    assert clone.make() == ""
    assert clone.calls() == MADE
    assert (clone.folder / ".venv" / "ready").exists()
    assert "plots.html_template = plots/page.html" in clone_config(clone)
    assert clone.make() == ""
    assert clone.calls() == []


def clone_config(clone: Clone) -> str:
    """DVC's settings of this clone."""
    return (clone.folder / ".dvc" / "config.local").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "start", ["#!{}\n", "#!/bin/sh\n'''exec' {} \"$0\"\n", "#!/bin/sh\n'''exec' \"{}\" \"$0\"\n"]
)
def test_a_command_of_the_environment_may_begin_in_any_way_that_pip_writes(ready, start):
    bin = ready.folder / ".venv" / "bin"
    (bin / "dvc").write_text(start.format(bin / "python"), encoding="utf-8")
    ready.make()
    assert ready.calls() == []
    # Below a folder whose path ends like ours.
    (bin / "dvc").write_text(start.format(f"/mnt{bin / 'python'}"), encoding="utf-8")
    ready.make()
    assert ready.calls() == ["venv", *INSTALLED]


@pytest.mark.parametrize("file", ["requirements.txt", "pyproject.toml"])
def test_other_requirements_are_installed_into_the_same_environment(ready, file):
    made = (ready.folder / ".venv" / "ready").stat().st_mtime
    os.utime(ready.folder / file, (made + 10, made + 10))
    ready.make()
    assert ready.calls() == INSTALLED


@pytest.mark.parametrize("version", ["2.7.18", "3.10.13", "3.11.2", "3.11.3", "3.14.0", "3.99.1"])
def test_a_python_that_does_not_fit_is_named_with_its_version(clone, version):
    line = clone.refused(STUB_VERSION=version)
    assert line.startswith(f"error: python3.11 is Python {version}; Python 3.11 (from 3.11.4)")
    assert "PYTHON=python3.13" in line
    assert clone.calls() == []
    assert not (clone.folder / ".venv").exists()


@pytest.mark.parametrize("version", ["3.11.4", "3.11.10", "3.12.0", "3.13.7", "3.13.0rc2"])
def test_a_python_that_fits_is_taken(clone, version):
    clone.make(STUB_VERSION=version)
    assert clone.calls() == MADE


@pytest.mark.parametrize("python", ["python3.99", "/no/such/python", "false"])
def test_a_python_that_is_not_there_is_named_and_one_that_fits_proposed(clone, python):
    line = clone.refused(python)
    assert line.startswith(f"error: {python} is not here or does not start; Python 3.11 (from")
    assert line.endswith("python3.11 is here: add PYTHON=python3.11 to the command")
    (clone.base / "bin" / "python3.11").unlink()
    line = clone.refused(python)
    assert line.endswith("install one and name it, as in make repro PYTHON=python3.13")


def test_a_python_without_venv_is_refused_with_the_remedy(clone):
    line = clone.refused(STUB_NO_VENV="1")
    assert line.startswith("error: python3.11 lacks its module venv or ensurepip; install it")
    assert "apt install python3.11-venv" in line


@pytest.mark.parametrize("name", ["data", "models", "metrics", "plots", "data/wav", "data/splits"])
def test_a_link_above_the_results_is_refused_before_any_work(clone, name):
    (clone.base / "disk").mkdir()
    link = clone.folder / name
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(clone.base / "disk")
    line = clone.refused()
    assert line.startswith(f"error: {name} is a link, and DVC writes no results through links; ")
    assert f"rm {name} && mkdir {name} && sudo mount --bind" in line
    assert clone.calls() == []


def test_a_corpus_may_be_a_link(clone):
    (clone.folder / "data").mkdir()
    (clone.folder / "data" / "common_voice").symlink_to(clone.base)
    clone.make()


def lend(clone: Clone, link: str) -> Path:
    """Make the environment of another clone that of this one, by a link; its folder."""
    other = clone.folder.with_name("another clone")
    shutil.copytree(clone.folder, other, symlinks=True)
    here, clone.folder = clone.folder, other
    clone.make()
    assert clone.calls() == MADE
    clone.folder = here
    (here / link).parent.mkdir(exist_ok=True)
    (here / link).symlink_to(other / link)
    return other / ".venv"


@pytest.mark.parametrize("link", [".venv", ".venv/bin"])
def test_the_environment_of_another_clone_is_used_as_it_is(clone, link):
    borrowed = lend(clone, link)
    before = folder_bytes(borrowed)
    for file in ("requirements.txt", "pyproject.toml"):
        os.utime(clone.folder / file, (4e9, 4e9))
    for _ in range(2):
        assert clone.make() == ""
    assert set(clone.calls()) == {"page"}  # which is this clone's own
    assert folder_bytes(borrowed) == before
    assert (clone.folder / link).is_symlink()


@pytest.mark.parametrize("link", [".venv", ".venv/bin"])
@pytest.mark.parametrize("lack", ["python", "dvc", "packages"])
def test_an_incomplete_environment_of_another_clone_is_refused_and_stays(clone, link, lack):
    borrowed = lend(clone, link)
    if lack != "packages":
        (borrowed / "bin" / lack).unlink()
    before = folder_bytes(borrowed)
    line = clone.refused(**({"STUB_BROKEN": "1"} if lack == "packages" else {}))
    assert line.startswith("error: .venv leads to an environment that is not complete (")
    assert "run make in the clone it belongs to, or remove the link" in line
    assert clone.calls() == []
    assert folder_bytes(borrowed) == before


def test_a_link_that_leads_nowhere_is_refused(clone):
    (clone.folder / ".venv").symlink_to("nowhere")
    assert clone.refused() == "error: .venv is a link that leads nowhere; remove it (rm .venv)"


@pytest.mark.parametrize("way", [shutil.move, shutil.copytree])
def test_in_a_moved_or_copied_folder_the_environment_is_made_anew(ready, way):
    target = ready.base / "elsewhere" / "renamed"
    target.parent.mkdir()
    way(ready.folder, target)
    ready.folder = target
    assert ready.make() == (
        "The environment in .venv is unfinished or of another folder: made anew.\n"
    )
    assert ready.calls() == ["venv", *INSTALLED]
    assert ready.make() == ""


@pytest.mark.parametrize("lost", ["ready", "bin/python", "bin/dvc"])
def test_a_half_made_environment_is_made_anew(ready, lost):
    (ready.folder / ".venv" / lost).unlink()
    assert "made anew" in ready.make()
    assert ready.calls() == ["venv", *INSTALLED]


def test_a_python_on_the_path_that_is_in_the_environment_does_not_make_it(ready):
    # As with an active environment.
    bin = ready.folder / ".venv" / "bin"
    shutil.copy(bin / "python", bin / "python3.11")
    (ready.folder / ".venv" / "ready").unlink()
    ready.make(PATH=f"{bin}:{ready.environment['PATH']}")
    assert ready.calls() == ["venv", *INSTALLED]


def test_settings_that_lead_pip_astray_do_not_reach_it(clone):
    (clone.base / "pip.conf").write_text(
        "[global]\nuser = true\ntarget = /astray\n[install]\nno-deps = true\nuser = yes\n"
    )
    clone.make(
        PIP_CONFIG_FILE=str(clone.base / "pip.conf"),
        PIP_USER="1",
        PIP_TARGET="/astray",
        PIP_PREFIX="/astray",
        PIP_REQUIRE_HASHES="1",
        PIP_CONSTRAINT="/no/such/file",
        PIP_NO_DEPS="1",
    )
    given = {name for name in clone.pip_environment() if name.startswith("PIP_")}
    assert given == {"PIP_CONFIG_FILE", "PIP_DISABLE_PIP_VERSION_CHECK", "PIP_NO_INPUT"}
    assert clone.pip_environment()["PIP_CONFIG_FILE"] == "/dev/null"


def test_settings_of_how_packages_are_fetched_do(clone):
    (clone.base / "pip.conf").write_text(
        "[global]\nindex-url = https://of.the/file\nproxy = http://proxy:3128\n"
        "timeout = 7\n[install]\nfind-links =\n    /some/wheels\n    https://more.wheels\n"
    )
    clone.make(
        PIP_CONFIG_FILE=str(clone.base / "pip.conf"),
        PIP_INDEX_URL="https://me:p%40ss@of.the/environment",
        PIP_CERT="/my certs/ca.pem",
        PIP_DEFAULT_TIMEOUT="99",
    )
    given = clone.pip_environment()
    assert given["PIP_INDEX_URL"] == "https://me:p%40ss@of.the/environment"
    assert given["PIP_PROXY"] == "http://proxy:3128"
    assert given["PIP_TIMEOUT"] == "7"
    assert given["PIP_DEFAULT_TIMEOUT"] == "99"
    assert given["PIP_CERT"] == "/my certs/ca.pem"
    assert given["PIP_FIND_LINKS"].split() == ["/some/wheels", "https://more.wheels"]


def test_what_is_set_for_another_python_does_not_reach_ours(clone):
    names = ("PYTHONHOME", "PYTHONPATH", "PYTHONUSERBASE", "PYTHONPLATLIBDIR", "PYTHONSTARTUP")
    clone.make(**dict.fromkeys(names, "/astray"))
    assert not set(names) & set(clone.pip_environment())


@pytest.mark.parametrize("path", [".:{home}", "{home}"])
def test_where_the_shell_looks_for_folders_leads_to_no_other_environment(ready, path):
    own = ready.folder / ".venv" / "bin"
    other = ready.base / "home" / ".venv" / "bin"
    other.mkdir(parents=True)
    for folder in (own, other):
        for tool in ("ruff", "mypy"):
            (folder / tool).write_text(f"#!/bin/bash\necho '{folder}'\n", encoding="utf-8")
            (folder / tool).chmod(0o755)
    said = subprocess.run(
        ["make", "--no-print-directory", "--silent", "lint"],
        cwd=ready.folder,
        env={**ready.environment, "CDPATH": path.format(home=ready.base / "home")},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    ).stdout
    assert set(said.splitlines()) == {str(own)}


def with_dvc(ready: Clone, command: str, said: list[str], code: int) -> tuple[int, str, str]:
    """Run a command of make where DVC says these lines: its exit code, output and errors."""
    folder = ready.folder / ".venv" / "bin"
    # The set-up looks for the path of the Python, to see whose environment this is.
    stub = ["#!/bin/bash", f'# "{folder}/python"', *(f'echo "{line}"' for line in said)]
    (folder / "dvc").write_text("\n".join([*stub, f"exit {code}"]), encoding="utf-8")
    done = subprocess.run(
        ["make", "--no-print-directory", "--silent", command],
        cwd=ready.folder,
        env=ready.environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("said", "code", "fits"),
    [
        (["Running stage 'check':", "Stage 'sample@es' didn't change, skipping"], 0, True),
        (["Running stage 'check':", "Running stage 'sample@es':"], 0, False),
        (["Running stage 'check':", "Running stage 'report':"], 0, True),
        (["Running stage 'check':"], 1, False),
    ],
)
def test_a_lock_that_does_not_fit_fails_its_check(ready, said, code, fits):
    code, printed, why = with_dvc(ready, "check-lock", said, code)
    assert (code == 0) == fits, why
    assert ("run make repro and commit dvc.lock" in why) == (not fits)
    assert printed.splitlines() == said


@pytest.mark.parametrize(
    ("said", "code", "printed"),
    [
        (["| Path |", "|---|", "| a |"], 0, "| Path |\n|---|\n| a |\n"),
        (["| Path |", "|---|", ""], 0, "No metric differs from those of HEAD.\n"),
        ([], 255, ""),
    ],
)
def test_metrics_that_cannot_be_compared_are_not_said_to_be_the_same(ready, said, code, printed):
    found, text, why = with_dvc(ready, "metrics-diff", said, code)
    assert (found == 0, text) == (code == 0, printed), why


def test_a_clone_has_the_line_ends_of_the_repository_whatever_git_is_told(tmp_path):
    def git(*arguments):
        subprocess.run(["git", "-c", "core.autocrlf=true", *arguments], cwd=tmp_path, check=True)

    for file in (".gitattributes", "set_up.sh"):
        shutil.copy(ROOT / file, tmp_path)
    git("init", "--quiet")
    git("add", ".")
    (tmp_path / "set_up.sh").unlink()
    git("checkout", "--quiet", "set_up.sh")
    assert (tmp_path / "set_up.sh").read_bytes() == (ROOT / "set_up.sh").read_bytes()


def test_where_no_temporary_folder_is_to_be_had_it_says_so(clone):
    line = clone.refused(STUB_NO_TEMPORARY="1", TMPDIR="/no/such/folder")
    assert line.startswith("error: no temporary folder can be written to (TMPDIR=/no/such/folder")
    assert clone.calls() == []


@pytest.mark.parametrize(
    ("kilobytes", "expected"),
    [(900_000, "/tmp has less than 1 GB free"), (2_000_000, "on a disk with less than 2.6 GB")],
)
def test_too_little_room_is_said_before_pip_fills_it(clone, kilobytes, expected):
    assert expected in clone.refused(STUB_FREE=str(kilobytes))
    assert clone.calls() == []


@pytest.mark.parametrize("name", ["a:b", 'a"b', "a$b", "a`b", "a\\b"])
def test_a_folder_whose_name_breaks_environments_is_refused(tmp_path, name):
    clone = Clone(tmp_path, name)
    line = clone.refused()
    assert f"{clone.folder}: the path has one of the characters" in line
    assert clone.calls() == []


@pytest.mark.parametrize("name", ["it's", "a,b (c)", "a#b", "50%", "a&b;c", "~x", "日本", "-p"])
def test_a_folder_of_another_name_is_not(tmp_path, name):
    clone = Clone(tmp_path, name)
    assert clone.make() == ""
    assert clone.calls() == MADE
    assert clone.make() == ""
    assert clone.calls() == []


def test_without_a_git_repository_dvc_is_told_so_and_the_user_once(clone):
    (clone.folder / ".git").rmdir()
    said = clone.make()
    assert said.startswith("There is no Git repository here, so nothing can be compared")
    assert said.count("\n") == 1
    assert "core.no_scm = true" in clone_config(clone)
    assert clone.make() == ""
    (clone.folder / ".git").mkdir()
    clone.make()
    assert "no_scm" not in clone_config(clone)


def test_when_pip_fails_the_last_line_says_so_and_the_next_run_begins_again(clone):
    line = clone.refused(STUB_NO_PIP="1", PIP_INDEX_URL="https://my.index/simple")
    assert line.startswith("error: pip could not set up .venv (its reason stands above), from the ")
    assert "https://my.index/simple" in line
    assert clone.calls() == ["venv", INSTALLED[0]]
    clone.make()
    assert clone.calls() == MADE


def test_when_pip_fails_and_no_index_is_set_none_is_named(clone):
    assert "from the index that pip uses by default" in clone.refused(STUB_NO_PIP="1")


def test_a_second_make_waits_for_the_first(clone):
    lock = clone.folder / ".dvc" / "tmp" / "environment.lock"
    lock.parent.mkdir()
    with lock.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        second = clone.start()
        assert second.stdout is not None
        assert second.stdout.readline().startswith("another `make` sets up .venv; waiting")
        assert clone.calls() == []
    second.communicate()
    assert second.returncode == 0
    assert clone.calls() == MADE


def test_when_make_is_ended_so_is_pip(clone):
    file = clone.base / "pip's process"
    process = clone.start(STUB_HANG=str(file))
    wait_for(lambda: file.exists() and file.read_text().strip())
    os.killpg(process.pid, signal.SIGTERM)
    assert process.wait() != 0
    wait_for(lambda: not is_running(file))
    assert not (clone.folder / ".venv" / "ready").exists()


def path_lines(folder):
    """What the start of a Python of the environment runs."""
    path = folder / ".venv/lib/python3.11/site-packages/path.pth"
    lines = path.read_text(encoding="utf-8").splitlines()
    assert all(line.startswith("import ") for line in lines)
    return "\n".join(lines)


@pytest.mark.parametrize("user", ["", "somebody"])
def test_a_command_of_the_environment_finds_its_python_and_a_name_of_the_user(ready, user):
    lines = path_lines(ready.folder)
    code = [lines, lines, "import getpass", "print(os.environ['PATH'])", "print(sys.prefix)"]
    ran = subprocess.run(
        [sys.executable, "-S", "-c", "\n".join([*code, "print(getpass.getuser())"])],
        env={"PATH": "/usr/bin:/bin", "USER": user},
        capture_output=True,
        text=True,
        check=True,
    )
    path, prefix, name = ran.stdout.splitlines()
    assert path == f"{prefix}/bin:/usr/bin:/bin"
    assert name == (user or str(os.getuid()))


@pytest.mark.parametrize(("folder", "found"), [(ROOT, "True\n"), (ROOT / "tests", "False\n")])
def test_a_safe_path_hides_no_stage_from_a_work_tree(ready, folder, found):
    code = f"{path_lines(ready.folder)}\nprint(os.getcwd() in sys.path)"
    ran = subprocess.run(
        [sys.executable, "-S", "-c", code],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == found
