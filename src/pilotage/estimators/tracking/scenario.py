"""Scenarios for trackers: targets that move, and what a detector makes of them, as one seeded object."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ...core import Dynamics, ModelError, Rng, Scans, Sensor, ShapeError, TrackTable
from ...core.arrays import Array, frozen, numbers
from ...core.covariances import scattered
from ...core.settings import Count, Fraction, NonNegative, Positive, instance, setting, shown
from ...core.streams import seeded

Integers = NDArray[np.int64]
Hidden = Callable[[Array], Any]
MARGIN, STDS = 0.1, 5.0
"""Border around the readings of the truth in a field of view that is not given: a share of their extent, and stds."""


@dataclass(frozen=True, eq=False, repr=False)
class Scenario:
    """Targets and their detections.

    Attributes:
        truth: the states of the targets.
        scans: the detections, a scan for each time.
        causes: the id of the target that caused each detection ``(N,)``; -1 for a false one.
        low, high: the field of view, in components of the reading ``(m,)``.
        detection: probability P_D that a target in the field of view is detected.
        clutter: density lambda of false detections, in detections per unit of the reading, as filters want it.
        dynamics: the dynamics of the targets; None if they were given.
        seed: the seed that draws the same scenario; None if a generator was given.

    Example:
        >>> from pilotage.models import constant_velocity, position
        >>> one = Scenario.of(constant_velocity(), position(std=0.5), [[0, 0, 1, 0]], dt=1.0, steps=20, rng=1)
        >>> one
        Scenario(1 targets, 20 scans, 20 detections of which 0 are false)
    """

    truth: TrackTable
    scans: Scans
    causes: Integers
    low: Array
    high: Array
    detection: float
    clutter: float
    dynamics: Dynamics | None
    seed: int | None

    @classmethod
    def of(
        cls,
        dynamics: Dynamics,
        sensor: Sensor,
        starts: Any,
        *,
        dt: float,
        steps: int,
        births: Any = None,
        deaths: Any = None,
        us: Any = None,
        noisy: bool = False,
        rng: Rng = None,
        **detector: Any,
    ) -> Scenario:
        """Targets that move by any dynamics.

        Args:
            dynamics: the motion of all targets.
            sensor: the detector.
            starts: states ``(N, n)`` at which targets appear.
            dt: time from one scan to the next [s].
            steps: number of scans; the first one is at 0 s.
            births: number of the scan with which each target appears ``(N,)``; None: 0.
            deaths: number of the first scan without it ``(N,)``; None: it stays.
            us: actions ``(N, steps - 1, m)``; None: zeros.
            noisy: whether the process noise of the dynamics acts.
            rng: seed or generator.
            detector: detection, clutter, field, hidden and contexts, as in `observed`.

        Raises:
            ShapeError: if shapes do not fit, or a target dies before it is born.
            SettingError: if a setting is out of range.
        """
        gen, seed = seeded(rng)
        x = instance(dynamics, Dynamics, "Scenario").state.check(starts, "starts of targets")
        count, step = setting(steps, Count, "steps"), setting(dt, Positive, "dt")
        if x.ndim != 2:
            raise ShapeError(f"starts of targets have shape {x.shape}; expected (N, {dynamics.state.size})")
        born = _scan_numbers(births, len(x), 0, "births")
        died = _scan_numbers(deaths, len(x), count, "deaths")
        if (died < born).any():
            raise ShapeError(
                f"target {int(np.argmax(died < born)) + 1} dies before it is born; check births and deaths"
            )
        shape = len(x), count - 1, dynamics.action.size
        actions = np.zeros(shape) if us is None else numbers(us, "us")
        if actions.shape != shape:
            raise ShapeError(f"us has shape {actions.shape}; expected {shape}")
        moves, others = gen.spawn(2)
        truth = _moved(dynamics, x, actions, step, np.stack([born, np.minimum(died, count)]), moves if noisy else None)
        found = cls.observed(truth, sensor, ts=step * np.arange(count), rng=others, **detector)
        return replace(found, dynamics=dynamics, seed=seed)

    @classmethod
    def observed(
        cls,
        truth: TrackTable,
        sensor: Sensor,
        *,
        ts: Any = None,
        detection: float = 1.0,
        clutter: float = 0.0,
        field: Any = None,
        hidden: Hidden | Sequence[Any] | None = None,
        contexts: Any = None,
        rng: Rng = None,
    ) -> Scenario:
        """The detections of targets whose states are given.

        Args:
            truth: the states of the targets.
            sensor: the detector.
            ts: times of the scans ``(T,)`` [s]; None: those of the truth.
            detection: probability that a target is detected.
            clutter: mean number of false detections in a scan; they are Poisson, and uniform over the field of view.
            field: the field of view, lowest and highest reading ``(2, m)``; nothing is detected outside. None: around
                all readings of the truth, with a border of a tenth and five standard deviations.
            hidden: where nothing is detected: pairs of lowest and highest readings ``(H, 2, m)``, or a function of the
                states ``(K, n)`` of an instant that says which are hidden ``(K,)``.
            contexts: context of each scan, ``(T, c)``, or a list.
            rng: seed or generator. Detections, their errors and clutter are streams of their own: the errors stay the
                same with more clutter.

        Raises:
            ShapeError: if shapes do not fit.
            SettingError: if a setting is out of range.

        Example:
            >>> from pilotage.core import Space
            >>> from pilotage.models import position
            >>> truth = TrackTable([0.0, 1.0], [1, 1], [[0.0, 0.0], [3.0, 4.0]], space=Space("x y [m]"))
            >>> Scenario.observed(truth, position(std=0.1), hidden=[[[2, 3], [4, 5]]], rng=1).scans[1].shape
            (0, 2)
        """
        gen, seed = seeded(rng)
        probability = setting(detection, Fraction, "detection")
        mean = setting(clutter, NonNegative, "clutter")
        sensor = instance(sensor, Sensor, "Scenario").on(instance(truth, TrackTable, "Scenario").space)
        times = truth.times if ts is None else numbers(ts, "times of scans")
        if times.ndim != 1:
            raise ShapeError(f"times of scans have shape {times.shape}; expected (T,)")
        streams = gen.spawn(4)
        context = [None] * len(times) if contexts is None else [*contexts]
        if len(context) != len(times):
            raise ShapeError(f"there are {len(context)} contexts for {len(times)} scans; give one for each scan")
        seen = [truth.at(float(t)) for t in times]
        low, high = _field(field, _readings(sensor, seen, context), sensor)
        scans, causes = list[Array](), list[Integers]()
        for rows, c in zip(seen, context, strict=True):
            z = sensor.sample(rows.x, c, rng=streams[0]) if len(rows) else _none(sensor)
            there = streams[1].random(len(rows)) < probability
            there &= _within(z, low, high) & ~_hidden(hidden, rows.x, z)
            false = streams[2].uniform(low, high, (streams[2].poisson(mean), len(low))) if mean else z[:0]
            order = streams[3].permutation(int(there.sum()) + len(false))
            scans.append(np.concatenate([z[there], false])[order])
            causes.append(np.concatenate([rows.id[there], np.full(len(false), -1)])[order])
        volume = float(np.prod(high - low))
        return cls(
            truth,
            Scans(sensor, scans, times, contexts),
            np.concatenate([np.zeros(0, np.int64), *causes]),
            low,
            high,
            probability,
            mean / volume if mean else 0.0,
            None,
            seed,
        )

    def __repr__(self) -> str:
        false = int((self.causes < 0).sum())
        return (
            f"Scenario({len(self.truth.ids)} targets, {len(self.scans)} scans, {len(self.causes)} detections of which "
            f"{false} are false)"
        )


def _scan_numbers(given: Any, count: int, otherwise: int, name: str) -> Integers:
    """Scan numbers ``(N,)``."""
    if given is None:
        return np.full(count, otherwise)
    found = numbers(given, name)
    if found.shape != (count,) or (np.rint(found) != found).any() or (found < 0).any():
        raise ShapeError(
            f"{name} are {shown(given)}; expected {count} numbers of scans, 0 or more, one for each target"
        )
    return found.astype(np.int64)


def _moved(dynamics: Dynamics, x: Array, us: Array, dt: float, lives: Integers, rng: Any) -> TrackTable:
    """The truth: each target from its birth to the scan before its death, with process noise if there is a stream."""
    space, (born, died) = dynamics.state, lives
    rows = [(born == 0) & (died > 0)]
    states = [x]
    for k in range(us.shape[1]):
        goes_on = rows[-1] & (died > k + 1)
        after = states[-1].copy()
        if goes_on.any():
            before, u = states[-1][goes_on], us[goes_on, k]
            moved = cast(Array, dynamics.step(before, u, dt))
            if rng is not None:
                moved = scattered(space, moved, dynamics.noise(before, u, dt), rng.standard_normal((len(u), space.dim)))
            after[goes_on] = moved
        states.append(after)
        rows.append(goes_on | ((born == k + 1) & (died > k + 1)))
    count = us.shape[1] + 1
    there = np.stack(rows[:count])
    k, i = np.nonzero(there)
    return TrackTable(dt * k, i + 1, np.stack(states[:count])[there], space=space)


def _none(sensor: Sensor) -> Array:
    return np.zeros((0, sensor.reading.size))


def _readings(sensor: Sensor, seen: list[TrackTable], context: list[Any]) -> Array:
    """Readings without errors ``(R, m)``, and those that lie `STDS` standard deviations to either side."""
    found = [_none(sensor)]
    for rows, c in zip(seen, context, strict=True):
        if len(rows):
            z = sensor.observe(rows.x, c)
            std = np.sqrt(np.diagonal(np.broadcast_to(sensor.noise(rows.x, c), (*z.shape, z.shape[-1])), 0, -2, -1))
            found += [z - STDS * std, z + STDS * std] if sensor.reading.flat else [z]
    return np.concatenate(found)


def _field(given: Any, z: Array, sensor: Sensor) -> tuple[Array, Array]:
    """The field of view: that given, or around all readings."""
    size = sensor.reading.size
    if given is None:
        z = z if len(z) else np.zeros((1, size))
        low, high = z.min(0), z.max(0)
        border = np.where(high > low, MARGIN * (high - low), 1.0)
        found = np.clip(np.stack([low - border, high + border]), sensor.reading.low, sensor.reading.high)
    else:
        found = numbers(given, "field of view")
        if found.shape != (2, size) or not (found[1] > found[0]).all() or not np.isfinite(found).all():
            raise ShapeError(
                f"field of view is {shown(given)}; expected the lowest and the highest reading, (2, {size})"
            )
    return frozen(found[0]), frozen(found[1])


def _within(z: Array, low: Any, high: Any) -> NDArray[np.bool_]:
    return ((z >= low) & (z <= high)).all(-1)


def _hidden(hidden: Any, x: Array, z: Array) -> NDArray[np.bool_]:
    """Which targets are hidden."""
    if hidden is None:
        return np.zeros(len(z), dtype=bool)
    if callable(hidden):
        found = np.asarray(hidden(x) if len(z) else False)
        if found.dtype != bool or found.shape not in ((), (len(z),)):
            raise ModelError(
                f"`hidden` answers with {found.dtype} {found.shape} for {len(z)} states; expected one bool for each"
            )
        return np.broadcast_to(found, len(z))
    boxes = numbers(hidden, "hidden regions")
    if boxes.ndim != 3 or boxes.shape[1:] != (2, z.shape[1]):
        raise ShapeError(f"hidden regions have shape {boxes.shape}; expected (H, 2, {z.shape[1]}): lowest, highest")
    return np.any([_within(z, low, high) for low, high in boxes], axis=0)
