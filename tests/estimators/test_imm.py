"""Interacting models: mixing against beliefs carried by hand, modes that switch with time alone, a manoeuvre."""

from __future__ import annotations

import copy
import math
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotage.core import Gaussian, Mixture, Readings, SettingError, ShapeError, Space, carry
from pilotage.estimators import EKF, IMM, UKF, smooth
from pilotage.estimators._algebra import cholesky, product_transposed
from pilotage.estimators._drivers import INNER
from pilotage.estimators._memory import ONE, job_at, mark, matrix, opposite, space_at
from pilotage.estimators._steps import PREDICTION_FAILED, gaussian_at, inner_steps, read_moments, write_moments
from pilotage.models import (
    LinearDynamics,
    compass,
    constant_turn,
    constant_velocity,
    dynamics,
    gnss,
    position,
    unicycle,
)
from pilotage.models.trace import driver

from .linear import at_rest, close

DT = 0.1
FLY, TURN = constant_velocity(2, density=0.1), constant_turn(2, density=3.0, turn_density=0.02)
STAY = np.array([[0.9, 0.1], [0.3, 0.7]])


def beliefs() -> Any:
    rng = np.random.default_rng(0)
    parts = []
    for model in (FLY, TURN):
        A = rng.normal(size=(model.state.dim, model.state.dim))
        parts.append(Gaussian(model.state, rng.normal(size=model.state.size), A @ A.T + 0.3 * np.eye(len(A))))
    return Mixture(parts, np.log([0.8, 0.2]))


def by_hand(belief: Mixture, models: Any, T: Any, dt: float) -> tuple[list[Gaussian], Any]:
    """Predicted modes and their weights: beliefs carried by name, mixtures matched by moments, EKFs that predict."""
    w = belief.weights
    after = w @ T
    modes = []
    for j, model in enumerate(models):
        own = belief.components[j]
        carried = [carry(c, model.state, own) for c in belief.components]
        mixed = Mixture(carried, np.log(T[:, j] * w / after[j])).moments()
        modes.append(EKF().predict(mixed, model, None, dt))
    return modes, after


@driver
def product_in_place(P, L, d):
    """P = L L' of the lower triangle that is kept in P."""
    for i in range(d):
        for j in range(d):
            L[i, j] = P[i, j] if j <= i else 0.0
    product_transposed(L, L, P, d, d, d, ONE)


@driver
def root_in_place(P, L, d, status):
    """P = the lower triangle L with ``L L' = P``."""
    mark(status, opposite(cholesky(P, L, d, ONE)), PREDICTION_FAILED)
    for i in range(d):
        for j in range(d):
            P[i, j] = L[i, j] if j <= i else 0.0


@driver
def rest(at, b, first, second, w, lanes):
    """Leave the belief as it is."""


@driver(INNER)
def read_root(at, b, moments, nothing, w):
    space = space_at(job_at(at).state)
    read_moments(at, b, moments, nothing, w)
    _, P, _ = gaussian_at(moments, space.size, space.dim, ONE)
    L, w = matrix(w, space.dim, space.dim, ONE)
    product_in_place(P, L, space.dim)


@driver(INNER)
def write_root(at, b, moments, nothing, w):
    space = space_at(job_at(at).state)
    write_moments(at, b, moments, nothing, w)
    _, P, _ = gaussian_at(b, space.size, space.dim, ONE)
    L, w = matrix(w, space.dim, space.dim, ONE)
    root_in_place(P, L, space.dim, job_at(at).status)


def test_mixing_is_that_of_carried_beliefs() -> None:
    belief, imm = beliefs(), IMM((FLY, TURN), STAY, dt=DT)
    predicted: Any = imm.predict(belief)
    modes, weights = by_hand(belief, imm.models, STAY, DT)
    close(predicted.weights, weights, 1e-14)
    for mine, other in zip(predicted.components, modes, strict=True):
        close(mine.mean, other.mean, 1e-12)
        close(mine.cov, other.cov, 1e-12)
    sensor, z = position(2, std=0.5), [0.3, -0.2]
    update = imm.update(predicted, sensor, z)
    single = [EKF().update(mode, sensor, z) for mode in modes]
    like = weights * np.exp([u.log_likelihood for u in single])
    close(update.belief.weights, like / like.sum(), 1e-12)
    close(update.log_likelihood, math.log(like.sum()), 1e-12)
    for mine, other in zip(update.belief.components, single, strict=True):
        close(mine.cov, other.belief.cov, 1e-12)


