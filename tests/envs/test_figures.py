"""Models are drawn as what they are."""

from __future__ import annotations

import numpy as np
import pytest

from pilotage import models
from pilotage.core import Gaussian, Space
from pilotage.envs import ModelEnv, Scene
from pilotage.envs.canvas import BLUE, ORANGE
from pilotage.envs.drawing import curves, draw
from pilotage.envs.figures import FIGURES, figure_of
from pilotage.models import trailer_rear

MODELS = {
    "pendulum": models.pendulum(length=0.7),
    "cart_pole": models.cart_pole(half_length=0.3),
    "acrobot": models.acrobot(),
    "planar_arm": models.planar_arm(3, lengths=(1.0, 0.8, 0.5)),
    "quadrotor": models.quadrotor(rotors=True),
    "truck": models.truck(),
    "bicycle": models.bicycle(),
    "tricycle": models.tricycle(),
    "dynamic_bicycle": models.dynamic_bicycle(),
}


def scene_of(model, x):
    return Scene(model.state, 0.1, [model.state.normalize(np.array(x, dtype=float))], model=model)


def test_every_figure_has_a_model_here():
    assert MODELS.keys() == FIGURES.keys()


@pytest.mark.parametrize("name", FIGURES)
def test_a_model_is_drawn_as_itself(name):
    """Not as curves, and another state is another picture, through the environment as well."""
    model = MODELS[name]
    x = model.state.identity()
    goal = models.task(state=model.state, action=model.action)(lambda x, u, p, m: 0.0)
    env = ModelEnv(model, None, goal(initial=Gaussian.of(model.state, x, std=0.1)), render_mode="rgb_array")
    env.reset(seed=0, options={"state": x})
    picture = env.render()
    assert picture.shape == (480, 480, 3)
    assert not np.array_equal(picture, curves(scene_of(model, x)))
    moved = model.state.plus(x, np.full(model.state.dim, 0.3))
    env.reset(options={"state": moved})
    assert (env.render() != picture).any()


def strokes(model, x):
    scene = scene_of(model, x)
    figure = figure_of(model, model.state.names)
    assert figure is not None
    return figure.strokes(scene.present, model.params)


def test_rods_end_where_the_models_end():
    """Tips by the formulas in the docstrings of the models."""
    tip = np.asarray(strokes(MODELS["pendulum"], [0.4, 0.0])[0].points)[1]
    np.testing.assert_allclose(tip, [-0.7 * np.sin(0.4), 0.7 * np.cos(0.4)])
    tip = np.asarray(strokes(MODELS["cart_pole"], [1.0, 0.0, 0.3, 0.0])[2].points)[1]
    np.testing.assert_allclose(tip, [1.0 + 0.6 * np.sin(0.3), 0.6 * np.cos(0.3)])
    tip = np.asarray(strokes(MODELS["acrobot"], [0.2, 0.5, 0.0, 0.0])[1].points)[1]
    np.testing.assert_allclose(tip, [np.sin(0.2) + np.sin(0.7), -np.cos(0.2) - np.cos(0.7)])
    tip = np.asarray(strokes(MODELS["planar_arm"], [0.1, 0.2, 0.3, 0, 0, 0])[2].points)[1]
    angles, lengths = np.cumsum([0.1, 0.2, 0.3]), np.array([1.0, 0.8, 0.5])
    np.testing.assert_allclose(tip, [lengths @ np.cos(angles), lengths @ np.sin(angles)])


def test_the_trailer_stands_over_its_axle():
    x = [1.0, 2.0, 0.5, 0.2]
    corners = np.asarray(strokes(MODELS["truck"], x)[0].points)
    along = trailer_rear(x) - np.array(x[:2])
    reach = (corners - x[:2]) @ along / np.linalg.norm(along)
    assert 4.0 < reach.max() < 4.5, "the trailer reaches just beyond its axle, 4 m behind the hitch"


def test_the_pole_is_seen_where_it_is():
    model = MODELS["cart_pole"]
    left, right = (draw(scene_of(model, [0.0, 0.0, theta, 0.0])) for theta in (-0.5, 0.5))
    sides = [np.argwhere((picture == ORANGE).all(-1))[:, 1].mean() for picture in (left, right)]
    assert sides[0] < 235 < 245 < sides[1]
    assert (draw(scene_of(MODELS["pendulum"], [0.1, 0.0])) == BLUE).all(-1).any()


def test_a_model_that_only_has_the_name_is_drawn_by_its_state():
    line = Space("x y [m]")
    other = models.dynamics(state=line, action=line)(pendulum)()
    picture = draw(scene_of(other, [0.0, 0.0]))
    np.testing.assert_array_equal(picture, draw(Scene(line, 0.1, [np.zeros(2)])))


def pendulum(x, u, p, m):
    return u[0], u[1]
