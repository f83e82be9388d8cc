"""Hybrid A*: paths among obstacles that a vehicle can drive."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from ...core.dynamics import Dynamics
from ...core.errors import SettingError
from ...core.settings import Count, Interval, Natural, NonNegative, Numbers, Positive, settings
from ..steering import ReedsShepp
from ..steering._curves import Curve
from ._pose_motions import Car, Modelled, Vehicle
from ._pose_planner import PosePlanner
from ._pose_tree import FIRST
from .astar import HIGHEST_WEIGHT


@settings(eq=False)
class HybridAStar(PosePlanner):
    """Hybrid A*: A* over the motions of a vehicle, for paths among obstacles that it can drive.

    ::

        f(x) = g(x) + w h(x),   h = max(way of a point around the obstacles, length of the steering curve)
        cost = sum over steps of  length (reverse if backwards else 1)  +  cusp (a change of direction)
                                  +  bend |change of curvature|

    A car with a smallest turning radius, that of `steering`, drives arcs of one length, forwards and (Reeds-Shepp)
    backwards. States are kept as they were reached, the cheapest in each cell of x, y and yaw. From some of them, more
    often near the goal, the steering curve to the goal is tried, so that the goal is reached exactly. Every step is
    checked as by `Problem.edges_allowed`, without gaps for a footprint on a map. Lengths are those in the metric of the
    problem, in which turns count.

    If the arcs lead nowhere, they are made half as long, `refinements` times. If the goal has little room, such as a
    parking bay, the search runs from the goal to the start: few ways lead out of the bay.

    With a `model`, motions are its `actions`, each held for `steps` steps of `dt`; any model whose state has x, y and
    yaw will do, a truck with a trailer for example. A goal is then reached to `tolerance`. The constraint of the
    problem says what is forbidden, such as a collision of the trailer or a jackknife; `steering` guides the search.

    The path is a good one, not the shortest: the cells see to that the search ends, and hide ways. `Shortcut` with the
    same steering makes it shorter. "No path" means that none of these motions leads to the goal, unless the reason is
    that start and goal lie in different components.

    Attributes:
        steering: `ReedsShepp` or `Dubins` with the turning radius of the vehicle.
        reverse: factor of the cost of driving backwards, 1 or more.
        cusp: cost of a change of direction [m].
        bend: cost of a change of curvature [m per 1/m].
        weight: weight w of the estimate; the larger, the sooner there is a path, and the longer it is.
        step: length of the first arcs [m]; None: the turning radius.
        curvatures: curvatures of arcs to each side, beside 0.
        refinements: how many times motions are halved if they lead nowhere.
        nodes: the most states that a search keeps; each takes about 200 bytes.
        model: dynamics whose actions are the motions; None for a car.
        actions: actions of the model ``(A, m)``.
        dt: duration of a step of the model [s].
        steps: steps of the model for which an action is held.
        tolerance: distance to the goal at which the path of a model may end, in the metric of the problem.

    Raises:
        SettingError: if a model has no actions, or actions have no model; in `plan`, if no action moves the model.

    Source: D. Dolgov, S. Thrun, M. Montemerlo, J. Diebel, Practical search techniques in path planning for autonomous
    driving, 2008; Path planning for autonomous vehicles in unknown semi-structured environments, 2010, section 2.

    Example:
        >>> from pilotage.core import Space
        >>> from pilotage.maps import Footprint, OccupancyGrid
        >>> yard = OccupancyGrid.from_ascii(["........", "........", "###..###", "###..###"], resolution=2.0).refined(8)
        >>> car = Footprint.rectangle(4.2, 1.8, center=(1.35, 0.0))
        >>> problem = yard.problem([2.5, 6.0, 0.0], [8.0, 1.0, 1.57], car, space=Space("pose: SE2"))
        >>> plan = HybridAStar(ReedsShepp(radius=4.0)).plan(problem)
        >>> plan.ok, bool(problem.edges_allowed(plan.xs[:-1], plan.xs[1:]).all())
        (True, True)
    """

    steering: Curve = ReedsShepp(1.0)
    reverse: Annotated[float, Interval(1.0, ends="[)")] = 1.5
    cusp: NonNegative = 0.5
    bend: NonNegative = 0.0
    weight: Annotated[float, Interval(1.0, HIGHEST_WEIGHT, "[]")] = 1.2
    step: Positive | None = None
    curvatures: Count = 2
    refinements: Natural = 4
    nodes: Annotated[int, Interval(FIRST, ends="[)")] = 4_000_000
    model: Dynamics | None = None
    actions: Annotated[NDArray[np.float64], Numbers(None, None)] | None = None
    dt: Positive = 0.1
    steps: Count = 8
    tolerance: Positive = 0.1

    def __post_init__(self) -> None:
        if (self.model is None) != (self.actions is None):
            raise SettingError(
                f"HybridAStar has the model {self.model!r} and the actions {self.actions!r}; expected both or neither"
            )

    @property
    def _vehicle(self) -> Vehicle:
        if self.model is None or self.actions is None:
            return Car(self.steering, self.step or self.steering.radius, self.curvatures)
        return Modelled(self.model, np.array(self.actions), self.dt, self.steps, self.tolerance)

    @property
    def _bend(self) -> float:
        return self.bend

    @property
    def _levels(self) -> tuple[int, ...]:
        levels = tuple(2**k for k in range(self.refinements + 1))
        return levels if self.model is None else tuple(k for k in levels if k <= self.steps)
