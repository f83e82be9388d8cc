"""Grey images: both dialects read the same, and damage is a sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pilotage.core.errors import FormatError
from pilotage.io import read_pgm
from pilotage.io.pgm import encode_pgm

IMAGES = arrays(np.uint8, st.tuples(st.integers(1, 7), st.integers(1, 7)))


@given(pixels=IMAGES)
def test_binary_round_trip(pixels: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("pgm") / "image.pgm"
    file.write_bytes(encode_pgm(pixels, comment="made by a test\nin two lines"))
    np.testing.assert_array_equal(read_pgm(file), pixels)


@given(pixels=IMAGES)
def test_text_says_the_same(pixels: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("pgm") / "image.pgm"
    body = " # remark\n".join(" ".join(map(str, row)) for row in pixels)
    file.write_text(f"P2 # magic\n# more\n{pixels.shape[1]}\n{pixels.shape[0]} 255\n{body}\n")
    np.testing.assert_array_equal(read_pgm(file), pixels)


def test_pillow_reads_what_we_write(tmp_path: Path) -> None:
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 256, (13, 9), dtype=np.uint8)
    (tmp_path / "a.pgm").write_bytes(encode_pgm(pixels, comment="5 m"))
    with Image.open(tmp_path / "a.pgm") as image:
        np.testing.assert_array_equal(np.asarray(image), pixels)


def test_sixteen_bits_and_odd_peaks_are_scaled(tmp_path: Path) -> None:
    (tmp_path / "deep.pgm").write_bytes(b"P5 3 1 65535\n" + np.array([0, 32896, 65535], dtype=">u2").tobytes())
    np.testing.assert_array_equal(read_pgm(tmp_path / "deep.pgm"), [[0, 128, 255]])
    (tmp_path / "shallow.pgm").write_bytes(b"P2 3 1 15  0 3 15")
    np.testing.assert_array_equal(read_pgm(tmp_path / "shallow.pgm"), [[0, 51, 255]])


def test_line_ends_of_windows(tmp_path: Path) -> None:
    (tmp_path / "text.pgm").write_bytes(b"P2\r\n# by hand\r\n3 1\r\n255\r\n0 10 255\r\n")
    (tmp_path / "binary.pgm").write_bytes(b"P5\r\n3 1\r\n255\r\n\x00\x0a\xff")
    for name in ("text.pgm", "binary.pgm"):
        np.testing.assert_array_equal(read_pgm(tmp_path / name), [[0, 10, 255]])
    # A carriage return alone ends the header; then 10 is the first pixel.
    (tmp_path / "return.pgm").write_bytes(b"P5 3 1 255\r\n\x00\xff")
    np.testing.assert_array_equal(read_pgm(tmp_path / "return.pgm"), [[10, 0, 255]])


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "starts with P5 or P2"),
        (b"P6 1 1 255 \x00", "starts with P5 or P2"),
        (b"P5 3", "ends before its height"),
        (b"P5 3 x 255 ", "height must be a positive integer"),
        (b"P5 0 3 255 ", "width must be a positive integer"),
        (b"P5 -4 3 255 ", "width must be a positive integer"),
        (b"P5 3 3 70000 ", "at most 65535"),
        (b"P5 999999999 999999999 255\n", "more than"),
        (b"P5 3 3 255\n\x00\x00", "promises 9 pixels, the file holds 2: truncated"),
        (b"P2 3 1 255 7 8", "promises 3 pixels, the file holds 2: truncated"),
        (b"P2 2 1 255 7 x", "not a number"),
        (b"P2 2 1 255 7 " + 9000 * b"x", "not a number"),
        (b"P2 2 1 255 7 " + 9000 * b"9", "not a number"),
        (b"P2 2 1 255 7 -8", "the least is 0"),
        (b"P2 2 1 100 7 101", "the header says at most 100"),
    ],
)
def test_damage_is_a_sentence_that_names_the_file(content: bytes, sentence: str, tmp_path: Path) -> None:
    file = tmp_path / "damaged.pgm"
    file.write_bytes(content)
    with pytest.raises(FormatError, match=sentence) as caught:
        read_pgm(file)
    assert "damaged.pgm" in str(caught.value)
    assert len(str(caught.value)) < 1000
