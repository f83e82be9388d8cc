"""Files of OctoMap by hand, byte for byte, and damage as sentences."""

from __future__ import annotations

import struct
import tracemalloc
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from pilotage.core.errors import FormatError, PilotageError, SettingError, ShapeError
from pilotage.io import OctoMapFile, read_octomap, write_octomap

HEAD = b"# Octomap OcTree binary file\n# a comment\nid OcTree\nsize %d\nres 0.25\ndata\n"
FULL = HEAD.replace(b" binary", b"")
# The root: child 0 free, child 3 an inner node, child 7 occupied; in child 3: child 1 occupied, child 4 free.
TWO = bytes([0b11000001, 0b10000000, 0b00001000, 0b00000001])


def written(folder: Path, content: bytes, name: str = "map.bt") -> Path:
    file = folder / name
    file.write_bytes(content)
    return file


def test_binary_by_hand(tmp_path: Path) -> None:
    tree = read_octomap(written(tmp_path, HEAD % 6 + TWO))
    top, below = 1 << 45, 1 << 42
    assert tree.resolution == 0.25
    assert tree.codes.tolist() == [0, 3 * top + below, 3 * top + 4 * below, 7 * top]
    assert tree.levels.tolist() == [15, 14, 14, 15]
    assert tree.log_odds.tolist() == [-np.inf, np.inf, -np.inf, np.inf]


def test_full_by_hand(tmp_path: Path) -> None:
    nodes = [(2.5, 0b10001001), (-1.5, 0), (0.5, 0b00010010), (0.5, 0), (-0.25, 0), (2.5, 0)]
    body = b"".join(struct.pack("<fB", *node) for node in nodes)
    tree = read_octomap(written(tmp_path, FULL % 6 + body, "map.ot"))
    assert tree.levels.tolist() == [15, 14, 14, 15]
    assert tree.log_odds.tolist() == [-1.5, 0.5, -0.25, 2.5]
    write_octomap(tmp_path / "again.ot", tree)
    assert (tmp_path / "again.ot").read_bytes().split(b"data\n")[1] == body


def test_there_and_back(tmp_path: Path) -> None:
    write_octomap(tmp_path / "again.bt", read_octomap(written(tmp_path, HEAD % 6 + TWO)))
    again = (tmp_path / "again.bt").read_bytes()
    assert again.endswith(b"data\n" + TWO) and b"size 6\nres 0.25\n" in again
    nothing = read_octomap(written(tmp_path, HEAD % 0))
    assert len(nothing.codes) == 0
    for name in ("none.bt", "none.ot"):
        write_octomap(tmp_path / name, nothing)
        assert len(read_octomap(tmp_path / name).codes) == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "begins with"),
        (b"# something else\ndata\n", "begins with"),
        (HEAD[:40], "begins with"),
        ((HEAD % 6).replace(b"id OcTree", b"id ColorOcTree") + TWO, "ColorOcTree"),
        ((HEAD % 6).replace(b"id OcTree\n", b"") + TWO, "missing"),
        ((HEAD % 6).replace(b"0.25", b"-1") + TWO, "-1"),
        ((HEAD % 6).replace(b"0.25", b"nan") + TWO, "nan"),
        ((HEAD % 6).replace(b"size 6", b"size six") + TWO, "six"),
        ((HEAD % 6).replace(b"size 6", b"size -6") + TWO, "-6"),
        (HEAD % 5 + TWO, "promises 5 nodes"),
        (HEAD % 999_999_999_999 + TWO, "999,999,999,999"),
        (HEAD % 0 + TWO, "0 nodes"),
        (HEAD % 6, "truncated"),
        (HEAD % 6 + TWO[:3], "truncated"),
        (HEAD % 6 + TWO[:2], "truncated"),
        (HEAD % 6 + TWO + b"\x01\x00", "ends after 2"),
        (HEAD % 17 + b"\x03\x00" * 16 + b"\x01\x00", "16 levels"),
        (FULL % 1 + struct.pack("<fB", np.nan, 0), "NaN"),
        (FULL % 18 + struct.pack("<fB", 0.0, 1) * 17 + struct.pack("<fB", 0.0, 0), "16 levels"),
        (FULL % 2 + struct.pack("<fB", 0.0, 1) + b"\x00", "truncated"),
    ],
)
def test_damage_is_a_sentence(content: bytes, said: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=said):
        read_octomap(written(tmp_path, content))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_bytes_are_a_tree_or_a_sentence(tmp_path: Path, data: st.DataObject) -> None:
    good = (HEAD % 6 + TWO) if data.draw(st.booleans()) else FULL % 1 + struct.pack("<fB", 1.0, 0)
    at = data.draw(st.integers(0, len(good)))
    middle = data.draw(st.binary(max_size=12))
    content = good[:at] + middle + good[at + data.draw(st.integers(0, 12)) :]
    try:
        tree = read_octomap(written(tmp_path, content))
    except FormatError:
        return
    assert (np.diff(tree.codes) > 0).all() and ((tree.levels >= 0) & (tree.levels <= 16)).all()


def test_memory_does_not_follow_a_promise(tmp_path: Path) -> None:
    file = written(tmp_path, HEAD % 10**15 + TWO * 50)
    with pytest.raises(FormatError):
        read_octomap(file)
    tracemalloc.start()
    with pytest.raises(FormatError):
        read_octomap(file)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_values_that_do_not_fit_each_other_are_refused(tmp_path: Path) -> None:
    codes, levels, values = np.array([0]), np.array([15], dtype=np.int8), np.array([1.0], dtype=np.float32)
    with pytest.raises(ShapeError, match="shapes"):
        OctoMapFile(0.1, codes, levels, values[:0])
    with pytest.raises(SettingError, match="resolution"):
        OctoMapFile(0.0, codes, levels, values)
    tree = OctoMapFile(0.1, codes, levels, values)
    with pytest.raises(FormatError, match=r"\.bt or \.ot"):
        write_octomap(tmp_path / "map.pcd", tree)
    with pytest.raises(PilotageError):
        write_octomap(tmp_path / "missing" / "map.bt", tree)
