"""Suites: grids of runs in a small YAML or Python file."""

from __future__ import annotations

import itertools
import re
import runpy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from ..core.errors import FormatError, MissingFile, PilotageError, SettingError
from ..core.registry import search
from ..core.settings import shown
from .benchmark_task import BenchmarkTask, benchmark_task
from .contestants import controllers, fits
from .delays import delays_of
from .disturbances import disturbance_of, disturbed
from .run import Run, digest

STOCK = Path(__file__).parent / "suites"
ESTIMATORS = ("truth", "estimate")


@dataclass(frozen=True)
class Suite:
    """A grid of runs: every controller on every task it fits, on each estimator, under each disturbance, for each seed.

    A task without a filter is not run on the estimate, and the others of the grid are. Tasks whose files are not there
    are left out; `absent` says why.

    Args:
        name: a name.
        tasks: names of tasks, or ``module:object``.
        controllers: settings by label; the key `use` of the settings names the controller, by default the label does.
        estimators: "truth", "estimate" or both.
        seeds: seeds, as numbers, or as text such as "0-29" or "0-4, 10".
        disturbances: lists of disturbances by name; a text in a list stands for the disturbances of that name that a
            task has of its own, and tasks without them are skipped.
        timing: the delays of actions; see `Run`.
        timeout: seconds after which a run is given up. The first run of a process may compile for a minute.

    Raises:
        SettingError: if a value is malformed or a name unknown; the message names the key.

    Example:
        >>> suite = Suite("small", ["pendulum"], {"ilqr": {}, "mppi-64": {"use": "mppi", "samples": 64}}, seeds="0-4")
        >>> len(suite.runs()), suite.runs()[5].settings
        (10, {'samples': 64})
    """

    name: str
    tasks: Sequence[str]
    controllers: Mapping[str, Any]
    estimators: Sequence[str] = ("truth",)
    seeds: Any = "0-9"
    disturbances: Mapping[str, Any] = field(default_factory=lambda: {"none": []})
    timing: Any = "none"
    timeout: float = 300.0

    def __post_init__(self) -> None:
        _list(self.tasks, "tasks")
        _list(self.estimators, "estimators")
        for value, key in ((self.controllers, "controllers"), (self.disturbances, "disturbances")):
            if not isinstance(value, Mapping) or not value:
                raise SettingError(f"{key} is {shown(value)}; expected a mapping from names")
        for each in self.estimators:
            if each not in ESTIMATORS:
                raise SettingError(f"estimators: there is no {each!r}; there are {', '.join(ESTIMATORS)}")
        for label, given in self.controllers.items():
            if given is not None and not isinstance(given, Mapping):
                raise SettingError(
                    f"controllers: {label} is {shown(given)}; expected a mapping of settings, or nothing"
                )
        if isinstance(self.timeout, bool) or not isinstance(self.timeout, int | float) or not self.timeout > 0:
            raise SettingError(f"timeout is {shown(self.timeout)}; expected a positive number of seconds")
        object.__setattr__(self, "seeds", seeds_of(self.seeds))
        delays_of(self.timing)
        for name, listed in self.disturbances.items():
            for each in _list(listed, f"disturbances: {name}", empty=True):
                if not isinstance(each, str):
                    disturbance_of(each, f"disturbances: {name}")

    @property
    def hash(self) -> str:
        """A hash of the grid; two suites with the same runs have the same."""
        return digest({key: value for key, value in self.plain().items() if key not in ("name", "timeout")})

    @property
    def absent(self) -> dict[str, str]:
        """The tasks whose files are not there, with the reason."""
        return {name: reason for name in self.tasks if (reason := _missing(name))}

    def runs(self) -> list[Run]:
        """All runs, task by task; seeds are the innermost loop.

        Raises:
            SettingError: if there is none, or a name in the suite is unknown.
        """
        found = list(self._runs())
        if not found:
            raise SettingError("there is no run: no controller fits a task with these estimators and disturbances")
        return found

    @property
    def unfit(self) -> list[str]:
        """The controllers that do not fit a task, and are left out there."""
        there = [name for name in self.tasks if name not in self.absent]
        pairs = itertools.product(there, self.controllers.items())
        uses = [(task, label, dict(given or {}).get("use", label)) for task, (label, given) in pairs]
        return [f"{label} on {task}" for task, label, use in uses if not fits(use, benchmark_task(task))]

    def _runs(self) -> Iterator[Run]:
        absent = self.absent
        if len(absent) == len(self.tasks):
            raise SettingError(f"tasks: none can be run; {absent[self.tasks[0]]}")
        found = {name: _named(benchmark_task, name, "tasks") for name in self.tasks if name not in absent}
        grid = itertools.product(found, self.disturbances.items(), self.estimators, self.controllers.items())
        names = {each for task in found.values() for each in task.disturbances or ()}
        for each in itertools.chain(*self.disturbances.values()):
            if isinstance(each, str) and each not in names:
                raise SettingError(f"disturbances: no task has {each!r}; they have {', '.join(sorted(names))}")
        for task, (disturbance, listed), estimator, (label, given) in grid:
            settings = dict(given or {})
            controller = settings.pop("use", label)
            _named(controllers.get, controller, "controllers")
            if not fits(controller, found[task]) or (estimator == "estimate" and found[task].filter is None):
                continue
            listed = _own(listed, found[task])
            if listed is None:
                continue
            _named(partial(disturbed, found[task].plant), list(map(disturbance_of, listed)), "disturbances")
            for seed in self.seeds:
                yield Run(task, controller, seed, estimator, settings, label, disturbance, tuple(listed), self.timing)

    def plain(self) -> dict[str, Any]:
        """The suite as a mapping of plain values, as in a YAML file."""
        controllers = {label: dict(given or {}) for label, given in self.controllers.items()}
        disturbances = {name: list(listed) for name, listed in self.disturbances.items()}
        return {
            "name": self.name, "tasks": list(self.tasks), "controllers": controllers,
            "estimators": list(self.estimators), "seeds": list(self.seeds), "disturbances": disturbances,
            "timing": self.timing, "timeout": self.timeout,
        }  # fmt: skip

    @classmethod
    def load(cls, source: str | Path, seeds: Any = None) -> Suite:
        """A stock suite by its name, or a suite from a file.

        A ``module:object`` in a file may lie in the folder of the file.

        Args:
            source: a name such as "quick"; a YAML file with the arguments of `Suite` as keys; or a Python file
                that sets ``suite``.
            seeds: other seeds.

        Raises:
            MissingFile: if there is no such suite.
            FormatError: if the file is malformed; the message names the file and the key.
        """
        path = STOCK / f"{source}.yaml" if str(source) in stock() else Path(source)
        if not path.is_file():
            raise MissingFile(f"there is no suite {str(source)!r}; there are {', '.join(stock())}, or give a file")
        search(path.resolve().parent)
        try:
            made = _python(path) if path.suffix == ".py" else cls.of(_yaml(path), path.stem)
            return made if seeds is None else replace(made, seeds=seeds)
        except SettingError as error:
            raise FormatError(f"{path}: {error}") from error

    @classmethod
    def of(cls, given: Any, name: str = "suite") -> Suite:
        """The suite that a mapping describes.

        Raises:
            SettingError: if a key is unknown or missing.
        """
        if not isinstance(given, Mapping):
            raise SettingError(f"a suite is a mapping with the keys tasks and controllers, not {shown(given)}")
        known = list(cls.__dataclass_fields__)
        for key in given:
            if key not in known:
                raise SettingError(f"there is no key {key!r}; there are {', '.join(known)}")
        for key in ("tasks", "controllers"):
            if key not in given:
                raise SettingError(f"the key {key!r} is missing")
        return cls(**{"name": name, **given})


