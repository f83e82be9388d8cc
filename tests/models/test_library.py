"""Every model of the library keeps the contract of its kind."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from pilotage import models
from pilotage.core import ModelError, PilotageError, Space, SpaceError
from pilotage.testing import check_dynamics, check_sensor

from .registry import DYNAMICS, NO_MODELS, SENSORS, TIME_STEP, seed_of

COMPILED_DYNAMICS = ("bicycle", "ctra", "LinearDynamics", "truck")
COMPILED_SENSORS = ("range_bearing", "accelerometer", "LinearSensor")


def test_registry_is_complete() -> None:
    listed = {name.split()[0].split(".")[0] for name in (*DYNAMICS, *SENSORS)}
    assert listed | NO_MODELS == set(models.__all__)


@pytest.mark.parametrize("name", DYNAMICS)
def test_dynamics(name: str) -> None:
    pytest.importorskip("torch")
    dt = TIME_STEP.get(name, 0.1)
    check_dynamics(DYNAMICS[name](), dt=dt, rng=seed_of(name), compiled=name in COMPILED_DYNAMICS)


@pytest.mark.parametrize("name", SENSORS)
def test_sensor(name: str) -> None:
    pytest.importorskip("torch")
    check_sensor(SENSORS[name](), rng=seed_of(name), compiled=name in COMPILED_SENSORS)


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in DYNAMICS if n not in COMPILED_DYNAMICS])
def test_compiled_dynamics(name: str) -> None:
    check_dynamics(DYNAMICS[name](), dt=TIME_STEP.get(name, 0.1), rng=seed_of(name))


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in SENSORS if n not in COMPILED_SENSORS])
def test_compiled_sensor(name: str) -> None:
    check_sensor(SENSORS[name](), rng=seed_of(name))


@pytest.mark.parametrize("name", [*DYNAMICS, *SENSORS])
def test_units_and_sources(name: str) -> None:
    """A reader must find an equation, its source, and the units of every component that has one."""
    model = (DYNAMICS.get(name) or SENSORS[name])()
    spaces = [getattr(model, s) for s in ("state", "action", "reading") if hasattr(model, s)]
    if "Linear" not in name:
        unitless = {n for space in spaces for n, unit in zip(space.names, space.units, strict=True) if not unit}
        assert {n.rpartition(".")[2].strip("q") or n for n in unitless} <= {"w", "x", "y", "z"}
    doc = getattr(models, name.split()[0].split(".")[0]).__doc__
    assert ">>>" in doc
    assert "Source: " in doc or name == "LinearSensor"
    assert "::" in doc or "``z = H x" in doc


def test_limits_replace_bounds() -> None:
    car = models.bicycle(limits={"steer": (-0.3, 0.4), "speed": (0.0, 8.0)})
    assert (car.action.low[1], car.action.high[1], car.state.low[3], car.state.high[3]) == (-0.3, 0.4, 0.0, 8.0)
    assert car.replace(wheelbase=3.0).action == car.action
    with pytest.raises(ModelError, match=r"bicycle has no component 'stear' to limit; it has accel, steer, x"):
        models.bicycle(limits={"stear": (-0.3, 0.4)})


def test_wrong_counts_are_sentences() -> None:
    for family, axes in ((models.constant_velocity, 4), (models.constant_turn, 1), (models.planar_arm, 0)):
        with pytest.raises(PilotageError, match=f"is {axes}"):
            family(axes)
    with pytest.raises(ModelError, match=r"an arm of 2 links needs 2 lengths, one per link; \(1.0,\) was given"):
        models.planar_arm(2, lengths=(1.0,))
    with pytest.raises(ModelError, match="noise of unicycle must be 3 standard deviations"):
        models.unicycle(noise=(0.1, 0.1))
    with pytest.raises(ModelError, match="std of gnss must be 2 standard deviations"):
        models.gnss(std=(1.0, -1.0))


def test_sensors_find_their_components_in_poses() -> None:
    space = Space("speed [m/s]", "pose: SE2", "other.vx vy [m/s]")
    x = np.array([3.0, 1.0, 2.0, 0.5, 7.0, 8.0])
    assert models.gnss().on(space).observe(x).tolist() == [1.0, 2.0]
    assert models.compass().on(space).observe(x).tolist() == [0.5]
    assert models.velocity().on(space).observe(x).tolist() == [7.0, 8.0]
    check_sensor(models.range_bearing().on(space), compiled=False)
    with pytest.raises(SpaceError, match="no component 'yaw_rate'"):
        models.odometry().on(space)


def test_sensors_read_other_names() -> None:
    pair = Space("left.a", "left.pose: SE2", "right.pose: SE2")
    sensor = models.range_bearing(reads="right.pose").on(pair)
    x = np.array([9.0, 0.0, 0.0, 0.0, 1.0, 1.0, np.pi / 2])
    assert sensor.observe(x, context=[1.0, 3.0]).round(12).tolist() == [2.0, 0.0]
    assert models.gnss(reads="right.pose.x right.pose.y").on(pair).observe(x).tolist() == [1.0, 1.0]
    with pytest.raises(SpaceError, match="name the component in full"):
        models.gnss().on(pair)
    with pytest.raises(ModelError, match="gnss needs 2 components, x, y; reads names 1: left.a"):
        models.gnss(reads="left.a").on(pair)


def test_signatures_show_the_parameters() -> None:
    """The signature that `help` and editors show is the one that users may write."""
    assert str(inspect.signature(models.tricycle)).startswith("(*, wheelbase=1.2, integrator:")
    assert list(inspect.signature(models.compass).parameters) == ["declination", "std", "noise", "reads"]
