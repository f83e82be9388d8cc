"""The interacting multiple model filter, for targets that switch between several motion models.

Models may have different states; components that model j does not share with model i by name come from model j
itself. Modes switch over time, so only the prediction uses T, and a second sensor at the same time switches nothing
(Blom and Bar-Shalom, "The interacting multiple model algorithm for systems with Markovian switching coefficients", IEEE
Trans. Automatic Control 33, 1988; Granstrom, Willett and Bar-Shalom, "Systematic approach to IMM mixing for unequal
dimension states", IEEE Trans. Aerospace and Electronic Systems 51, 2015).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any, ClassVar

import numpy as np

from ..core import Dynamics, Gaussian, Mixture, Rng, Sensor, Space, Update
from ..core.arrays import numbers
from ..core.errors import SettingError, ShapeError
from ..core.settings import Numbers, Positive, setting, settings
from ..core.streams import checked
from ..models.trace import call, driver
from ._algebra import product, product_transposed
from ._clock import wanted
from ._drivers import ACCEPTED, NO_READING, WRONG_LENGTH
from ._gaussian import GaussianEstimator
from ._imm import SwitchingEngine, check_mixture
from ._memory import ONE, address, integers, job_at, matrix, model_at, space_at, table, vector
from ._steps import gaussian_at
from .ekf import EKF
from .filter import Filter
from .kf import KF
from .ukf import UKF

ROUNDS = 200  # of the mean, at most: as many as `Space.mean` takes
ROUNDING = 1e-14  # step at which it stands still, for coordinates of about 1


@driver(
    "i8(i8[::1], f8[:,::1], f8[::1], f8[::1], i8[:,:,::1], i8[:,:,::1], i8[::1], i8[::1], f8[:,::1], f8[:,::1], "
    "f8[::1])"
)
def imm_predict(jobs, T, weights, given, places, tangents, transports, layout, moments, mixed, u):
    """Mix the beliefs of the filters of `jobs` by switching probabilities T, and predict each; the first bad status.

    Args:
        weights: of the modes, ``(M,)``; their predicted ones afterwards.
        given: ``(M,)``, scratch.
        places, tangents: for target j and source i where each component of j lies in i, -1 where it does not,
            ``(M, M, size)`` and ``(M, M, dim)``.
        transports: code of the transport on the space of each, ``(M,)``; 0 where it is flat.
        layout: code that takes mean and covariance from a belief, and that makes a belief of them.
        moments, mixed: a row for mean and covariance of each belief, and of each mixed one.
        u: the action.
    """
    count = jobs.shape[0]
    for j in range(count):
        total = 0.0
        for i in range(count):
            total += T[i, j] * weights[i]
        given[j] = total
    for j in range(count):
        job = job_at(jobs[j])
        call(layout[0], jobs[j], job.belief, moments[j], job.dt, job.scratch)
    for j in range(count):
        mix(jobs, j, T, weights, given[j], places, tangents, transports[j], moments, mixed[j])
    for j in range(count):
        job = job_at(jobs[j])
        if u.shape[0] != model_at(job.dynamics).inputs:
            return WRONG_LENGTH
        status = integers(job.status, 1)
        status[0] = ACCEPTED
        call(layout[1], jobs[j], job.belief, mixed[j], job.dt, job.scratch)
        call(job.predict, jobs[j], job.belief, u, job.dt, job.scratch)
        if status[0] != ACCEPTED:
            return status[0]
    for j in range(count):
        weights[j] = given[j]
    return ACCEPTED


@driver
def mix(jobs, j, T, weights, total, places, tangents, transport, moments, mixed):
    """`mixed` = moments of the beliefs of all filters, carried to the space of filter j; see `Mixture.moments`."""
    count, job = jobs.shape[0], job_at(jobs[j])
    space = space_at(job.state)
    n, d = space.size, space.dim
    _, P, _ = gaussian_at(moments[j].ctypes.data, n, d, ONE)
    y, N, _ = gaussian_at(mixed.ctypes.data, n, d, ONE)
    x, w = vector(job.scratch, n, ONE)
    new, w = vector(w, n, ONE)
    e, w = vector(w, d, ONE)
    step, w = vector(w, d, ONE)
    C, w = matrix(w, d, d, ONE)
    G, w = matrix(w, d, d, ONE)
    A, w = matrix(w, d, d, ONE)
    heaviest = j
    for i in range(count):
        if share(T, weights, total, i, j) > share(T, weights, total, heaviest, j):
            heaviest = i
    carried_mean(moments, j, heaviest, places, y, n)
    for _ in range(ROUNDS):
        largest, reach = 0.0, 1.0
        for a in range(d):
            step[a] = 0.0
        for i in range(count):
            carried_mean(moments, j, i, places, x, n)
            call(space.minus, address(x), address(y), 0, 0, address(e))
            m = share(T, weights, total, i, j)
            for a in range(d):
                step[a] = step[a] + m * e[a]
            for k in range(n):
                reach = max(reach, abs(x[k]))
        for a in range(d):
            largest = max(largest, abs(step[a]))
        if largest <= ROUNDING * reach:
            break
        call(space.plus, address(y), address(step), 0, 0, address(new))
        for k in range(n):
            y[k] = new[k]
    for a in range(d):
        for b in range(d):
            N[a, b] = 0.0
    for i in range(count):
        carried_mean(moments, j, i, places, x, n)
        call(space.minus, address(x), address(y), 0, 0, address(e))
        source = space_at(job_at(jobs[i]).state)
        _, S, _ = gaussian_at(moments[i].ctypes.data, source.size, source.dim, ONE)
        for a in range(d):
            for b in range(d):
                p, q = tangents[j, i, a], tangents[j, i, b]
                C[a, b] = S[p, q] if p >= 0 and q >= 0 else P[a, b] if p < 0 and q < 0 else 0.0
        if transport != 0:
            call(transport, address(x), address(y), 0, 0, address(G))
            product(G, C, A, d, d, d, ONE)
            product_transposed(A, G, C, d, d, d, ONE)
        m = share(T, weights, total, i, j)
        for a in range(d):
            for b in range(a + 1):
                N[a, b] = N[a, b] + m * (C[a, b] + e[a] * e[b])
                N[b, a] = N[a, b]


@driver
def share(T, weights, total, i, j):
    """The probability m_ij that mode j was mode i; a mode to which none leads was itself."""
    return T[i, j] * weights[i] / total if total > 0.0 else 1.0 if i == j else 0.0


@driver
def carried_mean(moments, j, i, places, x, n):
    """x = the mean of filter i in the space of filter j, which fills in what it lacks."""
    for k in range(n):
        x[k] = moments[i, places[j, i, k]] if places[j, i, k] >= 0 else moments[j, k]


@driver("i8(i8[::1], f8[::1], i8[::1], f8[::1], f8[::1])")
def imm_update(jobs, weights, places, z, context):
    """Update each filter with a reading, and the weights by its likelihood under each; the first bad status.

    `places` is where the log-likelihood of each lies in its memory. Where a filter fails, all refuse the reading or
    nothing was measured, the weights stay.
    """
    count, top, refused, last = jobs.shape[0], -math.inf, 0, 0
    for j in range(count):
        job = job_at(jobs[j])
        h, status = model_at(job.sensor), integers(job.status, 1)
        if z.shape[0] != space_at(h.space).size or context.shape[0] != h.inputs:
            return WRONG_LENGTH
        status[0] = ACCEPTED
        call(job.update, jobs[j], job.belief, z, context, job.scratch)
        if status[0] > NO_READING:
            return status[0]
        if status[0] != ACCEPTED:
            refused, last = refused + 1, status[0]
        top = max(top, table(job.belief, 1, places[j] + 1)[0, places[j]] + math.log(weights[j]))
    if refused == count:
        return last
    total = 0.0
    for j in range(count):
        seen = table(job_at(jobs[j]).belief, 1, places[j] + 1)[0, places[j]]
        weights[j] = math.exp(seen + math.log(weights[j]) - top)
        total += weights[j]
    for j in range(count):
        weights[j] = max(weights[j] / total, 1e-300)
    return ACCEPTED


@settings
class IMM:
    """Interacting multiple model filter, for a target that switches between several motion models.

    ::

        predict   c_j = sum_i T_ij w_i,   m_ij = T_ij w_i / c_j                    T = switching^(t / dt)
                  belief of filter j = sum_i m_ij carry(belief_i, space_j, fill=belief_j)      matched by moments
                  each filter predicts,   w_j = c_j
        update    each filter updates with log-likelihood l_j,   w_j = w_j exp(l_j) / sum

    t is the duration of the prediction. The belief is a `Mixture` with one component for each mode; the IMM takes one
    belief at a time, without leading axes.

    Args:
        models: dynamics of each mode; all must have the same action.
        switching: probabilities T ``(M, M)`` for a step of `dt`, with row i those of going from mode i to each mode; or
            one number, the probability of staying in the same mode.
        dt: step [s].
        filter: the filter of each mode, any Kalman filter, with its gate.

    Example:
        >>> from pilotage.models import constant_turn, constant_velocity, position
        >>> imm = IMM((constant_velocity(density=0.1), constant_turn(density=0.1)), 0.95, dt=0.1)
        >>> target = imm.start(mean={"x": 0.0, "y": 0.0, "vx": 9.0}, std=1.0)
        >>> target.predict()
        >>> target.update(position(std=1.0), z=[1.0, 0.1]).accepted
        True
    """

    models: tuple[Dynamics, ...]
    switching: Any
    dt: Positive
    filter: EKF | UKF | KF | GaussianEstimator = EKF()  # the first are for the sentence that refuses others
    own_contexts: ClassVar[bool] = False

    def __post_init__(self) -> None:
        count = len(self.models)
        if count < 1:
            raise SettingError("models of IMM is empty; give the dynamics of at least one mode")
        for model in self.models:
            self.filter.check_dynamics(model)
            if model.action != self.models[0].action:
                raise SettingError(
                    f"models of IMM have the actions {self.models[0].action} and {model.action}; expected one"
                )
        T = np.asarray(setting(self.switching, float | Annotated[Any, Numbers(None, None)], "switching of IMM"))
        if T.ndim == 0 and count > 1:
            T = np.full((count, count), (1.0 - T) / (count - 1)) + np.eye(count) * (T - (1.0 - T) / (count - 1))
        T = np.ones((1, 1)) if count == 1 else T
        if T.shape != (count, count) or not ((T >= 0.0).all() and np.allclose(T.sum(1), 1.0, atol=1e-9)):
            raise SettingError(
                f"switching of IMM is {self.switching}; expected ({count}, {count}) whose rows sum to 1, or one "
                "probability of staying"
            )
        object.__setattr__(self, "switching", tuple(map(tuple, T.tolist())))

    def transition(self, dt: float) -> np.ndarray:
        """Probabilities of switching between modes in `dt` seconds, ``(M, M)``; the identity for `dt` 0."""
        return power(self.switching, dt / self.dt)

    def start(
        self,
        mean: Any = None,
        std: Any = None,
        *,
        weights: Any = None,
        belief: Mixture | None = None,
        t: float = 0.0,
        sensors: Mapping[str, Sensor] | None = None,
    ) -> Filter:
        """A `Filter` that starts with this belief at time `t`.

        Args:
            mean: values of components by name, for all modes that have them; 0 for others.
            std: standard deviations: one number, or by name (1 for others).
            weights: probabilities of the modes; equal by default.
            belief: a mixture with a Gaussian component for each mode, instead of mean, std and weights.
            t: start time [s].
            sensors: sensors by name; `update` accepts these names.

        Raises:
            ShapeError: if the mean is not given by name, or no mode has a component of that name.
        """
        if belief is None:
            spaces = [model.state for model in self.models]
            if mean is not None:
                known(mean, "mean", *(space.names for space in spaces))
            if isinstance(std, Mapping):
                known(std, "std", *(space.tangent_names for space in spaces))
            components = [named(space, mean, std) for space in spaces]
            with np.errstate(divide="ignore"):
                logs = None if weights is None else np.log(numbers(weights, "weights"))
            belief = Mixture(components, logs)
        return Filter(SwitchingEngine(self, belief), t, self.dt, sensors)

    def predict(
        self, belief: Mixture, dynamics: Any = None, u: Any = None, dt: float | None = None, *, rng: Rng = None
    ) -> Mixture:
        """The mixture `dt` seconds later under action `u`; `dynamics` replaces the models, if given."""
        checked(rng)
        engine = SwitchingEngine(self if dynamics is None else self.of(dynamics), belief)
        engine.predict(u, wanted(dt, self.dt))
        return engine.belief

    def expect(self, belief: Mixture, sensor: Sensor, context: Any = None) -> Mixture:
        """The expected reading of each mode."""
        check_mixture(belief, len(self.models))
        expected = [self.filter.expect(c, sensor, context) for c in belief.components]
        return Mixture(expected, belief.log_weights)

    def update(self, belief: Mixture, sensor: Sensor, z: Any, context: Any = None, *, rng: Rng = None) -> Update:
        """The mixture after a reading; innovation and S are those of the mixture's expected reading."""
        checked(rng)
        return SwitchingEngine(self, belief).attach(sensor).update(z, context)

    def of(self, models: Any) -> IMM:
        """The same settings for other models."""
        return IMM(models, self.switching, self.dt, self.filter)


