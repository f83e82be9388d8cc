"""Inertial navigation: its step beside GTSAM's, outages of GNSS in a real drive, and two logs whose truth is known."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy import Figures, table
from benchmarks.harness import Contest, row
from pilotage.core import Readings, Space
from pilotage.core.mathematics import numpy_math
from pilotage.core.rotations import matrix, product, rotation_exp
from pilotage.estimators import EKF, UKF
from pilotage.estimators.localization import InertialNavigation
from pilotage.io import InertialLog, read_car_log, read_gtsam_log, read_laser_radar
from pilotage.models import (
    LocalFrame,
    compass,
    ctrv,
    gnss,
    inertial_navigation,
    nonholonomic,
    normal_gravity,
    planar_navigation,
    position,
    radar,
    sensor,
    standstill,
    velocity,
    wheel_speed,
)

OUTAGES, LENGTH, BEGIN = (45.0, 65.0, 85.0, 105.0, 125.0, 145.0, 165.0, 180.0), 30.0, 6.0
FIX_LATENCY, TRACK_LATENCY = 0.45, 1.05
"""By so much the log's positions, and its courses and speeds, lag the turns and pushes of its IMU [s]."""
ROLL, PITCH = np.radians([1.3, 6.9])
"""How the log's IMU is mounted in the car: with these, its velocity points along the car over the whole log."""


@sensor(state=Space("speed [m/s]"), reading=Space("speed [m/s]"), std=0.3)
def speedometer(x: Any, c: Any, p: Any, m: Any) -> Any:
    """The forward speed of a car in the plane."""
    return (x[0],)


def data(name: str) -> Path:
    """A log of the public data sets; a `FileNotFoundError` where there are none."""
    file = Path(os.environ.get("PILOTAGE_DATA", "")) / "gps_imu" / name
    if not file.is_file():
        raise FileNotFoundError(f"there is no {file}; set PILOTAGE_DATA to the folder of the data sets")
    return file


@row(
    "ins_step", peer="GTSAM NavStateImuEKF", bar=1.0, needs=["gtsam"],
    note="predict by IMU and update by a position, one by one from Python; 15 states against GTSAM's 9 without biases",
)  # fmt: skip
def ins_step(quick: bool) -> Contest:
    import gtsam  # pyright: ignore[reportMissingImports]

    u, z, dt = np.array([0.01, 0.0, 0.1, 0.2, 0.1, 9.81]), np.zeros(3), 0.01
    dynamics, fix = inertial_navigation(), gnss(3, std=1.5)
    ours = EKF(dynamics, dt=dt).start(mean=dynamics.state.identity(), std=[*9 * [0.1], *3 * [1e-9], *3 * [1e-9]])
    params = gtsam.PreintegrationParams.MakeSharedU(9.81)
    params.setGyroscopeCovariance(np.eye(3) * 1.7e-4**2)
    params.setAccelerometerCovariance(np.eye(3) * 2e-3**2)
    params.setIntegrationCovariance(np.zeros((3, 3)))
    theirs = gtsam.NavStateImuEKF(gtsam.NavState(), 0.01 * np.eye(9), params)
    gyro, accel, H, R = u[:3].copy(), u[3:].copy(), np.zeros((3, 9)), 2.25 * np.eye(3)

    def their_step() -> None:
        theirs.predict(gyro, accel, dt)
        state = theirs.state()
        H[:, 3:6] = state.attitude().matrix()
        theirs.updateWithVector(state.position(), H, z, R)

    def our_step() -> None:
        ours.predict(u=u)
        ours.update(fix, z)

    def check() -> str:
        for _ in range(100):
            our_step()
            their_step()
        apart = np.abs(ours.belief.mean[:3] - theirs.state().position()).max()
        assert apart < 0.01, f"positions are {apart} m apart after a second"
        return f"positions {1000 * apart:.1f} mm apart after 1 s"

    return Contest(our_step, their_step, check)


