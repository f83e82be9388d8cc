"""The tables of the report: scores, paired comparisons, failures and the manifest."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from ...core.errors import counted
from ..outcome import RunStatus
from ..run import Row
from ..statistics import Interval
from ..summary import beside, verdict
from ..sweep import Results
from .markup import Html, interval, joined, number, table, tag

SHOWN = 500
"""Largest number of failures that are listed."""
SCORES = [
    "controller", "on", "disturbance", "mean cost [95 %]", "regret", "estimator's share", "controller's share",
    "seconds", "best known seconds",
    "median", "90 %", "worst", "CVaR 10 %", "goal reached [95 %]", "failures [95 %]", "violations", "fallbacks",
    "missed deadlines", "latency in ticks", "solve ms, median", "solve ms, 99 %", "jitter ms",
]  # fmt: skip


def scores(lines: Sequence[Mapping[str, Any]]) -> Html:
    """The summary of a task: a row for each controller, estimator and disturbance."""
    return table(SCORES, map(_score, lines))


def _score(line: Mapping[str, Any]) -> list[Any]:
    names = [line["controller"], line["estimator"], line["disturbance"]]
    values = [number(line[key]) for key in (
        "regret", "estimator_share", "controller_share", "seconds", "best_seconds", "median",
        "quantile_90", "worst", "cvar",
    )]  # fmt: skip
    counts = [_share(line, "successes", "success"), _share(line, "failures", "failure")]
    counts += [number(line[key]) for key in ("violations", "fallbacks", "missed", "latency")]
    return [
        *names,
        interval(line["cost"]),
        *values,
        *counts,
        *(number(line[k], 1e3) for k in ("solve_median", "solve_p99", "jitter")),
    ]


def _share(line: Mapping[str, Any], count: str, within: str) -> Html:
    """A cell such as 3/10 with the Wilson interval of the share."""
    low, value, high = line[within]
    text = tag("small", f"[{low:.0%}, {high:.0%}]")
    return tag("td", f"{line[count]}/{line['runs']}", " ", text, data_value=value)


def matrix(members: Mapping[str, Sequence[Row]]) -> Html:
    """The paired comparisons of all controllers of a group: the cost of the row less that of the column."""
    lines = [
        [tag("th", a), *(tag("td", "·") if a == b else _pair(beside(a, members[a], b, members[b])) for b in members)]
        for a in members
    ]
    return table(["row − column", *members], lines, sortable=False)


def _pair(line: dict[str, Any]) -> Html:
    if not line["seeds"]:
        return tag("td", verdict(line))
    found = Interval(*line["difference"])
    value, bounds = (each.replace("-", "−") for each in (f"{found.value:.4g}", found.bounds))
    kind = None if not line["separated"] else "better" if line["difference"][1] < 0.0 else "worse"
    need = (
        "separated"
        if line["separated"]
        else "equal"
        if line["more"] is None
        else f"needs {counted(line['more'], 'more seed')}"
    )
    words = bounds, f"{need}; cheaper on {line['wins']} of {line['seeds']}"
    return tag("td", value, *(joined([Html("<br>"), tag("small", each)]) for each in words), class_=kind)


def failures(results: Results) -> Html:
    """The runs without success, in words, each with a command that repeats it."""
    bad = [row for row in results.rows if not row.success]
    if not bad:
        return tag("p", "All runs reached their goals.")
    bad.sort(key=lambda row: not row.status.failed)
    lines = [_failure(row, results) for row in bad[:SHOWN]]
    more = f" These are the first {SHOWN}; rows.parquet has the others." if len(bad) > SHOWN else ""
    broken = sum(row.status.failed for row in bad)
    said = f"{broken} runs did not come to their end; {len(bad) - broken} did, without success.{more}"
    head = ["status", "task", "controller", "on", "disturbance", "seed", "in words", "to repeat it"]
    return joined([tag("p", said), table(head, lines)])


def _failure(row: Row, results: Results) -> list[Any]:
    run = row.run
    names = [row.status.value, run.task, run.name, run.estimator, run.disturbance]
    return [
        *names,
        number(run.seed),
        tag("td", row.reason, class_="text"),
        tag("td", tag("code", command(row, results))),
    ]


def command(row: Row, results: Results) -> str:
    """The command that repeats a run: bit for bit if it came to an end, else as new."""
    if row.status in (RunStatus.TIMEOUT, RunStatus.DIED):
        again = f"row = {row.run}.execute({results.manifest['suite']['timeout']}); print(row.status.value, row.reason)"
        return shlex.join(["python", "-c", f"from pilotage.bench import Run; {again}"])
    return shlex.join(["pilotage", "bench", "replay", str(results.folder), row.run.key])


def manifest(results: Results) -> Html:
    """The suite, its hashes, the versions and the machine."""
    facts = results.manifest
    suite = facts["suite"]
    lines = {
        "suite": suite["name"], "hash": facts["hash"], "seeds": ", ".join(map(str, suite["seeds"])),
        "timing": json.dumps(suite["timing"]), "timeout": f"{suite['timeout']:g} s", "began": facts["began"],
        "machine": f"{facts['platform']}, {facts['cores']} cores", "Python": facts["python"], **facts["versions"],
        **{f"hash of {name}": value for name, value in facts.get("worlds", {}).items()},
    }  # fmt: skip
    body = table(
        ["what", "value"],
        [[tag("th", key), tag("td", value, class_="text")] for key, value in lines.items()],
        sortable=False,
    )
    whole = tag("details", tag("summary", "The whole suite"), tag("pre", json.dumps(suite, indent=1)))
    return joined([body, whole])
