"""Files that are not there."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pilotage.core import FormatError, MissingFile
from pilotage.io import find_movingai_map, read_movingai_map, read_movingai_scenarios, read_pgm, read_ros_map
from pilotage.io._tables import csv_header
from pilotage.io.contents import text_lines
from pilotage.maps import OccupancyGrid

READERS = [read_movingai_map, read_movingai_scenarios, read_pgm, read_ros_map, OccupancyGrid.load]


@pytest.mark.parametrize("read", READERS, ids=lambda read: read.__qualname__)
def test_a_missing_file_is_a_sentence(read: Any, tmp_path: Path) -> None:
    (tmp_path / "depot.yaml").write_text("image: depot.pgm")
    missing = tmp_path / "depott.yaml"
    with pytest.raises(MissingFile, match=r"there is no file depott.yaml in .*; did you mean depot.yaml\?"):
        read(missing)
    with pytest.raises(FileNotFoundError, match="there is no file nothing.yaml in"):
        read(str(tmp_path / "nothing.yaml"))
    with pytest.raises(FileNotFoundError, match="its folder .*away does not exist"):
        read(tmp_path / "away" / "depot.yaml")
    with pytest.raises(MissingFile, match="its folder .*depot.yaml does not exist"):
        read(tmp_path / "depot.yaml" / "depot.yaml")
    folder = tmp_path / "folder.yaml"
    folder.mkdir()
    with pytest.raises(FormatError, match="folder.yaml is a folder"):
        read(folder)


@pytest.mark.parametrize("read", [*READERS, OccupancyGrid.from_ascii(["."]).save], ids=lambda read: read.__qualname__)
def test_what_is_no_path(read: Any) -> None:
    with pytest.raises(FormatError, match=r"3.5 is not the path of a file"):
        read(3.5)


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    (home / "maps").mkdir(parents=True)
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(home))
    monkeypatch.chdir(tmp_path)
    grid = OccupancyGrid.from_ascii([".#", "?."], resolution=0.5)
    grid.save("~/maps/room.yaml")
    assert sorted(file.name for file in (home / "maps").iterdir()) == ["room.pgm", "room.yaml"]
    fields = (home / "maps/room.yaml").read_text()
    (tmp_path / "here.yaml").write_text(fields.replace("room.pgm", "~/maps/room.pgm"))
    (tmp_path / "~stranger.yaml").write_text(fields.replace("room.pgm", "home/maps/room.pgm"))
    for name in ("~/maps/room.yaml", Path("~/maps/room.yaml"), "here.yaml", "~stranger.yaml"):
        np.testing.assert_array_equal(OccupancyGrid.load(name).log_odds, grid.log_odds)
    assert OccupancyGrid.load("~/maps/room.pgm", resolution=0.5).shape == (2, 2)
    assert read_pgm("~/maps/room.pgm").shape == (2, 2)
    for name, text in (("door.map", "type octile\nheight 1\nwidth 2\nmap\n.@\n"), ("door.map.scen", "version 1\n")):
        (home / name).write_text(text)
    assert read_movingai_map(find_movingai_map("~/door.map.scen")).shape == (1, 2)
    with pytest.raises(MissingFile, match=r"there is no file rooom.yaml in .*home.maps; did you mean room.yaml\?"):
        OccupancyGrid.load("~/maps/rooom.yaml")


@pytest.mark.parametrize("packed", [False, True])
def test_the_beginning_of_a_file_is_that_of_all_of_it(packed: bool, tmp_path: Path) -> None:
    text = "a,b\n" + "".join(f"{k},{k * k}\n" for k in range(5000))
    file = tmp_path / "squares.csv"
    file.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    lines = text_lines(file, "csv", most=1000)
    assert 1 < len(lines) < 5001 and lines[:-1] == text.splitlines()[: len(lines) - 1]
    assert csv_header(file, "csv") == ["a", "b"]
