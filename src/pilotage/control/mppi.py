"""Model predictive path integral control: act on the mean of random plans, weighted by how well they do."""

from __future__ import annotations

import math
import time
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core.dynamics import Dynamics
from ..core.errors import ModelError, ShapeError
from ..core.results import Action, ActionStatus
from ..core.settings import instance, number, positive, whole
from ..core.space import Space
from ..core.streams import Rng, seeded
from ..core.task import Task
from .rollouts import Rollouts
from .states import broken, state_of

Array = NDArray[np.float64]
Fallback = Literal["hold", "shift", "brake"]


class MPPI:
    """Information-theoretic model predictive control by random rollouts.

    ::

        u_k = clip(plan + e_k),   e_k ~ N(0, std^2)                        K samples of T steps
        S_k = sum_t cost(x_t, u_t) + pull temperature plan_t e_t / std^2 + terminal_cost(x_T)
        w_k = exp(-(S_k - min S) / temperature) / sum
        plan <- plan + sum_k w_k e_k                                       e_k as the limits left it

    Every call of `act` shifts the plan by the time that has passed and improves it from the state at hand. Works with
    any `Dynamics` and `Task`: rollouts of traced models are compiled, all others run batched through the protocol, and
    both draw the same random numbers. Compiled code is loaded or made when the controller is, not in the first tick.
    Of a belief it takes the mean; a constraint of the task it does not see, so price what must not be in the cost.

    Args:
        dynamics: how the state moves; the bounds of its action space are kept.
        task: what is to be achieved; a traced task is mounted on the state by the names it needs. Bounds of its action
            space are kept, too: a task may ask for gentler driving than the vehicle could do.
        horizon: steps of a plan, T.
        samples: plans tried each tick, K. The first is the plan as it stands.
        temperature: in units of cost; small values follow the best sample, large ones average. Default: chosen every
            tick so that the effective number of samples, ``1 / sum w^2``, is the share `effective` of all.
        effective: that share.
        std: standard deviation of the noise, one number or one per action component; default: a quarter of the range
            between the bounds.
        dt: seconds a step; default: that of the task.
        correlation: of the noise from one step to the next in [0, 1): smooth plans that reach far; 0 is white noise.
        pull: share of the control cost of Williams et al., which draws actions towards zero; 1 is their original, 0
            leaves the cost to the task.
        iterations: improvements each tick.
        fallback: what is done when no sample has a finite cost or the state is NaN: "shift" goes on with the last
            plan while it lasts and then brakes, "hold" repeats the last action, "brake" takes the action `brake`.
        brake: the action that stops the vehicle, within its bounds; default: zeros, or what is nearest to them there.
        rng: seed or generator of the random numbers.
        threads: compiled rollouts are split over so many.

    Attributes:
        seed: replays the controller, as `rng` or through `reset`.
        plan: actions ``(T, m)`` that are to come, the first of them now.

    Source: Williams, Drews, Goldfain, Rehg and Theodorou, "Information-theoretic model predictive control", T-RO 34(6),
    2018, algorithm 2; the noise correlated in time is that of a first-order process, with its own density in S.

    Example:
        >>> from pilotage.control import reach
        >>> from pilotage.models import unicycle
        >>> robot = unicycle()
        >>> drive = MPPI(robot, reach(robot, [2.0, 1.0, 0.0]), horizon=20, samples=256, rng=1)
        >>> drive.act([0.0, 0.0, 0.0]).status
        <ActionStatus.SOLVED: 'solved'>
    """

    def __init__(
        self,
        dynamics: Dynamics,
        task: Any,
        *,
        horizon: int = 30,
        samples: int = 1000,
        temperature: float | None = None,
        effective: float = 0.05,
        std: ArrayLike | None = None,
        dt: float | None = None,
        correlation: float = 0.8,
        pull: float = 0.0,
        iterations: int = 1,
        fallback: Fallback = "shift",
        brake: ArrayLike | None = None,
        rng: Rng = None,
        threads: int = 1,
    ) -> None:
        self.dynamics = dynamics
        self.task = mounted(task, dynamics)
        self.dt = positive(self.task.dt if dt is None else dt, "dt")
        self._check_references(self.task)
        self.temperature, self.effective = temperature, number(effective, "effective")
        self.correlation, self.pull = number(correlation, "correlation"), number(pull, "pull")
        self.samples, self.iterations = whole(samples, "samples"), whole(iterations, "iterations")
        horizon, threads, self.fallback = whole(horizon, "horizon"), whole(threads, "threads"), fallback
        self._check_settings()
        action = limited(dynamics.action, getattr(task, "action", None))
        self._limits = np.stack([spread(std, action), action.low, action.high])
        self._brake = braking(brake, action)
        self.plan: Array = np.tile(self._brake, (horizon, 1))
        self.seed = seeded(rng)[1] if not isinstance(rng, np.random.Generator) else int(rng.integers(2**63))
        self._rollouts = Rollouts(dynamics, self.task, horizon, self.samples, threads)
        self.reset()

    def reset(self, *, seed: int | None = None) -> None:
        """Forget the plan and start the random numbers anew: from `seed`, or where they are replayed."""
        if seed is not None:
            self.seed = seeded(seed)[1]
        words = np.random.SeedSequence(self.seed).generate_state(2, np.uint32)
        self._key = np.array([*words, 0], dtype=np.int64)
        self.plan[:] = self._brake
        self._last = self._brake
        self._clock: float | None = None
        self._ahead = 0.0

    def retarget(self, task: Any) -> None:
        """Go on with another task; nothing is compiled again when it differs in parameters only (a new clearance).

        Bounds of the action stay what they were.

        Raises:
            ModelError: when its references are of another dt, or it cannot be put to these dynamics.
        """
        given = mounted(task, self.dynamics)
        self._check_references(given)
        self.task, self._rollouts = given, self._rollouts.retarget(given)

    def act(self, belief_or_state: Any, t: float | None = None) -> Action:
        """The action at time `t` [s]; default: one step after the last call.

        Raises:
            ShapeError: on a state of the wrong length or a time that is not finite; a state that is NaN leads to the
                fallback.
        """
        begun = time.perf_counter()
        x = state_of(belief_or_state, self.dynamics.state)
        now = self._advance(t)
        reason = broken(x, self.dynamics.state)
        if reason:
            return self._fall_back(reason, begun)
        # Before `done`, because tasks that remember, as `follow` does, learn here how far the robot has come.
        stages = self._rollouts.references(x, now)
        if bool(self.task.done(x)):
            self._last = self._brake
            return Action(self._brake.copy(), ActionStatus.DONE, solve_time=time.perf_counter() - begun)
        if self._improve(x, stages):
            self._ahead = 0.0
            self._last = self.plan[0].copy()
            cost = float(self.weights @ np.where(self.weights > 0.0, self.costs, 0.0))
            return Action(self._last.copy(), ActionStatus.SOLVED, self.plan.copy(), cost, time.perf_counter() - begun)
        return self._fall_back(f"none of {self.samples} samples has a finite cost", begun)

    def __repr__(self) -> str:
        return (
            f"MPPI({self.dynamics!r}, {self.task!r}, {self.samples} samples of {len(self.plan)} steps of {self.dt:g} s)"
        )

    @property
    def costs(self) -> Array:
        """Cost of each sample of the last tick, ``(K,)``, infinite where it was not finite."""
        return self._rollouts.costs

    @property
    def weights(self) -> Array:
        """Weight of each sample of the last tick, ``(K,)``; their sum is 1."""
        return self._rollouts.weights

    def _improve(self, x: Array, stages: Array) -> bool:
        """Improve the plan from `x`; whether any sample had a finite cost."""
        heat = 0.0
        for _ in range(self.iterations):
            self._key[2] += 1
            noise = self._limits, self._price(), self.dt, self.correlation, self._key
            self._rollouts.sample(x, self.plan, stages, *noise)
            heat = self._rollouts.improve(self.plan, self._limits, self.temperature or 0.0, self.effective)
        return heat < np.inf

    def _price(self) -> Array:
        """Cost of a deviation: ``pull temperature P^-1 plan``, P the covariance of the noise over the plan."""
        if self.pull == 0.0 or self.temperature is None:
            return np.zeros_like(self.plan)
        a, u = self.correlation, self.plan
        fresh = u.copy()
        fresh[1:] -= a * u[:-1]
        fresh[1:] /= 1.0 - a * a
        fresh[:-1] -= a * fresh[1:]
        return self.pull * self.temperature * fresh / self._limits[0] ** 2

    def _advance(self, t: float | None) -> float:
        """The time now; the plan is shifted to it, between steps by interpolation, and goes on with its last action."""
        if t is not None and not math.isfinite(number(t, "t")):
            raise ShapeError(f"t is {t}; expected finite seconds")
        if self._clock is None:
            self._clock = 0.0 if t is None else float(t)
            return self._clock
        now = self._clock + self.dt if t is None else float(t)
        passed = max(now - self._clock, 0.0) / self.dt
        self._clock = now
        self._ahead += passed
        ahead = int(round(passed))
        steps = np.arange(len(self.plan))
        if passed >= len(steps):  # nothing of the plan is left
            self.plan[:] = self._brake
        elif abs(passed - ahead) < 1e-6:
            self.plan[:] = self.plan[np.minimum(steps + ahead, len(steps) - 1)]
        else:
            for j in range(self.plan.shape[1]):
                self.plan[:, j] = np.interp(steps + passed, steps, self.plan[:, j])
        return now

    def _fall_back(self, why: str, begun: float) -> Action:
        policy: str = self.fallback
        if policy == "shift" and self._ahead > len(self.plan) - 1e-6:
            policy, why = "brake", f"{why}; the last plan is used up"
        u = {"hold": self._last, "shift": self.plan[0], "brake": self._brake}[policy].copy()
        self._last = u
        plan = self.plan.copy() if policy == "shift" else None
        spent = time.perf_counter() - begun
        return Action(u.copy(), ActionStatus.FALLBACK, plan, solve_time=spent, reason=f"{why}; fell back to {policy}")

    def _check_references(self, task: Any) -> None:
        if self.dt != task.dt and getattr(task, "reference_size", 0):
            raise ModelError(f"dt is {self.dt}, but the references of the task are {task.dt} s apart; set its dt")

    def _check_settings(self) -> None:
        heat = self.temperature
        if heat is not None:
            positive(heat, "temperature")
        if heat is None and self.pull != 0.0:
            raise ShapeError("pull is measured in temperatures; give a temperature with it")
        if not 0.0 < self.effective < 1.0:
            raise ShapeError(f"effective is {self.effective}; expected a share of the samples between 0 and 1")
        if not 0.0 <= self.correlation < 1.0:
            raise ShapeError(f"correlation is {self.correlation}; expected a number in [0, 1)")
        if self.fallback not in ("hold", "shift", "brake"):
            raise ShapeError(f"there is no fallback {self.fallback!r}; choose one of hold, shift, brake")


