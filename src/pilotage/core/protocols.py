"""The protocols that all parts of Pilotage share.

`Dynamics`, `Sensor` and `Task` are abstract classes because they have defaults. Everything that uses them is a
`Protocol`, so that other code fits without inheritance.
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
    """An estimator: belief in, belief out. It has settings but no state, and draws random numbers from `rng`."""

    @property
    def own_contexts(self) -> bool:
        """Whether the estimator interprets contexts itself, for example as the names of landmarks on its map.

        A run then passes each context unchanged, or None if there is none. This can be a class attribute.
        """
        return False

    def predict(self, belief: Any, dynamics: Any, u: Any, dt: float, *, rng: Rng = None) -> Any:
        """The belief `dt` seconds later, under action `u`."""
        ...

    def expect(self, belief: Any, sensor: Sensor, context: Any = None) -> Any:
        """The belief over the next reading, with mean z^ and covariance S."""
        ...

    def update(self, belief: Any, sensor: Sensor, z: Any, context: Any = None, *, rng: Rng = None) -> Update:
        """The result of a reading `z`, with the new belief; trackers take a scan ``(K, n)`` as `z`."""
        ...


@runtime_checkable
class Filter(Protocol):
    """The object that robot code uses: an estimator with its current belief and clock."""

    @property
    def belief(self) -> Belief:
        """The current belief."""
        ...

    def predict(self, dt: float | None = None, *, to: float | None = None, u: Any = None) -> Any:
        """Move the belief by `dt` seconds, or up to time `to` in steps of the usual length, under action `u`."""
        ...

    def update(self, sensor: Any, z: Any, t: float | None = None, context: Any = None, *, u: Any = None) -> Update:
        """Update the belief with a reading; `t` is its time, if it is not the current one, and `u` acts until then."""
        ...

    def step(self, sensor: Any, z: Any, u: Any = None, dt: float | None = None, context: Any = None) -> Update:
        """Predict, then update with a reading."""
        ...

    def run(self, us: Any, readings: Any, ts: Any = None, *, sensor: Any = None, contexts: Any = None) -> FilterRun:
        """Process a whole sequence: readings of one sensor, or `Readings` and `Scans` with their own times."""
        ...


@runtime_checkable
class Perception(Protocol):
    """Perception: observations in, belief out."""

    def reset(self, *, seed: int | None = None) -> None:
        """Start an episode with the prior belief."""
        ...

    def perceive(self, observation: Any, u: Any, t: float) -> Belief:
        """The belief after `observation` at time `t`; `u` is the action since the last one, None for the first."""
        ...


@runtime_checkable
class Planner(Protocol):
    """A planner: finds a path from a start to a goal."""

    def plan(self, problem: Problem, *, rng: Rng = None, budget: float | None = None) -> Plan:
        """A path, or the reason why there is none.

        Args:
            problem: start, goal and constraints.
            rng: seed or generator.
            budget: seconds that the planner may take; None for its own limit.
        """
        ...


@runtime_checkable
class Controller(Protocol):
    """A controller: turns a belief into an action, at every tick."""

    def reset(self, *, seed: int | None = None) -> None:
        """Start a new episode; the same `seed` gives the same random choices."""
        ...

    def act(self, belief_or_state: Any, t: float | None = None) -> Action:
        """The action at time `t` (default: one step after the last), with its status."""
        ...


@runtime_checkable
class WorldModel(Protocol):
    """A learned model of the world: an encoder of observations, dynamics of a latent state, and a cost."""

    @property
    def dynamics(self) -> Dynamics:
        """The dynamics of the latent state."""
        ...

    def encode(self, observations: Any, us: Any = None) -> Belief:
        """The belief over latent states after a history.

        Args:
            observations: ``(..., T, o)``, the last of which is the current one.
            us: the actions between them ``(..., T-1, m)``; None if there were none or they are unknown.
        """
        ...

    def decode(self, latent: Any) -> Any:
        """The observation of a latent state ``(..., n)``, or None if the model has no decoder."""
        ...

    def cost(self, latent: Any, u: Any) -> Any:
        """Cost ``(...)`` of latent states ``(..., n)`` under actions ``(..., m)``."""
        ...
