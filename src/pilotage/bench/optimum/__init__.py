"""The smallest possible cost of each seed of a task: regret is measured against it.

- `Multistart`: the best of many local optima; for tasks with a small state, `pilotage.control.ValueTable` is used
- `known`, `proof`, `record`: the stored costs, and the plans that prove them

``python -m pilotage.bench.optimum NAME`` computes the file of a task again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...core.names import absent
from .multistart import Best as Best
from .multistart import Multistart as Multistart
from .multistart import episode_cost as episode_cost
from .multistart import trajectory_cost as trajectory_cost
from .store import known as known
from .store import proof as proof
from .store import record as record

__all__ = ["Best", "Multistart", "episode_cost", "known", "proof", "record", "trajectory_cost"]

if not TYPE_CHECKING:  # to a type checker, every name would seem to exist
    __getattr__ = absent(__name__)
