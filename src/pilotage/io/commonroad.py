"""Scenarios of CommonRoad (XML, 2018b and 2020a): lanelets, recorded obstacles, and planning problems.

Source: M. Althoff, M. Koschi, S. Manzinger, "CommonRoad: Composable benchmarks for motion planning on roads", IV 2017,
and the documentation of its format at commonroad.in.tum.de.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np

from pilotage.core import Space, TrackTable
from pilotage.core.arrays import Array, frozen
from pilotage.core.errors import FormatError, PilotageError

from ._xml import read_xml

STATE = Space("x y [m]", "yaw: angle", "speed [m/s]")
OBSTACLES = ("obstacle", "dynamicObstacle", "staticObstacle")


@dataclass(frozen=True, eq=False)
class Lanelet:
    """A piece of a lane.

    Attributes:
        left, right: its bounds ``(K, 2)`` [m], in the direction of driving.
        successors, predecessors: ids of lanelets that follow, and that lead here.
        speed_limit: [m/s]; infinite if there is none.

    Example:
        >>> Lanelet(np.array([[0.0, 2.0], [9.0, 2.0]]), np.array([[0.0, -2.0], [9.0, -2.0]])).middle.tolist()
        [[0.0, 0.0], [9.0, 0.0]]
    """

    left: Array
    right: Array
    successors: tuple[int, ...] = ()
    predecessors: tuple[int, ...] = ()
    speed_limit: float = math.inf

    @property
    def middle(self) -> Array:
        """The points in the middle between the bounds ``(K, 2)`` [m]."""
        return np.asarray(0.5 * (self.left + self.right))


@dataclass(frozen=True, eq=False)
class RoadProblem:
    """A planning problem: a start, and a goal.

    Attributes:
        start: x, y [m], yaw [rad] and speed [m/s] ``(4,)``.
        time, yaw, speed: least and most at the goal [s], [rad], [m/s]; None if anything will do.
        lanelets: ids of lanelets in which the goal lies; empty if it is given otherwise.
        center: middle of the area of the goal [m]; None if it is lanelets.

    Example:
        >>> RoadProblem(np.array([0.0, 0.0, 0.0, 13.7]), time=(4.5, 7.5), lanelets=(534,)).lanelets
        (534,)
    """

    start: Array
    time: tuple[float, float] | None = None
    yaw: tuple[float, float] | None = None
    speed: tuple[float, float] | None = None
    lanelets: tuple[int, ...] = ()
    center: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False, repr=False)
class RoadScenario:
    """A scenario on a road.

    Attributes:
        name: the benchmark id.
        dt: time of a step [s].
        tracks: x, y, yaw and speed of the obstacles that move, in their middle, with kinds.
        parked: x, y, yaw of those that do not, by id.
        sizes: length and width of obstacles that are rectangles [m], by id.
        lanelets, problems: by id.

    Example:
        >>> RoadScenario("USA_none", 0.1, TrackTable([], [], np.zeros((0, 4)), space=STATE), {}, {}, {}, {})
        RoadScenario(USA_none: 0 moving and 0 parked obstacles, 0 lanelets, 0 problems)
    """

    name: str
    dt: float
    tracks: TrackTable
    parked: Mapping[int, Array]
    sizes: Mapping[int, tuple[float, float]]
    lanelets: Mapping[int, Lanelet]
    problems: Mapping[int, RoadProblem]

    def __repr__(self) -> str:
        return (
            f"RoadScenario({self.name}: {len(self.tracks.ids)} moving and {len(self.parked)} parked obstacles, "
            f"{len(self.lanelets)} lanelets, {len(self.problems)} problems)"
        )


def read_commonroad(path: str | os.PathLike[str]) -> RoadScenario:
    """The scenario of a file, plain or gzipped. States that are intervals are read as their middle.

    Raises:
        MissingFile: if the file does not exist.
        FormatError: if it is not XML, has a document type, or lacks or repeats what a scenario needs.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from pathlib import Path
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder, "road.xml")
        ...     _ = file.write_text('<commonRoad benchmarkID="A" timeStepSize="0.1"></commonRoad>')
        ...     read_commonroad(file)
        RoadScenario(A: 0 moving and 0 parked obstacles, 0 lanelets, 0 problems)
    """
    root = read_xml(path)
    if root.tag != "commonRoad":
        raise FormatError(f"{path} is XML, but no scenario of CommonRoad: it begins with <{root.tag}>")
    try:
        return _scenario(root)
    except PilotageError as error:
        raise FormatError(f"{path}: {error}") from error


def _scenario(root: Element) -> RoadScenario:
    dt = _number(root.get("timeStepSize", ""), "timeStepSize")
    if not dt > 0.0:
        raise FormatError(f"timeStepSize is {dt}; expected seconds above 0")
    rows, sizes, parked = list[tuple[float, int, Array, str]](), dict[int, tuple[float, float]](), dict[int, Array]()
    for id, each in _by_id(root, *OBSTACLES):
        size = each.find("shape/rectangle")
        if size is not None:
            sizes[id] = _number_in(size, "length"), _number_in(size, "width")
        states = [_state(state, f"obstacle {id}") for state in _states(each, id)]
        if each.tag == "staticObstacle" or each.findtext("role", "").strip() == "static":
            parked[id] = frozen(states[0][1][:3])
            continue
        rows += [(dt * step, id, state, each.findtext("type", "unknown").strip()) for step, state in states]
    t, ids, xs, kinds = zip(*rows, strict=True) if rows else ((), (), np.zeros((0, 4)), ())
    kind: Any = np.array(kinds, dtype=np.str_)
    return RoadScenario(
        root.get("benchmarkID", ""), dt, TrackTable(t, ids, np.array(xs), space=STATE, kind=kind), parked, sizes,
        {id: _lanelet(each, id) for id, each in _by_id(root, "lanelet")},
        {id: _problem(each, id, dt) for id, each in _by_id(root, "planningProblem")},
    )  # fmt: skip


def _by_id(root: Element, *tags: str) -> Iterator[tuple[int, Element]]:
    """The children of these tags with their ids, each of which occurs once."""
    seen = set[int]()
    for each in root:
        if each.tag in tags:
            id = _id(each.get("id", ""), each.tag)
            if id in seen:
                raise FormatError(f"the id {id} of <{each.tag}> occurs twice")
            seen.add(id)
            yield id, each


def _states(obstacle: Element, id: int) -> list[Element]:
    first = obstacle.find("initialState")
    if first is None:
        raise FormatError(f"obstacle {id} has no initialState")
    return [first, *obstacle.findall("trajectory/state")]


def _state(state: Element, what: str) -> tuple[int, Array]:
    """The step and x, y, yaw, speed ``(4,)`` of a state; a speed that is not given is 0."""
    x, y = _place(state, what)
    yaw, step = _value(state, "orientation", what), _value(state, "time", what)
    if not step.is_integer():
        raise FormatError(f"the time of a state of {what} is {step}; expected a whole number of steps")
    speed = 0.0 if state.find("velocity") is None else _value(state, "velocity", what)
    return int(step), np.array([x, y, yaw, speed])


def _place(state: Element, what: str) -> tuple[float, float]:
    """x and y of a point, or the middle of an area."""
    for name in ("position/point", "position/rectangle/center", "position/circle/center"):
        found = state.find(name)
        if found is not None:
            return _number_in(found, "x"), _number_in(found, "y")
    raise FormatError(f"a state of {what} has no position that is a point, a rectangle or a circle")


def _value(state: Element, name: str, what: str) -> float:
    low, high = _interval(state, name, what)
    return 0.5 * (low + high)


def _interval(state: Element, name: str, what: str) -> tuple[float, float]:
    found = state.find(name)
    if found is None:
        raise FormatError(f"a state of {what} has no {name}")
    exact = found.find("exact")
    if exact is not None:
        value = _number(exact.text, name)
        return value, value
    return _number_in(found, "intervalStart"), _number_in(found, "intervalEnd")


def _lanelet(each: Element, id: int) -> Lanelet:
    left, right = (_bound(each.find(side), f"the {side} of lanelet {id}") for side in ("leftBound", "rightBound"))
    if len(left) != len(right):
        raise FormatError(f"the bounds of lanelet {id} have {len(left)} and {len(right)} points; expected as many")
    before, after = (tuple(_refs(each, tag)) for tag in ("predecessor", "successor"))
    limit = each.findtext("speedLimit")
    return Lanelet(left, right, after, before, math.inf if limit is None else _number(limit, "speedLimit"))


def _bound(found: Element | None, what: str) -> Array:
    points = [] if found is None else [(_number_in(p, "x"), _number_in(p, "y")) for p in found.findall("point")]
    if len(points) < 2:
        raise FormatError(f"{what} has {len(points)} points; expected two or more")
    return frozen(points)


def _problem(each: Element, id: int, dt: float) -> RoadProblem:
    first, goal = each.find("initialState"), each.find("goalState")
    if first is None or goal is None:
        raise FormatError(f"planning problem {id} has no {'initialState' if first is None else 'goalState'}")
    what = f"planning problem {id}"
    time, yaw, speed = (
        None if goal.find(name) is None else _interval(goal, name, what) for name in ("time", "orientation", "velocity")
    )
    place = goal.find("position")
    lanelets = () if place is None else tuple(_refs(place, "lanelet"))
    center = None if place is None or lanelets else _place(goal, what)
    seconds = None if time is None else (dt * time[0], dt * time[1])
    return RoadProblem(frozen(_state(first, what)[1]), seconds, yaw, speed, lanelets, center)


def _refs(each: Element, tag: str) -> list[int]:
    return [_id(found.get("ref", ""), f"{tag} ref") for found in each.findall(tag)]


def _id(word: str, what: str) -> int:
    if not word.strip().isdecimal() or len(word) > 15:
        raise FormatError(f"the id of <{what}> is {word[:40]!r}; expected a whole number")
    return int(word)


def _number_in(each: Element, tag: str) -> float:
    return _number(each.findtext(tag), tag)


def _number(word: str | None, what: str) -> float:
    try:
        value = float(word or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise FormatError(f"{what} is {(word or '')[:40]!r}; expected a finite number")
    return value
