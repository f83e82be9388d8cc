"""Stock scenarios for trackers, in the plane, seen by a detector of positions."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from ...core import Rng, TrackTable
from ...core.arrays import Array
from ...core.settings import Count, Finite, Positive, setting
from ...core.streams import seeded
from ...models import constant_turn, constant_velocity, position
from .scenario import Scenario


def crossing(
    n: int = 2,
    *,
    angle: float = 0.35,
    speed: float = 10.0,
    steps: int = 40,
    dt: float = 1.0,
    std: float = 3.0,
    detection: float = 0.9,
    clutter: float = 10.0,
    rng: Rng = None,
) -> Scenario:
    """Targets on straight lines that all meet at the origin, halfway through.

    Args:
        n: number of targets.
        angle: angle between one target's course and the next one's [rad].
        speed: speed of all [m/s].
        steps: number of scans.
        dt: time from one scan to the next [s].
        std: standard deviation of a detection along each axis [m].
        detection: probability that a target is detected.
        clutter: mean number of false detections in a scan.
        rng: seed or generator.

    Example:
        >>> crossing(rng=1).truth
        TrackTable(80 rows of 2 targets at 40 instants, 0 to 39 s)
    """
    n, steps, dt = _sizes(n, steps, dt)
    course = setting(angle, Finite, "angle") * (np.arange(n) - 0.5 * (n - 1))
    v = setting(speed, Positive, "speed") * np.stack([np.cos(course), np.sin(course)], -1)
    starts = np.concatenate([-0.5 * (steps - 1) * dt * v, v], 1)
    return _straight(starts, steps, dt, std, detection=detection, clutter=clutter, rng=rng)


def parallel(
    n: int = 2,
    *,
    gap: float = 10.0,
    speed: float = 10.0,
    steps: int = 40,
    dt: float = 1.0,
    std: float = 3.0,
    detection: float = 0.9,
    clutter: float = 10.0,
    rng: Rng = None,
) -> Scenario:
    """Targets side by side, close enough for their detections to be confused.

    Args:
        n: number of targets.
        gap: distance from one target to the next [m].
        speed: speed of all [m/s].
        steps: number of scans.
        dt: time from one scan to the next [s].
        std: standard deviation of a detection along each axis [m].
        detection: probability that a target is detected.
        clutter: mean number of false detections in a scan.
        rng: seed or generator.

    Example:
        >>> parallel(3, gap=5.0, rng=1).truth.at(0.0).x[:, 1].tolist()
        [-5.0, 0.0, 5.0]
    """
    n, steps, dt = _sizes(n, steps, dt)
    return _straight(_abreast(n, gap, speed), steps, dt, std, detection=detection, clutter=clutter, rng=rng)


def manoeuvring(
    n: int = 3,
    *,
    turn: float = 0.15,
    speed: float = 15.0,
    spread: float = 300.0,
    steps: int = 60,
    dt: float = 1.0,
    std: float = 3.0,
    detection: float = 0.9,
    clutter: float = 10.0,
    rng: Rng = None,
) -> Scenario:
    """Targets that fly straight, then turn left or right, then fly straight again, each third as long.

    Args:
        n: number of targets.
        turn: turn rate in the middle third [rad/s].
        speed: speed of all [m/s].
        spread: half the width of the square in which they begin [m].
        steps: number of scans.
        dt: time from one scan to the next [s].
        std: standard deviation of a detection along each axis [m].
        detection: probability that a target is detected.
        clutter: mean number of false detections in a scan.
        rng: seed or generator; it draws the starts too.

    Example:
        >>> manoeuvring(rng=1).truth.space.names
        ('x', 'y', 'vx', 'vy', 'yaw_rate')
    """
    n, steps, dt = _sizes(n, steps, dt)
    gen, seed = seeded(rng)
    draw = gen.spawn(1)[0]
    v, p = _scattered(n, setting(speed, Positive, "speed"), spread, draw)
    side = np.where(draw.random(n) < 0.5, -1.0, 1.0) * setting(turn, Finite, "turn")
    model, states = constant_turn(), [np.concatenate([p, v, np.zeros((n, 1))], 1)]
    for k in range(1, steps):
        x = states[-1].copy()
        x[:, 4] = side if steps <= 3 * k < 2 * steps else 0.0
        states.append(np.asarray(model.step(x, np.zeros((n, 0)), dt)))
    t, ids = np.repeat(dt * np.arange(steps), n), np.tile(np.arange(1, n + 1), steps)
    truth = TrackTable(t, ids, np.concatenate(states), space=model.state)
    found = Scenario.observed(truth, position(std=std), detection=detection, clutter=clutter, rng=gen)
    return replace(found, dynamics=model, seed=seed)


def births_and_deaths(
    n: int = 10,
    *,
    life: float = 30.0,
    speed: float = 10.0,
    spread: float = 300.0,
    steps: int = 60,
    dt: float = 1.0,
    std: float = 3.0,
    detection: float = 0.9,
    clutter: float = 10.0,
    rng: Rng = None,
) -> Scenario:
    """Targets that appear at random times and places, and vanish after exponential lifetimes.

    Args:
        n: number of targets.
        life: mean lifetime [s].
        speed: speed of all [m/s].
        spread: half the width of the square in which they begin [m].
        steps: number of scans.
        dt: time from one scan to the next [s].
        std: standard deviation of a detection along each axis [m].
        detection: probability that a target is detected.
        clutter: mean number of false detections in a scan.
        rng: seed or generator; it draws the starts and lives too.

    Example:
        >>> len(births_and_deaths(5, rng=1).truth.ids)
        5
    """
    n, steps, dt = _sizes(n, steps, dt)
    gen, seed = seeded(rng)
    draw = gen.spawn(1)[0]
    v, p = _scattered(n, setting(speed, Positive, "speed"), spread, draw)
    born = draw.integers(0, steps, n)
    lives = np.ceil(draw.exponential(setting(life, Positive, "life"), n) / dt)
    settings: dict[str, Any] = {"births": born, "deaths": born + np.maximum(lives, 1.0), "rng": gen}
    return _straight(
        np.concatenate([p, v], 1), steps, dt, std, seed=seed, detection=detection, clutter=clutter, **settings
    )


def occlusion(
    n: int = 2,
    *,
    width: float = 80.0,
    gap: float = 10.0,
    speed: float = 10.0,
    steps: int = 40,
    dt: float = 1.0,
    std: float = 3.0,
    detection: float = 0.95,
    clutter: float = 5.0,
    rng: Rng = None,
) -> Scenario:
    """Targets side by side that pass behind a wall, halfway through, and come out again.

    Args:
        n: number of targets.
        width: length of the wall along their way [m].
        gap: distance from one target to the next [m].
        speed: speed of all [m/s].
        steps: number of scans.
        dt: time from one scan to the next [s].
        std: standard deviation of a detection along each axis [m].
        detection: probability that a target is detected.
        clutter: mean number of false detections in a scan.
        rng: seed or generator.

    Example:
        >>> from collections import Counter
        >>> seen = occlusion(clutter=0.0, detection=1.0, rng=1).causes
        >>> sorted(Counter(seen.tolist()).values())                     # of 40 scans; 8 are behind the wall
        [32, 32]
    """
    n, steps, dt = _sizes(n, steps, dt)
    middle = 0.5 * (steps - 1) * dt * setting(speed, Positive, "speed")
    half = 0.5 * setting(width, Positive, "width")
    hidden = lambda x: np.abs(x[:, 0] - middle) < half
    starts = _abreast(n, gap, speed)
    return _straight(starts, steps, dt, std, detection=detection, clutter=clutter, hidden=hidden, rng=rng)


def _sizes(n: int, steps: int, dt: float) -> tuple[int, int, float]:
    """Numbers of targets and of scans, and the time between scans."""
    return setting(n, Count, "n"), setting(steps, Count, "steps"), setting(dt, Positive, "dt")


def _abreast(n: int, gap: float, speed: float) -> Array:
    """Starts ``(N, 4)`` side by side, at x = 0, in the direction of x."""
    y = setting(gap, Positive, "gap") * (np.arange(n) - 0.5 * (n - 1))
    return np.stack([np.zeros(n), y, np.full(n, setting(speed, Positive, "speed")), np.zeros(n)], -1)


def _scattered(n: int, speed: float, spread: float, draw: np.random.Generator) -> Any:
    """Random velocities of that speed, and places in a square ``(N, 2)``."""
    course = draw.uniform(-math.pi, math.pi, n)
    places = draw.uniform(-1.0, 1.0, (n, 2)) * setting(spread, Positive, "spread")
    return speed * np.stack([np.cos(course), np.sin(course)], -1), places


def _straight(starts: Any, steps: int, dt: float, std: float, *, seed: Any = None, **settings: Any) -> Scenario:
    """Targets of constant velocity seen by a detector of positions; with the seed that drew their starts, if any."""
    found = Scenario.of(constant_velocity(), position(std=std), starts, dt=dt, steps=steps, **settings)
    return found if seed is None else replace(found, seed=seed)
