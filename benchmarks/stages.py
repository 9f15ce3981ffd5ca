"""CPU and wall time of every stage of the default run, one after the other.

    python -m benchmarks.stages

The stages run in a fresh clone of the last commit, in the order of the pipeline and without DVC
between them, so that what is measured is the stage alone. What DVC itself adds is the difference
to `make repro`.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import networkx
from dvc.repo import Repo

from benchmarks._measure import RESULTS, machine


def main() -> None:
    """Measure, print beside the earlier figures, and store."""
    path = RESULTS / "stages.json"
    earlier = json.loads(path.read_text("utf-8"))["stages"] if path.exists() else {}
    result = {}
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["git", "clone", "--quiet", Path().absolute(), folder], check=True)
        for name, command in stages(folder):
            cpu, wall = timed(command, folder)
            result[name] = {"cpu_s": round(cpu, 2), "wall_s": round(wall, 2)}
            then = f"   then {earlier[name]['cpu_s']}" if name in earlier else ""
            print(f"{name:30} {cpu:7.1f} s of CPU {wall:7.1f} s of time{then}", flush=True)
    totals = {
        kind: round(sum(costs[kind] for costs in result.values()), 1)
        for kind in ("cpu_s", "wall_s")
    }
    print(f"{'all':30} {totals['cpu_s']:7.1f} s of CPU {totals['wall_s']:7.1f} s of time")
    path.parent.mkdir(exist_ok=True)
    content = {"machine": machine(), "stages": result, "all": totals}
    path.write_text(json.dumps(content, indent=2) + "\n", "utf-8")


def stages(folder: str) -> Iterator[tuple[str, str]]:
    """Name and command of every stage, what it depends on first."""
    index = Repo(folder).index
    for stage in networkx.dfs_postorder_nodes(index.graph):
        yield stage.name, stage.cmd


def timed(command: str, folder: str) -> tuple[float, float]:
    """Seconds of CPU, of the command and its workers, and of wall time."""
    start = time.perf_counter()
    # The clone's own library, and not the one that is installed for editing.
    environment = {**os.environ, "PYTHONPATH": f"{folder}/src"}
    process = subprocess.Popen(
        command, shell=True, cwd=folder, env=environment, stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command}: failed")
    return usage.ru_utime + usage.ru_stime, time.perf_counter() - start


if __name__ == "__main__":
    main()
