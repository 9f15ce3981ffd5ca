"""What the benchmarks share: CPU time, rounds that alternate, and results to compare with later.

Rounds of both sides alternate, so that a machine busy with other work slows both alike, and the
ratio is taken within each round. CPU time, not wall time: it does not depend on how many cores
there are.
"""

from __future__ import annotations

import json
import platform
import resource
import statistics
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

OURS = "voicetraits"
RESULTS = Path(__file__).parent / "results"


def cpu_seconds(work: Callable[[], Any]) -> float:
    """User and system time that `work` takes, its child processes (once ended) included."""
    before = _cpu()
    work()
    return _cpu() - before


def _cpu() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def alternate(sides: Mapping[str, Callable[[], float]], *, rounds: int) -> dict[str, list[float]]:
    """Measure every side once a round.

    Args:
        sides: By name, what does one round's work and returns its cost.
        rounds: How often.

    Returns:
        The costs by name, in the order of the rounds.
    """
    costs: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, measure in sides.items():
            costs[name].append(measure())
    return costs


def compare(
    costs: dict[str, list[float]], *, unit: str, baseline: str, target: float
) -> dict[str, Any]:
    """Figures of one comparison.

    Args:
        costs: By name, one per round; `OURS` and the baseline among them.
        unit: Of the costs, e.g. "ms of CPU a clip".
        baseline: The name of the side that ours is held against.
        target: How many times less than the baseline ours should cost.

    Returns:
        The lowest cost of every side, and how many times less than the baseline ours costs within
        a round: median, lowest and highest.
    """
    ratios = [theirs / ours for theirs, ours in zip(costs[baseline], costs[OURS], strict=True)]
    return {
        "unit": unit,
        "cost": {name: _rounded(min(values)) for name, values in costs.items()},
        "baseline": baseline,
        "times_less": _rounded(statistics.median(ratios)),
        "times_less_lowest": _rounded(min(ratios)),
        "times_less_highest": _rounded(max(ratios)),
        "rounds": len(ratios),
        "target": target,
    }


def report(name: str, comparisons: dict[str, dict[str, Any]]) -> None:
    """Print the comparisons of a benchmark beside the earlier ones, then store them.

    They replace `results/<name>.json`. Commit it where it should be what later runs are held
    against.

    Args:
        name: Of the benchmark.
        comparisons: By title, what `compare` returned.
    """
    path = RESULTS / f"{name}.json"
    earlier = json.loads(path.read_text("utf-8")) if path.exists() else {"comparisons": {}}
    for title, now in comparisons.items():
        then = earlier["comparisons"].get(title)
        print(f"{title}, {now['unit']}")
        for side, cost in now["cost"].items():
            before = then and then["cost"].get(side)
            print(f"  {side:32} {cost:9g}" + (f"   then {before:g}" if before else ""))
        print(
            f"  times less than {now['baseline']}: {now['times_less']:g} "
            f"({now['times_less_lowest']:g} to {now['times_less_highest']:g} "
            f"in {now['rounds']} rounds; target: {now['target']:g} or more)"
            + (f"   then {then['times_less']:g}" if then else "")
        )
    if "machine" in earlier:
        print(f"  then: on {earlier['machine']}")
    path.parent.mkdir(exist_ok=True)
    content = {"machine": machine(), "comparisons": comparisons}
    path.write_text(json.dumps(content, indent=2) + "\n", "utf-8")


def machine() -> str:
    """The processor's name, as far as the system tells."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else f"{platform.system()} {platform.machine()}"


def _rounded(value: float) -> float:
    """Three digits are more than the spread allows."""
    return float(f"{value:.3g}")
