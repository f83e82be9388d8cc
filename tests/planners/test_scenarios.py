"""MovingAI's published optima, reproduced."""

from __future__ import annotations

from pathlib import Path

import pytest

from pilotage.core.errors import FormatError, PilotageError
from pilotage.io import read_movingai_scenarios
from pilotage.planners import AStar, Dijkstra, solve_scenario

FILES = [
    "dao/arena.map.scen",
    "dao/den312d.map.scen",
    "dao/brc202d.map.scen.gz",
    "bg512/AR0011SR.map.scen.gz",
    "sc1/ArcticStation.map.scen.gz",
    "cities/Boston_1_256.map.scen",
    "cities/Paris_0_1024.map.scen.gz",
    "mazes/maze512-1-0.map.scen.gz",
    "rooms/8room_000.map.scen.gz",
    "random/random512-35-0.map.scen.gz",
    "da2/ca_cave.map.scen",
    "mapf/random-32-32-20-random-1.scen",
]


@pytest.mark.parametrize("name", FILES)
def test_published_optima(name: str, data: Path) -> None:
    file = data / "movingai" / name
    every = max(len(read_movingai_scenarios(file)) // 40, 1)
    report = solve_scenario(file, every=every)
    assert report.instances >= 4
    assert report.mismatches == ()
    assert report.expansions_per_second > 0


def test_dijkstra_agrees(data: Path) -> None:
    assert solve_scenario(data / "movingai" / "dao" / "arena.map.scen", Dijkstra()).mismatches == ()


@pytest.mark.slow
def test_every_published_optimum(data: Path) -> None:
    """All 90 000 or so queries; the data's own README names the one set that disagrees with its maps."""
    files = sorted(file for file in (data / "movingai").glob("*/*.scen*") if file.parent.name != "mapf")
    files += sorted((data / "movingai" / "mapf").glob("*-1.scen*"))
    assert len(files) > 20
    for file in files:
        report = solve_scenario(file)
        assert report.mismatches == (), file


@pytest.mark.parametrize("planner", [AStar(), Dijkstra()])
def test_a_length_of_zero_between_cells_says_that_there_is_no_path(planner: AStar, tmp_path: Path) -> None:
    """As ten instances of hrt000d do; where there is a path after all, that is a mismatch."""
    (tmp_path / "t.map").write_text("type octile\nheight 1\nwidth 5\nmap\n..@..\n")
    lines = [
        "version 1",
        "0 t.map 5 1 0 0 4 0 0",
        "0 t.map 5 1 0 0 0 0 0",
        "0 t.map 5 1 0 0 1 0 0",
        "0 t.map 5 1 2 0 4 0 0",
    ]
    (tmp_path / "t.map.scen").write_text("\n".join(lines))
    queries = read_movingai_scenarios(tmp_path / "t.map.scen")
    assert [query.solvable for query in queries] == [False, True, False, False]
    assert [miss.number for miss in solve_scenario(tmp_path / "t.map.scen", planner).mismatches] == [2]


def test_mismatches_are_reported(tmp_path: Path) -> None:
    (tmp_path / "t.map").write_text("type octile\nheight 2\nwidth 3\nmap\n...\n.@.\n")
    lines = ["version 1", "0 t.map 3 2 0 1 2 1 4.0", "0 t.map 3 2 0 0 2 0 2.5", "0 t.map 3 2 1 1 2 0 1.0"]
    (tmp_path / "t.map.scen").write_text("\n".join(lines))
    report = solve_scenario(tmp_path / "t.map.scen", AStar())
    assert report.instances == 3
    assert [miss.number for miss in report.mismatches] == [1, 2]
    assert report.mismatches[0].plan.cost == 2.0
    assert "collision" in report.mismatches[1].plan.reason


@pytest.mark.parametrize("settings", [{"every": 0}, {"tolerance": float("nan")}])
def test_settings_that_make_no_sense_are_refused(settings: dict[str, float], tmp_path: Path) -> None:
    with pytest.raises(PilotageError, match="every is 0|tolerance is nan"):
        solve_scenario(tmp_path / "t.map.scen", **settings)  # type: ignore[arg-type]


def test_scenarios_of_another_map_are_refused(tmp_path: Path) -> None:
    (tmp_path / "t.map").write_text("type octile\nheight 1\nwidth 3\nmap\n...\n")
    (tmp_path / "t.map.scen").write_text("version 1\n0 t.map 3 2 0 0 2 0 2.0\n")
    with pytest.raises(FormatError, match="made for a map of 3 x 2 cells, but its map has 3 x 1"):
        solve_scenario(tmp_path / "t.map.scen")
