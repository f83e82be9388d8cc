"""The tracking environment: a radar beam follows a target among false detections."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core import Gaussian, Sensor, Space
from ..core.arrays import Array
from ..core.streams import Rng, generator
from ..models import dynamics, task
from ._preset import Preset
from .canvas import GREEN, ORANGE, Canvas
from .drawing import Scene
from .model_env import ModelEnv
from .vector_env import ModelVectorEnv

RANGE, HALF = 1000.0, 0.35
"""Largest range of the radar [m], and half the width of its beam [rad]."""
DETECTED, FALSE, MOST = 0.9, 2.0, 8
"""Probability of detection, mean number of false detections a scan, and largest number of detections."""
STD = (5.0, 0.01)
"""Standard deviation of range [m] and bearing [rad]."""
SKY = Space("x y [m]", "vx vy [m/s]", "beam: angle")


@dynamics(state=SKY, action=Space("turn [rad/s] in [-1, 1]"), noise=(0.0, 0.0, 1.0, 1.0, 0.0))
def target(x: Any, u: Any, p: Any, m: Any) -> Any:
    """A target of nearly constant velocity, and the beam of a radar in the origin that turns."""
    return x[2], x[3], 0.0 * x[2], 0.0 * x[3], u[0]


@task(state=SKY, action=Space("turn [rad/s] in [-1, 1]"))
def point_at(x: Any, u: Any, p: Any, m: Any) -> Any:
    """Square of the angle between beam and target, and of the turn."""
    return m.wrap(x[4] - m.atan2(x[1], x[0])) ** 2 + 0.01 * u[0] ** 2


TARGET = target()
POINT_AT = point_at(
    initial=Gaussian.of(SKY, [500.0, 0.0, 0.0, 20.0, 0.0], std=[100.0, 50.0, 5.0, 5.0, 0.1]), dt=0.5, horizon=200
)


class Radar(Sensor):
    """Detections of the target and of clutter in the beam, in random order, and the direction of the beam.

    ::

        detected with probability 0.9 if |bearing - beam| < 0.35 rad and range < 1000 m, with Gaussian errors;
        clutter: Poisson(2), uniform over the beam

    The reading has 8 rows of range [m], bearing [rad] and 1; rows without a detection are zeros. `observe` is the scan
    with the target and nothing else; `detections` takes the rows out of a reading.
    """

    state, context = SKY, Space()
    reading = Space(
        *(part for i in range(MOST) for part in (
            f"range_{i} [m] in [0, {RANGE + 100.0}]", f"bearing_{i}: angle", f"found_{i} in [0, 1]"
        )), "beam: angle",
    )  # fmt: skip

    def observe(self, x: Any, context: Any = None) -> Any:
        """The scans ``(..., 25)`` without errors and clutter."""
        x = np.asarray(x, dtype=np.float64)
        z = np.zeros((*x.shape[:-1], self.reading.size))
        ranges, bearings, seen = sight(x)
        z[..., :3] = np.stack([ranges, bearings, np.ones_like(ranges)], -1) * seen[..., None]
        z[..., -1] = x[..., 4]
        return z

    def noise(self, x: Any, context: Any = None) -> Any:
        """The covariance of `observe`, which is zero; errors and clutter are in `sample`."""
        return np.zeros((self.reading.dim, self.reading.dim))

    def sample(self, x: Any, context: Any = None, *, rng: Rng = None) -> Any:
        """Random scans ``(..., 25)``."""
        x, stream = np.asarray(x, dtype=np.float64), generator(rng)
        scans = [self._scan(one, stream) for one in x.reshape(-1, x.shape[-1])]
        return np.reshape(scans, (*x.shape[:-1], self.reading.size))

    def _scan(self, x: Array, stream: np.random.Generator) -> Array:
        r, bearing, seen = sight(x)
        false = min(int(stream.poisson(FALSE)), MOST - 1)
        rows = [(stream.uniform(0.0, RANGE), x[4] + stream.uniform(-HALF, HALF)) for _ in range(false)]
        if stream.random() < DETECTED and seen:
            rows.append((r + STD[0] * stream.standard_normal(), bearing + STD[1] * stream.standard_normal()))
        z = np.zeros(self.reading.size)
        for i, k in enumerate(stream.permutation(len(rows))):
            z[3 * i : 3 * i + 3] = max(rows[k][0], 0.0), rows[k][1], 1.0
        z[-1] = x[4]
        return self.reading.normalize(z)


def sight(x: Any) -> tuple[Any, Any, Any]:
    """Range and bearing of the target, and whether it is in the beam, for states ``(..., 5)``."""
    ranges, bearings = np.hypot(x[..., 0], x[..., 1]), np.arctan2(x[..., 1], x[..., 0])
    off = np.abs(np.arctan2(np.sin(bearings - x[..., 4]), np.cos(bearings - x[..., 4])))
    return ranges, bearings, (off < HALF) & (ranges < RANGE)


def detections(observation: Any) -> Array:
    """The detections ``(k, 2)`` of an observation of the tracking environment: range [m] and bearing [rad].

    Example:
        >>> detections(np.array([500.0, 0.1, 1.0] + [0.0] * 22))
        array([[5.e+02, 1.e-01]])
    """
    rows = np.asarray(observation, dtype=np.float64)[: 3 * MOST].reshape(MOST, 3)
    return rows[rows[:, 2] > 0.5, :2]


def first(stream: np.random.Generator) -> Array:
    """A target somewhere around, in the beam, that flies past."""
    r, bearing = stream.uniform(300.0, 700.0), stream.uniform(-math.pi, math.pi)
    speed, course = stream.uniform(10.0, 25.0), bearing + stream.uniform(0.35, 0.65) * math.pi * stream.choice([-1, 1])
    beam = math.remainder(bearing + stream.uniform(-0.5, 0.5) * HALF, 2.0 * math.pi)
    place = r * np.array([math.cos(bearing), math.sin(bearing)])
    return np.array([*place, speed * math.cos(course), speed * math.sin(course), beam])


def draw_screen(scene: Scene) -> NDArray[np.uint8]:
    """The radar's screen: the beam, the detections in orange, and the true target with its way in green."""
    canvas = Canvas((-RANGE, -RANGE), (RANGE, RANGE), size=scene.size, paper=(16, 24, 28))
    x = scene.states[-1]
    edge = RANGE * np.array([[math.cos(x[4] + a), math.sin(x[4] + a)] for a in np.linspace(-HALF, HALF, 17)])
    canvas.polygon([(0.0, 0.0), *edge], (32, 62, 56))
    for r in (250.0, 500.0, 750.0, 1000.0):
        canvas.ring((0.0, 0.0), r, (52, 78, 74), 1)
    if len(scene.states) > 1:
        canvas.line(np.array(scene.states)[:, :2], (46, 158, 91, 120), 1.5)
    canvas.ring(x[:2], 30.0, GREEN, 2)
    if scene.observation is not None:
        for r, bearing in detections(scene.observation):
            canvas.dot((r * math.cos(bearing), r * math.sin(bearing)), ORANGE, 6)
    if scene.caption:
        canvas.text(f"t {scene.dt * (len(scene.states) - 1):.1f} s", (-0.97 * RANGE, 0.97 * RANGE), (250, 250, 248))
    return canvas.pixels()


