"""From filterpy: a filter with the model, the noise and the estimate of one of its objects."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...core import Gaussian, Mixture, ModelError, Sensor, Space
from ...estimators import (
    CKF,
    EKF,
    IMM,
    KF,
    UKF,
    FadingEKF,
    Filter,
    Information,
    InformationKF,
    JulierPoints,
    MerwePoints,
    MultipleModel,
    SimplexPoints,
    SquareRootKF,
)
from ...models import LinearDynamics, LinearSensor
from ._models import SENSOR, Observation, Prediction, Transition, columns, filterpy_kalman, numbered, square


def from_filterpy(
    theirs: Any,
    *,
    dt: float | None = None,
    state: Space | None = None,
    reading: Space | None = None,
    observe: Callable[..., Any] | None = None,
    jacobian: Callable[..., Any] | None = None,
) -> Filter:
    """A `Filter` with the model, the noise and the current estimate of a filterpy object.

    Its sensor has the name "z": ``update("z", reading)``. The object stays as it is, and later changes to it, such as
    another `Q`, do not reach the filter.

    | filterpy | Pilotage |
    |---|---|
    | `KalmanFilter` | `KF`; `FadingEKF` if `alpha` is not 1 |
    | `InformationFilter` | `InformationKF`; `P_inv` may be singular |
    | `FadingKalmanFilter` | `FadingEKF` |
    | `SquareRootKalmanFilter` | `SquareRootKF` |
    | `ExtendedKalmanFilter` | `EKF`, also for classes with `predict_x` or `predict` of their own |
    | `UnscentedKalmanFilter` | `UKF` with the same sigma points |
    | `CubatureKalmanFilter` | `CKF`, which draws its points again before an update; theirs does not |
    | `EnsembleKalmanFilter` | `EnsembleKF` |
    | `IMMEstimator` | `IMM` |
    | `MMAEFilterBank` | `MultipleModel` |

    Args:
        theirs: the object.
        dt: time step [s]; default: that of the object if it has one, else 1.
        state: names, units and angles of the state; default: numbers x1, x2, ... A filter with hooks of its own
            (`residual_x`, `x_mean_fn`, `state_add`) needs it, since a space takes their place.
        reading: names, units and angles of the reading; instead of `residual_z` and `z_mean_fn`.
        observe, jacobian: `Hx` and `HJacobian`, which an `ExtendedKalmanFilter` takes in each update.

    Raises:
        MissingExtra: if filterpy is not installed.
        ModelError: if the object is not one of the above, or has what the filter could not honour.

    Example:
        >>> from filterpy.kalman import KalmanFilter
        >>> theirs = KalmanFilter(dim_x=2, dim_z=1)
        >>> theirs.F, theirs.H = np.array([[1.0, 1.0], [0.0, 1.0]]), np.array([[1.0, 0.0]])
        >>> ours = from_filterpy(theirs)
        >>> for kf in (theirs, ours):
        ...     kf.predict()
        >>> theirs.update(2.0)
        >>> bool(ours.update("z", 2.0).accepted and np.allclose(ours.belief.mean, theirs.x.ravel()))
        True
    """
    kalman = filterpy_kalman()
    given = _Given(theirs, state, reading, dt, observe, jacobian)
    for name, convert in _CONVERSIONS.items():
        if isinstance(theirs, getattr(kalman, name)):
            return convert(given)
    raise ModelError(f"theirs is a {type(theirs).__name__}; expected one of filterpy's {', '.join(_CONVERSIONS)}")


class _Given:
    """What the conversions need to know."""

    def __init__(
        self,
        theirs: Any,
        state: Space | None = None,
        reading: Space | None = None,
        dt: float | None = None,
        observe: Callable[..., Any] | None = None,
        jacobian: Callable[..., Any] | None = None,
    ) -> None:
        self.theirs, self.observe, self.jacobian = theirs, observe, jacobian
        self.named_state, self.named_reading = state, reading
        own = getattr(theirs, "_dt", getattr(theirs, "dt", 1.0))
        self.dt = float(own if dt is None else dt)
        self.shape, self.size = np.shape(getattr(theirs, "x", 0.0)), int(np.size(getattr(theirs, "x", 0.0)))
        self.state = numbered("x", self.size) if state is None else state
        if self.state.size != self.size or self.state.dim != self.size:
            raise ModelError(f"state is {state}; expected {self.size} reals or angles, as many as x of the filter")

    def reading(self, R: Any) -> Space:
        """The space of readings with this noise."""
        return numbered("z", len(np.atleast_1d(R))) if self.named_reading is None else self.named_reading

    def observation(self) -> Observation:
        """Its `hx` or `Hx`, and R."""
        reading = self.reading(self.theirs.R)
        R = square(self.theirs.R, reading.dim)
        hx = self.theirs.hx if self.observe is None else self.observe
        return Observation(hx, R, self.state, reading, self.shape, self.jacobian)

    def transition(self) -> Transition:
        """Its `fx` and Q."""
        return Transition(self.theirs.fx, square(self.theirs.Q, self.size), self.state)

    def linear(self) -> LinearDynamics:
        """Its F, B and Q."""
        theirs = self.theirs
        B = columns(theirs.B, self.size)
        return LinearDynamics.discrete(theirs.F, B, Q=square(theirs.Q, self.size), state=self.state)

    def matrix(self, R: Any = None) -> LinearSensor:
        """Its H and R."""
        H = np.atleast_2d(np.asarray(self.theirs.H, dtype=np.float64))
        return LinearSensor(
            H, square(self.theirs.R if R is None else R, len(H)), state=self.state, reading=self.reading(H)
        )

    def started(self, estimator: Any, sensor: Sensor, cov: Any = None) -> Filter:
        """The filter with its estimate."""
        mean = np.ravel(self.theirs.x).astype(np.float64)
        cov = self.theirs.P if cov is None else cov
        return estimator.start(mean, cov=square(cov, self.size), sensors={SENSOR: sensor})


def _from_linear(given: _Given) -> Filter:
    theirs = given.theirs
    if np.any(theirs.M):
        raise ModelError("M is not 0: noise of process and readings that is correlated; it has no counterpart here")
    alpha = math.sqrt(theirs._alpha_sq)
    dynamics = given.linear()
    estimator = KF(dynamics, dt=given.dt) if alpha == 1.0 else FadingEKF(dynamics, dt=given.dt, alpha=alpha)
    return given.started(estimator, given.matrix())


def _from_fading(given: _Given) -> Filter:
    alpha = math.sqrt(given.theirs.alpha_sq)
    return given.started(FadingEKF(given.linear(), dt=given.dt, alpha=alpha), given.matrix())


def _from_root(given: _Given) -> Filter:
    return given.started(SquareRootKF(given.linear(), dt=given.dt), given.matrix())


def _from_information(given: _Given) -> Filter:
    theirs = given.theirs
    Y = square(theirs.P_inv, given.size)
    try:
        R = np.linalg.inv(square(theirs.R_inv, int(theirs.dim_z)))
    except np.linalg.LinAlgError:
        raise ModelError("R_inv is singular: a component is not measured; leave it out of H") from None
    belief = Information(given.state, Y, Y @ np.ravel(theirs.x))
    return InformationKF(given.linear(), dt=given.dt).start(belief=belief, sensors={SENSOR: given.matrix(R)})


def _from_extended(given: _Given) -> Filter:
    theirs, own = given.theirs, filterpy_kalman().ExtendedKalmanFilter
    if given.observe is None:
        raise ModelError(
            "an ExtendedKalmanFilter takes Hx in each update; give it here: from_filterpy(ekf, observe=Hx)"
        )
    plain = type(theirs).predict_x is own.predict_x and type(theirs).predict is own.predict
    action = numbered("u", int(theirs.dim_u))
    dynamics = given.linear() if plain else Prediction(theirs, given.state, action)
    return given.started(EKF(dynamics, dt=given.dt), given.observation())


def _from_unscented(given: _Given) -> Filter:
    theirs = given.theirs
    _no_hooks(theirs, given.named_state, "state", "yaw: angle", residual_x=np.subtract, state_add=np.add, x_mean=None)
    _no_hooks(theirs, given.named_reading, "reading", "bearing: angle", residual_z=np.subtract, z_mean=None)
    points, name = theirs.points_fn, type(theirs.points_fn).__name__
    made: Any = {
        "MerweScaledSigmaPoints": lambda: MerwePoints(points.alpha, points.beta, points.kappa),
        "JulierSigmaPoints": lambda: JulierPoints(points.kappa),
        "SimplexSigmaPoints": lambda: SimplexPoints(0.0),
    }
    if name not in made:
        raise ModelError(f"the sigma points are {name}; expected one of {', '.join(made)}")
    return given.started(UKF(given.transition(), dt=given.dt, points=made[name]()), given.observation())


def _no_hooks(theirs: Any, space: Space | None, what: str, example: str, **usual: Any) -> None:
    """Refuse hooks in whose place no space was given."""
    own = [hook for hook, value in usual.items() if getattr(theirs, hook, value) is not value]
    if own and space is None:
        raise ModelError(
            f"the filter has {', '.join(own)} of its own; name the {what} and its angles instead, as in "
            f'{what}=Space("x y", "{example}")'
        )


def _from_cubature(given: _Given) -> Filter:
    return given.started(CKF(given.transition(), dt=given.dt), given.observation())


def _from_ensemble(given: _Given) -> Filter:
    from ...estimators import EnsembleKF

    return given.started(EnsembleKF(given.transition(), dt=given.dt, n=int(given.theirs.N)), given.observation())


def _from_several(given: _Given, make: Callable[[tuple[LinearDynamics, ...]], Any], weights: Any) -> Filter:
    theirs, kind = given.theirs, filterpy_kalman().KalmanFilter
    first = theirs.filters[0]
    for each in theirs.filters:
        if type(each) is not kind or not (np.array_equal(each.H, first.H) and np.array_equal(each.R, first.R)):
            raise ModelError("the filters are not all KalmanFilters of the same H and R; modes have one sensor for all")
    parts = [_Given(each, given.state, given.named_reading, given.dt) for each in theirs.filters]
    beliefs = [Gaussian(given.state, np.ravel(each.x), each.P) for each in theirs.filters]
    with np.errstate(divide="ignore"):
        belief = Mixture(beliefs, np.log(np.asarray(weights, dtype=np.float64)))
    several = make(tuple(part.linear() for part in parts))
    return several.start(belief=belief, sensors={SENSOR: parts[0].matrix()})


def _from_imm(given: _Given) -> Filter:
    T = np.asarray(given.theirs.M, dtype=np.float64)
    return _from_several(given, lambda models: IMM(models, T, dt=given.dt, filter=KF()), given.theirs.mu)


def _from_bank(given: _Given) -> Filter:
    return _from_several(given, lambda models: MultipleModel(models, dt=given.dt, filter=KF()), given.theirs.p)


_CONVERSIONS: dict[str, Callable[[_Given], Filter]] = {
    "KalmanFilter": _from_linear,
    "FadingKalmanFilter": _from_fading,
    "SquareRootKalmanFilter": _from_root,
    "InformationFilter": _from_information,
    "ExtendedKalmanFilter": _from_extended,
    "UnscentedKalmanFilter": _from_unscented,
    "CubatureKalmanFilter": _from_cubature,
    "EnsembleKalmanFilter": _from_ensemble,
    "IMMEstimator": _from_imm,
    "MMAEFilterBank": _from_bank,
}
