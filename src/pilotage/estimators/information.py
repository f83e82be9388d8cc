"""The information filter: the Kalman filter in a form in which readings add up, and nothing need be known at first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..core import CovarianceError, Dynamics, FilterStatus, Gaussian, ModelError, Rng, Sensor, ShapeError, Update
from ..core.arrays import Array
from ..core.covariances import symmetric_root
from ..core.declared import covariance
from ..core.sensor import measured
from ..core.settings import Interval, Positive, settings
from ..core.streams import checked
from ._clock import wanted
from ._engine import PureEngine
from ._inputs import action, check_belief, context_of, reading_of
from ._linear import LinearModels
from ._scores import Scores, scored
from ._startable import Startable
from ._steps import ACCEPTED, NO_READING
from .filter import Filter
from .information_belief import Information

NOT_FINITE = int(FilterStatus.NOT_FINITE_READING)


@settings
class InformationKF(LinearModels, Startable):
    """Kalman filter in information form, for linear dynamics and sensors: it may start without any knowledge.

    ::

        Y = P^-1,  y = P^-1 x
        update    Y = Y + H' R^-1 H             y = y + H' R^-1 (z - h(0))
        predict   M = F^-T Y F^-1               J = M G (I + G' M G)^-1,   Q = G G'
                  Y = (I - J G') M (I - J G')' + J J'
                  y = (I - J G') F^-T y + Y f(0, u)

    Beliefs are `Information`. Where they have a covariance, they are those of the `KF`. Updates are sums, so that
    readings of one time may come in any order, and from other filters: `contribution` is what one reading adds.

    Of a reading that the belief could not foretell, innovation and NIS tell only the components that it could; the
    innovation of others is NaN, and their variance in S infinite.

    Source: Anderson and Moore, *Optimal Filtering*, 1979, section 6.3; Mutambara, *Decentralized Estimation and
    Control for Multisensor Systems*, 1998, chapter 2; the prediction keeps its form when Y or Q is singular.

    Args:
        dynamics, dt, gate: as for `EKF`. Nonlinear dynamics and sensors raise an error, and so do an F or an R that
            have no inverse.

    ``start()`` without mean and std begins without knowledge.

    Example:
        >>> from pilotage.models import constant_velocity, position
        >>> target = InformationKF(constant_velocity(1), dt=1.0).start()
        >>> print(target.belief)
        x unknown, vx unknown
        >>> print(target.update(position(1, std=0.5), z=[3.0]).belief)
        x 3.00 +- 0.50 m, vx unknown
        >>> print(target.step(position(1, std=0.5), z=[4.0]).belief.moments())
        x 4.00 +- 0.50 m, vx 1.00 +- 0.91 m/s
    """

    dynamics: Dynamics | None = None
    dt: Positive | None = None
    gate: Annotated[float, Interval(0.0, 1.0)] | None = None

    starts_anywhere: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.dynamics is not None:
            self.check_dynamics(self.dynamics)

    def predict(
        self, belief: Any, dynamics: Dynamics, u: Any = None, dt: float | None = None, *, rng: Rng = None
    ) -> Information:
        """The belief `dt` seconds later under action `u`; leading axes are a batch.

        Raises:
            ModelError: if F is singular: then a state does not tell the one before.
        """
        checked(rng)
        self.check_dynamics(dynamics)
        check_belief(belief, dynamics.state)
        belief, dt, u = Information.of(belief), wanted(dt, self.dt), action(u, dynamics.action)
        origin, d = dynamics.state.identity(), dynamics.state.dim
        F = np.asarray(dynamics.linearize(origin, u, dt)[0])
        if np.linalg.cond(F).max() > 1e12:
            raise ModelError(f"{dynamics!r} has a singular F for dt = {dt}; InformationKF needs its inverse; use KF")
        back = np.linalg.inv(F)
        G = symmetric_root(covariance(dynamics.noise(origin, u, dt), d, dynamics))
        M, Gt = np.swapaxes(back, -1, -2) @ belief.matrix @ back, np.swapaxes(G, -1, -2)
        J = np.swapaxes(np.linalg.solve(np.eye(d) + Gt @ M @ G, Gt @ M), -1, -2)
        keep = np.eye(d) - J @ Gt
        Y = keep @ M @ np.swapaxes(keep, -1, -2) + J @ np.swapaxes(J, -1, -2)
        Y = 0.5 * (Y + np.swapaxes(Y, -1, -2))
        y = keep @ np.swapaxes(back, -1, -2) @ belief.vector[..., None]
        y = y + Y @ np.asarray(dynamics.step(origin, u, dt))[..., None]
        return Information(belief.space, Y, y[..., 0])

    def contribution(self, space: Any, sensor: Sensor, z: Any, context: Any = None) -> Information:
        """The information of a reading alone, over the space of a state: what an update adds to a belief."""
        self.check_sensor(sensor)
        sensor = sensor.on(space)
        z = reading_of(z, sensor)
        H, R, e, _ = _linear_reading(sensor, z, context)
        weighted = np.linalg.solve(R, H)
        vector = np.swapaxes(weighted, -1, -2) @ e[..., None]
        return Information(space, np.swapaxes(H, -1, -2) @ weighted, vector[..., 0])

    def expect(self, belief: Any, sensor: Sensor, context: Any = None) -> Gaussian:
        """The expected reading: its mean and innovation covariance S.

        Raises:
            CovarianceError: if the belief does not determine it.
        """
        self.check_sensor(sensor)
        check_belief(belief)
        belief = Information.of(belief)
        sensor = sensor.on(belief.space)
        z = np.zeros(sensor.reading.size)
        H, R, e, _ = _linear_reading(sensor, z, context)
        if not belief.tells(H).all():
            raise CovarianceError(f"{belief} does not foretell a reading of {sensor!r}; update with it first")
        P = belief.parts[0]
        mean = H @ P @ belief.vector[..., None] - e[..., None]
        return Gaussian.trusted(sensor.reading, mean[..., 0], H @ P @ np.swapaxes(H, -1, -2) + R)

    def update(self, belief: Any, sensor: Sensor, z: Any, context: Any = None, *, rng: Rng = None) -> Update:
        """The result of reading `z` (NaN where not measured); leading axes are a batch.

        Raises:
            ShapeError: when a single reading holds infinity; in a batch it has a status.
            CovarianceError: when R is singular, which would be infinite information.
        """
        checked(rng)
        self.check_sensor(sensor)
        check_belief(belief)
        belief = Information.of(belief)
        sensor = sensor.on(belief.space)
        z = reading_of(z, sensor)
        added = belief + self.contribution(belief.space, sensor, np.where(np.isinf(z), np.nan, z), context)
        found, y, S, seen = _scores(belief, sensor, z, context, self.gate)
        status: Any = np.where(found.status == NO_READING, np.where(seen.any(-1), ACCEPTED, NO_READING), found.status)
        status = np.where(np.isinf(z).any(-1), NOT_FINITE, status)
        if status.ndim == 0 and status == NOT_FINITE:
            raise ShapeError(f"the reading of {sensor!r} holds infinity: {z}; give finite numbers, or NaN")
        taken = np.asarray(status == ACCEPTED)[..., None]
        Y = np.where(taken[..., None], added.matrix, belief.matrix)
        after = Information(belief.space, Y, np.where(taken, added.vector, belief.vector))
        return found.update(after, y, S, status)

    def started(self, belief: Any, t: float, sensors: Mapping[str, Sensor] | None, rng: Rng) -> Filter:
        """The filter that begins with a belief, or without."""
        assert self.dynamics is not None  # `start` has seen to it
        checked(rng)
        if belief is None:
            belief = Information.none(self.dynamics.state)
        check_belief(belief, self.dynamics.state)
        return Filter(PureEngine(self, self.dynamics, Information.of(belief)), t, self.dt, sensors)


def _linear_reading(sensor: Sensor, z: Array, context: Any) -> tuple[Array, Array, Array, NDArray[np.bool_]]:
    """H, R, z - h(0) and what was measured, without what was not: no slope, unit noise."""
    context = None if sensor.context is not None and sensor.context.size == 0 else context_of(context, sensor)
    origin, m = sensor.state.identity(), sensor.reading.dim
    seen = measured(sensor.reading, z)
    both = seen[..., :, None] & seen[..., None, :]
    R = np.where(both, covariance(sensor.noise(origin, context), m, sensor), np.eye(m))
    least = np.linalg.eigvalsh(R)[..., 0].min(initial=np.inf)
    if not least > 0.0:
        raise CovarianceError(
            f"the noise of {sensor!r} has the eigenvalue {float(least):.3g}; InformationKF needs positive ones: a "
            "reading without noise is infinite information; use KF"
        )
    H = np.where(seen[..., None], np.asarray(sensor.linearize(origin, context)), 0.0)
    return H, R, np.where(seen, z - np.asarray(sensor.observe(origin, context)), 0.0), seen


def _scores(
    belief: Information, sensor: Sensor, z: Array, context: Any, gate: float | None
) -> tuple[Scores, Array, Array, NDArray[np.bool_]]:
    """Scores of what the belief foretells of a reading; innovation, S, and what was measured, foretold or not."""
    H, R, e, seen = _linear_reading(sensor, z, context)
    P = belief.parts[0]
    known = seen & belief.tells(H)
    y = np.where(known, e - (H @ P @ belief.vector[..., None])[..., 0], np.nan)
    found = scored(y, H @ P @ np.swapaxes(H, -1, -2) + R, known & np.isfinite(y), gate)
    infinite = (seen & ~known)[..., None] & np.eye(y.shape[-1], dtype=bool)
    return found, y, np.where(infinite, np.inf, found.S), seen
