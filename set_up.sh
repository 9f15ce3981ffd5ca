#!/bin/bash
# Make the environment in .venv, unless it is there already. `make` runs this before all else.
#   bash set_up.sh python3.11
# Whatever is in the way is said in one line, before pip takes its minutes.
set -euo pipefail
unset CDPATH # `cd` would look there first, and print where it went
cd -P "$(dirname "$0")"
here=$(pwd -P)
wanted=${1:-python3.11}
# Settings of pip that say how packages are fetched.
fetching="index-url extra-index-url find-links no-index proxy cert client-cert trusted-host
    timeout default-timeout retries cache-dir no-cache-dir keyring-provider use-feature"

fail() {
    echo "error: $*" >&2
    exit 1
}

main() {
    # What is set for another Python leads ours astray, and with it pip.
    for name in ${!PYTHON*}; do unset "$name"; done
    check_folders
    if [ -L .venv ] || [ -L .venv/bin ]; then
        bin=$(cd -P .venv/bin 2> /dev/null && pwd) ||
            fail ".venv is a link that leads nowhere; remove it (rm .venv)"
        check_borrowed
    else
        bin=$here/.venv/bin
        # A Python that lies in this environment is not the one to make it with.
        PATH=${PATH//"$bin:"/}
        up_to_date || make_environment
    fi
    prepare_dvc
}

check_folders() {
    for name in data data/{sample,clips,wav,features,spectrogram,mel,pitch,splits,beside} \
        models metrics plots; do
        [ ! -L "$name" ] || fail "$name is a link, and DVC writes no results through links; clone" \
            "onto the larger disk, or mount a folder of it here: rm $name && mkdir $name &&" \
            "sudo mount --bind /path/on/the/disk $name"
    done
}

# The environment of another clone is used as it is: whatever is installed there, that clone has.
check_borrowed() {
    "$bin/python" -c 'import importlib.util as u, sys
sys.exit(not all(map(u.find_spec, ["dvc", "jax", "keras", "pandas", "voicetraits"])))' \
        2> /dev/null && "$bin/dvc" --version > /dev/null 2>&1 ||
        fail ".venv leads to an environment that is not complete ($bin);" \
            "run make in the clone it belongs to, or remove the link (rm -r .venv)"
}

up_to_date() {
    whole && [ -z "$(find requirements.txt pyproject.toml -newer .venv/ready)" ]
}

# Finished, and of this folder: the commands in an environment name the folder it was made in.
whole() {
    [ -f .venv/ready ] && [ -x .venv/bin/python ] &&
        grep -qsF -e "#!$bin/python" -e "'exec' $bin/python" -e "\"$bin/python\"" .venv/bin/dvc
}

make_environment() {
    python=$bin/python
    whole || check_python
    check_space
    one_at_a_time
    if ! whole; then
        if [ -e .venv ]; then
            echo "The environment in .venv is unfinished or of another folder: made anew." >&2
            rm -rf .venv
        fi
        run "$python" -m venv .venv || fail "$wanted could not make .venv (its reason stands above)"
    elif up_to_date; then
        return
    fi
    rm -f .venv/ready
    keep_fetching_settings
    # Everything is named there, and silero-vad asks for torch, which we do not need.
    pip install --quiet --no-compile --no-deps --require-hashes -r requirements.txt
    pip install --quiet --no-build-isolation --no-deps --editable .
    # What pip would do on one core. Some packages have files that are templates, and no Python.
    run "$bin/python" -m compileall -qq -j 0 .venv/lib || true
    # So that what a command of the environment starts is of the environment, though nobody has
    # activated it: `.venv/bin/dvc repro` calls `python`. So that DVC, which asks for the name of the
    # user, runs for one who has none, as in `docker run --user 12345`. And so that PYTHONSAFEPATH,
    # which takes the folder one is in from where modules are looked for, does not hide the stages.
    for packages in .venv/lib/python*/site-packages; do
        cat > "$packages/path.pth" << 'END'
import os, sys; b = sys.prefix + "/bin:"; p = os.environ.get("PATH", os.defpath); p.startswith(b) or os.environ.update(PATH=b + p)
import os; any(map(os.environ.get, ("LOGNAME", "USER", "LNAME", "USERNAME"))) or os.environ.update(LOGNAME=str(os.getuid()))
import os, sys; os.environ.get("PYTHONSAFEPATH") and os.path.isfile("stages/_run.py") and sys.path.insert(0, os.getcwd())
END
    done
    rm -f .dvc/plots/page.html
    touch .venv/ready # last, so that an interrupted set-up starts again
}

check_python() {
    python=$wanted
    version=$(version_of "$wanted")
    if ! fits "$version"; then
        found="$wanted ${version:+is Python }${version:-is not here or does not start}"
        needed="Python 3.11 (from 3.11.4), 3.12 or 3.13 is needed"
        for other in python3.13 python3.12 python3.11 python3; do
            ! fits "$(version_of "$other")" ||
                fail "$found; $needed, and $other is here: add PYTHON=$other to the command"
        done
        fail "$found; $needed: install one and name it, as in make repro PYTHON=python3.13"
    fi
    "$wanted" -c 'import sys, sysconfig
sys.exit(sys.implementation.name != "cpython" or bool(sysconfig.get_config_var("Py_GIL_DISABLED")))
' || fail "$wanted is not the usual CPython, and for others there are no packages; name another" \
        "Python, as in make repro PYTHON=python3.13"
    "$wanted" -c 'import ensurepip, venv' 2> /dev/null ||
        fail "$wanted lacks its module venv or ensurepip; install it (Debian and Ubuntu:" \
            "apt install python${version%.*}-venv) or name another Python (PYTHON=...)"
    case $here in
        *[:\"\$\`\\]*) fail "$here: the path has one of the characters : \" \$ \` \\, with which" \
            "no environment works; rename the folder" ;;
    esac
}

version_of() {
    { "$1" --version 2>&1 || true; } | sed -n 's/^Python \([0-9][0-9.]*\).*/\1/p' | head -n 1
}

fits() {
    case $1 in
        3.11.[4-9] | 3.11.[1-9][0-9] | 3.12.* | 3.13.*) true ;;
        *) false ;;
    esac
}

