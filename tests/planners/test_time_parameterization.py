"""Speed profiles: within all limits, and as soon as a linear program and closed forms allow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import linprog

from pilotage.core import Plan, PlanStatus, SettingError, ShapeError, Space
from pilotage.planners import ReedsShepp, TimeParameterization
from pilotage.planners.smoothing._jerk import jerk_limited
from pilotage.planners.smoothing._passes import curvatures

POINT = Space("x y [m]")


def path(xs: Any, space: Space = POINT) -> Plan:
    return Plan(PlanStatus.SOLVED, space, np.asarray(xs, dtype=float), cost=1.0)


def wavy(seed: int) -> Plan:
    """A smooth path with random bends."""
    draw = np.random.default_rng(seed)
    s = np.linspace(0.0, 12.0, 200)
    heading = sum(draw.normal() * np.sin(k * s / 2.0 + draw.uniform(0, 6)) for k in range(1, 4))
    steps = 0.06 * np.stack([np.cos(heading), np.sin(heading)], -1)
    return path(np.concatenate([[[0.0, 0.0]], np.cumsum(steps, axis=0)]))


def within(plan: Plan, limits: TimeParameterization) -> None:
    """The limits, from times and positions alone."""
    assert plan.ts is not None and plan.xs is not None
    steps, dt = np.diff(plan.xs[:, :2], axis=0), np.diff(plan.ts)
    ds = np.linalg.norm(steps, axis=-1)
    assert (dt > 0.0).all()
    mean = ds / dt
    assert mean.max() <= limits.speed * (1 + 1e-6)
    v = np.empty(len(mean) + 1)  # the acceleration is constant between states: the mean speed is the middle one
    v[0] = limits.start_speed
    for k, each in enumerate(mean):
        v[k + 1] = 2.0 * each - v[k]
    np.testing.assert_allclose(v, plan.stats["speed"], atol=1e-6)
    a = np.diff(v) / dt
    assert a.max() <= limits.acceleration * (1 + 1e-5)
    assert a.min() >= -(limits.braking or limits.acceleration) * (1 + 1e-5)
    assert (v[1:-1] ** 2 * abs(curvatures(steps, ds))).max() <= limits.lateral * (1 + 1e-6)
    if limits.jerk is not None:
        assert (abs(np.diff(a)) / (0.5 * (dt[1:] + dt[:-1]))).max() <= limits.jerk * (1 + 1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_the_profile_is_the_optimum_of_a_linear_program(seed: int) -> None:
    """The largest profile within linear limits maximises any positive sum of its values."""
    limits = TimeParameterization(speed=1.5, acceleration=0.6, braking=0.9, lateral=0.4, start_speed=0.1, spacing=0.1)
    plan = limits.parameterize(wavy(seed))
    within(plan, limits)
    steps = np.diff(plan.xs, axis=0)
    ds = np.linalg.norm(steps, axis=-1)
    top = np.full(len(ds) + 1, limits.speed**2)
    top[1:-1] = np.minimum(top[1:-1], limits.lateral / abs(curvatures(steps, ds)))
    bounds = [(0.01, 0.01), *((0.0, each) for each in top[1:-1]), (0.0, 0.0)]
    D = sp.diags_array([-np.ones(len(ds)), np.ones(len(ds))], offsets=[0, 1], shape=(len(ds), len(ds) + 1))
    rows, room = sp.vstack([D, -D]), np.concatenate([2 * 0.6 * ds, 2 * 0.9 * ds])
    reference = linprog(-np.ones(len(top)), rows, room, bounds=bounds)
    np.testing.assert_allclose(plan.stats["speed"] ** 2, reference.x, atol=1e-6)


@pytest.mark.parametrize(("length", "v", "a"), [(4.0, 1.0, 0.5), (10.0, 2.0, 0.5), (1.0, 3.0, 2.0)])
def test_a_straight_line_takes_the_time_of_a_trapezoid(length: float, v: float, a: float) -> None:
    plan = TimeParameterization(speed=v, acceleration=a).parameterize(path([[1.0, 1.0], [1.0, 1.0 + length]]))
    exact = length / v + v / a if length >= v * v / a else 2.0 * np.sqrt(length / a)
    assert plan.cost == pytest.approx(exact, rel=1e-2)
    assert plan.cost >= exact * (1 - 1e-9)


@pytest.mark.parametrize(("length", "v", "a", "jerk"), [(10.0, 1.0, 0.5, 1.0), (6.0, 1.0, 0.5, 0.5)])
def test_a_straight_line_with_jerk_takes_the_time_of_a_double_s(length: float, v: float, a: float, jerk: float) -> None:
    limits = TimeParameterization(speed=v, acceleration=a, jerk=jerk)
    plan = limits.parameterize(path([[0.0, 0.0], [length, 0.0]]))
    within(plan, limits)
    assert plan.cost == pytest.approx(length / v + v / a + a / jerk, rel=1e-2)


@pytest.mark.parametrize("seed", range(3))
def test_jerk_is_limited_on_bends(seed: int) -> None:
    limits = TimeParameterization(speed=1.5, acceleration=0.6, lateral=0.4, jerk=0.8, spacing=0.1)
    plan = limits.parameterize(wavy(seed))
    assert plan, plan.reason
    within(plan, limits)
    free = TimeParameterization(speed=1.5, acceleration=0.6, lateral=0.4, spacing=0.1).parameterize(wavy(seed))
    assert free.cost < plan.cost < 1.5 * free.cost
    assert plan.lower_bound <= free.cost


def test_a_car_stops_where_it_reverses() -> None:
    plan = ReedsShepp(1.0).connect([0.0, 0.0, 0.0], [0.0, 1.0, 0.0])
    timed = TimeParameterization(speed=2.0).parameterize(plan)
    assert timed.us is not None and timed.ts is not None
    gears = np.sign(timed.us[:, 0])
    cusps = np.flatnonzero(gears[1:] != gears[:-1]) + 1
    assert len(cusps)
    np.testing.assert_array_equal(timed.stats["speed"][cusps], 0.0)
    # The controls drive the path.
    turned = np.cumsum(np.append(0.0, timed.us[:, 1] * np.diff(timed.ts)))
    np.testing.assert_allclose(np.cos(turned), np.cos(timed.xs[:, 2]), atol=1e-6)
    distance = abs(timed.us[:, 0]) @ np.diff(timed.ts)
    assert distance == pytest.approx(plan.cost, rel=1e-3)


@pytest.mark.parametrize("jerk", [None, 2.0])
def test_short_legs_between_rests(jerk: float | None) -> None:
    """A path shorter than the spacing, and a short leg between two cusps."""
    limits = TimeParameterization(spacing=0.05, jerk=jerk)
    short = limits.parameterize(path([[0.0, 0.0], [0.03, 0.0]]))
    assert short.ok, short.reason
    within(short, limits)
    back = limits.parameterize(path([[0.0, 0.0], [1.0, 0.0], [0.97, 0.0], [2.0, 0.0]]))
    assert back.ok, back.reason
    assert (back.stats["speed"] == 0.0).sum() == 4


@pytest.mark.parametrize("b", [(0.0, 0.04), (0.04, 0.0)])
def test_one_edge_at_rest_has_limited_jerk(b: tuple[float, float]) -> None:
    """``v^2 = 2 a s``: 0.4 m/s^2 for 0.5 s, which begins or ends at rest, takes a jerk of 1.6 m/s^3."""
    profile, ds = np.array(b), np.array([0.05])
    limit = np.full(2, 1.0)
    for jerk, fine in ((1.5, False), (1.7, True)):
        found = jerk_limited(profile, limit, ds, 1.0, 1.0, jerk)
        assert (found is not None) == fine
    moving = jerk_limited(np.array([0.04, 0.08]), limit, ds, 1.0, 1.0, 0.1)
    np.testing.assert_array_equal(moving, [0.04, 0.08])  # between two speeds, one acceleration does not change


@pytest.mark.parametrize("jerk", [None, 1.0])
@pytest.mark.parametrize("noise", [(1e-8, 1e-8), (-1e-8, 0.0), (-3e-6, 2e-6)])
def test_waypoints_that_differ_by_rounding_are_one(noise: tuple[float, float], jerk: float | None) -> None:
    """toppra #17 and ardupilot #21409: waypoints that were nearly the same gave NaN, errors, or a stop."""
    limits = TimeParameterization(jerk=jerk)
    x, y = noise
    clean = [[0.0, 0.0, 0.1], [1.0, 0.0, 0.1], [2.0, 0.0, 0.1]]
    twice = [clean[0], [x, y, 0.1], clean[1], [1.0 + x, y, 0.1], [1.0 - x, -y, 0.1], [2.0 + x, y, 0.1], clean[2]]
    space = Space("x y [m]", "yaw: angle")
    once, noisy = limits.parameterize(path(clean, space)), limits.parameterize(path(twice, space))
    assert noisy.ok, noisy.reason
    assert noisy.ts[-1] == pytest.approx(once.ts[-1], rel=1e-3)
    np.testing.assert_array_equal(noisy.xs[[0, -1]], once.xs[[0, -1]])


