"""The environment of the truck that backs up to a dock."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

import numpy as np

from ...core import SettingError
from ...core.arrays import Array
from ...core.settings import setting, whole
from .._preset import Preset
from ..model_env import ModelEnv
from ..vector_env import ModelVectorEnv
from .starts import STARTS, starts
from .view import draw_yard
from .yard import errand, kinematics, verdict

AT_TICKS = 100.0
"""A resolution so coarse that walls and hitch are judged at ticks alone, as in the source."""
REACH = 8.0
"""Largest distance of a dock from the middle of its wall [m]."""

Goal = Literal["dock", "wall"]


class FirstStates:
    """Draws the first state of an episode: a truck from a distribution of starts, and the place of the dock."""

    def __init__(self, name: str, goal: Goal, trailers: int) -> None:
        self.name, self.goal, self.trailers = name, goal, trailers

    def __call__(self, stream: np.random.Generator) -> Array:
        """A state ``(n,)``; a second trailer stands in line with the first."""
        x = starts(self.name, 1, stream)[0]
        dock = stream.uniform(-REACH, REACH) if self.goal == "wall" else 0.0
        return np.array([*x, *[x[-1]] * (self.trailers - 1), dock])


class Yard(Preset):
    """The arguments that the environments of the truck share, and the models that follow from them."""

    def __init__(
        self,
        start: str = "E1",
        *,
        goal: Goal = "dock",
        walls: bool | None = None,
        hold: int = 1,
        forward: bool = False,
        trailers: int = 1,
        **settings: Any,
    ) -> None:
        if start not in STARTS:
            raise SettingError(f"start is {start!r}; expected one of {', '.join(STARTS)}")
        hold, trailers = whole(hold, "hold"), whole(trailers, "trailers", most=2)
        forward, goal = setting(forward, bool, "forward"), setting(goal, Goal, "goal")
        closed = start == "E3" if walls is None else setting(walls, bool, "walls")
        self._fill(
            kinematics(trailers, hold, forward), None, errand(trailers, hold, forward, closed), settings,
            truncate=False, start=FirstStates(start, goal, trailers), inform=verdict,
            drawing=partial(draw_yard, walls=closed), resolution=AT_TICKS, max_violation=0.0,
        )  # fmt: skip


class TruckBackerUpper(Yard, ModelEnv):
    """A truck that backs its trailer to a dock: ``gymnasium.make("pilotage/TruckBackerUpper-v0")``.

    ::

        x += s cos yaw,  y += s sin yaw,  yaw += s / L tan steer,  trailer_yaw += s / d sin(yaw - trailer_yaw)

    The state and the observation are x, y [m] of the hitch, yaw of cab and trailer [rad], and y of the dock [m], which
    lies on the wall x = 0; ``L = 1 m, d = 4 m, s = -0.1 m`` a tick. The action is the steering angle, at most 45
    degrees. An episode ends when the trailer's axle reaches the wall of the dock, when the hitch angle exceeds 90
    degrees, or, with `walls`, when cab front or trailer rear leaves the yard, x in [0, 40], y in [-10, 10]; it is
    truncated after 2000 ticks. ``info`` holds "docked" (within 0.5 m and 10 degrees), "docked_strictly" (0.2 m, 5
    degrees), "jackknifed" and "outside". The reward is 1 for a docked trailer, and -0.001 for every 0.1 m.

    Args:
        start: "E1" (trailer within 90 degrees of the dock), "E2" (any heading) or "E3" (any heading, between walls).
        goal: "dock" at y = 0, or "wall": anywhere within 8 m of it, at a new place in every episode.
        walls: whether the walls of the yard end an episode; default: only with "E3".
        hold: number of Euler steps of 0.1 m in a tick, for which the steering is held.
        forward: True if the truck may pull forward; the action is then (speed in [-1, 1] m/s, steering angle).
        trailers: 1, or 2 for a tandem, whose last trailer has to dock.
        settings: other settings of `ModelEnv`, such as `render_mode`, or `sensors`.

    Raises:
        SettingError: if an argument has no meaning.

    Source: Nguyen and Widrow, "The truck backer-upper", IJCNN 1989; the course NYU-DLSP20, notebook 14.

    Example:
        >>> import gymnasium, pilotage.envs
        >>> env = gymnasium.make("pilotage/TruckBackerUpper-v0", hold=4)
        >>> observation, info = env.reset(options={"state": [6.0, 0.0, 0.0, 0.0, 0.0]})
        >>> for _ in range(6):
        ...     observation, reward, terminated, truncated, info = env.step([0.0])
        >>> terminated, info["docked"]
        (True, True)
    """


class TruckBackerUpperVector(Yard, ModelVectorEnv):
    """A vector environment of `TruckBackerUpper`: ``make_vec("pilotage/TruckBackerUpper-v0", num_envs=64)``.

    Example:
        >>> observations, infos = TruckBackerUpperVector(64, "E3", hold=4).reset(seed=0)
        >>> observations.shape, bool(infos["docked"].any())
        ((64, 5), False)
    """

    def __init__(self, num_envs: int, start: str = "E1", **settings: Any) -> None:
        super().__init__(start, num_envs=num_envs, **settings)
