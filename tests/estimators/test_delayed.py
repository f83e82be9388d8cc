"""Late readings: a replay is processing in order, retrodiction is it for linear models, and clocks are corrected."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotage.core import ModelError, PilotageError, Readings, SettingError
from pilotage.core.results import same_belief
from pilotage.estimators import (
    EKF,
    IMM,
    KF,
    UKF,
    ParticleFilter,
    SquareRootEKF,
    SquareRootUKF,
)
from pilotage.models import LinearDynamics, LinearSensor, compass, constant_velocity, gnss, position, unicycle, velocity

from .linear import close, seeds, spd

ROBOT, CART = unicycle(noise=(0.1, 0.1, 0.05)), constant_velocity(2, density=0.5)
ROOMS: dict[str, Any] = {
    "KF": lambda: KF(CART, dt=0.2).start(std=1.0),
    "KF with a gate": lambda: KF(CART, dt=0.2, gate=0.9).start(std=1.0),
    "EKF": lambda: EKF(ROBOT, dt=0.2).start(std=0.5),
    "UKF": lambda: UKF(ROBOT, dt=0.2).start(std=0.5),
    "SquareRootUKF": lambda: SquareRootUKF(ROBOT, dt=0.2).start(std=0.5),
    "IMM": lambda: IMM((CART, constant_velocity(2, density=9.0)), 0.9, dt=0.2).start(std=1.0),
    "ParticleFilter": lambda: ParticleFilter(ROBOT, dt=0.2, n=60).start(std=0.5, rng=4),
}


def stream(rng: np.random.Generator, turning: bool) -> list[tuple[float, Any, Any, float]]:
    """Readings of three sensors with their rates and delays: time, sensor, reading, and when it arrives."""
    third = compass(std=0.2) if turning else velocity(2, std=0.4)
    events = []
    for sensor, rate, delay in ((gnss(std=0.5), 0.3, 0.05), (position(2, std=0.3), 0.17, 0.6), (third, 0.45, 0.2)):
        for k in range(1, int(2.5 / rate)):
            z = rng.normal(size=sensor.reading.size)
            z[rng.random(z.shape) < 0.2] = np.nan
            events.append((rate * k, sensor, z, rate * k + delay * rng.uniform(0.5, 1.5)))
    return events


@pytest.mark.parametrize("name", ROOMS)
@settings(max_examples=4)
@given(seed=seeds)
def test_a_replay_is_processing_in_order(name: str, seed: int) -> None:
    """Whatever the order in which readings arrive, belief and time are those of the order in which they were taken."""
    late, sorted_ = ROOMS[name]().remember(2.0), ROOMS[name]()
    turning = "theta" in late.belief.moments().space.names or "yaw" in late.belief.moments().space.names
    events, u = stream(np.random.default_rng(seed), turning), [0.7, 0.4] if turning else None
    latest = 0.0
    for t, sensor, z, _ in sorted(events, key=lambda event: event[3]):
        late.update(sensor, z, t, u=u if t > latest else None)
        latest = max(latest, t)
    for t, sensor, z, _ in sorted(events, key=lambda event: (event[0], event[3])):
        sorted_.update(sensor, z, t, u=u)
    assert abs(late.t - sorted_.t) < 1e-12
    mine, exact = late.belief.moments(), sorted_.belief.moments()
    close(mine.space.minus(mine.mean, exact.mean), np.zeros(mine.space.dim), 1e-9)
    close(mine.cov, exact.cov, 1e-9)


@settings(max_examples=8)
@given(seeds, st.floats(0.01, 0.99))
def test_retrodiction_is_exact_on_linear_models(seed: int, when: float) -> None:
    """One late reading, after any number of others: the belief of processing in order."""
    rng = np.random.default_rng(seed)
    G = rng.normal(size=(3, 2))
    model = LinearDynamics(0.5 * rng.normal(size=(3, 3)), rng.normal(size=(3, 1)), Qc=G @ G.T)
    sensors = [LinearSensor(rng.normal(size=(k, 3)), spd(rng, k)) for k in (1, 2)]
    for estimator in (KF(model), SquareRootEKF(model), UKF(model, dt=0.15)):
        late = estimator.start(rng.normal(size=3), cov=spd(rng, 3), history=1.0, delayed="retrodict")
        exact = copy.deepcopy(late).remember(1.0)
        for k in range(1, 6):
            z, u = rng.normal(size=k % 2 + 1), rng.normal(size=1)
            for filter in (late, exact):
                filter.update(sensors[k % 2], z, 0.2 * k, u=u)
        z = [0.4, np.nan] if seed % 2 else [0.4, -0.3]
        results = [filter.update(sensors[1], z, when) for filter in (late, exact)]
        close(late.belief.mean, exact.belief.mean, 1e-8)
        close(late.belief.cov, exact.belief.cov, 1e-8)
        assert results[0].accepted
        assert late.t == exact.t == 1.0


def test_an_update_of_the_past_is_that_of_its_time() -> None:
    """What a late update returns is what the update in its turn would have returned."""
    late, turn = (EKF(ROBOT, dt=0.1).start([0.0, 0.0, 0.0], 0.3) for _ in range(2))
    late.remember(1.0)
    fix, needle, u = gnss(std=0.5), compass(std=0.1), [1.0, 0.3]
    late.update(fix, [0.5, 0.1], 0.5, u=u)
    expected = turn.update(needle, [0.05], 0.25, u=u)
    result = late.update(needle, [0.05], 0.25)
    assert result == expected
    turn.update(fix, [0.5, 0.1], 0.5, u=u)
    assert same_belief(late.belief, turn.belief)


def test_steps_and_predictions_are_replayed() -> None:
    """A late reading cuts the step in which it lies; those before and after stay what they were."""
    needle, fix, u = compass(std=0.1), gnss(std=0.5), np.array([1.0, 0.3])
    late, turn = (EKF(ROBOT, dt=0.1).start([0.0, 0.0, 0.0], 0.3) for _ in range(2))
    late.remember(1.0)
    for filter in (late, turn):
        filter.predict(u=u)
        filter.step(fix, [0.1, 0.0], u)
    late.step(fix, [0.2, 0.1], u)
    late.predict(0.2, u=-u)
    u_then, u[:] = u.copy(), 9.0  # arrays that were given may change
    late.update(needle, [0.1], 0.25)
    turn.update(needle, [0.1], 0.25, u=u_then)
    turn.update(fix, [0.2, 0.1], 0.3, u=u_then)
    turn.predict(0.2, u=-u_then)
    close(late.belief.mean, turn.belief.mean, 1e-12)
    close(late.belief.cov, turn.belief.cov, 1e-12)
    assert abs(late.t - turn.t) < 1e-12


def test_what_is_too_old_is_refused_and_nothing_changes() -> None:
    filter = KF(CART).start(std=1.0, t=10.0, history=1.0)
    for k in range(1, 31):
        filter.update(gnss(), [0.0, 0.0], 10.0 + 0.1 * k)
    before = filter.belief
    with pytest.raises(PilotageError, match=r"t = 11 s is too old: the filter is at 13 s.*begins at 12 s"):
        filter.update(gnss(), [0.0, 0.0], 11.0)
    with pytest.raises(PilotageError, match="actions of the past are known"):
        filter.update(gnss(), [0.0, 0.0], 12.5, u=[])
    with pytest.raises(PilotageError, match="infinity|inf"):
        filter.update(gnss(), [np.inf, 0.0], 12.5)
    assert same_belief(filter.belief, before)
    assert filter.t == 13.0
    filter.update(gnss(), [0.0, 0.0], 12.05)
    with pytest.raises(PilotageError, match="goes back in time.*history"):
        KF(CART).start(std=1.0, t=1.0).update(gnss(), [0.0, 0.0], 0.5)


def test_a_history_is_bounded_and_travels() -> None:
    """Requests of the last seconds are kept, no more; copies and pickles have histories of their own."""
    filter = KF(CART, dt=0.01).start(std=1.0, history=0.1)
    for _ in range(500):
        filter.step(gnss(), [0.0, 0.0])
    history: Any = filter._history
    assert len(history.entries) <= 12
    before = filter.belief
    for other in (copy.copy(filter), pickle.loads(pickle.dumps(filter)), copy.deepcopy(filter)):
        other.update(gnss(), [3.0, 1.0], 4.95)
        assert not same_belief(other.belief, before)
        assert len(history.entries) <= 12
        assert same_belief(filter.belief, before)
    filter.belief = before
    with pytest.raises(PilotageError, match="too old"):
        filter.update(gnss(), [3.0, 1.0], 4.95)


@pytest.mark.parametrize("delayed", ["replay", "retrodict"])
def test_a_latency_is_told_once(delayed: Any) -> None:
    """Readings stamped on arrival, of a camera that needs 0.3 s: the belief of stamps that are right."""
    camera = position(2, std=0.2)
    told = KF(CART).start(std=1.0, sensors={"cam": camera}, history=1.0, delayed=delayed, latency={"cam": 0.3})
    right = KF(CART).start(std=1.0)
    told.update(gnss(), [1.0, 0.0], 0.5)
    told.update("cam", [0.8, 0.1], 0.7)
    told.predict(to=0.6)
    told.update("cam", [0.9, 0.2])
    for t, sensor, z in ((0.3, camera, [0.9, 0.2]), (0.4, camera, [0.8, 0.1]), (0.5, gnss(), [1.0, 0.0])):
        right.update(sensor, z, t)
    right.predict(to=0.6)
    if delayed == "replay":
        close(told.belief.mean, right.belief.mean, 1e-12)
        close(told.belief.cov, right.belief.cov, 1e-12)
    else:  # two are late, so this is an approximation
        close(told.belief.mean, right.belief.mean, 0.05)
    stamped = [Readings("cam", [[0.9, 0.2], [0.8, 0.1]], [0.6, 0.7]), Readings(gnss(), [[1.0, 0.0]], [0.5])]
    run = KF(CART).start(std=1.0, sensors={"cam": camera}, latency={"cam": 0.3}).run(None, stamped, ts=None)
    close(run.ts, [0.3, 0.4, 0.5])
    one = Readings(camera, [[0.9, 0.2]], [0.6], latency=0.3)
    close(KF(CART).start(std=1.0).run(None, [one]).ts, [0.3])


@pytest.mark.parametrize("history", [None, 1.0])
def test_a_step_of_a_late_sensor_is_done_whole_or_not_at_all(history: float | None) -> None:
    filter = KF(CART, dt=0.1).start(std=1.0, sensors={"cam": gnss()}, history=history, latency={"cam": 0.05})
    filter.predict()
    filter.predict()
    t, belief = filter.t, filter.belief
    with pytest.raises(PilotageError):  # infinite, or too late for a filter without a history
        filter.step("cam", [np.inf, 0.0])
    assert filter.t == t and same_belief(filter.belief, belief)
    filter.update(gnss(), [1.0, 0.0], 0.2)
    if history is not None:
        filter.update(gnss(), [1.0, 0.0], 0.15)


def test_settings_of_the_history_are_checked() -> None:
    wrong: list[dict[str, Any]] = [{"history": -1.0}, {"delayed": "later"}, {"latency": {"cam": np.nan}}]
    for each in wrong:
        with pytest.raises(SettingError):
            KF(CART).start(std=1.0, sensors={"cam": gnss()}, **each)
    with pytest.raises(PilotageError, match="no sensor 'cam'"):
        KF(CART).start(std=1.0, latency={"cam": 0.1})
    with pytest.raises(ModelError, match="use delayed='replay'"):
        ParticleFilter(ROBOT, dt=0.1, n=10).start(std=1.0, rng=0, history=1.0, delayed="retrodict")
