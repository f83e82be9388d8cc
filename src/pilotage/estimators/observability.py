"""Observability: which directions of the state the readings tell, along a trajectory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core import CovarianceError, Dynamics, Sensor, ShapeError, Space
from ..core.arrays import Array, numbers
from ..core.settings import instance, positive, whole
from ._inputs import action, context_of


@dataclass(frozen=True, eq=False)
class Observability:
    """The outcome of `observability`.

    Attributes:
        space: the space of the state.
        gramian: ``G = sum_k O_k' R^-1 O_k``, the information that the readings hold of the first state, ``(d, d)``.
        singular: singular values of the scaled readings ``R^-1/2 O scale``, largest first, ``(d,)``: how many standard
            deviations of a reading a shift by `scale` along each direction is worth.
        directions: unit vectors in scaled components, one row for each singular value, ``(d, d)``.
        scale: the size of each component, ``(d,)``.
        rank: number of directions that can be observed.
        unseen: a basis of the directions that cannot, in the units of the state, ``(d - rank, d)``; each has as many
            zeros as possible.

    Example:
        >>> from pilotage.models import constant_velocity, velocity
        >>> print(observability(constant_velocity(1), velocity(1), [0.0, 1.0], dt=0.1))
        1 of 2 directions is observed; x cannot be observed
    """

    space: Space
    gramian: Array
    singular: Array
    directions: Array
    scale: Array
    rank: int
    unseen: Array

    @property
    def observable(self) -> bool:
        """Whether every direction is observed."""
        return self.rank == self.space.dim

    @property
    def std(self) -> Array:
        """Standard deviation of each component from the readings alone, ``(d,)``; infinite where it is not seen."""
        seen = self.directions[: self.rank].T / self.singular[: self.rank]
        free = (np.abs(self.unseen) > 0.0).any(0)
        return np.where(free, np.inf, np.asarray(self.scale * np.linalg.norm(seen, axis=1)))

    def __str__(self) -> str:
        d = self.space.dim
        head = f"{self.rank} of {d} directions {'is' if self.rank == 1 else 'are'} observed"
        return "; ".join([head, *(in_words(row, self.space.tangent.names) for row in self.unseen)])

    __repr__ = __str__


def observability(
    dynamics: Dynamics,
    sensors: Sensor | Sequence[Sensor],
    x: Any,
    us: Any = None,
    *,
    dt: float,
    steps: int | None = None,
    contexts: Any = None,
    scale: Any = 1.0,
    tolerance: float | None = None,
    step: float | None = None,
) -> Observability:
    """The observability of the first state of a trajectory from the readings along it.

    ::

        O_k = H_k F_{k-1} ... F_0         how reading k depends on the first state
        G = sum_k O_k' R_k^-1 O_k         the Gramian; singular where a shift of the state changes no reading

    A motion can make visible what is hidden at rest, so give actions that move the robot. A direction counts as unseen
    if its singular value is below `tolerance` times the largest. The result says in words which one, and what moves
    together in it.

    Args:
        dynamics, sensors: any models; each sensor reads after every step, and once before the first.
        x: first state ``(n,)``.
        us: actions ``(T, m)``, or one for all steps; default: zero.
        dt: seconds of a step.
        steps: number of steps; default: that of the actions, or twice the dimension of the state.
        contexts: for one sensor its context, ``(c,)`` or ``(T+1, c)``; for several, a sequence of such.
        scale: size of each tangent component, ``(d,)`` or one number: what a reading is compared with, so that metres
            and radians can be; such as the standard deviations of the first belief.
        tolerance: relative singular value below which a direction is unseen; default: 1e-7, and 1e-3 with a `step`,
            whose differences are no more exact than that.
        step: None for exact derivatives. Otherwise the empirical Gramian: readings of trajectories that start `step`
            scales to both sides, for models with kinks, or to see how far linearisation carries.

    Raises:
        ShapeError: if the first state, actions or contexts do not fit the models.

    Source: Kailath, "Linear Systems" (1980), section 2.3; Krener and Ide, "Measures of unobservability", CDC 2009,
    for the Gramian along a trajectory; the empirical one Lall, Marsden and Glavaski, Int. J. Robust and Nonlinear
    Control 12, 2002.

    Example:
        >>> from pilotage.core import Space
        >>> from pilotage.models import LinearDynamics, LinearSensor
        >>> two = Space("a b [m]")
        >>> apart = LinearSensor([[1.0, -1.0]], R=0.01, state=two)
        >>> print(observability(LinearDynamics([[0, 0], [0, 0]], state=two), apart, [3.0, 1.0], dt=1.0))
        1 of 2 directions is observed; a and b can shift together unseen: only their difference is measured
    """
    instance(dynamics, Dynamics, "observability")
    tolerance = (1e-7 if step is None else 1e-3) if tolerance is None else positive(tolerance, "tolerance")
    given = [sensors] if isinstance(sensors, Sensor) else list(sensors)
    mounted = [instance(each, Sensor, "observability").on(dynamics.state) for each in given]
    space, dt = dynamics.state, positive(dt, "dt")
    start = space.check(x, "the first state")
    if start.ndim != 1:
        raise ShapeError(f"the first state has shape {start.shape}; expected ({space.size},)")
    u = np.atleast_2d(action(us, dynamics.action))
    count = whole(len(u) if len(u) > 1 else 2 * space.dim, "steps") if steps is None else whole(steps, "steps", 0)
    if len(u) not in (1, count):
        raise ShapeError(f"there are {len(u)} actions for {count} steps; give one for each, or one for all")
    u = np.broadcast_to(u, (count, u.shape[-1]))
    told = [contexts] if isinstance(sensors, Sensor) else [None] * len(mounted) if contexts is None else list(contexts)
    if len(told) != len(mounted):
        raise ShapeError(f"there are {len(told)} contexts for {len(mounted)} sensors; give one for each")
    contexts = [
        context_of(c, s) if s.context is not None and s.context.size else None
        for c, s in zip(told, mounted, strict=True)
    ]
    size = np.broadcast_to(numbers(scale, "scale"), space.dim)
    xs = np.asarray(dynamics.rollout(start, u, dt))
    if step is None:
        O = _derived(dynamics, mounted, xs, u, dt, contexts)
    else:
        O = _tried(dynamics, mounted, start, u, dt, contexts, positive(step, "step") * size)
    return _decided(
        space,
        np.concatenate([_whitened(s, xs, c, J) for s, c, J in zip(mounted, contexts, O, strict=True)]),
        size,
        tolerance,
    )


def _derived(
    dynamics: Dynamics, sensors: list[Sensor], xs: Array, us: Array, dt: float, contexts: list[Any]
) -> list[Array]:
    """For each sensor, the derivatives of its readings by the first state, ``(T+1, m, d)``."""
    Phi = [np.eye(dynamics.state.dim)]
    for F in np.asarray(dynamics.linearize(xs[:-1], us, dt)[0]) if len(us) else []:
        Phi.append(F @ Phi[-1])
    return [np.asarray(s.linearize(xs, c)) @ np.stack(Phi) for s, c in zip(sensors, contexts, strict=True)]


def _tried(
    dynamics: Dynamics, sensors: list[Sensor], x: Array, us: Array, dt: float, contexts: list[Any], size: Array
) -> list[Array]:
    """`_derived` by readings of trajectories that start to both sides."""
    space, shifts = dynamics.state, np.diag(size)
    up, down = (np.asarray(dynamics.rollout(space.plus(x, s * shifts), us, dt)) for s in (1.0, -1.0))
    found = [
        np.asarray(s.reading.minus(s.observe(up, c), s.observe(down, c)))
        for s, c in zip(sensors, contexts, strict=True)
    ]
    return [np.moveaxis(d, 0, -1) / (2.0 * size) for d in found]


def _whitened(sensor: Sensor, xs: Array, context: Any, O: Array) -> Array:
    """``R^-1/2 O``, the rows of all readings."""
    R = np.broadcast_to(sensor.noise(xs, context), (len(xs), sensor.reading.dim, sensor.reading.dim))
    if not np.linalg.eigvalsh(R).min(initial=np.inf) > 0.0:
        raise CovarianceError(f"the noise of {sensor!r} is singular; observability weighs readings by it: give it some")
    return np.asarray(np.linalg.solve(np.linalg.cholesky(R), O), dtype=np.float64).reshape(-1, O.shape[-1])


def _decided(space: Space, O: Array, scale: Array, tolerance: float) -> Observability:
    """Rank and directions of scaled readings, by their singular values."""
    _, s, V = np.linalg.svd(np.concatenate([O * scale, np.zeros((space.dim, space.dim))]), full_matrices=False)
    rank = int((s > tolerance * max(float(s[0]), 1e-300)).sum())
    return Observability(space, O.T @ O, s, V, np.array(scale), rank, reduced(V[rank:]) * scale)


def reduced(N: Array) -> Array:
    """A basis of the row space of N with as many zeros as possible: the reduced row echelon form.

    Example:
        >>> reduced(np.array([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]])).tolist()
        [[1.0, 0.0, -1.0], [0.0, 1.0, 1.0]]
    """
    A, row = np.array(N, dtype=np.float64), 0
    for column in range(A.shape[1]):
        if row == len(A):
            break
        best = row + int(np.abs(A[row:, column]).argmax())
        if abs(A[best, column]) < 1e-6:
            continue
        A[[row, best]] = A[[best, row]]
        A[row] /= A[row, column]
        for other in range(len(A)):
            A[other] -= A[other, column] * A[row] if other != row else 0.0
        row += 1
    A[np.abs(A) < 1e-6] = 0.0
    return A


def in_words(direction: Array, names: Sequence[str]) -> str:
    """An unseen direction in words.

    Example:
        >>> in_words(np.array([1.0, 0.0, 2.0]), ["x", "y", "yaw"])
        'x and yaw can change together unseen, by 1 : 2'
    """
    at = np.flatnonzero(direction)
    if not len(at):
        return "no direction"
    listed = [names[int(i)] for i in at]
    if len(at) == 1:
        return f"{listed[0]} cannot be observed"
    together = f"{', '.join(listed[:-1])} and {listed[-1]}"
    values = direction[at] / direction[at[0]]
    if np.allclose(values, 1.0, atol=1e-6):
        told = "their difference is" if len(at) == 2 else "differences are"
        return f"{together} can shift together unseen: only {told} measured"
    return f"{together} can change together unseen, by {' : '.join(f'{v:.3g}' for v in values)}"
