"""Directions: a kind of part that only its own file knows."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pilotage
from pilotage.core import Gaussian, Particles, Space, jacobian
from pilotage.core.parts import KINDS
from pilotage.estimators import EKF
from pilotage.models import dynamics, sensor

SPHERE = Space("n: S2")
SOURCE = Path(pilotage.__file__).parent

sides = st.floats(-1.0, 1.0)
vectors = st.tuples(sides, sides, sides).filter(lambda v: np.linalg.norm(v) > 0.1)


@given(vectors, vectors)
def test_minus_has_the_length_of_the_angle(a, b):
    x, y = SPHERE.normalize(a), SPHERE.normalize(b)
    angle = np.arctan2(np.linalg.norm(np.cross(x, y)), x @ y)
    np.testing.assert_allclose(SPHERE.distance(x, y), angle, atol=1e-14)
    if angle < 3.1:
        np.testing.assert_allclose(SPHERE.plus(x, SPHERE.minus(y, x)), y, atol=1e-13)


@given(vectors, st.tuples(st.floats(-2, 2), st.floats(-2, 2)))
def test_plus_walks_along_a_great_circle(a, d):
    """The end lies in the plane of start and direction, the angle is the length: slerp, in thirds."""
    x, d = SPHERE.normalize(a), np.array(d)
    y, t = SPHERE.plus(x, d), np.linalg.norm(d)
    np.testing.assert_allclose(x @ y, np.cos(t), atol=1e-14)
    third = SPHERE.plus(x, d / 3)
    if 1e-3 < t < 3.0:
        slerp = (np.sin(2 * t / 3) * x + np.sin(t / 3) * y) / np.sin(t)
        np.testing.assert_allclose(third, slerp, atol=1e-12)


@pytest.mark.parametrize("z", [1.0, 0.3, 0.0, -0.0, -1e-9, -0.3, -1.0])
def test_directions_across_are_orthonormal(z):
    x = np.array([np.sqrt(1 - z * z), 0.0, z])
    B = np.array([SPHERE.plus(x, d) @ np.eye(3) for d in np.pi / 2 * np.eye(2)])
    np.testing.assert_allclose(B @ B.T, np.eye(2), atol=1e-14)
    np.testing.assert_allclose(B @ x, 0.0, atol=1e-14)


def test_the_opposite_direction_is_reached():
    x = SPHERE.sample(20, rng=0)
    np.testing.assert_allclose(SPHERE.plus(x, SPHERE.minus(-x, x)), -x, atol=1e-12)


def test_mean_of_directions_is_the_minimum_of_squared_distances():
    xs = SPHERE.plus(SPHERE.sample(rng=1), np.random.default_rng(2).normal(0.0, 0.4, (50, 2)))
    mean = SPHERE.mean(xs)
    cost = (SPHERE.distance(mean, xs) ** 2).sum()
    around = SPHERE.plus(mean, 1e-4 * np.array([[1, 0], [-1, 0], [0, 1], [0, -1]]))
    assert ((SPHERE.distance(around[:, None], xs) ** 2).sum(-1) > cost).all()


@dynamics(state=SPHERE, action=Space("wx wy wz [rad/s]"), noise=(0.1, 0.1))
def turning(x, u, p, m):
    """A direction fixed in the world, seen from a body that turns: n' = n x w, in the tangent."""
    across = [x[1] * u[2] - x[2] * u[1], x[2] * u[0] - x[0] * u[2], x[0] * u[1] - x[1] * u[0]]
    a, b = _tangent(x, m)
    return sum(s * t for s, t in zip(a, across, strict=True)), sum(s * t for s, t in zip(b, across, strict=True))


def _tangent(x, m):
    side = m.where(x[2] < 0.0, -1.0, 1.0)
    a = -1.0 / (side + x[2])
    return (
        [1.0 + side * x[0] * x[0] * a, side * x[0] * x[1] * a, -side * x[0]],
        [x[0] * x[1] * a, side + x[1] * x[1] * a, -x[1]],
    )


@sensor(state=SPHERE, reading=Space("ax ay az [m/s^2]"), noise=(0.5, 0.5, 0.5))
def accelerometer(x, c, p, m):
    """Gravity."""
    return [9.81 * c for c in x]


