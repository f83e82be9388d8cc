"""Iterative LQR: linearise along the plan, solve the linear-quadratic problem, update the plan, repeat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ...core.arrays import Array
from ...core.compiled import Compiled
from ...core.dynamics import Dynamics
from ...core.errors import ModelError
from ...core.results import ActionStatus
from ...core.settings import Count, Positive, by_name, settings
from ...core.task import Task
from ...models.trace import ParameterMemory, code_of
from .._clock import CLOCK
from ..receding import MAX_VIOLATION, Fallback, Horizon, RecedingHorizon, Solution, Stopwatch, shifted
from ._verdict import judged
from .ddp import BLOCKED, DIVERGED, gains, lead, memory_for, solve

WEAKER, STRONGER, MOST_KEPT = 0.1, 4.0, 1e4
"""Weight of the constraint that a step begins with, relative to the last one, after a plan that was used and after one
that was not; and the largest one, relative to the initial weight."""


@dataclass(frozen=True, eq=False)
class Memory:
    """The state of the solver: the last plan, whether it was used, multipliers of the constraint and their weight."""

    solution: Solution
    used: bool
    multipliers: Array
    weight: float


@settings
class DifferentialDynamicProgramming:
    """The solver of `ILQR`: its settings, and a step that improves a plan until it is a local minimum.

    Its state is the last solution: where a disturbance has moved the robot off its states, the next step begins with
    its gains. An unstable system would leave the plan otherwise, before any step can improve it. The first plan, of one
    action, is followed with the gains that hold the robot where it is, if that costs less: of a pole that falls within
    the horizon, the rollout leads to a minimum far away. The multipliers of the constraint are those of the last step,
    too, so that few sweeps a tick come to keep the constraint after some ticks.

    Example:
        >>> DifferentialDynamicProgramming(iterations=5).tolerance
        1e-08
    """

    iterations: Count = 200
    tolerance: Positive = 1e-8
    feasible: Positive = 1e-4
    weight: Positive = 10.0
    budget: Positive | None = None
    second_order: bool = False
    solves: Count = 1

    def workspace(self, problem: Horizon) -> Sweeps:
        """The machine code of the sweeps for a problem."""
        return Sweeps(problem, self.second_order)

    def init(self, seed: int) -> None:
        """None: there is no plan yet, and no randomness."""
        return

    def step(
        self, workspace: Sweeps, state: Memory | None, x: Array, us: Array, rows: Array, passed: float
    ) -> tuple[Memory | None, Solution]:
        """The local minimum near the plan `us`, or the plan after at most `iterations` sweeps."""
        deadline = Stopwatch(self.budget, self.solves).deadline
        multipliers, weight = workspace.multipliers(state, passed, self.weight)
        settings = np.array([self.iterations, self.tolerance, self.feasible, weight, deadline])
        begin = workspace.begin(state, x, us, rows, passed, self.weight)
        ended, report, found = workspace.solve(x, begin, rows, settings, multipliers)
        solution = judged(ended, report, found, workspace.problem, x, rows, self)
        if ended in (BLOCKED, DIVERGED):
            return None, solution
        used = solution.status is not ActionStatus.FALLBACK
        return Memory(solution, used, multipliers, float(report[4])), solution


class Sweeps:
    """Machine code of the models of a problem, and the driver that calls it."""

    def __init__(self, problem: Horizon, second_order: bool) -> None:
        dynamics, task = problem.dynamics, problem.task
        if not isinstance(task, Compiled):
            raise ModelError(f"ILQR needs the derivatives of the task; {task!r} has none, write it with @task")
        self.problem, self._limits = problem, problem.limits
        self._codes = [
            *(code_of(dynamics, results) for results in ("y", "y F B")),
            *(code_of(task, results) for results in ("l", "l lx lu lxx lxu luu", "g", "g gx gu")),
            code_of(dynamics.state, "minus"),
            *(code_of(task, results) for results in ("T", "T Tx Txx")),
            *([code_of(dynamics, "yxx yxu yuu")] if second_order else []),
        ]
        addresses = np.array([*(code.address for code in self._codes), 0][:10] + [CLOCK], dtype=np.int64)
        self._parameters = ParameterMemory(dynamics, problem.dt), ParameterMemory(task)
        self._models = addresses, np.array([problem.dt]), *(each.vector for each in self._parameters)
        self._k = self._codes[4].size
        state = dynamics.state
        rest = problem.action.clip(np.zeros(problem.action.size))
        dynamics.step(state.identity(), rest, problem.dt)  # what dynamics that are called back call is compiled here
        self._memory = memory_for(problem.steps, state.size, state.dim, problem.action.size, self._k)
        self._solve, self._lead, self._gains = solve.compiled, lead.compiled, gains.compiled

    def held(self, x: Array, us: Array, rows: Array, weight: float) -> Array:
        """The plan `us`, or with gains to stay at x, if it is one action for all steps, and these cost less."""
        if (us != us[0]).any():
            return us
        xs = np.tile(x, (len(us) + 1, 1))
        return self._cheaper(xs, us, self.gains(xs, us, rows), x, rows, weight)

    def begin(self, last: Memory | None, x: Array, us: Array, rows: Array, passed: float, weight: float) -> Array:
        """The plan to begin with: the last one as it was left, even if another one was executed meanwhile."""
        if last is None:
            return self.held(x, us, rows, weight)
        if last.used or passed >= len(us):
            return self.led(last.solution, x, us, rows, passed, weight)
        return shifted(last.solution.us, passed)

    def led(self, last: Solution, x: Array, us: Array, rows: Array, passed: float, weight: float) -> Array:
        """The plan `us`, or the actions of the last plan with its gains, if `us` is that plan, and these cost less."""
        xs, gains = last.states_after(passed, us, self.problem.dynamics.state), last.stats["gains"]
        if xs is None or np.array_equal(xs[0], x):
            return us
        K, ahead = np.zeros_like(gains), int(passed + 1e-6)
        K[: len(K) - ahead] = gains[ahead:]  # the steps after the end of the plan have none
        return self._cheaper(xs, us, K, x, rows, weight)

    def _cheaper(self, xs: Array, us: Array, K: Array, x: Array, rows: Array, weight: float) -> Array:
        """The plan `us`, or its actions from x with gains, if these cost less."""
        followed = us.copy()
        with_gains = self._cost((xs.copy(), followed, K), x, rows, weight)
        return followed if with_gains < self._cost((xs, us.copy(), np.zeros_like(K)), x, rows, weight) else us

    def _cost(self, plan: tuple[Array, Array, Array], x: Array, rows: Array, weight: float) -> float:
        for each in self._parameters:
            each.refresh()
        multipliers = np.zeros((len(plan[1]), self._k))
        return self._lead(self._models, plan, rows, self._limits, multipliers, weight, x, self._memory[1])

    def gains(self, xs: Array, us: Array, rows: Array) -> Array:
        """The gains ``(T, m, d)`` of the linear-quadratic problem along a plan; zero where that has no solution."""
        K = np.zeros((*us.shape, self.problem.dynamics.state.dim))
        for each in self._parameters:
            each.refresh()
        plan, free = (xs.copy(), us.copy(), K), np.zeros((len(us), self._k))
        found = self._gains(xs.shape[1], self._models, plan, rows, self._limits, free, *self._memory)
        return K if found and np.isfinite(K).all() else np.zeros_like(K)

    def multipliers(self, last: Memory | None, passed: float, weight: float) -> tuple[Array, float]:
        """Multipliers ``(T, k)`` to begin with, those of the last step, shifted, and their weight.

        The weight grows over ticks of few sweeps as it does over one long solve, and falls again where plans are used.
        """
        T, k = self.problem.steps, self._k
        if last is None or last.multipliers.shape != (T, k) or passed >= T:
            return np.zeros((T, k)), weight
        change = WEAKER if last.used else STRONGER
        return shifted(last.multipliers, passed), min(max(weight, change * last.weight), MOST_KEPT * weight)

    def solve(
        self, x: Array, us: Array, rows: Array, settings: Array, multipliers: Array
    ) -> tuple[int, Array, dict[str, Array]]:
        """The status of the driver, its report, and the plan with its gains; `multipliers` become those of the plan."""
        state, T, m = self.problem.dynamics.state, *us.shape
        xs, plan, K = np.tile(x, (T + 1, 1)), us.copy(), np.zeros((T, m, state.dim))
        report = np.zeros(5)
        for each in self._parameters:
            each.refresh()
        ended = self._solve(
            state.size, self._models, (xs, plan, K), rows, self._limits, multipliers, settings, report, *self._memory
        )
        for code in self._codes[:2]:
            code.check()
        return ended, report, {"us": plan, "xs": xs, "gains": K}


class ILQR(RecedingHorizon):
    """Iterative linear quadratic regulator (iLQR) with action limits and constraints.

    ::

        x_{t+1} = step(x_t, u_t) ~ F dx + B du                             along the plan, derivatives by tracing
        Q       = cost ~ l + V(x_{t+1})                                    quadratic in dx and du, Gauss-Newton
        k       = argmin_{low <= u + du <= high} Q(0, du),   K dx          a quadratic program with bounds
        u_t    <- clip(u_t + a k_t + K_t (x_t (-) x_t old))                a by line search

    A backward sweep along the plan computes the gains, a forward sweep the new plan, until the expected relative
    decrease of the cost is at most `tolerance`. It works on every space, with deviations in the tangent. The constraint
    of the task is handled by an augmented Lagrangian. `act` starts from the last plan, with its gains where the robot
    has left its states, and from the last multipliers of the constraint; `solve` plans a whole manoeuvre, and
    ``solve(x).stats["gains"]`` holds the feedback gains ``(T, m, d)`` to track it.

    The result is a local minimum that depends on the initial plan. With a quadratic cost and linear dynamics, one
    iteration gives the LQR solution. If an angle in a quadratic cost is half a turn from its goal, the cost has a kink,
    and a plan across it may not converge; use an unwrapped angle or ``1 - cos`` instead. A plan through the middle of
    an obstacle, where neither side is nearer, is nudged off the line of symmetry once.

    Args:
        dynamics, task, horizon, dt, fallback, brake, max_violation: as for every `RecedingHorizon`; the task must be
            traced.
        iterations: largest number of sweeps per tick, over all solves of the augmented Lagrangian. A plan that has not
            converged by then is used with status IMPROVED.
        tolerance: relative tolerance of the cost.
        feasible: largest value of the constraint that counts as satisfied. A plan that violates it is not used, unless
            the state itself violates it more, and the plan leads out; the status is then IMPROVED.
        weight: initial weight of violated constraints.
        budget: seconds of a decision. No sweep begins that would end later, if it takes as long as the longest before
            it; the best plan so far is used with status IMPROVED, and the reason tells.
        second_order: differential dynamic programming (DDP): Q contains the second derivatives of the dynamics as well,
            by tracing, ``Qxx += Vx' d2y/dx2``. It converges quadratically, in fewer iterations near a minimum. It needs
            traced dynamics without rotations in their state.
        restart: whether each tick also solves from rest, and continues with that plan if it is better: a way out of a
            poor local minimum, such as a torque at its limit that holds a pendulum below. A tick takes twice as long or
            more, and each solve has half of the budget.

    Source: Tassa, Mansard and Todorov, "Control-limited differential dynamic programming", ICRA 2014; Mayne, "A
    second-order gradient method for determining optimal trajectories", Int. J. Control 3 (1966); the augmented
    Lagrangian as in Howell, Jackson and Manchester, "ALTRO", IROS 2019, section III.

    Example:
        >>> from pilotage.control import reach
        >>> from pilotage.models import unicycle
        >>> robot = unicycle()
        >>> plan = ILQR(robot, reach(robot, [2.0, 1.0, 0.0]), horizon=40).solve([0.0, 0.0, 0.0])
        >>> plan.ok, bool(np.abs(plan.xs[-1] - [2.0, 1.0, 0.0]).max() < 0.1)
        (True, True)
    """

    @by_name
    def __init__(
        self,
        dynamics: Dynamics,
        task: Task,
        *,
        horizon: int = 30,
        iterations: int = 200,
        tolerance: float = 1e-8,
        feasible: float = 1e-4,
        weight: float = 10.0,
        second_order: bool = False,
        dt: float | None = None,
        fallback: Fallback = "shift",
        brake: ArrayLike | None = None,
        max_violation: float = MAX_VIOLATION,
        budget: float | None = None,
        restart: bool = False,
    ) -> None:
        solver = DifferentialDynamicProgramming(
            iterations, tolerance, feasible, weight, budget, second_order, 2 if restart else 1
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
