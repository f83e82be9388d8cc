"""The information form: the Kalman filter where there is one, sums, and beginnings without knowledge."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotage.core import CovarianceError, Gaussian, ModelError, Readings, ShapeError, Space
from pilotage.estimators import KF, Information, InformationKF, SquareRootKF
from pilotage.models import LinearDynamics, LinearSensor, constant_velocity, position, unicycle

from .linear import DT, close, seeds, system, textbook_run

WHEEL = LinearSensor([[1.0]], [[0.04]], state=Space("vx [m/s]"), reading=Space("v [m/s]"))
TARGET, FIX = constant_velocity(1, density=0.5), position(1, std=0.5)


@settings(max_examples=15, deadline=None)
@given(seeds, st.booleans())
def test_textbook(seed: int, gaps: bool) -> None:
    """Means, covariances, NIS and likelihoods of the textbook's Kalman filter, with a singular Q and with gaps."""
    s = system(seed % 1000, n=3, m=2)
    if gaps:
        s.zs[2, 0] = s.zs[4] = np.nan
    belief: Any = Gaussian(s.dynamics.state, s.x0, s.P0)
    for u, z, x, P, nis, logs in zip(s.us, s.zs, *textbook_run(s), strict=True):
        found = InformationKF().update(InformationKF().predict(belief, s.dynamics, u, DT), s.sensor, z)
        belief = found.belief
        scale = max(1.0, float(np.linalg.cond(s.F)))
        close(belief.moments().mean, x, 1e-8 * scale)
        close(belief.moments().cov, P, 1e-8 * scale)
        close([found.nis, found.log_likelihood], [nis, logs], 1e-7 * scale)


def test_no_knowledge_is_the_limit_of_a_wide_belief() -> None:
    """As soon as readings determine the state, the KF from a belief of std 1e5 says the same."""
    filters = [InformationKF(TARGET, dt=0.5).start(), KF(TARGET, dt=0.5).start(std=1e5)]
    for k, z in enumerate([1.0, 1.7, 2.1, 3.0]):
        found = [f.step(FIX, [z]) for f in filters]
        if k > 0:
            close(filters[0].belief.moments().mean, filters[1].belief.mean, 1e-6)
            close(filters[0].belief.moments().cov, filters[1].belief.cov, 1e-6)
        if k > 1:
            close(found[0].nis, found[1].nis, 1e-6)
            close(found[0].log_likelihood, found[1].log_likelihood, 1e-6)


def test_unknown_directions_in_words() -> None:
    """Beliefs and filters can be printed; what needs a covariance says what is missing."""
    filter = InformationKF(TARGET, dt=1.0).start()
    assert str(filter.belief) == "x unknown, vx unknown"
    first = filter.step(FIX, [3.0])
    assert np.isnan(first.innovation).all()
    assert np.isinf(first.S).all()
    assert (first.nis, first.log_likelihood, first.accepted) == (0.0, 0.0, True)
    assert "x 3.00 +- 0.50 m, vx unknown" in repr(filter)
    assert filter.belief.known.tolist() == [True, False]
    np.testing.assert_allclose(filter.belief.std, [0.5, np.inf])
    for ask in (
        filter.belief.moments,
        lambda: filter.belief.sample(3, rng=0),
        lambda: filter.belief.log_prob([0.0, 0.0]),
    ):
        with pytest.raises(CovarianceError, match="nothing is known of vx"):
            ask()
    with pytest.raises(CovarianceError, match="foretell"):
        InformationKF().expect(filter.belief, WHEEL)
    filter.predict()
    assert str(filter.belief) == "x unknown, vx unknown"
    with pytest.raises(CovarianceError, match="x, vx, but for 1 combinations of them"):
        filter.belief.moments()


def test_updates_are_sums() -> None:
    """Several sensors in any order, and contributions made elsewhere, give the same belief."""
    space = Space("x y [m]")
    rng = np.random.default_rng(1)
    sensors = [LinearSensor(rng.normal(size=(1, 2)), [[r]], state=space) for r in (0.1, 0.5, 2.0)]
    zs, kf = rng.normal(size=(3, 1)), InformationKF()
    there, back, parts = Information.none(space), Information.none(space), Information.none(space)
    for i in range(3):
        there = kf.update(there, sensors[i], zs[i]).belief
        back = kf.update(back, sensors[2 - i], zs[2 - i]).belief
        parts = parts + kf.contribution(space, sensors[i], zs[i])
    A = np.concatenate([s.linearize(np.zeros(2)) for s in sensors])
    W = np.diag([10.0, 2.0, 0.5])
    close(there.moments().mean, np.linalg.solve(A.T @ W @ A, A.T @ W @ zs[:, 0]), 1e-12)  # weighted least squares
    for other in (back, parts):
        close(other.matrix, there.matrix, 1e-12)
        close(other.vector, there.vector, 1e-12)


