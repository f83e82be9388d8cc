"""Every family of the library, with a member of each that the laws are put to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pilotage import models
from pilotage.core import Dynamics, Sensor

DYNAMICS: dict[str, Callable[[], Dynamics]] = {
    "acrobot": models.acrobot,
    "bicycle": lambda: models.bicycle(wheelbase=1.9),
    "cart_pole": models.cart_pole,
    "constant_acceleration": lambda: models.constant_acceleration(2, density=0.7),
    "constant_turn": lambda: models.constant_turn(3),
    "constant_turn 2": lambda: models.constant_turn(2),
    "constant_velocity": lambda: models.constant_velocity(3, density=0.3),
    "ctra": models.ctra,
    "ctrv": lambda: models.ctrv(density=0.4),
    "differential_drive": lambda: models.differential_drive(track=0.3),
    "double_integrator": lambda: models.double_integrator(2),
    "dynamic_bicycle": models.dynamic_bicycle,
    "inertial_navigation": models.inertial_navigation,
    "inertial_navigation on Earth": lambda: models.inertial_navigation(latitude=0.9),
    "LinearDynamics": lambda: models.LinearDynamics(
        [[0.0, 1.0], [-2.0, -0.3]], [[0.0], [1.0]], G=[[0.0], [1.0]], Qc=[[0.5]]
    ),
    "LinearDynamics.discrete": lambda: models.LinearDynamics.discrete([[0.9, 0.1], [0.0, 0.8]], Q=0.1 * np.eye(2)),
    "pendulum": lambda: models.pendulum(damping=0.2),
    "planar_arm": lambda: models.planar_arm(2, lengths=(0.5, 0.4), damping=0.1),
    "planar_arm 4": lambda: models.planar_arm(4),
    "planar_navigation": models.planar_navigation,
    "quadrotor": lambda: models.quadrotor(drag=0.1),
    "quadrotor by rotors": lambda: models.quadrotor(rotors=True),
    "singer": lambda: models.singer(2, tau=0.8),
    "tricycle": models.tricycle,
    "truck": models.truck,
    "unicycle": models.unicycle,
}

TIME_STEP = {"planar_arm": 0.01, "planar_arm 4": 0.01}
"""Seconds a step of models that random actions throw about faster than 0.1 s can follow."""

SENSORS: dict[str, Callable[[], Sensor]] = {
    "accelerometer": models.accelerometer,
    "altimeter": models.altimeter,
    "antenna_position": lambda: models.antenna_position(lever=(0.5, -0.2, 1.0)),
    "antenna_velocity": lambda: models.antenna_velocity(lever=(0.5, -0.2, 1.0)),
    "antenna_velocity at the IMU": models.antenna_velocity,
    "bearing_to": models.bearing_to,
    "body_velocity": models.body_velocity,
    "compass": lambda: models.compass(declination=0.1),
    "course_speed": models.course_speed,
    "gnss": lambda: models.gnss(std=1.5),
    "gnss 3": lambda: models.gnss(3),
    "gyroscope": models.gyroscope,
    "heading": lambda: models.heading(declination=0.05),
    "imu": models.imu,
    "LinearSensor": lambda: models.LinearSensor([[1.0, 2.0], [0.0, 1.0]], [[0.2, 0.1], [0.1, 0.3]]),
    "magnetometer": models.magnetometer,
    "nonholonomic": lambda: models.nonholonomic(lever=(-1.0, 0.1, 0.0), mounting=(0.8, 0.0, 0.6, 0.0)),
    "nonholonomic at the IMU": models.nonholonomic,
    "odometry": models.odometry,
    "position": lambda: models.position(1),
    "radar": lambda: models.radar(place=(2.0, -1.0), yaw=0.3),
    "range_azimuth": lambda: models.range_azimuth(place=(2.0, -1.0), yaw=0.3),
    "radar of a heading": lambda: models.radar(along_heading=True),
    "range_bearing": models.range_bearing,
    "range_to": lambda: models.range_to(2),
    "range_to 3": lambda: models.range_to(3, std=0.2),
    "absolute_pose": models.absolute_pose,
    "absolute_pose 3": lambda: models.absolute_pose(3),
    "relative_pose": models.relative_pose,
    "relative_pose 3": lambda: models.relative_pose(3),
    "pinhole": lambda: models.pinhole(focal=(2.0, 1.5), centre=(0.5, 0.3)),
    "pinhole distorted": lambda: models.pinhole(
        distorted=True, focal=(2.0, 1.5), centre=(0.5, 0.3), distortion=(-0.1, 0.02, 0.01, -0.02)
    ),
    "stereo_pinhole pair": lambda: models.stereo_pinhole(focal=(2.0, 1.5), centre=(0.5, 0.3), baseline=0.4),
    "stereo_bearings": models.stereo_bearings,
    "relative_position": models.relative_position,
    "relative_position 3": lambda: models.relative_position(3),
    "standstill": models.standstill,
    "tilt": models.tilt,
    "velocity": lambda: models.velocity(3),
    "wheel_speed": lambda: models.wheel_speed(scale=1.1),
    "wheel_speed off the IMU": lambda: models.wheel_speed(lever=(-1.0, 0.1, 0.0)),
}

NO_MODELS = {
    "Code", "LANES", "LocalFrame", "TracedDynamics", "TracedSensor", "TracedTask", "bicycle_inverse", "code_of",
    "coloured", "coloured_readings", "discrete_dynamics", "dynamics", "ecef", "factor", "geodetic", "hitch_angle",
    "jackknifed", "normal_gravity", "parameters", "sensor", "task", "trailer_rear", "tricycle_inverse",
}  # fmt: skip
"""Public names of `pilotage.models` that are not families of models."""


def seed_of(name: str) -> int:
    """A seed that differs between models and not between runs."""
    return sum(map(ord, name))


def body_of(family: Any) -> Callable[..., Any]:
    """The function of scalar components inside a model."""
    return family._body
