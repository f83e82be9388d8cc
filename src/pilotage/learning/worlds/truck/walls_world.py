"""The world `truck_walls`: the truck that docks between the walls of the yard, judged beside the oracle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ....core.settings import Count, Natural, settings
from ....envs.truck.starts import starts
from ....envs.truck.yard import TOLERANCE
from ...evaluation import EvaluationProtocol, SuccessRate
from ...records import Record
from .oracle import TruckOracle
from .teaching import WallsSettings, docks, teach
from .walls import WEIGHTS, WallsPolicy


@settings(kw_only=True)
class WallsOptions:
    """Settings of the evaluation.

    Attributes:
        starts: number of episodes, from the starts E3.
        budget: largest number of decisions of 0.4 m in an episode.
        seed: seed of the starts.
        oracle: whether to drive the oracle from the same starts, which takes it ten seconds to solve.

    Example:
        >>> WallsOptions(starts=100).budget
        300
    """

    starts: Count = 4000
    budget: Count = 300
    seed: Natural = 0
    oracle: bool = True

    @property
    def protocol(self) -> EvaluationProtocol:
        """The conditions, as they go into every result."""
        return EvaluationProtocol(
            world="truck", starts="E3", goals="dock", budget=self.budget, episodes=self.starts, seed=self.seed,
            success=(("lateral", TOLERANCE[0]), ("heading", TOLERANCE[1])),
        )  # fmt: skip


class TruckWalls:
    """A truck docks between walls, backing up alone; an oracle teaches it, and tells what is feasible.

    Example:
        >>> TruckWalls().evaluate(None, WallsOptions(starts=200, oracle=False))["success"]["episodes"]
        200
    """

    settings = WallsSettings
    options = WallsOptions

    def train(
        self,
        settings: WallsSettings,
        folder: Path,
        *,
        resume: bool = False,
        progress: Callable[[Record], None] | None = None,
    ) -> Mapping[str, Any]:
        """Solve the oracle, let it teach, and save a `WallsPolicy` in the folder."""
        policy, trained = teach(settings, folder=folder, resume=resume, progress=progress)
        policy.metrics.update(docked=trained.best.metrics["docked"], budget=settings.decisions, seed=settings.seed)
        policy.save(folder)
        return trained.to_json()

    def evaluate(self, folder: Path | None, options: WallsOptions) -> Mapping[str, Any]:
        """The success rate of the policy in the folder, or of that in the package; and of what the oracle docks."""
        policy = WallsPolicy.load(WEIGHTS if folder is None else folder)
        first = starts("E3", options.starts, np.random.default_rng(options.seed))
        rate = options.protocol.rate(docks(policy, first, options.budget))
        told = {"success": rate.to_json()}
        return {**told, **beside_oracle(rate, first, options)} if options.oracle else told


def beside_oracle(rate: SuccessRate, first: np.ndarray[Any, np.dtype[np.float64]], options: WallsOptions) -> Any:
    """The success rate of the oracle from the same starts, and the policy's share of what the oracle docks."""
    oracle = TruckOracle()
    feasible = options.protocol.rate(oracle.drive(oracle.solve(), first, options.budget).docked)
    low, share, high = rate.within(feasible)
    return {"oracle": feasible.to_json(), "of_feasible": share, "of_feasible_interval": [low, high]}