def test_runs_batches_and_journeys() -> None:
    """Runs over two sensors with gaps, copies and pickles; rows of a batch have statuses."""
    ts, rng = np.arange(1, 9) * 0.5, np.random.default_rng(0)
    zs, vs = rng.normal(size=(8, 1)), rng.normal(size=(8, 1))
    zs[0] = np.nan
    readings = [Readings(FIX, zs, ts), Readings(WHEEL, vs[2:], ts[2:])]
    one, kf = InformationKF(TARGET, dt=0.5).start(), KF(TARGET, dt=0.5).start(std=1e5)
    again = pickle.loads(pickle.dumps(copy.copy(one)))
    run, other = one.run(None, readings), kf.run(None, readings)
    again.run(None, readings)
    close(one.belief.moments().mean, kf.belief.mean, 1e-6)
    close(again.belief.matrix, one.belief.matrix, 0.0)
    close(run.beliefs[6:].moments().mean, other.beliefs[6:].mean, 1e-5)
    assert run.status.tolist() == other.status.tolist()
    beliefs = Information(TARGET.state, np.zeros((3, 2, 2)), np.zeros((3, 2)))
    found = InformationKF(gate=0.99).update(beliefs, FIX, [[1.0], [np.nan], [np.inf]])
    assert found.accepted.tolist() == [True, False, False]
    close(found.belief.matrix[1:], np.zeros((2, 2, 2)), 0.0)
    with pytest.raises(ShapeError, match="infinity"):
        InformationKF().update(beliefs[0], FIX, [np.inf])


def test_a_gate_knows_what_it_can_judge() -> None:
    """A first reading passes whatever it says; a wild one later does not."""
    filter = InformationKF(TARGET, dt=1.0, gate=0.99).start()
    assert filter.update(FIX, [1e6]).accepted
    assert not filter.update(FIX, [0.0]).accepted
    assert filter.update(FIX, [1e6]).accepted


def test_models_it_is_not_for() -> None:
    """Nonlinear models, a state that is forgotten, a reading without noise: each has a sentence."""
    with pytest.raises(ModelError, match="not linear"):
        InformationKF(unicycle())
    with pytest.raises(ModelError, match="SquareRootKF"):
        SquareRootKF(unicycle())
    forgets = LinearDynamics.discrete([[0.0]], Q=[[1.0]])
    with pytest.raises(ModelError, match="singular F"):
        InformationKF().predict(Information.none(forgets.state), forgets, None, 1.0)
    exact = LinearSensor([[1.0]], [[0.0]], state=forgets.state)
    with pytest.raises(CovarianceError, match="noise"):
        InformationKF().update(Information.none(forgets.state), exact, [1.0])
    with pytest.raises(ModelError, match="not linear"):
        Information.none(unicycle().state)
    with pytest.raises(ShapeError, match="fit"):
        Information(TARGET.state, np.eye(3), np.zeros(3))


def test_square_root_kf_is_the_kf() -> None:
    """Mean and covariance, and what the root is for: a variance far below the rounding of another."""
    s = system(3)
    start = Gaussian(s.dynamics.state, s.x0, s.P0)
    mine, other = (e.run(start, s.dynamics, s.us, s.zs, DT, sensor=s.sensor) for e in (SquareRootKF(), KF()))
    close(mine.beliefs.mean, other.beliefs.mean, 1e-10)
    close(mine.beliefs.cov, other.beliefs.cov, 1e-10)
    assert mine.beliefs.rooted


@pytest.mark.parametrize("way", [copy.deepcopy, lambda belief: pickle.loads(pickle.dumps(belief))])
def test_copies_are_frozen(way: Any) -> None:
    twin = way(Information(Space("x [m]"), [[4.0]], [8.0]))
    for array in (twin.matrix, twin.vector):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0.0
    assert twin.mean == 2.0