def test_a_heading_is_mixed_around_half_a_turn() -> None:
    @dynamics(state=Space("yaw: angle", "x y [m]"), action=Space(), noise=(0.1, 0.1, 0.1))
    def still(x, u, p, m):
        return 0.0, 0.0, 0.0

    @dynamics(state=Space("x y [m]", "yaw: angle"), action=Space(), noise=(0.1, 0.1, 0.1))
    def adrift(x, u, p, m):
        return 1.0, 0.0, 0.0

    models = (still(), adrift())
    parts = [
        Gaussian.of(models[0].state, [3.1, 0.0, 1.0], std=0.1),
        Gaussian.of(models[1].state, [2.0, 0.0, -3.1], std=0.1),
    ]
    belief, imm = Mixture(parts), IMM(models, 0.5, dt=DT)
    predicted: Any = imm.predict(belief)
    modes, _ = by_hand(belief, models, np.full((2, 2), 0.5), DT)
    for mine, other in zip(predicted.components, modes, strict=True):
        close(mine.space.minus(mine.mean, other.mean), np.zeros(3), 1e-12)
        close(mine.cov, other.cov, 1e-12)
    assert abs(abs(predicted.components[0].mean[0]) - math.pi) < 1e-9


WHOLE = Space(
    "pose: SE3", "down: S2", "a: angle", "b: angle", "c: angle", "q: quaternion", "flat: SE2", "x [m]"
)  # fmt: skip
MODES = {
    "poses": ("pose", "pose"),
    "directions": ("down", "down", "down"),
    "headings": ("a b x", "x b c a", "c b"),
    "all": ("pose down a x", "a q flat down pose", "x pose b"),
}


@pytest.mark.parametrize("name", MODES)
@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1))
def test_mixing_is_that_of_carried_beliefs_on_every_space(name: str, seed: int) -> None:
    """Machine code mixes as `carry` and `Mixture.moments` do, of beliefs up to a quarter turn apart or more."""
    models, rng = tuple(at_rest(WHOLE.select(parts)) for parts in MODES[name]), np.random.default_rng(seed)
    middle, count, parts = WHOLE.sample(rng=rng), len(models), []
    for model in models:
        space, A = model.state, rng.normal(size=(model.state.dim, model.state.dim))
        x = space.plus(
            middle[WHOLE.indices([part.name for part in space.parts])[0]], rng.uniform(-0.57, 0.57, space.dim)
        )
        parts.append(Gaussian(space, x, A @ A.T + 0.1 * np.eye(space.dim)))
    T = rng.dirichlet(np.ones(count), size=count)
    belief = Mixture(parts, rng.normal(size=count))
    predicted: Any = IMM(models, T, dt=DT).predict(belief)
    modes, weights = by_hand(belief, models, T, DT)
    close(predicted.weights, weights, 1e-13)
    for mine, other in zip(predicted.components, modes, strict=True):
        close(mine.space.minus(mine.mean, other.mean), np.zeros(mine.space.dim), 1e-9)
        close(mine.cov, other.cov, 1e-8)
        assert np.array_equal(mine.cov, mine.cov.T)


class Rooted(EKF):
    """A filter of what rests, which keeps a root of the covariance in its place."""

    inner = inner_steps(rest, rest)
    layout = (read_root, write_root)

    def pack(self, belief: Gaussian) -> Any:
        return super().pack(Gaussian.trusted(belief.space, belief.mean, np.linalg.cholesky(belief.cov)))

    def unpack(self, space: Space, table: Any) -> Gaussian:
        kept = super().unpack(space, table)
        return Gaussian.trusted(space, kept.mean, root=kept.cov)


@pytest.mark.parametrize("name", MODES)
def test_modes_keep_their_beliefs_as_they_like(name: str) -> None:
    """A filter that keeps roots mixes to the beliefs of one that keeps covariances."""
    models, rng = tuple(at_rest(WHOLE.select(parts)) for parts in MODES[name]), np.random.default_rng(0)
    parts = []
    for model in models:
        A = rng.normal(size=(model.state.dim, model.state.dim))
        x = model.state.plus(model.state.identity(), rng.uniform(-0.5, 0.5, model.state.dim))
        parts.append(Gaussian(model.state, x, A @ A.T + 0.1 * np.eye(len(A))))
    T, belief = rng.dirichlet(np.ones(len(models)), size=len(models)), Mixture(parts)
    covariances, roots = (IMM(models, T, dt=DT, filter=make()).predict(belief) for make in (EKF, Rooted))
    close(covariances.weights, roots.weights, 1e-14)
    for model, mine, other in zip(models, covariances.components, roots.components, strict=True):
        assert "root" in other.__dict__
        close(mine.space.minus(mine.mean, other.mean), np.zeros(mine.space.dim), 1e-12)
        close(mine.cov, other.cov + model.noise(other.mean, [], DT), 1e-11)


