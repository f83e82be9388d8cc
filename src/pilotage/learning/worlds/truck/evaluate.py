"""The evaluation of a policy of the truck: all trucks of a protocol in one batch, with the environment's verdict."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ....core.arrays import Array
from ....core.settings import Count, Natural, setting, settings
from ....envs.truck.env import REACH
from ....envs.truck.starts import starts
from ....envs.truck.yard import TOLERANCE, verdict
from ...evaluation import EvaluationProtocol
from .kinematics import STEERING, backed

BUDGET, WALLS_BUDGET = 200, 300
"""Decisions of 0.4 m in an episode: 80 m, twice the length of the yard; between walls, some detours take 120 m."""
Bools = NDArray[np.bool_]
Name = Literal[
    "oracle", "policy", "lqr", "limited-lqr", "feedback-linearization", "hybrid-astar", "ilqr", "mppi"
]  # fmt: skip
"""Names of controllers; see `pilotage.learning.worlds.truck.compare`."""


@settings(kw_only=True)
class TruckOptions:
    """Settings of the evaluation; they are the frozen protocol of its result.

    Attributes:
        distribution: starts "E1" (trailer within 90 degrees of the dock), "E2" (any heading) or "E3" (any heading, and
            the walls of the yard count).
        goal: "dock" in the middle of the wall, or "wall": anywhere within 8 m of it, at a new place in each episode.
        starts: number of episodes.
        budget: largest number of decisions of 0.4 m in an episode; None: 200, and 300 with "E3".
        seed: seed of starts and docks.
        controller: the learned "policy", all trucks in one batch; or another controller, one truck after the other,
            whose decisions are timed. It is no part of the protocol: controllers are compared under one protocol.

    Example:
        >>> TruckOptions(distribution="E2").protocol.hash == TruckOptions(distribution="E2", seed=1).protocol.hash
        False
        >>> TruckOptions().limit, TruckOptions(distribution="E3").limit
        (200, 300)
    """

    distribution: Literal["E1", "E2", "E3"] = "E1"
    goal: Literal["dock", "wall"] = "dock"
    starts: Count = 4000
    budget: Count | None = None
    seed: Natural = 0
    controller: Name = "policy"

    @property
    def limit(self) -> int:
        """The largest number of decisions in an episode."""
        return self.budget or (WALLS_BUDGET if self.distribution == "E3" else BUDGET)

    @property
    def protocol(self) -> EvaluationProtocol:
        """The conditions, as they go into every result."""
        return EvaluationProtocol(
            world="truck", starts=self.distribution, goals=self.goal, budget=self.limit, episodes=self.starts,
            seed=self.seed, success=(("lateral", TOLERANCE[0]), ("heading", TOLERANCE[1])),
        )  # fmt: skip

    def draw(self) -> Array:
        """The first states ``(starts, 5)``, with the place of the dock."""
        rng = np.random.default_rng(self.seed)
        x = starts(self.distribution, self.starts, rng)
        dock = rng.uniform(-REACH, REACH, self.starts) if self.goal == "wall" else np.zeros(self.starts)
        return np.column_stack([x, dock])


class Ends(NamedTuple):
    """The ends of episodes ``(N,)``. An episode that is none of these missed the dock or ran out of decisions.

    Attributes:
        docked: within 0.5 m and 10 degrees.
        docked_strictly: within 0.2 m and 5 degrees.
        jackknifed: a hitch angle beyond 90 degrees.
        outside: left the yard, where its walls count.
        decisions: number of decisions until the end.
        last: last states ``(N, 5)``.
    """

    docked: Bools
    docked_strictly: Bools
    jackknifed: Bools
    outside: Bools
    decisions: NDArray[np.int64]
    last: Array


def drive(
    steer: Callable[[torch.Tensor], torch.Tensor], first: Array, budget: int = BUDGET, *, walls: bool = False
) -> Ends:
    """The ends of the episodes that a policy drives from first states ``(N, 5)``, as in the environment.

    Args:
        steer: steering angles ``(N,)`` for states ``(N, 4)`` whose y is relative to the dock.
        first: first states, with the place of the dock.
        budget: largest number of decisions.
        walls: whether the walls of the yard end an episode.

    Example:
        >>> ends = drive(lambda x: torch.zeros(len(x)), np.array([[6.0, 1.0, 0.0, 0.0, 1.0]]))
        >>> ends.docked.tolist(), ends.decisions.tolist()
        ([True], [5])
    """
    x, active = np.array(first, dtype=np.float64), np.arange(len(first))
    signals = {name: np.zeros(len(x), dtype=bool) for name in ("docked", "docked_strictly", "jackknifed", "outside")}
    decisions = np.full(len(x), setting(budget, Count, "budget"), dtype=np.int64)
    for k in range(budget):
        x[active, :4] = _decided(steer, x[active])
        told = {name: np.asarray(values, dtype=bool) for name, values in verdict(x[active]).items()}
        told["outside"] = told["outside"] & ~_arrived(x[active]) & walls
        ended = _arrived(x[active]) | told["jackknifed"] | told["outside"]
        for name, values in signals.items():
            values[active] = told[name] & ended
        decisions[active[ended]] = k + 1
        active = active[~ended]
        if not active.size:
            break
    return Ends(**signals, decisions=decisions, last=x)


def _decided(steer: Callable[[torch.Tensor], torch.Tensor], x: Array) -> Array:
    """The states ``(N, 4)`` after a decision."""
    here = torch.as_tensor(x[:, :4])
    shift = torch.as_tensor(x[:, 4])
    with torch.no_grad():
        relative = here - torch.stack((0 * shift, shift, 0 * shift, 0 * shift), -1)
        return backed(here, steer(relative).to(here).clamp(-STEERING, STEERING)).numpy()


def _arrived(x: Array) -> Bools:
    """Whether the trailer's axle has reached the wall of the dock."""
    return np.asarray(x[:, 0] - 4.0 * np.cos(x[:, 3]) <= 0.0)


