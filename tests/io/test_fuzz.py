"""Files of maps and logs with any bytes changed: they are read, or refused with a Pilotage error."""

from __future__ import annotations

import gzip
import io
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pilotage.core import Scans
from pilotage.core.errors import PilotageError
from pilotage.io import (
    read_adsb,
    read_ais,
    read_bal,
    read_carmen,
    read_kitti_labels,
    read_mot_detections,
    read_mot_truth,
    read_radar_csv,
)
from pilotage.maps import OccupancyGrid, OccupancyMap

SCAN = "FLASER 3 1.0 2.5 81.83 0.5 -0.5 1.5 0.6 -0.4 1.4 12.5 host 13.0\n"
YAML = """image: map.png
resolution: 0.05
origin: [1.0, 2.0, 0.0]
negate: 0
occupied_thresh: 0.65
free_thresh: 0.25
"""
NUMBERS = ("nan", "inf", "-1", "1e308", "1e-308", "1e999", "0", "9" * 400)
WORDS = (*(word.encode() for word in NUMBERS), b"\x00", b"\xff\xfe", b"\n", b" ", b"{", b"[")


def image(kind: str) -> bytes:
    buffer = io.BytesIO()
    shades = np.random.default_rng(0).choice([0, 205, 254], (6, 9)).astype(np.uint8)
    Image.fromarray(shades).save(buffer, format="PPM" if kind == "pgm" else kind.upper())
    return buffer.getvalue()


def mapped(folder: Path) -> OccupancyGrid:
    log = read_carmen(folder / "walk.log")
    return OccupancyMap(0.5).insert(log.poses, log.ranges, log.angles, 10.0).grid()


Reader = Callable[[Path], Any]
FILES: dict[str, tuple[str, bytes, Reader]] = {
    "carmen": ("walk.log", 3 * SCAN.encode(), mapped),
    "carmen.gz": ("walk.log", gzip.compress(3 * SCAN.encode()), mapped),
    "yaml": ("map.yaml", YAML.encode(), lambda folder: OccupancyGrid.load(folder / "map.yaml")),
    "png": ("map.png", image("png"), lambda folder: OccupancyGrid.load(folder / "map.yaml")),
    "pgm": ("map.pgm", image("pgm"), lambda folder: OccupancyGrid.load(folder / "map.pgm", resolution=0.05)),
}


@st.composite
def damaged(draw: Any, content: bytes) -> bytes:
    """The content with a few pieces cut out, doubled, or replaced by words or any bytes."""
    for _ in range(draw(st.integers(1, 3))):
        begin = draw(st.integers(0, max(len(content) - 1, 0)))
        end = min(begin + draw(st.integers(0, 12)), len(content))
        piece = draw(st.one_of(st.sampled_from(WORDS), st.binary(max_size=4), st.just(2 * content[begin:end])))
        content = content[:begin] + piece + content[end:]
    return content


@pytest.mark.parametrize("kind", FILES)
@settings(max_examples=60)
@given(choices=st.data())
def test_a_damaged_file_is_read_or_refused(kind: str, choices: st.DataObject) -> None:
    name, content, read = FILES[kind]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "map.yaml").write_text(YAML)
        (folder / "map.png").write_bytes(image("png"))
        (folder / name).write_bytes(choices.draw(damaged(content)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                found = read(folder)
            except PilotageError:
                return
    assert np.isfinite(found.resolution) and found.resolution > 0.0
    assert 0 not in found.log_odds.shape


STATES = "time,icao24,lat,lon,velocity,heading,vertrate,onground,baroaltitude,geoaltitude\n"
TRACK_FILES: dict[str, tuple[bytes, Callable[..., Any]]] = {
    "mot truth": (b"1,1,10,20,30,40,1,1,0.8\n2,2,50,20,30,40,1,1,1.0\n", read_mot_truth),
    "mot detections": (b"1,-1,10,20,30,40,0.9,-1,-1,-1\n3,-1,50,20,30,40,0.8,-1,-1,-1\n", read_mot_detections),
    "kitti": (2 * b"0 3 Car 0 0 0.1 10 20 50 40 1.5 1.6 4.0 2.0 1.7 12.0 0.3\n", read_kitti_labels),
    "adsb": (STATES.encode() + b"1626098400,3c4591,51.5,-0.4,250,90,-2,False,10668,10843\n", read_adsb),
    "ais": (b"MMSI,BaseDateTime,LAT,LON,SOG,COG\n235012345,2017-01-01T00:00:00,50.8,-1.3,10,90\n", read_ais),
    "csv": (
        b"time,range,bearing\n1.0,20,0.3\n2.0,21,0.4\n",
        lambda path, **s: read_radar_csv(path, "range bearing", **s),
    ),
}


@pytest.mark.parametrize("faulty", ["refuse", "drop"])
@pytest.mark.parametrize("kind", TRACK_FILES)
@settings(max_examples=60)
@given(choices=st.data())
def test_damaged_tracks_are_read_or_refused(kind: str, faulty: str, choices: st.DataObject) -> None:
    content, read = TRACK_FILES[kind]
    with tempfile.TemporaryDirectory() as place, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file = Path(place, "tracks.txt")
        file.write_bytes(choices.draw(damaged(content)))
        try:
            found = read(file, faulty=faulty)
        except PilotageError:
            return
    states = found.z if isinstance(found, Scans) else getattr(found, "tracks", getattr(found, "boxes", found)).x
    assert np.isfinite(states).all()


BUNDLE = b"""2 2 3
0 0 10.5 -20
0 1 3e1 40
1 0 -5 6.25
0.1 0.2 -0.1 1 2 3 400 1e-3 0
0 0 0 0 0 0 400 0 0
1 2 -40
-3 4 -50
"""


@settings(max_examples=80)
@given(choices=st.data())
def test_a_damaged_bundle_is_read_or_refused(choices: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as place:
        file = Path(place, "bundle.txt")
        file.write_bytes(choices.draw(damaged(BUNDLE)))
        try:
            found = read_bal(file)
        except PilotageError:
            return
    assert all(np.isfinite(each).all() for each in (found.poses, found.lenses, found.points, found.pixels))
    assert found.frames.max() < len(found.poses) and found.landmarks.max() < len(found.points)
