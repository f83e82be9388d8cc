"""Recovery: a search in the model finds turns after which a policy docks trucks that it fails; it learns them."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from ....core.settings import Count, Natural, Positive, settings
from ....envs.truck.yard import STRICT, TOLERANCE
from ...records import Trained
from ...training import train
from ...training_settings import TrainingSettings
from .evaluate import BUDGET
from .kinematics import STEERING, TRAILER, docked, running, wrapped
from .lessons import Model, region
from .policy import TruckPolicy

TURNS = (-math.radians(70.0), math.radians(70.0))
"""Hitch angles that a turn holds [rad]."""
LONGEST, EVERY = 59, 3
"""Decisions of the longest turn, and between the ends that are tried."""
GAIN = 1.5
"""Gain by which a turn brings the hitch to its angle [1/m]."""
SURE = (0.35, math.radians(7.0))
"""Tolerance within which an episode counts as docked in the search: narrower than the rule, so that a copy docks."""
STEEPEST = math.radians(83.0)
"""Largest hitch angle in a turn [rad]."""
OWN, PUSHED = 1024, 100
"""Own decisions in a batch, and the most decisions of turns."""
CLOSE = (3.0, 0.4)
"""Depth [m] and headings [180 degrees] of the region from which most of the starts are drawn: there, most trucks have
to turn away from the dock first."""
EMPHASIS = 1.5
"""Share of turns in a batch, relative to that in the examples."""
Examples = tuple[torch.Tensor, torch.Tensor]
"""States ``(M, 4)`` and steering angles ``(M,)``."""


@settings(kw_only=True)
class RecoverySettings(TrainingSettings):
    """Settings of the rounds of recovery.

    Attributes:
        steps: number of gradient steps in a round.
        rate: learning rate, which is halved after a round that does harm.
        rounds: number of rounds; 0 for none.
        starts: number of starts that are driven in a round.
        horizon: largest number of decisions in an episode.

    Example:
        >>> RecoverySettings().rounds
        10
    """

    steps: Count = 300
    rate: Positive = 3e-4
    warm_up: Natural = 20
    clip: Positive | None = None
    validate_every: Count = 100
    rounds: Natural = 10
    starts: Count = 3000
    horizon: Count = BUDGET


class Episodes(NamedTuple):
    """Episodes that a policy drove in a model.

    Attributes:
        last: last states ``(N, 4)``.
        decisions: number of decisions ``(N,)``.
        rows, xs, steers: episode, state and steering angle of each decision ``(M,)``, ``(M, 4)``, ``(M,)``.
    """

    last: torch.Tensor
    decisions: torch.Tensor
    rows: torch.Tensor
    xs: torch.Tensor
    steers: torch.Tensor

    def docked(self, rule: tuple[float, float] = SURE) -> torch.Tensor:
        """Whether each truck docked within a distance [m] and an angle [rad]."""
        return docked(self.last, *rule)


class Turns(NamedTuple):
    """Turns after which the policy docks.

    Attributes:
        xs, steers: states ``(M, 4)`` and steering angles ``(M,)`` of all decisions.
        ends: last state of each turn ``(K, 4)``.
    """

    xs: torch.Tensor
    steers: torch.Tensor
    ends: torch.Tensor


def driven(policy: TruckPolicy, model: Model, x: torch.Tensor, budget: int) -> Episodes:
    """The episodes from starts ``(N, 4)``, with at most `budget` decisions."""
    last, decisions, rows = x.clone(), x.new_full((len(x),), budget), torch.arange(len(x))
    seen: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []
    for k in range(budget):
        steers = policy(x)
        seen.append((rows, x, steers))
        x = model(x, steers)
        last[rows], decisions[rows] = x, k + 1.0
        going = running(x)
        x, rows = x[going], rows[going]
        if not len(x):
            break
    return Episodes(last, decisions, *(torch.cat(parts) for parts in zip(*seen, strict=True)))


def turn(model: Model, x: torch.Tensor, hitch: float, length: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A turn with a held hitch angle: states ``(length + 1, N, 4)``, steering angles, and which trucks still go.

    ::

        tan steer = sin(bent) / d + gain (bent - hitch):    on a circle, the first term holds the hitch angle
    """
    xs, steers, going = [x], list[torch.Tensor](), [torch.ones(len(x), dtype=torch.bool)]
    for _ in range(length):
        bent = wrapped(x[:, 2] - x[:, 3])
        steers.append(torch.atan(torch.sin(bent) / TRAILER + GAIN * (bent - hitch)).clamp(-STEERING, STEERING))
        x = model(x, steers[-1])
        xs.append(x)
        going.append(going[-1] & running(x) & (wrapped(x[:, 2] - x[:, 3]).abs() < STEEPEST))
    return torch.stack(xs), torch.stack(steers), torch.stack(going)


