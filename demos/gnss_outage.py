"""A car loses its GNSS for half a minute, three times, and knows where it is by its IMU and by how cars move.

    predict    inertial navigation: 15 states, driven by the gyroscopes and accelerometers
    update     positions and velocities of the GNSS receiver, while there are any; and all the time the nonholonomic
               constraint, that a car moves neither sideways nor upwards
    compare    straight on from the last fix at the last velocity, which is what is left without an IMU

The drive is a real one where `PILOTAGE_DATA` names the folder of the public data sets, and otherwise a simulated one.
"""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pilotage.core import Readings
from pilotage.estimators.localization import InertialNavigation
from pilotage.io import read_car_log, write_atomic
from pilotage.models import LocalFrame, gnss, inertial_navigation, nonholonomic, normal_gravity, standstill, velocity
from pilotage.viz import draw_ellipse, map_figure
from pilotage.viz.palette import ESTIMATE, INK, SHADE, SURPRISE

LOG = Path("gps_imu") / "2014-03-26-000-Data.csv.gz"
PITCH, ROLL = np.radians([6.9, 1.3])
"""How the IMU of the real drive is mounted in the car."""
LATENCY = {"fix": 0.45, "velocity": 1.05}
"""By so much the receiver of the real drive lags the IMU [s]."""
LENGTH = 30.0


@dataclass(frozen=True)
class Drive:
    """A drive in a local frame: IMU in axes of the car; positions, velocities and times of the receiver."""

    name: str
    ts: Any
    imu: Any
    fix_ts: Any
    fixes: Any
    velocity_ts: Any
    velocities: Any
    gravity: float


def real(file: Path) -> Drive:
    """The log of a car in Dresden, 2014."""
    log = read_car_log(file)
    frame = LocalFrame(*log.fixes[0])
    (sp, sr), (cp, cr) = np.sin([PITCH, ROLL]), np.cos([PITCH, ROLL])
    R = np.array([[cp, sp * sr, sp * cr], [0.0, cr, -sr], [-sp, cp * sr, cp * cr]])  # from the IMU to the car
    course, speed = log.tracks.T
    velocities = np.stack([speed * np.cos(course), speed * np.sin(course), np.full(len(speed), np.nan)], axis=-1)
    imu = np.concatenate([log.gyro @ R.T, log.accel @ R.T], axis=-1)
    return Drive(
        "a real drive", log.ts, imu, log.fix_ts - LATENCY["fix"], frame.enu(log.fixes),
        log.track_ts - LATENCY["velocity"], velocities, normal_gravity(frame.latitude),
    )  # fmt: skip


def simulated(seed: int) -> Drive:
    """A car that weaves through streets on level ground, with an IMU and a receiver of the usual kind."""
    rng, dt, g = np.random.default_rng(seed), 0.02, 9.81
    ts = dt * np.arange(1, 10801)
    speed = 8.0 + 4.0 * np.sin(0.13 * ts)
    rate = 0.25 * np.sin(0.11 * ts) + 0.2 * np.sin(0.37 * ts)
    yaw = np.cumsum(rate) * dt
    v = np.stack([speed * np.cos(yaw), speed * np.sin(yaw), np.zeros(len(ts))], axis=-1)
    zero = np.zeros(len(ts))
    imu = np.stack([zero, zero, rate, np.gradient(speed, dt), speed * rate, zero + g], axis=-1)
    imu += [0.01, -0.02, 0.015, 0.1, -0.1, 0.05] + rng.normal(size=imu.shape) * np.repeat([0.02, 0.5], 3)
    every = slice(4, None, 5)
    fixes = (np.cumsum(v, axis=0) * dt)[every] + rng.normal(size=(len(ts[every]), 3)) * [1.5, 1.5, 3.0]
    seen = v[every] + rng.normal(size=(len(ts[every]), 3)) * 0.2
    return Drive("a simulated drive", ts, imu, ts[every], fixes, ts[every], seen, g)


def navigate(drive: Drive, outages: list[float], begin: float = 6.0) -> Any:
    """The run of the filter, which is not given what the receiver said during outages."""
    first = int(np.searchsorted(drive.ts, begin))
    t = float(drive.ts[first - 1])
    fixed, moved = (heard(ts, outages) & (ts > t) for ts in (drive.fix_ts, drive.velocity_ts))
    before = int(np.searchsorted(drive.fix_ts, t)) - 1, int(np.searchsorted(drive.velocity_ts, t)) - 1
    dynamics = inertial_navigation(
        gyro_density=5e-3, accel_density=0.15, gyro_walk=1e-4, accel_walk=1e-3, gravity=drive.gravity
    )
    # The car is moving, so its accelerometers tell the level only as far as its own accelerations cancel out.
    moving = standstill(std=[0.01] * 6 + [0.5] * 3, gravity=drive.gravity)
    car = InertialNavigation(dynamics, still=moving, gyro_bias=0.02, accel_bias=0.3).start(
        drive.imu[first - 150 : first + 150, :3], drive.imu[first - 150 : first + 150, 3:],
        position=drive.fixes[before[0]], position_std=3.0,
        velocity=np.nan_to_num(drive.velocities[before[1]]), standing=False, t=t,
    )  # fmt: skip
    ticks = np.arange(t + 0.1, drive.ts[-1], 0.2)
    readings = [
        Readings(gnss(3, std=(3.0, 3.0, 5.0)), drive.fixes[fixed], drive.fix_ts[fixed]),
        Readings(velocity(3, std=0.3), drive.velocities[moved], drive.velocity_ts[moved]),
        Readings(nonholonomic(std=0.2), np.zeros((len(ticks), 2)), ticks),
    ]
    return car.run(drive.imu[first:], readings, drive.ts[first:])


