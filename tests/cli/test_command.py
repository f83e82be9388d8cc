"""The `pilotage` command: what it prints, which exit code it gives, and that no error shows a traceback."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

import pilotage
from pilotage.cli.demo import demo_lines
from pilotage.cli.info import _extra
from pilotage.cli.main import main
from pilotage.cli.picture import BOTTOM, FREE, GOAL, LEFT, OCCUPIED, OUTLINE, RIGHT, START, TOP, Frame, save_picture
from pilotage.cli.plan import ALGORITHMS, Algorithm
from pilotage.maps import Footprint, OccupancyGrid
from pilotage.models.trace import driver
from pilotage.planners import search
from pilotage.planners.search._planner import CellPlanner

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def room(tmp_path: Path) -> Path:
    """A MovingAI map, two rooms and a door, with a scenario beside it. World y points up, file rows point down."""
    rows = ["..@..", "..@..", "....."]
    file = tmp_path / "room.map"
    file.write_text("type octile\nheight 3\nwidth 5\nmap\n" + "\n".join(rows) + "\n")
    # From the upper left to the upper right corner: down, across the door without cutting its corners, up.
    lines = ["version 1", "1\troom.map\t5\t3\t0\t0\t4\t0\t6.82842712", "0\troom.map\t5\t3\t0\t2\t4\t2\t4.0"]
    (tmp_path / "room.map.scen").write_text("\n".join(lines) + "\n")
    return file


def test_version(capsys: Capture) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == pilotage.__version__


def test_help_teaches_by_examples(capsys: Capture) -> None:
    assert main(["--help"]) == 0
    page = capsys.readouterr().out
    assert "pilotage plan --map depot.yaml --start" in page
    assert all(verb in page for verb in ("demo", "plan", "map", "bench", "info", "--install-completion"))


@pytest.mark.parametrize("verb", ["plan", "map", "bench", "info", "demo"])
def test_every_verb_has_help(verb: str, capsys: Capture) -> None:
    assert main([verb, "--help"]) == 0
    assert f"pilotage {verb}" in capsys.readouterr().out


QUERY = ["plan", "--map", "depot", "--start", "5", "1", "--goal", "12", "3.5"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["plan"], "say where to plan"),
        (["plan", "--map", "depot", "--start", "5", "1"], "missing: --goal X Y (or"),
        (["plan", "--map", "depot", "--goal", "5", "1"], "missing: --start X Y (or"),
        (["plan", "--map", "depot", "--start", "0,3", "--goal", "1", "1"], "Separate numbers by a space, not a comma."),
        (
            ["plan", "--map", "nowhere.yaml", "--start", "0", "0", "--goal", "1", "1"],
            "there is no file nowhere.yaml in",
        ),
        (["plan", "--map", "a.map", "--start", "0"], "--start"),
        (["plan", "--map", "a.map", "--start", "0", "zero", "--goal", "1", "1"], "zero"),
        (["plan", "--algorithm", "magic"], "See: pilotage plan --help"),
        (["demo", "navigate", "--seed", "one"], "See: pilotage demo navigate --help"),
        (["plan", "--scen", "a.scen", "--start", "0", "0"], "--scen brings its own"),
        (["plan", "--scen", "a.scen", "--mask", "b.png"], "leave out --mask"),
        (["plan", "--scen", "a.scen", "--resolution", "0.1", "--negate-mask"], "out --negate-mask, --resolution\n"),
        ([*QUERY, "--footprint", "0.5", "0.3", "-0.5"], "--footprint has 3 numbers; expected x and y"),
        ([*QUERY, "--footprint", "0.5"], "--footprint has 1 number; expected x and y"),
        ([*QUERY, "--footprint", "1", "1", "-1", "-1", "1", "-1", "-1", "1"], "cross"),
        ([*QUERY, "--footprint", "1", "0", "0", "1", "0", "0", "--radius", "1"], "give one of them"),
        ([*QUERY, "--footprint", "1", "0", "0", "1", "0", "0", "--algorithm", "astar"], "for round robots"),
        (
            [*QUERY, "--footprint", "1", "0", "0", "1", "0", "0", "--turning-radius", "-1"],
            ": --turning-radius is -1.0; expected",
        ),
        ([*QUERY, "--radius", "-1"], ": --radius is -1.0; expected a number, 0 or more\n"),
        ([*QUERY, "--unknown", "blocked"], "--unknown"),
        ([*QUERY, "--resolution", "0.1"], "depot: --resolution only with an image alone"),
        ([*QUERY, "--negate-mask"], "--negate-mask goes with"),
        ([*QUERY, "--goal-yaw", "1", "--radius", "0.3"], "--goal-yaw: only for a robot with --footprint"),
        ([*QUERY, "--origin", "0", "0", "0"], "with an image alone"),
        ([*QUERY, "--mask", "nowhere.png"], "there is no file nowhere.png"),
        (["demo", "swim"], "there is no demo named 'swim'"),
        (["pln"], "pln"),
    ],
)
def test_errors_are_one_sentence(words: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setattr("pilotage.cli.main.progress", contextlib.nullcontext)  # compiling is no error
    assert main(words) == 2
    caught = capsys.readouterr()
    assert caught.out == ""
    assert said in caught.err
    assert caught.err.startswith("pilotage: ")
    assert caught.err.count("\n") == 1


def test_plan_knows_the_maps_that_come_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["plan", "--map", "depot.yaml", "--start", "5", "1", "--goal", "12", "3.5"]) == 0
    assert "solved: " in capsys.readouterr().out
    assert main(["plan", "--map", "depot", "--start", "5", "1", "--goal", "5", "1"]) == 0
    assert "0.00 m over 1 state (" in capsys.readouterr().out


def test_plan_on_an_image_alone(tmp_path: Path, capsys: Capture) -> None:
    from PIL import Image

    Image.fromarray(np.full((4, 8), 254, dtype=np.uint8)).save(tmp_path / "floor.png")
    words = ["plan", "--map", str(tmp_path / "floor.png"), "--start", "0.1", "0.1", "--goal", "1.5", "0.1"]
    assert main(words) == 2
    assert "give their side, --resolution [m]" in capsys.readouterr().err
    assert main([*words, "--resolution", "0.2"]) == 0
    assert "solved: 1.40 m" in capsys.readouterr().out


def test_plan_tells_the_path(room: Path, capsys: Capture) -> None:
    assert main(["plan", "--map", str(room), "--start", "0.5", "0.5", "--goal", "4.5", "0.5", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["status"] == "solved"
    assert facts["cost"] == pytest.approx(4.0)
    assert facts["xs"][0][:2] == [0.5, 0.5]
    assert facts["xs"][-1][:2] == [4.5, 0.5]
    assert facts["stats"]["expansions"] > 0


def test_plan_draws(room: Path, tmp_path: Path, capsys: Capture) -> None:
    from PIL import Image

    picture = tmp_path / "path.png"
    words = ["plan", "--map", str(room), "--start", "0.5", "2.5", "--goal", "4.5", "2.5", "--out", str(picture)]
    assert main(words) == 0
    assert "solved: 6.83 m" in capsys.readouterr().out
    with Image.open(picture) as image:
        assert image.size == (LEFT + 1000 + RIGHT, TOP + 600 + BOTTOM)
        assert image.getpixel((LEFT + 500, TOP + 100)) == (38, 50, 56), "the wall between the rooms is dark"
        assert image.getpixel((LEFT + 500, TOP + 500)) == (21, 101, 192), "the path leads through the door"


@pytest.mark.parametrize("yaw", [0.0, 0.6, -2.0])
@pytest.mark.parametrize("shape", [(30, 50), (1500, 900), (3, 400)])
def test_a_picture_has_a_size_of_its_own_and_the_frame_of_the_map(
    shape: tuple[int, int], yaw: float, tmp_path: Path
) -> None:
    """Every cell is found where the world says, and what is smaller than a pixel does not vanish."""
    from PIL import Image

    walls = np.zeros(shape, dtype=bool)
    walls[:, [0, -1]] = walls[[0, -1]] = True
    walls[1, shape[1] // 3] = True  # a pole
    grid = OccupancyGrid.from_occupied(walls, 0.05, (-7.0, 4.0, yaw))
    ends = grid.cell_to_world([[1, 1], [1, shape[1] - 2]])
    save_picture(grid, None, ends, tmp_path / "map.png")
    frame = Frame.around(grid, ends)
    with Image.open(tmp_path / "map.png") as image:
        assert max(image.size) <= 1100
        assert min(image.size) >= 120
        pixels = np.asarray(image)
    for cell, colour in (((1, shape[1] // 3), OCCUPIED), ((shape[0] // 2, shape[1] // 2), FREE)):
        ((x, y),) = frame.pixels(grid.cell_to_world([cell]))
        near = pixels[int(y) - 1 : int(y) + 2, int(x) - 1 : int(x) + 2].reshape(-1, 3)
        assert (near == colour).all(-1).any()
    (start, goal) = frame.pixels(ends)
    for (x, y), colour in ((start, START), (goal, GOAL)):
        assert tuple(pixels[int(y), int(x)]) == colour


def test_no_path_is_a_no(room: Path, capsys: Capture) -> None:
    words = ["plan", "--map", str(room), "--start", "0.5", "0.5", "--goal", "2.5", "2.5"]
    assert main(words) == 1
    assert "goal" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["path.nix", "path", "path.psd"])  # the last can be read only
def test_picture_of_no_kind(name: str, room: Path, capsys: Capture) -> None:
    words = ["plan", "--map", str(room), "--start", "0.5", "0.5", "--goal", "4.5", "0.5", "--out", name]
    assert main(words) == 2
    assert "not an image format" in capsys.readouterr().err


@pytest.mark.parametrize("algorithm", ["astar", "dijkstra"])
def test_scenario_against_its_optima(room: Path, algorithm: str, capsys: Capture) -> None:
    words = ["plan", "--scen", f"{room}.scen", "--algorithm", algorithm, "--json"]
    assert main(words) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["instances"], facts["mismatches"]) == (2, 0)
    assert facts["expansions_per_second"] > 0


def test_scenario_with_a_wrong_optimum(room: Path, capsys: Capture) -> None:
    scen = Path(f"{room}.scen")
    scen.write_text(scen.read_text().replace("4.0", "3.5"))
    assert main(["plan", "--map", str(room), "--scen", str(scen)]) == 1
    said = capsys.readouterr().out
    assert "1 mismatch with the published optima" in said
    assert "made for the map" not in said


def test_scenario_without_a_path(room: Path, capsys: Capture) -> None:
    scen = Path(f"{room}.scen")
    scen.write_text(scen.read_text().replace("4.0", "0"))
    assert main(["plan", "--map", str(room), "--scen", str(scen)]) == 1
    assert "published no path, found 4.0000" in capsys.readouterr().out


def test_scenario_on_another_map(room: Path, tmp_path: Path, capsys: Capture) -> None:
    other = tmp_path / "other.map"
    lines = room.read_text().splitlines()
    other.write_text("\n".join([*lines[:4], *("@" * len(line) for line in lines[4:])]))
    assert main(["plan", "--map", str(other), "--scen", f"{room}.scen"]) == 1
    assert "these instances were made for the map room.map; the one given has another name" in capsys.readouterr().out


def test_info(capsys: Capture) -> None:
    assert main(["info", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["pilotage"] == pilotage.__version__
    assert facts["core"]["numpy"]
    assert {"envs", "learning", "viz", "ros", "peers"} <= set(facts["extras"])
    assert 0 <= facts["warm"] <= facts["drivers"]
    assert main(["info"]) == 0
    assert "drivers" in capsys.readouterr().out


def test_info_names_each_package_once(capsys: Capture) -> None:
    assert main(["info"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if "matplotlib" in line] == ["[demo]", "[viz]"]


def test_info_says_what_is_missing_of_an_extra_made_of_others() -> None:
    """Some builders write an extra that names another one as the packages of both."""
    extras: dict[str, dict[str, str | None]] = {
        "demo": {"gymnasium": "1.4"},
        "bench": {"gymnasium": "1.4", "joblib": "1.5"},
        "cluster": {"gymnasium": "1.4", "joblib": "1.5", "ray": None},
    }
    assert _extra("demo", extras["demo"], extras) == "gymnasium 1.4"
    assert _extra("bench", extras["bench"], extras) == "[demo], joblib 1.5"
    assert (
        _extra("cluster", extras["cluster"], extras) == "[bench]; not installed: ray (pip install 'pilotage[cluster]')"
    )


def double(x: float) -> float:
    return 2 * x


@pytest.mark.parametrize("signatures", [["f8(f8)"], ["f8(f8)", "i8(i8)"]])
def test_warm_compiles_once(signatures: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    one = driver(*signatures)(double)
    monkeypatch.setattr("pilotage.cli.warm.entries", lambda: [one])
    for _ in range(2):
        assert main(["warm", "--quiet"]) == 0
        assert capsys.readouterr().out.startswith("1 driver ready after ")
    assert len(one.compiled.overloads) == len(signatures)
    assert one(1.5) == 3.0


def test_demos_are_listed(capsys: Capture) -> None:
    assert main(["demo"]) == 0
    listed = capsys.readouterr().out
    assert demo_lines()
    for name, line in demo_lines().items():
        assert name.replace("_", "-") in listed
        assert line, f"demo {name} has no first line that says what it shows"
        assert line in listed


def test_an_installation_without_demos(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setattr("pilotage.cli.demo.demos_folder", lambda: None)
    assert main(["--version"]) == 0
    assert main(["demo"]) == 2
    assert "came without demos" in capsys.readouterr().err


def test_as_a_process(tmp_path: Path) -> None:
    """The installed script and `python -m pilotage` are the same command."""
    for command in ([str(Path(sys.executable).parent / "pilotage")], [sys.executable, "-m", "pilotage"]):
        done = subprocess.run([*command, "--version"], capture_output=True, text=True, cwd=tmp_path, check=True)
        assert done.stdout.strip() == pilotage.__version__
        assert done.stderr == ""


def test_the_radius_of_the_robot_is_kept_to_the_faces_of_obstacles(capsys: Capture) -> None:
    query = ["plan", "--map", "depot", "--start", "5", "1", "--goal", "12", "3.5", "--json"]
    assert main([*query, "--radius", "0.3"]) == 0
    grid, path = OccupancyGrid.load("depot"), json.loads(capsys.readouterr().out)["xs"]
    assert grid.clearance(path, Footprint.disc(0.3)).min() >= 0.0
    assert main([*query, "--radius", "0.3", "--inflate", "0.3"]) == 2
    assert "give one of them" in capsys.readouterr().err


PASSAGE = ["@" * 60] * 20 + ["@" + "." * 58 + "@"] * 9 + ["@" * 60] * 20
"""A passage 0.9 m wide, of cells of 0.1 m."""


@pytest.fixture
def passage(tmp_path: Path) -> Path:
    """The passage as a ROS map whose lower-left corner is at (-3, 2)."""
    file = tmp_path / "passage.yaml"
    OccupancyGrid.from_ascii(PASSAGE, 0.1, (-3.0, 2.0, 0.0)).save(file)
    return file


LONG = ["--footprint", "0.6", "0.2", "-0.6", "0.2", "-0.6", "-0.2", "0.6", "-0.2"]


def test_a_long_robot_drives_where_the_disc_around_it_does_not_fit(
    passage: Path, tmp_path: Path, capsys: Capture
) -> None:
    query = ["plan", "--map", str(passage), "--start", "-2", "4.4", "--goal", "2", "4.5"]
    assert main([*query, "--radius", "0.63"]) == 1
    capsys.readouterr()
    picture = tmp_path / "path.png"
    assert main([*query, *LONG, "--goal-yaw", "0.05", "--json", "--out", str(picture)]) == 0
    facts = json.loads(capsys.readouterr().out)
    body, xs = Footprint.rectangle(1.2, 0.4), np.array(facts["xs"])
    np.testing.assert_allclose(xs[[0, -1]], [[-2.0, 4.4, 0.0], [2.0, 4.5, 0.05]], atol=1e-9)
    assert OccupancyGrid.load(passage).clearance(xs, body).min() >= 0.0
    assert facts["algorithm"] == "hybrid_astar"
    assert np.hypot(4.0, 0.1) <= facts["length"] < 4.2
    from PIL import Image

    with Image.open(picture) as image:
        assert (np.asarray(image.convert("RGB")).reshape(-1, 3) == OUTLINE).all(-1).sum() > 500
    assert main([*query, *LONG, "--start-yaw", "1.57"]) == 1
    assert "start (-2.00, 4.40, 1.57) is in collision" in capsys.readouterr().out


def test_any_heading_at_the_goal_and_the_turning_radius(capsys: Capture) -> None:
    query = ["plan", "--map", "depot", "--start", "5", "1", "--goal", "8", "2.5", *LONG, "--json"]
    assert main([*query, "--turning-radius", "1.5"]) == 0
    xs = np.array(json.loads(capsys.readouterr().out)["xs"])
    np.testing.assert_allclose(xs[-1, :2], [8.0, 2.5], atol=1e-9)
    turns = np.abs((np.diff(xs[:, 2]) + np.pi) % (2 * np.pi) - np.pi)
    assert (turns <= np.linalg.norm(np.diff(xs[:, :2], axis=0), axis=1) * 1.2 / 1.5 + 1e-9).all()


def test_a_mask_forbids_what_it_covers(passage: Path, tmp_path: Path, capsys: Capture) -> None:
    from PIL import Image

    query = ["plan", "--map", str(passage), "--start", "-2", "4.4", "--goal", "2", "4.4"]
    assert main(query) == 0
    barrier = OccupancyGrid.from_ascii(["@"], 1.5, (0.0, 4.0, 0.0))  # of another frame and size
    barrier.save(tmp_path / "barrier.yaml")
    assert main([*query, "--mask", str(tmp_path / "barrier.yaml")]) == 1
    assert "goal (2.00, 4.40) is in another component" in capsys.readouterr().out
    white = np.full((49, 60), 254, dtype=np.uint8)
    white[:, 30:35] = 0
    Image.fromarray(white).save(tmp_path / "painted.png")
    assert main([*query, "--mask", str(tmp_path / "painted.png")]) == 1
    assert "is in another component" in capsys.readouterr().out
    Image.fromarray(255 - white).save(tmp_path / "negative.png")
    inside = ["0.2", "4.4"]
    for end, places in (("goal", [*query[3:6], "--goal", *inside]), ("start", ["--start", *inside, *query[6:]])):
        words = [*query[:3], *places, "--mask", str(tmp_path / "negative.png"), "--negate-mask", "--json"]
        assert main(words) == 1
        facts = json.loads(capsys.readouterr().out)
        assert f"is in collision by 0.20 m; the mask covers the {end}" in facts["reason"]
        assert facts["mask_cells"] == 5 * 49
    Image.fromarray(white[1:]).save(tmp_path / "small.png")
    assert main([*query, "--mask", str(tmp_path / "small.png")]) == 2
    assert "60 x 48 pixels, and the map has 60 x 49" in capsys.readouterr().err


def test_an_image_alone_has_an_origin(tmp_path: Path, capsys: Capture) -> None:
    from PIL import Image

    Image.fromarray(np.full((4, 8), 254, dtype=np.uint8)).save(tmp_path / "floor.png")
    words = ["plan", "--map", str(tmp_path / "floor.png"), "--resolution", "0.2", "--start", "-0.9", "-2.9", "--json"]
    assert main([*words, "--goal", "0.5", "-2.9", "--origin", "-1", "-3", "0"]) == 0
    np.testing.assert_allclose(
        np.array(json.loads(capsys.readouterr().out)["xs"])[[0, -1]], [[-0.9, -2.9], [0.5, -2.9]]
    )


def test_unknown_cells_may_be_free(tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "half.yaml"
    OccupancyGrid.from_ascii(["......", "..??..", "......", "..??.."]).save(file)
    for robot in (
        [],
        ["--radius", "0.3"],
        ["--inflate", "0.2"],
        ["--footprint", "0.2", "0.1", "-0.2", "0.1", "0", "-0.1"],
    ):
        query = ["plan", "--map", str(file), "--start", "1.5", "0.5", "--goal", "3.5", "0.5", *robot]
        assert main(query) == 1
        assert robot or "in an unknown cell; --unknown free would plan" in capsys.readouterr().out
        assert main([*query, "--unknown", "free"]) == 0


def test_every_search_of_a_grid_is_offered(room: Path, capsys: Capture) -> None:
    public = [each for each in vars(search).values() if isinstance(each, type) and issubclass(each, CellPlanner)]
    assert set(ALGORITHMS.values()) == set(public)
    assert set(get_args(Algorithm)) == set(ALGORITHMS)
    for name in ALGORITHMS:
        query = ["plan", "--map", str(room), "--start", "0.5", "0.5", "--goal", "4.5", "2.5", "--algorithm", name]
        assert main(query) == 0


def test_a_reader_that_stops_reading_is_no_error() -> None:
    """As with ``pilotage bench list | head -1``."""
    words = [sys.executable, "-m", "pilotage", "bench", "list"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        told = process.stderr.read()
    assert (process.returncode, told) == (0, b"")


def test_a_demo_says_which_extra_it_needs() -> None:
    """Its module cannot be loaded, which is no reason for a traceback."""
    code = (
        "import sys; sys.modules['mujoco'] = None; from pilotage.cli.main import main; exit(main(['demo', 'hopper']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pilotage[envs]" in done.stderr and "Traceback" not in done.stderr
