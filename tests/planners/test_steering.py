"""Dubins and Reeds-Shepp curves: lengths against another implementation and a search, and the laws of a metric."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pilotage.control import Path
from pilotage.core import SettingError, ShapeError, Space
from pilotage.models import unicycle
from pilotage.models.trace import driver
from pilotage.models.trace.turns import sine_cosine
from pilotage.planners import Dubins, ReedsShepp
from pilotage.planners.steering._angles import direction

POSE = Space("pose: SE2")
CURVES = [Dubins, ReedsShepp]
Curve = type[Dubins] | type[ReedsShepp]


def poses(n: int, seed: int, extent: float = 6.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.column_stack([rng.uniform(-extent, extent, (n, 2)), rng.uniform(-np.pi, np.pi, n)])


def lattice(n: int, seed: int) -> np.ndarray:
    """Poses at whole numbers and quarter turns, where words degenerate and many are equally long."""
    rng = np.random.default_rng(seed)
    return np.column_stack([rng.integers(-6, 7, (n, 2)), rng.integers(-1, 3, n) * np.pi / 2])


def simulated(start: np.ndarray, segments: np.ndarray) -> np.ndarray:
    """The pose after driving segments, by the closed form of an arc."""
    x, y, yaw = start
    for curvature, length in segments:
        turned = yaw + curvature * length
        if curvature == 0.0:
            x, y = x + length * math.cos(yaw), y + length * math.sin(yaw)
        else:
            x += (math.sin(turned) - math.sin(yaw)) / curvature
            y -= (math.cos(turned) - math.cos(yaw)) / curvature
        yaw = turned
    return np.array([x, y, yaw])


@pytest.mark.parametrize("curve", CURVES)
def test_segments_lead_to_the_goal(curve: Curve) -> None:
    for draw in (poses, lattice):
        a, b = draw(400, 1), draw(400, 2)
        steering = curve(radius=1.5)
        reached, totals = np.empty((400, 3)), np.empty(400)
        for i in range(400):
            segments = steering.segments(a[i], b[i])
            reached[i], totals[i] = simulated(a[i], segments), abs(segments[:, 1]).sum()
            assert (abs(segments[:, 0]) * 1.5 <= 1.0 + 1e-12).all()
            if curve is Dubins:
                assert (segments[:, 1] > 0.0).all()
        assert abs(POSE.minus(b, reached)).max() < 1e-7
        np.testing.assert_allclose(totals, steering.distance(a, b), atol=1e-9)


@pytest.mark.parametrize("curve", CURVES)
def test_lengths_are_those_of_ompl(curve: Curve) -> None:
    base = pytest.importorskip("ompl.base")
    peer = base.DubinsStateSpace(1.5) if curve is Dubins else base.ReedsSheppStateSpace(1.5)
    a = np.concatenate([poses(3000, 3), poses(1000, 4, 0.5), lattice(1500, 5)])
    b = np.concatenate([poses(3000, 6), poses(1000, 7, 0.5), lattice(1500, 8)])
    lengths = curve(radius=1.5).distance(a, b)
    states = peer.allocState(), peer.allocState()
    for i in range(len(a)):
        for state, (x, y, yaw) in zip(states, (a[i], b[i]), strict=True):
            state.setX(x), state.setY(y), state.setYaw(yaw)
        assert lengths[i] == pytest.approx(peer.distance(*states), abs=1e-9), (a[i], b[i])


def test_angles_are_those_of_the_c_library() -> None:
    """Without branches and libraries, to a few units in the last place; in all octants, on the axes and far out."""

    @driver("void(f8[:,::1], f8[:,::1])")
    def evaluate(given, out):
        for i in range(given.shape[0]):
            out[i, 0] = direction(given[i, 0], given[i, 1])
            out[i, 1], out[i, 2] = sine_cosine(given[i, 2])

    rng = np.random.default_rng(14)
    given = rng.normal(size=(20_000, 3)) * 10.0 ** rng.integers(-9, 3, (20_000, 3))
    given[:100] = np.rint(given[:100]) + 0.0  # without negative zeros
    out = np.empty_like(given)
    evaluate(given, out)
    y, x, angle = given.T
    np.testing.assert_allclose(out[:, 0], np.arctan2(y, x), rtol=1e-15, atol=1e-15)
    np.testing.assert_allclose(out[:, 1:], np.stack([np.sin(angle), np.cos(angle)], -1), rtol=0.0, atol=1e-12)
    np.testing.assert_allclose(
        out[:, 1:][abs(angle) < 10.0],
        np.stack([np.sin(angle), np.cos(angle)], -1)[abs(angle) < 10.0],
        rtol=0.0,
        atol=5e-16,
    )


@pytest.mark.parametrize("curve", CURVES)
def test_no_random_word_is_shorter(curve: Curve) -> None:
    """Words of up to five random segments, driven from the origin: none gets anywhere sooner than the curve does."""
    rng = np.random.default_rng(9)
    for _ in range(2000):
        count = rng.integers(1, 6)
        lengths = rng.exponential(1.0, count) * (1.0 if curve is Dubins else rng.choice([-1.0, 1.0], count))
        word = np.column_stack([rng.integers(-1, 2, count), lengths])
        end = simulated(np.zeros(3), word)
        assert curve(radius=1.0).distance(np.zeros(3), end) <= abs(lengths).sum() + 1e-9


@pytest.mark.parametrize("curve", CURVES)
def test_lengths_obey_the_laws(curve: Curve) -> None:
    a, b, c = poses(2000, 10), poses(2000, 11), poses(2000, 12)
    steering = curve(radius=1.2)
    there = steering.distance(a, b)
    assert (there <= steering.distance(a, c) + steering.distance(c, b) + 1e-9).all(), "triangle inequality"
    assert (there >= np.hypot(*(b - a)[:, :2].T) - 1e-9).all()
    assert (steering.distance(a, a) == 0.0).all()
    np.testing.assert_allclose(steering.distance(a + [0, 0, 2 * np.pi], b), there, atol=1e-9)
    np.testing.assert_allclose(curve(radius=2.4).distance(a * [2, 2, 1], b * [2, 2, 1]), 2.0 * there, rtol=1e-12)
    np.testing.assert_allclose(steering.distance(a * [1, -1, -1], b * [1, -1, -1]), there, atol=1e-9)
    moved = POSE.compose([3.0, -1.0, 0.7], a), POSE.compose([3.0, -1.0, 0.7], b)
    np.testing.assert_allclose(steering.distance(*moved), there, atol=1e-8)
    turned = a + [0, 0, np.pi], b + [0, 0, np.pi]
    np.testing.assert_allclose(steering.distance(*turned[::-1]), there, atol=1e-8, err_msg="reversed in time")
    if curve is ReedsShepp:
        np.testing.assert_allclose(steering.distance(b, a), there, atol=1e-8)
        assert (there <= Dubins(radius=1.2).distance(a, b) + 1e-9).all()
    straight = curve(radius=1e-7).distance(a, b)
    np.testing.assert_allclose(straight, np.hypot(*(b - a)[:, :2].T), atol=2e-6)


@pytest.mark.parametrize("curve", CURVES)
def test_a_unicycle_drives_the_plan(curve: Curve) -> None:
    car, a, b = unicycle(), poses(40, 13), poses(40, 14)
    steering = curve(radius=1.0)
    for i in range(40):
        plan = steering.connect(a[i], b[i], spacing=0.05)
        assert plan.xs is not None
        assert plan.us is not None
        assert plan.ts is not None
        x = a[i]
        for u, dt in zip(plan.us, np.diff(plan.ts), strict=True):
            x = car.step(x, u, dt)
        assert abs(POSE.minus(b[i], x)).max() < 1e-4, "an integrator of the fourth order, in steps of 5 cm"
        assert np.diff(plan.ts).max() <= 0.05 + 1e-9
        assert plan.cost == pytest.approx(plan.ts[-1])
        assert plan.cost == pytest.approx(float(steering.distance(a[i], b[i])))
        whole = steering.connect(a[i], b[i])
        assert Path(whole).length == pytest.approx(plan.cost, abs=0.02)
        gears = plan.us[:, 0]
        assert len(Path(whole).legs) == 1 + (np.diff(gears) != 0.0).sum(), "a cusp ends a leg"


def test_bad_input_is_named() -> None:
    with pytest.raises(SettingError, match="radius"):
        ReedsShepp(radius=0.0)
    with pytest.raises(ShapeError, match="goal"):
        Dubins().distance([0, 0, 0], [1, 2])
    with pytest.raises(ShapeError, match="start"):
        Dubins().distance([0, math.nan, 0], [1, 2, 0])
    with pytest.raises(ShapeError, match="ends"):
        Dubins().connect([[0, 0, 0]], [1, 2, 0])
    with pytest.raises(SettingError, match="spacing"):
        Dubins().connect([0, 0, 0], [1, 2, 0], spacing=0.0)
    assert Dubins().connect([1, 2, 3], [1, 2, 3]).cost == 0.0
    assert ReedsShepp().distance(np.zeros((0, 3)), [1, 2, 3]).shape == (0,)
