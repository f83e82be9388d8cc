"""Point clouds: the three encodings both ways, public files, and damage as sentences."""

from __future__ import annotations

import gzip
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.extra.numpy import arrays

from pilotage.core.errors import FormatError, MissingFile, SettingError, ShapeError
from pilotage.io import PointCloud, read_pcd, write_pcd
from pilotage.io._lzf import compressed, decompressed

HEAD = (
    "# .PCD v0.7\nVERSION 0.7\nFIELDS x y z _ ring\nSIZE 4 4 4 1 2\nTYPE F F F U U\nCOUNT 1 1 1 4 2\n"
    "WIDTH 2\nHEIGHT 1\nVIEWPOINT 1 2 3 1 0 0 0\nPOINTS 2\nDATA %s\n"
)
TEXT = HEAD % "ascii" + "0.5 -1 nan 0 0 0 0 7 8\n1e3 2 3 0 0 0 0 9 65535\n"
ROWS = [(0.5, -1.0, np.nan, 0, 0, 0, 0, 7, 8), (1e3, 2.0, 3.0, 0, 0, 0, 0, 9, 65535)]
BINARY = (HEAD % "binary").encode() + b"".join(struct.pack("<fff4B2H", *row) for row in ROWS)


def written(folder: Path, content: bytes | str, name: str = "cloud.pcd") -> Path:
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def columns() -> bytes:
    x, y, z = (struct.pack("<2f", *(row[k] for row in ROWS)) for k in range(3))
    raw = x + y + z + bytes(8) + struct.pack("<4H", 7, 8, 9, 65535)
    # Literals first, then the eight zeros as one zero and a copy of it, and literals again.
    packed = bytes([23]) + raw[:24] + bytes([0, 0, 5 << 5, 0, 7]) + raw[32:]
    return (HEAD % "binary_compressed").encode() + struct.pack("<II", len(packed), len(raw)) + packed


