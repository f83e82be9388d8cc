"""Sequential quadratic programming by multiple shooting, and its real-time iteration."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from ...core.arrays import Array
from ...core.compiled import Compiled
from ...core.dynamics import Dynamics
from ...core.errors import ModelError, SettingError
from ...core.results import ActionStatus
from ...core.settings import Count, Positive, by_name, settings
from ...core.task import Task, references_of
from ...models.trace import ParameterMemory, code_of
from .._clock import CLOCK
from ..receding import MAX_VIOLATION, Fallback, Horizon, RecedingHorizon, Solution, Stopwatch
from ._verdict import judged
from .ddp import STUCK
from .shooting import FEEDBACK, PREPARE, WHOLE, shoot
from .stage_qp import memory_for

Hessian = Literal["gauss-newton", "exact"]


@dataclass(frozen=True, eq=False)
class Iterate:
    """A plan, the multipliers of dynamics and inequalities, and the price of the constraint."""

    xs: Array
    us: Array
    pi: Array
    lam: Array
    price: float

    def shifted(self, ahead: int, dynamics: Dynamics, dt: float) -> Iterate:
        """The iterate `ahead` steps later; the last action is repeated."""
        tail = [self.xs[-1]]
        for _ in range(ahead):
            tail.append(dynamics.step(tail[-1], self.us[-1], dt))
        us, pi, lam = (np.concatenate([a[ahead:], np.repeat(a[-1:], ahead, 0)]) for a in (self.us, self.pi, self.lam))
        return Iterate(np.concatenate([self.xs[ahead:], tail[1:]]) if ahead else self.xs, us, pi, lam, self.price)


@settings
class MultipleShooting:
    """The solver of `SQP`: its settings, and a step that improves a plan; the multipliers are kept between ticks.

    Example:
        >>> MultipleShooting(iterations=5).tolerance
        1e-08
    """

    iterations: Count = 100
    hessian: Hessian = "gauss-newton"
    tolerance: Positive = 1e-8
    feasible: Positive = 1e-4
    price: Positive = 100.0
    soft: bool = False
    real_time: bool = False
    budget: Positive | None = None
    solves: Count = 1

    def workspace(self, problem: Horizon) -> Shooting:
        """The machine code and the memory for a problem."""
        return Shooting(problem, self.hessian)

    def init(self, seed: int) -> Iterate | None:
        """None: there is no plan yet, and no randomness."""
        return None

    def prepare(self, workspace: Shooting, state: Iterate, us: Array, rows: Array) -> None:
        """Linearise along the plan of the next tick, whose actions will be `us`."""
        begin = self._begin(workspace, state, state.xs[1], us, 1.0, rows)
        workspace.prepare(begin, rows, self._numbers(begin, math.inf))

    def step(
        self, workspace: Shooting, state: Iterate | None, x: Array, us: Array, rows: Array, passed: float
    ) -> tuple[Iterate | None, Solution]:
        """The local minimum near the plan `us`; with `real_time`, the plan after one quadratic program."""
        deadline = Stopwatch(self.budget, self.solves).deadline
        if state is not None and state.lam.shape != workspace.shape:  # another task, with another constraint
            state = None
        ended, after, solution = self._run(workspace, state, x, us, rows, passed, deadline)
        if ended == STUCK and solution.stats["iterations"] <= 1 and state is not None:  # a kink has no derivative
            _, after, solution = self._run(workspace, None, x, us, rows, passed, deadline)
        return None if solution.status is ActionStatus.FALLBACK else after, solution

    def _run(
        self, workspace: Shooting, state: Iterate | None, x: Array, us: Array, rows: Array, passed: float,
        deadline: float,
    ) -> tuple[int, Iterate, Solution]:  # fmt: skip
        """The status of the driver from the last iterate, the iterate after it, and the solution."""
        begin = self._begin(workspace, state, x, us, passed, rows)
        numbers, phase = self._numbers(begin, deadline), FEEDBACK if self.real_time and state is not None else WHOLE
        if phase == FEEDBACK:
            workspace.prepare(begin, rows, numbers)
        ended, report, found, after = workspace.run(phase, x, begin, rows, numbers)
        return ended, after, judged(ended, report, found, workspace.problem, x, rows, self)

    def _begin(
        self, workspace: Shooting, state: Iterate | None, x: Array, us: Array, passed: float, rows: Array
    ) -> Iterate:
        """The shifted iterate, if its actions are `us`; else a rollout, or all states x if these are better.

        That is where the rollout is not finite; or where `us` is one action for all steps, and states x violate the
        constraint less, or as little at a smaller cost: of an unstable system, the rollout leads to a minimum far away.
        """
        ahead, p = round(passed), workspace.problem
        if state is not None and abs(passed - ahead) < 1e-6 and ahead < p.steps:
            begin = state.shifted(ahead, p.dynamics, p.dt)
            if np.array_equal(begin.us, us) and begin.lam.shape == workspace.shape:
                return begin
        with np.errstate(all="ignore"):
            xs = np.asarray(p.dynamics.rollout(x, us, p.dt))
        still = np.tile(x, (p.steps + 1, 1))
        guess = bool((us != us[0]).any())
        keep = np.isfinite(xs).all() and (guess or p.judged(xs, us, rows) <= p.judged(still, us, rows))
        xs = xs if keep else still
        return workspace.cold(xs, us, self.price if state is None else state.price)

    def _numbers(self, begin: Iterate, deadline: float) -> Array:
        return np.array([self.iterations, self.tolerance, self.feasible, begin.price, float(self.soft), deadline])


class Shooting:
    """Machine code of the models of a problem, and the driver that calls it."""

    def __init__(self, problem: Horizon, hessian: Hessian) -> None:
        dynamics, task = problem.dynamics, problem.task
        if not isinstance(task, Compiled):
            raise ModelError(f"SQP needs the derivatives of the task; {task!r} has none, write it with @task")
        self.problem, self._limits = problem, problem.limits
        state, T, m = dynamics.state, problem.steps, problem.action.size
        self._codes = [
            *(code_of(dynamics, results) for results in ("y", "y F B")),
            *(code_of(task, results) for results in ("l", "l lx lu lxx lxu luu", "g", "g gx gu")),
            code_of(state, "minus"),
            *(code_of(task, results) for results in ("T", "T Tx Txx")),
            code_of(state, "plus"),
        ]
        if hessian == "exact":
            self._codes += [code_of(dynamics, "yxx yxu yuu"), code_of(task, "gxx gxu guu")]
        addresses = np.array([*(code.address for code in self._codes), 0, 0][:12] + [CLOCK], dtype=np.int64)
        self._parameters = ParameterMemory(dynamics, problem.dt), ParameterMemory(task)
        self._models = addresses, np.array([problem.dt]), *(each.vector for each in self._parameters)
        n, d, k = state.size, state.dim, self._codes[4].size
        finite = np.isfinite(self._limits)
        index = np.concatenate([np.flatnonzero(finite[1]), np.flatnonzero(finite[0])]).astype(np.int64)
        sign = np.repeat([1.0, -1.0], [finite[1].sum(), finite[0].sum()])
        self.shape, self.constraints = (T, len(index) + k), k
        self._program = (
            np.zeros((T, n + d * d + d * m)), np.zeros((T, d)), np.zeros((T, 1 + d + m + d * d + d * m + m * m)),
            np.zeros((T, k + k * d + k * m)), np.zeros(1 + d + d * d), (index, sign, np.zeros((T, len(index)))),
            np.zeros(k),
        )  # fmt: skip
        self._point, self._qp = memory_for(T, d, m, self.shape[1])
        width = max(d * d + d * m + m * m, n, k, d + 1, problem.task.stage.size + k, 4)
        self._memory = np.zeros((T + 1, n)), np.zeros((T, m)), np.zeros((4, width))
        self._prepared: tuple[Array, ...] = ()
        rest = problem.action.clip(np.zeros(m))
        dynamics.step(state.identity(), rest, problem.dt)  # what dynamics that are called back call is compiled here
        self._shoot = shoot.compiled

    def cold(self, xs: Array, us: Array, price: float) -> Iterate:
        """An iterate without multipliers."""
        p = self.problem
        return Iterate(xs, us, np.zeros((p.steps, p.dynamics.state.dim)), np.zeros(self.shape), price)

    def prepare(self, begin: Iterate, rows: Array, numbers: Array) -> None:
        """Linearise along a plan, unless that was the last thing done."""
        wanted = begin.xs, begin.us, begin.pi, begin.lam, rows
        if len(self._prepared) != 5 or not all(map(np.array_equal, wanted, self._prepared)):
            self._call(PREPARE, begin, rows, numbers)
            self._prepared = tuple(each.copy() for each in wanted)

    def run(
        self, phase: int, x: Array, begin: Iterate, rows: Array, numbers: Array
    ) -> tuple[int, Array, dict[str, Any], Iterate]:
        """The status of the driver, its report, the plan, and the iterate for the next tick."""
        self._prepared = ()
        if phase == FEEDBACK:
            self._point[0][0] = self.problem.dynamics.state.minus(x, begin.xs[0])
        else:
            self._point[0][0] = 0.0
            begin = Iterate(np.concatenate([x[None], begin.xs[1:]]), begin.us, begin.pi, begin.lam, begin.price)
        ended, report, xs, us = self._call(phase, begin, rows, numbers)
        report[2] = report[2] if self._codes[4].size else np.nan
        program = dict(zip(("qp_iterations", "primal", "dual", "gap"), report[4:8].tolist(), strict=True))
        after = Iterate(xs, us, self._point[2].copy(), self._point[3].copy(), float(report[8]))
        return ended, report, {"us": us, "xs": xs, **program}, after

    def _call(self, phase: int, begin: Iterate, rows: Array, numbers: Array) -> tuple[int, Array, Array, Array]:
        xs, us, report = begin.xs.copy(), begin.us.copy(), np.zeros(9)
        self._point[2][:], self._point[3][:] = begin.pi, begin.lam
        for each in self._parameters:
            each.refresh()
        ended = self._shoot(
            phase, self._models, (xs, us), rows, self._limits, numbers, report, self._program, self._point, self._qp,
            self._memory,
        )  # fmt: skip
        for code in self._codes[:2]:
            code.check()
        return ended, report, xs, us


class SQP(RecedingHorizon):
    """Nonlinear model predictive control by sequential quadratic programming with multiple shooting.

    ::

        min_{dx, du}  sum_t  l' v + 1/2 v' H v,    v = (dx_t, du_t),    H: Hessian of the Lagrangian, or of the costs
        s.t.  dx_{t+1} = F dx_t + B du_t + step(x_t, u_t) (-) x_{t+1},   low <= u_t + du_t <= high
              g + gx dx_{t+1} + gu du_t <= 0                             g: the constraint at (x_{t+1}, u_t)
        x <- x (+) a dx,   u <- u + a du                                 a by line search on an l1 merit function

    States and actions of the plan are unknowns, so that the states need not follow from the actions until the end. Each
    quadratic program is solved by an interior point method whose Newton step is a Riccati recursion: its cost grows
    linearly with the horizon. The constraint has a price per unit of violation, which grows until it is kept.

    With `real_time`, a tick takes the whole step of one quadratic program, linearised along the last plan, shifted.
    Call `prepare` after the action was sent: it linearises for the next tick, and `act` then only solves the program.
    The first tick, and `solve`, still iterate to the minimum.

    Args:
        dynamics, task, horizon, dt, fallback, brake, max_violation: as for every `RecedingHorizon`; the task must be
            traced.
        iterations: largest number of quadratic programs per tick. A plan that has not converged by then is used with
            status IMPROVED.
        hessian: "gauss-newton" uses the Hessian of the costs, which is that of Gauss-Newton for tasks with weights;
            "exact" adds the curvature of dynamics and constraint, by tracing: fewer iterations near a minimum, and more
            far from it. It needs traced dynamics without rotations in their state.
        tolerance: relative tolerance of the cost.
        feasible: largest value of the constraint that counts as satisfied, as for `ILQR`.
        price: initial price of a unit of violation; default: 100.
        soft: whether the constraint may stay violated at that price.
        real_time: one quadratic program per tick.
        budget: seconds of a decision. After the first, no quadratic program begins that would end later, if it takes as
            long as the longest before it; the plan so far is used with status IMPROVED.
        restart: whether each tick also solves from rest, and continues with that plan if it is better: a way out of a
            poor local minimum, such as a torque at its limit that holds a pendulum below. A tick takes twice as long or
            more, and each solve has half of the budget.

    Raises:
        ModelError: if the task is not traced, or the exact Hessian does not exist.
        SettingError: if price or soft is given for a task without a constraint.

    `solve(x).stats` holds the iterations, the violation, the expected decrease, and the iterations and the primal, dual
    and complementary residual of the last quadratic program.

    Source: Bock and Plitt, "A multiple shooting algorithm for direct solution of optimal control problems", IFAC 1984;
    Diehl, Bock and Schloeder, "A real-time iteration scheme for nonlinear optimization in optimal feedback control",
    SIAM J. Control Optim. 43 (2005).

    Example:
        >>> from pilotage.control import reach
        >>> from pilotage.models import unicycle
        >>> robot = unicycle()
        >>> drive = SQP(robot, reach(robot, [2.0, 1.0, 0.0]), horizon=40)
        >>> plan = drive.solve([0.0, 0.0, 0.0])
        >>> plan.ok, bool(np.abs(plan.xs[-1] - [2.0, 1.0, 0.0]).max() < 0.1)
        (True, True)
    """

    solver: MultipleShooting

    @by_name
    def __init__(
        self,
        dynamics: Dynamics,
        task: Task,
        *,
        horizon: int = 30,
        iterations: int = 100,
        hessian: Hessian = "gauss-newton",
        tolerance: float = 1e-8,
        feasible: float = 1e-4,
        price: float | None = None,
        soft: bool = False,
        real_time: bool = False,
        dt: float | None = None,
        fallback: Fallback = "shift",
        brake: ArrayLike | None = None,
        max_violation: float = MAX_VIOLATION,
        budget: float | None = None,
        restart: bool = False,
    ) -> None:
        cost = 100.0 if price is None else price
        solver = MultipleShooting(
            iterations, hessian, tolerance, feasible, cost, soft, real_time, budget, 2 if restart else 1
        )
        super().__init__(
            dynamics,
            task,
            solver,
            horizon=horizon,
            dt=dt,
            fallback=fallback,
            brake=brake,
            max_violation=max_violation,
            rng=0,
            restart=restart,
        )
        for name in [name for name, given in (("price", price is not None), ("soft", soft)) if given]:
            if not self._workspace.constraints:
                raise SettingError(f"{name} is about the constraint of the task, but {self.task!r} has none")

    def prepare(self) -> None:
        """Linearise along the plan of the next tick, one step after the last one.

        It changes no action: a tick at another time, or with other references, linearises for itself.

        Raises:
            SettingError: without `real_time`, where a tick linearises again at every iteration.
        """
        if not self.solver.real_time:
            raise SettingError("prepare is for the real-time iteration; make SQP with real_time=True")
        if self._state is None or self._clock is None:
            return
        p, state = self.problem, self._state
        rows, _ = references_of(self.task, state.xs[1], self._clock + p.dt, p.steps, self.carry)
        self.solver.prepare(self._workspace, state, np.concatenate([self.plan[1:], self.plan[-1:]]), rows)
