"""Filters of several models: exact enumeration, Bayes' rule over models, mixes of filters, and batches."""

from __future__ import annotations

import copy
import itertools
import math
import pickle
from typing import Any

import numpy as np
import pytest

from pilotage.core import FilterStatus, Gaussian, Mixture, Readings, SettingError, ShapeError, Space, carry
from pilotage.estimators import EKF, GPB1, GPB2, IMM, KF, UKF, MultipleModel, SquareRootEKF, SquareRootUKF
from pilotage.models import (
    LinearDynamics,
    LinearSensor,
    constant_acceleration,
    constant_turn,
    constant_velocity,
    position,
    sensor,
)

from .linear import close

DT = 0.5
CALM, PUSHED = constant_velocity(1, density=0.1), constant_velocity(1, density=4.0)
STAY = np.array([[0.8, 0.2], [0.4, 0.6]])
TAPE = position(1, std=0.5)
FLY, TURN, SPEED_UP = (
    constant_velocity(2, density=0.1),
    constant_turn(2, density=1.0, turn_density=0.1),
    constant_acceleration(2, density=0.3),
)
SWITCHING = np.array([[0.9, 0.06, 0.04], [0.1, 0.85, 0.05], [0.05, 0.05, 0.9]])
FIX = position(2, std=0.5)


def exact(zs: Any, models: Any, T: Any, start: Gaussian) -> tuple[Any, Any, Any]:
    """Mean, covariance and probabilities of modes after all readings, by a Kalman filter for each sequence of modes."""
    count, H, R = len(models), TAPE.on(start.space).linearize(start.mean), TAPE.on(start.space).noise(start.mean)
    logs, means, covs, ends = [], [], [], []
    for sequence in itertools.product(range(count), repeat=len(zs) + 1):
        x, P, log = start.mean, start.cov, -math.log(count)
        for before, now, z in zip(sequence[:-1], sequence[1:], zs, strict=True):
            F = models[now].linearize(x, [], DT)[0]
            x, P = F @ x, F @ P @ F.T + models[now].noise(x, [], DT)
            S, y = H @ P @ H.T + R, z - H @ x
            K = P @ H.T @ np.linalg.inv(S)
            log += math.log(T[before, now]) - 0.5 * (y @ np.linalg.solve(S, y) + math.log(np.linalg.det(2 * np.pi * S)))
            x, P = x + K @ y, P - K @ S @ K.T
        logs, means, covs, ends = [*logs, log], [*means, x], [*covs, P], [*ends, sequence[-1]]
    w = np.exp(np.array(logs) - max(logs))
    w /= w.sum()
    mean = w @ np.array(means)
    off = np.array(means) - mean
    cov = np.einsum("s,sij->ij", w, np.array(covs) + off[:, :, None] * off[:, None, :])
    return mean, cov, np.bincount(ends, weights=w, minlength=count)


def readings(seed: int, steps: int) -> Any:
    """Positions of a target that switches between the two modes."""
    rng, mode, x, zs = np.random.default_rng(seed), 0, np.zeros(2), []
    for _ in range(steps):
        mode = int(rng.random() > STAY[mode, 0])
        model = (CALM, PUSHED)[mode]
        x = rng.multivariate_normal(model.step(x, [], DT), model.noise(x, [], DT))
        zs.append(x[:1] + 0.5 * rng.normal(size=1))
    return np.array(zs)


def filtered(kind: Any, zs: Any, models: Any = (CALM, PUSHED)) -> Any:
    one = Gaussian.of(CALM.state, std=1.0)
    filter = kind(models, STAY, dt=DT, filter=KF()).start(belief=Mixture([one] * len(models)))
    for z in zs:
        filter.step(TAPE, z)
    return filter


@pytest.mark.parametrize(("kind", "steps"), [(GPB1, 1), (IMM, 1), (GPB2, 1), (GPB2, 2)])
def test_short_sequences_are_exact(kind: Any, steps: int) -> None:
    """GPB1 and IMM merge nothing that differs before the second prediction, GPB2 before the third."""
    zs = readings(3, steps)
    mean, cov, modes = exact(zs, (CALM, PUSHED), STAY, Gaussian.of(CALM.state, std=1.0))
    filter = filtered(kind, zs)
    close(filter.belief.moments().mean, mean, 1e-12)
    close(filter.belief.moments().cov, cov, 1e-12)
    close(filter.estimator.probabilities(filter.belief), modes, 1e-12)


