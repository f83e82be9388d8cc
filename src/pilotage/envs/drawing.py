"""Pictures of states: the figure of the model, a plan view if the state has x and y, or curves over time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..core import Space, SpaceError
from ..core.arrays import Array
from .canvas import BLUE, GRID, INK, ORANGE, Canvas
from .figures import Figure, Stroke, figure_of, put


@dataclass
class Scene:
    """The data of an episode for drawing.

    Attributes:
        space: space of the states.
        dt: seconds between states.
        states: the true states so far, up to the current one.
        observation: the last observation.
        extras: additional data for a drawing.
        model: the dynamics, whose figure is drawn.
        size: longest side of the picture [pixels].
        caption: whether the time is written on the picture.

    Example:
        >>> scene = Scene(Space("x y [m]"), dt=0.1, states=[np.array([0.0, 1.0]), np.array([0.5, 1.0])])
        >>> scene.component("x").tolist(), scene.component("yaw") is None
        ([0.0, 0.5], True)
    """

    space: Space
    dt: float
    states: list[Array] = field(default_factory=list)
    observation: Any = None
    extras: dict[str, Any] = field(default_factory=dict)
    model: Any = None
    size: int = 480
    caption: bool = True

    def component(self, name: str) -> Array | None:
        """The values of a component over time ``(T,)``, or None if the state has no component of that name."""
        try:
            return np.array([x[self.space.find(name)] for x in self.states])
        except SpaceError:
            return None

    @property
    def present(self) -> dict[str, float]:
        """The components of the current state by name."""
        return dict(zip(self.space.names, self.states[-1].tolist(), strict=True))


Drawing: TypeAlias = Callable[[Scene], NDArray[np.uint8]]
"""A function from a scene to a picture ``(height, width, 3)``."""


def film(drawing: Drawing, model: Any, states: Array, dt: float, stride: int = 1) -> list[NDArray[np.uint8]]:
    """Pictures of an episode with states ``(T + 1, n)`` of a model: each `stride` steps, and at its end.

    Example:
        >>> from pilotage.models import unicycle
        >>> len(film(draw, unicycle(), np.zeros((8, 3)), dt=0.1, stride=3))
        4
    """
    ends = [*range(1, len(states), stride), len(states)]
    return [drawing(Scene(model.state, dt, list(states[:end]), model=model)) for end in ends]


def draw(scene: Scene) -> NDArray[np.uint8]:
    """The picture of a scene: the figure of a library model, else a plan view, or curves for states without x and y."""
    figure = figure_of(scene.model, scene.space.names)
    if figure is not None and figure.window is not None:
        return portrait(scene, figure)
    xs, ys = scene.component("x"), scene.component("y")
    if xs is None or ys is None:
        return curves(scene)
    return plan_view(scene, np.stack([xs, ys], -1))


def portrait(scene: Scene, figure: Figure, below: Sequence[Stroke] = ()) -> NDArray[np.uint8]:
    """The current state as a figure, drawn over the strokes `below`."""
    assert figure.window is not None
    x = scene.present
    middle, reach = figure.window(x, scene.model.params)
    canvas = Canvas(np.subtract(middle, reach), np.add(middle, reach), size=scene.size)
    put(canvas, [*below, *figure.strokes(x, scene.model.params)], max(scene.size / 480.0, 0.3))
    seconds(canvas, scene)
    return canvas.pixels()


def seconds(canvas: Canvas, scene: Scene) -> None:
    """Draw the time of a scene in the upper left corner."""
    if not scene.caption:
        return
    inset = 0.015 * (canvas.high - canvas.low)
    words = f"t {scene.dt * (len(scene.states) - 1):.1f} s"
    canvas.text(words, (canvas.low[0] + inset[0], canvas.high[1] - inset[1]))


def plan_view(scene: Scene, path: Array, *, reach: float = 10.0) -> NDArray[np.uint8]:
    """The current and past positions from above, in a window of `reach` metres around the current one."""
    here = path[-1]
    canvas = Canvas(here - reach, here + reach, size=scene.size)
    for k in np.arange(np.floor(canvas.low.min()), np.ceil(canvas.high.max()) + 1):
        canvas.line([(k, canvas.low[1]), (k, canvas.high[1])], GRID, 1)
        canvas.line([(canvas.low[0], k), (canvas.high[0], k)], GRID, 1)
    canvas.line(path, BLUE, 2)
    yaw, figure = scene.component("yaw"), figure_of(scene.model, scene.space.names)
    if figure is not None:
        put(canvas, figure.strokes(scene.present, scene.model.params))
    elif yaw is None:
        canvas.dot(here, INK, 12)
    else:
        canvas.polygon(arrow(here, float(yaw[-1]), 0.9), INK)
    seconds(canvas, scene)
    return canvas.pixels()


def curves(scene: Scene, *, seconds: float = 10.0) -> NDArray[np.uint8]:
    """The curves of all components over the last `seconds`, each on its own scale, with its current value."""
    shown = np.array(scene.states[-max(2, round(seconds / scene.dt)) :])
    rows = scene.space.size
    canvas = Canvas((0.0, 0.0), (6.0, float(max(rows, 2))), size=480)
    span = max(seconds, scene.dt * (len(shown) - 1))
    start = span - scene.dt * (len(shown) - 1)
    t = (start + scene.dt * np.arange(len(shown))) / span * 5.8 + 0.1
    for i, name in enumerate(scene.space.names):
        low, high = float(shown[:, i].min()), float(shown[:, i].max())
        low, high = (low, high) if high - low > 1e-9 else (low - 1.0, high + 1.0)
        base = rows - 1 - i
        canvas.line([(0.1, base + 0.08), (5.9, base + 0.08)], GRID, 1)
        curve = np.stack([t, base + 0.1 + 0.6 * (shown[:, i] - low) / (high - low)], -1)
        # The curve of an angle is interrupted where it wraps.
        turns = np.flatnonzero(np.abs(np.diff(shown[:, i])) > np.pi) + 1 if i in scene.space.angles else []
        for piece in np.split(curve, turns):
            canvas.line(piece, BLUE, 2)
        canvas.dot(curve[-1], ORANGE, 7)
        unit = scene.space.units[i]
        canvas.text(f"{name}  {shown[-1, i]:.3g} {unit}", (0.1, base + 0.97))
    return canvas.pixels()


def arrow(at: Array, yaw: float, length: float) -> Array:
    """The corners of an arrowhead that points along `yaw`, ``(4, 2)``."""
    shape = length * np.array([[0.6, 0.0], [-0.4, 0.38], [-0.2, 0.0], [-0.4, -0.38]])
    return shape @ rotation(yaw).T + at


def rotation(yaw: float) -> Array:
    """The rotation matrix R of `yaw` in the plane: ``v' = R v``."""
    c, s = np.cos(yaw), np.sin(yaw)
    return np.array([[c, -s], [s, c]])