def known(given: Any, what: str, *names: Sequence[str]) -> None:
    """Refuse what is not given by name, and names that no mode has."""
    if not isinstance(given, Mapping):
        raise ShapeError(f"{what} is {given!r}; modes differ in their states, so give values by name: {{'x': 0.0}}")
    every = dict.fromkeys(name for each in names for name in each)
    for name in given:
        if name not in every:
            raise ShapeError(f"{what} gives {name!r}, which no mode has; their states hold {', '.join(every)}")


def named(space: Space, mean: Any, std: Any) -> Gaussian:
    """A Gaussian from values by name: those that the space has."""
    own = {name: value for name, value in (mean or {}).items() if name in space.names}
    if isinstance(std, Mapping):
        std = {name: std.get(name, 1.0) for name in space.tangent_names}
    return Gaussian.of(space, own, std=1.0 if std is None else std)


@lru_cache(maxsize=64)
def power(switching: tuple[tuple[float, ...], ...], steps: float) -> np.ndarray:
    """A transition matrix over some steps, also a fraction of one.

    Raises:
        ShapeError: for fractions of a step over which the matrix has no root that is one, too.
    """
    T = np.asarray(switching)
    near = round(steps)
    if abs(steps - near) < 1e-6 * max(1.0, steps):
        found = np.linalg.matrix_power(T, near)
    else:
        values, vectors = np.linalg.eig(T)
        found = np.real_if_close(vectors @ np.diag(values.astype(complex) ** steps) @ np.linalg.inv(vectors), tol=1e6)
        if np.iscomplexobj(found) or (found < -1e-9).any():
            raise ShapeError(
                f"switching has no transition over {steps:g} steps; take whole steps, or let modes stay longer"
            )
        found = np.maximum(found, 0.0)
    return np.ascontiguousarray(found / found.sum(1, keepdims=True))
