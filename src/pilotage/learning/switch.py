"""A switch between a fast policy and a slow planner, which teaches the policy."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import Any

import numpy as np

from ..core import Action, ActionStatus, Controller, Dynamics, Rng, SettingError, Task
from ..core.arrays import Array
from ..core.settings import Count, Finite, NonNegative, Positive, instance, setting
from ..core.states import state_of
from ..core.task import references_of
from .demonstrations import Demonstrations, given, planned
from .imitation import ImitationSettings, imitate
from .policy import NetworkPolicy


class Switch:
    """A controller that decides at every tick whether a fast policy or a slow planner acts.

    ::

        fast -> slow    doubt > high, or distance > far, or the policy's action would violate the constraint in the
                        next state, or the policy has acted for `audit` ticks
        slow -> fast    doubt < low and distance <= far and |u_fast - u_slow| < agree

    Doubt and distance are those of the policy's `Evaluation`; the difference of the actions is in units of half of the
    range, too. The two thresholds of the doubt are a hysteresis: between them nothing changes, so that the acting
    controller does not alternate. The audit is a heuristic of our own: where a teacher turns now to the left, now to
    the right, all networks agree on the useless mean, and only the planner detects it. Give the planner
    ``warm_start = policy``, so that it begins with the policy's plan when it is asked after a pause.

    The plans of the slow planner are kept as `demonstrations`, except after a fallback; `learn` trains the policy on
    these and the earlier ones. It takes seconds, so it belongs between episodes, not into a tick.

    Args:
        fast: the policy.
        slow: the planner, any controller.
        dynamics, task: the model and its task, with the constraint.
        high: doubt above which the slow planner takes over.
        low: doubt below which the policy may take over again.
        agree: difference of the actions below which the policy may take over again.
        far: largest trusted distance to the training data, in standard deviations of the features.
        audit: number of ticks of the policy after which the planner is asked in any case, and acts once.
        demonstrations: data with which the policy was trained, such as `Distilled.demonstrations`; `learn` adds to
            them.
        imitation: settings of the training in `learn`.

    Attributes:
        acting: "fast" or "slow", the one that is trusted with the next tick; an episode begins with "fast".
        doubt: doubt of the policy at the last tick.

    Raises:
        SettingError: if a setting is out of its range, or `low` is above `high`.

    Source: the doubt rule is that of Menda, Driggs-Campbell and Kochenderfer, "EnsembleDAgger", IROS 2019, section III;
    the hysteresis, with the measured distance of the actions on the way back, that of Hoque et al., "LazyDAgger", CASE
    2021, section IV.

    Example:
        >>> from pilotage.control import ILQR, reach
        >>> from pilotage.learning import distill
        >>> from pilotage.models import double_integrator
        >>> cart = double_integrator(1)
        >>> home, starts = reach(cart, [0.0, 0.0]), cart.state.sample(20, rng=0)
        >>> slow = ILQR(cart, home, horizon=10)
        >>> found = distill(slow, cart, home, starts=starts, rounds=1, length=20, rng=0)
        >>> drive = Switch(found.policy, slow, cart, home, demonstrations=found.demonstrations)
        >>> drive.act([90.0, 0.0], 0.0).u.shape, drive.acting                # far from all training data
        ((1,), 'slow')
    """

    def __init__(
        self,
        fast: NetworkPolicy,
        slow: Controller,
        dynamics: Dynamics,
        task: Task,
        *,
        high: float = 0.2,
        low: float = 0.1,
        agree: float = 0.2,
        far: float = 4.0,
        audit: int = 10,
        demonstrations: Demonstrations | None = None,
        imitation: ImitationSettings | None = None,
    ) -> None:
        self.fast, self.slow = instance(fast, NetworkPolicy, "Switch"), slow
        self.dynamics = instance(dynamics, Dynamics, "Switch")
        self.task = instance(task, Task, "Switch").on(dynamics.state, dynamics.action)
        self.high, self.low = setting(high, NonNegative, "high"), setting(low, NonNegative, "low")
        self.agree, self.far = setting(agree, Positive, "agree"), setting(far, Positive, "far")
        self.audit, self.imitation = setting(audit, Count, "audit"), imitation
        if imitation is not None:
            instance(imitation, ImitationSettings, "Switch")
        if self.low > self.high:
            raise SettingError(f"low is {low}, above high, which is {high}; expected low <= high")
        sizes = dynamics.state.size, self.task.stage.size, fast.steps, dynamics.action.size
        self._demonstrations = [Demonstrations.none(*sizes) if demonstrations is None else demonstrations]
        self.reset()

    @property
    def demonstrations(self) -> Demonstrations:
        """The given demonstrations, and the planner's plans since."""
        self._demonstrations = [Demonstrations.joined(self._demonstrations)]
        return self._demonstrations[0]

    def reset(self, *, seed: int | None = None) -> None:
        """Start a new episode with the policy; demonstrations and learned weights stay."""
        self.fast.reset()
        self.slow.reset(seed=seed)
        self.acting, self.doubt, self._alone = "fast", math.nan, 0
        self._clock: float | None = None
        self._carry: Any = None

    def act(self, belief_or_state: Any, t: float | None = None) -> Action:
        """The action at time `t` [s], of the policy or the planner; the planner answers a state of NaN.

        If the clock goes back, another episode of the references begins.

        Raises:
            SettingError: if the time is not finite.
        """
        begun = time.perf_counter()
        before = self._clock
        now = (0.0 if before is None else before + self.task.dt) if t is None else setting(t, Finite, "t")
        x = state_of(belief_or_state, self.dynamics.state, finite=False)
        self._clock = now
        if before is not None and now < before:
            self._carry = None
        if not np.isfinite(x).all():
            return self.slow.act(x, now)
        rows, self._carry = references_of(self.task, x, now, 1, self._carry)
        row = rows[0]
        plan, doubt, distance = self.fast.evaluate(x, row)
        self.doubt = float(doubt)
        sound = bool(distance <= self.far) and self._safe(x, plan[0], rows)
        trusted = self.acting == "fast" and self.doubt <= self.high and self._alone < self.audit
        if sound and trusted and not self._over(x, row):
            self._alone += 1
            return Action(plan[0].copy(), plan=plan, solve_time=time.perf_counter() - begun)
        action, self._alone = self.slow.act(x, now), 0
        self._note(x, row, action)
        apart = float(np.max(np.abs(action.u - plan[0]) / self.fast.half))
        self.acting = "fast" if sound and self.doubt < self.low and apart < self.agree else "slow"
        return replace(action, solve_time=time.perf_counter() - begun)

    def learn(self, *, rng: Rng = None) -> None:
        """Train the policy on all demonstrations; it starts with the current weights, and stays traced if it is.

        Raises:
            PilotageError: if there are too few demonstrations, or training diverges.
        """
        learned = imitate(self.demonstrations, self.dynamics, self.task, self.imitation, like=self.fast, rng=rng)
        self.fast = learned if self.fast._code is None else learned.traced()

    def _over(self, x: Array, row: Array) -> bool:
        """Whether the episode is over; the planner then says so."""
        return bool(self.task.done(x, *given(row)) == True)  # noqa: E712  # a verdict that is NaN is no verdict

    def _safe(self, x: Array, u: Array, rows: Array) -> bool:
        """Whether the action keeps the constraint in the next state."""
        with np.errstate(invalid="ignore", over="ignore"):
            g = np.asarray(self.task.constraint(self.dynamics.step(x, u, self.task.dt), u, *given(rows[1])))
        return bool(np.max(g, initial=-np.inf) <= 0.0)

    def _note(self, x: Array, row: Array, action: Action) -> None:
        """Keep the planner's plan, unless it failed or is too short."""
        if action.status in (ActionStatus.FALLBACK, ActionStatus.DONE):
            return
        if self.fast.steps == 1 or (action.plan is not None and len(action.plan) >= self.fast.steps):
            self._demonstrations.append(Demonstrations(x[None], row[None], planned(action, self.fast.steps)[None]))
