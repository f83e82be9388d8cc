"""What algorithms return. A status is never hidden, and a failure says why."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .belief import Belief

Array = NDArray[np.float64]


class Update:
    """What one measurement did to a belief.

    Attributes:
        belief: the belief after the measurement (the one before it when `accepted` is False).
        innovation: ``z (-) h(x)`` in the tangent of the reading, shape ``(..., dim)``; NaN where not measured.
        S: innovation covariance ``H P H' + R``, shape ``(..., dim, dim)``; the identity where not measured.
        nis: normalised innovation squared ``y' S^-1 y`` over the measured components.
        log_likelihood: ``log p(z | past)`` over the measured components; 0 when nothing was measured.
        accepted: False when a gate refused the measurement.

    Example:
        >>> from pilotage.estimators import KF
        >>> from pilotage.models import constant_velocity, position
        >>> update = KF(constant_velocity(1), dt=0.1).start(std=1.0).update(position(1, std=1.0), [2.0])
        >>> print(update.belief)
        x 1.00 +- 0.71 m, vx 0.0 +- 1.0 m/s
        >>> round(float(update.nis), 6), update.accepted
        (2.0, True)
    """

    __slots__ = ("_fields", "_make", "_packed", "accepted")

    _fields: tuple[Any, ...]
    _make: Callable[[Any], tuple[Any, ...]]
    _packed: Any

    def __init__(
        self, belief: Belief, innovation: Array, S: Array, nis: Any, log_likelihood: Any, accepted: Any = True
    ) -> None:
        self._fields = (belief, innovation, S, nis, log_likelihood)
        self.accepted = accepted

    def _get(self, index: int) -> Any:
        try:
            return self._fields[index]
        except AttributeError:  # a slot that was never set
            self._fields = self._make(self._packed)
            return self._fields[index]

    @property
    def belief(self) -> Any:
        return self._get(0)

    @property
    def innovation(self) -> Array:
        return self._get(1)

    @property
    def S(self) -> Array:
        return self._get(2)

    @property
    def nis(self) -> Any:
        return self._get(3)

    @property
    def log_likelihood(self) -> Any:
        return self._get(4)

    def __repr__(self) -> str:
        return f"Update(nis={self.nis}, log_likelihood={self.log_likelihood}, accepted={self.accepted})"


class DeferredUpdate(Update):
    """An update whose fields, all but `accepted`, are built from `packed` once somebody asks for one.

    Args:
        make: ``packed`` to the first five fields, in the order of `Update`.
        packed: what the fields are made of; not to be changed afterwards.
        accepted: False when a gate refused the measurement.
    """

    __slots__ = ()

    def __init__(self, make: Callable[[Any], tuple[Any, ...]], packed: Any, accepted: Any) -> None:
        self._make = make
        self._packed = packed
        self.accepted = accepted


class ActionStatus(enum.Enum):
    """How the action came about."""

    SOLVED = "solved"
    IMPROVED = "improved"
    FALLBACK = "fallback"
    DONE = "done"


@dataclass(frozen=True, eq=False)
class Action:
    """What a controller wants done now.

    Attributes:
        u: the action, shape ``(m,)``, inside the bounds of the action space.
        status: SOLVED, IMPROVED (of a plan that has not converged; `reason` says by how much), FALLBACK (the named
            policy in `reason` chose `u`) or DONE (nothing left to do).
        plan: what the controller expects to do next, actions ``(T, m)``, or None.
        cost: cost of that plan as the controller sees it; NaN when it has none.
        solve_time: seconds spent.
        reason: one sentence, empty when solved.

    Example:
        >>> print(Action(np.array([0.5, -0.1])))
        solved: u = [0.5, -0.1]
    """

    u: Array
    status: ActionStatus = ActionStatus.SOLVED
    plan: Array | None = None
    cost: float = float("nan")
    solve_time: float = 0.0
    reason: str = ""

    def __str__(self) -> str:
        u = ", ".join(f"{v:.4g}" for v in np.ravel(self.u))
        return f"{self.status.value}: u = [{u}]" + (f" ({self.reason})" if self.reason else "")


@dataclass(frozen=True, eq=False)
class FilterRun:
    """Whole sequences filtered in one go; time T comes first after the axes of a batch, if there are any.

    Attributes:
        beliefs: Gaussian (or other belief) with leading axes ``(..., T)``, after each prediction and update.
        innovations: ``(..., T, dim)``; NaN where not measured.
        nis: ``(..., T)``.
        log_likelihood: ``(..., T)``; its sum over time is the log-likelihood of the sequence.
        accepted: ``(..., T)`` of bool.

    Example:
        >>> from pilotage.estimators import KF
        >>> from pilotage.models import constant_velocity, position
        >>> run = KF(constant_velocity(1), dt=0.1).start(std=1.0).run(None, np.ones((5, 1)), sensor=position(1))
        >>> run.beliefs.mean.shape, run.nis.shape
        ((5, 2), (5,))
        >>> run
        FilterRun(5 of 5 readings accepted, log-likelihood 1.956)
    """

    beliefs: Any
    innovations: Array
    nis: Array
    log_likelihood: Array
    accepted: NDArray[np.bool_]

    def __repr__(self) -> str:
        taken, of = int(np.sum(self.accepted)), int(np.size(self.accepted))
        total = float(np.sum(self.log_likelihood))
        return f"FilterRun({taken} of {of} readings accepted, log-likelihood {total:.4g})"