class Drive:
    """The car's log in a local frame, in axes of the car, with the latencies of its receiver taken out."""

    def __init__(self, log: InertialLog) -> None:
        frame = LocalFrame(*log.fixes[0])
        self.gravity = normal_gravity(frame.latitude)
        about_y, about_x = (rotation_exp(turn, numpy_math) for turn in ([0.0, PITCH, 0.0], [ROLL, 0.0, 0.0]))
        R = np.array(matrix(product(about_y, about_x)), dtype=float).reshape(3, 3)
        first = int(np.searchsorted(log.ts, BEGIN))
        self.t, self.ts = float(log.ts[first - 1]), log.ts[first:]
        self.gyro, self.accel = log.gyro @ R.T, log.accel @ R.T
        self.us = np.concatenate([self.gyro, self.accel], axis=-1)[first:]
        self.settled = slice(first - 150, first + 150)
        fix_ts, track_ts = log.fix_ts - FIX_LATENCY, log.track_ts - TRACK_LATENCY
        self.start = frame.enu(log.fixes[np.searchsorted(fix_ts, self.t) - 1])
        self.course, self.speed = log.tracks[np.searchsorted(track_ts, self.t) - 1]
        fixed, tracked = fix_ts > self.t, track_ts > self.t
        self.fix_ts, self.fixes = fix_ts[fixed], frame.enu(log.fixes[fixed])
        self.track_ts, self.tracks = track_ts[tracked], log.tracks[tracked]

    def seen(self, outage: float) -> tuple[Any, Any]:
        """Which fixes and which tracks lie outside an outage."""
        return tuple((ts <= outage) | (ts >= outage + LENGTH) for ts in (self.fix_ts, self.track_ts))  # type: ignore[return-value]

    def velocities(self) -> Any:
        """East and north velocity; none upwards."""
        course, speed = self.tracks.T
        return np.stack([speed * np.cos(course), speed * np.sin(course), np.full(len(course), np.nan)], axis=-1)

    def error(self, ts: Any, xs: Any, outage: float) -> float:
        """Horizontal distance from the hidden fixes at the end of an outage [m]."""
        last = int(np.searchsorted(ts, outage + LENGTH)) - 1
        truth = [np.interp(ts[last], self.fix_ts, self.fixes[:, axis]) for axis in (0, 1)]
        return float(np.hypot(*(xs[last, :2] - truth)))


def constant_velocity_error(drive: Drive, outage: float) -> float:
    """Straight on from the last fix, at the last velocity."""
    i, j = np.searchsorted(drive.fix_ts, outage) - 1, np.searchsorted(drive.track_ts, outage) - 1
    end = np.array([outage + LENGTH - 1e-9])
    ahead = drive.fixes[i, :2] + drive.velocities()[j, :2] * (end[0] - drive.fix_ts[i])
    return drive.error(end, ahead[None], outage)


def planar_error(drive: Drive, outage: float, wheels: bool) -> float:
    """A planar filter by the yaw gyroscope and the forward accelerometer, without or with the speed in the outage."""
    fixed, tracked = drive.seen(outage)
    headed = tracked & (drive.tracks[:, 1] > 2.0)
    spoken = np.ones_like(tracked) if wheels else tracked
    car = EKF(planar_navigation(accel_walk=0.005)).start(
        mean=[*drive.start[:2], drive.course, drive.speed, 0.0, 0.0], std=[3.0, 3.0, 0.1, 0.5, 0.02, 0.5], t=drive.t
    )
    run = car.run(
        drive.us[:, [3, 2]],
        [
            Readings(gnss(std=3.0), drive.fixes[fixed, :2], drive.fix_ts[fixed]),
            Readings(compass(std=0.08), drive.tracks[headed, :1], drive.track_ts[headed]),
            Readings(speedometer(), drive.tracks[spoken, 1:], drive.track_ts[spoken]),
        ],
        drive.ts,
    )
    return drive.error(run.ts, run.beliefs.mean, outage)


def inertial_error(drive: Drive, outage: float, constrained: bool, wheels: bool) -> float:
    """Fifteen states, with or without the nonholonomic constraint and the speed in the outage."""
    fixed, tracked = drive.seen(outage)
    dynamics = inertial_navigation(
        gyro_density=5e-3, accel_density=0.15, gyro_walk=1e-4, accel_walk=1e-3, gravity=drive.gravity
    )
    moving = standstill(std=[0.01] * 3 + [0.01] * 3 + [0.5] * 3, gravity=drive.gravity)
    car = InertialNavigation(dynamics, still=moving, gyro_bias=0.02, accel_bias=0.3).start(
        drive.gyro[drive.settled], drive.accel[drive.settled], position=drive.start, position_std=3.0,
        velocity=[drive.speed * np.cos(drive.course), drive.speed * np.sin(drive.course), 0.0],
        standing=False, t=drive.t,
    )  # fmt: skip
    readings = [
        Readings(gnss(3, std=(3.0, 3.0, 5.0)), drive.fixes[fixed], drive.fix_ts[fixed]),
        Readings(velocity(3, std=0.3), drive.velocities()[tracked], drive.track_ts[tracked]),
    ]
    if constrained:
        ts = np.arange(drive.t + 0.1, drive.ts[-1], 0.2)
        readings.append(Readings(nonholonomic(std=0.2), np.zeros((len(ts), 2)), ts))
    if wheels:
        readings.append(Readings(wheel_speed(std=0.3), drive.tracks[~tracked, 1:], drive.track_ts[~tracked]))
    run = car.run(drive.us, readings, drive.ts)
    return drive.error(run.ts, run.beliefs.mean, outage)