@pytest.mark.parametrize("z", [0.9, 0.2, -0.2, -0.9])
def test_traced_jacobians_are_those_of_differences(z):
    x = SPHERE.normalize([0.3, -0.4, z])
    car, imu = turning(), accelerometer()
    u, dt = np.array([0.3, -0.2, 0.5]), 0.1
    F, B = car.linearize(x, u, dt)
    np.testing.assert_allclose(F, jacobian(lambda y: car.step(y, u, dt), x, SPHERE, SPHERE), atol=1e-8)
    np.testing.assert_allclose(B, jacobian(lambda v: car.step(x, v, dt), u, car.action, SPHERE), atol=1e-8)
    np.testing.assert_allclose(imu.linearize(x), jacobian(imu.observe, x, SPHERE, imu.reading), atol=1e-7)


def test_the_integrator_turns_as_a_rotation():
    """Rates across the sphere are integrated to fourth order: halving the step divides the error by 16."""
    from scipy.spatial.transform import Rotation

    x, u = SPHERE.normalize([0.6, 0.1, 0.7]), np.array([0.4, -0.7, 0.2])
    exact = Rotation.from_rotvec(-u).apply(x)
    errors = []
    for n in (4, 8):
        y = x
        for _ in range(n):
            y = turning().step(y, u, 1.0 / n)
        errors.append(float(SPHERE.distance(y, exact)))
    assert errors[0] < 1e-4
    assert errors[1] < errors[0] / 10


def test_a_filter_on_the_sphere_agrees_with_its_cloud():
    prior = Gaussian.of(SPHERE, SPHERE.normalize([0.2, 0.1, 1.0]), std=0.05)
    filter_ = EKF(turning(), dt=0.1).start(mean=prior.mean, cov=prior.cov)
    filter_.predict(u=[0.1, 0.2, 0.3])
    cloud = Particles(SPHERE, turning().step(prior.sample(50_000, rng=3), np.array([0.1, 0.2, 0.3]), 0.1))
    Q = turning().noise(prior.mean, np.zeros(3), 0.1)
    np.testing.assert_allclose(SPHERE.minus(filter_.belief.mean, cloud.moments().mean), 0.0, atol=2e-3)
    np.testing.assert_allclose(filter_.belief.cov, cloud.moments().cov + Q, atol=2e-4)


KIND_NAMES = {kind.__name__ for kind in KINDS.values()}


def knows_kinds(source: Path) -> list[str]:
    """Places where a file asks for the kind of a part: isinstance or type() with its name, ``part.kind``, an import."""
    found: list[str] = []
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("isinstance", "issubclass")
        ):
            asked = {n.id for a in node.args[1:] for n in ast.walk(a) if isinstance(n, ast.Name)}
            found += sorted(asked & (KIND_NAMES | {"Pose", "Group"}))
        if isinstance(node, ast.Compare):
            found += sorted({n.id for n in ast.walk(node) if isinstance(n, ast.Name)} & KIND_NAMES)
            words = {n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
            found += sorted(words & (set(KINDS) - {"float64", "float32", "float16", "real", "angle"}))
        if isinstance(node, ast.Attribute) and node.attr == "kind" and getattr(node.value, "id", "") == "part":
            found.append("part.kind")
    return found


def test_nothing_asks_what_kind_a_part_is():
    """A new kind is one file in core/parts and its line in the register there."""
    outside = [file for file in SOURCE.rglob("*.py") if file.parent != SOURCE / "core" / "parts"]
    assert {str(file): knows_kinds(file) for file in outside if knows_kinds(file)} == {}
    for file in (SOURCE / "core").glob("*.py"):
        if file.name != "__init__.py":
            names = {node.id for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Name)}
            assert not names & KIND_NAMES, f"{file.name} names {names & KIND_NAMES}"


def test_a_kind_is_known_by_its_file_only():
    texts = {str(file.relative_to(SOURCE)): file.read_text() for file in SOURCE.rglob("*.py")}
    places = {name for name, text in texts.items() if re.search(r"\bSphere\b|\bS2\b", text)}
    register = {"core/parts/__init__.py", "core/parts/sphere.py", "core/__init__.py"}
    assert places - register <= {"core/space.py", "core/parts/grammar.py"}, "beyond docstrings and help"
