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

from pilotage.core.errors import PilotageError
from pilotage.io import read_carmen
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