@table("gnss_outages", note="a car's log, 30 s without GNSS in 8 places; horizontal error at the end [m]")
def gnss_outages(quick: bool) -> Figures:
    drive = Drive(read_car_log(data("2014-03-26-000-Data.csv.gz")))
    outages = OUTAGES[::3] if quick else OUTAGES
    errors = {
        "constant velocity": [constant_velocity_error(drive, o) for o in outages],
        "planar, gyroscope and accelerometer": [planar_error(drive, o, False) for o in outages],
        "INS alone": [inertial_error(drive, o, False, False) for o in outages],
        "INS, nonholonomic": [inertial_error(drive, o, True, False) for o in outages],
        "planar, speed known": [planar_error(drive, o, True) for o in outages],
        "INS, nonholonomic, speed known": [inertial_error(drive, o, True, True) for o in outages],
    }
    rms = {name: float(np.sqrt(np.mean(np.square(e)))) for name, e in errors.items()}
    lines = [[name, *e, float(np.median(e)), rms[name]] for name, e in errors.items()]
    third = rms["INS, nonholonomic"] < rms["constant velocity"] / 3
    return Figures(
        ["without GNSS by", *(f"{o:.0f} s" for o in outages), "median", "RMS"],
        lines,
        [("the constrained INS errs less than a third of constant velocity (RMS)", third)],
    )


@table("gtsam_imu_log", note="GTSAM's example of IMU factors, a fix a second: distance from it before it is read")
def gtsam_imu_log(quick: bool) -> Figures:
    log, dt = read_gtsam_log(data("imuAndGPSdata.csv.gz")), 0.005
    dynamics = inertial_navigation(gravity=1e-12)
    mean = np.concatenate([log.initial[:3], log.initial[6:], log.initial[3:6], np.zeros(6)])
    fix, lines = position(3, std=0.1), []
    for name, fixes in (("IMU alone, 100 s", []), ("IMU and fixes", [0])):
        car = EKF(dynamics).start(mean=mean, std=[*9 * [0.1], *6 * [1e-3]])
        ts = dt * np.arange(1, len(log.accel) + 1)
        given = [Readings(fix, log.poses[:, :3], dt * log.steps)] if fixes else []
        us = np.concatenate([log.gyro, log.accel], axis=-1)
        run = car.run(us, given or [Readings(fix, np.full((1, 3), np.nan), ts[-1:])], ts)
        at = np.searchsorted(run.ts, dt * log.steps - 1e-9)
        far = np.linalg.norm(run.predicted.mean[at, :3] - log.poses[:, :3], axis=-1)
        lines.append([name, float(far.max()), float(np.sqrt(np.mean(far**2)))])
    held = all(line[1] < 0.01 for line in lines)
    return Figures(["path", "worst [m]", "RMSE [m]"], lines, [("all within 1 cm of the fixes, over 3.2 km", held)])


@table(
    "laser_radar", note="Udacity's synthetic target, RMSE over all readings after the first two, which start the filter"
)
def laser_radar(quick: bool) -> Figures:
    log, bar = read_laser_radar(data("obj_pose-laser-radar-synthetic-input.txt.gz")), (0.09, 0.10, 0.40, 0.30)
    later = np.arange(len(log.ts)) > 1
    of_laser, of_radar = later & ~np.isnan(log.laser[:, 0]), later & ~np.isnan(log.radar[:, 0])
    readings = [
        Readings(position(std=0.15), log.laser[of_laser], log.ts[of_laser]),
        Readings(radar(along_heading=True, std=(0.3, 0.03, 0.3)), log.radar[of_radar], log.ts[of_radar]),
    ]
    _, azimuth, rate = log.radar[1]  # the target flees from the radar at least as fast as its range grows
    lines, held = [], []
    for filter in (EKF, UKF):
        target = filter(ctrv(density=0.3, turn_density=0.2)).start(
            mean=[*log.laser[0], azimuth, rate, 0.0], std=[0.3, 0.3, 0.5, 1.0, 0.3], t=log.ts[1]
        )
        x, y, yaw, v, _ = target.run(None, readings).beliefs.mean.T
        found = np.stack([x, y, v * np.cos(yaw), v * np.sin(yaw)], axis=-1)
        rmse = np.sqrt(np.mean(np.square(found - log.truth[later, :4]), axis=0))
        lines.append([filter.__name__, *rmse.tolist()])
        held.append((f"{filter.__name__} within the course's bar", bool((rmse <= bar).all())))
    return Figures(["filter", "x [m]", "y [m]", "vx [m/s]", "vy [m/s]"], [*lines, ["bar", *bar]], held)
