"""Racing lines: within the track and the limits, never slower than others, and the optimum where that is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize

from pilotage.core import PlanStatus, SettingError, ShapeError
from pilotage.maps import OccupancyGrid
from pilotage.planners import RacingLine

TURN = np.linspace(0.0, 2.0 * np.pi, 400, endpoint=False)
BEAN = np.stack([(12.0 + 3.0 * np.cos(3.0 * TURN)) * np.cos(TURN), (9.0 + 2.0 * np.sin(2.0 * TURN)) * np.sin(TURN)], -1)
LIMITS: dict[str, Any] = {"speed": 8.0, "acceleration": 3.0, "braking": 5.0, "lateral": 9.0, "margin": 0.3}


def kept(plan: Any, limits: dict[str, Any]) -> None:
    """The limits of a closed plan, from its points and times alone."""
    xy, ts = plan.xs[:, :2], plan.ts
    assert np.array_equal(plan.xs[0], plan.xs[-1])
    ds, dt = np.hypot(*np.diff(xy, axis=0).T), np.diff(ts)
    v = plan.stats["speed"]
    np.testing.assert_allclose(ds / dt, 0.5 * (v[1:] + v[:-1]), rtol=1e-9)
    a = np.diff(v) / dt
    step = np.diff(xy[[-2, *range(len(xy))]], axis=0)
    turn = np.arctan2(step[:-1, 0] * step[1:, 1] - step[:-1, 1] * step[1:, 0], (step[:-1] * step[1:]).sum(-1))
    kappa = turn / (0.5 * (np.hypot(*step[:-1].T) + np.hypot(*step[1:].T)))
    across = v[:-1] ** 2 * kappa
    assert v.max() <= limits["speed"] * (1 + 1e-9)
    assert a.max() <= limits["acceleration"] * (1 + 1e-9) and a.min() >= -limits["braking"] * (1 + 1e-9)
    for along in (np.maximum(a, 0.0), np.minimum(np.roll(a, 1), 0.0)):  # speeding up from here, and braking to here
        assert np.hypot(along, across).max() <= limits["lateral"] * (1 + 1e-3)


def test_it_stays_within_the_track_and_the_limits() -> None:
    plan: Any = RacingLine(**LIMITS).optimize(BEAN, 1.0, 1.5)
    assert plan.status is PlanStatus.SOLVED and plan.cost == pytest.approx(plan.ts[-1])
    kept(plan, LIMITS)
    offset = plan.stats["offset"]
    assert offset.min() >= -0.7 - 1e-9 and offset.max() <= 1.2 + 1e-9
    away = np.array([np.hypot(*(BEAN - xy).T).min() for xy in plan.xs[:, :2]])
    assert away.max() <= 1.2 + 0.05
    middle = RacingLine(**LIMITS).parameterize(BEAN)
    kept(middle, LIMITS)
    assert plan.cost < plan.stats["least_curvature"] < middle.cost


def test_between_circles_it_is_the_inner_or_the_outer_one() -> None:
    """At ``v = sqrt(lateral r)`` a lap takes ``2 pi sqrt(r / lateral)``: inside; at constant speed, too."""
    circle = 10.0 * np.stack([np.cos(TURN), np.sin(TURN)], -1)
    for speed in (30.0, 2.0):
        plan: Any = RacingLine(**{**LIMITS, "speed": speed, "margin": 0.0}).optimize(circle, 1.0, 1.0)
        v = min(speed, np.sqrt(9.0 * 9.0))
        assert plan.cost == pytest.approx(2.0 * np.pi * 9.0 / v, rel=2e-3)
        assert np.allclose(np.hypot(*plan.xs[:, :2].T), 9.0, atol=0.02)


def test_no_other_line_nearby_is_faster() -> None:
    """A local minimum: a general optimiser of few smooth bumps finds a thousandth at the most."""
    racing = RacingLine(**LIMITS)
    plan: Any = racing.optimize(BEAN, 1.0, 1.0)
    xy = plan.xs[:-1, :2]
    n = np.stack([-np.sin(plan.xs[:-1, 2]), np.cos(plan.xs[:-1, 2])], -1)
    s = np.linspace(0.0, 2.0 * np.pi, len(xy), endpoint=False)
    bumps = np.array([f(k * s) for k in range(2, 7) for f in (np.sin, np.cos)])

    def seconds(weights: Any) -> float:
        bump = weights @ bumps
        inside = np.clip(plan.stats["offset"][:-1] + bump, -0.7, 0.7) - plan.stats["offset"][:-1]
        return racing.parameterize(xy + inside[:, None] * n).cost

    found = minimize(seconds, np.zeros(len(bumps)), method="Powell", options={"maxfev": 200})
    assert found.fun > plan.cost * 0.999


def test_obstacles_narrow_the_track() -> None:
    grid = OccupancyGrid.from_occupied(np.zeros((300, 400)), 0.1, (-20.0, -15.0, 0.0))
    solid = np.zeros((300, 400), dtype=bool)
    free: Any = RacingLine(**LIMITS).optimize(BEAN, 1.0, 1.0, grid)
    row, column = grid.world_to_cell(free.xs[abs(free.stats["offset"]).argmax(), :2])
    solid[row, column] = True
    blocked = OccupancyGrid.from_occupied(solid, 0.1, (-20.0, -15.0, 0.0))
    plan: Any = RacingLine(**LIMITS).optimize(BEAN, 1.0, 1.0, blocked)
    assert plan.ok and blocked.clearance(plan.xs[:, :2]).min() > 0.25
    assert plan.cost > free.cost
    kept(plan, LIMITS)


def test_what_it_refuses() -> None:
    narrow = RacingLine(**LIMITS).optimize(BEAN, 0.2, 0.2)
    assert narrow.status is PlanStatus.INVALID and "leaves no room at (" in narrow.reason
    for center, right in ((BEAN[:2], 1.0), (BEAN.T, 1.0), (BEAN, np.ones(3)), (np.nan * BEAN, 1.0), (0.0 * BEAN, 1.0)):
        with pytest.raises(ShapeError):
            RacingLine().optimize(center, right, 1.0)
    with pytest.raises(ShapeError, match=r"expected finite \(N, 2\)"):
        RacingLine().parameterize(BEAN[:2])
    with pytest.raises(ShapeError, match="repeats a point"):
        RacingLine().parameterize(BEAN[[*range(400), 0]])
    back = RacingLine().parameterize([[0.0, 0.0], [8.0, 0.0], [4.0, 0.0], [9.0, 0.0], [4.0, 3.0]])
    assert back.status is PlanStatus.INVALID and "turns back twice at (" in back.reason
    with pytest.raises(SettingError, match="lateral of RacingLine is 0"):
        RacingLine(lateral=0)
    with pytest.raises(SettingError, match="needs an OccupancyGrid"):
        RacingLine().optimize(BEAN, 1.0, 1.0, "map")  # pyright: ignore[reportArgumentType]
