"""MovingAI maps and scenarios: terrain, both encodings, damage as sentences."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from pilotage.core.errors import FormatError
from pilotage.io import find_movingai_map, read_movingai_map, read_movingai_scenarios

MAP = "type octile\nheight 2\nwidth 4\nmap\n.GS@\nOTW.\n"
SCEN = "version 1\n3\tsmall.map\t4\t2\t0\t0\t3\t1\t12.5\n0 small.map 4 2 0 0 1 0 1\n"


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_terrain(ending: str, tmp_path: Path) -> None:
    file = tmp_path / f"small.map{ending}"
    file.write_bytes(gzip.compress(MAP.encode()) if ending else MAP.encode())
    expected = [[True, True, True, False], [False, False, False, True]]
    np.testing.assert_array_equal(read_movingai_map(file), expected)


def test_scenarios_with_tabs_and_blanks(tmp_path: Path) -> None:
    file = tmp_path / "small.map.scen"
    file.write_text(SCEN)
    first, second = read_movingai_scenarios(file)
    assert (first.bucket, first.map_name, first.width, first.height) == (3, "small.map", 4, 2)
    assert (first.start, first.goal, first.optimal_length) == ((0, 0), (3, 1), 12.5)
    assert second.optimal_length == 1.0


def test_the_map_of_a_scenario(tmp_path: Path) -> None:
    (tmp_path / "small.map.scen").write_text(SCEN)
    with pytest.raises(FormatError, match="its map is not beside it: there is no .*; name the map"):
        find_movingai_map(tmp_path / "small.map.scen")
    (tmp_path / "small.map.gz").write_bytes(gzip.compress(MAP.encode()))
    assert find_movingai_map(tmp_path / "small.map.scen").name == "small.map.gz"
    (tmp_path / "other-name.scen").write_text(SCEN)
    assert find_movingai_map(tmp_path / "other-name.scen").name == "small.map.gz"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("type octile", "type hex"), "line 1: a MovingAI map starts with"),
        ((MAP, ""), "line 1"),
        (("height 2", "height two"), "line 2: expected `height N`"),
        (("height 2", "height 0"), "line 2: expected `height N`"),
        (("height 2", "height " + 5000 * "9"), "line 2: expected `height N`"),
        (("width 4\n", "height 4\n"), "the header must be"),
        (("map\n.", "mop\n."), "the header must be"),
        (("OTW.\n", ""), "promises 2 rows, the file holds 1: truncated"),
        (("OTW.", "OTW"), "line 6: 3 cells"),
        (("OTW.", "OTX."), "line 6: unknown terrain"),
        (("OTW.", "OT\u00e9."), "not a MovingAI text file"),
    ],
)
def test_damaged_maps(change: tuple[str, str], sentence: str, tmp_path: Path) -> None:
    file = tmp_path / "small.map"
    file.write_text(MAP.replace(*change), encoding="utf-8")
    with pytest.raises(FormatError, match=sentence) as caught:
        read_movingai_map(file)
    assert "small.map" in str(caught.value)


def test_damaged_gzip(tmp_path: Path) -> None:
    file = tmp_path / "small.map.gz"
    file.write_bytes(gzip.compress(MAP.encode())[:-12])
    with pytest.raises(FormatError, match="not a MovingAI text file"):
        read_movingai_map(file)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("version 1", "bucket"), "line 1: a scenario file starts with"),
        (("\t12.5", ""), "line 2: expected"),
        (("\t12.5", "\tlong"), "line 2: could not convert"),
        (("\t12.5", "\tnan"), "line 2: the optimal length"),
        (("\t12.5", "\t-1" + 9000 * "0"), "line 2: the optimal length"),
        (("\t12.5", "\t1x" + 9000 * "0"), "line 2: could not convert"),
        (("\t12.5", "\t-1"), "line 2: the optimal length"),
        (("\t3\t1\t", "\t3.5\t1\t"), "line 2: invalid literal"),
    ],
)
def test_damaged_scenarios(change: tuple[str, str], sentence: str, tmp_path: Path) -> None:
    file = tmp_path / "small.map.scen"
    file.write_text(SCEN.replace(*change))
    with pytest.raises(FormatError, match=sentence) as caught:
        read_movingai_scenarios(file)
    assert len(str(caught.value)) < 1000


def test_a_map_with_an_endless_name_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "other.scen").write_text(SCEN.replace("small.map", 9000 * "m"))
    with pytest.raises(FormatError, match="its map is not beside it") as caught:
        find_movingai_map(tmp_path / "other.scen")
    assert len(str(caught.value)) < 1000


def test_scenarios_of_another_version(tmp_path: Path) -> None:
    (tmp_path / "a.scen").write_text("version 7\n")
    with pytest.raises(FormatError, match="starts with `version 1`"):
        read_movingai_scenarios(tmp_path / "a.scen")
