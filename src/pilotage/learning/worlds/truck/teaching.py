"""Teaching the truck to dock between walls: the oracle judges the steering angles where the student is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ....core.arrays import Array
from ....core.settings import Count, Fraction, Positive, settings
from ....envs.truck.starts import starts
from ..._threads import threads_for, weights
from ...records import Record, Trained
from ...training import train
from ...training_settings import TrainingSettings
from ._grid import advance_all
from .oracle import TANGENTS, TruckOracle, Value
from .oracle import located as placed
from .walls import FINE, WallsPolicy, features

HOPELESS = 0.02
"""A state of a smaller value teaches nothing; its episode ends."""


@settings(kw_only=True)
class WallsSettings(TrainingSettings):
    """Settings of the teaching, besides those of every training.

    Attributes:
        hidden: width of each hidden layer.
        trucks: number of trucks that drive, and of states per gradient step.
        temperature: difference of two values by which the steering of the smaller one is e times less likely.
        guided: share of the decisions that the oracle takes.
        decisions: largest number of decisions of an episode.
        held_out: number of starts of a validation.

    Example:
        >>> WallsSettings(hidden=(64, 64)).trucks
        1024
    """

    steps: Count = 9000
    rate: Positive = 2e-3
    warm_up: Count = 200
    validate_every: Count = 1500
    hidden: tuple[Count, ...] = (128, 128)
    trucks: Count = 1024
    temperature: Positive = 0.005
    guided: Fraction = 0.1
    decisions: Count = 300
    held_out: Count = 4000


class Student:
    """A policy in training, as `train` takes it; its trucks drive on from one gradient step to the next.

    ::

        loss = mean over trucks of  -sum_i p_i log softmax(g(phi))_i,     p = softmax(Q(s, .) / temperature)

    where Q(s, i) is the oracle's value after steering angle i. Angles that cost little are nearly as likely as the best
    one, so that errors count by what they cost. The student drives itself, and learns in the states that it meets.

    Args:
        policy: the policy to train.
        oracle, value: the oracle and its value.
        options: settings of the teaching.

    Source: Ross, Gordon and Bagnell, "A reduction of imitation learning and structured prediction to no-regret online
    learning", AISTATS 2011 (DAgger); Ross and Bagnell, "Reinforcement and imitation learning via interactive no-regret
    learning", 2014, for costs instead of actions.
    """

    def __init__(self, policy: WallsPolicy, oracle: TruckOracle, value: Value, options: WallsSettings) -> None:
        self.modules: Mapping[str, torch.nn.Module] = {"policy": policy.network}
        self.policy, self.oracle, self.value, self.options = policy, oracle, value, options
        self.places, self.ages = np.empty((0, 4)), np.empty(0, dtype=np.int64)

    def loss(self, step: int, generator: np.random.Generator) -> tuple[torch.Tensor, Mapping[str, Any]]:
        """The loss in the present states of the trucks, which then drive on."""
        self._refill(generator)
        judged = self.oracle.action_values(self.value, self.places)
        phi, sign = features(list(self.places.T), np)
        logits = torch.log_softmax(self.policy.network(torch.as_tensor(phi, dtype=torch.float32)), -1)
        chosen = np.where(sign < 0.0, len(FINE) - 1 - logits.detach().argmax(-1).numpy(), logits.detach().argmax(-1))
        best, hopeful = judged.argmax(-1), judged.max(-1) > HOPELESS
        lost = judged.max(-1) - judged[np.arange(len(judged)), chosen]
        share = self.options.guided if step >= self.options.warm_up else 1.0
        self._drive(np.where(generator.random(len(chosen)) < share, best, chosen), hopeful)
        counted = hopeful / max(1, hopeful.sum())
        return self._divergence(judged, sign, logits, counted), {"value_lost": float(counted @ lost)}

    def _divergence(self, judged: Array, sign: Array, logits: torch.Tensor, counted: Array) -> torch.Tensor:
        """The cross-entropy of the student's probabilities and those that the values of the angles give."""
        mirrored = np.where(sign[:, None] < 0.0, judged[:, ::-1], judged)
        wanted = torch.softmax(torch.as_tensor(mirrored / self.options.temperature, dtype=torch.float32), -1)
        return -(torch.as_tensor(counted, dtype=torch.float32) @ (wanted * logits).sum(-1))

    def validate(self) -> Mapping[str, Any]:
        """The share of starts that the policy does not dock, as the score; no evaluation draws these starts."""
        first = starts("E3", self.options.held_out, np.random.default_rng([self.options.seed, 1]))
        docked = docks(self.policy, first, self.options.decisions)
        return {"score": 1.0 - docked.mean(), "docked": docked.mean()}

    def state(self) -> dict[str, Any]:
        """The trucks, for a run that is resumed."""
        return {"places": self.places.tolist(), "ages": self.ages.tolist()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Put the trucks where `state` found them."""
        self.places, self.ages = np.array(state["places"]).reshape(-1, 4), np.array(state["ages"], dtype=np.int64)

    def _refill(self, generator: np.random.Generator) -> None:
        """Start new trucks for those whose episodes have ended."""
        count = self.options.trucks - len(self.places)
        self.places = np.concatenate([self.places, placed(starts("E3", count, generator))])
        self.ages = np.concatenate([self.ages, np.zeros(count, dtype=np.int64)])

    def _drive(self, chosen: NDArray[np.int64], hopeful: NDArray[np.bool_]) -> None:
        """Let the trucks drive one step, and keep those whose episodes go on."""
        flags = np.zeros(len(chosen), dtype=np.int64)
        advance_all(self.places, TANGENTS[chosen], True, flags)
        kept = hopeful & (flags == 0) & (self.ages + 1 < self.options.decisions)
        self.places, self.ages = self.places[kept], self.ages[kept] + 1


def docks(policy: WallsPolicy, first: Array, decisions: int) -> NDArray[np.bool_]:
    """Whether the policy docks trucks from states ``(N, 4)`` between the walls, all in one batch ``(N,)``."""
    places, docked, active = placed(first), np.zeros(len(first), dtype=bool), np.arange(len(first))
    for _ in range(decisions):
        flags = np.zeros(len(places), dtype=np.int64)
        advance_all(places, np.tan(policy.steers(places)), True, flags)
        docked[active[flags == 1]] = True
        places, active = places[flags == 0], active[flags == 0]
        if not active.size:
            break
    return docked


def teach(
    settings: WallsSettings | None = None,
    oracle: TruckOracle | None = None,
    value: Value | None = None,
    folder: str | Path | None = None,
    *,
    resume: bool = False,
    progress: Callable[[Record], None] | None = None,
) -> tuple[WallsPolicy, Trained]:
    """A policy that docks between the walls, and the record of its training.

    Args:
        settings: settings of the teaching.
        oracle: the oracle that judges; default: `TruckOracle()`.
        value: its value; default: `oracle.solve()`.
        folder: folder of the run; None to keep nothing.
        resume: whether to continue the run in the folder.
        progress: a function that is called after every validation.

    Raises:
        SettingError: if there is a run in the folder that cannot be continued, or the value is of another oracle.
        PilotageError: if training diverges.

    Example:
        >>> settings = WallsSettings(steps=2, hidden=(8,), trucks=16, held_out=50)
        >>> policy, trained = teach(settings, TruckOracle(shape=(12, 6, 12, 7)))
        >>> policy, trained.best.step
        (WallsPolicy(hidden=[8]), 2)
    """
    settings, oracle = settings or WallsSettings(), oracle or TruckOracle()
    policy = WallsPolicy.new(settings.hidden, seed=settings.seed)
    student = Student(policy, oracle, oracle.solve() if value is None else value, settings)
    with threads_for(settings.trucks * weights(policy.network)):
        trained = train(student, settings, folder, resume=resume, progress=progress)
    policy.network.double()
    policy.refresh()
    return policy, trained