def mounted(task: Any, dynamics: Any) -> Any:
    """The task on the state and action of these dynamics."""
    model = instance(dynamics, Dynamics, "MPPI")
    return instance(task, Task, "MPPI").on(model.state, model.action)


def limited(action: Space, wanted: Any) -> Space:
    """An action space within the bounds of another one, too, where that has components of the same names."""
    if not isinstance(wanted, Space) or wanted.names != action.names:
        return action
    low, high = np.maximum(action.low, wanted.low), np.minimum(action.high, wanted.high)
    tighter = (low > action.low) | (high < action.high)
    for i in np.flatnonzero(low > high):
        raise ModelError(
            f"the task wants {action.names[i]} in [{wanted.low[i]:g}, {wanted.high[i]:g}], but the dynamics have it in "
            f"[{action.low[i]:g}, {action.high[i]:g}]"
        )
    return action.bounded({action.names[i]: (low[i], high[i]) for i in np.flatnonzero(tighter)})


def braking(brake: ArrayLike | None, action: Space) -> Array:
    """The action that stops the vehicle ``(m,)``; one that was given lies within the bounds, or is refused."""
    if brake is None:
        return action.clip(np.zeros(action.size))
    given = action.check(brake, "brake")
    if given.ndim != 1:
        raise ShapeError(f"brake is one action ({action.size},); an array of shape {given.shape} was given")
    for name, value, low, high in zip(action.names, given, action.low, action.high, strict=True):
        if not low <= value <= high:
            raise ShapeError(f"brake has {name} {value:g}, outside its bounds [{low:g}, {high:g}]")
    return action.clip(given)


def spread(std: ArrayLike | None, action: Space) -> Array:
    """Standard deviation of the noise per component, ``(m,)``."""
    if std is None:
        free = [name for name, low, high in zip(action.names, action.low, action.high, strict=True)
                if not np.isfinite(high - low)]  # fmt: skip
        if free:
            raise ModelError(f"the action {', '.join(free)} has no bounds to take the noise from; give std")
        return (action.high - action.low) / 4.0
    given = np.asarray(std, dtype=np.float64)
    if given.shape not in ((), (action.size,)) or not (np.isfinite(given) & (given > 0.0)).all():
        raise ShapeError(f"std is {std}; expected a positive number, or one for each of {', '.join(action.names)}")
    return np.broadcast_to(given, (action.size,)).copy()