def evaluate(steer: Callable[[torch.Tensor], torch.Tensor], options: TruckOptions) -> dict[str, Any]:
    """The success rate of a policy under the protocol of `options`, and how the other episodes ended, for JSON."""
    ends = drive(steer, options.draw(), options.limit, walls=options.distribution == "E3")
    late = ~_arrived(ends.last) & ~ends.jackknifed & ~ends.outside
    won = ends.decisions[ends.docked]
    return {
        "success": options.protocol.rate(ends.docked).to_json(),
        "strict": float(ends.docked_strictly.mean()),
        "jackknifed": float(ends.jackknifed.mean()),
        "outside": float(ends.outside.mean()),
        "out_of_budget": float(late.mean()),
        "missed": float((_arrived(ends.last) & ~ends.docked & ~ends.jackknifed & ~ends.outside).mean()),
        "median_decisions": float(np.median(won)) if won.size else None,
    }


def examined(steer: Callable[[torch.Tensor], torch.Tensor], starts: int = 4000, seed: int = 99) -> dict[str, Any]:
    """The results of `evaluate` from E1, from E2, and from E1 with docks anywhere on the wall ("wall").

    Example:
        >>> told = examined(lambda x: torch.zeros(len(x)), starts=50)
        >>> sorted(told), told["E1"]["success"]["share"] < 0.2
        (['E1', 'E2', 'wall'], True)
    """
    exams = {
        "E1": TruckOptions(distribution="E1", starts=starts, seed=seed),
        "E2": TruckOptions(distribution="E2", starts=starts, seed=seed),
        "wall": TruckOptions(distribution="E1", goal="wall", starts=starts, seed=seed),
    }
    return {name: evaluate(steer, options) for name, options in exams.items()}
