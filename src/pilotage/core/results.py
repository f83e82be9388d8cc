"""Results of algorithms. Each has a status, and a failure has a reason."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from .arrays import Array
from .status import FilterStatus

EMPTY = np.zeros(0)
ACCEPTED, GATED = int(FilterStatus.ACCEPTED), int(FilterStatus.GATED)


class Update:
    """The result of an update with one measurement, for one belief or for each belief of a batch.

    Args:
        belief: the belief after the measurement (unchanged if the measurement was not accepted).
        innovation: ``z (-) h(x)`` in the tangent space of the reading, shape ``(..., dim)``; NaN where not measured.
        S: innovation covariance ``H P H' + R``, shape ``(..., dim, dim)``; the identity where not measured.
        nis: normalised innovation squared ``y' S^-1 y`` over the measured components.
        log_likelihood: ``log p(z | past)`` over the measured components; 0 if nothing was measured.
        accepted: whether the measurement was used; False if a gate rejected it, or nothing was measured.
        status: a `FilterStatus`, or an array ``(...)`` of them, instead of `accepted`.

    Updates are equal if their numbers are equal.

    Example:
        >>> from pilotage.estimators import KF
        >>> from pilotage.models import constant_velocity, position
        >>> update = KF(constant_velocity(1), dt=0.1).start(std=1.0).update(position(1, std=1.0), [2.0])
        >>> print(update.belief)
        x 1.00 +- 0.71 m, vx 0.0 +- 1.0 m/s
        >>> round(float(update.nis), 6), update.accepted
        (2.0, True)
    """

    __slots__ = ("_fields", "_status")
    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __init__(
        self,
        belief: Any,
        innovation: Array,
        S: Array,
        nis: Any,
        log_likelihood: Any,
        accepted: Any = True,
        *,
        status: Any = None,
    ) -> None:
        self._fields = (belief, innovation, S, nis, log_likelihood)
        self._status = np.where(accepted, ACCEPTED, GATED)[()] if status is None else status

    def _held(self) -> tuple[Any, ...]:
        return self._fields

    @property
    def belief(self) -> Any:
        return self._held()[0]

    @property
    def innovation(self) -> Array:
        return self._held()[1]

    @property
    def S(self) -> Array:
        return self._held()[2]

    @property
    def nis(self) -> Any:
        return self._held()[3]

    @property
    def log_likelihood(self) -> Any:
        return self._held()[4]

    @property
    def status(self) -> Any:
        """The outcome: a `FilterStatus`, or an array of their values for a batch."""
        return self._status if np.ndim(self._status) else FilterStatus(self._status)

    @property
    def accepted(self) -> Any:
        """Whether the measurement was used: one bool, or an array of them."""
        return self._status == ACCEPTED

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Update):
            return NotImplemented
        mine, theirs = self._held(), other._held()
        numbers = zip((*mine[1:], self._status), (*theirs[1:], other._status), strict=True)
        return same_belief(mine[0], theirs[0]) and all(np.array_equal(a, b, equal_nan=True) for a, b in numbers)

    def __reduce__(self) -> Any:
        return _update, (*self._held(), self._status)

    def __repr__(self) -> str:
        status = f"status={self.status.name}" if np.ndim(self._status) == 0 else f"accepted={self.accepted}"
        return f"Update(nis={self.nis}, log_likelihood={self.log_likelihood}, {status})"


class DeferredUpdate(Update):
    """An update whose fields are built once somebody asks for one.

    Args:
        make: ``packed`` to the first five fields, in the order of `Update`.
        packed: what the fields are made of; not to be changed afterwards.
        status: a `FilterStatus`, or its value.
    """

    __slots__ = ("_make", "_packed")

    def __init__(self, make: Callable[[Any], tuple[Any, ...]], packed: Any, status: Any) -> None:
        self._make = make
        self._packed = packed
        self._status = status

    def _held(self) -> tuple[Any, ...]:
        try:
            return self._fields
        except AttributeError:  # a slot that was never set
            self._fields = self._make(self._packed)
            return self._fields


def _update(belief: Any, innovation: Any, S: Any, nis: Any, log_likelihood: Any, status: Any) -> Update:
    """An update that was copied or sent."""
    return Update(belief, innovation, S, nis, log_likelihood, status=status)


def same_belief(a: Any, b: Any) -> bool:
    """Whether two beliefs are of one kind, on one space, and hold the same numbers."""
    if a is b or a == b:
        return True
    if type(a) is not type(b) or a.space != b.space:
        return False
    return _same(a.__getstate__(), b.__getstate__())


def _same(a: Any, b: Any) -> bool:
    """Whether two fields of beliefs are equal."""
    if hasattr(a, "moments"):
        return same_belief(a, b)
    if isinstance(a, np.ndarray):
        return bool(np.array_equal(cast(Any, a), b, equal_nan=True))
    if isinstance(a, Mapping):
        mine, theirs = cast("Mapping[str, Any]", a), cast("Mapping[str, Any]", b)
        return mine.keys() == theirs.keys() and all(_same(mine[k], theirs[k]) for k in mine)
    if isinstance(a, tuple):
        mine, theirs = cast("tuple[Any, ...]", a), cast("tuple[Any, ...]", b)
        pairs = zip(mine, theirs, strict=True) if len(mine) == len(theirs) else [(None, False)]
        return all(_same(x, y) for x, y in pairs)
    return bool(a == b)


class ActionStatus(enum.Enum):
    """The outcome of a controller's computation."""

    SOLVED = "solved"
    IMPROVED = "improved"
    FALLBACK = "fallback"
    STUCK = "stuck"
    DONE = "done"


