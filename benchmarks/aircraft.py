"""An IMM and single models on real aircraft, by how well they foretell them: ``python -m benchmarks.aircraft``.

Positions of OpenSky's ADS-B over England in 20 minutes (`stonesoup/OpenSky_Plane_States.csv.gz` of the shared data), at
the times at which they were received, about ten seconds apart. The settings of each model are those of the largest
likelihood on every other aircraft, by address; ``fit`` finds them again. The table is of the other aircraft, with 95 %
intervals by bootstrap over aircraft. Turns are horizons in which the reported course changes by more than 5 degrees.
``drone`` is the same for the flight of one drone, a position a second: settings by its first half, the table of parts
of 40 seconds of the other half, which take the place of aircraft.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.stats import chi2

from benchmarks.track_scores import DATA
from pilotage.estimators import EKF, IMM, KF
from pilotage.io import read_adsb, read_geographic
from pilotage.models import constant_acceleration, constant_turn, constant_velocity, position

FILE = DATA.parent / "stonesoup" / "OpenSky_Plane_States.csv.gz"
STD = {"x": 30.0, "y": 30.0, "vx": 10.0, "vy": 10.0, "ax": 0.5, "ay": 0.5, "yaw_rate": 0.01}
GAP, LEAST, SKIPPED, HORIZONS, PART = 60.0, 20, 3, (1, 3, 6), 40
"""Seconds without a report that end a flight; reports of one; those at its start that do not count; reports ahead;
reports of a part of the drone's flight."""
TURN, FLOOR = np.radians(5.0), 5.0
"""Change of course of a turn; least standard deviation of a position [m], about the step of an ADS-B position."""


def straight(density: float) -> Any:
    """Constant velocity."""
    return KF(constant_velocity(2, density=density), dt=10.0)


def accelerating(density: float) -> Any:
    """Constant acceleration."""
    return KF(constant_acceleration(2, density=density), dt=10.0)


def turning(density: float, turn: float) -> Any:
    """Constant turn."""
    return EKF(constant_turn(2, density=density, turn_density=turn), dt=10.0)


def either(calm: float, density: float, turn: float, odds: float) -> Any:
    """An IMM of calm, straight flight, and of turns; `odds` of staying in a mode for 10 s."""
    modes = constant_velocity(2, density=calm), constant_turn(2, density=density, turn_density=turn)
    return IMM(modes, odds / (1.0 + odds), dt=10.0, filter=EKF())


Kinds = dict[str, tuple[Callable[..., Any], tuple[float, ...]]]
KINDS: Kinds = {
    "CV": (straight, (5.0, 2.87)),
    "CA": (accelerating, (14.4, 0.229)),
    "CT": (turning, (8.07, 2.1, 1.05e-3)),
    "IMM of CV and CT": (either, (5.0, 0.247, 4.05, 1.98e-3, 5.72)),
}
"""Each kind with the standard deviation of a position [m], and its own settings."""


@dataclass(frozen=True)
class Flight:
    """Reports of an aircraft: times [s], and ``x y vx vy``."""

    id: int
    t: Any
    x: Any


def flights() -> tuple[list[Flight], list[Flight]]:
    """Flights of every other aircraft, and of the rest."""
    table = read_adsb(FILE, time="lastposupdate", velocity=True, ground=False).tracks
    parts = [list[Flight](), list[Flight]()]
    for n, id in enumerate(np.unique(table.id).tolist()):
        one = table.of(id)
        cuts = np.flatnonzero(np.diff(one.t) > GAP) + 1
        for which in np.split(np.arange(len(one.t)), cuts):
            if len(which) >= LEAST:
                parts[n % 2].append(Flight(id, one.t[which], one.x[which][:, [0, 1, 3, 4]]))
    return parts[0], parts[1]


def drone() -> tuple[list[Flight], list[Flight]]:
    """The first half of the flight of a drone, and parts of the other half."""
    table = read_geographic(FILE.with_name("UAV_Rot.csv.gz")).tracks
    x = np.concatenate([table.x, np.gradient(table.x, table.t, axis=0)], axis=1)
    half = len(x) // 2
    parts = np.split(np.arange(half, len(x)), np.arange(PART, len(x) - half, PART))
    return [Flight(0, table.t[:half], x[:half])], [Flight(k, table.t[p], x[p]) for k, p in enumerate(parts, 1)][:-1]