def test_the_later_modes_are_merged_the_nearer_to_all_sequences() -> None:
    errors: dict[Any, list[float]] = {GPB1: [], IMM: [], GPB2: []}
    for seed in range(12):
        zs = readings(seed, 7)
        mean, cov, modes = exact(zs, (CALM, PUSHED), STAY, Gaussian.of(CALM.state, std=1.0))
        for kind, found in errors.items():
            filter = filtered(kind, zs)
            belief, off = filter.belief.moments(), filter.estimator.probabilities(filter.belief) - modes
            found.append(float(np.abs(belief.mean - mean).max() + np.abs(belief.cov - cov).max() + np.abs(off).max()))
    gpb1, imm, gpb2 = (float(np.mean(found)) for found in errors.values())
    assert gpb2 < 0.6 * gpb1
    assert gpb2 < imm < gpb1


def evidence(z: Any, model: Any) -> float:
    """Log-density of all positions at once, without what models have in common."""
    F, Q, steps = model.linearize(np.zeros(2), [], DT)[0], model.noise(np.zeros(2), [], DT), range(1, len(z) + 1)
    power = lambda k: np.linalg.matrix_power(F, k)
    own = lambda k: power(k) @ power(k).T + sum((power(k - i) @ Q @ power(k - i).T for i in range(1, k + 1)), 0.0)
    cross = lambda a, b: (power(max(a - b, 0)) @ own(min(a, b)) @ power(max(b - a, 0)).T)[0, 0]
    S = np.array([[cross(a, b) for b in steps] for a in steps]) + 0.25 * np.eye(len(z))
    return -0.5 * (z @ np.linalg.solve(S, z) + np.linalg.slogdet(S)[1])


def test_static_models_follow_bayes_rule() -> None:
    """The weights are those of the evidence of each model, computed at once from all readings of a sequence."""
    zs, models = readings(5, 6), (CALM, PUSHED, constant_velocity(1, density=1.0))
    rows = [evidence(zs[:, 0], model) for model in models]
    w = np.array([0.5, 0.3, 0.2]) * np.exp(rows)
    filter = MultipleModel(models, dt=DT, filter=KF()).start(std=1.0, weights=[0.5, 0.3, 0.2])
    for z in zs:
        filter.step(TAPE, z)
    close(filter.belief.weights, w / w.sum(), 1e-12)
    for part, model in zip(filter.belief.components, models, strict=True):
        alone = KF(model, dt=DT).start(std=1.0)
        for z in zs:
            alone.step(TAPE, z)
        close(part.mean, alone.belief.mean, 1e-14)


def test_a_floor_lets_models_recover() -> None:
    still, seen = [], np.concatenate([np.zeros(60), 3.0 * np.arange(10.0) ** 2])
    for floor in (0.0, 0.01):
        filter = MultipleModel((CALM, PUSHED), dt=DT, filter=KF(), floor=floor).start(std=1.0)
        for z in seen[:60]:
            filter.step(TAPE, [z])
        still.append(filter.belief.weights[1])
        for z in seen[60:63]:
            filter.step(TAPE, [z])
        assert (filter.belief.weights[1] > 0.5) == (floor > 0.0) or floor == 0.0
    assert still[0] < 1e-6 < 0.0099 < still[1]
    with pytest.raises(SettingError, match="floor"):
        MultipleModel((CALM, PUSHED), dt=DT, floor=0.5)


def test_one_model_is_its_filter() -> None:
    for kind in (GPB1, GPB2, IMM):
        many, one = kind((FLY,), 1.0, dt=DT).start(std=1.0), EKF(FLY, dt=DT).start(std=1.0)
        for k in range(5):
            for filter in (many, one):
                filter.step(FIX, [0.1 * k, 0.0])
        assert np.array_equal(many.belief.moments().mean, one.belief.mean)
        assert np.array_equal(many.belief.components[0].cov, one.belief.cov)


