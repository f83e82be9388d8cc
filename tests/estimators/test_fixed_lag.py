"""The fixed-lag smoother against the fixed-interval smoother on the readings until now."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

from pilotage.core import Gaussian, ModelError, PilotageError, Readings, SettingError, ShapeError
from pilotage.core.results import same_belief
from pilotage.estimators import EKF, KF, UKF, FixedLagSmoother, ParticleFilter, SquareRootUKF, smooth
from pilotage.models import compass, constant_velocity, gnss, position, unicycle

from .linear import close

ROBOT = unicycle(noise=(0.1, 0.1, 0.05))


@pytest.mark.parametrize("estimator", [EKF(ROBOT, dt=0.1), UKF(ROBOT, dt=0.1), SquareRootUKF(ROBOT, dt=0.1)])
def test_it_is_the_fixed_interval_smoother_so_far(estimator: Any) -> None:
    """At every tick, over two sensors at times of their own, gaps that are cut, a missing reading and one at once."""
    rng, fix, needle, u = np.random.default_rng(2), gnss(std=0.5), compass(std=0.1), np.array([1.0, 0.4])
    events = [(0.07, needle), (0.1, fix), (0.38, fix), (0.38, needle), (0.5, needle), (0.81, fix), (1.1, needle)]
    readings = [(t, sensor, rng.normal(size=sensor.reading.size)) for t, sensor in events]
    readings[4] = (0.5, needle, np.array([np.nan]))
    smoother = FixedLagSmoother(estimator.start([0.0, 0.0, 0.0], 0.5), lag=0.35)
    for count, (t, sensor, z) in enumerate(readings, 1):
        smoother.update(sensor, z, t, u=u)
        sofar = [[each for each in readings[:count] if each[1] is which] for which in (fix, needle)]
        given = [Readings(s[0][1], [z for *_, z in s], [t for t, *_ in s]) for s in sofar if s]
        run = estimator.start([0.0, 0.0, 0.0], 0.5).run([u], given, [t])
        whole, place = smooth(run), np.flatnonzero(run.ts <= t - 0.35 + 1e-9)
        if len(place):
            assert abs(smoother.t - run.ts[place[-1]]) < 1e-12
            close(smoother.belief.mean, whole.mean[place[-1]], 1e-9)
            close(smoother.belief.cov, whole.cov[place[-1]], 1e-9)
        else:
            assert smoother.t == 0.0
        close(smoother.filter.belief.mean, run.beliefs.mean[-1], 1e-12)


def test_particles_are_smoothed_by_one_stream() -> None:
    """One seed fixes all smoothed beliefs; each is drawn afresh, and drawing them does not move the filter."""

    def smoother() -> FixedLagSmoother:
        return FixedLagSmoother(ParticleFilter(ROBOT, dt=0.1, n=50).start([0.0, 0.0, 0.0], 0.5, rng=3), lag=0.2)

    one, two, silent = smoother(), smoother(), smoother()
    seen = []
    for k in range(4):
        for each in (one, two, silent):
            each.step(gnss(std=0.5), [0.1 * k, 0.0], u=[1.0, 0.0])
        np.testing.assert_array_equal(one.belief.points, two.belief.points)
        seen.append(copy.deepcopy(one).belief.points)
        np.testing.assert_array_equal(seen[-1], one.belief.points)
    np.testing.assert_array_equal(silent.filter.belief.points, one.filter.belief.points)
    again = smoother()
    for k in range(4):
        again.step(gnss(std=0.5), [0.1 * k, 0.0], u=[1.0, 0.0])
    assert not np.array_equal(again.belief.points, seen[-1]), "the stream began again"


def test_steps_and_predictions_count() -> None:
    """`predict` and `step` are those of the filter; the belief is that of the lag, and memory does not grow."""
    model, tape = constant_velocity(1), position(1, std=0.3)
    smoother, plain = (KF(model, dt=0.1).start(std=1.0) for _ in range(2))
    smoother = FixedLagSmoother(smoother, lag=0.3)
    for k in range(50):
        z = [0.1 * k]
        assert smoother.step(tape, z) == plain.step(tape, z)
        smoother.predict(0.05)
        plain.predict(0.05)
    assert same_belief(smoother.filter.belief, plain.belief)
    assert len(smoother._ticks) < 12
    assert smoother.filter.t - smoother.t == pytest.approx(0.3)
    before, t = smoother.belief, smoother.filter.t
    for other in (copy.copy(smoother), copy.deepcopy(smoother), pickle.loads(pickle.dumps(smoother))):
        other.step(tape, [9.0])
        assert other.belief.mean[0] > before.mean[0]
        assert same_belief(smoother.belief, before) and smoother.filter.t == t
        assert smoother._ticks[-1].t == t


def test_after_an_error_nothing_has_changed() -> None:
    smoother = FixedLagSmoother(KF(constant_velocity(1), dt=0.1).start(std=1.0), lag=0.3)
    smoother.step(position(1), [0.1])
    before, t, seen = smoother.filter.belief, smoother.filter.t, smoother.belief
    for call in (
        lambda: smoother.step(position(1), [np.inf]),
        lambda: smoother.update(position(1), [0.0], 0.05),
        lambda: smoother.update(position(1), [0.0, 1.0], 0.75),
    ):
        with pytest.raises((PilotageError, ShapeError)):
            call()
    assert same_belief(smoother.filter.belief, before)
    assert isinstance(seen, Gaussian)
    assert same_belief(smoother.belief, seen)
    assert smoother.filter.t == t
    with pytest.raises(SettingError):
        FixedLagSmoother(smoother.filter, lag=-1.0)
    late = KF(constant_velocity(1), dt=0.1).start(std=1.0, sensors={"cam": position(1)}, latency={"cam": 0.1})
    with pytest.raises(ModelError, match="latencies"):
        FixedLagSmoother(late, lag=0.3)
    with pytest.raises(SettingError):
        FixedLagSmoother(KF(constant_velocity(1), dt=0.1), lag=1.0)  # pyright: ignore[reportArgumentType]
