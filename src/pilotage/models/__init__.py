"""Models of robots and sensors, each written once as a function of scalar components."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.names import absent
from .aiding import altimeter as altimeter
from .aiding import antenna_position as antenna_position
from .aiding import antenna_velocity as antenna_velocity
from .aiding import course_speed as course_speed
from .aiding import heading as heading
from .aiding import magnetometer as magnetometer
from .aiding import nonholonomic as nonholonomic
from .aiding import standstill as standstill
from .aiding import wheel_speed as wheel_speed
from .arm import planar_arm as planar_arm
from .camera import pinhole as pinhole
from .camera import stereo_bearings as stereo_bearings
from .camera import stereo_pinhole as stereo_pinhole
from .coloured import coloured as coloured
from .coloured import coloured_readings as coloured_readings
from .geodesy import LocalFrame as LocalFrame
from .geodesy import ecef as ecef
from .geodesy import geodetic as geodetic
from .geodesy import normal_gravity as normal_gravity
from .inertial import accelerometer as accelerometer
from .inertial import gyroscope as gyroscope
from .inertial import imu as imu
from .inertial import tilt as tilt
from .linear import LinearDynamics as LinearDynamics
from .linear import LinearSensor as LinearSensor
from .motion import constant_acceleration as constant_acceleration
from .motion import constant_velocity as constant_velocity
from .motion import singer as singer
from .navigation import inertial_navigation as inertial_navigation
from .navigation import planar_navigation as planar_navigation
from .pendulum import acrobot as acrobot
from .pendulum import cart_pole as cart_pole
from .pendulum import double_integrator as double_integrator
from .pendulum import pendulum as pendulum
from .quadrotor import quadrotor as quadrotor
from .relative import absolute_pose as absolute_pose
from .relative import relative_pose as relative_pose
from .relative import relative_position as relative_position
from .sensors import bearing_to as bearing_to
from .sensors import body_velocity as body_velocity
from .sensors import compass as compass
from .sensors import gnss as gnss
from .sensors import odometry as odometry
from .sensors import position as position
from .sensors import radar as radar
from .sensors import range_azimuth as range_azimuth
from .sensors import range_bearing as range_bearing
from .sensors import range_to as range_to
from .sensors import velocity as velocity
from .trace import LANES as LANES
from .trace import Code as Code
from .trace import code_of as code_of
from .trace import parameters as parameters
from .trace.dynamics import TracedDynamics as TracedDynamics
from .trace.dynamics import discrete_dynamics as discrete_dynamics
from .trace.dynamics import dynamics as dynamics
from .trace.factor import factor as factor
from .trace.sensor import TracedSensor as TracedSensor
from .trace.sensor import sensor as sensor
from .trace.task import task as task
from .trace.traced_task import TracedTask as TracedTask
from .truck import hitch_angle as hitch_angle
from .truck import jackknifed as jackknifed
from .truck import trailer_rear as trailer_rear
from .truck import truck as truck
from .turning import constant_turn as constant_turn
from .turning import ctra as ctra
from .turning import ctrv as ctrv
from .vehicle import bicycle as bicycle
from .vehicle import bicycle_inverse as bicycle_inverse
from .vehicle import differential_drive as differential_drive
from .vehicle import dynamic_bicycle as dynamic_bicycle
from .vehicle import tricycle as tricycle
from .vehicle import tricycle_inverse as tricycle_inverse
from .vehicle import unicycle as unicycle

__all__ = [
    "LANES",
    "Code",
    "LinearDynamics",
    "LinearSensor",
    "LocalFrame",
    "TracedDynamics",
    "TracedSensor",
    "TracedTask",
    "absolute_pose",
    "accelerometer",
    "acrobot",
    "altimeter",
    "antenna_position",
    "antenna_velocity",
    "bearing_to",
    "bicycle",
    "bicycle_inverse",
    "body_velocity",
    "cart_pole",
    "code_of",
    "coloured",
    "coloured_readings",
    "compass",
    "constant_acceleration",
    "constant_turn",
    "constant_velocity",
    "course_speed",
    "ctra",
    "ctrv",
    "differential_drive",
    "discrete_dynamics",
    "double_integrator",
    "dynamic_bicycle",
    "dynamics",
    "ecef",
    "factor",
    "geodetic",
    "gnss",
    "gyroscope",
    "heading",
    "hitch_angle",
    "imu",
    "inertial_navigation",
    "jackknifed",
    "magnetometer",
    "nonholonomic",
    "normal_gravity",
    "odometry",
    "parameters",
    "pendulum",
    "pinhole",
    "planar_arm",
    "planar_navigation",
    "position",
    "quadrotor",
    "radar",
    "range_azimuth",
    "range_bearing",
    "range_to",
    "relative_pose",
    "relative_position",
    "sensor",
    "singer",
    "standstill",
    "stereo_bearings",
    "stereo_pinhole",
    "task",
    "tilt",
    "trailer_rear",
    "tricycle",
    "tricycle_inverse",
    "truck",
    "unicycle",
    "velocity",
    "wheel_speed",
]

if not TYPE_CHECKING:  # to a type checker, every name would seem to exist
    __getattr__ = absent(__name__)
