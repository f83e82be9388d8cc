"""A report on how far the uncertainty of a model can be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

from ..core import Dynamics, ShapeError
from ..core.arrays import Array, numbers
from ..core.gaussian import Gaussian
from ..core.settings import instance, positive
from .dynamics import LearnedDynamics
from .parametric import ParametricDynamics
from .prediction import Prediction
from .residual import ResidualDynamics
from .transitions import steps_of

LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


@dataclass(frozen=True, eq=False)
class Calibration:
    """How the errors of predictions compare with the uncertainty that came with them.

    Attributes:
        names: names of the components of the tangent ``(d,)``.
        levels: probabilities of central intervals ``(L,)``.
        coverage: share of the errors that are within these intervals ``(L, d)``; calibrated is ``coverage = levels``.
        rmse: root mean square of the errors ``(d,)``, in the units of the components.
        sharpness: root mean square of the predicted standard deviations ``(d,)``.
        doubt: the part of `sharpness` that is epistemic ``(d,)``.
        nll: mean negative log-likelihood of the next states.
        auroc: probability that the epistemic part is larger in a state outside the data than in one within; None if
            none outside were given.
        count: number of predictions.

    Example:
        >>> from pilotage.core import Space
        >>> from pilotage.learning import LearnedDynamics, calibrate
        >>> still = LearnedDynamics(Space("x [m]"), Space("v [m/s]"), noise=0.2)
        >>> xs = np.cumsum(0.02 * np.random.default_rng(0).normal(size=(500, 1)), axis=0)
        >>> print(calibrate(still, xs, np.zeros((499, 1)), 0.01))
        499 predictions, NLL -2.478
                      x
         50 %    48.7 %
         80 %    79.8 %
         95 %    95.2 %
         rmse    0.0203
          std      0.02
        doubt         0
    """

    names: tuple[str, ...]
    levels: Array
    coverage: Array
    rmse: Array
    sharpness: Array
    doubt: Array
    nll: float
    auroc: float | None
    count: int

    @property
    def error(self) -> float:
        """The calibration error: mean distance of coverage and level."""
        return float(np.abs(self.coverage - self.levels[:, None]).mean())

    def __str__(self) -> str:
        shown = [k for k, level in enumerate(self.levels) if round(level, 3) in (0.5, 0.8, 0.95)] or [0]
        rows = [("", list(self.names))]
        rows += [(_percent(self.levels[k], 0), [_percent(c, 1) for c in self.coverage[k]]) for k in shown]
        values = {"rmse": self.rmse, "std": self.sharpness, "doubt": self.doubt}
        rows += [(name, [f"{v:.3g}" for v in each]) for name, each in values.items()]
        widths = [max(10, len(name) + 2) for name in self.names]
        lines = [f"{name:>5}" + "".join(f"{c:>{w}}" for c, w in zip(row, widths, strict=True)) for name, row in rows]
        apart = "" if self.auroc is None else f", AUROC of the doubt outside {self.auroc:.3f}"
        return "\n".join([f"{self.count} predictions, NLL {self.nll:.3f}{apart}", *lines])


def _percent(share: float, digits: int) -> str:
    return f"{100.0 * share:.{digits}f} %"


def calibrate(
    model: Dynamics, states: Any, actions: Any, dt: float, *, far: tuple[Any, Any] | None = None, levels: Any = LEVELS
) -> Calibration:
    """The calibration of a model on transitions that it has not been trained on.

    ::

        coverage(p) = mean( |e_j| <= z_{(1+p)/2} sqrt(P_jj) ),     e = x' (-) mean,  P = epistemic + aleatoric
        NLL         = mean( 1/2 e' P^-1 e + 1/2 log det 2 pi P )
        doubt score = sum_j E_jj / mean E_jj,                      E = epistemic, mean over the transitions

    Any `Dynamics` can be asked: those without `predict` have their `noise` as aleatoric part, and no epistemic one.

    Args:
        model: the model.
        states: states ``(..., T+1, n)``, `dt` seconds apart, or a list of episodes of any lengths.
        actions: actions ``(..., T, m)``, or a list of those of each episode.
        dt: duration of a transition [s].
        far: states ``(..., n)`` and actions ``(..., m)`` outside the data, for the AUROC.
        levels: probabilities of the intervals, between 0 and 1.

    Raises:
        ShapeError: if states and actions do not match the model or each other.
        CovarianceError: if a predicted covariance is not positive definite.

    Source: Kuleshov, Fenner and Ermon, "Accurate uncertainties for deep learning using calibrated regression", ICML
    2018, section 3; Hanley and McNeil, "The meaning and use of the area under a ROC curve", Radiology 143, 1982.

    Example:
        >>> from pilotage.core import Space
        >>> from pilotage.models import discrete_dynamics
        >>> @discrete_dynamics(state=Space("x [m]"), action=Space(), noise=0.1)
        ... def walk(x, u, dt, p, m):
        ...     return (x[0],)
        >>> xs = np.cumsum(0.1 * np.random.default_rng(0).normal(size=(1001, 1)), axis=0)
        >>> round(calibrate(walk(), xs, np.zeros((1000, 0)), 1.0).error, 2)
        0.01
    """
    dt, levels = positive(dt, "dt"), _levels(levels)
    x, u, y = steps_of(instance(model, Dynamics, "calibrate"), states, actions)
    found, space = prediction_of(model, x, u, dt), model.state
    e = space.minus(y, found.mean)
    std = np.sqrt(np.diagonal(found.cov, axis1=-2, axis2=-1))
    inside = np.abs(e) <= ndtri(0.5 * (1.0 + levels))[:, None, None] * std
    own = np.diagonal(found.epistemic, axis1=-2, axis2=-1)
    return Calibration(
        names=space.tangent_names,
        levels=levels,
        coverage=inside.mean(1),
        rmse=np.sqrt((e**2).mean(0)),
        sharpness=np.sqrt((std**2).mean(0)),
        doubt=np.sqrt(own.mean(0)),
        nll=-float(Gaussian(space, found.mean, found.cov).log_prob(y).mean()),
        auroc=None if far is None else _auroc_of(model, own, far, dt),
        count=len(x),
    )


def prediction_of(model: Dynamics, x: Array, u: Array, dt: float) -> Prediction:
    """The prediction of any dynamics."""
    if isinstance(model, ResidualDynamics | LearnedDynamics | ParametricDynamics):
        return model.predict(x, u, dt)
    Q = np.asarray(model.noise(x, u, dt))
    return Prediction(model.state, model.step(x, u, dt), np.zeros_like(Q), Q)


def auroc(within: Any, outside: Any) -> float:
    """The probability that a score outside is larger than one within, equal ones counted half.

    It is the area under the receiver operating characteristic, by ranks (Mann and Whitney's U).

    Example:
        >>> auroc([1.0, 2.0, 3.0], [2.5, 4.0])
        0.8333333333333334
    """
    a, b = (numbers(each, "scores").ravel() for each in (within, outside))
    if not a.size or not b.size:
        raise ShapeError(f"there are {a.size} scores within and {b.size} outside; expected one at least of each")
    ranks = rankdata(np.concatenate([a, b]))[a.size :]
    return float((ranks.sum() - 0.5 * b.size * (b.size + 1)) / (a.size * b.size))


def _auroc_of(model: Dynamics, own: Array, far: tuple[Any, Any], dt: float) -> float:
    """The AUROC of the doubt in states and actions outside the data."""
    x, u = model.state.check(far[0], "states outside"), model.action.check(far[1], "actions outside")
    other = np.diagonal(prediction_of(model, x, u, dt).epistemic, axis1=-2, axis2=-1)
    scale = own.mean(0)
    scale = np.where(scale > 0.0, scale, 1.0)
    return auroc((own / scale).sum(-1), (other / scale).sum(-1))


def _levels(levels: Any) -> Array:
    found = numbers(levels, "levels")
    if found.ndim != 1 or not found.size or not ((found > 0.0) & (found < 1.0)).all():
        raise ShapeError(f"levels are {found.tolist()}; expected a list of probabilities between 0 and 1")
    return found
