"""PPUU: scenes of objects, the predictor, policies that learn in it, and their evaluation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from pilotage.core import Action, PilotageError, SettingError
from pilotage.envs.traffic import IDMDriver, ReactiveTraffic, others
from pilotage.learning import TrainingSettings, train
from pilotage.learning.worlds.ppuu import (
    DriveOptions,
    Forecasts,
    ForecastSettings,
    ObjectCosts,
    ObjectPredictor,
    PredictorSettings,
    Scene,
    Scenes,
    TrafficDriver,
    Unrolled,
    UnrollSettings,
    driven,
    evaluate_driver,
    hold,
    recorded_log,
    scene_of,
    simulated_logs,
)
from tests.envs.test_traffic import made

TRAFFIC = ReactiveTraffic(warm_up=100)


@pytest.fixture(scope="module")
def scenes() -> Scenes:
    return Scenes(simulated_logs(TRAFFIC, [0, 1], ticks=60), past=5, future=20)


def stirred(predictor: ObjectPredictor) -> ObjectPredictor:
    """A predictor whose last layer is not zero."""
    torch.manual_seed(0)
    torch.nn.init.normal_(predictor.network.linear.weight, std=0.1)
    return predictor


def test_a_window_is_what_the_log_says(scenes: Scenes):
    log = scenes.logs[0]
    window = scenes.windows([100])
    _, tick, car = scenes.starts[100]
    own = log.cars[tick : tick + 21, car].astype(float)
    own[:, 0] -= own[0, 0]
    np.testing.assert_allclose(window.own[0].numpy(), own[:, :4], atol=2e-3)
    np.testing.assert_allclose(window.future[0, :, 0, :2].numpy(), own[1:, :2], atol=2e-3)
    moved = window.scene.cars[0, :, :2] + 0.1 * window.scene.cars[0, :, 2:]
    assert abs(moved - window.future[0, 0, :, :2])[window.scene.there[0]].max() < 0.1  # no car jumps
    away = window.scene.cars[0, window.scene.there[0], 0].abs()
    assert (away.diff() >= -1e-4).all() and away.max() < 60.0  # the nearest first
    assert torch.isfinite(window.future).all() and window.known.all()


def test_the_scene_of_a_history_is_that_of_a_window():
    xs = [TRAFFIC.start(3)]
    for _ in range(30):
        xs.append(TRAFFIC.step(xs[-1], np.zeros(2), 0.1))
    xs = np.stack(xs)
    alone = scene_of(xs[5:11], TRAFFIC.road)
    cars = np.concatenate([xs[:, None, :6], others(xs)[..., :6]], 1)
    far = xs[10, 7]
    away = cars[10, :, 0] - xs[10, 0]
    assert abs(away).max() <= 0.5 * far + 1.0
    near = np.argsort(abs(away))[:20]
    np.testing.assert_allclose(alone.cars[:, 0].numpy(), away[near], atol=1e-4)
    v = cars[..., 3] * np.cos(cars[..., 2])
    np.testing.assert_allclose(alone.past[:, -1, 0].numpy(), (v[10, near] - v[9, near]) / 0.1, atol=1e-3)


def test_logs_of_recordings_and_those_too_short():
    log = recorded_log(made())
    assert log.cars.shape == (80, 3, 6) and log.there.all()
    assert len(Scenes([log], past=5, future=20)) == 3 * (80 - 26)
    with pytest.raises(PilotageError, match="107"):
        Scenes([log], past=5, future=100)


def test_the_predictor_sees_differences_of_places_only(scenes: Scenes):
    predictor = stirred(ObjectPredictor())
    window = scenes.draw(3, np.random.default_rng(0))
    scene, z = window.scene, predictor.prior(window.scene)
    found = predictor.accelerations(scene, z)
    shifted = scene._replace(cars=scene.cars + torch.tensor([500.0, 0.0, 0.0, 0.0]))
    torch.testing.assert_close(predictor.accelerations(shifted, z), found, atol=1e-3, rtol=1e-3)
    order = torch.cat((torch.zeros(1, dtype=torch.long), 1 + torch.randperm(19)))
    cars, past, sizes, there = (part[:, order] for part in scene[:4])
    swapped = Scene(cars, past, sizes, there, scene.road)
    torch.testing.assert_close(predictor.accelerations(swapped, z[:, order]), found[:, order], atol=1e-4, rtol=1e-4)
    gone = scene.there.clone()
    gone[:, 10:] = False
    wild = scene.cars.clone()
    wild[:, 10:] = 1e3
    one = predictor.accelerations(scene._replace(there=gone), z)[:, :10]
    torch.testing.assert_close(predictor.accelerations(scene._replace(there=gone, cars=wild), z)[:, :10], one)


def test_an_untrained_predictor_goes_straight_on_and_the_own_car_moves_exactly(scenes: Scenes):
    window = scenes.draw(2, np.random.default_rng(1))
    us = torch.tensor([[0.5, 0.01]] * 8).expand(2, 8, 2)
    for separated in (True, False):
        predictor = ObjectPredictor(PredictorSettings(separated=separated))
        found, states = predictor.rollout(window.scene, window.own[:, 0], us, predictor.prior(window.scene))
        straight = window.scene.cars[:, 1:, :2] + 0.8 * window.scene.cars[:, 1:, 2:]
        torch.testing.assert_close(found[-1].cars[:, 1:, :2], straight, atol=1e-3, rtol=1e-5)
        own = window.own[:, 0]
        for u in us.unbind(1):
            own = driven(own, u)
        assert torch.equal(states[:, -1], own) == separated


def test_latents_that_know_the_future_predict_it_better(scenes: Scenes):
    """After a short training, the posterior beats the prior, and both beat constant velocities."""
    predictor = ObjectPredictor(PredictorSettings(width=32, neighbours=4))
    trainee = Forecasts(predictor, scenes, scenes, ForecastSettings(batch=8, horizon=10, beta=1e-3))
    before = trainee.validate()["score"]
    train(trainee, TrainingSettings(steps=30, rate=5e-3, validate_every=30))
    after = trainee.validate()
    assert after["score"] < 0.9 * before and after["best_of_8"] <= after["score"]
    with torch.no_grad():
        z, _ = trainee.latents(trainee.exam)
        assert sum(e.mean() for e in trainee.errors(trainee.exam, z)) < 1.02 * after["score"]


def test_costs_of_objects_grow_towards_a_collision():
    sizes, there = torch.tensor([[4.5, 1.8]] * 2), torch.ones(2, dtype=torch.bool)
    own = torch.tensor([0.0, 0.0, 0.0, 10.0])

    def near(x: float, y: float) -> float:
        cars = torch.tensor([[0.0, 0.0, 10.0, 0.0], [x, y, 10.0, 0.0]])
        scene = Scene(cars, torch.zeros(2, 5, 2), sizes, there, torch.tensor([7.4, 3.7]))
        return float(ObjectCosts().parts(scene, own)[0])

    ahead = [near(x, 0.0) for x in (60.0, 25.0, 15.0, 8.0, 3.0)]
    assert ahead == sorted(ahead) and ahead[0] == 0.0 and ahead[-1] > 0.8
    assert near(0.0, 3.7) < 0.5 * near(0.0, 1.0) and near(8.0, 0.0) == pytest.approx(near(-8.0, 0.0))
    empty = Scene(torch.zeros(1, 4), torch.zeros(1, 5, 2), sizes[:1], there[:1], torch.tensor([7.4, 3.7]))
    values = [
        [float(v) for v in ObjectCosts().parts(empty, torch.tensor([0.0, y, 0.0, 5.0]))] for y in (1.85, 0.0, 7.4)
    ]
    assert values[0] == [0.0, 0.0, 0.0] and values[1] == [0.0, 1.0, 0.0] and values[2][1:] == [1.0, pytest.approx(0.9)]


@pytest.mark.parametrize("kind", ["plain", "uncertainty", "expert", "imitation"])
def test_every_kind_of_policy_learns_from_its_loss(scenes: Scenes, kind: Any):
    models = [stirred(ObjectPredictor(PredictorSettings(seed=k, width=16, neighbours=3))) for k in range(2)]
    driver = TrafficDriver()
    trainee = Unrolled(driver, models, scenes, scenes, UnrollSettings(kind=kind, batch=4, horizon=5))
    losses = []
    for _ in range(2):  # a small step against the gradient lowers the loss of the same drives
        torch.manual_seed(0)
        loss, _ = trainee.loss(0, np.random.default_rng(0))
        losses.append(loss.item())
        loss.backward()
        with torch.no_grad():
            for p in driver.network.parameters():
                p -= 1e-2 * (torch.zeros_like(p) if p.grad is None else p.grad)
    assert losses[1] < losses[0]
    assert all(p.grad is None for m in models for p in m.network.parameters())
    u = driver.act(TRAFFIC.start(0)).u
    assert abs(u[0]) <= 6.2 and abs(u[1]) <= 0.065 and u.any()
    with pytest.raises(SettingError, match="uncertainty"):
        Unrolled(driver, models[:1], scenes, scenes, UnrollSettings(kind="uncertainty"))


def test_an_evaluation_counts_how_episodes_end():
    options = DriveOptions(episodes=6, budget=400)

    def swerve(x):
        return np.array([0.0, 0.065])

    found = evaluate_driver(swerve, TRAFFIC, options)
    assert found.success.share == 0.0 and (found.collided | found.off_road).all()
    assert 0.0 < found.to_json()["distance"] < 200.0

    class Expert:
        def reset(self, *, seed=None):
            self.target = None

        def act(self, belief_or_state, t=None):
            u, self.target = IDMDriver(TRAFFIC.road)(belief_or_state, self.target)
            return Action(u)

    expert = evaluate_driver(Expert(), TRAFFIC, options)
    assert not expert.collided.any() and expert.distances.mean() > found.distances.mean()
    recorded = evaluate_driver(hold, made(), options)
    assert recorded.success.share == 1.0 and len(recorded.distances) == 3
