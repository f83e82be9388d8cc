"""`pilotage bench`: what it prints, writes and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pilotage.bench.suite import stock
from pilotage.cli.main import main

Capture = pytest.CaptureFixture[str]
SUITE = """
tasks: [tests.bench.worlds:tank]
controllers:
  slow: {use: tests.bench.worlds:proportional, gain: 0.5}
  fast: {use: tests.bench.worlds:proportional}
seeds: 0-3
timing: {fixed: 0.02}
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    file = tmp_path / "mine.yaml"
    file.write_text(SUITE)
    return file


def test_run_compare_and_replay(suite: Path, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "results"
    assert main(["bench", "run", str(suite), "--out", str(out), "--jobs", "1"]) == 0
    caught = capsys.readouterr()
    assert (
        caught.out.splitlines()[-2:] == [str(out / "summary.md"), str(out / "report.html")]
        and "needs 2 more seeds" in caught.out
    )
    assert (out / "summary.md").read_text() in caught.out and "8/8" in caught.err
    assert (out / "rows.parquet").is_file() and "<h1>Benchmark mine" in (out / "report.html").read_text()

    words = ["bench", "run", str(suite), "--out", str(out), "--jobs", "1", "--json", "--quiet"]
    assert main([*words, "--timeout", "9"]) == 0
    caught = capsys.readouterr()
    facts = json.loads(caught.out)
    assert caught.err == "" and [line["runs"] for line in facts["summary"]] == [4, 4]
    assert facts["comparisons"][0]["a"] == "fast"

    assert main(["bench", "compare", f"{out}:slow", f"{out}:fast", "--json"]) == 0
    [line] = json.loads(capsys.readouterr().out)["comparisons"]
    assert line["difference"][0] > 0.0 and line["seeds"] == 4
    assert main(["bench", "compare", str(out), str(out)]) == 0
    assert capsys.readouterr().out.count("equal") == 2

    assert main(["bench", "replay", str(out), "2"]) == 0
    assert "seed 2: the same, bit for bit, in 20 ticks" in capsys.readouterr().out
    journal = out / "journal.jsonl"
    from pilotage.bench.journal import line_of, read_rows

    first, *others = read_rows(out)
    first.digests.setflags(write=False)
    changed = first.digests.copy()
    changed[7] += 1
    import dataclasses

    journal.write_bytes(b"".join(map(line_of, [dataclasses.replace(first, digests=changed), *others])))
    assert main(["bench", "replay", str(out), "0", "--json"]) == 1
    assert "tick 7" in json.loads(capsys.readouterr().out)["difference"]


def test_a_sweep_without_a_result_is_an_error(tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(
        "tasks: [tests.bench.worlds:tank]\ncontrollers: {bad: {use: tests.bench.worlds:bad, way: raises}}\nseeds: 0-1"
    )
    out = tmp_path / "out"
    assert main(["bench", "run", str(file), "--out", str(out), "--jobs", "1", "--quiet", "--json"]) == 2
    caught = capsys.readouterr()
    assert json.loads(caught.out)["summary"][0]["failures"] == 2
    assert "2 runs" in caught.err and "no map" in caught.err and caught.err.count("\n") == 1
    assert (out / "report.html").is_file()


def test_an_interrupted_sweep_says_how_to_go_on(
    suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    from pilotage.cli import bench

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(bench, "sweep", interrupted)
    assert main(["bench", "run", str(suite), "--out", str(tmp_path / "half"), "--quiet"]) == 2
    assert f"go on with --out {tmp_path / 'half'}" in capsys.readouterr().err


def test_list(capsys: Capture) -> None:
    assert main(["bench", "list"]) == 0
    page = capsys.readouterr().out
    assert "pendulum_v1" in page and "mppi" in page and "suites: full, mujoco, people, quick" in page
    assert main(["bench", "list", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert set(facts) == {"tasks", "controllers", "suites"} and facts["controllers"]["ilqr"].startswith("`ILQR`")


def test_the_help_names_every_stock_suite(capsys: Capture) -> None:
    assert main(["bench", "run", "--help"]) == 0
    assert ", ".join(stock()) in " ".join(capsys.readouterr().out.replace("│", " ").split())


def test_without_a_command_the_quick_suite_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    from pilotage.cli import bench

    asked: list[str] = []
    monkeypatch.setattr(bench, "run", lambda suite="quick": asked.append(suite) or 0)
    assert main(["bench"]) == 0 and asked == ["quick"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["run", "nowhere"],
            "there is no suite 'nowhere'; there are full, mujoco, people, quick, robust, or give a file",
        ),
        (["run", "SUITE", "--seeds", "9-1"], "seeds is '9-1'"),
        (["run", "SUITE", "--jobs", "0"], "jobs is 0"),
        (["run", "SUITE", "--timeout", "-1"], "timeout is -1"),
        (["compare", "nowhere", "nowhere"], "no results in nowhere"),
        (["compare", "nowhere:ilqr", "nowhere"], "no results in nowhere"),
        (["replay", "nowhere", "3"], "no results in nowhere"),
        (["report", "nowhere"], "no results in nowhere"),
        (["replay"], "See: pilotage bench replay --help"),
    ],
)
def test_errors_are_one_sentence(words: list[str], said: str, suite: Path, tmp_path: Path, capsys: Capture) -> None:
    out = ["--out", str(tmp_path / "out"), "--quiet"] if words[0] == "run" else []
    given = [str(suite) if word == "SUITE" else word for word in words]
    assert main(["bench", *given, *out]) == 2
    caught = capsys.readouterr()
    assert caught.out == "" and said in caught.err and caught.err.count("\n") == 1
