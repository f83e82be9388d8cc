"""A run of the benchmark, which is a value, and its row of results."""

from __future__ import annotations

import hashlib
import json
import math
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from ..core.arrays import Array
from ..core.errors import PilotageError, SettingError
from .benchmark_task import BenchmarkTask, benchmark_task
from .contestants import controllers, fits
from .delays import Recorded, delays_of
from .disturbances import Disturbance, disturbance_of
from .episode import Episode, simulate
from .outcome import RunStatus, RunTimeout

STATES = 200
"""Largest number of states of a trajectory that a row keeps."""


@dataclass(frozen=True)
class Run:
    """A run: a controller on a task, on the truth or an estimate, for a seed, under disturbances.

    All fields are plain values, so a run can be written down, sent to another machine and repeated.

    Attributes:
        task, controller: names, or ``module:object``.
        seed: seed of everything random.
        estimator: "truth" or "estimate".
        settings: settings of the controller.
        label: name of the controller with these settings in tables.
        disturbance: name of the disturbances in tables.
        disturbances: the disturbances, each a mapping with one key, such as ``{"mismatch": {"mass": 1.2}}``.
        timing: the delays: "none", "measured", ``{"fixed": seconds}`` or ``{"lognormal": {...}}``.

    Example:
        >>> row = Run("pendulum", "rest", seed=1).execute()
        >>> row.status.value, row.ticks, row.missed
        ('goal missed', 200, 0)
    """

    task: str
    controller: str
    seed: int = 0
    estimator: str = "truth"
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    label: str = ""
    disturbance: str = "none"
    disturbances: Sequence[Any] = ()
    timing: Any = "none"

    @property
    def name(self) -> str:
        """The name of the controller in tables."""
        return self.label or self.controller

    @property
    def key(self) -> str:
        """A hash of all fields, which identifies the run."""
        return digest(asdict(self))

    def execute(self, timeout: float = math.inf, recorded: Sequence[float] | None = None) -> Row:
        """The row of the run. Whatever the controller does, there is one: errors are in its status.

        Args:
            timeout: seconds after which the run is given up; it can interrupt Python code in the main thread.
            recorded: the delays of an earlier run [s], to replay it.
        """
        begun, episode, best, fastest = time.perf_counter(), Episode(), None, None
        try:
            with alarm(timeout):
                episode, best, fastest = self._episode(recorded)
        except RunTimeout:
            episode.status = RunStatus.TIMEOUT
        except (Exception, SystemExit) as error:
            reason = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
            episode.status, episode.reason = RunStatus.RAISED, reason
        if episode.status is RunStatus.TIMEOUT:
            episode.reason = f"the run took longer than {timeout:g} s"
        return row_of(self, episode, best, time.perf_counter() - begun, fastest)

    def _episode(self, recorded: Sequence[float] | None) -> tuple[Episode, float | None, float | None]:
        benchmark = benchmark_task(self.task).scene(self.seed)
        pushed: tuple[Disturbance, ...] = tuple(map(disturbance_of, self.disturbances))
        delays = delays_of(self.timing) if recorded is None else Recorded(recorded)
        controller = self.make(benchmark)
        episode = simulate(
            benchmark, controller, seed=self.seed, estimator=self.estimator, disturbances=pushed, delays=delays
        )
        return episode, benchmark.best(self.seed, pushed), None if pushed else benchmark.fastest

    def make(self, benchmark: BenchmarkTask) -> Any:
        """The controller of the run."""
        if not fits(self.controller, benchmark):
            raise SettingError(f"the controller {self.controller} does not fit the task {self.task}")
        found = controllers.get(self.controller)(benchmark, benchmark.known[0], self.seed, **self.settings)
        if not hasattr(found, "act") or not hasattr(found, "reset"):
            raise SettingError(
                f"{self.controller} made {found!r}; expected a controller with the methods reset and act"
            )
        return found