check_space() {
    [ -w . ] || fail "$here cannot be written to"
    temporary=$("$python" -c 'import tempfile; print(tempfile.gettempdir())' 2> /dev/null) ||
        fail "no temporary folder can be written to (TMPDIR=${TMPDIR:-} and /tmp);" \
            "set TMPDIR to a folder with 1 GB free"
    [ "$(free_megabytes "$temporary")" -ge 1000 ] ||
        fail "$temporary has less than 1 GB free, which pip needs for a while; make room, or" \
            "set TMPDIR to a folder with more"
    whole || [ "$(free_megabytes .)" -ge 2600 ] ||
        fail "$here is on a disk with less than 2.6 GB free; make room, or clone onto another"
}

free_megabytes() {
    free=$(df -Pk "${1:-.}" 2> /dev/null | awk 'NR == 2 { print int($4 / 1000) }')
    echo "${free:-999999}"
}

# A second `make` waits here for the first, then finds the environment made.
one_at_a_time() {
    mkdir -p .dvc/tmp
    exec 9> .dvc/tmp/environment.lock
    "$python" -c 'import fcntl, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
try:
    fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print("another `make` sets up .venv; waiting for its end", file=sys.stderr, flush=True)
    fcntl.flock(9, fcntl.LOCK_EX)'
}

# `user = true`, a target or constraints, in the environment or a file, would send packages astray
# or refuse them: of pip's settings only those above are kept, be it from its files.
keep_fetching_settings() {
    unset PIP_PYTHON
    settings=$("$bin/python" -m pip config list) || fail "pip cannot read its settings"
    for name in ${!PIP_*}; do unset "$name"; done
    for section in global install :env:; do
        for name in $fetching; do
            value=$(sed -n "s/^$section\.$name=['\"]\(.*\)['\"]\$/\1/p" <<< "$settings")
            [ -z "$value" ] ||
                export "PIP_$(tr a-z- A-Z_ <<< "$name")=${value//\\n/ }"
        done
    done
    export PIP_CONFIG_FILE=/dev/null PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
}

pip() {
    run "$bin/python" -m pip "$@" ||
        fail "pip could not set up .venv (its reason stands above)," \
            "from the index ${PIP_INDEX_URL:-that pip uses by default}; run the same command again"
}

# Ctrl-C and the end of make end what has been started, too.
run() {
    set -m
    "$@" &
    trap 'kill -TERM -- -$! 2> /dev/null; exit 130' INT TERM HUP
    wait $!
}

# Of this clone, whoever's the environment is.
prepare_dvc() {
    if [ ! -e .dvc/plots/page.html ] || ! grep -qs html_template .dvc/config.local; then
        PYTHONPATH=$here/src "$bin/python" -m voicetraits.plots.page .dvc/plots/page.html
        "$bin/dvc" config --local plots.html_template plots/page.html
    fi
    if [ -e .git ] || git rev-parse --git-dir > /dev/null 2>&1; then
        ! grep -qs no_scm .dvc/config.local || "$bin/dvc" config --local --unset core.no_scm
    elif ! grep -qs no_scm .dvc/config.local; then
        echo "There is no Git repository here, so nothing can be compared with earlier results" \
            "(dvc exp, dvc diff); for that, clone it, or: git init && git add ." >&2
        "$bin/dvc" config --local core.no_scm true
    fi
}

main
