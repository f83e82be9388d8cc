"""The report says what the rows say, harms nobody, and works in a browser."""

from __future__ import annotations

import base64
import dataclasses
import json
import math
import re
import shlex
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pilotage.bench import Results, Run, RunStatus, Suite, report_page, summarize, sweep
from pilotage.bench.report.pictures import trajectories
from pilotage.bench.report.tables import command, matrix
from pilotage.bench.run import given_up
from pilotage.cli.main import main

from .worlds import BAD, GAIN, TANK

EVIL = "<script>alert(1)</script> & \"'"
SUITE = Suite(
    f"{EVIL} {{braces}}",
    [TANK],
    {EVIL: {"use": GAIN, "gain": 0.5}, "fast": {"use": GAIN}, "lazy": {"use": GAIN, "gain": 0.01},
     "raises": {"use": BAD, "way": "raises"}},
    estimators=("truth", "estimate"), seeds="0-4", timing={"fixed": 0.02},
)  # fmt: skip


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Controllers that do well, that miss the goal, that raise, and that never come back."""
    found = sweep(SUITE, tmp_path_factory.mktemp("a folder"), jobs=1)
    lost = given_up(found.rows[0].run, RunStatus.TIMEOUT, f"it hangs: {EVIL}")
    return dataclasses.replace(found, rows=[lost, *found.rows[1:]])


@pytest.fixture(scope="module")
def page(results: Results) -> str:
    return report_page(results)


class Reader(HTMLParser):
    """The elements of a page, and its tables as lists of (text, data-value)."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, Any]]] = []
        self.tables: list[list[list[tuple[str, str | None]]]] = []
        self.text = ""
        self._open: tuple[str, str | None] | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self._open = "", dict(attrs).get("data-value")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th") and self._open is not None:
            self.tables[-1][-1].append(self._open)
            self._open = None

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._open is not None:
            self._open = self._open[0] + data, self._open[1]


def test_the_scores_are_those_of_the_rows(results: Results, page: str) -> None:
    head, *lines = Reader(page).tables[0]
    column = {text: i for i, (text, _) in enumerate(head)}
    assert len(lines) == 8
    for line in lines:
        name, on = line[0][0], line[1][0]
        rows = [row for row in results.rows if (row.run.name, row.run.estimator) == (name, on)]
        costs = np.array([row.cost for row in rows])
        value = {key: float(line[i][1] or "nan") for key, i in column.items() if i > 2}
        ended = costs[np.isfinite(costs)]
        assert value["mean cost [95 %]"] == (pytest.approx(ended.mean()) if len(ended) else math.inf)
        assert value["worst"] == costs.max() and value["median"] == np.sort(costs)[2]
        assert value["90 %"] == value["CVaR 10 %"] == costs.max()
        assert value["failures [95 %]"] == (5 - len(ended)) / 5
        assert value["missed deadlines"] == sum(row.missed for row in rows)
        p99 = max((row.solve_p99 for row in rows if row.solves), default=math.inf)
        assert value["solve ms, 99 %"] == p99


def test_the_summary_has_both_shares_of_the_regret(results: Results) -> None:
    optimum = 0.25
    known = [dataclasses.replace(row, optimum=optimum, regret=row.cost - optimum) for row in results.rows]
    line = summarize(dataclasses.replace(results, rows=known))[5]
    assert (line["controller"], line["estimator"]) == ("fast", "estimate")
    assert line["estimator_share"] + line["controller_share"] == pytest.approx(line["regret"])
    assert line["controller_share"] == pytest.approx(
        np.mean([row.cost - optimum for row in known if (row.run.name, row.run.estimator) == ("fast", "truth")])
    )


def test_the_matrix_is_antisymmetric(results: Results) -> None:
    members = {
        name: [row for row in results.rows if (row.run.name, row.run.estimator) == (name, "truth")]
        for name in ("fast", "lazy", EVIL, "raises")
    }
    [_, *lines] = Reader(matrix(members)).tables[0]
    value = lambda i, j: float(lines[i][j + 1][0].split("[")[0].replace("−", "-"))
    by_hand = np.mean([a.cost - b.cost for a, b in zip(members["fast"], members["lazy"])])
    assert value(0, 1) == -value(1, 0) == pytest.approx(by_hand, rel=1e-3)
    assert "needs 1 more seed; cheaper on 5 of 5" in lines[0][2][0] and "cheaper on 0 of 5" in lines[1][1][0]
    assert lines[0][4][0] == "on no seed did both end"
    assert re.search(r"needs \d+ more seeds?;", lines[0][3][0])


def test_names_do_no_harm_and_nothing_is_loaded(results: Results, page: str) -> None:
    read = Reader(page)
    names = [name for name, _ in read.tags]
    assert names.count("script") == 1 and EVIL in read.text and "{braces}" in read.text
    for _, attributes in read.tags:
        assert not any(key.startswith("on") for key in attributes)
        links = [value for key, value in attributes.items() if key in ("src", "href", "srcset", "action")]
        assert all(link.startswith(("#", "data:image/svg+xml;base64,")) for link in links)
    targets = {attributes["id"] for _, attributes in read.tags if "id" in attributes}
    assert {a["href"][1:] for name, a in read.tags if name == "a"} == targets
    facts = results.manifest
    for fact in (
        facts["hash"],
        facts["python"],
        facts["versions"]["numpy"],
        facts["platform"],
        *facts["worlds"].values(),
    ):
        assert fact in read.text


