"""A camera drives along a street and finds its way from tracked features alone: one camera, and a pair.

    one camera   sees directions only. The unit of its map is the distance of its first two keyframes, which is given
                 here to 1 %; as errors add up, the scale drifts
    a pair       sees distances too, as far as its baseline reaches

Both adjust the last six keyframes and their points in a factor graph, and keep what older ones have said. Every tenth
reading is wrong, and a twentieth of the points move. The standard deviations that they state are those of their errors.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pilotage.core import Space
from pilotage.core.arrays import Array
from pilotage.estimators.slam.scores import absolute_trajectory_error
from pilotage.estimators.slam.vision import Camera, FeatureTracks, TrackSimulator, VisualOdometry
from pilotage.io import write_atomic

SPATIAL = Space("pose: SE3")
FRAMES, STEP = 100, 0.3
CAMERAS = {"one camera": Camera(std=0.7, far=25.0), "a pair": Camera(std=0.7, far=25.0, baseline=0.3)}
COLOURS = {"one camera": "tab:orange", "a pair": "tab:blue"}


@dataclass(frozen=True)
class Drive:
    """A drive as a camera saw it.

    Attributes:
        tracks: features, and the truth.
        frames: numbers of the frames with a pose.
        poses: found poses of these.
        std: their standard deviations of position, along the axes of the camera.
        score: mean NEES over the dimension of a pose.
        points: points that were found.
    """

    tracks: FeatureTracks
    frames: NDArray[np.int64]
    poses: Array
    std: Array
    score: float
    points: Array


def street(rng: np.random.Generator) -> tuple[Array, Array]:
    """Poses along a street with a bend, and points on the walls and on the ground."""
    poses = [np.asarray(SPATIAL.identity())]
    for k in range(1, FRAMES):
        bend = 0.035 if 30 < k < 75 else 0.0
        poses.append(np.asarray(SPATIAL.plus(poses[-1], [0.0, 0.004 * np.sin(0.4 * k), STEP, 0.0, bend, 0.0])))
    x, count = np.array(poses), 1500
    side = np.where(rng.random(count) < 0.5, -1.0, 1.0) * rng.uniform(3.0, 4.0, count)
    walls = np.column_stack([side, rng.uniform(-3.0, 1.2, count), rng.uniform(0.0, 20.0, count)])
    ground = np.column_stack([rng.uniform(-3.0, 3.0, 400), np.full(400, 1.5), rng.uniform(3.0, 20.0, 400)])
    local = np.vstack([walls, ground])
    ahead = np.vstack([x, np.asarray(SPATIAL.plus(x[-1], np.outer(np.arange(60) * STEP, [0, 0, 1, 0, 0, 0])))])
    return x, np.asarray(SPATIAL.act(ahead[rng.integers(len(ahead), size=len(local))], local))


def driven(camera: Camera, poses: Array, points: Array, seed: int) -> Drive:
    """The drive with this camera."""
    tracks = TrackSimulator(camera, most=120, wrong=0.1, moving=0.05).run(poses, points, rng=seed)
    scale = 1.0 if camera.has_depth else first_distance(camera, tracks)
    odometer, found = VisualOdometry(camera, scale=scale).start(poses[0], rng=seed), list[tuple[int, Any]]()
    for k, (ids, pixels, t) in enumerate(tracks):
        step = odometer.add(ids, pixels, t)
        if step.belief is not None:
            found.append((k, step.belief))
    frames = np.array([k for k, _ in found])
    means, covs = (np.array([getattr(belief, name) for _, belief in found]) for name in ("mean", "cov"))
    e = np.asarray(SPATIAL.minus(poses[frames], means))[5:]
    nees = np.einsum("ti,ti->t", e, np.linalg.solve(covs[5:], e[..., None])[..., 0]) / 6.0
    std = np.sqrt(np.trace(covs[:, :3, :3], axis1=1, axis2=2))
    return Drive(tracks, frames, means, std, float(nees.mean()), odometer.landmarks[1])


def first_distance(camera: Camera, tracks: FeatureTracks) -> float:
    """What the wheels of the car would say: how far apart the first two keyframes are."""
    odometer = VisualOdometry(camera).start(tracks.poses[0])
    for pose, (ids, pixels, t) in zip(tracks.poses, tracks, strict=True):
        if odometer.add(ids, pixels, t).belief is not None:
            return float(np.linalg.norm(pose[:3] - tracks.poses[0, :3]))
    raise RuntimeError("the camera never started; give it more features")


def picture(drives: dict[str, Drive], truth: Array) -> bytes:
    """The street from above, and the errors with their stated standard deviations."""
    sheet = Figure(figsize=(12.0, 5.6), dpi=110, layout="constrained")
    above, errors = sheet.subplots(1, 2)
    points = drives["a pair"].points
    near = np.linalg.norm(points[:, None, ::2] - truth[None, ::5, 0:3:2], axis=2).min(axis=1) < 15.0
    above.scatter(points[near, 2], -points[near, 0], s=3, color="0.7", label="points of the pair")
    above.plot(truth[:, 2], -truth[:, 0], color="black", linewidth=2.5, label="truth")
    for name, drive in drives.items():
        above.plot(drive.poses[:, 2], -drive.poses[:, 0], color=COLOURS[name], linewidth=1.3, label=name)
        off = np.linalg.norm(drive.poses[:, :3] - truth[drive.frames, :3], axis=1)
        errors.plot(STEP * drive.frames, off, color=COLOURS[name], label=f"{name}: error")
        errors.plot(STEP * drive.frames, drive.std, "--", color=COLOURS[name], label=f"{name}: stated deviation")
    above.set(xlabel="ahead [m]", ylabel="left [m]", title="The street from above", aspect="equal")
    errors.set(xlabel="way [m]", ylabel="error of position [m]", title="Errors, and what the odometry knows of them")
    for ax in (above, errors):
        ax.legend(fontsize=8)
    kept = io.BytesIO()
    sheet.savefig(kept, format="png")
    return kept.getvalue()


def main(*, seed: int = 0, out: Path = Path("pilotage-demo")) -> int:
    """Drive along a street with one camera and with a pair; ends with errors, and a picture.

    Args:
        seed: Seed of points and readings.
        out: Folder for the picture.
    """
    poses, points = street(np.random.default_rng(seed))
    way, drives = STEP * (FRAMES - 1), {name: driven(each, poses, points, seed) for name, each in CAMERAS.items()}
    good = True
    for name, drive in drives.items():
        error = absolute_trajectory_error(poses[drive.frames], drive.poses, "none").rmse
        good &= error < 0.02 * way and drive.score < 3.0
        print(f"{name:11} error {error:.2f} m on {way:.0f} m, NEES {drive.score:.1f} where 1 is right")
    out.mkdir(parents=True, exist_ok=True)
    write_atomic(out / "visual-odometry.png", picture(drives, poses))
    print(f"see {out / 'visual-odometry.png'}")
    if not good:
        print("not as it should be: errors of less than 2 % of the way, of which the covariances know")
    return 0 if good else 1