def test_a_mode_that_lost_its_heading_does_not_hold_the_mean_back() -> None:
    """Two modes at half a turn, and one of no weight at zero: from there, half a turn lies as far left as right."""
    model = at_rest(Space("yaw: angle"))
    parts = [Gaussian.of(model.state, [yaw], std=0.1) for yaw in (0.0, 3.1, -3.1)]
    belief = Mixture(parts, np.log([0.001, 0.5, 0.499]))
    predicted: Any = IMM((model,) * 3, np.full((3, 3), 1 / 3), dt=DT).predict(belief)
    assert abs(abs(predicted.components[0].mean[0]) - math.pi) < 0.01


def test_many_modes_of_a_small_state() -> None:
    """The memory of mixing beside the beliefs does not grow with the count of modes."""
    models = (at_rest(Space("x [m]")),) * 150
    belief = Mixture([Gaussian.of(models[0].state, [float(i)], std=1.0) for i in range(150)])
    predicted: Any = IMM(models, np.full((150, 150), 1 / 150), dt=DT).predict(belief)
    close(predicted.components[7].mean, [74.5], 1e-12)


def test_only_time_switches_modes() -> None:
    """A second sensor at the same instant that tells nothing changes no weight; filterpy's does (M' w once more)."""
    filter = IMM((FLY, TURN), STAY, dt=DT).start(belief=beliefs())
    filter.predict()
    filter.update(position(2, std=1.0), [0.5, 0.5])
    before = filter.belief
    filter.update(position(2, std=1e6), [0.5, 0.5])
    close(filter.belief.weights, before.weights, 1e-9)
    even, switching = Mixture(beliefs().components, np.log([0.909, 0.091])), [[0.9, 0.1], [0.1, 0.9]]
    told = IMM((FLY, TURN), switching, dt=DT).update(even, position(2, std=1e6), [0.5, 0.5])
    close(told.belief.weights, [0.909, 0.091], 1e-9)  # of filterpy (0.827, 0.173)
    filter.predict(0.0)
    close(filter.belief.weights, before.weights, 1e-9)
    close(filter.belief.components[1].mean, before.components[1].mean, 1e-6)


def test_half_steps_switch_half() -> None:
    whole, halves = (IMM((FLY, TURN), STAY, dt=DT).start(belief=beliefs()) for _ in range(2))
    whole.predict()
    halves.predict(0.5 * DT)
    halves.predict(0.5 * DT)
    close(halves.belief.weights, whole.belief.weights, 1e-12)


def test_one_model_is_its_filter() -> None:
    imm, ekf = IMM((FLY,), 1.0, dt=DT).start(std=1.0), EKF(FLY, dt=DT).start(std=1.0)
    for k in range(5):
        for filter in (imm, ekf):
            filter.step(position(2, std=0.5), [0.1 * k, 0.0])
    close(imm.belief.moments().mean, ekf.belief.mean, 1e-12)
    close(imm.belief.moments().cov, ekf.belief.cov, 1e-12)


def truth() -> Any:
    """200 m/s straight on, a turn of 10 deg/s, and 3 m/s^2 along the way; 33 s each: states (990, 4)."""
    turn = LinearDynamics([[0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, -math.radians(10)], [0, 0, math.radians(10), 0]])
    x, xs = np.array([0.0, 0.0, 200.0, 0.0]), []
    for k in range(990):
        if 330 <= k < 660:
            x = turn.step(x, [], DT)
        else:
            a = 3.0 * x[2:] / np.hypot(*x[2:]) if k >= 660 else np.zeros(2)
            x = np.concatenate([x[:2] + x[2:] * DT + 0.5 * a * DT * DT, x[2:] + a * DT])
        xs.append(x)
    return np.array(xs)


