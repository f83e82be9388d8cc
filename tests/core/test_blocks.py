"""Blocks of numbers: images and latents."""

from __future__ import annotations

import pickle
import time

import numpy as np
import pytest

from pilotage.core import Block, Diagonal, Real, ShapeError, Space, SpaceError

IMAGE = Space("camera: uint8[3, 64, 64]")


def test_an_image_is_declared_in_no_time():
    took = []
    for i in range(20):
        start = time.perf_counter()
        space = Space(f"camera{i}: uint8[3, 64, 64]", "x [m]")
        assert (space.size, space.dim) == (12289, 12289)
        took.append(time.perf_counter() - start)
    assert min(took) < 1e-3


def test_strings_and_parts_declare_the_same_block():
    assert Space(Block("camera", (3, 64, 64), "uint8")) == IMAGE
    assert repr(IMAGE) == "Space('camera: uint8[3, 64, 64]')"
    half = Space("z: float32[16] in [0, 0.5]")
    assert eval(repr(half)) == half == pickle.loads(pickle.dumps(half))
    assert hash(half) == hash(Space("z: float32[16]").bounded(z=(0, 0.5)))
    assert IMAGE.names[65] == "camera[0,1,1]"
    with pytest.raises(SpaceError, match="one number of a block"):
        IMAGE.bounded({"camera[0,1,1]": (0, 1)})
    with pytest.raises(SpaceError, match="used twice"):
        Space(IMAGE.parts[0], "camera")


def test_images_are_checked_and_laid_out():
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (5, 3, 64, 64), dtype=np.uint8)
    flat = IMAGE.check(images)
    assert flat.shape == (5, 12288)
    assert flat.dtype == np.uint8
    assert np.shares_memory(flat, images)
    np.testing.assert_array_equal(flat.reshape(5, *IMAGE.shape), images)
    np.testing.assert_array_equal(IMAGE.check(images.astype(float)), flat)
    for bad, sentence in (
        (images + 0.5, "whole numbers"),
        (images.astype(int) + 100, "whole numbers"),
        (images[:, :2], r"expected \(..., 12288\) holding camera \(3, 64, 64\)"),
        (np.where(images > 3, np.nan, 1.0), "NaN or infinite in camera"),
    ):
        with pytest.raises(ShapeError, match=sentence):
            IMAGE.check(bad)


def test_moves_of_blocks_are_computed_in_floats():
    x, y = IMAGE.sample(2, rng=1)
    d = IMAGE.minus(y, x)
    assert d.dtype == np.float32
    np.testing.assert_array_equal(d, y.astype(int) - x.astype(int))
    np.testing.assert_array_equal(IMAGE.clip(IMAGE.plus(x, d)), y)
    assert IMAGE.clip(IMAGE.plus(x, 300.0 + d)).max() == 255
    assert IMAGE.tangent == Space("camera: float32[3, 64, 64]")
    mixed = Space("pose: SE2", "z: float32[4]")
    assert mixed.dtype == mixed.plus(mixed.identity(), np.ones(7)).dtype == np.float64


def test_beliefs_about_images_are_diagonal():
    belief = Diagonal(IMAGE, IMAGE.sample(rng=2), 4.0)
    assert belief.mean.dtype == belief.var.dtype == np.float32
    assert belief.sample(2, rng=3).shape == (2, 12288)
    assert str(belief).startswith("camera (3, 64, 64): ")


def test_boxes_have_the_shape_and_type_of_the_block():
    pytest.importorskip("gymnasium")
    from pilotage.envs import box
    from pilotage.envs.boxes import Shown

    found = box(IMAGE)
    assert (found.shape, found.dtype) == ((3, 64, 64), np.uint8)
    image = Shown(IMAGE)(IMAGE.sample(rng=4) + 0.3)
    assert found.contains(image)
    assert box(Space("z: float32[4]")).dtype == np.float32
    assert box(Space("z: float32[4]", "x [m]"), dtype=np.float64).dtype == np.float64


def test_bounds_of_reals_and_blocks():
    assert Space(Real("x"), "z: int8[2]").low.tolist() == [-np.inf, -128.0, -128.0]
