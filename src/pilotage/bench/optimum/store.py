"""Optimal costs that were computed once, as files."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ...core.arrays import Array
from ...core.errors import PilotageError
from ...io.atomic import write_atomic

DATA = Path(__file__).parents[1] / "data"
PROOFS = 2
"""Number of seeds whose optimal actions are stored, to prove the costs."""


@cache
def record(name: str) -> dict[str, Any]:
    """The file of a task, with the keys `task`, `method`, `costs` of seeds 0, 1, ..., `mean`, `convergence`, and
    `states` and `actions` of the first seeds.

    Example:
        >>> len(record("pendulum_v1")["costs"])
        100
    """
    return json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))


def known(name: str) -> Callable[[int], float | None]:
    """The function from a seed to the stored optimal cost of a task; None for seeds that are not stored.

    Example:
        >>> known("pendulum_v1")(100) is None
        True
    """

    def optimum(seed: int) -> float | None:
        costs = record(name)["costs"]
        return costs[seed] if 0 <= seed < len(costs) else None

    return optimum


def proof(name: str) -> dict[int, tuple[Array, Array]]:
    """The stored optimal states ``(T + 1, n)`` and actions ``(T, m)`` of the first seeds.

    Both are stored, because plans that balance upright cannot be simulated again from rounded actions alone.

    Example:
        >>> xs, us = proof("pendulum_v1")[0]
        >>> xs.shape, us.shape
        ((201, 2), (200, 1))
    """
    kept = record(name)
    return {int(seed): (np.array(kept["states"][seed]), np.array(us)) for seed, us in kept["actions"].items()}


Plan = tuple[Array, Array]
"""States ``(T + 1, n)`` and actions ``(T, m)``."""


def keep(name: str, method: str, costs: list[float], plans: list[Plan], convergence: dict[str, Any]) -> None:
    """Write the file of a task."""
    if not all(map(math.isfinite, costs)):
        raise PilotageError(f"{name}: no plan was found for seeds {[i for i, c in enumerate(costs) if math.isinf(c)]}")
    kept = {
        "task": name, "method": method, "convergence": convergence, "costs": [round(cost, 6) for cost in costs],
        "states": {}, "actions": {},
    }  # fmt: skip
    for seed, plan in enumerate(plans[:PROOFS]):
        _prove(kept, seed, plan)
    _write(kept)


def lower(name: str, seed: int, cost: float, plan: Plan) -> None:
    """Write a lower cost of one seed into the file of a task."""
    record.cache_clear()
    kept = record(name)
    kept["costs"][seed] = round(cost, 6)
    if seed < PROOFS:
        _prove(kept, seed, plan)
    _write(kept)


def _prove(kept: dict[str, Any], seed: int, plan: Plan) -> None:
    for key, rows in zip(("states", "actions"), plan):
        kept[key][str(seed)] = rows.round(9).tolist()


def _write(kept: dict[str, Any]) -> None:
    kept["mean"] = round(float(np.mean(kept["costs"])), 4)
    DATA.mkdir(exist_ok=True)
    write_atomic(DATA / f"{kept['task']}.json", json.dumps(kept))
    record.cache_clear()
