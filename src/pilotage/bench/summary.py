"""Summaries of a sweep: one line for each controller on each task, and paired comparisons."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..core.arrays import Array
from ..core.errors import PilotageError, counted
from .manifest import same_worlds
from .run import Row, digest
from .statistics import Interval, bootstrap, cvar, paired, wilson
from .sweep import Results

Group = tuple[str, str, str]
"""Task, disturbance and estimator."""


def summarize(results: Results) -> list[dict[str, Any]]:
    """One mapping for each controller in each group of task, disturbance and estimator.

    Means and their intervals (bootstrap, 95 %) are over the runs that came to their end, quantiles, worst and CVaR over
    all, with infinite cost for those that did not; success has a Wilson interval.

    Example:
        >>> import tempfile
        >>> from pilotage.bench import Suite, sweep
        >>> results = sweep(Suite("tiny", ["pendulum"], {"rest": {}}, seeds="0-2"), tempfile.mkdtemp(), jobs=1)
        >>> [(line["controller"], line["runs"], line["successes"]) for line in summarize(results)]
        [('rest', 3, 0)]
    """
    return [
        {**_named(group), "controller": name, **_facts(rows, results)}
        for group, members in groups(results.rows).items()
        for name, rows in members.items()
    ]


def groups(rows: Iterable[Row]) -> dict[Group, dict[str, list[Row]]]:
    """The rows by group and controller, in order."""
    found: dict[Group, dict[str, list[Row]]] = {}
    for row in rows:
        group = row.run.task, row.run.disturbance, row.run.estimator
        found.setdefault(group, {}).setdefault(row.run.name, []).append(row)
    return found


def _named(group: Group) -> dict[str, Any]:
    return dict(zip(("task", "disturbance", "estimator"), group))


def _facts(rows: Sequence[Row], results: Results) -> dict[str, Any]:
    """The statistics of the runs of one controller in one group."""
    costs = np.array([row.cost for row in rows])
    ended, wins = costs[np.isfinite(costs)], sum(row.success for row in rows)
    failed = len(rows) - len(ended)
    regrets = [row.regret for row in rows if row.regret is not None and math.isfinite(row.regret)]
    shares = [results.shares[row.run.key] for row in rows if row.run.key in results.shares]
    theirs = [rest for _, rest in shares if rest is not None]
    mean = bootstrap(ended) if len(ended) else None
    seconds = [row.seconds for row in rows if row.success]
    solves = [row.solve_median for row in rows if row.solves]
    jitters = [row.jitter for row in rows if row.solves]
    return {
        "runs": len(rows), "successes": wins, "success": list(wilson(wins, len(rows))), "failures": failed,
        "failure": list(wilson(failed, len(rows))), "cost": None if mean is None else list(mean),
        "median": _quantile(costs, 0.5), "quantile_90": _quantile(costs, 0.9), "worst": float(costs.max()),
        "cvar": cvar(costs),
        "regret": float(np.mean(regrets)) if regrets else None,
        "worst_regret": float(np.max(regrets)) if regrets else None,
        "estimator_share": float(np.mean([share for share, _ in shares])) if shares else None,
        "controller_share": float(np.mean(theirs)) if theirs else None,
        "seconds": float(np.median(seconds)) if seconds else None,
        "best_seconds": rows[0].best_seconds,
        "violations": sum(row.violations for row in rows), "fallbacks": sum(row.fallbacks for row in rows),
        "missed": sum(row.missed for row in rows), "latency": max(row.latency for row in rows),
        "jitter": float(np.median(jitters)) if jitters else None,
        "solve_median": float(np.median(solves)) if solves else None,
        "solve_p99": max((row.solve_p99 for row in rows if row.solves), default=None),
    }  # fmt: skip


def _quantile(costs: Array, q: float) -> float:
    return float(np.quantile(costs, q, method="higher"))


def comparisons(results: Results) -> list[dict[str, Any]]:
    """In each group, the controller with the best median beside each other one, paired by seed."""
    found: list[dict[str, Any]] = []
    for group, members in groups(results.rows).items():
        order = sorted(members, key=lambda name: float(np.median([row.cost for row in members[name]])))
        for other in order[1:]:
            found.append({**_named(group), **beside(order[0], members[order[0]], other, members[other])})
    return found


def compare(a: Results, b: Results, label_a: str = "", label_b: str = "") -> list[dict[str, Any]]:
    """Two results in each group that they share, paired by seed: the same controllers, or one label of each.

    A line has a `note` if not only the controllers differ, but also the delays of actions, or the filter of the task.

    Args:
        a, b: the results, which may be the same.
        label_a, label_b: name of a controller in tables; default: each controller is compared with itself.

    Raises:
        PilotageError: if they have no runs in common, or a task or a disturbance of the same name is another one.

    Example:
        >>> import tempfile
        >>> from pilotage.bench import Suite, sweep
        >>> suite = Suite("tiny", ["pendulum"], {"rest": {}, "random": {}}, seeds="0-2")
        >>> results = sweep(suite, tempfile.mkdtemp(), jobs=1)
        >>> [(line["a"], line["b"], line["seeds"]) for line in compare(results, results, "rest", "random")]
        [('rest', 'random', 3)]
    """
    same_worlds(a.manifest.get("worlds", {}), b.manifest.get("worlds", {}), str(a.folder), str(b.folder))
    found: list[dict[str, Any]] = []
    theirs = groups(b.rows)
    for (group, members), other in ((item, theirs.get(item[0], {})) for item in groups(a.rows).items()):
        for name, mate in itertools.product(members, other):
            if (label_a or mate) == name and (label_b or name) == mate:
                pair = beside(name, members[name], mate, other[mate])
                found.append({**_named(group), **pair, "note": _note(group, a.manifest, b.manifest)})
    if not found:
        raise PilotageError(
            f"{a.folder}{label_a and ':'}{label_a} and {b.folder}{label_b and ':'}{label_b} have no runs in common; "
            f"there are {', '.join(sorted({row.run.name for row in [*a.rows, *b.rows]}))}"
            + "".join(f"; only one has runs of {each}" for each in unshared(a, b))
        )
    return found


def unshared(a: Results, b: Results) -> list[str]:
    """The groups of which only one of two results has runs, as text.

    Example:
        >>> from pathlib import Path
        >>> unshared(Results(Path("a"), {}, []), Results(Path("b"), {}, []))
        []
    """
    return [" ".join(group) for group in sorted(groups(a.rows).keys() ^ groups(b.rows).keys())]


def _note(group: Group, a: Mapping[str, Any], b: Mapping[str, Any]) -> str:
    """How the settings of a group differ in two manifests, beside the controllers; empty if they do not."""
    task, _, estimator = group
    delays, key = (a["suite"]["timing"], b["suite"]["timing"]), f"filter of {task}"
    hashes = [each.get("filters", {}).get(key) for each in (a, b)]
    notes = [f"the timing differs: {delays[0]} and {delays[1]}"] if digest(delays[0]) != digest(delays[1]) else []
    notes += ["the filters differ"] if estimator == "estimate" and hashes[0] != hashes[1] else []
    return "; ".join(notes)


def beside(a: str, rows_a: Sequence[Row], b: str, rows_b: Sequence[Row]) -> dict[str, Any]:
    """Two controllers in one group, paired by seed."""
    costs = {row.run.seed: row.cost for row in rows_b}
    both = [(row.cost, costs[row.run.seed]) for row in rows_a if row.run.seed in costs]
    pair = paired(*np.reshape(both, (-1, 2)).T)
    return {
        "a": a, "b": b, "difference": list(pair.difference), "seeds": pair.seeds, "wins": pair.wins, "p": pair.p,
        "separated": pair.separated, "more": pair.more,
    }  # fmt: skip


def markdown(results: Results) -> str:
    """The summary as a Markdown page, which also reads well as text."""
    suite, lines = results.manifest["suite"], summarize(results)
    return "\n".join([
        f"# Benchmark {suite['name']}", "",
        f"{extent(results)}; seeds {suite['seeds'][0]} to {suite['seeds'][-1]}, timing "
        f"{suite['timing']}, {results.manifest['platform']}, {results.manifest['cores']} cores. Costs with 95 % "
        "intervals; an infinite cost is that of a run that did not come to its end.", "",
        *table([*NAMES, *COSTS], [_costs(line) for line in lines]), "", "## Constraints and computing times", "",
        *table([*NAMES, *TICKS], [_ticks(line) for line in lines]), "", "## Differences of cost, paired by seed", "",
        *comparison_table(comparisons(results)), "", *_failures(results.rows),
    ])  # fmt: skip


def extent(results: Results) -> str:
    """The number of runs, of those that are missing, and of the lines of the journal that cannot be read.

    Example:
        >>> from pathlib import Path
        >>> extent(Results(Path("."), {"runs": ["a", "b"]}, [], damaged=1))
        '0 runs, 2 are missing, 1 line of the journal cannot be read'
    """
    left = len(results.manifest["runs"]) - len(results.rows)
    damaged = f", {counted(results.damaged, 'line')} of the journal cannot be read" if results.damaged else ""
    return f"{counted(len(results.rows), 'run')}{f', {left} are missing' if left else ''}{damaged}"


NAMES = ["task", "disturbance", "on", "controller"]
COSTS = [
    "success", "cost", "median", "90 %", "worst", "CVaR 10 %", "regret", "estimator's share", "controller's share",
    "seconds", "best known",
]  # fmt: skip
TICKS = [
    "failures", "violations", "fallbacks", "solve ms: median", "99 %", "missed deadlines", "latency in ticks",
    "jitter ms",
]  # fmt: skip


def _failures(rows: Iterable[Row]) -> list[str]:
    """Why runs did not come to their end, most frequent first; nothing if all did."""
    told = Counter(
        (row.run.task, row.run.disturbance, row.run.estimator, row.run.name, row.status.value, _cell(row.reason))
        for row in rows
        if row.status.failed
    )
    head = [*NAMES, "status", "reason", "runs"]
    lines = [[*why, str(count)] for why, count in told.most_common()]
    return ["## Runs that did not come to their end", "", *table(head, lines), ""] if lines else []


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _costs(line: dict[str, Any]) -> list[str]:
    cost = "-" if line["cost"] is None else str(Interval(*line["cost"]))
    keys = "median", "quantile_90", "worst", "cvar", "regret", "estimator_share", "controller_share", "seconds"
    share = f"{line['successes']}/{line['runs']}"
    return [*_names(line), share, cost, *(_number(line[key]) for key in (*keys, "best_seconds"))]


def _ticks(line: dict[str, Any]) -> list[str]:
    counts = [str(line[key]) for key in ("failures", "violations", "fallbacks")]
    solves = [_number(line[key], 1e3) for key in ("solve_median", "solve_p99")]
    late = str(line["missed"]), str(line["latency"]), _number(line["jitter"], 1e3)
    return [*_names(line), *counts, *solves, *late]


def _names(line: dict[str, Any]) -> list[str]:
    return [line["task"], line["disturbance"], line["estimator"], line["controller"]]


def comparison_table(lines: Sequence[dict[str, Any]]) -> list[str]:
    """Comparisons as a Markdown table."""
    head = ["task", "disturbance", "on", "a", "b", "a - b", "a cheaper", "verdict"]
    return table(head, [[line["task"], line["disturbance"], line["estimator"], line["a"], line["b"],
        str(Interval(*line["difference"])), f"{line['wins']}/{line['seeds']}", verdict(line),
    ] for line in lines])  # fmt: skip


def verdict(line: dict[str, Any]) -> str:
    """A comparison in words."""
    note = f" ({line['note']})" if line.get("note") else ""
    if line["separated"]:
        return f"{line['a'] if line['difference'][1] < 0.0 else line['b']} is cheaper{note}"
    if not line["seeds"]:
        return "on no seed did both end"
    equal = line["more"] is None
    return ("equal" if equal else f"needs {counted(line['more'], 'more seed')} to separate them") + note


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table with aligned columns.

    Example:
        >>> print(*table(["a", "b"], [["1", "long"]]), sep="\\n")
        | a | b    |
        |---|------|
        | 1 | long |
    """
    widths = [max(map(len, column)) for column in zip(head, *rows)]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in (head, *rows)]
    return [lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]]


def _number(value: float | None, scale: float = 1.0) -> str:
    return "-" if value is None else f"{scale * value:.4g}"
