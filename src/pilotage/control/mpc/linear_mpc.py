"""Linear model predictive control."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ...core.arrays import Array, numbers
from ...core.dynamics import Dynamics
from ...core.errors import ModelError, SettingError, ShapeError
from ...core.results import Action
from ...core.settings import by_name, instance, positive, setting, shown
from ...core.space import Space
from ..feedback._linear import needed, steadiest, weight
from ..feedback.lqr import Regulator, solved
from ..reach import goal_of
from ..receding import MAX_VIOLATION, Fallback, RecedingHorizon
from ._condensed import CondensedQP, Prediction
from ._methods import method_of
from ._tracking import Tracking, limits, ordered
from .program import QuadraticProgram


class LinearMPC(RecedingHorizon):
    """Linear model predictive control (MPC).

    ::

        min  sum_k d_k' Q d_k + v_k' R v_k + d_T' P d_T,     d = x (-) r,  v = u - ug      r the goal or a reference
        x_{k+1} (-) goal = F (x_k (-) goal) + B v_k + c                                    linearised at the goal
        bounds on actions, states, C (x (-) goal), and the change of the actions

    The states are eliminated, which leaves a dense quadratic program in the actions. It is the same at every tick but
    for x, so that its matrices are factored once, and a tick starts at the working set of the last. Without active
    bounds, the action is that of LQR. The residuals and the duality gap of the last tick, in the units of the problem,
    are in `solution.stats`.

    Args:
        dynamics, horizon, dt, fallback, brake, max_violation: as for every `RecedingHorizon`; bounds of the action
            space are hard.
        goal: state ``(n,)``, or values by name; components that are not named are free, as for `LQR`. Default: the
            state of the reference at time 0, where the model is then linearised.
        Q, R: weights of ``d`` and ``v``: a number, a diagonal, a matrix, or values by name; R is positive definite.
        P: weight of the end; default: the solution of the Riccati equation of F, B, Q, R.
        bounds: lowest and highest value of components of the tangent of the state by name, from step 1 on.
        outputs: ``(C, low, high)``, with C ``(k, d)``: bounds of ``C (x (-) goal)``.
        rates: lowest and highest rate of change of actions by name [1/s]; the first tick begins from `action`, or from
            what `executed` was told, and the tick after a fallback from the action of the fallback, which itself may
            change faster.
        soft: weights of violations, by the names "x", "output 0" or "rate of accel", or one for all of these: the cost
            of a violation is the weight times its size. A large weight keeps a bound wherever that is possible.
            Default: hard bounds.
        reference: function of times ``(T + 1,)`` that returns states ``(T + 1, n)``, which are tracked with preview.
            Default: the goal. Angles may turn any number of times, whether they are wrapped or not.
        relinearize: whether the model is linearised along the last plan at every tick, rather than once at the goal.
        offset_free: gain in (0, 1] of the estimate of a constant disturbance of the state, which the plan compensates
            for; 0 for none.
        action: the action ug at the goal; default: the one that keeps the state as constant as possible.
        solver: method of the quadratic program; see `QuadraticProgram.solver`.
        tolerance: largest primal and dual residual of a solution.
        budget: seconds of a decision. The quadratic program is left when they end: its plan is used, with status
            IMPROVED, if it violates the bounds by `max_violation` at most, and otherwise the fallback acts; the reason
            tells. The next tick continues from there. To linearise again (`relinearize`) takes its time besides.

    Raises:
        SettingError: if a weight is not positive semidefinite, a bound is not (low, high), a name is unknown, the goal
            is outside hard bounds, or soft is given and nothing is bounded.
        ModelError: if no P is given and no gain stabilises the goal at a finite cost; the message names the modes.

    A problem without solution is told by its bounds and steps. If the state itself is outside hard bounds, the plan
    leads back: it violates them as little as the bounds of the actions allow, and the status is IMPROVED. Otherwise the
    fallback acts. Soft bounds avoid both.

    Source: Rawlings, Mayne and Diehl, "Model predictive control", 2nd edition (2017), sections 1.3, 1.5 and 8.8.4;
    exact penalties: Kerrigan and Maciejowski, "Soft constraints and exact penalty functions in model predictive
    control", UKACC 2000.

    Example:
        >>> from pilotage.core import Space
        >>> from pilotage.models import LinearDynamics
        >>> cart = LinearDynamics([[0, 1], [0, 0]], [[0], [1]], state=Space("x [m]", "v [m/s]"),
        ...                       action=Space("a [m/s^2] in [-1, 1]"))
        >>> drive = LinearMPC(cart, [0.0, 0.0], R=0.1, bounds={"v": (-0.5, 0.5)})
        >>> drive.act([2.0, 0.0]).u.round(6).tolist()
        [-1.0]
        >>> drive.act([2.0, 2.0]).u.round(6).tolist(), drive.solution.reason
        ([-1.0], 'the state itself violates a bound; no plan keeps v <= 0.5 at step 1, a >= -1 at step 0; ...')
    """

    @by_name
    def __init__(
        self,
        dynamics: Dynamics,
        goal: ArrayLike | Mapping[str, float] | None = None,
        *,
        Q: ArrayLike | Mapping[str, float] = 1.0,
        R: ArrayLike | Mapping[str, float] = 0.1,
        P: ArrayLike | None = None,
        horizon: int = 20,
        dt: float = 0.1,
        bounds: Mapping[str, tuple[float, float]] | None = None,
        outputs: tuple[ArrayLike, ArrayLike, ArrayLike] | None = None,
        rates: Mapping[str, tuple[float, float]] | None = None,
        soft: float | Mapping[str, float] | None = None,
        reference: Callable[[Array], Any] | None = None,
        relinearize: bool = False,
        offset_free: float = 0.0,
        action: ArrayLike | None = None,
        solver: str = "auto",
        tolerance: float = 1e-8,
        budget: float | None = None,
        fallback: Fallback = "shift",
        brake: ArrayLike | None = None,
        max_violation: float = MAX_VIOLATION,
    ) -> None:
        space = instance(dynamics, Dynamics, "LinearMPC").state
        dt, actions = positive(dt, "dt"), dynamics.action.names
        method = method_of(solver, "solver")
        if budget is not None and not method.stoppable:
            raise SettingError(f"budget needs a solver that can be stopped; {solver} is none, active_set is one")
        reference = setting(reference, Callable[..., Any] | None, "reference")
        target, given = goal_of(beginning(reference, dt, space) if goal is None else goal, space)
        rest = dynamics.action.clip(np.zeros(dynamics.action.size))
        kept = needed(dynamics, target, rest, dt, given)
        ug = steadiest(dynamics, target, dt, kept) if action is None else dynamics.action.check(action, "action")
        ug = dynamics.action.clip(ug)
        Q = np.where(given & given[:, None], weight(Q, space, "Q"), 0.0)
        weights = Q, weight(R, dynamics.action, "R", positive=True)
        self.kept = needed(dynamics, target, ug, dt, given)
        end = regulator(dynamics, target, ug, dt, *weights, self.kept).S if P is None else weight(P, space, "P")
        C, low, high, labels = bounded_rows(space, target, bounds or {}, outputs)
        changes = limits(rates or {}, actions, "rates") * dt
        bounded = [*labels, *(f"rate of {name}" for name in rates or {})]
        penalties = softness(soft, (*labels, *(f"rate of {name}" for name in actions)), bounded)
        hard = np.isinf(penalties[: len(C)])
        rows = C[hard], low[hard], high[hard]
        if reference is None:
            refuse_outside(rows, np.array(labels)[hard].tolist())
        task = Tracking(dynamics, target, ug, (*weights, end), rows, reference, dt)
        solve = CondensedQP(
            (C, low, high, penalties[: len(C)], labels), (changes, penalties[len(C) :]), relinearize, offset_free,
            solver, positive(tolerance, "tolerance"), budget,
        )  # fmt: skip
        super().__init__(
            dynamics,
            task,
            solve,
            horizon=horizon,
            dt=dt,
            fallback=fallback,
            brake=brake,
            max_violation=max_violation,
            rng=0,
        )

    def act(self, belief_or_state: Any, t: float | None = None) -> Action:
        """The action at time `t` [s]; see `RecedingHorizon.act`. No fallback keeps `rates`."""
        action = super().act(belief_or_state, t)
        self._state = replace(self._state, last=action.u.copy())  # that of a fallback, too
        return action

    @property
    def prediction(self) -> Prediction:
        """The linear model over the horizon."""
        return self._workspace

    @property
    def program(self) -> QuadraticProgram:
        """The quadratic program in the deviations of the actions from `action`, of the last tick.

        Its parameters theta are the deviation of the state from the goal, and then, where there are any, those of the
        references of steps 1 to T, of the last action, and the disturbance.

        Raises:
            ModelError: before the first tick, if the model is linearised along the plan.
        """
        method = self._workspace.method
        if method is None:
            raise ModelError("there is no program before the first call of act, since relinearize is on")
        return method.program

    def executed(self, u: ArrayLike) -> None:
        """Note that `u` ``(m,)`` was executed, not the action of the last tick: the next change is counted from it.

        It is called after `reset` if the plant moves already, or after a tick whose action somebody else replaced.

        Example:
            >>> from pilotage.core import Space
            >>> from pilotage.models import LinearDynamics
            >>> tank = LinearDynamics([[0]], [[1]], state=Space("level [m]"), action=Space("flow [m/s] in [-5, 5]"))
            >>> drive = LinearMPC(tank, [0.0], rates={"flow": (-1.0, 1.0)})
            >>> drive.executed([-3.0])
            >>> drive.act([10.0]).u.round(6).tolist()
            [-3.1]
        """
        given = self.problem.action.check(u, "u")
        if given.ndim != 1:
            raise ShapeError(f"u has shape {given.shape}; expected one action ({given.size},)")
        self._last = given.copy()
        self._executed(given)

    def _executed(self, u: Array) -> None:
        """The next change is counted from the action of the fallback."""
        self._state = replace(self._state, last=u.copy())


def regulator(dynamics: Dynamics, goal: Array, ug: Array, dt: float, Q: Array, R: Array, kept: Any) -> Regulator:
    """The regulator of the kept components at the goal, whose cost-to-go is that after the horizon."""
    F, B = (np.asarray(each) for each in dynamics.linearize(goal, ug, dt))
    square, names = np.ix_(kept, kept), np.array(dynamics.state.tangent_names)[kept].tolist()
    found = solved(F[square], B[kept], Q[square], R, np.zeros(B[kept].shape), discrete=True, names=names)
    K, S = np.zeros(B.T.shape), np.zeros(F.shape)
    K[:, kept], S[square] = found.K, found.S
    return Regulator(K, S, found.E)


def bounded_rows(
    space: Space, goal: Array, bounds: Mapping[str, Any], outputs: Any
) -> tuple[Array, Array, Array, list[str]]:
    """Matrix C of bounded deviations from the goal, their bounds, and their names."""
    names, at = space.tangent_names, dict(zip(space.names, goal, strict=True))
    pairs = limits(bounds, names, "bounds")
    chosen = [i for i, name in enumerate(names) if name in bounds]
    shift = np.array([at.get(names[i], 0.0) for i in chosen])
    C, (low, high) = np.eye(space.dim)[chosen], pairs[:, chosen] - shift
    labels = [names[i] for i in chosen]
    if outputs is not None:
        if not isinstance(outputs, tuple | list) or len(outputs) != 3:
            raise SettingError(f"outputs is {shown(outputs)}; expected (C, low, high)")
        given, least, most = (numbers(each, "outputs") for each in outputs)
        if given.ndim != 2 or given.shape[1] != space.dim:
            raise ShapeError(f"C of outputs has shape {given.shape}; expected (k, {space.dim})")
        C = np.concatenate([C, given])
        low = np.concatenate([low, np.broadcast_to(least, len(given))])
        high = np.concatenate([high, np.broadcast_to(most, len(given))])
        labels += [f"output {i}" for i in range(len(given))]
    return C, low, high, labels


def beginning(reference: Callable[[Array], Any] | None, dt: float, space: Space) -> Array:
    """The state of a reference at time 0, from its answer for one step."""
    if reference is None:
        raise SettingError("goal and reference are missing; expected one of them, or both")
    rows = space.check(reference(dt * np.arange(2.0)), "reference")
    if rows.shape != (2, space.size):
        raise ShapeError(f"reference returned shape {rows.shape} for 2 times; expected (2, {space.size})")
    return rows[0]


def refuse_outside(rows: tuple[Array, Array, Array], labels: list[str]) -> None:
    """An error if the goal, from which the bounds are measured, is outside."""
    for name, low, high in zip(labels, *rows[1:], strict=True):
        if not low <= 0.0 <= high:
            off, bound = max(low, -high), "lower" if low > 0.0 else "upper"
            raise SettingError(
                f"goal is beyond the {bound} bound of {name} by {off:.4g}; move one of them, or give soft"
            )


def softness(soft: float | Mapping[str, float] | None, names: tuple[str, ...], bounded: list[str]) -> Array:
    """Weights of violations ``(len(names),)``, infinite for hard rows; an error for what is not bounded."""
    if soft is None:
        return np.full(len(names), np.inf)
    if not bounded:
        raise SettingError(f"soft is {shown(soft)}, but nothing is bounded; give bounds, outputs or rates")
    if isinstance(soft, Mapping):
        weights = dict(ordered(soft, tuple(bounded), "soft", np.inf))
        return np.array([positive(v, n) if (v := weights.get(n, np.inf)) != np.inf else v for n in names])
    return np.full(len(names), positive(soft, "soft"))
