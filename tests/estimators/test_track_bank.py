"""A bank of tracks is a loop over filters, whatever the places, the readings and the tracks that come and go."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

from pilotage.core import FilterStatus, Gaussian, Mixture, ModelError, Sensor, ShapeError, Space
from pilotage.estimators import EKF, GPB2, IMM, KF, UKF, Bank, ParticleFilter, SquareRootUKF
from pilotage.models import constant_turn, constant_velocity, dynamics, position, range_bearing, unicycle

from .linear import Plain, close

DT = 0.1
ROBOT, SONAR, MARK = unicycle(noise=(0.1, 0.1, 0.05)), range_bearing(std=(0.2, 0.03)), np.array([20.0, 5.0])
FLY, TURN, FIX = (
    constant_velocity(2, density=0.3),
    constant_turn(2, density=1.0, turn_density=0.1),
    position(2, std=0.5),
)
KINDS = {
    "KF": KF(FLY, dt=DT, gate=0.9999),
    "EKF": EKF(ROBOT, dt=DT),
    "UKF": UKF(ROBOT, dt=DT),
    "SquareRootUKF": SquareRootUKF(ROBOT, dt=DT),
    "IMM": IMM((FLY, TURN), 0.95, dt=DT, filter=(KF(), UKF())),
    "GPB2": GPB2((FLY, TURN), 0.95, dt=DT),
}


def beliefs(name: str, count: int, rng: np.random.Generator) -> Any:
    """Beliefs of tracks, with a leading axis."""
    models = (FLY, TURN) if name in ("IMM", "GPB2") else (FLY,) if name == "KF" else (ROBOT,)
    parts = []
    for model in models:
        d = model.state.dim
        A = 0.2 * rng.normal(size=(count, d, d))
        parts.append(Gaussian(model.state, rng.normal(size=(count, d)), A @ A.swapaxes(-1, -2) + 0.1 * np.eye(d)))
    return parts[0] if len(parts) == 1 else Mixture(parts, rng.normal(size=(count, len(parts))))


def same(mine: Any, other: Any) -> None:
    close(mine.moments().mean, other.moments().mean, 1e-10)
    close(mine.moments().cov, other.moments().cov, 1e-10)
    if isinstance(other, Mixture):
        close(mine.weights, other.weights, 1e-10)


@pytest.mark.parametrize("name", KINDS)
def test_a_bank_is_a_loop_over_filters(name: str) -> None:
    """Tracks begin and end, some are not measured, one reads infinity; places are reused."""
    estimator, rng = KINDS[name], np.random.default_rng(0)
    sensor, mark = (SONAR, MARK) if name in ("EKF", "UKF", "SquareRootUKF") else (FIX, None)
    actions = 2 if mark is not None else 0
    bank, filters = Bank(estimator, 40), dict[int, Any]()

    def begin(count: int) -> None:
        first = beliefs(name, count, rng)
        for i, row in enumerate(bank.add(first).tolist()):
            assert row not in filters
            filters[row] = estimator.start(belief=first[i], t=bank.t)

    begin(30)
    for step in range(4):
        u = rng.normal(size=(len(bank), actions))
        assert not bank.predict(u=u).any()
        for i, filter in enumerate(filters.values()):
            filter.predict(u=u[i])
        rows = rng.permutation(bank.rows)[: 3 + 9 * step]
        zs = rng.normal(size=(len(rows), 2)) + (0.0 if mark is None else np.array([20.0, 0.3]))
        zs[1, 0] = np.nan
        update = bank.update(sensor, zs, rows, mark)
        for k, row in enumerate(rows.tolist()):
            alone = filters[row].update(sensor, zs[k], context=mark)
            close(update.nis[k], alone.nis, 1e-8)
            close(update.log_likelihood[k], alone.log_likelihood, 1e-8)
            assert update.status[k] == alone.status
            same(update.belief[k], alone.belief)
        for i, row in enumerate(bank.rows.tolist()):
            same(bank[row], filters[row].belief)
            same(bank.belief[i], filters[row].belief)
        gone = rng.permutation(bank.rows)[:5].tolist()
        bank.remove(gone)
        for row in gone:
            del filters[row]
        begin(3)
        filters = dict(sorted(filters.items()))
        assert bank.rows.tolist() == list(filters)
    expected = bank.expect(sensor, [bank.rows[2], bank.rows[0]], mark).moments()
    close(expected.cov[1], estimator.expect(bank[bank.rows[0]], sensor, mark).moments().cov, 1e-10)
    before = bank.belief
    zs = np.full((len(bank), 2), np.nan)
    zs[4] = [np.inf, 0.0]
    update = bank.update(sensor, zs, context=mark)
    assert update.status[4] == FilterStatus.NOT_FINITE_READING
    assert (np.delete(update.status, 4) == FilterStatus.NO_READING).all()
    same(bank.belief, before)


def test_time_goes_as_that_of_a_filter() -> None:
    bank, filter = Bank(EKF(ROBOT, dt=DT), 3, t=1.0), EKF(ROBOT, dt=DT).start(mean=[0, 0, 0], std=0.1, t=1.0)
    bank.add(filter.belief)
    for move in ({}, {"dt": 0.04}, {"to": 1.55}):
        bank.predict(u=[1.0, 0.5], **move)
        filter.predict(u=[1.0, 0.5], **move)
        assert bank.t == filter.t
        same(bank[0], filter.belief)


def test_what_a_bank_gave_stays() -> None:
    """Beliefs and updates are values, and copies go their own way."""
    bank = Bank(KF(FLY, dt=DT), 4)
    bank.add(beliefs("KF", 3, np.random.default_rng(1)))
    before = bank.belief
    kept, update = before.mean.copy(), bank.update(FIX, np.zeros((3, 2)))
    for other in (copy.copy(bank), copy.deepcopy(bank), pickle.loads(pickle.dumps(bank))):
        other.predict()
        other.remove([0])
        assert len(other) == 2
        same(other[1], KF().predict(bank[1], FLY, dt=DT))
    bank.predict()
    bank.update(FIX, np.ones((3, 2)))
    assert np.array_equal(before.mean, kept)
    alone = KF().update(before, FIX, np.zeros((3, 2)))
    close(update.belief.mean, alone.belief.mean, 1e-12)
    assert len(bank) == 3


def test_a_track_that_fails_has_its_status() -> None:
    bank = Bank(IMM((ROBOT, unicycle(noise=1.0)), 0.9, dt=DT), 3)
    first = Gaussian.of(ROBOT.state, np.zeros((3, 3)), std=0.1)
    bank.add(Mixture([first, first]))
    u = np.zeros((3, 2))
    u[1] = [1e308, 1e308]
    before = bank[1]
    status = bank.predict(u=u)
    assert status[1] > FilterStatus.NO_READING
    assert status[[0, 2]].tolist() == [0, 0]
    same(bank[1], before)


def test_an_empty_bank() -> None:
    bank = Bank(KF(FLY, dt=DT), 4)
    assert bank.predict().shape == (0,)
    assert bank.update(FIX, np.zeros((0, 2))).status.shape == (0,)
    assert bank.belief.mean.shape == (0, 4)


def test_misuse_is_told() -> None:
    bank = Bank(KF(FLY, dt=DT), 4)
    bank.add(beliefs("KF", 3, np.random.default_rng(1)))
    with pytest.raises(ShapeError, match="2 tracks do not fit: 1 of 4"):
        bank.add(beliefs("KF", 2, np.random.default_rng(1)))
    for rows in ([3], [-1], [9]):
        with pytest.raises(ShapeError, match="no tracks in the places"):
            bank.update(FIX, np.zeros((1, 2)), rows)
    with pytest.raises(ShapeError, match="twice"):
        bank.update(FIX, np.zeros((2, 2)), [0, 0])
    with pytest.raises(ShapeError, match="whole numbers"):
        bank.update(FIX, np.zeros((2, 2)), [0.5, 1.0])
    with pytest.raises(ShapeError):
        bank.update(FIX, np.zeros((2, 2)), [0, 1, 2])
    with pytest.raises(ModelError, match="has no dynamics"):
        Bank(KF(), 4)
    with pytest.raises(Exception, match="Bank"):
        Bank(ParticleFilter(FLY, dt=DT), 4)


class Fragile(Sensor):
    """A sensor of plain Python, which breaks far out."""

    state, reading, context = Space("x [m]"), Space("x [m]"), Space()

    def observe(self, x: Any, context: Any = None) -> Any:
        if np.max(x) > 4.0:
            raise RuntimeError("broken")
        return x[..., :1]

    def noise(self, x: Any, context: Any = None) -> Any:
        return np.eye(1)


@pytest.mark.parametrize("modes", [1, 2])
def test_after_an_error_of_a_model_no_track_has_changed(modes: int) -> None:
    models = tuple(constant_velocity(1, density=q) for q in (0.1, 9.0))
    starts = Gaussian.of(models[0].state, [[1.0, 0.0], [5.0, 0.0], [2.0, 0.0]], std=1.0)
    bank = Bank(EKF(models[0], dt=0.1) if modes == 1 else IMM(models, 0.9, dt=0.1), capacity=3)
    bank.add(starts if modes == 1 else Mixture([starts, starts]))
    bank.predict()
    before = bank.belief.moments()
    with pytest.raises(RuntimeError, match="broken"):
        bank.update(Fragile(), [[3.0], [3.0], [3.0]])
    np.testing.assert_array_equal(bank.belief.moments().mean, before.mean)
    np.testing.assert_array_equal(bank.belief.moments().cov, before.cov)


class Breaking(Plain):
    """Motion in plain Python, which breaks far out."""

    continuous = True

    def step(self, x: Any, u: Any, dt: float) -> Any:
        if np.max(x) > 4.0:
            raise RuntimeError("broken")
        return super().step(x, u, dt)


@dynamics(state=Space("x [m]"), action=Space(), noise=(0.1,))
def sinking(x: Any, u: Any, p: Any, m: Any) -> Any:
    """Motion that is undefined beyond 4 m."""
    return (10.0 + m.sqrt(4.0 - x[0]),)


def test_a_way_to_a_time_is_whole() -> None:
    """An error of a model after some of its steps leaves tracks and time; a track that fails there is as before."""
    fly = Breaking(constant_velocity(1, density=0.1))
    bank = Bank(EKF(fly, dt=DT), 3)
    bank.add(Gaussian.of(fly.state, [[1.0, 9.0], [2.0, 0.0]], std=1.0))
    before = bank.belief
    with pytest.raises(RuntimeError, match="broken"):
        bank.predict(to=1.0)
    assert bank.t == 0.0
    np.testing.assert_array_equal(bank.belief.mean, before.mean)
    np.testing.assert_array_equal(bank.belief.cov, before.cov)
    deep = Bank(EKF(sinking(), dt=DT), 3)
    deep.remove(deep.add(Gaussian.of(sinking().state, np.zeros((1, 1)), std=0.1)))
    deep.add(Gaussian.of(sinking().state, [[-90.0], [0.0]], std=0.1))
    first = deep.belief
    status = deep.predict(to=1.0)
    assert status[0] == FilterStatus.ACCEPTED
    assert status[1] == FilterStatus.UNDEFINED_STATE
    assert deep.t == 1.0
    np.testing.assert_array_equal(deep[1].mean, first.mean[1])
    assert deep[0].mean[0] > -81.0


def test_a_result_stays_when_the_bank_goes_back() -> None:
    bank = Bank(KF(FLY, dt=DT), 4)
    bank.add(Gaussian.of(FLY.state, np.zeros((3, 4)), std=1.0))
    saved = bank._engine.save()
    update = bank.update(FIX, np.ones((3, 2)))
    bank._engine.restore(saved)
    np.testing.assert_allclose(update.belief.mean[:, :2], 0.8)
    np.testing.assert_array_equal(bank.belief.mean, np.zeros((3, 4)))
