"""Filters may be copied and sent to other processes: both go on alike, and neither sees the other."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
import pytest

from pilotage.core import Dynamics
from pilotage.estimators import EKF, IMM, KF, UKF, AuxiliaryParticleFilter, GuidedParticleFilter
from pilotage.estimators.tracking import PDA
from pilotage.models import constant_velocity, gnss, unicycle


class Plain(Dynamics):
    """A vehicle that nobody can trace."""

    state, action = unicycle().state, unicycle().action

    def step(self, x: Any, u: Any, dt: float) -> Any:
        return unicycle().step(x, u, dt)

    def noise(self, x: Any, u: Any, dt: float) -> Any:
        return unicycle().noise(x, u, dt)


FILTERS: dict[str, Callable[[], Any]] = {
    "EKF": lambda: EKF(unicycle(), dt=0.1).start(mean=[0, 0, 0], std=0.3),
    "EKF of a plain model": lambda: EKF(Plain(), dt=0.1).start(mean=[0, 0, 0], std=0.3),
    "UKF": lambda: UKF(unicycle(), dt=0.1).start(mean=[0, 0, 0], std=0.3),
    "IMM": lambda: IMM((unicycle(), unicycle(noise=0.5)), 0.9, dt=0.1).start(std=0.3),
    "PDA": lambda: PDA(unicycle(), dt=0.1, clutter=0.1).start(mean=[0, 0, 0], std=0.3),
    "KF": lambda: KF(constant_velocity(2), dt=0.1).start(mean=[0, 0, 1, 0], std=0.3),
}
WAYS: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda filter: pickle.loads(pickle.dumps(filter)),
}
SENSOR = gnss(std=0.5)


def push(filter: Any) -> None:
    model = filter.dynamics[0] if isinstance(filter.dynamics, tuple) else filter.dynamics
    filter.predict(u=np.full(model.action.size, 0.5))


def drive(filter: Any, z: float) -> Any:
    push(filter)
    filter.update(SENSOR, [z, 0.1])
    return filter.belief.moments()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", FILTERS)
def test_a_copy_goes_on_alone(name: str, way: str) -> None:
    filter = FILTERS[name]()
    drive(filter, 0.2)
    push(filter)
    before, t = filter.belief.moments(), filter.t
    other = WAYS[way](filter)
    ahead = drive(other, 0.4)
    assert (filter.t, other.t) == (t, pytest.approx(t + 0.1))
    np.testing.assert_array_equal(filter.belief.moments().mean, before.mean)
    np.testing.assert_array_equal(filter.belief.moments().cov, before.cov)
    same = drive(filter, 0.4)
    np.testing.assert_array_equal(same.mean, ahead.mean)
    np.testing.assert_array_equal(same.cov, ahead.cov)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", FILTERS)
def test_updates_travel(name: str, way: str) -> None:
    """A result that an update computes on demand can be computed in another process."""
    update = FILTERS[name]().update(SENSOR, [0.2, 0.1])
    again = WAYS[way](update)
    assert (again.nis, again.log_likelihood, again.accepted) == (update.nis, update.log_likelihood, update.accepted)
    np.testing.assert_array_equal(again.S, update.S)
    np.testing.assert_array_equal(again.belief.moments().cov, update.belief.moments().cov)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", [AuxiliaryParticleFilter, GuidedParticleFilter])
def test_a_prediction_that_looks_ahead_travels(kind: Any, way: str) -> None:
    """Its cloud takes the one it came from along, from which a reading draws it again."""
    filter = kind(unicycle(), dt=0.1, n=30).start(mean=[0, 0, 0], std=0.3, rng=1)
    filter.predict()
    other = WAYS[way](filter)
    for each in (filter, other):
        each.update(SENSOR, [0.2, 0.1])
    np.testing.assert_array_equal(other.belief.points, filter.belief.points)


def test_another_process_loads_what_is_compiled() -> None:
    """A filter takes its models along, not its machine code: what the cache has is not compiled again."""
    filter = EKF(unicycle(), dt=0.1).start(mean=[0, 0, 0], std=0.3)
    drive(filter, 0.2)
    assert len(pickle.dumps(filter)) < 10_000
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        there, compiled = pool.submit(elsewhere, filter).result()
    np.testing.assert_allclose(there, drive(filter, 0.4).mean, rtol=1e-12)
    assert compiled == 0


def elsewhere(filter: Any) -> tuple[np.ndarray, int]:
    from pilotage.estimators._drivers import predict_one, update_one

    mean = drive(filter, 0.4)
    return mean.mean, sum(sum(kernel.compiled.stats.cache_misses.values()) for kernel in (predict_one, update_one))