def test_states_finer_than_a_place_are_a_way_all_the_same() -> None:
    crawling = 2e-6 * np.arange(20_000)
    slow = TimeParameterization().parameterize(path(np.stack([crawling, 0.0 * crawling], -1)))
    direct = TimeParameterization().parameterize(path([[0.0, 0.0], [crawling[-1], 0.0]]))
    assert slow.xs[-1, 0] == crawling[-1]
    assert slow.ts[-1] == pytest.approx(direct.ts[-1], rel=1e-3)


def test_speeds_at_the_ends() -> None:
    line = path([[0.0, 0.0], [5.0, 0.0]])
    limits = TimeParameterization(start_speed=0.8, end_speed=0.3)
    within(limits.parameterize(line), limits)
    fast = TimeParameterization(speed=3.0, end_speed=2.9).parameterize(line)
    assert fast.status is PlanStatus.INVALID and "end speed is 2.9" in fast.reason
    moving = TimeParameterization(start_speed=0.8, end_speed=0.3, jerk=1.0)
    within(moving.parameterize(line), moving)


def test_what_has_no_times() -> None:
    failed = Plan(PlanStatus.NO_PATH, reason="blocked")
    assert TimeParameterization().parameterize(failed) is failed
    single = TimeParameterization().parameterize(path([[1.0, 2.0]]))
    np.testing.assert_array_equal(single.ts, [0.0])
    space = Space("x y [m]", "yaw: angle")
    with pytest.raises(ShapeError, match="on the spot"):
        TimeParameterization().parameterize(path([[0, 0, 0], [0, 0, 1.0], [1, 1, 1.0]], space))
    with pytest.raises(SettingError, match="speed"):
        TimeParameterization(speed=0.0)
