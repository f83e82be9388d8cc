"""Recorded traffic: NGSIM csv and CommonRoad XML; real files, broken lines, bombs, and any damage."""

from __future__ import annotations

import gzip
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotage.core import FormatError, FormatWarning, PilotageError
from pilotage.io import read_commonroad, read_ngsim

HEAD = "Vehicle_ID,Frame_ID,Local_X,Local_Y,v_Length,v_Width,v_Class,v_Vel,v_Acc,Lane_ID\n"
ROWS = "2,13,10,100,15,6,2,40,1,2\n2,14,10,104,15,6,2,40,1,2\n5,13,22,80,40,8,3,30,0,3\n"


def csv(folder: Path, text: str) -> Path:
    file = folder / "i80.csv"
    file.write_text(text)
    return file


def test_feet_become_metres_and_the_axes_ours(tmp_path: Path) -> None:
    road = read_ngsim(csv(tmp_path, HEAD + ROWS))
    table = road.tracks
    assert table.id.tolist() == [2, 5, 2] and table.t.tolist() == [1.3, 1.3, 1.4]
    np.testing.assert_allclose(table.x[0], 0.3048 * np.array([100, -10, 40, 1]))
    assert road.lanes.tolist() == [2, 3, 2], "the lanes are sorted as the rows"
    np.testing.assert_allclose(road.sizes[5], (40 * 0.3048, 8 * 0.3048))
    assert table.kind is not None and table.kind.tolist() == ["car", "truck", "car"]
    metric = read_ngsim(csv(tmp_path, HEAD + ROWS), "metres")
    np.testing.assert_allclose(metric.tracks.x * 0.3048, table.x)


@pytest.mark.parametrize(
    "line", ["2,15,10,far,15,6,2,40,1,2", "2,15.5,10,1,15,6,2,40,1,2", "2,15,10,1", "2,15,10,1,0,6,2,40,1,2",
             "2,13,10,101,15,6,2,40,1,2", "2,15,10,nan,15,6,2,40,1,2"],
)  # fmt: skip
def test_broken_lines_are_named_or_dropped(tmp_path: Path, line: str) -> None:
    file = csv(tmp_path, HEAD + ROWS + line + "\n" + "5,14,22,83,40,8,3,30,0,3\n")
    with pytest.raises(FormatError, match="line 5"):
        read_ngsim(file)
    with pytest.warns(FormatWarning, match="1 faulty"):
        assert len(read_ngsim(file, faulty="drop").tracks) == 4


def test_a_repeated_line_counts_once_and_a_column_is_missed(tmp_path: Path) -> None:
    assert len(read_ngsim(csv(tmp_path, HEAD + ROWS + ROWS)).tracks) == 3
    with pytest.raises(FormatError, match="lane_id"):
        read_ngsim(csv(tmp_path, HEAD.replace("Lane_ID", "lane") + ROWS))


def test_real_traffic(data: Path) -> None:
    road = read_ngsim(data / "traffic/ngsim_i80/i80_0400-0415_lanes1-3_partA.csv.gz", "metres")
    table = road.tracks
    assert len(road.sizes) > 50 and set(road.lanes) <= {1, 2, 3}
    gaps = []
    for id in table.ids[:20]:
        one = table.of(int(id))
        step = np.diff(one.t)
        near = np.isclose(step, 0.1)
        gaps.append(np.diff(one.x[:, 0])[near] / 0.1 - one.x[1:, 2][near])
    assert np.abs(np.concatenate(gaps)).mean() < 0.5, "x changes by the speed"


def scenario(extra: str = "", head: str = "") -> str:
    state = (
        "<position><point><x>{x}</x><y>2</y></point></position><orientation><exact>0.1</exact></orientation>"
        "<time><exact>{k}</exact></time><velocity><exact>5</exact></velocity>"
    )
    states = [state.format(x=0.5 * k, k=k) for k in range(3)]
    moves = "".join(f"<state>{each}</state>" for each in states[1:])
    bound = "<point><x>0</x><y>{0}</y></point><point><x>9</x><y>{0}</y></point>"
    return (
        f'<?xml version="1.0"?>{head}<commonRoad benchmarkID="A" timeStepSize="0.1">'
        f'<lanelet id="7"><leftBound>{bound.format(4)}</leftBound><rightBound>{bound.format(0)}</rightBound>'
        '<successor ref="8"/><speedLimit>20</speedLimit></lanelet>'
        '<obstacle id="1"><role>dynamic</role><type>car</type>'
        "<shape><rectangle><length>4</length><width>2</width></rectangle></shape>"
        f"<initialState>{states[0]}</initialState><trajectory>{moves}</trajectory></obstacle>"
        f'<staticObstacle id="2"><type>parkedVehicle</type><initialState>{states[0]}</initialState></staticObstacle>'
        f'<planningProblem id="3"><initialState>{states[0]}</initialState><goalState><position><lanelet ref="7"/>'
        "</position><time><intervalStart>10</intervalStart><intervalEnd>20</intervalEnd></time></goalState>"
        f"</planningProblem>{extra}</commonRoad>"
    )


