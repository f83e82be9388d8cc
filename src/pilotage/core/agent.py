"""The loop of perceiving, planning and acting that an environment or a robot runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np

from .belief import Belief
from .errors import PilotageError
from .plan import Plan
from .protocols import Controller, Filter, Perception
from .results import Action, ActionStatus
from .sensor import Sensor
from .streams import checked


class Filtered:
    """Perception with a filter: predict to the time of an observation, then update with all its readings.

    Args:
        start: function that takes the seed of an episode and returns the filter for it.
        sensors: one sensor, if the observation is its reading; or a mapping from names to sensors, if the observation
            is a mapping from these names to readings. A sensor missing from the observation was not read; NaN means
            not measured.

    Example:
        >>> from pilotage.estimators import EKF
        >>> from pilotage.models import compass, gnss, unicycle
        >>> eyes = Filtered(lambda seed: EKF(unicycle()).start(std=1.0), {"fix": gnss(std=1.0), "needle": compass()})
        >>> eyes.perceive({"fix": [2.0, 4.0]}, None, t=0.0).mean
        array([1., 2., 0.])
    """

    def __init__(self, start: Callable[[int | None], Filter], sensors: Sensor | Mapping[str, Sensor]) -> None:
        if not callable(start):
            raise PilotageError(
                f"start is {start!r}; expected a function that makes the filter of an episode from its seed, such as "
                "lambda seed: EKF(car, dt=0.1).start(belief=known)"
            )
        self._start = start
        self._sensors = sensors
        self._filter: Filter | None = None

    def __repr__(self) -> str:
        sensors = self._sensors
        named = ", ".join(sensors) if isinstance(sensors, Mapping) else repr(sensors)
        return f"Filtered({named})"

    def reset(self, *, seed: int | None = None) -> None:
        """Start a fresh filter."""
        self._filter = self._start(seed)

    def perceive(self, observation: Any, u: Any, t: float) -> Belief:
        """Predict under `u` to time `t`, update, and return the belief."""
        if self._filter is None:
            self.reset()
        assert self._filter is not None
        if u is not None:
            self._filter.predict(to=t, u=u)
        if not isinstance(self._sensors, Mapping):
            self._filter.update(self._sensors, observation, t)
            return self._filter.belief
        if not isinstance(observation, Mapping):
            raise PilotageError(
                f"there are several sensors, but the observation is {type(observation).__name__}; "
                f"give a mapping from {', '.join(self._sensors)} to readings"
            )
        readings = cast(Mapping[str, Any], observation)
        strange = sorted(set(readings) - set(self._sensors))
        if strange:
            raise PilotageError(
                f"the observation holds {strange[0]!r}, which no sensor reads; there are {', '.join(self._sensors)}"
            )
        for name, sensor in self._sensors.items():
            if name in readings:
                self._filter.update(sensor, readings[name], t)
        return self._filter.belief


class Agent:
    """An agent that turns observations into actions: it perceives, plans if it has no valid plan, and acts.

    Args:
        perceive: perception that turns observations into a belief (`Filtered` wraps a filter).
        plan: function from a belief to a `Plan`; None for controllers that need no plan.
        act: a controller, or, with `plan`, a function that returns a controller for a plan.
        valid: function that tells whether a plan is still valid for a belief, called before every action. Default: a
            plan stays valid.
        fallback: function that returns the action if no plan is found. Default: raise an error.

    The agent makes a new plan at the start, when `valid` returns False, and after the controller reported DONE.

    Example:
        >>> from pilotage.core import Gaussian, Space
        >>> class Eyes:
        ...     def reset(self, *, seed=None): ...
        ...     def perceive(self, observation, u, t):
        ...         return Gaussian.of(Space("x [m]"), observation, std=0.1)
        >>> class Spring:
        ...     def reset(self, *, seed=None): ...
        ...     def act(self, belief, t=0.0):
        ...         return Action(u=-2.0 * belief.mean)
        >>> robot = Agent(Eyes(), act=Spring())
        >>> robot, robot.step([0.5], t=0.0).u
        (Agent(perceive=Eyes, act=Spring), array([-1.]))
    """

    def __init__(
        self,
        perceive: Perception,
        plan: Callable[[Belief], Plan] | None = None,
        act: Controller | Callable[[Plan], Controller] | None = None,
        *,
        valid: Callable[[Plan, Belief], bool] | None = None,
        fallback: Callable[[Belief, Plan], Action] | None = None,
    ) -> None:
        if act is None:
            raise PilotageError("an agent needs act: a controller, or a function from a plan to a controller")
        # A class of controllers has the methods of one, but makes them.
        self._fixed = act if isinstance(act, Controller) and not isinstance(act, type) else None
        self._follow = None if self._fixed is not None else cast(Callable[[Plan], Controller], act)
        if plan is None and self._follow is not None:
            raise PilotageError("act makes a controller from a plan, but the agent has no plan; give one")
        if not isinstance(perceive, Perception):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise PilotageError(
                f"perceive is {perceive!r}; expected the methods reset and perceive: wrap a filter in "
                "Filtered(lambda seed: ..., sensors)"
            )
        self._perceive, self._plan_from = perceive, plan
        self._valid, self._fallback = valid, fallback
        self.reset()

    def __repr__(self) -> str:
        act = self._fixed if self._fixed is not None else self._follow
        parts = {"perceive": self._perceive, "plan": self._plan_from, "act": act}
        return f"Agent({', '.join(f'{role}={_named(part)}' for role, part in parts.items() if part is not None)})"

    def reset(self, *, seed: int | None = None) -> None:
        """Start an episode; the same `seed` gives the same random choices of perception and controller."""
        checked(seed)
        self._streams = np.random.SeedSequence(seed)
        self.belief: Belief | None = None
        self.plan: Plan | None = None
        self.action: Action | None = None
        self._seeded = seed is not None
        self._controller = self._fixed
        self._perceive.reset(seed=self._seed())
        if self._controller is not None:
            self._controller.reset(seed=self._seed())

    def step(self, observation: Any, t: float) -> Action:
        """The action at time `t` [s] after `observation`.

        Raises:
            PilotageError: if no plan is found and there is no fallback; the message contains the planner's reason.
        """
        u = None if self.action is None else self.action.u
        self.belief = self._perceive.perceive(observation, u, t)
        if self._plan_from is not None and self._spent(self.belief):
            failed = self._replan(self._plan_from(self.belief))
            if failed is not None:
                self.action = self._give_up(self.belief, failed)
                return self.action
        assert self._controller is not None
        action = self._controller.act(self.belief, t)
        if not isinstance(action, Action):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise PilotageError(
                f"the controller returned {type(action).__name__}; `act` has to return an Action: Action(np.array(u))"
            )
        self.action = action
        return self.action

    def _spent(self, belief: Belief) -> bool:
        if self.plan is None or (self.action is not None and self.action.status is ActionStatus.DONE):
            return True
        return self._valid is not None and not self._valid(self.plan, belief)

    def _replan(self, plan: Plan) -> Plan | None:
        """Take over a new plan, or return it when it failed."""
        if not plan.ok:
            self.plan = None
            return plan
        self.plan = plan
        if self._follow is not None:
            self._controller = self._follow(plan)
            self._controller.reset(seed=self._seed())
        return None

    def _give_up(self, belief: Belief, plan: Plan) -> Action:
        if self._fallback is None:
            raise PilotageError(f"the agent found no plan: {plan.reason or plan.status.value}; give it a fallback")
        return self._fallback(belief, plan)

    def _seed(self) -> int | None:
        """The next seed of the episode, None when the episode has none."""
        return int(self._streams.spawn(1)[0].generate_state(1)[0]) if self._seeded else None


def _named(part: Any) -> str:
    """A function by its name, an object by its repr when it has one, else by its class."""
    own = type(part).__repr__ is not object.__repr__
    return str(getattr(part, "__qualname__", "")) or (repr(part) if own else type(part).__qualname__)