@dataclass(frozen=True, eq=False)
class Action:
    """The action that a controller chose.

    Attributes:
        u: the action, shape ``(m,)``, within the bounds of the action space.
        status: SOLVED, IMPROVED (the plan has not converged; `reason` tells by how much), FALLBACK (`u` comes from the
            policy named in `reason`), STUCK (the controller continues, but the robot makes no progress; `reason` says
            where and why) or DONE (nothing left to do).
        plan: the actions ``(T, m)`` that the controller plans to take next, or None.
        cost: cost of that plan, as the controller computes it; NaN if there is none.
        solve_time: computing time [s].
        reason: one sentence, empty if solved.

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
    """The result of filtering whole sequences; the time axis T follows the batch axes.

    Each step is a prediction over `dts` with actions `us`, followed by an update if there is a reading. A run contains
    everything that a smoother needs.

    If an estimator tracks several targets, they form a batch. If the number of targets changes, or the space of a map
    grows, beliefs are a tuple of length T. So are innovations, nis, log_likelihood, status and accepted if their shapes
    change.

    Attributes:
        beliefs: beliefs after each step, with leading axes ``(..., T)``; ``beliefs[..., k]`` is the one after step k.
        predicted: beliefs before each update, ``(..., T)``.
        innovations: ``(..., T, dim)``, with dim of the largest reading; NaN where not measured.
        nis: ``(..., T)``.
        log_likelihood: ``(..., T)``; its sum over time is the log-likelihood of the sequence.
        status: outcome of each step, values of `FilterStatus`, ``(..., T)``; NO_READING for a step without a reading,
            or with one that is NaN throughout.
        ts: times ``(T,)`` of the steps.
        dts: duration of each prediction [s], ``(T,)``; 0 for a second reading at the same time.
        us: actions ``(..., T, m)``.
        dynamics: the dynamics of the predictions; a tuple if there are several modes.
        sensors: the sensors of the readings.
        which: index of the sensor in each step, ``(T,)``; the number of sensors for a step without a reading.
        estimator: the estimator of the run, which says how the run is smoothed; None if it is not known.
        contexts: for each sensor, the contexts of its readings: ``(..., K, c)``, or a list; empty if unknown.
        effective_size: effective number of particles after each step, ``(..., T)``; None without particles.

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
    predicted: Any
    innovations: Array
    nis: Array
    log_likelihood: Array
    status: NDArray[np.int64]
    ts: Array
    dts: Array
    us: Array
    dynamics: Any
    sensors: tuple[Any, ...]
    which: NDArray[np.int64]
    estimator: Any = None
    contexts: tuple[Any, ...] = ()
    effective_size: Any = None

    @property
    def accepted(self) -> NDArray[np.bool_]:
        """Whether each reading was used, ``(..., T)``; a tuple of length T if the status is one."""
        changes = isinstance(cast(Any, self.status), tuple)
        return cast(Any, tuple(s == ACCEPTED for s in self.status)) if changes else self.status == ACCEPTED

    def __repr__(self) -> str:
        status, logs = (np.concatenate([EMPTY, *map(np.ravel, each)]) for each in (self.status, self.log_likelihood))
        taken, of, total = np.sum(status == ACCEPTED), np.sum(status != FilterStatus.NO_READING), np.nansum(logs)
        return f"FilterRun({taken} of {of} readings accepted, log-likelihood {total:.4g})"