def xml(folder: Path, text: str | bytes) -> Path:
    file = folder / "road.xml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def test_a_scenario_is_read(tmp_path: Path) -> None:
    road = read_commonroad(xml(tmp_path, gzip.compress(scenario().encode())))
    np.testing.assert_allclose(road.tracks.t, [0.0, 0.1, 0.2])
    np.testing.assert_allclose(road.tracks.x, [[0.5 * k, 2.0, 0.1, 5.0] for k in range(3)])
    assert road.sizes == {1: (4.0, 2.0)} and road.parked[2].tolist() == [0.0, 2.0, 0.1]
    assert road.lanelets[7].successors == (8,) and road.lanelets[7].speed_limit == 20.0
    assert road.lanelets[7].middle.tolist() == [[0.0, 2.0], [9.0, 2.0]]
    assert road.problems[3].lanelets == (7,) and road.problems[3].time == (1.0, 2.0)


BOMB = '<!DOCTYPE b [<!ENTITY a "aaaaaaaaaa">' + "".join(
    f'<!ENTITY {b} "{10 * f"&{a};"}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True)
) + "]>"  # fmt: skip


def test_bombs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="DOCTYPE"):
        read_commonroad(xml(tmp_path, scenario("<x>&i;</x>", BOMB)))
    outside = '<!DOCTYPE b [<!ENTITY i SYSTEM "file:///etc/hostname">]>'
    with pytest.raises(FormatError, match="DOCTYPE"):
        read_commonroad(xml(tmp_path, scenario("<x>&i;</x>", outside)))
    with pytest.raises(FormatError, match="deep"):
        read_commonroad(xml(tmp_path, "<commonRoad>" + 100_000 * "<a>"))
    with pytest.raises(FormatError, match="larger"):
        read_commonroad(xml(tmp_path, gzip.compress(bytes(201_000_000), 1)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<commonRoad", "<robot"), ('timeStepSize="0.1"', ""), ('timeStepSize="0.1"', 'timeStepSize="0"'),
        ('id="1"', 'id="one"'), ("<x>0.5</x>", "<x>nan</x>"), ("<exact>1</exact>", "<exact>1.5</exact>"),
        ("<exact>2</exact>", "<exact>1</exact>"), ("initialState", "state"), ("leftBound", "bound"),
        ('staticObstacle id="2"', 'staticObstacle id="1"'), ("</commonRoad>", ""),
    ],
)  # fmt: skip
def test_other_files_are_refused(tmp_path: Path, old: str, new: str) -> None:
    with pytest.raises(FormatError, match=r"road\.xml"):
        read_commonroad(xml(tmp_path, scenario().replace(old, new)))


def test_real_scenarios(data: Path) -> None:
    for name, moving in (("USA_US101-1_1_T-1", 2), ("USA_Lanker-1_1_T-1", 24), ("USA_Peach-2_1_T-1", 16)):
        road = read_commonroad(data / f"traffic/commonroad_ngsim/{name}.xml.gz")
        assert road.name == name and road.dt == 0.1 and len(road.problems) == 1
        assert len(road.tracks.ids) + len(road.parked) in (moving, moving + 1), road
        assert set(road.sizes) >= set(road.tracks.ids.tolist())


@st.composite
def damaged(draw: Any, content: bytes) -> bytes:
    """The content with a few pieces cut out, doubled, or replaced."""
    for _ in range(draw(st.integers(1, 3))):
        begin = draw(st.integers(0, len(content) - 1))
        end = min(begin + draw(st.integers(0, 12)), len(content))
        words = (b"nan", b"1e308", b"\x00", b"<", b"&", b",", b"\xff", b"9" * 400, b"-1")
        piece = draw(st.one_of(st.sampled_from(words), st.binary(max_size=4), st.just(2 * content[begin:end])))
        content = (content[:begin] + piece + content[end:]) or b" "
    return content


@pytest.mark.parametrize(
    ("content", "read"),
    [((HEAD + ROWS).encode(), lambda p: read_ngsim(p, faulty="drop")), (scenario().encode(), read_commonroad)],
    ids=["ngsim", "commonroad"],
)
@settings(max_examples=80)
@given(choices=st.data())
def test_damaged_traffic_is_read_or_refused(
    content: bytes, read: Callable[[Path], Any], choices: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as place, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file = Path(place, "x")
        file.write_bytes(choices.draw(damaged(content)))
        try:
            found = read(file)
        except PilotageError:
            return
    assert np.isfinite(found.tracks.x).all()
