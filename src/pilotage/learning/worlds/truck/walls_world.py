"""The world `truck_walls`: the truck that docks between the walls of the yard, judged beside the oracle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ....core.arrays import Array
from ....core.settings import Count, Natural, settings
from ...evaluation import SuccessRate
from ...records import Record
from .evaluate import WALLS_BUDGET, TruckOptions
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
    budget: Count = WALLS_BUDGET
    seed: Natural = 0
    oracle: bool = True

    @property
    def conditions(self) -> TruckOptions:
        """The same conditions for the world `truck`, with their protocol."""
        return TruckOptions(distribution="E3", starts=self.starts, budget=self.budget, seed=self.seed)


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
        first = options.conditions.draw()[:, :4]
        rate = options.conditions.protocol.rate(docks(policy, first, options.budget))
        told = {"success": rate.to_json()}
        return {**told, **beside_oracle(rate, first, options)} if options.oracle else told


def beside_oracle(rate: SuccessRate, first: Array, options: WallsOptions) -> Any:
    """The success rate of the oracle from the same starts, and the policy's share of what the oracle docks."""
    oracle = TruckOracle()
    feasible = options.conditions.protocol.rate(oracle.drive(oracle.solve(), first, options.budget).docked)
    low, share, high = rate.within(feasible)
    return {"oracle": feasible.to_json(), "of_feasible": share, "of_feasible_interval": [low, high]}
