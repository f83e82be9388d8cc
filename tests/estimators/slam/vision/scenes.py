"""Scenes of points, and drives of a camera past them."""

from __future__ import annotations

from typing import Any

import numpy as np

from pilotage.core import Space

SPATIAL, PLANAR = Space("pose: SE3"), Space("pose: SE2")
ORIGIN = np.array([0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0])


def cloud(rng: Any, count: int = 150) -> Any:
    """Points in front of a camera at the origin ``(count, 3)``."""
    return rng.uniform([-4.0, -3.0, 4.0], [4.0, 3.0, 12.0], (count, 3))


def moved(rng: Any, distance: float = 1.0, turn: float = 0.05) -> Any:
    """A pose beside the origin."""
    pose = np.asarray(SPATIAL.plus(ORIGIN, np.concatenate([rng.normal(0.0, 0.5, 3), rng.normal(0.0, turn, 3)])))
    pose[:3] *= distance / np.linalg.norm(pose[:3])
    return pose


def street(frames: int, seed: int = 0, points: int = 500, step: float = 0.2) -> tuple[Any, Any]:
    """Poses of a camera that drives along a winding street ``(frames, 7)``, and points on both sides of it."""
    rng, poses = np.random.default_rng(seed), [ORIGIN]
    for k in range(1, frames):
        turn = [0.003 * np.sin(0.2 * k), 0.02 * np.sin(0.06 * k), 0.0]
        poses.append(np.asarray(SPATIAL.plus(poses[-1], [0.0, 0.01 * np.sin(0.3 * k), step, *turn])))
    side = np.where(rng.random(points) < 0.5, -1.0, 1.0) * rng.uniform(2.0, 6.0, points)
    local = np.column_stack([side, rng.uniform(-3.0, 1.5, points), rng.uniform(0.0, 12.0, points)])
    where = np.array(poses)[rng.integers(frames, size=points)]
    return np.array(poses), np.asarray(SPATIAL.act(where, local))


def floor(frames: int, seed: int = 0, points: int = 200) -> tuple[Any, Any]:
    """The same in the plane: poses ``(frames, 3)`` and points ``(points, 2)``."""
    rng, poses = np.random.default_rng(seed), [np.zeros(3)]
    for k in range(1, frames):
        poses.append(np.asarray(PLANAR.plus(poses[-1], [0.15, 0.0, 0.03 * np.sin(0.1 * k)])))
    where = np.array(poses)[rng.integers(frames, size=points)]
    local = np.column_stack([rng.uniform(0.0, 8.0, points), rng.uniform(-5.0, 5.0, points)])
    return np.array(poses), np.asarray(PLANAR.act(where, local))


def scattered(camera: Any, count: int, rng: Any) -> Any:
    """Readings anywhere in view ``(count, m)``."""
    local = rng.uniform(-5.0, 5.0, (40 * count, camera.axes))
    local[:, camera.ahead] = np.abs(local[:, camera.ahead]) + 1.0
    local = local[camera.in_view(local)][:count]
    return camera.observe(camera.pose.identity(), local)
