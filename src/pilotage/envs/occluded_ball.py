"""A ball that bounces behind an occluder: where is it while it is not seen?"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core import Dynamics, Gaussian, Space
from ..core.arrays import Array
from ..core.diffusion import diffusion
from ..core.settings import setting
from ..models import task
from ._preset import Preset
from .camera import Camera
from .canvas import INK, ORANGE, Canvas
from .drawing import Scene, seconds
from .exact import Exact
from .figures import box_at
from .model_env import ModelEnv
from .vector_env import ModelVectorEnv

WIDE, HIGH, RADIUS, GRAVITY = 2.0, 1.0, 0.08, 2.0
"""Sides of the box and radius of the ball [m], and gravity [m/s^2]."""
SCREEN = (0.7, 1.3)
"""The occluder, from left to right [m]."""
PARTS = 8
"""Of a tick, between which the ball is reflected."""
BALL = Space(f"x [m] in [0, {WIDE}]", f"y [m] in [0, {HIGH}]", "vx vy [m/s] in [-5, 5]")
GUESS = Space(f"guess_x [m] in [0, {WIDE}]", f"guess_y [m] in [0, {HIGH}]")


class BouncingBall(Dynamics):
    """A ball in a box, without friction: ``vy' = vy - g dt``, reflected at walls, floor and ceiling.

    The actions, guesses of its place, do not move it.

    Example:
        >>> BouncingBall().step([0.1, 0.5, -1.0, 0.0], [0.0, 0.0], 0.05).round(3).tolist()
        [0.11, 0.498, 1.0, -0.1]
    """

    state, action = BALL, GUESS

    def step(self, x: Any, u: Any, dt: float) -> Any:
        """The states after `dt` seconds."""
        x, h = np.asarray(x, dtype=np.float64), dt / PARTS
        y = np.array(np.broadcast_to(x, (*np.broadcast_shapes(x.shape[:-1], np.shape(u)[:-1]), 4)))
        for _ in range(PARTS):
            y[..., 0] += y[..., 2] * h
            y[..., 1] += y[..., 3] * h - 0.5 * GRAVITY * h * h
            y[..., 3] -= GRAVITY * h
            for i, side, pull in ((0, WIDE, 0.0), (1, HIGH, GRAVITY)):
                self._reflect(y, i, side, pull)
        return y

    def noise(self, x: Any, u: Any, dt: float) -> Any:
        """The covariance, which is zero."""
        return diffusion(np.zeros(4), x, u, dt)

    def _reflect(self, y: Array, i: int, side: float, pull: float) -> None:
        """Fold the way back at both sides, with the speed that keeps the energy."""
        low, high = RADIUS, side - RADIUS
        place, speed = y[..., i].copy(), y[..., 2 + i].copy()
        under, over = place < low, place > high
        y[..., i] = np.where(under, 2.0 * low - place, np.where(over, 2.0 * high - place, place))
        back = np.sqrt(np.maximum(speed**2 - 2.0 * pull * (y[..., i] - place), 0.0))
        y[..., 2 + i] = np.where(under, back, np.where(over, -back, speed))


def hidden(x: Any) -> Any:
    """Whether the ball is behind the occluder, wholly, in states ``(..., 4)``."""
    return (x[..., 0] - RADIUS >= SCREEN[0]) & (x[..., 0] + RADIUS <= SCREEN[1])


def concealed(x: Array) -> dict[str, Any]:
    """The entry "hidden" of the info."""
    return {"hidden": hidden(x)}


class Glimpse(Exact):
    """The place of the ball and 1, or zeros while it is hidden."""

    state = BALL
    reading = Space(f"x [m] in [0, {WIDE}]", f"y [m] in [0, {HIGH}]", "seen in [0, 1]")

    def observe(self, x: Any, context: Any = None) -> Any:
        """The readings ``(..., 3)``."""
        x = np.asarray(x, dtype=np.float64)
        seen = np.concatenate([x[..., :2], np.ones((*x.shape[:-1], 1))], -1)
        return np.where(hidden(x)[..., None], 0.0, seen)


@task(state=BALL, action=GUESS)
def find(x: Any, u: Any, p: Any, m: Any) -> Any:
    """Squared distance from the guess to the ball."""
    return (x[0] - u[0]) ** 2 + (x[1] - u[1]) ** 2


FIND = find(initial=Gaussian.of(BALL, [0.3, 0.6, 0.0, 0.0], std=[0.05, 0.1, 0.1, 0.1]), dt=0.05, horizon=200)


def first(stream: np.random.Generator) -> Array:
    """A ball on the left that flies to the right, or the reverse."""
    place, speed = stream.uniform(0.15, 0.5), stream.uniform(0.5, 1.2)
    y, vy = stream.uniform(0.4, 0.8), stream.uniform(-0.5, 0.5)
    return np.array([place, y, speed, vy] if stream.random() < 0.5 else [WIDE - place, y, -speed, vy])


def draw_ball(scene: Scene) -> NDArray[np.uint8]:
    """The box with the ball and the occluder, and, in a rendered picture only, the outline of the ball behind it."""
    canvas = Canvas((0.0, 0.0), (WIDE, HIGH), size=scene.size)
    x = scene.states[-1]
    canvas.disc(x[:2], RADIUS, ORANGE)
    canvas.polygon(box_at((0.0, 0.0), 0.0, (SCREEN[0], 0.0), (SCREEN[1], HIGH)), (150, 160, 166))
    if scene.caption:
        canvas.ring(x[:2], RADIUS, INK)
    seconds(canvas, scene)
    return canvas.pixels()


class Occluded(Preset):
    """The arguments that the environments of the ball share."""

    def __init__(self, *, pixels: bool = True, **settings: Any) -> None:
        ball = BouncingBall()
        seen = Camera(ball, draw_ball) if setting(pixels, bool, "pixels") else Glimpse()
        self._fill(ball, seen, FIND, settings, start=first, drawing=draw_ball, inform=concealed)


class OccludedBall(Occluded, ModelEnv):
    """A ball that bounces behind an occluder: ``gymnasium.make("pilotage/OccludedBall-v0")``.

    The observation is a picture ``uint8 (64, 64, 3)``, or without `pixels` the place of the ball [m] and whether it is
    seen, zeros while it is not. The action is a guess of the place of the ball now [m], and the reward minus the
    squared distance of the guess: an agent has to remember where the ball was, and how fast. An episode is truncated
    after 200 ticks of 0.05 s. ``info`` holds "hidden".

    Args:
        pixels: whether the observation is a picture.
        settings: other settings of `ModelEnv`, such as `render_mode`, or `sensors`.

    Example:
        >>> import gymnasium, pilotage.envs
        >>> env = gymnasium.make("pilotage/OccludedBall-v0", pixels=False)
        >>> env.reset(options={"state": [1.0, 0.5, 1.0, 0.0]})[0].tolist()
        [0.0, 0.0, 0.0]
    """


class OccludedBallVector(Occluded, ModelVectorEnv):
    """A vector environment of `OccludedBall`: ``gymnasium.make_vec("pilotage/OccludedBall-v0", num_envs=64)``."""
