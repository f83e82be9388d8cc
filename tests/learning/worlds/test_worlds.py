"""Worlds by name, and the world `dynamics`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pilotage.core import FormatError, MissingFile, SettingError
from pilotage.learning import LearnedDynamics
from pilotage.learning.worlds import DynamicsOptions, DynamicsSettings, DynamicsWorld, world_of
from pilotage.learning.worlds.dynamics import model_of, random_drives, relative_errors
from pilotage.models import bicycle, pendulum

QUICK = DynamicsSettings(drives=10, length=8, steps=30, validate_every=10, save_every=7, hidden=(8,))


class MyWorld(DynamicsWorld):
    """A world in a module."""


mine = MyWorld()


def test_worlds_are_found_by_name():
    assert isinstance(world_of("dynamics"), DynamicsWorld)
    assert isinstance(world_of("tests.learning.worlds.test_worlds:MyWorld"), DynamicsWorld)
    assert world_of("tests.learning.worlds.test_worlds:mine").settings is DynamicsSettings
    with pytest.raises(SettingError, match="there is no world 'moon'; there are .*dynamics"):
        world_of("moon")
    with pytest.raises(SettingError, match="the world 'math:pi' is 3.14.*has no settings"):
        world_of("math:pi")
    with pytest.raises(SettingError, match="world nowhere:World cannot be loaded"):
        world_of("nowhere:World")


def test_a_world_of_an_installed_package(monkeypatch):
    class Point:
        name = "moon"

        def load(self):
            return MyWorld

    monkeypatch.setattr("pilotage.core.registry.entry_points", lambda group: [Point()][: group == "pilotage.worlds"])
    assert type(world_of("moon")).__name__ == "MyWorld"


def test_models_are_found_by_name():
    assert model_of("bicycle").state == bicycle().state
    assert model_of("pilotage.models:pendulum").state == pendulum().state
    for name in ("boat", "gnss", "math:pi"):
        with pytest.raises(SettingError, match=name):
            model_of(name)


def test_drives_that_do_not_stay_finite():
    with pytest.raises(SettingError, match="do not stay finite"), np.errstate(all="ignore"):
        random_drives(model_of("planar_arm"), 30, 400, 1.0, np.random.default_rng(0))


def test_the_error_of_a_model_that_never_moves_is_one():
    model, rng = pendulum(), np.random.default_rng(0)
    xs, us = random_drives(model, 40, 6, 0.05, rng)
    errors = relative_errors(model, xs[:, 0], xs[:, 0], xs[:, -1])
    assert np.sqrt((errors**2).mean()) == pytest.approx(1.0)
    assert relative_errors(model, xs[:, -1], xs[:, 0], xs[:, -1]).max() == 0.0
    i = 7  # by hand: each component relative to its root mean square
    moved = np.array([model.state.minus(b, a) for a, b in zip(xs[:, 0], xs[:, -1], strict=True)])
    assert errors[i] == pytest.approx(np.sqrt(np.mean((moved[i] / np.sqrt(np.mean(moved**2, 0))) ** 2)))
    assert us.shape == (40, 6, 1)


def test_a_run_that_is_interrupted_ends_alike(tmp_path: Path):
    world = DynamicsWorld()
    whole = world.train(QUICK, tmp_path / "whole")

    def interrupted(record):
        if record.step == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        world.train(QUICK, tmp_path / "half", progress=interrupted)
    with pytest.raises(FormatError, match="has not ended; resume=True"):
        world.evaluate(tmp_path / "half", DynamicsOptions())
    assert world.train(QUICK, tmp_path / "half", resume=True) == whole
    options = DynamicsOptions(drives=20, length=4)
    assert world.evaluate(tmp_path / "half", options) == world.evaluate(tmp_path / "whole", options)
    x, u = np.array([0.3, 0.1]), np.array([0.4])
    a, b = (LearnedDynamics.load(tmp_path / name) for name in ("whole", "half"))
    np.testing.assert_array_equal(a.step(x, u, 0.05), b.step(x, u, 0.05))


def test_evaluations_need_weights(tmp_path: Path):
    with pytest.raises(SettingError, match="no weights in the package"):
        DynamicsWorld().evaluate(None, DynamicsOptions())
    with pytest.raises(MissingFile, match="no run in"):
        DynamicsWorld().evaluate(tmp_path, DynamicsOptions())


@pytest.mark.slow
@pytest.mark.parametrize("model", ["pendulum", "unicycle", "bicycle"])
def test_networks_learn_to_move(model, tmp_path: Path):
    world = DynamicsWorld()
    world.train(DynamicsSettings(model=model), tmp_path)
    found = world.evaluate(tmp_path, DynamicsOptions(seed=5))
    assert found["one_step"] < 0.05
    assert found["success"]["share"] > 0.95