def test_each_failure_has_a_command_that_repeats_it(
    results: Results, page: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = [row for row in results.rows if not row.success]
    told = {line[-1][0]: line for table in Reader(page).tables if table[0][0][0] == "status" for line in table[1:]}
    assert {command(row, results) for row in bad} == set(told)
    for row in bad:
        line = told[command(row, results)]
        assert line[0][0] == row.status.value and line[6][0] == row.reason != ""
    raised = next(row for row in bad if row.status is RunStatus.RAISED)
    assert main(shlex.split(command(raised, results))[1:]) == 0
    assert "bit for bit" in capsys.readouterr().out
    program = shlex.split(command(bad[0], results))[2]
    assert bad[0].status is RunStatus.TIMEOUT
    exec(program, {})
    assert capsys.readouterr().out == "success \n"


def test_the_pictures_show_the_median_and_the_worst_seed(results: Results) -> None:
    rows = [row for row in results.rows if (row.run.name, row.run.estimator) == ("lazy", "truth")]
    order = sorted(rows, key=lambda row: row.cost)
    drawn = [base64.b64decode(data).decode() for data in re.findall(r"base64,([^\"]+)", trajectories({"lazy": rows}))]
    for row, svg in zip((order[2], order[-1]), drawn, strict=True):
        assert f"lazy, seed {row.run.seed}<" in svg and "level [m]<" in svg and "flow [m/s]<" in svg and "t [s]<" in svg
    moved = [dataclasses.replace(row, run=dataclasses.replace(row.run, task="no.such:task")) for row in rows]
    assert "state 0<" in base64.b64decode(re.findall(r"base64,([^\"]+)", trajectories({"lazy": moved}))[0]).decode()
    still = Run(TANK, BAD, settings={"way": "no such way"}).execute()
    started = dataclasses.replace(still, states=rows[0].states[:1], actions=np.array([], dtype=np.float32))
    assert "data:image" in trajectories({"lazy": rows, "still": [started]})
    assert "None has a trajectory" in trajectories({"gone": [results.rows[0]]})


def test_the_command_writes_the_page(results: Results, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "mine.html"
    assert main(["bench", "report", str(results.folder), "--out", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"report": str(out)}
    assert out.read_text(encoding="utf-8").startswith("<!doctype html>")
    journal = (results.folder / "journal.jsonl").read_bytes().splitlines(keepends=True)
    half = tmp_path / "half"
    half.mkdir()
    (half / "manifest.json").write_bytes((results.folder / "manifest.json").read_bytes())
    (half / "journal.jsonl").write_bytes(b"".join(journal[:3]))
    assert "3 runs, 37 are missing" in report_page(Results.load(half))
    (half / "journal.jsonl").unlink()
    assert "0 runs, 40 are missing" in report_page(Results.load(half))


PROBE = """<script>addEventListener("load", () => {
const table = document.querySelector("table");
const found = {wide: document.documentElement.scrollWidth - innerWidth, orders: []};
for (const i of [0, 3, 3, 8]) {
  table.tHead.rows[0].cells[i].querySelector("button").click();
  found.orders.push([...table.tBodies[0].rows].map(row => row.cells[i].dataset.value ?? row.cells[i].textContent));
}
found.sorted = table.tHead.rows[0].cells[8].getAttribute("aria-sort");
found.pictures = [...document.images].every(image => image.complete && image.naturalWidth > 0);
document.body.textContent = "found:" + JSON.stringify(found) + ":end";
})</script></body>"""


def test_a_browser_sorts_the_tables_and_a_phone_shows_them(page: str, tmp_path: Path) -> None:
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        pytest.skip("there is no Chromium here")
    probed = page.replace("<details>", "<details open>").replace("</body>", PROBE)
    (tmp_path / "page.html").write_text(probed, encoding="utf-8")
    words = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--window-size=500,900", "--dump-dom"]
    words += [f"--user-data-dir={tmp_path / 'profile'}", (tmp_path / "page.html").as_uri()]
    dom = subprocess.run(words, capture_output=True, text=True, check=True, timeout=120).stdout
    found = json.loads(Reader(dom).text.partition("found:")[2].partition(":end")[0])
    names, up, down, median = found["orders"]
    assert found["wide"] <= 0 and found["pictures"] and found["sorted"] == "ascending"
    assert len(names) == 8 and names[-2:] == ["raises", "raises"] and names[2:4] == ["fast", "fast"]
    numbers = [[float(each) for each in order] for order in (up, down, median)]
    assert numbers[0] == sorted(numbers[0]) and numbers[1] == sorted(numbers[0], reverse=True)
    assert numbers[2] == sorted(numbers[2]) and math.isinf(numbers[2][-1]) and len(set(numbers[0])) > 4