def test_each_mode_has_its_own_filter() -> None:
    """A mix of Kalman, unscented and square-root filters with different states mixes beliefs carried by hand."""
    filters, models = (KF(), UKF(), SquareRootEKF()), (FLY, TURN, SPEED_UP)
    imm = IMM(models, SWITCHING, dt=DT, filter=filters)
    first, w = moving(), np.array([0.5, 0.3, 0.2])
    predicted: Any = imm.predict(first)
    after = w @ SWITCHING
    for j, (filter, model) in enumerate(zip(filters, models, strict=True)):
        carried = [carry(c, model.state, first.components[j]) for c in first.components]
        mixed = Mixture(carried, np.log(SWITCHING[:, j] * w / after[j])).moments()
        alone = filter.predict(mixed, model, None, DT)
        close(predicted.components[j].mean, alone.mean, 1e-9)
        close(predicted.components[j].cov, alone.cov, 1e-9)
    assert predicted.components[2].rooted
    assert imm.start(belief=first).step(FIX, [0.0, 0.0]).accepted
    with pytest.raises(SettingError, match="2 filters for 3 models"):
        IMM(models, SWITCHING, dt=DT, filter=(EKF(), UKF()))
    with pytest.raises(SettingError, match="filter of IMM"):
        IMM(models, SWITCHING, dt=DT, filter=(EKF(), UKF(), 3))  # pyright: ignore[reportArgumentType]


def moving(batch: tuple[int, ...] = (), seed: int = 0) -> Any:
    """A belief about three modes with different states."""
    rng, parts = np.random.default_rng(seed), []
    for model in (FLY, TURN, SPEED_UP):
        d = model.state.dim
        A = 0.3 * rng.normal(size=(*batch, d, d))
        parts.append(Gaussian(model.state, rng.normal(size=(*batch, d)), A @ A.swapaxes(-1, -2) + 0.1 * np.eye(d)))
    return Mixture(parts, np.log([0.5, 0.3, 0.2]))


@sensor(
    state=Space("x y [m]"), reading=Space("range [m]", "bearing: angle"), context=Space("mx my [m]"), std=(0.2, 0.05)
)
def away(x: Any, c: Any, p: Any, m: Any) -> Any:
    """Range and direction of a landmark."""
    return m.hypot(c[0] - x[0], c[1] - x[1]), m.atan2(c[1] - x[1], c[0] - x[0])


BATCHED = {
    "IMM": IMM((FLY, TURN, SPEED_UP), SWITCHING, dt=DT, filter=(KF(), EKF(gate=0.999), SquareRootUKF())),
    "GPB1": GPB1((FLY, TURN, SPEED_UP), SWITCHING, dt=DT),
    "GPB2": GPB2((FLY, TURN, SPEED_UP), SWITCHING, dt=DT),
    "MultipleModel": MultipleModel((FLY, TURN, SPEED_UP), dt=DT, floor=0.01),
}


@pytest.mark.parametrize("name", BATCHED)
def test_a_batch_is_a_loop(name: str) -> None:
    """Row by row, with readings that are missing, partly missing, refused by a gate or infinite."""
    estimator, rng, batch = BATCHED[name], np.random.default_rng(1), (5, 8)
    sonar, mark, belief = (
        (FIX, None, moving(batch)) if name == "IMM" else (away(), np.array([8.0, -3.0]), moving(batch))
    )
    zs = rng.normal(size=(*batch, 2)) if mark is None else np.array([8.0, -0.4]) + 0.1 * rng.normal(size=(*batch, 2))
    zs[1, 2], zs[2, 3, 0], zs[0, 0], zs[3, 3, 0] = np.nan, np.nan, 30.0, np.inf
    predicted = estimator.predict(belief)
    update = estimator.update(predicted, sonar, zs, mark)
    assert update.status.shape == update.nis.shape == batch
    assert update.status[3, 3] == FilterStatus.NOT_FINITE_READING
    assert np.isnan(update.nis[3, 3])
    for i in ((0, 0), (0, 1), (1, 2), (2, 3), (4, 7)):
        alone = estimator.update(estimator.predict(belief[i]), sonar, zs[i], mark)
        assert update.status[i] == alone.status
        close(update.belief.weights[i], alone.belief.weights, 1e-12)
        close(update.belief[i].moments().mean, alone.belief.moments().mean, 1e-10)
        close(update.belief[i].moments().cov, alone.belief.moments().cov, 1e-10)
        np.testing.assert_allclose(update.innovation[i], alone.innovation, atol=1e-10)
        np.testing.assert_allclose(update.S[i], alone.S, atol=1e-10)
        close(update.nis[i], alone.nis, 1e-9)
        close(update.log_likelihood[i], alone.log_likelihood, 1e-9)
    bad = update.belief[3, 3]
    assert np.array_equal(bad.components[0].mean, predicted.components[0].mean[3, 3])
    close(bad.weights, predicted.weights[3, 3], 1e-15)
    expected = estimator.expect(predicted, sonar, mark).moments()
    close(expected.cov[0, 1], update.S[0, 1], 1e-12)