def heard(ts: Any, outages: list[float]) -> Any:
    """Which times lie outside the outages."""
    return np.all([(ts <= begin) | (ts >= begin + LENGTH) for begin in outages], axis=0)


def straight_on(drive: Drive, begin: float, ts: Any) -> Any:
    """Positions at constant velocity from the last fix before an outage."""
    i, j = np.searchsorted(drive.fix_ts, begin) - 1, np.searchsorted(drive.velocity_ts, begin) - 1
    return drive.fixes[i, :2] + np.outer(ts - drive.fix_ts[i], drive.velocities[j, :2])


def judge(drive: Drive, run: Any, begin: float) -> tuple[float, float, float]:
    """Horizontal error at the end of an outage, that of constant velocity, and what the filter expects [m]."""
    end = int(np.searchsorted(run.ts, begin + LENGTH)) - 1
    t = run.ts[end]
    truth = np.array([np.interp(t, drive.fix_ts, drive.fixes[:, axis]) for axis in (0, 1)])
    expected = float(np.sqrt(np.trace(run.beliefs.cov[end, :2, :2])))
    away = run.beliefs.mean[end, :2] - truth, straight_on(drive, begin, np.array([t]))[0] - truth
    return float(np.hypot(*away[0])), float(np.hypot(*away[1])), expected


def picture(drive: Drive, run: Any, outages: list[float]) -> bytes:
    """The fixes, those that were hidden, and the ways that filter and constant velocity take through the outages."""
    xy = np.concatenate([drive.fixes[:, :2], run.beliefs.mean[:, :2]])
    figure, ax = map_figure([xy.min(axis=0) - 30.0, xy.max(axis=0) + 30.0], width=8.0)
    open_sky = heard(drive.fix_ts, outages)
    ax.plot(*drive.fixes[open_sky, :2].T, ".", color=SHADE, markersize=3, label="fixes")
    ax.plot(*drive.fixes[~open_sky, :2].T, ".", color=INK, markersize=3, label="fixes that were hidden")
    for k, begin in enumerate(outages):
        inside = (run.ts >= begin) & (run.ts < begin + LENGTH)
        known = run.beliefs[np.flatnonzero(inside)[-1]]
        red, orange = ("straight on", "inertial navigation") if k == 0 else (None, None)
        ax.plot(*straight_on(drive, begin, run.ts[inside]).T, "--", color=SURPRISE, linewidth=1.2, label=red)
        ax.plot(*run.beliefs.mean[inside, :2].T, color=ESTIMATE, linewidth=1.8, label=orange)
        draw_ellipse(ax, known.mean[:2], known.cov[:2, :2], edgecolor=ESTIMATE)
    ax.legend(loc="best", fontsize=8)
    ax.set_title(f"{drive.name}, {LENGTH:.0f} s without GNSS, {len(outages)} times", fontsize=10)
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()


def main(*, outage: list[float] | None = None, seed: int = 0, out: Path = Path("pilotage-demo")) -> int:
    """Drive through outages of GNSS; ends with a table and a picture.

    Args:
        outage: When an outage of 30 s begins [s]. Repeat the option for several. Default: 45, 105 and 165.
        seed: Seed of the simulated drive.
        out: Folder for the picture.
    """
    outages = outage or [45.0, 105.0, 165.0]
    log = Path(os.environ.get("PILOTAGE_DATA", "")) / LOG
    drive = real(log) if log.is_file() else simulated(seed)
    run = navigate(drive, outages)
    print(f"{drive.name}; horizontal error after {LENGTH:.0f} s without GNSS:")
    found = np.array([judge(drive, run, begin) for begin in outages])
    for begin, (ours, straight, expected) in zip(outages, found, strict=True):
        print(f"  from {begin:5.0f} s   IMU {ours:5.1f} m (+- {expected:.0f} m)   straight on {straight:5.1f} m")
    out.mkdir(parents=True, exist_ok=True)
    write_atomic(out / "gnss-outage.png", picture(drive, run, outages))
    print(f"  see {out / 'gnss-outage.png'}")
    held = found[:, 0].max() < found[:, 1].max() / 3.0 and (found[:, 0] < 3.0 * found[:, 2]).all()
    if not held:
        print("not as it should be: a third of the error of straight on, and within three sigma, is asked for")
    return 0 if held else 1
