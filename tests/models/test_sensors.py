"""Sensors read what geometry says."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pilotage.core import ModelError, ShapeError, Space
from pilotage.models import (
    accelerometer,
    bearing_to,
    body_velocity,
    compass,
    ctra,
    gnss,
    gyroscope,
    imu,
    position,
    quadrotor,
    radar,
    range_azimuth,
    range_bearing,
    range_to,
    tilt,
    unicycle,
)


def test_range_and_bearing_place_the_landmark() -> None:
    x = unicycle().state.sample(50, rng=0)
    landmark = 4.0 * np.random.default_rng(1).standard_normal((50, 2))
    z = range_bearing().observe(x, landmark)
    heading = x[:, 2] + z[:, 1]
    seen = x[:, :2] + z[:, :1] * np.stack([np.cos(heading), np.sin(heading)], -1)
    np.testing.assert_allclose(seen, landmark, atol=1e-12)
    np.testing.assert_allclose(bearing_to().observe(x, landmark)[:, 0], z[:, 1], atol=1e-14)
    np.testing.assert_allclose(range_to().observe(x[:, :2], landmark)[:, 0], z[:, 0], atol=1e-14)


def test_bearings_are_angles() -> None:
    """A bearing behind the robot is in (-pi, pi], and readings differ by the short way."""
    sensor = range_bearing()
    z = sensor.observe([0.0, 0.0, 3.0], [-1.0, -0.3])
    assert -np.pi < z[1] <= np.pi
    likely = sensor.log_prob([z[0], np.pi - 1e-3], [0.0, 0.0, 0.0], [-z[0], -1e-3 * z[0]])
    assert likely > sensor.log_prob([z[0], np.pi - 0.2], [0.0, 0.0, 0.0], [-z[0], -1e-3 * z[0]])


def test_range_and_azimuth_are_those_of_the_radar() -> None:
    place, x = {"place": (1.0, 2.0), "yaw": 0.4}, np.array([[30.0, -40.0, 3.0, 1.0], [-5.0, 2.5, 0.0, 2.0]])
    sensor = range_azimuth(**place).on(Space("x y [m]", "vx vy [m/s]"))
    np.testing.assert_allclose(sensor.observe(x), radar(**place).observe(x)[:, :2], atol=1e-12)


def test_radar_rate_is_the_derivative_of_range() -> None:
    sensor, h = radar(place=(1.0, 2.0), yaw=0.4), 1e-6
    x = np.array([30.0, -4.0, 3.0, -2.0])
    later, sooner = (sensor.observe(x + s * h * np.array([3.0, -2.0, 0.0, 0.0])) for s in (1, -1))
    z = sensor.observe(x)
    assert z[2] == pytest.approx((later[0] - sooner[0]) / (2 * h), rel=1e-7)
    assert z[1] == pytest.approx(np.arctan2(-6.0, 29.0) - 0.4)
    heading = [30.0, -4.0, np.arctan2(-2.0, 3.0), np.sqrt(13.0)]
    np.testing.assert_allclose(radar(place=(1.0, 2.0), yaw=0.4, along_heading=True).observe(heading), z, atol=1e-12)


def test_body_velocity_keeps_its_length() -> None:
    x = body_velocity().state.sample(20, rng=0)
    z = body_velocity().observe(x)
    np.testing.assert_allclose(np.hypot(*z.T), np.hypot(*x[:, 1:].T))
    np.testing.assert_allclose(np.sin(np.arctan2(*z.T[::-1]) + x[:, 0] - np.arctan2(x[:, 2], x[:, 1])), 0, atol=1e-12)


def test_imu_feels_the_curve() -> None:
    """Centripetal acceleration v^2 / r towards the centre, on the left in a left turn."""
    assert imu(bias=(0.1, 0.2, 0.3)).observe([5.0, 0.5, 1.0]).tolist() == pytest.approx([1.1, 2.7, 0.8])


def test_imu_feels_what_the_trajectory_does() -> None:
    """Second differences of a closed-form drive, turned into the body."""
    drive, h = ctra(), 1e-4
    x = np.array([1.0, 2.0, 0.7, 6.0, 0.4, 1.5])
    places = [drive.step(x, [], t)[:2] for t in (0.0, h, 2 * h)]
    middle = drive.step(x, [], h)
    ax, ay = (places[0] - 2 * places[1] + places[2]) / h**2
    c, s = np.cos(middle[2]), np.sin(middle[2])
    z = imu().on(drive.state).observe(middle)
    np.testing.assert_allclose(z, [c * ax + s * ay, c * ay - s * ax, 0.4], atol=1e-6)


def test_strapdown_sensors_against_rotation_matrices() -> None:
    """Specific force is acceleration less gravity, in the body; the gyroscope gives the rate of the attitude."""
    body = Space("q: quaternion", "wx wy wz [rad/s]", "ax ay az [m/s^2]")
    x = body.sample(20, rng=0)
    attitude = Rotation.from_quat(x[:, [1, 2, 3, 0]])
    force = attitude.inv().apply(x[:, 7:] - [0.0, 0.0, -9.81])
    np.testing.assert_allclose(accelerometer().on(body).observe(x), force, atol=1e-12)
    np.testing.assert_allclose(
        tilt(bias=(0.1, 0.2, 0.3)).on(body).observe(x), attitude.inv().apply([0.0, 0.0, 9.81]) + [0.1, 0.2, 0.3]
    )
    drone, h = quadrotor(inertia=(1.0, 1.0, 1.0)), 1e-3  # a ball keeps its rate
    flying = drone.state.sample(20, rng=1)
    later = drone.step(flying, [0.0, 0.0, 0.0, 0.0], h)
    turned = Rotation.from_quat(flying[:, [4, 5, 6, 3]]).inv() * Rotation.from_quat(later[:, [4, 5, 6, 3]])
    np.testing.assert_allclose(gyroscope().on(drone.state).observe(flying), turned.as_rotvec() / h, atol=1e-9)


def test_accelerometer_feels_gravity_upwards() -> None:
    for axis in range(3):
        for angle in (0.0, np.pi / 2, np.pi, 2.5):
            q = np.zeros(4)
            q[0], q[1 + axis] = np.cos(angle / 2), np.sin(angle / 2)
            up = np.array([[0, np.sin(angle), np.cos(angle)], [-np.sin(angle), 0, np.cos(angle)], [0, 0, 1.0]])[axis]
            np.testing.assert_allclose(tilt().observe(q), 9.81 * up, atol=1e-12)
            falling = np.array([*q, 0.0, 0.0, -9.81])
            np.testing.assert_allclose(accelerometer().observe(falling), 0.0, atol=1e-12)


def test_default_noise() -> None:
    assert np.diag(gnss(3).noise(np.zeros(3))).tolist() == [2.25, 2.25, 9.0]
    assert np.diag(position(2, std=[0.1, 0.2]).noise(np.zeros(2))) == pytest.approx([0.01, 0.04])


def test_noise_may_depend_on_the_reading() -> None:
    """Accuracy that falls with distance."""
    far = range_bearing(noise=lambda x, c, p, m: (0.01 * m.hypot(c[0] - x[0], c[1] - x[1]) ** 2, 0.1))
    R = far.noise([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]], [4.0, 0.0])
    np.testing.assert_allclose(R, [np.diag([0.16, 0.1]), np.diag([0.09, 0.1])])
    with pytest.raises(ModelError, match="range_bearing takes std or noise, not both"):
        range_bearing(std=0.1, noise=lambda x, c, p, m: (1.0, 1.0))


def test_nan_means_not_measured() -> None:
    sensor = range_bearing(std=(0.1, 0.02))
    x, landmark = [0.0, 0.0, 0.0], [3.0, 4.0]
    only_range = sensor.log_prob([5.1, np.nan], x, landmark)
    assert only_range == pytest.approx(-0.5 * 1.0 - np.log(0.1 * np.sqrt(2 * np.pi)))
    assert sensor.log_prob([np.nan, np.nan], x, landmark) == 0.0


def test_wrong_shapes_are_sentences() -> None:
    with pytest.raises(ShapeError, match=r"context for range_bearing has shape \(0,\); 2 numbers"):
        range_bearing().observe([0.0, 0.0, 0.0])
    with pytest.raises(ShapeError, match=r"context for range_bearing has shape \(3,\); 2 numbers"):
        range_bearing().observe([0.0, 0.0, 0.0], [1.0, 2.0, 3.0])
    with pytest.raises(ShapeError, match=r"state for gnss has shape \(3,\); expected \(\.\.\., 2\)"):
        gnss().observe([0.0, 0.0, 0.0])
    with pytest.raises(ModelError, match="compass has no parameter 'declinatoin'; .* did you mean declination"):
        compass(declinatoin=0.1)


def test_repr_tells_the_settings() -> None:
    assert repr(gnss(std=1.5)) == "gnss(std=(1.5, 1.5))"
    assert repr(compass(std=0.1).on(Space("x y [m]", "yaw: angle"))) == "compass(declination=0.0, std=(0.1,))"
