"""The demo of all searches: it asserts that the shortest paths agree and bounds are kept, and draws the expansions."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("matplotlib")

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def demo() -> Any:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("searches", ROOT / "demos" / "searches.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_all_searches_side_by_side(
    demo: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "FRAMES", 3)
    monkeypatch.setattr(demo, "PAUSE", 1)
    demo.city(1, side=80).save(tmp_path / "town.yaml")
    assert demo.main(map=tmp_path / "town.yaml", out=tmp_path / "out") == 0
    table = [line for line in capsys.readouterr().out.splitlines() if line.startswith(tuple(demo.SEARCHES))]
    assert len(table) == len(demo.SEARCHES) == 12
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["searches.gif", "searches.png"]


def test_what_is_wrong_is_said(demo: Any) -> None:
    grid = demo.city(2, side=80)
    start, goal = demo.ends(grid)
    plans = {name: search.plan(grid, start, goal, record=True) for name, search in demo.SEARCHES.items()}
    assert demo.judged(plans, grid) == []
    for name in ("D* Lite", "Theta*", "weighted A*, w = 2"):
        (fault,) = demo.judged({**plans, name: plans["depth-first"]}, grid)
        assert fault.startswith(name.split(",")[0])


def test_a_panel_shows_the_cells_expanded_so_far(demo: Any) -> None:
    grid = demo.city(3, side=80)
    start, goal = demo.ends(grid)
    plan = demo.SEARCHES["Dijkstra"].plan(grid, start, goal, record=True)
    _, (panel,) = demo.picture({"Dijkstra": plan}, grid, "one")
    assert plan.stats["expansions"] > demo.SPARSE, "one dot a cell"
    places = np.unique(grid.world_to_cell(plan.stats["expanded"]), axis=0)
    assert np.isfinite(demo.times(plan, grid)).sum() == len(places)
    panel.show(100)
    assert (panel.colors[..., 3] > 0).sum() == 100 and not panel.path[0].get_visible()
    panel.show(plan.stats["expansions"])
    assert panel.path[0].get_visible()