def test_a_manoeuvre() -> None:
    """Better in every part than two Kalman filters, which reach 0.47 / 1.16 / 0.93 / 0.92 m (filterpy, 10 seeds)."""
    xs, sensor, errors = truth(), position(2, std=1.0), []
    imm = IMM((constant_velocity(2, density=0.03), TURN), 0.998, dt=DT)
    for seed in range(10):
        zs = xs[:, :2] + np.random.default_rng(seed).normal(size=(990, 2))
        filter = imm.start(mean={"vx": 200.0}, std={"x": 1.0, "y": 1.0, "vx": 10.0, "vy": 10.0, "yaw_rate": 0.1})
        run = filter.run(None, zs, sensor=sensor)
        errors.append(((run.beliefs.moments().mean[:, :2] - xs[:, :2]) ** 2).sum(1))
    squared = np.mean(errors, axis=0)
    parts = [math.sqrt(squared[a : a + 330].mean()) for a in (0, 330, 660)]
    assert np.all(np.array([*parts, math.sqrt(squared.mean())]) < [0.47, 1.16, 0.93, 0.92])


def test_copies_and_several_sensors() -> None:
    filter = IMM((FLY, TURN), STAY, dt=DT, filter=UKF(gate=0.999)).start(belief=beliefs(), sensors={"fix": position(2)})
    filter.step("fix", [0.1, 0.2])
    for other in (copy.copy(filter), copy.deepcopy(filter), pickle.loads(pickle.dumps(filter))):
        other.step("fix", [0.5, 0.2])
        assert other.t == pytest.approx(filter.t + DT)
        assert not np.array_equal(other.belief.weights, filter.belief.weights)
    ts = filter.t + np.array([0.1, 0.25])
    run = filter.run(
        None, [Readings("fix", [[0.1, 0.2], [0.3, 0.1]], ts), Readings(position(2, std=2.0), [[0.1, 0.1]], ts[1:])]
    )
    assert run.accepted.all()
    assert run.beliefs.weights.shape == (3, 2)


def test_an_innovation_is_that_of_what_the_modes_expect() -> None:
    """Innovations of modes that head either way of zero cancel, seen from behind; that of the mixture does not."""
    model, needle = at_rest(Space("yaw: angle", "x [m]")), compass(std=0.3)
    belief = Mixture([Gaussian.of(model.state, [yaw, 0.0], std=0.2) for yaw in (0.5, -0.4)], np.log([0.7, 0.3]))
    imm = IMM((model, model), 0.9, dt=DT)
    expected = imm.expect(belief, needle).moments()
    for z in (0.1, 3.1, -3.1):
        update = imm.update(belief, needle, [z])
        y = needle.reading.minus([z], expected.mean)
        close(update.innovation, y, 1e-12)
        close(update.S, expected.cov, 1e-12)
        close(update.nis, y @ np.linalg.solve(expected.cov, y), 1e-12)
    assert abs(imm.update(belief, needle, [3.1]).innovation[0]) > 2.8


def test_a_mode_that_cannot_be_stays_what_it_is() -> None:
    """A mode to which none leads has no weight, and its belief moves alone."""
    model = at_rest(Space("x [m]"))
    parts = [Gaussian.of(model.state, [x], std=1.0) for x in (0.0, 7.0)]
    imm = IMM((model, model), [[1.0, 0.0], [1.0, 0.0]], dt=DT)
    assert imm.start(weights=[1.0, 0.0]).belief.weights.tolist() == [1.0, 0.0]
    filter = imm.start(belief=Mixture(parts))
    filter.predict()
    assert filter.belief.weights.tolist() == [1.0, 0.0]
    assert filter.belief.components[1].mean.tolist() == [7.0]
    close(filter.belief.components[0].mean, [3.5], 1e-12)
    assert filter.update(position(1, std=1.0).on(model.state), [3.0]).accepted
    close(filter.belief.weights, [1.0, 0.0], 1e-12)


def test_weights_stay_of_sum_one() -> None:
    """Rows of the switching matrix may be off by rounding, as those that are typed in are."""
    filter = IMM((FLY, TURN), [[0.3333333333, 0.6666666667 + 5e-10], [0.1, 0.9]], dt=DT).start(std=1.0)
    for _ in range(300):
        filter.predict()
    close(filter.belief.weights.sum(), 1.0, 1e-12)


