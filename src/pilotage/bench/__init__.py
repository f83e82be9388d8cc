"""The controller benchmark: tasks, runs in virtual time, sweeps over seeds, statistics.

- `BenchmarkTask`, `Channel`: a plant with the task, the sensors and the optimum by which controllers are judged;
  `tasks` has them by name, `env_task` makes one from a Gymnasium environment
- `controllers`: the controllers by name
- `Run`, `Row`, `RunStatus`, `replay`: one run, its results, and its repetition bit for bit
- `simulate`, `Episode`: one episode in virtual time, for a controller that you hold
- `Mismatch`, `Wind`, `Impulse`: how the plant differs from the model
- `Measured`, `Fixed`, `Lognormal`, `Recorded`: how late actions arrive
- `Suite`, `sweep`, `Results`: a grid of runs, in parallel, resumable
- `summarize`, `compare`, `report_page`: tables of results, and a page with all of them
- `bootstrap`, `wilson`, `cvar`, `paired`: the statistics of the tables
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.names import absent
from ..core.registry import Registry as Registry
from . import stock as stock
from .benchmark_task import BenchmarkTask as BenchmarkTask
from .benchmark_task import Channel as Channel
from .benchmark_task import benchmark_task as benchmark_task
from .benchmark_task import tasks as tasks
from .contestants import controllers as controllers
from .delays import Fixed as Fixed
from .delays import Lognormal as Lognormal
from .delays import Measured as Measured
from .delays import Recorded as Recorded
from .disturbances import Disturbance as Disturbance
from .disturbances import Impulse as Impulse
from .disturbances import Mismatch as Mismatch
from .disturbances import Wind as Wind
from .env_plant import env_task as env_task
from .episode import Episode as Episode
from .episode import simulate as simulate
from .outcome import RunStatus as RunStatus
from .report import report_page as report_page
from .run import Row as Row
from .run import Run as Run
from .run import replay as replay
from .statistics import Paired as Paired
from .statistics import bootstrap as bootstrap
from .statistics import cvar as cvar
from .statistics import paired as paired
from .statistics import wilson as wilson
from .suite import Suite as Suite
from .summary import compare as compare
from .summary import summarize as summarize
from .sweep import Results as Results
from .sweep import sweep as sweep

__all__ = [
    "BenchmarkTask",
    "Channel",
    "Disturbance",
    "Episode",
    "Fixed",
    "Impulse",
    "Lognormal",
    "Measured",
    "Mismatch",
    "Paired",
    "Recorded",
    "Registry",
    "Results",
    "Row",
    "Run",
    "RunStatus",
    "Suite",
    "Wind",
    "benchmark_task",
    "bootstrap",
    "compare",
    "controllers",
    "cvar",
    "env_task",
    "paired",
    "replay",
    "report_page",
    "simulate",
    "summarize",
    "sweep",
    "tasks",
    "wilson",
]

if not TYPE_CHECKING:  # to a type checker, every name would seem to exist
    __getattr__ = absent(__name__)