def search(policy: TruckPolicy, model: Model, x: torch.Tensor, budget: int) -> Turns:
    """The turns after which a policy docks trucks ``(N, 4)`` that it fails.

    A turn holds the hitch at 70 degrees, to the left or right, for a number of decisions; then the policy takes over.
    Of the turns after which it docks, that with the fewest decisions in all is kept. The model alone is asked.

    Source: Tesauro and Galperin, "On-line policy improvement using Monte-Carlo search", NeurIPS 1996, for episodes of
    the policy itself as the value of an action.
    """
    best, length = x.new_full((len(TURNS), len(x)), math.inf), torch.zeros((len(TURNS), len(x)))
    turns = [turn(model, x, hitch, LONGEST) for hitch in TURNS]
    for number, (xs, _, going) in enumerate(turns):
        for k in range(2, LONGEST + 1, EVERY):
            here = torch.nonzero(going[k])[:, 0]
            if not len(here):
                break
            after = driven(policy, model, xs[k, here], max(1, budget - k))
            total = torch.where(after.docked(), after.decisions + k, math.inf)
            better = total < best[number, here]
            best[number, here[better]], length[number, here[better]] = total[better], float(k)
    choice, found = best.argmin(0), best.min(0).values.isfinite()
    used = [
        (torch.arange(LONGEST)[:, None] < length[number]) & (choice == number) & found for number in range(len(TURNS))
    ]
    ends = [xs[length[n][choice == n].long(), choice == n] for n, (xs, _, _) in enumerate(turns)]
    ends = [end[found[choice == n]] for n, end in enumerate(ends)]
    states = [xs[:-1][mask] for (xs, _, _), mask in zip(turns, used, strict=True)]
    steers = [steers[mask] for (_, steers, _), mask in zip(turns, used, strict=True)]
    return Turns(torch.cat(states), torch.cat(steers), torch.cat(ends))


class Recovery:
    """The trainee of a round: the policy keeps its decisions in episodes that it docks, and learns the turns elsewhere.

    ::

        loss = (sum over 1024 own decisions + sum over some decisions of turns of  (policy(x) - steer)^2) / 1024

    The turns weigh little, 1.5 times their share in all decisions: a push suffices, after which the policy itself
    turns and docks; exact copies of the turns blur what it does elsewhere. The weights with the fewest failures in the
    model are kept.

    Args:
        policy: the policy, which is trained in place.
        model: model of a decision, such as an emulator.
        horizon: largest number of decisions in an episode.
        seed: seed of the starts of this round, and that of the examination, which is the same in all rounds.
        count: number of starts.

    Source: Ross, Gordon and Bagnell, "A reduction of imitation learning and structured prediction to no-regret online
    learning", AISTATS 2011, for imitation in rounds.
    """

    def __init__(
        self, policy: TruckPolicy, model: Model, horizon: int, seed: tuple[int, int], count: int = 4000
    ) -> None:
        self.policy, self.model, self.horizon = policy, model, horizon
        self.modules: dict[str, torch.nn.Module] = {"policy": policy.network}
        self.kind = next(policy.network.parameters())
        self.exam = self._starts(0.5, (seed[0], 0), count)
        self.own, self.turns = self._examples(seed, count)
        self.pushed = int(np.clip(EMPHASIS * OWN * len(self.turns[0]) / max(1, len(self.own[0])), 5, PUSHED))

    def loss(self, step: int, generator: np.random.Generator) -> tuple[torch.Tensor, dict[str, Any]]:
        """The mean squared error of the steering, on a batch of own decisions with a few of turns."""
        own, pushed = self._error(self.own, OWN, generator), self._error(self.turns, self.pushed, generator)
        return (own + pushed) / OWN, {"own": own.detach() / OWN, "pushed": pushed.detach() / self.pushed}

    def validate(self) -> dict[str, float]:
        """The score: the share of trucks that are not docked, and a tenth of that of those not docked strictly."""
        told = driven(self.policy, self.model, self.exam, self.horizon)
        failures = [1.0 - float(told.docked(rule).double().mean()) for rule in (TOLERANCE, STRICT)]
        return {"score": failures[0] + 0.1 * failures[1], "failed": failures[0]}

    def _examples(self, seed: tuple[int, int], count: int) -> tuple[Examples, Examples]:
        """The decisions in docked episodes and after turns, and those of the turns for a part of the others."""
        with torch.no_grad():
            x = self._starts(0.7, seed, count)
            told = driven(self.policy, self.model, x, self.horizon)
            won = told.docked()
            found = search(self.policy, self.model, x[~won][: count // 5], self.horizon)
            after = driven(self.policy, self.model, found.ends, self.horizon)
        kept = won[told.rows]
        own = torch.cat((told.xs[kept], after.xs)), torch.cat((told.steers[kept], after.steers))
        return own, (found.xs, found.steers)

    def _starts(self, near: float, seed: tuple[int, int], count: int) -> torch.Tensor:
        return torch.as_tensor(region(1.0, count, np.random.default_rng([*seed, 2]), near, *CLOSE)).to(self.kind)

    def _error(self, examples: Examples, count: int, generator: np.random.Generator) -> torch.Tensor:
        """The sum of squared errors on some of the examples."""
        xs, steers = examples
        if not len(xs):
            return self.kind.new_zeros(())
        rows = torch.as_tensor(generator.integers(len(xs), size=count))
        return (self.policy(xs[rows]) - steers[rows]).square().sum()


def recover(
    policy: TruckPolicy, model: Model, settings: RecoverySettings, folder: Path | None = None, **more: Any
) -> list[Trained]:
    """Rounds of recovery; a round after which the policy fails more often is undone, and the rate halved.

    Args:
        policy: the policy, which is trained in place.
        model: model of a decision.
        settings: settings of the rounds.
        folder: folder in which each round has its own.
        more: the arguments `resume` and `progress` of `train`.
    """
    done: list[Trained] = []
    least, kept, rate = math.inf, copy.deepcopy(policy.network.state_dict()), settings.rate
    for number in range(1, settings.rounds + 1):
        trainee = Recovery(policy, model, settings.horizon, (settings.seed, number), settings.starts)
        if number == 1:
            with torch.no_grad():
                least = trainee.validate()["score"]
        place = None if folder is None else folder / f"round-{number}"
        done.append(train(trainee, replace(settings, rate=rate), place, **more))
        if done[-1].best.score < least:
            least, kept = done[-1].best.score, copy.deepcopy(policy.network.state_dict())
        else:
            rate *= 0.5
        policy.network.load_state_dict(kept)
    return done