@dataclass(frozen=True, eq=False)
class Row:
    """The results of a run.

    Attributes:
        run: the run.
        status, reason: the outcome, and a sentence if it is not a success.
        cost: cost of the episode; infinite if it failed.
        optimum, regret: smallest possible cost of the seed, and the cost above it; None if it is not known.
        ticks: ticks of the episode.
        seconds: duration of the episode, such as the time of a lap [s].
        best_seconds: best known duration of the task [s]; None if there is none, or under disturbances.
        violations, worst_violation: ticks that violated the constraint, and its largest value; None without constraint.
        solves, fallbacks: decisions of the controller, and those with status FALLBACK.
        solve_median, solve_p99, solve_max: computing time of a decision on this machine [s].
        missed: ticks that ended without the action that was due.
        latency: largest delay of an action, in ticks.
        jitter: standard deviation of the delays [s].
        wall: seconds that the run took.
        delays: delay of each decision [s], which replays the run.
        digests: checksum of state and action of each tick.
        states, actions: the trajectory in single precision, every `stride`-th tick, ``(N, n)`` and ``(N, m)``.
        stride: see `states`.

    Example:
        >>> row = Run("double_integrator", "rest", seed=1).execute()
        >>> row.states.shape, row.success, row.regret == row.cost - row.optimum
        ((51, 2), False, True)
    """

    run: Run
    status: RunStatus
    reason: str
    cost: float
    optimum: float | None
    regret: float | None
    ticks: int
    seconds: float
    best_seconds: float | None
    violations: int
    worst_violation: float | None
    solves: int
    fallbacks: int
    solve_median: float
    solve_p99: float
    solve_max: float
    missed: int
    latency: int
    jitter: float
    wall: float
    delays: Array
    digests: Any
    states: Any
    actions: Any
    stride: int

    @property
    def success(self) -> bool:
        """Whether the run came to its end, kept the constraint and reached the goal."""
        return self.status is RunStatus.SUCCESS

    @property
    def pair(self) -> tuple[Any, ...]:
        """All that two controllers have in common in a paired comparison."""
        run = self.run
        return run.task, run.estimator, run.disturbance, run.seed


def row_of(run: Run, episode: Episode, best: float | None, wall: float = math.nan, fastest: float | None = None) -> Row:
    """The row of an episode."""
    failed = episode.status.failed
    cost = math.inf if failed else episode.cost
    spent, delays = (np.array(each, dtype=np.float64) for each in (episode.spent, episode.delays))
    median, p99, most = np.quantile(spent, [0.5, 0.99, 1.0]).tolist() if len(spent) else [math.nan] * 3
    latency = math.ceil(delays.max() / episode.dt - 1e-9) if len(delays) else 0
    stride = max(math.ceil(len(episode.xs) / STATES), 1)
    return Row(
        run, episode.status, episode.reason, cost, best, None if best is None else cost - best, len(episode.us),
        len(episode.us) * episode.dt, fastest,
        episode.violations, None if math.isinf(episode.worst) and episode.worst < 0.0 else episode.worst,
        len(spent), episode.fallbacks, median, p99, most, episode.missed,
        latency, float(delays.std()) if len(delays) else math.nan, wall, delays,
        np.array(episode.digests, dtype=np.uint32),
        np.array(episode.xs[::stride], dtype=np.float32), np.array(episode.us[::stride], dtype=np.float32), stride,
    )  # fmt: skip


def replay(row: Row) -> str:
    """Repeat the run of a row with its recorded delays; the first difference as a sentence, empty if there is none.

    Raises:
        PilotageError: if the run did not end, or its task or controller cannot be loaded here.

    Example:
        >>> replay(Run("pendulum", "random", seed=1).execute())
        ''
    """
    if row.status in (RunStatus.TIMEOUT, RunStatus.DIED):
        raise PilotageError(f"this run has the status {row.status.value!r}; it did not end, so it cannot be replayed")
    if row.status is not RunStatus.RAISED:
        _loaded(row.run)
    again = row.run.execute(recorded=row.delays.tolist())
    if again.status is not row.status:
        return f"the status is {again.status.value!r} ({again.reason}); it was {row.status.value!r} ({row.reason})"
    both = min(len(row.digests), len(again.digests))
    differ = np.flatnonzero(row.digests[:both] != again.digests[:both])
    if len(differ) or len(row.digests) != len(again.digests):
        tick = int(differ[0]) if len(differ) else both
        return f"state or action differ for the first time at tick {tick}, of {len(row.digests)}"
    return "" if again.cost == row.cost else f"the cost is {again.cost!r}; it was {row.cost!r}"


def _loaded(run: Run) -> None:
    """Load the task and the controller of a run, which may be those of a module that is not there."""
    try:
        benchmark_task(run.task)
        controllers.get(run.controller)
    except PilotageError as error:
        raise PilotageError(
            f"this run cannot be replayed here: {error}; install what it needs, or start the command in the folder of "
            "the module"
        ) from error


def digest(value: Any) -> str:
    """The first 16 digits of the SHA-256 of a plain value as canonical JSON.

    Example:
        >>> digest({"b": 1, "a": [1, 2]}) == digest({"a": (1, 2), "b": 1})
        True
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def given_up(run: Run, status: RunStatus, reason: str) -> Row:
    """The row of a run whose process ended.

    Example:
        >>> given_up(Run("pendulum", "rest"), RunStatus.DIED, "its process ended").cost
        inf
    """
    return row_of(run, replace(Episode(), status=status, reason=reason), None)


@contextmanager
def alarm(seconds: float) -> Iterator[None]:
    """Context that raises `RunTimeout` after some seconds, in the main thread of a process."""
    if math.isinf(seconds) or threading.current_thread() is not threading.main_thread():
        yield
        return

    def over(*_: Any) -> None:
        raise RunTimeout

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