class Sweep(Preset):
    """The arguments that the environments of tracking share."""

    def __init__(self, **settings: Any) -> None:
        self._fill(TARGET, Radar(), POINT_AT, settings, start=first, drawing=draw_screen)


class Tracking(Sweep, ModelEnv):
    """A radar beam that follows a target among false detections: ``gymnasium.make("pilotage/Tracking-v0")``.

    The observation is a scan of `Radar`: up to 8 detections of range, bearing and 1, in random order, and the beam; on
    average two are false, and one in ten true ones is missed. The action turns the beam, at most 1 rad/s. The reward of
    a tick of 0.5 s is minus the squared angle between beam and target, and minus a small cost of turning. An episode is
    truncated after 200 ticks. Trackers of `pilotage.estimators.tracking` take the rows of `detections`.

    Args:
        settings: settings of `ModelEnv`, such as `render_mode`, or `sensors`.

    Example:
        >>> import gymnasium, pilotage.envs
        >>> from pilotage.envs import detections
        >>> observation, info = gymnasium.make("pilotage/Tracking-v0").reset(seed=0)
        >>> observation.shape, detections(observation).shape[1]
        ((25,), 2)
    """


class TrackingVector(Sweep, ModelVectorEnv):
    """A vector environment of `Tracking`: ``gymnasium.make_vec("pilotage/Tracking-v0", num_envs=64)``."""
