"""The steady state of the Kalman filter: a fixed point, and where every start leads."""

from __future__ import annotations

import numpy as np
import pytest

from pilotage.core import Gaussian, ModelError
from pilotage.estimators import KF, steady_state
from pilotage.models import LinearDynamics, LinearSensor, constant_velocity, position, unicycle

from .linear import close, system

TARGET, FIX = constant_velocity(2, density=0.5), position(2, std=0.8)


def test_a_filter_that_starts_there_stays() -> None:
    found, zs = steady_state(TARGET, FIX, 0.1), np.random.default_rng(0).normal(size=(50, 2))
    start = Gaussian(TARGET.state, np.zeros(4), found.cov)
    run = KF().run(start, TARGET, None, zs, 0.1, sensor=FIX)
    close(run.beliefs.cov, np.broadcast_to(found.cov, (50, 4, 4)), 1e-12)
    close(run.predicted.cov, np.broadcast_to(found.predicted, (50, 4, 4)), 1e-12)
    x = np.zeros(4)
    for t, z in enumerate(zs):
        x = np.asarray(TARGET.step(x, np.zeros(0), 0.1))
        x = x + found.gain @ (z - x[:2])
        close(run.beliefs.mean[t], x, 1e-11)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_start_leads_there(seed: int) -> None:
    s = system(seed, steps=400)
    run = KF().run(Gaussian(s.dynamics.state, s.x0, s.P0), s.dynamics, s.us, s.zs, 0.5, sensor=s.sensor)
    close(run.beliefs.cov[-1], steady_state(s.dynamics, s.sensor, 0.5).cov, 1e-9)


def test_what_has_no_steady_state() -> None:
    with pytest.raises(ModelError, match="not linear"):
        steady_state(unicycle(), FIX, 0.1)
    unseen = LinearDynamics.discrete(np.diag([1.2, 0.5]), Q=np.eye(2))
    with pytest.raises(ModelError, match="no steady state"):
        steady_state(unseen, LinearSensor([[0.0, 1.0]], 1.0), 0.1)