def stock() -> list[str]:
    """The names of the suites that come with Pilotage."""
    return sorted(file.stem for file in STOCK.glob("*.yaml"))


def seeds_of(given: Any) -> tuple[int, ...]:
    """Seeds from numbers, or from text such as "0-29" or "0-4, 10".

    Example:
        >>> seeds_of("0-2, 7")
        (0, 1, 2, 7)
    """
    parts = (
        given.split(",") if isinstance(given, str) else given if isinstance(given, list | tuple | range) else [given]
    )
    found: list[int] = []
    for part in parts:
        match = re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", str(part))
        last = int(match[2] or match[1]) if match else -1
        if match is None or isinstance(part, bool | float) or last < int(match[1]):
            raise SettingError(f"seeds is {shown(given)}; expected whole numbers, or ranges such as 0-29")
        found += range(int(match[1]), last + 1)
    if not found or len(set(found)) < len(found):
        raise SettingError(f"seeds is {shown(given)}; expected one seed or more, none of them twice")
    return tuple(found)


def _list(value: Any, key: str, empty: bool = False) -> Sequence[Any]:
    if not isinstance(value, list | tuple) or not (value or empty):
        raise SettingError(f"{key} is {shown(value)}; expected a list")
    return value


def _own(listed: Sequence[Any], task: BenchmarkTask) -> list[Any] | None:
    """The disturbances of a list, with those of the task itself in place of names; None if it lacks one."""
    own = task.disturbances or {}
    if any(isinstance(each, str) and each not in own for each in listed):
        return None
    return [one for each in listed for one in (own[each] if isinstance(each, str) else [each])]


def _missing(name: str) -> str:
    """The reason why a task cannot be made without its files; empty if it can, or its name is wrong."""
    try:
        benchmark_task(name)
    except MissingFile as missing:
        return str(missing)
    except PilotageError:
        return ""
    return ""


def _named(made: Any, name: Any, key: str) -> Any:
    """The answer of `made`, whose errors get the key of the suite."""
    try:
        return made(name)
    except PilotageError as error:
        raise SettingError(f"{key}: {error}") from error


def _yaml(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise FormatError(f"{path} is not YAML: {' '.join(str(error).split())}") from error


def _python(path: Path) -> Suite:
    made = runpy.run_path(str(path)).get("suite")
    if not isinstance(made, Suite):
        raise SettingError(f"it sets no variable `suite` to a Suite, but {shown(made)}")
    return made
