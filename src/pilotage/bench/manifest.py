"""The manifest of a sweep: its suite, the keys of its runs, versions, machine, and hashes of its tasks."""

from __future__ import annotations

import datetime
import json
import platform
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..core.errors import FormatError, PilotageError
from ..core.registry import searched
from ..io import write_atomic
from ._world import believed, probed
from .benchmark_task import BenchmarkTask, benchmark_task
from .run import digest
from .suite import Suite

MANIFEST = "manifest.json"


def claim(suite: Suite, folder: Path, cores: int) -> None:
    """Write the manifest of a folder, or extend the one that is there by what the suite has more.

    Raises:
        PilotageError: if the two give other settings to one name, or have other delays, plants, costs or filters.
    """
    there, worlds, filters = read_manifest(folder), _worlds(suite), _filters(suite)
    keys = [run.key for run in suite.runs()]
    if there is None:
        _write(folder, {
            "suite": suite.plain(), "hash": suite.hash, "worlds": worlds, "filters": filters, "runs": keys,
            "modules": searched() if _named_by_module(suite) else [],
            "began": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "python": platform.python_version(),
            "versions": {name: version(name) for name in ("pilotage", "numpy", "scipy", "numba")},
            "platform": platform.platform(), "cores": cores,
        })  # fmt: skip
        return
    for what in _conflicts(there["suite"], suite.plain()):
        raise PilotageError(
            f"{folder} holds results of the suite {there['suite']['name']} ({there['hash']}), which cannot be extended "
            f"by this one ({suite.name}, {suite.hash}): {what}; choose another folder"
        )
    same_worlds(there.get("worlds", worlds), worlds, str(folder), "this sweep")
    same_worlds(there.get("filters", {}), filters, str(folder), "this sweep")
    if set(keys) <= set(there["runs"]):
        return
    both = Suite.of(_union(there["suite"], suite.plain()))
    more = {"suite": both.plain(), "hash": both.hash, "runs": list(dict.fromkeys([*there["runs"], *keys]))}
    hashes = {"worlds": {**there.get("worlds", {}), **worlds}, "filters": {**there.get("filters", {}), **filters}}
    _write(folder, {**there, **more, **hashes})


def _conflicts(there: Mapping[str, Any], here: Mapping[str, Any]) -> Iterator[str]:
    """Sentences about what two plain suites do not agree in."""
    if digest(there["timing"]) != digest(here["timing"]):
        yield f"its timing is {there['timing']}, not {here['timing']}"
    for kind in ("controllers", "disturbances"):
        for name in there[kind].keys() & here[kind].keys():
            if digest(there[kind][name]) != digest(here[kind][name]):
                yield f"{name} of its {kind} is {there[kind][name]}, not {here[kind][name]}"


def _union(there: Mapping[str, Any], here: Mapping[str, Any]) -> dict[str, Any]:
    """The plain suite that holds two."""
    lists = {key: list(dict.fromkeys([*there[key], *here[key]])) for key in ("tasks", "estimators", "seeds")}
    mappings = {key: {**there[key], **here[key]} for key in ("controllers", "disturbances")}
    return {**there, **lists, **mappings, "timeout": here["timeout"]}


def _write(folder: Path, facts: Mapping[str, Any]) -> None:
    write_atomic(folder / MANIFEST, json.dumps(facts, indent=1) + "\n")


def _worlds(suite: Suite) -> dict[str, str]:
    """Hashes of the tasks and the disturbances of a suite."""
    tasks = {f"task {name}": _hash(probed, name) for name in suite.tasks if name not in suite.absent}
    return tasks | {f"disturbance {name}": digest(listed) for name, listed in suite.plain()["disturbances"].items()}


def _filters(suite: Suite) -> dict[str, str]:
    """Hashes of the filters of the tasks of a suite that runs on estimates."""
    there = [name for name in suite.tasks if "estimate" in suite.estimators and name not in suite.absent]
    return {f"filter of {name}": _hash(believed, name) for name in there}


def _named_by_module(suite: Suite) -> bool:
    """Whether a task or a controller of a suite is a ``module:object``."""
    uses = [dict(given or {}).get("use", label) for label, given in suite.controllers.items()]
    return any(":" in name for name in (*suite.tasks, *uses))


def _hash(numbers: Callable[[BenchmarkTask], list[str]], name: str) -> str:
    """A hash of numbers that belong to a task; of the error, if the task raises one."""
    try:
        return digest(numbers(benchmark_task(name)))
    except Exception as error:  # the rows of its runs have the error too
        return digest(f"{type(error).__name__}: {error}")


def same_worlds(a: Mapping[str, str], b: Mapping[str, str], name_a: str, name_b: str) -> None:
    """Refuse tasks or disturbances that have the same name in two sweeps, but not the same hash.

    Example:
        >>> same_worlds({"task pendulum": "1f"}, {"task pendulum": "1f", "task acrobot": "2e"}, "one", "another")
    """
    for name in sorted(a.keys() & b.keys()):
        if a[name] != b[name]:
            raise PilotageError(
                f"the {name} of {name_a} has the hash {a[name]}, that of {name_b} has {b[name]}: their plants, costs, "
                "sensors or filters differ, so costs cannot be compared; run both with the same version"
            )


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest of a folder; None without one.

    Raises:
        FormatError: if it is damaged.
    """
    path = folder / MANIFEST
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {**found, "hash": found["hash"], "runs": list(found["runs"]), "suite": dict(found["suite"])}
    except (ValueError, KeyError, TypeError) as error:
        raise FormatError(f"{path} is damaged: {error!r}") from error
