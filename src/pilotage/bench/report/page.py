"""The page of the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...core.errors import counted
from ..run import Row
from ..summary import Group, extent, groups, summarize
from ..sweep import Results
from .markup import Html, joined, tag
from .pictures import cost_time, trajectories
from .tables import failures, manifest, matrix, scores

HERE = Path(__file__).parent
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
NOTE = """Means and their intervals (bootstrap, 95 %) are over the runs that came to their end; median, quantile, worst
case and CVaR (the mean of the worst tenth) are over all runs, with infinite cost for those that did not. Regret is the
cost above the smallest possible one. On an estimate, the estimator's share is the cost above that of the same
controller on the truth. Shares of runs have Wilson intervals. A click on a heading sorts a table."""
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
{body}
<script>
{script}</script>
</body>
</html>
"""


def report_page(results: Results) -> str:
    """The report of a sweep as one HTML page that needs no network.

    It has a table for each task (cost, regret and its shares, tails, failures, deadlines, computing times), and for
    each disturbance and estimator the paired comparisons of all controllers, their cost against computing time, and the
    trajectories of the median and the worst seed; then the runs that failed, each with a command that repeats it, and
    the manifest.

    Args:
        results: the results, of a sweep that ended or not.

    Raises:
        MissingExtra: if matplotlib is not installed.

    Example:
        >>> import tempfile
        >>> from pilotage.bench import Suite, sweep
        >>> results = sweep(Suite("a < b", ["pendulum"], {"rest": {}}, seeds="0-1"), tempfile.mkdtemp(), jobs=1)
        >>> "<h1>Benchmark a &lt; b</h1>" in report_page(results)
        True
    """
    tasks: dict[str, dict[Group, dict[str, list[Row]]]] = {}
    for group, members in groups(results.rows).items():
        tasks.setdefault(group[0], {})[group] = members
    lines, suite = summarize(results), results.manifest["suite"]
    ids = {task: f"task-{i}" for i, task in enumerate(tasks)}
    links = [
        *((task, id_) for task, id_ in ids.items()),
        ("Runs without success", "failures"),
        ("Manifest", "manifest"),
    ]
    body = [
        tag("h1", f"Benchmark {suite['name']}"),
        tag("p", f"{extent(results)}; {counted(len(suite['seeds']), 'seed')}."),
        tag("nav", *(tag("a", name, href=f"#{id_}") for name, id_ in links)),
        tag("p", NOTE, class_="note"),
        *(_task(task, ids[task], found, lines) for task, found in tasks.items()),
        tag("h2", "Runs without success", id="failures"), failures(results),
        tag("h2", "Manifest", id="manifest"), manifest(results),
    ]  # fmt: skip
    title, style, script = joined([f"Benchmark {suite['name']}"]), _file("style.css"), _file("sort.js")
    return PAGE.format(policy=POLICY, title=title, style=style, body=joined(body), script=script)


def _file(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def _task(
    task: str, id_: str, found: Mapping[Group, Mapping[str, Sequence[Row]]], lines: Sequence[Mapping[str, Any]]
) -> Html:
    own = [line for line in lines if line["task"] == task]
    return joined(
        [
            tag("h2", task, id=id_),
            scores(own),
            *(_group(group, members, own) for group, members in found.items()),
        ]
    )


def _group(group: Group, members: Mapping[str, Sequence[Row]], lines: Sequence[Mapping[str, Any]]) -> Html:
    _, disturbance, estimator = group
    own = [line for line in lines if (line["disturbance"], line["estimator"]) == (disturbance, estimator)]
    return joined(
        [
            tag("h3", f"On the {estimator}, disturbance {disturbance}"),
            *(
                [tag("p", "Difference of costs, paired by seed, with 95 % intervals:"), matrix(members)]
                if len(members) > 1
                else []
            ),
            cost_time(own, members),
            tag("details", tag("summary", "Trajectories of the median and the worst seed"), trajectories(members)),
        ]
    )
