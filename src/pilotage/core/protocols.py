"""The signatures everything in Pilotage agrees on.

`Dynamics`, `Sensor` and `Task` are abstract classes because they carry defaults; what consumes them is a `Protocol`,
so that code from elsewhere fits without inheriting.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from .belief import Belief
from .dynamics import Dynamics as Dynamics
from .plan import Plan
from .problem import Problem
from .results import Action, FilterRun, Update
from .sensor import Sensor as Sensor
from .streams import Rng
from .task import Task as Task


@runtime_checkable
class Estimator(Protocol):
    """Belief in, belief out; holds settings and no state. Those that draw random numbers take them from `rng`."""

    @property
    def own_contexts(self) -> bool:
        """Whether the estimator says what a context is, in place of the sensor: of a map, the names of landmarks.

        A run then hands each context over as it is, also None where none was given. A class attribute will do.
        """
        return False

    def predict(self, belief: Any, dynamics: Any, u: Any, dt: float, *, rng: Rng = None) -> Any:
        """The belief `dt` seconds later, under action `u`."""
        ...

    def expect(self, belief: Any, sensor: Sensor, context: Any = None) -> Any:
        """The belief over the reading that comes next: its mean and covariance are z^ and S."""
        ...

    def update(self, belief: Any, sensor: Sensor, z: Any, context: Any = None, *, rng: Rng = None) -> Update:
        """The belief after a reading `z`, and what the reading did to it; trackers take a scan ``(K, n)`` as `z`."""
        ...


@runtime_checkable
class Filter(Protocol):
    """The stateful shell that robot code holds: an estimator at work, with the belief and the clock."""

    @property
    def belief(self) -> Belief:
        """The present belief."""
        ...

    def predict(self, dt: float | None = None, *, to: float | None = None, u: Any = None) -> Any:
        """Move the belief by `dt` seconds, or up to time `to` in steps of the usual length, under action `u`."""
        ...

    def update(self, sensor: Any, z: Any, t: float | None = None, context: Any = None, *, u: Any = None) -> Update:
        """Take in a reading, of time `t` where it is not of now; `u` acts until then."""
        ...

    def step(self, sensor: Any, z: Any, u: Any = None, dt: float | None = None, context: Any = None) -> Update:
        """Predict and take in a reading."""
        ...

    def run(self, us: Any, readings: Any, ts: Any = None, *, sensor: Any = None, contexts: Any = None) -> FilterRun:
        """A whole sequence in one go: readings of one sensor, or `Readings` and `Scans` at times of their own."""
        ...


@runtime_checkable
class Perception(Protocol):
    """Observations in, belief out."""

    def reset(self, *, seed: int | None = None) -> None:
        """Start an episode, knowing what is known beforehand."""
        ...

    def perceive(self, observation: Any, u: Any, t: float) -> Belief:
        """The belief after `observation` at time `t`; `u` acted since the last one, None at the first."""
        ...


@runtime_checkable
class Planner(Protocol):
    """From a start to a goal."""

    def plan(self, problem: Problem, *, rng: Rng = None, budget: float | None = None) -> Plan:
        """A path, or the reason why there is none.

        Args:
            problem: where from, where to, and what is forbidden in between.
            rng: seed or generator.
            budget: seconds the planner may spend; None for its own limit.
        """
        ...


@runtime_checkable
class Controller(Protocol):
    """From a belief to an action, every tick."""

    def reset(self, *, seed: int | None = None) -> None:
        """Forget the last episode; `seed` replays the random choices of the next."""
        ...

    def act(self, belief_or_state: Any, t: float | None = None) -> Action:
        """The action to take at time `t` (default: one step after the last), and how it came about."""
        ...


@runtime_checkable
class WorldModel(Protocol):
    """A learned model of the world: observations in, a latent state that moves, and what it costs."""

    @property
    def dynamics(self) -> Dynamics:
        """The dynamics of the latent state."""
        ...

    def encode(self, observations: Any, us: Any = None) -> Belief:
        """The belief over latent states after a history.

        Args:
            observations: ``(..., T, o)``, the last of them now.
            us: the actions between them ``(..., T-1, m)``; None where they are not known, or were none.
        """
        ...

    def decode(self, latent: Any) -> Any:
        """The observation a latent state ``(..., n)`` stands for, or None when the model has no decoder."""
        ...

    def cost(self, latent: Any, u: Any) -> Any:
        """Cost ``(...)`` of latent states ``(..., n)`` under actions ``(..., m)``."""
        ...
