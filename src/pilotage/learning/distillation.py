"""Distillation of a controller into a network policy by dataset aggregation (DAgger)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core import Belief, Controller, Dynamics, Rng, SettingError, Task, seeded
from ..core.arrays import Array
from ..core.settings import Count, Fraction, instance, setting
from .imitation import Training
from .lessons import Lessons, demonstrate, drive
from .policy import NetworkPolicy


@dataclass(frozen=True)
class Round:
    """The progress of distillation after a round.

    Attributes:
        number, of: number of this round, and of all rounds.
        states: number of states in the data set.
        loss: mean squared error of the policy's actions on held-out states, in units of half of their range.
        cost: mean cost of the policy's own episodes.

    Example:
        >>> Round(1, 5, states=400, loss=0.02, cost=130.0).of
        5
    """

    number: int
    of: int
    states: int
    loss: float
    cost: float


@dataclass(frozen=True, eq=False)
class Distilled:
    """The result of distillation.

    Attributes:
        policy: the policy of the round with the smallest cost.
        rounds: history of the distillation.
        lessons: all plans of the teacher, for more training.
        seed: seed that replays the distillation; None if a running generator was given.

    Example:
        >>> from pilotage.control import ILQR, reach
        >>> from pilotage.models import double_integrator
        >>> cart = double_integrator(1)
        >>> home = reach(cart, [0.0, 0.0])
        >>> found = distill(ILQR(cart, home, horizon=10), cart, home, starts=[1.0, 0.0], rounds=1, length=20, rng=0)
        >>> len(found.rounds), found.seed
        (1, 0)
    """

    policy: NetworkPolicy
    rounds: tuple[Round, ...]
    lessons: Lessons
    seed: int | None


def distill(
    teacher: Controller,
    dynamics: Dynamics,
    task: Task,
    *,
    starts: Any = None,
    rounds: int = 5,
    episodes: int = 10,
    length: int | None = None,
    steps: int = 1,
    beta: float = 0.5,
    patience: int = 3,
    training: Training | None = None,
    rng: Rng = None,
    progress: Callable[[Round], None] | None = None,
) -> Distilled:
    """Train a network policy to imitate a controller on the states that the policy itself visits (DAgger).

    ::

        pi_i = teacher with probability beta^i at each step, else the policy        i = 0, 1, ...
        D   <- D + {(x, plan of the teacher in x)},   x from episodes of pi_i
        policy_{i+1} = argmin sum_D |policy(x) - plan|^2

    The first round is driven by the teacher alone. After each round, the policy drives episodes of its own from starts
    that are used for nothing else, and the policy with the smallest mean cost is returned. States in which the teacher
    falls back are not learned from.

    Args:
        teacher: the controller to imitate; any, with state or not.
        dynamics, task: the model on which the episodes are driven, and their cost.
        starts: a belief from which initial states are drawn, or an array ``(N, n)`` of them; default: `task.initial`.
        rounds: largest number of rounds.
        episodes: number of episodes per round, and of the evaluation.
        length: number of steps per episode; default: the horizon of the task.
        steps: number of actions H of the teacher's plan that the policy learns; more than 1 for a warm start in one
            evaluation. The teacher's actions must then have plans of at least this length.
        beta: probability of the teacher's action in the second round; it decays geometrically.
        patience: number of rounds without a smaller cost after which distillation ends.
        training: settings of networks and training.
        rng: seed or generator of starts, mixture, weights and batches.
        progress: a function that is called after every round, such as `print`.

    Raises:
        SettingError: if a setting is out of its range, starts are missing, or the teacher's plans are too short.
        PilotageError: if the teacher gives no usable action, or training diverges.

    Source: Ross, Gordon and Bagnell, "A reduction of imitation learning and structured prediction to no-regret online
    learning", AISTATS 2011, algorithm 3.1.

    Example:
        >>> from pilotage.control import ILQR, reach
        >>> from pilotage.models import double_integrator
        >>> cart = double_integrator(1)
        >>> home = reach(cart, [0.0, 0.0])
        >>> starts = cart.state.sample(20, rng=0)
        >>> found = distill(ILQR(cart, home, horizon=10), cart, home, starts=starts, rounds=1, length=20, rng=0)
        >>> len(found.lessons), found.policy.act([1.0, 0.0]).u.shape
        (200, (1,))
    """
    instance(
        teacher, Controller, "distill", "; its method act(state, t) returns an Action, and reset() begins an episode"
    )
    instance(dynamics, Dynamics, "distill")
    task = instance(task, Task, "distill").on(dynamics.state, dynamics.action)
    rounds, episodes, steps = (
        setting(v, Count, n) for v, n in ((rounds, "rounds"), (episodes, "episodes"), (steps, "steps"))
    )
    ticks: int = setting(task.horizon if length is None else length, Count, "length")
    beta, patience = setting(beta, Fraction, "beta"), setting(patience, Count, "patience")
    training, (stream, seed) = training or Training(), seeded(rng)
    first = _starts(starts, task, dynamics)
    trials = first(episodes, stream)
    lessons = Lessons.none(dynamics.state.size, task.stage.size, steps, dynamics.action.size)
    course: list[Round] = []
    policy: NetworkPolicy | None = None
    best: tuple[float, NetworkPolicy] | None = None
    for i in range(rounds):
        driven = [demonstrate(teacher, policy, dynamics, task, x, ticks, steps, beta**i, stream)
                  for x in first(episodes, stream)]  # fmt: skip
        lessons = Lessons.joined([lessons, *driven])
        policy = training.fit(policy, dynamics, task, lessons, stream)
        cost = float(np.mean([drive(policy, dynamics, task, x, ticks) for x in trials]))
        cost = math.inf if math.isnan(cost) else cost
        course.append(Round(i + 1, rounds, len(lessons), policy.metrics["loss"], cost))
        if progress is not None:
            progress(course[-1])
        if best is None or cost < best[0]:
            best = cost, policy
        if i + 1 - min(course, key=lambda each: each.cost).number >= patience:
            break
    assert best is not None, "there is one round at least"
    best[1].metrics.update(cost=best[0], seed=seed)
    return Distilled(best[1], tuple(course), lessons, seed)


def _starts(starts: Any, task: Task, dynamics: Dynamics) -> Callable[[int, np.random.Generator], Array]:
    """A function that draws initial states ``(N, n)``."""
    starts = task.initial if starts is None else starts
    if starts is None:
        raise SettingError("starts is missing, and the task has no initial belief; give a belief or states (N, n)")
    if isinstance(starts, Belief):
        return lambda count, rng: np.asarray(starts.sample(count, rng=rng))
    xs = np.atleast_2d(dynamics.state.check(starts, "starts"))
    return lambda count, rng: xs[rng.integers(len(xs), size=count)]