def test_a_start_names_what_modes_have() -> None:
    imm = IMM((FLY, TURN), STAY, dt=DT)
    with pytest.raises(ShapeError, match="mean gives 'xx', which no mode has; their states hold x, y, vx, vy"):
        imm.start(mean={"x": 1.0, "xx": 5.0})
    with pytest.raises(ShapeError, match="std gives 'yaw', which no mode has"):
        imm.start(std={"yaw": 0.1})
    with pytest.raises(ShapeError, match="give values by name"):
        imm.start(mean=[0.0, 0.0, 1.0, 0.0])
    started = imm.start(mean={"vx": 9.0, "yaw_rate": 0.1}, std={"yaw_rate": 0.2}).belief.components
    assert [part.mean[part.space.index("vx")] for part in started] == [9.0, 9.0]
    assert started[1].std.tolist() == [1.0, 1.0, 1.0, 1.0, 0.2]


def test_a_run_holds_the_dynamics_of_every_mode() -> None:
    """A smoother finds each mode's model beside each mode's beliefs."""
    filter = IMM((FLY, TURN), STAY, dt=DT).start(belief=beliefs())
    run = filter.run(None, np.zeros((4, 2)), sensor=position(2))
    assert run.dynamics == filter.dynamics == (FLY, TURN)
    assert [part.space for part in run.predicted.components] == [model.state for model in run.dynamics]
    assert [part.space for part in smooth(run).components] == [model.state for model in run.dynamics]


def test_what_is_no_belief_of_modes_is_refused() -> None:
    imm = IMM((FLY, TURN), STAY, dt=DT)
    for mean in ([0.0, 1.0], "here", Gaussian.of(FLY.state, std=1.0)):
        with pytest.raises(ShapeError, match="values by name"):
            imm.start(mean, std=1.0)
    for wrong in ({"mean": {"x": "far"}}, {"mean": {"x": 0.0}, "std": {"x": "wide"}}):
        with pytest.raises(SettingError, match=r"of x is .*; expected a number"):
            imm.start(**wrong)
    with pytest.raises(ShapeError, match="weights"):
        imm.start(std=1.0, weights="even")
    for belief in (3, "here", [0.0, 1.0], Gaussian.of(FLY.state, std=1.0)):
        for call in (
            lambda belief: imm.start(belief=belief),
            lambda belief: imm.predict(belief),
            lambda belief: imm.update(belief, position(2), [0.0, 0.0]),
            lambda belief: imm.expect(belief, position(2)),
        ):
            with pytest.raises(ShapeError, match=r"expected a Mixture of 2 components.*start\("):
                call(belief)
    one = beliefs()
    many = Mixture([Gaussian(c.space, np.tile(c.mean, (3, 1)), c.cov) for c in one.components], one.log_weights)
    with pytest.raises(ShapeError, match=r"leading axes \(3,\); a filter holds one"):
        imm.start(belief=many)
    for models in (FLY, 3, None):
        with pytest.raises(SettingError, match="models of IMM is"):
            IMM(models, STAY, dt=DT)
    with pytest.raises(SettingError, match="models of IMM is"):
        imm.predict(beliefs(), FLY)


def test_settings_are_checked() -> None:
    for bad in ([[0.5, 0.6], [0.5, 0.5]], np.eye(3), 1.5, "stay", None, [0.5, 0.5]):
        with pytest.raises(SettingError, match="switching"):
            IMM((FLY, TURN), bad, dt=DT)
    with pytest.raises(SettingError, match="expected an EKF or a UKF or a KF"):
        IMM((FLY, TURN), STAY, dt=DT, filter=3)  # pyright: ignore[reportArgumentType]
    with pytest.raises(SettingError, match="actions"):
        IMM((FLY, unicycle()), 0.9, dt=DT)
    with pytest.raises(Exception, match="no component 'yaw'"):
        IMM((FLY, TURN), STAY, dt=DT).start(std=1.0).update(compass(), [0.1])
    assert IMM((unicycle(), unicycle(noise=1.0)), 0.9, dt=DT).start(std=0.1).step(gnss(), [0.0, 0.0]).accepted


def test_modes_of_one_state_start_at_a_state() -> None:
    alike = IMM((unicycle(), unicycle(noise=0.5)), 0.9, dt=0.1)
    listed = alike.start(mean=[1.0, 2.0, 0.5], std=[0.1, 0.2, 0.3]).belief
    named = alike.start(mean={"x": 1.0, "y": 2.0, "yaw": 0.5}, std={"x": 0.1, "y": 0.2, "yaw": 0.3}).belief
    for one, other in zip(listed.components, named.components, strict=True):
        np.testing.assert_array_equal(one.mean, other.mean)
        np.testing.assert_array_equal(one.cov, other.cov)
    with pytest.raises(ShapeError, match="mean"):
        alike.start(mean=[1.0, 2.0])