def test_a_prediction_that_fails_harms_no_other_row() -> None:
    imm, belief = BATCHED["IMM"], moving((4,))
    u, status = np.zeros((4, 0)), np.zeros(4, dtype=int)
    lost = [Gaussian.trusted(c.space, np.array(c.mean), np.array(c.cov)) for c in belief.components]
    broken = np.array(lost[1].mean)
    broken[2] = np.inf
    lost[1] = Gaussian.trusted(lost[1].space, broken, lost[1].cov)
    predicted = imm.predict(Mixture.trusted(tuple(lost), belief.log_weights), u=u, status=status)
    assert status.tolist()[:2] == [0, 0]
    assert status[2] > FilterStatus.NO_READING
    assert np.array_equal(predicted.components[0].mean[2], belief.components[0].mean[2])
    close(predicted.components[2].mean[3], imm.predict(belief[3]).components[2].mean, 1e-12)
    with pytest.warns(RuntimeWarning, match="1 of 4 predictions failed"):
        imm.predict(Mixture.trusted(tuple(lost), belief.log_weights))


@pytest.mark.parametrize("name", BATCHED)
def test_runs_of_several_sensors(name: str) -> None:
    """A run of many sequences is that of each alone, and that of a filter; filters can be copied."""
    estimator, rng, belief = BATCHED[name], np.random.default_rng(2), moving((3,))
    ts = np.arange(1, 5) * DT
    zs, other = rng.normal(size=(3, 4, 2)), rng.normal(size=(3, 2, 2))
    zs[1, 2] = np.nan
    given = lambda i: [Readings(FIX, zs[i], ts), Readings(position(2, std=2.0), other[i], ts[1:3])]
    together = estimator.run(belief, None, None, given(slice(None)))
    assert together.beliefs.weights.shape[:2] == together.nis.shape == (3, 6)
    filter = estimator.start(belief=belief[1])
    for copied in (filter, copy.deepcopy(filter), pickle.loads(pickle.dumps(filter))):
        alone = copied.run(None, given(1))
        close(together.beliefs.moments().mean[1], alone.beliefs.moments().mean, 1e-9)
        np.testing.assert_allclose(together.nis[1], alone.nis, atol=1e-9)
        assert together.status[1].tolist() == alone.status.tolist()
    assert alone.status.tolist().count(FilterStatus.NO_READING) == 1
    assert len(alone.beliefs.components) == len(alone.dynamics) == len(estimator.components)


def test_beliefs_of_models_and_of_pairs_are_accepted() -> None:
    gpb = BATCHED["GPB2"]
    pairs = gpb.predict(moving())
    assert len(pairs.components) == 9
    close(gpb.probabilities(pairs), np.array([0.5, 0.3, 0.2]) @ SWITCHING, 1e-12)
    close(gpb.probabilities(moving((4,))), [0.5, 0.3, 0.2], 1e-12)
    filter = gpb.start(belief=moving())
    filter.belief = pairs
    assert filter.belief.weights.tolist() == pairs.weights.tolist()
    with pytest.raises(ShapeError, match="9 or 3 components"):
        gpb.predict(Mixture(moving().components[:2]))


def test_linear_models_of_no_motion() -> None:
    """The IMM of two sensors' worth of models on one discrete system, with its own steps."""
    model = LinearDynamics.discrete([[1.0]], Q=0.1)
    filter = GPB1((model, model), 0.9, dt=1.0).start(std=1.0)
    assert filter.step(LinearSensor([[1.0]], 1.0), [0.5]).accepted


@pytest.mark.parametrize("kind", [IMM, GPB1, GPB2])
def test_filters_of_several_models_start_as_others_do(kind: Any) -> None:
    """With a history, a late reading gives the belief of processing in order."""
    models = constant_velocity(1), constant_velocity(1, density=9.0)
    late = kind(models, 0.9, dt=0.1).start(
        std=1.0, rng=3, sensors={"tape": position(1)}, history=1.0, latency={"tape": 0.1}
    )
    order = kind(models, 0.9, dt=0.1).start(std=1.0)
    late.predict(0.1)
    late.update("tape", [0.4])
    order.update(position(1), [0.4])
    order.predict(0.1)
    np.testing.assert_allclose(late.belief.moments().mean, order.belief.moments().mean, atol=1e-12)
    with pytest.raises(SettingError, match="rng"):
        kind(models, 0.9, dt=0.1).start(std=1.0, rng="a")
