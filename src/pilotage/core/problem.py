"""The planning problem: a path from a start to a goal that satisfies a constraint."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from .arrays import frozen, numbers
from .compiled import Compiled
from .declared import called
from .errors import ModelError, PilotageError, ShapeError, counted
from .moving import MovingObstacle, bows
from .settings import instances, positive, settings
from .space import Space
from .states import state_of
from .streams import Rng, checked, generator
from .task import Task

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
EVEN = 1e-9
"""Share of a resolution by which rounding may lengthen an edge that is a whole number of them long."""
ROUNDING = 1e-6
"""How far a start or goal may leave bounds by rounding, or by the noise of an encoder: in units of a component, or of
its bound if that is larger."""
BLOCK = 1 << 16
"""Points on edges that are checked in one call."""


@runtime_checkable
class EdgeConstraint(Protocol):
    """A constraint that can check a whole edge, without gaps between samples.

    Example:
        >>> from pilotage.maps import Footprint, FootprintConstraint, OccupancyGrid
        >>> hall = OccupancyGrid.from_ascii("....")
        >>> isinstance(FootprintConstraint(hall.obstacles(), Footprint.disc(0.1), Space("x y [m]")), EdgeConstraint)
        True
    """

    def __call__(self, x: Any) -> Any:
        """Values ``(..., k)`` at states ``(..., n)``; a positive value is forbidden."""
        ...

    def edges_allowed(self, a: Any, b: Any) -> Mask:
        """Whether all of `Space.interpolate` from states ``(..., n)`` to states ``(..., n)`` is allowed, ``(...)``."""
        ...

    def describe(self, x: Any) -> str:
        """The reason why a state ``(n,)`` is forbidden, as the end of a sentence; empty if it is allowed."""
        ...


@settings(eq=False)
class Problem:
    """The input of a planner: a start, a goal, and the states that are allowed in between.

    ::

        find x: [0, 1] -> space  with  x(0) = start, x(1) in goal,  constraint(x(s)) <= 0 and is_free(x(s)) for all s

    A map can create a problem: ``grid.problem(start, goal, footprint)``. The constraint can be that of a task.

    Attributes:
        space: the space of the path; all states of the path must lie within its bounds.
        start: a state ``(n,)``, or a belief, of which the mean is used; angles are wrapped, and what leaves the bounds
            by rounding is put on them, in the goal as well.
        goal: a state, a belief, states ``(K, n)`` of which any one is acceptable, or a region: a `Space` with bounds,
            in which any state is acceptable.
        constraint: a task, of which the `constraint` is used, or a function from states ``(..., n)`` to values
            ``(..., k)`` or ``(...)``; positive values and NaN are forbidden. A task finds its components by name, and
            its constraint is evaluated with action 0. A task with a `stage` is accepted if its constraint does not read
            the reference, as in `pilotage.control.follow`.
        is_free: function from states ``(..., n)`` to bools ``(...)``, for constraints that are not a formula.
        weights: weights w of the tangent components in the metric ``|w (y (-) x)|``, ``(dim,)``; default 1, so that a
            metre counts as much as a radian.
        resolution: distance in that metric between two checks along an edge, if the constraint is not an
            `EdgeConstraint`; thinner obstacles may be missed.
        world: the map that the problem was created from, for planners that search maps.
        moving: moving obstacles, which a disc around the robot's x and y must not touch; `chance_constrained` adds
            predicted tracks. Planners that know times avoid them, and others refuse the problem; see `still`.

    Raises:
        ShapeError: if start or goal is not a state of the space, or weights are not positive.
        SpaceError: if the space lacks a component that the task needs.
        ModelError: if the constraint of the task reads the reference of a stage; in a check, if the constraint or
            `is_free` does not give a value for each state.

    Example:
        >>> plane = Space("x y [m] in [-3, 3]")
        >>> disc = Problem(plane, [-2, 0], [2, 0], lambda x: 1.0 - np.hypot(x[..., :1], x[..., 1:]))
        >>> disc.allowed([[-2, 0], [0.5, 0.0]]), bool(disc.edges_allowed([-2, 0], [2, 0]))
        (array([ True, False]), False)
    """

    space: Space
    start: Any
    goal: Any
    constraint: Task | Callable[[Array], Any] | None = None
    is_free: Callable[[Array], Any] | None = None
    weights: Any = None
    resolution: float = 0.05
    world: Any = None
    moving: Sequence[MovingObstacle] = ()

    def __post_init__(self) -> None:
        weights = np.ones(self.space.dim) if self.weights is None else numbers(self.weights, "weights")
        if weights.shape != (self.space.dim,) or not ((weights > 0.0) & (weights < np.inf)).all():
            raise ShapeError(
                f"weights is {self.weights!r}; expected {self.space.dim} positive numbers, one a tangent part"
            )
        object.__setattr__(self, "weights", frozen(weights))
        object.__setattr__(self, "resolution", positive(self.resolution, "resolution"))
        if isinstance(self.constraint, Task):
            object.__setattr__(self, "constraint", _mounted(self.constraint, self.space))
        object.__setattr__(self, "start", self._held(state_of(self.start, self.space, "start")))
        goal = self.goal
        if isinstance(goal, Space):
            if goal.names != self.space.names:
                raise ShapeError(f"the goal region has the components {goal.names}; expected {self.space.names}")
        elif not hasattr(goal, "moments") and numbers(goal, "goal").ndim == 2:
            goal = self._held(self.space.check(goal, "goal"))
        else:
            goal = self._held(state_of(goal, self.space, "goal"))
        object.__setattr__(self, "goal", goal)
        object.__setattr__(self, "moving", instances(self.moving, MovingObstacle, "Problem.moving"))

    @property
    def still(self) -> Problem:
        """The problem without moving obstacles, for a path that `TimeParameterization` gives times among them."""
        return dataclasses.replace(self, moving=())

    def needs_no_times(self, planner: Any) -> None:
        """Raise an error if there are moving obstacles, which a planner that knows no times cannot avoid."""
        if self.moving:
            count = counted(len(self.moving), "moving obstacle")
            raise PilotageError(
                f"{type(planner).__name__} knows no times, but the problem has {count}; SpaceTimeAStar, FrenetPlanner, "
                "KinodynamicRRT and SST avoid them; plan for problem.still to ignore them, and let "
                "TimeParameterization().parameterize(plan, problem) pass between them, or plan around all places that "
                "they pass, on the map grid.with_moving(obstacles)"
            )

    def _held(self, x: Array) -> Array:
        """States with wrapped angles, and on the bounds where they leave them by rounding."""
        x = np.asarray(self.space.normalize(x))
        held = np.clip(x, self.space.low, self.space.high)
        with np.errstate(invalid="ignore"):  # infinity is refused elsewhere
            near = abs(x - held) <= ROUNDING * np.maximum(abs(held), 1.0)
        return frozen(np.where(near, held, x))

    def goals(self, count: int = 16, *, rng: Rng = None) -> Array:
        """Goal states ``(K, n)``: all that were given, or `count` states drawn from a region."""
        if isinstance(self.goal, Space):
            return self.goal.sample(count, rng=generator(rng))
        checked(rng)
        return np.atleast_2d(self.goal)

    def distance(self, a: Any, b: Any) -> Array:
        """Lengths ``(...)`` of edges in the metric of the problem."""
        return np.sqrt(((self.weights * self.space.minus(b, a)) ** 2).sum(-1))

    def allowed(self, x: Any) -> Mask:
        """Whether states ``(..., n)`` lie within the bounds and satisfy the constraint, ``(...)``."""
        x = np.asarray(x, dtype=np.float64)
        return np.asarray(self.space.contains(x)) & self.functions_allow(x)

    def functions_allow(self, x: Array) -> Mask:
        """Whether the constraint and `is_free` allow states ``(..., n)``, ``(...)``; bounds are not checked."""
        fine = np.asarray((self.violations(x) <= 0.0).all(-1))  # NaN is not
        if self.is_free is None:
            return fine
        free = np.asarray(self.is_free(x), dtype=np.bool_)
        if free.shape != x.shape[:-1]:
            raise _misshapen("is_free", x, free, "a bool")
        return np.asarray(fine & free)

    def violations(self, x: Array) -> Array:
        """Values ``(..., k)`` of the constraint at states ``(..., n)``; k = 0 without a constraint."""
        if self.constraint is None:
            return np.zeros((*x.shape[:-1], 0))
        if not isinstance(self.constraint, Task):
            values = np.asarray(self.constraint(x))
            values = values[..., None] if values.shape == x.shape[:-1] else values
            if values.shape[:-1] != x.shape[:-1]:
                raise _misshapen("the constraint", x, values, "its values")
            return values
        u, r = np.zeros(self.constraint.action.size), np.zeros(self.constraint.stage.size)
        return np.asarray(self.constraint.constraint(x, u, *([r] if r.size else [])))

    def edges_allowed(self, a: Any, b: Any) -> Mask:
        """Whether whole edges from states ``(..., n)`` to states ``(..., n)`` are allowed, ``(...)``.

        The check is exact if the constraint is an `EdgeConstraint`, and otherwise at points `resolution` apart. On a
        space that is not flat, bounds are checked at such points too.
        """
        a, b = np.broadcast_arrays(np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64))
        if not self.whole_edges:
            return self._sampled(a, b)
        assert isinstance(self.constraint, EdgeConstraint)
        # Between two states in a box on a flat space all are.
        inside = self.space.contains(np.stack((a, b), -2) if self.space.flat else self._points(a, b)).all(-1)
        return np.asarray(inside & self.constraint.edges_allowed(a, b))

    def _sampled(self, a: Array, b: Array) -> Mask:
        """Whether edges are allowed at points `resolution` apart; where these are many, first at few of them."""
        most = int(self._pieces(a, b).max(initial=1.0)) + 1
        if a[..., 0].size * most <= BLOCK:
            return np.asarray(self.allowed(self._points(a, b)).all(-1))
        batch, a, b = a.shape[:-1], a.reshape(-1, a.shape[-1]), b.reshape(-1, b.shape[-1])
        fine = np.ones(len(a), dtype=np.bool_)
        for stride in (64, 8, 1):
            left = np.flatnonzero(fine)
            for part in np.array_split(left, 1 + len(left) * most // (stride * BLOCK)):
                if len(part):
                    fine[part] = self.allowed(self._points(a[part], b[part], stride)).all(-1)
        return fine.reshape(batch)

    def _pieces(self, a: Array, b: Array) -> Array:
        """The number of pieces ``(...)`` that edges are cut into by their points."""
        return np.fmax(np.ceil(self.distance(a, b) / self.resolution - EVEN), 1.0)

    def _points(self, a: Array, b: Array, stride: int = 1) -> Array:
        """Points ``(..., K, n)`` along edges, `resolution` apart on each, both ends among them; or some of them."""
        pieces = self._pieces(a, b)
        shares = np.minimum(np.arange(0, int(pieces.max(initial=1.0)) + 1, stride) / pieces[..., None], 1.0)
        points = self.space.interpolate(a[..., None, :], b[..., None, :], shares)
        return np.where(shares[..., None] < 1.0, points, b[..., None, :])  # a (+) (b (-) a) is b but for rounding

    def room_among(self, xs: Array, ts: Array, space: Space | None = None) -> Array:
        """The least room [m] from moving obstacles on each way ``(T,)`` between states ``(T+1, n)`` at their times.

        The states are those of the problem, or of another space with x and y. It is infinite without obstacles. On a
        space that is not flat it is a lower bound: that on the chord, less how far `Space.interpolate` leaves it.
        """
        if not self.moving:
            return np.full(len(ts) - 1, np.inf)
        space = space or self.space
        xy = xs[:, [space.find(name, "a moving obstacle") for name in ("x", "y")]]
        radius = 0.0 if self.footprint is None else float(self.footprint.radius)
        return np.min([each.room(xy, ts) for each in self.moving], axis=0) - radius - bows(space, xs)

    @property
    def footprint(self) -> Any:
        """The footprint of the robot, if the constraint is that of a footprint on a map; else None."""
        return getattr(self.constraint, "footprint", None)

    @cached_property
    def whole_edges(self) -> bool:
        """Whether edges are checked exactly."""
        return self.is_free is None and isinstance(self.constraint, EdgeConstraint)

    def explain(self, x: Array, name: str) -> str:
        """The reason why a state ``(n,)`` is forbidden, in a sentence; empty if it is allowed."""
        if bool(self.allowed(x)):
            return ""
        place = f"{name} ({', '.join(f'{value:.2f}' for value in x)})"
        low, high = self.space.low, self.space.high
        beyond = (x < low) | (x > high)
        if beyond.any():
            i = int(np.argmax(beyond))
            left = max(low[i] - x[i], x[i] - high[i])
            limits = f"not in [{low[i]:g}, {high[i]:g}], which it leaves by {left:.2g}"
            return f"{place} is out of bounds: {self.space.names[i]} is {x[i]:g}, {limits}"
        describe = getattr(self.constraint, "describe", None)  # an `EdgeConstraint` has it, and others may
        if describe is not None and (why := describe(x)):
            return f"{place} {why}"
        worst = float(np.max(self.violations(x), initial=-np.inf))
        if not worst <= 0.0:
            return (
                f"{place} violates the constraint by {worst:.3g}"
                if worst > 0.0
                else f"the constraint of {place} is NaN"
            )
        return f"{place} is not free"


def _misshapen(name: str, x: Array, found: NDArray[Any], expected: str) -> ModelError:
    """The error about a function that does not give a value for each of many states."""
    return ModelError(
        f"{name} gives an array of shape {found.shape} for states of shape {x.shape}; expected {expected} for each "
        "state: it is called with one state (n,) or many (..., n), so write x[..., 0] in place of x[0]"
    )


def _mounted(task: Task, space: Space) -> Task:
    """The task for states of a space; its constraint must be one of states, which need no reference of a stage."""
    if task.stage.size and not (isinstance(task, Compiled) and "r" not in task.dependencies("g")):
        raise ModelError(
            f"the constraint of {called(task)} may depend on the reference of a stage, {', '.join(task.stage.names)}, "
            "which a Problem does not have; give it a task whose constraint does not read r, or a function of x"
        )
    return task.on(space)
