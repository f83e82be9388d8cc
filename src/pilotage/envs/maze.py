"""Mazes: a point mass finds its way through rooms with solid walls; two rooms, four rooms, and the point maze."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..core import Dynamics, SettingError, Space, Task
from ..core.arrays import Array
from ..core.diffusion import diffusion
from ..core.settings import setting, shown
from ._preset import Preset
from .camera import Camera
from .canvas import BLUE, GREEN, ORANGE, Canvas, Color
from .drawing import Scene
from .model_env import ModelEnv
from .vector_env import ModelVectorEnv

LAYOUTS = {
    "two_rooms": (
        "###########", "#....#....#", "#....#....#", "#.........#", "#....#....#", "#....#....#", "###########",
    ),
    "four_rooms": (
        "#############", "#.....#.....#", "#.....#.....#", "#...........#", "#.....#.....#", "#.....#.....#",
        "##.####.....#", "#.....###.###", "#.....#.....#", "#.....#.....#", "#...........#", "#.....#.....#",
        "#############",
    ),
    "medium": ("########", "#..##..#", "#..#...#", "##...###", "#..#...#", "#.#..#.#", "#...#..#", "########"),
}  # fmt: skip
"""Walls (#) and free cells of 1 m: two rooms with a door, the four rooms of Sutton, Precup and Singh (1999), and the
medium maze of D4RL (Fu et al. 2020)."""
RADIUS, PUSH, DRAG, FASTEST = 0.25, 4.0, 1.0, 2.0
"""Half the side of the body [m], acceleration at full action [m/s^2], drag [1/s], and largest speed along an axis."""
NEAR = 0.4
"""Distance at which the goal is reached [m]."""
FLOOR: Color = (250, 250, 248)
WALL: Color = (70, 78, 86)


class Maze(Dynamics):
    """A point mass among solid walls, with the place of its goal.

    ::

        v' = clip(v + (4 u - v) dt, -2, 2),     x' = x + v' dt, along each axis up to the wall, where v' = 0

    State: x, y [m], vx, vy [m/s], and the goal x, y [m]; cells are squares of 1 m, with the origin at the lower left.

    Args:
        layout: "two_rooms", "four_rooms", "medium", or rows of ``#`` (wall) and ``.`` (free), the top row first.

    Raises:
        SettingError: if there is no such layout, its rows differ in length, it is open at its edge, or has less than
            two free cells.

    Example:
        >>> maze = Maze(["####", "#..#", "####"])
        >>> maze.step([1.5, 1.5, 0.0, 0.0, 2.5, 1.5], [1.0, 0.0], 0.1).round(2).tolist()
        [1.54, 1.5, 0.4, 0.0, 2.5, 1.5]
    """

    def __init__(self, layout: str | Sequence[str] = "two_rooms") -> None:
        rows = LAYOUTS.get(layout, ()) if isinstance(layout, str) else tuple(layout)
        if not rows or not all(isinstance(row, str) and len(row) == len(rows[0]) for row in rows):  # pyright: ignore[reportUnnecessaryIsInstance]
            known = ", ".join(LAYOUTS)
            raise SettingError(f"layout is {shown(layout)}; expected one of {known}, or rows of # and . of one length")
        self.walls: NDArray[np.bool_] = np.array([[c == "#" for c in row] for row in reversed(rows)])
        edge = np.concatenate([self.walls[[0, -1]].ravel(), self.walls[:, [0, -1]].ravel()])
        if not edge.all() or (~self.walls).sum() < 2:
            raise SettingError(f"layout is {shown(rows)}; expected walls (#) all around, and two free cells (.)")
        high, wide = self.walls.shape
        places = f"x [m] in [0, {wide}]", f"y [m] in [0, {high}]"
        goals = f"goal_x [m] in [0, {wide}]", f"goal_y [m] in [0, {high}]"
        self.state = Space(*places, f"vx vy [m/s] in [-{FASTEST}, {FASTEST}]", *goals)
        self.action = Space("push_x push_y in [-1, 1]")

    def step(self, x: Any, u: Any, dt: float) -> Any:
        """The states after `dt` seconds, in parts in which nothing moves further than its own size."""
        x, u = np.asarray(x, dtype=np.float64), np.asarray(u, dtype=np.float64)
        y = np.array(np.broadcast_to(x, (*np.broadcast_shapes(x.shape[:-1], u.shape[:-1]), x.shape[-1])))
        y[..., 2:4] = np.clip(y[..., 2:4] + (PUSH * u - DRAG * y[..., 2:4]) * dt, -FASTEST, FASTEST)
        parts = max(math.ceil(FASTEST * dt / RADIUS), 1)
        for _ in range(parts):
            for axis in (0, 1):
                self._slide(y, axis, dt / parts)
        return y

    def noise(self, x: Any, u: Any, dt: float) -> Any:
        """The covariance, which is zero."""
        return diffusion(np.zeros(6), x, u, dt)

    def blocked(self, places: Any) -> NDArray[np.bool_]:
        """Whether the body at places ``(..., 2)`` touches a wall, ``(...)``."""
        corners = np.array([(a, b) for a in (-RADIUS, RADIUS) for b in (-RADIUS, RADIUS)])
        return np.asarray(self._solid(np.asarray(places)[..., None, :] + corners).any(-1))

    def start(self, stream: np.random.Generator) -> Array:
        """A random state at rest, in one free cell, with the goal in another."""
        rows, columns = np.nonzero(~self.walls)
        one, other = stream.choice(len(rows), 2, replace=False)
        place = np.array([columns[one], rows[one]]) + stream.uniform(0.2, 0.8, 2)
        return np.array([*place, 0.0, 0.0, columns[other] + 0.5, rows[other] + 0.5])

    def _slide(self, y: Array, axis: int, dt: float) -> None:
        """Move along one axis, up to the face of a wall."""
        speed, before = y[..., 2 + axis], y[..., axis].copy()
        y[..., axis] += speed * dt
        hit = self.blocked(y[..., :2]) & np.isfinite(before)
        ahead = np.sign(speed)
        face = np.where(ahead > 0, np.floor(y[..., axis] + RADIUS), np.ceil(y[..., axis] - RADIUS))
        stop = face - ahead * (RADIUS + 1e-9)
        y[..., axis] = np.where(hit, np.where(ahead == 0, before, stop), y[..., axis])
        y[..., 2 + axis] = np.where(hit, 0.0, speed)

    def _solid(self, points: Array) -> NDArray[np.bool_]:
        high, wide = self.walls.shape
        cells = np.floor(np.nan_to_num(points, nan=0.0, posinf=0.0, neginf=0.0)).astype(np.int64)
        return self.walls[np.clip(cells[..., 1], 0, high - 1), np.clip(cells[..., 0], 0, wide - 1)]


class FindGoal(Task):
    """The task to reach the goal of a maze: ``cost = dt |goal - (x, y)|``, done within 0.4 m."""

    action = Space()
    dt: float = 0.1

    def __init__(self, maze: Maze) -> None:
        self.state, self.horizon = maze.state, 300

    def cost(self, x: Any, u: Any, r: Any = None) -> Any:
        """The cost of a tick."""
        return self.dt * self._away(x)

    def done(self, x: Any, r: Any = None) -> Any:
        """Whether the goal is reached."""
        return self._away(x) < NEAR

    def _away(self, x: Any) -> Any:
        x = np.asarray(x)
        return np.hypot(x[..., 4] - x[..., 0], x[..., 5] - x[..., 1])


def draw_maze(scene: Scene) -> NDArray[np.uint8]:
    """The walls, the goal in green, the way, and the body."""
    walls: NDArray[np.bool_] = scene.model.walls
    high, wide = walls.shape
    canvas = Canvas((0.0, 0.0), (float(wide), float(high)), size=scene.size, paper=FLOOR)
    colors = np.where(walls[..., None], np.array(WALL, np.uint8), np.array(FLOOR, np.uint8))
    canvas.image(colors, (0.0, 0.0), float(wide))
    x = scene.states[-1]
    canvas.disc(x[4:6], NEAR, GREEN)
    if len(scene.states) > 1:
        canvas.line(np.array(scene.states)[:, :2], BLUE, scene.size / 240)
    canvas.disc(x[:2], RADIUS, ORANGE)
    if scene.caption:
        canvas.text(f"t {scene.dt * (len(scene.states) - 1):.1f} s", (0.2, high - 0.2), FLOOR)
    return canvas.pixels()


class Search(Preset):
    """The arguments that the environments of mazes share."""

    layout: ClassVar[str] = "two_rooms"

    def __init__(self, layout: str | Sequence[str] | None = None, *, pixels: bool = False, **settings: Any) -> None:
        maze = Maze(self.layout if layout is None else layout)
        seen = Camera(maze, draw_maze) if setting(pixels, bool, "pixels") else None
        self._fill(maze, seen, FindGoal(maze), settings, start=maze.start, drawing=draw_maze)


class TwoRooms(Search, ModelEnv):
    """A point mass that finds its goal in two rooms with a door: ``gymnasium.make("pilotage/TwoRooms-v0")``.

    The observation is the state: x, y [m], vx, vy [m/s], and the goal x, y [m], or with `pixels` a picture ``uint8
    (64, 64, 3)``. The actions in [-1, 1] push along x and y; walls are solid. The reward of a tick of 0.1 s is minus
    0.1 times the distance to the goal, through walls. An episode ends within 0.4 m of the goal, and is truncated after
    300 ticks. Start and goal are new in every episode.

    Args:
        layout: another layout, by its name or as rows of ``#`` and ``.``; see `Maze`.
        pixels: whether the observation is a picture.
        settings: other settings of `ModelEnv`, such as `render_mode`, or `sensors`.

    Example:
        >>> import gymnasium, pilotage.envs
        >>> env = gymnasium.make("pilotage/TwoRooms-v0", pixels=True)
        >>> env.reset(seed=0)[0].shape
        (64, 64, 3)
    """


class TwoRoomsVector(Search, ModelVectorEnv):
    """A vector environment of `TwoRooms`: ``gymnasium.make_vec("pilotage/TwoRooms-v0", num_envs=64)``."""


class FourRooms(Search, ModelEnv):
    """A point mass in four rooms with narrow doors, as `TwoRooms`: ``gymnasium.make("pilotage/FourRooms-v0")``.

    Example:
        >>> import gymnasium, pilotage.envs
        >>> gymnasium.make("pilotage/FourRooms-v0").observation_space.high.tolist()
        [13.0, 13.0, 2.0, 2.0, 13.0, 13.0]
    """

    layout = "four_rooms"


class FourRoomsVector(Search, ModelVectorEnv):
    """A vector environment of `FourRooms`: ``gymnasium.make_vec("pilotage/FourRooms-v0", num_envs=64)``."""

    layout = "four_rooms"


class PointMaze(Search, ModelEnv):
    """A point mass in the medium maze of D4RL, as `TwoRooms`: ``gymnasium.make("pilotage/PointMaze-v0")``.

    Example:
        >>> import gymnasium, pilotage.envs
        >>> env = gymnasium.make("pilotage/PointMaze-v0", layout=["#####", "#...#", "#.#.#", "#####"])
        >>> env.reset(seed=0)[0].shape
        (6,)
    """

    layout = "medium"


class PointMazeVector(Search, ModelVectorEnv):
    """A vector environment of `PointMaze`: ``gymnasium.make_vec("pilotage/PointMaze-v0", num_envs=64)``."""

    layout = "medium"
