"""Workers that execute runs: this process, processes of this machine, or a Ray cluster."""

from __future__ import annotations

import faulthandler
import logging
import math
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from typing import Any

from ..core.errors import PilotageError, require
from .outcome import RunStatus
from .run import Row, Run, given_up

GRACE = 2.0
"""Seconds that a run may take longer than its timeout before its process is ended."""
IDLE = 20.0
"""Seconds without work after which a process ends, so that none is left behind by a sweep that was killed."""
THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
"""Processes side by side use one thread each."""

SILENT = "RAY_DEDUP_LOGS_SKIP_REGEX", "."
"""The setting of Ray by which it drops all lines that it would print on stdout; the rows have the reasons."""


def execute_all(runs: Sequence[Run], jobs: int, timeout: float, cluster: str | None = None) -> Iterator[Row]:
    """The rows of the runs, as they are finished.

    Args:
        runs: the runs.
        jobs: number of processes; 1 executes the runs in this one, where a controller can crash the sweep.
        timeout: seconds after which a run is given up. If it cannot be interrupted, its process is ended.
        cluster: address of a Ray cluster, or "local" for one on this machine; default: none.
    """
    if cluster is not None:
        return _on_ray(runs, jobs, timeout, cluster)
    if jobs == 1:
        return (run.execute(timeout) for run in runs)
    return _in_processes(runs, jobs, timeout)


def guarded(run: Run, timeout: float) -> Row:
    """The row of a run in a process that ends if the run hangs where no signal can reach it."""
    if math.isinf(timeout):
        return run.execute()
    with open(os.devnull, "w") as nowhere:
        faulthandler.dump_traceback_later(timeout + GRACE, exit=True, file=nowhere)
        try:
            return run.execute(timeout)
        finally:
            faulthandler.cancel_dump_traceback_later()


def _in_processes(runs: Sequence[Run], jobs: int, timeout: float) -> Iterator[Row]:
    """Rows from a pool of processes.

    A process that dies takes the pool with it. Each run that was under way is then repeated in a process of its own: if
    that dies too, the run is the cause.
    """
    left, suspects = deque(runs), deque[Run]()
    while left or suspects:
        if suspects:
            run = suspects.popleft()
            alone = [row for row, _ in _pool(deque([run]), 1, timeout) if row is not None]
            yield alone[0] if alone else given_up(run, *_cause(timeout))
        for row, lost in _pool(left, jobs, timeout) if left and not suspects else ():
            if row is not None:
                yield row
            suspects.extend(lost)


def _pool(left: deque[Run], jobs: int, timeout: float) -> Iterator[tuple[Row | None, list[Run]]]:
    """Rows of the runs that are left, until a process dies: then the runs that were under way."""
    loky = require("joblib.externals.loky", extra="bench")
    broken = require("joblib.externals.loky.process_executor", extra="bench").BrokenProcessPool
    pool, under_way = loky.ProcessPoolExecutor(min(jobs, len(left)), timeout=IDLE, env=THREADS), dict[Any, Run]()
    try:
        while left or under_way:
            while left and len(under_way) < jobs:
                under_way[pool.submit(guarded, left[0], timeout)] = left[0]
                left.popleft()
            for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                row = future.result()
                del under_way[future]
                yield row, []
    except broken as error:
        if not under_way:
            raise PilotageError(f"no process can be started: {' '.join(str(error).split())[:300]}") from error
        lost = []
        for future, run in under_way.items():
            row = future.result() if future.done() and future.exception() is None else None
            lost += [run] if row is None else []
            if row is not None:
                yield row, []
        yield None, lost
    finally:
        pool.shutdown(wait=True, kill_workers=True)


def _on_ray(runs: Sequence[Run], jobs: int, timeout: float, cluster: str) -> Iterator[Row]:
    """Rows from a Ray cluster; a process that dies there is that of one run."""
    os.environ.setdefault(*SILENT)  # read when ray is imported
    ray = require("ray", extra="cluster")
    local = cluster == "local"
    where = {"num_cpus": jobs, "include_dashboard": False} if local else {"address": cluster}
    ray.init(**where, log_to_driver=False, logging_level=logging.CRITICAL)
    try:
        remote = ray.remote(guarded).options(max_retries=0, num_cpus=1, runtime_env={"env_vars": THREADS})
        left, under_way = deque(runs), dict[Any, Run]()
        most = jobs if local else max(int(ray.cluster_resources().get("CPU", 1)), 1)
        while left or under_way:
            while left and len(under_way) < most:
                run = left.popleft()
                under_way[remote.remote(run, timeout)] = run
            for reference in ray.wait(list(under_way))[0]:
                run = under_way.pop(reference)
                try:
                    yield ray.get(reference)
                except ray.exceptions.WorkerCrashedError:
                    yield given_up(run, *_cause(timeout))
                except ray.exceptions.RayError as error:
                    raise PilotageError(f"the cluster failed: {' '.join(str(error).split())[:300]}") from error
    finally:
        ray.shutdown()


def _cause(timeout: float) -> tuple[RunStatus, str]:
    hung = f"or hung for {timeout + GRACE:g} s where nothing could interrupt it"
    return RunStatus.DIED, f"the process of the run ended: it crashed, {hung}"