def followed(estimator: Any, std: float, flight: Flight, ahead: bool = True) -> tuple[Any, Any]:
    """Log-likelihood and NIS of each report, and errors ahead: reports ahead, error [m], change of course."""
    mean = dict(zip(("x", "y", "vx", "vy"), flight.x[0].tolist(), strict=True))
    models = [each for _, each in estimator.components] if isinstance(estimator, IMM) else [estimator.dynamics]
    known = {name for each in models for name in each.state.names}
    filter = estimator.start(mean=mean, std={name: STD[name] for name in STD if name in known})
    sensor, steps, errors = position(2, std=std), list[Any](), list[Any]()
    course = np.unwrap(np.arctan2(flight.x[:, 3], flight.x[:, 2]))
    for k in range(1, len(flight.t)):
        filter.predict(float(flight.t[k] - flight.t[k - 1]))
        update = filter.update(sensor, z=flight.x[k, :2])
        steps.append((update.log_likelihood, update.nis))
        for h in HORIZONS if ahead and k > SKIPPED else ():
            if k + h < len(flight.t):
                dt = float(flight.t[k + h] - flight.t[k])
                belief = estimator.predict(filter.belief, filter.dynamics, [], dt)
                miss = belief.moments().mean[:2] - flight.x[k + h, :2]
                errors.append((h, np.hypot(*miss), np.ptp(course[k : k + h + 1])))
    return np.array(steps, dtype=np.float64)[SKIPPED:], np.array(errors, dtype=np.float64).reshape(-1, 3)


def fit(train: list[Flight], floor: float = FLOOR) -> Kinds:
    """The settings of the largest likelihood, which are printed."""
    kinds = dict(KINDS)
    for name, (make, start) in KINDS.items():

        def loss(logs: Any, make: Any = make) -> float:
            std, *rest = np.exp(logs).tolist()
            std = max(std, floor)
            steps = [followed(make(*rest), std, flight, ahead=False)[0] for flight in train]
            return -float(np.concatenate(steps)[:, 0].mean())

        first = np.log(np.array(start) * 1.5)
        simplex = np.vstack([first, first + 0.7 * np.eye(len(first))])
        found = minimize(loss, first, method="Nelder-Mead", options={"maxfev": 90, "initial_simplex": simplex})
        best = np.exp(found.x)
        best[0] = max(best[0], floor)
        kinds[name] = make, tuple(best.tolist())
        print(name, best.round(5).tolist(), f"log-likelihood {-found.fun:.2f}", flush=True)
    return kinds


def table(test: list[Flight], kinds: Kinds = KINDS, step: int = 10, draws: int = 2000) -> None:
    """Print the table of flights that were held back, and the differences to the IMM, aircraft by aircraft."""
    rng = np.random.default_rng(0)
    ids = np.array([flight.id for flight in test])
    aircraft = np.unique(ids)
    chosen = rng.integers(0, len(aircraft), (draws, len(aircraft)))
    counts = np.stack([(chosen == i).sum(1) for i in range(len(aircraft))], axis=1)[:, np.searchsorted(aircraft, ids)]
    counts = np.concatenate([np.ones((1, len(ids))), counts])

    def pooled(pairs: list[tuple[float, int]]) -> Any:
        sums, sizes = np.array(pairs, dtype=np.float64).T
        return (counts @ sums) / (counts @ sizes)

    heads = [f"{step * h} s" for h in HORIZONS] + [f"{step * h} s, turns" for h in HORIZONS]
    print(f"| model | log-likelihood | NIS (2) | within 95 % | {' | '.join(heads)} |\n|{'---|' * (4 + len(heads))}")
    every = dict[str, tuple[Any, Any]]()
    for name, (make, (std, *rest)) in kinds.items():
        found = [followed(make(*rest), std, flight) for flight in test]
        inside = np.concatenate([steps[:, 1] < chi2.ppf(0.95, 2) for steps, _ in found]).mean()
        logs, nis = (pooled([(steps[:, c].sum(), len(steps)) for steps, _ in found]) for c in (0, 1))
        misses = list[Any]()
        for turns in (False, True):
            for h in HORIZONS:
                kept = [e[(e[:, 0] == h) & ((e[:, 2] > TURN) | (not turns)), 1] for _, e in found]
                misses.append(np.sqrt(pooled([(float(np.square(e).sum()), len(e)) for e in kept])))
        cells = [
            spread(logs, 2),
            spread(nis, 2),
            f"{100 * inside:.1f} %",
            *(spread(each, 0 if step > 1 else 2) for each in misses),
        ]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
        every[name] = logs, misses
    print(f"\n| IMM less ... | log-likelihood | {' | '.join(heads)} |\n|{'---|' * (2 + len(heads))}")
    best, errors = every.popitem()[1]
    for name, (logs, misses) in every.items():
        cells = [
            spread(best - logs, 2),
            *(spread(a - b, 0 if step > 1 else 2) for a, b in zip(errors, misses, strict=True)),
        ]
        print(f"| {name} | {' | '.join(cells)} |")


def spread(values: Any, digits: int) -> str:
    """The first value, and the interval of 95 % of the others."""
    low, high = np.percentile(values[1:], [2.5, 97.5])
    return f"{values[0]:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def main(arguments: list[str]) -> int:
    """The table, or the settings."""
    if not Path(FILE).exists():
        print(f"{FILE} is not there; set PILOTAGE_DATA", file=sys.stderr)
        return 2
    if arguments == ["drone"]:
        train, test = drone()
        table(test, fit(train, floor=0.1), step=1)
        return 0
    train, test = flights()
    print(f"{len(train)} flights to choose settings, {len(test)} flights held back")
    if arguments == ["fit"]:
        fit(train)
    else:
        table(test)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