@pytest.mark.parametrize(
    "content", [TEXT, BINARY, columns(), gzip.compress(BINARY)], ids=["text", "binary", "lzf", "gz"]
)
def test_by_hand(content: bytes | str, tmp_path: Path) -> None:
    cloud = read_pcd(written(tmp_path, content))
    assert list(cloud.fields) == ["x", "y", "z", "ring"] and cloud.shape is None and len(cloud) == 2
    np.testing.assert_array_equal(cloud.points, [[0.5, -1.0, np.nan], [1e3, 2.0, 3.0]])
    assert cloud.fields["ring"].tolist() == [[7, 8], [9, 65535]] and cloud.fields["ring"].dtype == np.uint16
    assert cloud.viewpoint == (1.0, 2.0, 3.0, 1.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("encoding", ["ascii", "binary", "binary_compressed"])
@pytest.mark.parametrize("count", [0, 1, 4000])
def test_there_and_back(encoding: Any, count: int, tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    fields = {
        "x": draw.normal(size=count).astype(np.float32),
        "y": np.where(draw.random(count) < 0.2, np.nan, 1.0),
        "z": draw.normal(size=count),
        "label": draw.integers(-(2**62), 2**62, count),
        "rgb": draw.integers(0, 256, (count, 3)).astype(np.uint8),
    }
    cloud = PointCloud(fields, (2, count // 2) if count > 1 else None, (0.1, 0, 0, 1, 0, 0, 0))
    write_pcd(tmp_path / "cloud.pcd", cloud, encoding)
    again = read_pcd(tmp_path / "cloud.pcd")
    assert again.shape == cloud.shape and again.viewpoint == cloud.viewpoint
    for name, values in fields.items():
        np.testing.assert_array_equal(again.fields[name], values)
        assert again.fields[name].dtype == values.dtype


@pytest.mark.parametrize(
    ("name", "count"),
    [("bun0.pcd", 397), ("bun4.pcd", 361), ("lamppost.pcd", 1771), ("milk.pcd.gz", 13704), ("car6.pcd.gz", 10031)],
)
def test_public_files(name: str, count: int, data: Path, tmp_path: Path) -> None:
    cloud = read_pcd(data / "octree" / "pcd" / name)
    assert len(cloud) == count and cloud.points.shape == (count, 3)
    for encoding in ("ascii", "binary", "binary_compressed"):
        write_pcd(tmp_path / "again.pcd", cloud, encoding)
        np.testing.assert_array_equal(read_pcd(tmp_path / "again.pcd").points, cloud.points)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "lacks FIELDS"),
        (TEXT.replace("DATA", "DATUM"), "lacks DATA"),
        (TEXT.replace("DATA ascii", "DATA zip"), "zip"),
        (TEXT.replace("COUNT 1 1 1", "COUNT 1 1"), "different numbers"),
        (TEXT.replace("SIZE 4", "SIZE 3"), "SIZE 3"),
        (TEXT.replace("TYPE F", "TYPE Q"), "TYPE Q"),
        (TEXT.replace("COUNT 1", "COUNT 0"), "COUNT"),
        (TEXT.replace("COUNT 1", "COUNT 9999999"), "COUNT"),
        (TEXT.replace("_ ring", "x ring"), "same name"),
        (TEXT.replace("WIDTH 2", "WIDTH 3"), "not POINTS"),
        (TEXT.replace("WIDTH 2", "WIDTH -2"), "-2"),
        (TEXT.replace("VIEWPOINT 1", "VIEWPOINT one"), "VIEWPOINT"),
        (TEXT.replace("-1 nan", "-1"), "point 1"),
        (TEXT.replace("-1 nan", "-1 north"), "field z"),
        (TEXT.replace("65535", "-1.5"), "field ring"),
        (TEXT.replace("1e3", "1" * 999), "point 2"),
        (TEXT[:-24], "truncated"),
        (BINARY[:-1], "holds 1"),
        (BINARY.replace(b"WIDTH 2", b"WIDTH 999999999").replace(b"POINTS 2", b"POINTS 999999999"), "truncated"),
        (columns()[:-1], "compressed in"),
        (columns().replace(bytes([0, 0, 5 << 5, 0, 7]), bytes([0, 0, 5 << 5, 99, 7])), "damaged"),
        (gzip.compress(BINARY)[:-20], "gzip"),
    ],
)
def test_damage_is_a_sentence(content: bytes | str, said: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=said):
        read_pcd(written(tmp_path, content))


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_bytes_are_a_cloud_or_a_sentence(tmp_path: Path, data: st.DataObject) -> None:
    good = data.draw(st.sampled_from([TEXT.encode(), BINARY, columns()]))
    at = data.draw(st.integers(0, len(good)))
    content = good[:at] + data.draw(st.binary(max_size=12)) + good[at + data.draw(st.integers(0, 12)) :]
    try:
        cloud = read_pcd(written(tmp_path, content))
    except FormatError:
        return
    assert all(len(values) == len(cloud) for values in cloud.fields.values())


def test_memory_does_not_follow_a_promise(tmp_path: Path) -> None:
    many = columns().replace(b"WIDTH 2", b"WIDTH 200000000").replace(b"POINTS 2", b"POINTS 200000000")
    head, _, body = many.partition(b"binary_compressed\n")
    lying = head + b"binary_compressed\n" + body[:4] + struct.pack("<I", 200000000 * 20 % 2**32) + body[8:]
    for content in (lying, TEXT.replace("WIDTH 2", "WIDTH 99999999999").replace("POINTS 2", "POINTS 99999999999")):
        file = written(tmp_path, content)
        tracemalloc.start()
        with pytest.raises(FormatError):
            read_pcd(file)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 1_000_000


@settings(max_examples=100)
@given(arrays(np.uint8, st.integers(0, 600), elements=st.sampled_from([0, 1, 2, 255])))
def test_compression_loses_nothing(data: Any) -> None:
    packed = compressed(data).tobytes()
    assert len(packed) <= len(data) + len(data) // 32 + 2
    found = decompressed(packed, len(data))
    assert found is not None and found.tobytes() == data.tobytes()
    assert decompressed(packed, len(data) + 1) is None


@settings(max_examples=200)
@given(st.binary(max_size=40), st.integers(0, 400))
def test_damaged_compression_is_told(packed: bytes, size: int) -> None:
    found = decompressed(packed, size)
    assert found is None or len(found) == size


def test_long_runs_become_short() -> None:
    assert len(compressed(np.zeros(100_000, dtype=np.uint8))) < 1200


def test_values_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    cloud = PointCloud.of(np.zeros((2, 3)))
    wrongs: list[Any] = [{}, {"x": np.zeros(2), "y": np.zeros(3)}, {"x": np.float64(1.0)}, {"x": np.zeros((2, 2, 2))}]
    for wrong in wrongs:
        with pytest.raises(ShapeError, match="fields"):
            PointCloud(wrong)
    with pytest.raises(ShapeError, match="shape"):
        PointCloud(cloud.fields, (2, 2))
    with pytest.raises(ShapeError, match="viewpoint"):
        PointCloud(cloud.fields, viewpoint=(0.0,))
    with pytest.raises(ShapeError, match="no field z"):
        _ = PointCloud({"x": np.zeros(2), "y": np.zeros(2)}).points
    for name, values in (("a b", np.zeros(2)), ("c", np.zeros(2, dtype=complex)), ("d", np.zeros(2, dtype=np.float16))):
        with pytest.raises(FormatError):
            write_pcd(tmp_path / "cloud.pcd", PointCloud({name: values}))
    with pytest.raises(SettingError, match="encoding"):
        write_pcd(tmp_path / "cloud.pcd", cloud, "zip")  # type: ignore[arg-type]
    with pytest.raises(SettingError):
        write_pcd(tmp_path / "cloud.pcd", np.zeros((2, 3)))  # type: ignore[arg-type]
    with pytest.raises(MissingFile):
        write_pcd(tmp_path / "missing" / "cloud.pcd", cloud)
    assert not list(tmp_path.iterdir())
