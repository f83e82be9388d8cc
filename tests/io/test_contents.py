"""Files that are not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pilotage.core import FormatError, MissingFile
from pilotage.io import read_movingai_map, read_movingai_scenarios, read_pgm, read_ros_map
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
