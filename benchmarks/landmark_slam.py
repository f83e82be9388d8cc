"""SLAM by landmarks: Victoria Park, Plaza and MRCLAM, and the consistency of EKF-SLAM on a simulated loop."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy import Figures, table
from benchmarks.harness import Contest, absolute
from pilotage.core import Space
from pilotage.core.arrays import Array
from pilotage.estimators.localization import odometry_motion, odometry_move
from pilotage.estimators.slam.landmarks import EKFSLAM, InvariantEKFSLAM, LandmarkMapper
from pilotage.estimators.slam.scores import absolute_trajectory_error
from pilotage.estimators.slam.scores.ate import alignment
from pilotage.io import LandmarkLog, read_isam
from pilotage.models import discrete_dynamics, range_bearing, relative_position, sensor, unicycle

POSE = Space("pose: SE2")
ANTENNA = np.array([3.78, 0.5])
"""Place of the GPS antenna and the laser on the car of Victoria Park: ahead of the rear axle, and left [m]."""
JUMP = 10.0
"""Error of a GPS fix that has jumped [m]; their median and quartile are given, so that they do not count."""
SEEDS, LIMIT = 50, (2.0, 4.2)
"""Drives of the consistency table, and the interval of the mean NEES of 3 components, 99.8 % of the time."""


def folder() -> Path:
    return Path(os.environ.get("PILOTAGE_DATA", "shared/data")) / "landmark_slam"


# --- Victoria Park ---


def park() -> LandmarkLog:
    return read_isam(folder() / "victoria_park.txt.gz")


def park_driven(algorithm: Any, log: LandmarkLog, known: bool) -> tuple[LandmarkMapper, Array, float]:
    """The mapper after the drive, all poses, and the seconds of processor time."""
    car = odometry_motion(alpha1=0.03, alpha2=3e-4, alpha3=5e-3, alpha4=0.01)
    laser = relative_position(std=0.2 if known else 0.3, reads=("x", "y", "yaw"))
    robot, poses, began = (
        algorithm(car, dt=0.2).start(mean=[0.0, 0.0, 0.0], std=1e-3),
        [np.zeros(3)],
        time.process_time(),
    )
    ends = np.searchsorted(log.at, np.arange(len(log.steps) + 2))
    for k, move in enumerate(odometry_move(np.zeros(3), log.steps)):
        robot.predict(u=move)
        rows = slice(ends[k + 1], ends[k + 2])
        if rows.stop > rows.start:
            robot.update(laser, log.sightings[rows], log.landmarks[rows] if known else None)
        poses.append(np.asarray(robot.belief.moments().mean))
    return robot, np.array(poses), time.process_time() - began


def park_errors(log: LandmarkLog, poses: Array) -> Array:
    """Distances of the antenna from the fixes of GPS [m], after alignment without those that have jumped.

    The log has no times: those of the raw odometry are found by the length of the way, which is the same.
    """
    from scipy.io import loadmat

    raw, fixes = (loadmat(folder() / "victoria_park_raw" / f"{name}.mat") for name in ("aa3_dr", "aa3_gpsx"))
    ts, speed, steer = (raw[name].ravel() for name in ("time", "speed", "steering"))
    speed = speed / (1.0 - np.tan(steer) * 0.76 / 2.83)  # of the middle of the axle; measured at the left wheel
    way = np.append(0.0, np.cumsum(speed[:-1] * np.diff(ts) * 1e-3))
    own = np.append(0.0, np.cumsum(np.hypot(log.steps[:, 0], log.steps[:, 1])))
    moved = np.append(True, np.diff(way) > 1e-9)
    times = np.interp(own * way[-1] / own[-1], way[moved], ts[moved])
    t, fix = fixes["timeGps"].ravel(), np.column_stack([fixes["Lo_m"].ravel(), fixes["La_m"].ravel()])
    inside = (t > times[0]) & (t < times[-1])
    antenna = np.asarray(POSE.act(poses, ANTENNA))
    at = np.column_stack([np.interp(t[inside], times, antenna[:, k]) for k in (0, 1)])
    fix = fix[inside]
    errors, good = np.zeros(len(fix)), np.ones(len(fix), dtype=bool)
    for _ in range(10):
        R, shift, _ = alignment(fix[good], at[good])
        errors = np.hypot(*(at @ R.T + shift - fix).T)
        good = errors < max(3.0 * np.median(errors), 1.0)
    return errors


def parks(lines: list[Any], bars: list[Any]) -> None:
    log = park()
    lines.append(("Victoria Park: odometry alone", "", *_quantiles(park_errors(log, _dead(log.steps))), ""))
    for algorithm in (EKFSLAM, InvariantEKFSLAM):
        for known in (True, False):
            robot, poses, seconds = park_driven(algorithm, log, known)
            errors = park_errors(log, poses)
            name = f"Victoria Park: {algorithm.__name__}, {'given ids' if known else 'ids found'}"
            lines.append((name, len(robot.map), *_quantiles(errors), seconds))
            if not known:
                bars.append((f"{name}: half of the GPS fixes within 2 m", bool(np.median(errors) < 2.0)))
                bars.append((f"{name}: 100 times as fast as the car", seconds < 15.5))


def _dead(steps: Array) -> Array:
    poses = [np.zeros(3)]
    for step in steps:
        poses.append(np.asarray(POSE.compose(poses[-1], step)))
    return np.array(poses)


def _quantiles(errors: Array) -> tuple[float, float]:
    return float(np.median(errors)), float(np.quantile(errors, 0.75))


@absolute("ekf_slam", limit=10.0, unit="ms", note="EKF-SLAM of Victoria Park, ids found, for each second of the drive")
def ekf_slam(quick: bool) -> Contest:
    log, steps = park(), 1000 if quick else 6968
    ends = int(np.searchsorted(log.at, steps + 1))
    part = LandmarkLog(
        log.steps[:steps], log.step_matrices[:steps], log.at[:ends], log.landmarks[:ends], log.sightings[:ends],
        log.sighting_matrices[:ends],
    )  # fmt: skip

    def check() -> str:
        robot, poses, _ = park_driven(EKFSLAM, part, known=False)
        if quick:
            return f"{len(robot.map)} trees"
        error = np.median(park_errors(log, poses))
        assert error < 2.0, f"half of the fixes of GPS are {error:.2f} m away"
        return f"{len(robot.map)} trees, GPS {error:.2f} m"

    return Contest(lambda: park_driven(EKFSLAM, part, known=False), check=check, work=1548.6 * steps / 6968)


# --- Plaza: ranges to four beacons ---


@discrete_dynamics(
    state=Space("x y [m]", "yaw: angle", "scale"),
    action=Space("advance [m]", "turn [rad]"),
    noise=lambda x, u, dt, p, m: [p.shift**2, p.shift**2, p.turn**2, 1e-10],
    params={"shift": 0.01, "turn": 0.002},
)
def mower(x: Any, u: Any, dt: Any, p: Any, m: Any) -> Any:
    """A lawn mower, and the scale of its ranges."""
    yaw = x[2] + 0.5 * u[1]
    return x[0] + u[0] * m.cos(yaw), x[1] + u[0] * m.sin(yaw), x[2] + u[1], x[3]


@sensor(state=Space("x y [m]", "scale"), reading=Space("range [m]"), context=Space("x y [m]"), std=0.6)
def scaled_range(x: Any, c: Any, p: Any, m: Any) -> Any:
    """A range that is too long by a factor, as those of the Plaza data are."""
    return (x[2] * m.hypot(c[0] - x[0], c[1] - x[1]),)


def plaza_driven(algorithm: Any) -> tuple[LandmarkMapper, float, Array]:
    """The mapper after the drive, the ATE [m], and the errors of the beacons in the same frame [m]."""
    from scipy.io import loadmat

    given: dict[str, Array] = loadmat(folder() / "plaza1" / "Plaza1_.mat")
    robot = algorithm(mower(), dt=0.1, gate=0.99).start(mean=[0.0, 0.0, 0.0, 1.0], std=[1e-3, 1e-3, 1e-3, 0.1])
    ranges, radio, k, poses = given["TD"], scaled_range(), 0, []
    for t, advance, turn in given["DR"]:
        while k < len(ranges) and ranges[k, 0] < t:
            robot.update(radio, ranges[k : k + 1, 3:], ids=ranges[k : k + 1, 2])
            k += 1
        robot.predict(u=[advance, turn])
        poses.append(robot.belief.mean[:3])
    truth = np.column_stack([given["GT"][1:, 1:3], np.zeros(len(poses))])
    R, shift, _ = alignment(truth[:, :2], np.array(poses)[:, :2])
    places = {int(row[0]): row[1:] for row in given["TL"]}
    beacons = robot.map.means @ R.T + shift - np.array([places[int(i)] for i in robot.map.ids])
    ate = absolute_trajectory_error(truth, np.array(poses)).rmse
    return robot, float(ate), np.hypot(beacons[:, 0], beacons[:, 1])


def plazas(lines: list[Any], bars: list[Any]) -> None:
    for algorithm in (EKFSLAM, InvariantEKFSLAM):
        robot, ate, beacons = plaza_driven(algorithm)
        name = f"Plaza 1, ranges: {algorithm.__name__}"
        lines.append((f"{name}, way (ATE) and worst beacon", len(robot.map), ate, float(beacons.max()), ""))
        bars.append((f"{name}: four beacons within 0.5 m", len(beacons) == 4 and bool(beacons.max() < 0.5)))


# --- MRCLAM: one robot among fifteen landmarks ---


def robots(number: int) -> Iterator[tuple[float, Array, Array, Array]]:
    """Steps of a robot of MRCLAM 1: seconds, action, and the scan at their end with its ids.

    Source of the exchange of 11 and 17: both robots see each of the two where the list has the other.
    """
    base = folder() / "mrclam_dataset1"
    named = {int(code): int(subject) for subject, code in np.loadtxt(base / "Barcodes.dat")}
    odometry = np.loadtxt(base / f"Robot{number}_Odometry.dat.gz")
    seen = np.loadtxt(base / f"Robot{number}_Measurement.dat.gz")
    ids = np.array([named.get(int(code), 0) for code in seen[:, 1]])
    seen, ids = seen[ids > 5], ids[ids > 5]  # the first five are robots
    stops = np.union1d(odometry[:, 0], seen[:, 0])
    stops = stops[(stops >= odometry[0, 0]) & (stops <= odometry[-1, 0])]
    u = odometry[np.searchsorted(odometry[:, 0], stops[:-1], side="right") - 1, 1:]
    ends = np.searchsorted(seen[:, 0], [stops[1:], np.nextafter(stops[1:], np.inf)])
    for dt, action, first, last in zip(np.diff(stops), u, *ends, strict=True):
        yield float(dt), action, seen[first:last, 2:], ids[first:last]


def mrclam_driven(algorithm: Any, number: int) -> tuple[LandmarkMapper, Array]:
    """The mapper after the drive, and the errors of the landmarks after alignment [m]."""
    robot = algorithm(unicycle(noise=(0.05, 0.05, 0.1)), gate=0.999).start(mean=[0.0, 0.0, 0.0], std=1e-3)
    camera = range_bearing(std=(0.15, 0.05))
    for dt, u, z, ids in robots(number):
        robot.predict(dt, u=u)
        if len(z):
            robot.update(camera, z, ids)
    places = {int(row[0]): row[1:3] for row in np.loadtxt(folder() / "mrclam_dataset1" / "Landmark_Groundtruth.dat")}
    places[11], places[17] = places[17], places[11]
    truth = np.array([places[int(i)] for i in robot.map.ids])
    R, shift, _ = alignment(truth, robot.map.means)
    return robot, np.hypot(*(robot.map.means @ R.T + shift - truth).T)


def mrclams(lines: list[Any], bars: list[Any]) -> None:
    for number in (1, 2):
        for algorithm in (EKFSLAM, InvariantEKFSLAM):
            robot, errors = mrclam_driven(algorithm, number)
            name = f"MRCLAM 1, robot {number}: {algorithm.__name__}"
            lines.append((f"{name}, landmarks", len(robot.map), *_quantiles(errors), ""))
            bars.append((f"{name}: all landmarks within 0.25 m", len(errors) == 15 and bool(errors.max() < 0.25)))


@table("landmark_slam", note="SLAM by landmarks on public data; errors [m], seconds of one core")
def landmark_slam(quick: bool) -> Figures:
    lines: list[Any] = []
    bars: list[Any] = []
    parks(lines, bars)
    if not quick:
        plazas(lines, bars)
        mrclams(lines, bars)
    return Figures(("drive", "landmarks", "median", "quartile", "seconds"), lines, bars)


# --- consistency ---


def loop(seed: int) -> tuple[Any, Any, list[Any]]:
    """Two laps of a robot in a circle of 10 m among 48 landmarks: dynamics, sensor, and u, dt, x, ids, z a step."""
    rng, car, laser = np.random.default_rng(seed), unicycle(noise=(0.05, 0.05, 0.05)), range_bearing(std=(0.1, 0.02))
    turn = 2.0 * np.pi * np.arange(24) / 24.0
    ring = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    marks = np.array([0.0, 10.0]) + np.vstack([13.0 * ring, 7.0 * ring])
    x, u, dt, log = np.zeros(3), np.array([2.0, 0.2]), np.pi / 8.0, []
    for _ in range(160):
        x = car.state.normalize(rng.multivariate_normal(car.step(x, u, dt), car.noise(x, u, dt)))
        ids = np.flatnonzero(np.hypot(*(marks - x[:2]).T) < 12.0)
        log.append((u, dt, x, ids, laser.sample(x, marks[ids], rng=rng)))
    return car, laser, log


def loop_nees(algorithm: Any, seed: int) -> tuple[Array, Array]:
    """NEES of the pose after each step of a loop ``(160,)``, and its errors ``(160, 3)``."""
    car, laser, log = loop(seed)
    robot, nees, errors = algorithm(car).start(mean=[0.0, 0.0, 0.0], std=1e-3), [], []
    for u, dt, x, ids, z in log:
        robot.predict(dt, u=u)
        robot.update(laser, z, ids)
        e = np.asarray(car.state.minus(x, robot.belief.mean))
        errors.append(e)
        nees.append(e @ np.linalg.solve(robot.belief.cov, e))
    return np.array(nees), np.array(errors)


@table("slam_nees", note="mean NEES of the pose over 50 drives (3 if consistent), and errors [m, rad]")
def slam_nees(quick: bool) -> Figures:
    lines: list[Any] = []
    found = dict[str, Array]()
    for algorithm in (EKFSLAM, InvariantEKFSLAM):
        drives = [loop_nees(algorithm, seed) for seed in range(5 if quick else SEEDS)]
        nees, errors = (np.array(each) for each in zip(*drives, strict=True))
        at = found[algorithm.__name__] = nees.mean(0)[[39, 79, 119, 159]]
        place, heading = (float(np.sqrt((errors[..., part] ** 2).sum(-1).mean())) for part in (slice(2), slice(2, 3)))
        lines.append((algorithm.__name__, *at.tolist(), place, heading))
    low, high = LIMIT
    inside = bool(((low < found["InvariantEKFSLAM"]) & (found["InvariantEKFSLAM"] < high)).all())
    bars = [
        (f"InvariantEKFSLAM within {low} to {high} all the way", quick or inside),
        (f"EKFSLAM above {high} in the end (a fact, no aim)", quick or bool(found["EKFSLAM"][-1] > high)),
    ]
    columns = ("filter", "half a lap", "one lap", "lap and a half", "two laps", "position", "heading")
    return Figures(columns, lines, bars)


def curves(file: str, seeds: int = SEEDS) -> None:
    """Draw the mean NEES of the pose over time, with the interval of a consistent filter."""
    from matplotlib.figure import Figure

    from pilotage.viz import draw_chi_square

    figure = Figure(figsize=(6.5, 3.2), dpi=130, layout="constrained")
    ax, ts = figure.add_subplot(), np.pi / 8.0 * np.arange(1, 161)
    for algorithm, color in ((EKFSLAM, "tab:red"), (InvariantEKFSLAM, "tab:blue")):
        nees = np.array([loop_nees(algorithm, seed)[0] for seed in range(seeds)])
        draw_chi_square(ax, ts, nees, 3, color=color, label=algorithm.__name__)
    handles, labels = ax.get_legend_handles_labels()
    kept = dict(zip(labels, handles, strict=True))
    ax.legend(kept.values(), kept.keys(), fontsize=8, loc="upper left")
    ax.set(xlabel="time [s]", ylabel=f"mean NEES of the pose, {seeds} drives", ylim=(0.0, 8.0), xlim=(0.0, ts[-1]))
    figure.savefig(file)


if __name__ == "__main__":
    curves(sys.argv[1], *map(int, sys.argv[2:3]))
