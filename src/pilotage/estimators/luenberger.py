"""The Luenberger observer: a fixed gain that gives the error of the estimate chosen poles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np

from ..core import Dynamics, FilterStatus, Gaussian, ModelError, Rng, Sensor, SettingError, ShapeError, Update
from ..core.arrays import Array
from ..core.sensor import measured
from ..core.settings import Interval, Positive, settings
from ..core.streams import checked
from ._clock import wanted
from ._gaussian import moments_on
from ._inputs import context_of, reading_of
from ._scores import scored
from ._startable import Startable
from .ekf import EKF
from .filter import Filter


def observer_gain(
    dynamics: Dynamics,
    sensor: Sensor,
    poles: Any,
    dt: float,
    x: Any = None,
    u: Any = None,
    context: Any = None,
    *,
    discrete: bool = False,
) -> Array:
    """The gain L ``(d, m)`` with which the error of an observer has these poles.

    ::

        e' = (I - L H) F e,     eig((I - L H) F) = exp(poles dt),   or the poles themselves if they are discrete

    Args:
        dynamics, sensor: linear models, or others at a point.
        poles: d poles [1/s], real or in conjugate pairs; each at most as often as there are readings.
        dt: seconds between readings.
        x, u, context: the point of linearisation; default: identity and zero.
        discrete: whether the poles are those of a step.

    Raises:
        SettingError: if the poles are no d numbers in conjugate pairs, or not stable.
        ModelError: if the sensor does not observe the state there, so that no gain gives these poles.

    Source: Luenberger, "An introduction to observers", IEEE Trans. Automatic Control 16, 1971; the poles by SciPy's
    `place_poles`: Tits and Yang, ibid. 41, 1996.

    Example:
        >>> from pilotage.models import constant_velocity, position
        >>> observer_gain(constant_velocity(1), position(1), [-2.0, -3.0], dt=0.1).round(3).tolist()
        [[0.393], [0.47]]
    """
    sensor, dt = sensor.on(dynamics.state), float(dt)
    F, H = linearised(dynamics, sensor, dt, x, u, context)
    return placed(F, H, discrete_poles(poles, dynamics, dt, discrete), sensor)


def linearised(dynamics: Dynamics, sensor: Sensor, dt: float, x: Any, u: Any, context: Any) -> tuple[Array, Array]:
    """F and H at a point; default: identity and zero."""
    space = dynamics.state
    x = space.identity() if x is None else space.check(x, "the point of linearisation")
    u = np.zeros(dynamics.action.size) if u is None else dynamics.action.check(u, "action")
    return np.asarray(dynamics.linearize(x, u, dt)[0]), np.asarray(sensor.linearize(x, context))


def discrete_poles(poles: Any, dynamics: Dynamics, dt: float, discrete: bool) -> Any:
    """Checked poles of a step, ``(d,)``."""
    given, d = np.atleast_1d(np.asarray(poles, dtype=complex)), dynamics.state.dim
    found = given if discrete else np.exp(given * dt)
    pairs = np.allclose(np.sort_complex(found), np.sort_complex(found.conj()))
    if given.shape != (d,) or not pairs or not (np.abs(found) < 1.0).all():
        where = "inside the unit circle" if discrete else "with negative real part"
        raise SettingError(f"poles are {poles}; expected {d} {where}, complex ones in conjugate pairs")
    return found


def observed(F: Array, H: Array) -> bool:
    """Whether readings after steps tell the whole state."""
    rows = [H @ np.linalg.matrix_power(F, k) for k in range(1, len(F) + 1)]
    return bool(np.linalg.matrix_rank(np.concatenate(rows)) == len(F)) if len(H) else False


def placed(F: Array, H: Array, poles: Any, sensor: Sensor) -> Array:
    """L with ``eig((I - L H) F)`` at the poles."""
    from scipy.signal import place_poles

    if not observed(F, H):
        raise ModelError(
            f"{sensor!r} does not observe the whole state there, so no gain gives these poles; `observability` tells "
            "what is missing"
        )
    try:
        found: Any = place_poles(F.T, (H @ F).T, poles)
    except ValueError as error:
        raise ModelError(f"the poles {poles} cannot be placed: {error}") from error
    return np.asarray(found.gain_matrix).T


@settings
class Luenberger(Startable):
    """Luenberger observer for any dynamics and a sensor that observes the whole state.

    ::

        predict   x = f(x, u, dt)            P = F P F' + Q
        update    x = x (+) L y,             y = z (-) h(x)
                  P = (I - L H) P (I - L H)' + L R L',    S = H P H' + R

    L is the `observer_gain` of the poles: fixed for linear models, else that of the linearisation at the prediction. It
    does not depend on the noise; the covariance P of what it estimates does, so that NIS, gates and `consistency` work
    as for a filter. Of a reading that is partly NaN, the gain is that of
    the measured components, or its columns of them where these do not observe the whole state.

    Args:
        dynamics: the model.
        poles: d poles [1/s], see `observer_gain`.
        dt: seconds of a step.
        discrete: whether the poles are those of a step.
        gate: as for `EKF`.

    Source: Luenberger 1971; the covariance of any gain, Bucy and Joseph 1968.

    Example:
        >>> from pilotage.models import constant_velocity, position
        >>> observer = Luenberger(constant_velocity(1), poles=(-2.0, -3.0), dt=0.1).start(std=1.0)
        >>> observer.predict()
        >>> observer.update(position(1), [1.0]).belief.mean.round(3).tolist()
        [0.393, 0.47]
    """

    dynamics: Dynamics
    poles: tuple[Any, ...] = ()
    dt: Positive | None = None
    discrete: bool = False
    gate: Annotated[float, Interval(0.0, 1.0)] | None = None

    def started(self, belief: Any, t: float, sensors: Mapping[str, Sensor] | None, rng: Rng) -> Filter:
        return Filter.of(self, self.dynamics, moments_on(belief, self.dynamics.state), t=t, dt=self.dt, sensors=sensors)

    def predict(
        self, belief: Any, dynamics: Dynamics, u: Any = None, dt: float | None = None, *, rng: Rng = None
    ) -> Gaussian:
        """The belief `dt` seconds later; leading axes are a batch."""
        return EKF().predict(belief, dynamics, u, wanted(dt, self.dt), rng=rng)

    def expect(self, belief: Any, sensor: Sensor, context: Any = None) -> Gaussian:
        """The expected reading: its mean and covariance S."""
        return EKF().expect(belief, sensor, context)

    def update(self, belief: Any, sensor: Sensor, z: Any, context: Any = None, *, rng: Rng = None) -> Update:
        """The result of reading `z` (NaN where not measured), with the new belief; leading axes are a batch."""
        checked(rng)
        belief = moments_on(belief, self.dynamics.state)
        space, sensor = belief.space, sensor.on(belief.space)
        z, c = reading_of(z, sensor), context_of(context, sensor)
        c = c if sensor.context is None or sensor.context.size else None
        seen, bad = measured(sensor.reading, z), np.isinf(z).any(-1)
        y = np.asarray(sensor.reading.minus(np.where(np.isinf(z), np.nan, z), sensor.observe(belief.mean, c)))
        H, R = np.asarray(sensor.linearize(belief.mean, c)), np.asarray(sensor.noise(belief.mean, c))
        if bad.ndim == 0 and bad:
            raise ShapeError(f"the reading {z} is infinite; give NaN where nothing was measured")
        seen = np.broadcast_to(seen & ~bad[..., None], y.shape)
        H, R = np.where(seen[..., None], H, 0.0), np.where(seen[..., :, None] & seen[..., None, :], R, 0.0)
        found = scored(y, H @ belief.cov @ H.swapaxes(-1, -2) + R, seen, self.gate)
        status = np.where(bad, FilterStatus.NOT_FINITE_READING, found.status)
        taken = (status == FilterStatus.ACCEPTED)[..., None]
        L = np.where(seen[..., None, :], self._gain(sensor, belief.mean, c, seen), 0.0)
        M = np.eye(space.dim) - L @ H
        cov = M @ belief.cov @ M.swapaxes(-1, -2) + L @ R @ L.swapaxes(-1, -2)
        dx = np.where(taken, (L @ found.e[..., None])[..., 0], 0.0)
        mean = np.where(taken, space.plus(belief.mean, dx), belief.mean)
        cov = np.where(taken[..., None], 0.5 * (cov + cov.swapaxes(-1, -2)), belief.cov)
        return found.update(Gaussian.trusted(space, mean, cov), np.where(seen, y, np.nan), status=status)

    def _gain(self, sensor: Sensor, x: Array, context: Any, seen: Any) -> Array:
        """L at each state, for the components that were measured; one for all where the models are linear."""
        batch, fixed = x.shape[:-1], self.dynamics.linear and sensor.linear and context is None
        if fixed and seen.all():
            return self._kept(sensor, x, None, (True,) * seen.shape[-1])
        every = None if context is None else np.broadcast_to(context, (*batch, np.shape(context)[-1]))
        each = [
            self._kept(sensor, x[i], None if every is None else every[i], tuple(seen[i].tolist()))
            for i in np.ndindex(batch)
        ]
        return np.reshape(each, (*batch, *each[0].shape))

    def _kept(self, sensor: Sensor, x: Array, context: Any, seen: tuple[bool, ...]) -> Array:
        """L at a state; that of linear models is computed once."""
        fixed = self.dynamics.linear and sensor.linear and context is None
        kept: dict[Any, Array] = vars(self).setdefault("_gains", {}) if fixed else {}
        if (sensor, seen) not in kept:
            F, H = linearised(self.dynamics, sensor, wanted(None, self.dt), None if fixed else x, None, context)
            poles = discrete_poles(self.poles, self.dynamics, wanted(None, self.dt), self.discrete)
            use = np.array(seen) if observed(F, H[list(seen)]) else np.ones(len(H), dtype=bool)
            L = np.zeros(H.T.shape)
            L[:, use] = placed(F, H[use], poles, sensor)
            kept[sensor, seen] = L
        return kept[sensor, seen]
