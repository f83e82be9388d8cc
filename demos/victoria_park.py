"""A car drives through a park, makes a map of its trees, and finds its way on it by the trees it recognises.

    predict    the odometry of the wheels moves the car, and its uncertainty grows
    pair       joint compatibility says which trees of the map a laser sees, and which are new
    update     what is seen moves the car and all trees together, most of all when it comes back to the first ones

The log is that of Victoria Park in Sydney (see `PILOTAGE_DATA`), without the numbers of its trees; without it, a drive
through a simulated park.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from time import perf_counter

import numpy as np
from matplotlib.figure import Figure
from tqdm import tqdm

from pilotage.core import Space
from pilotage.core.arrays import Array
from pilotage.estimators.localization import odometry_motion, odometry_move
from pilotage.estimators.slam.landmarks import InvariantEKFSLAM, LandmarkMapper
from pilotage.estimators.slam.scores import absolute_trajectory_error
from pilotage.io import LandmarkLog, read_isam, write_atomic
from pilotage.models import relative_position
from pilotage.viz import draw_ellipse, draw_path, fit_axes, scale_bar

LOG = Path("landmark_slam") / "victoria_park.txt.gz"
POSE, DT = Space("pose: SE2"), 0.2
SEES = 15.0
"""How far the laser of the simulated car sees trees [m]."""
CAR = odometry_motion(alpha1=0.03, alpha2=3e-4, alpha3=5e-3, alpha4=0.01)
LASER = relative_position(std=0.3, reads=("x", "y", "yaw"))


def simulated(seed: int, share: float = 0.8) -> tuple[LandmarkLog, Array, Array]:
    """A log of two rounds on a figure of eight, a share of the near trees seen at a time; true poses and trees."""
    rng, phase = np.random.default_rng(seed), np.linspace(0.0, 4.0 * np.pi, 801)
    place = np.column_stack([40.0 * np.sin(phase), 20.0 * np.sin(2.0 * phase)])
    ahead = np.gradient(place, axis=0)
    truth = np.column_stack([place, np.arctan2(ahead[:, 1], ahead[:, 0])])
    truth = np.asarray(POSE.compose(POSE.inverse(truth[0]), truth))
    steps = np.asarray(POSE.compose(POSE.inverse(truth[:-1]), truth[1:]))
    way = np.hypot(steps[:, 0], steps[:, 1])
    measured = steps.copy()
    measured[:, 0] *= 1.0 + 0.03 * rng.normal(size=len(steps))
    measured[:, 2] += 0.015 * way * rng.normal(size=len(steps))
    trees = np.zeros((0, 2))
    for p in rng.uniform([-20.0, -60.0], [110.0, 60.0], (250, 2)):
        if np.hypot(*(np.vstack([trees, truth[:, :2]]) - p).T).min() > 4.0:
            trees = np.vstack([trees, p])
    at, tree, seen = list[int](), list[int](), list[Array]()
    for k, pose in enumerate(truth):
        local = np.asarray(POSE.act(POSE.inverse(pose), trees))
        for j in np.flatnonzero((np.hypot(*local.T) < SEES) & (local[:, 0] > 0.0) & (rng.random(len(trees)) < share)):
            at.append(k)
            tree.append(int(j))
            seen.append(local[j] + 0.2 * rng.normal(size=2))
    ones = np.broadcast_to(np.eye(3), (len(steps), 3, 3)), np.broadcast_to(np.eye(2), (len(at), 2, 2))
    log = LandmarkLog(measured, ones[0], np.array(at), np.array(tree), np.array(seen), ones[1])
    return log, truth, trees


def driven(log: LandmarkLog) -> tuple[LandmarkMapper, Array, float]:
    """The mapper after the drive, the poses on the way, and the seconds it took; numbers of trees are not used."""
    robot, poses = InvariantEKFSLAM(CAR, dt=DT).start(mean=[0.0, 0.0, 0.0], std=1e-3), [np.zeros(3)]
    ends, began = np.searchsorted(log.at, np.arange(len(log.steps) + 2)), perf_counter()
    moves = odometry_move(np.zeros(3), log.steps)
    for k, move in enumerate(tqdm(moves, desc="steps", disable=None, leave=False)):
        robot.predict(u=move)
        scan = log.sightings[ends[k + 1] : ends[k + 2]]
        if len(scan):
            robot.update(LASER, scan)
        poses.append(robot.belief.mean)
    return robot, np.array(poses), perf_counter() - began


def dead_reckoning(steps: Array) -> Array:
    """The poses by the wheels alone."""
    poses = [np.zeros(3)]
    for step in steps:
        poses.append(np.asarray(POSE.compose(poses[-1], step)))
    return np.array(poses)


def picture(robot: LandmarkMapper, poses: Array, wheels: Array, title: str) -> bytes:
    """Trees with the ellipses of their uncertainty, the way, and the way by the wheels alone."""
    sheet, trees = Figure(figsize=(9.0, 7.0), layout="constrained"), robot.map.proven
    ax = sheet.subplots()
    draw_path(ax, wheels, label="by the wheels alone", linewidth=0.7, color="tab:red", alpha=0.5)
    draw_path(ax, poses, label="by SLAM", linewidth=0.9, color="tab:blue")
    ax.plot(*trees.means.T, ".", color="tab:green", markersize=5, label="trees")
    for mean, cov in zip(trees.means, trees.covs, strict=True):
        draw_ellipse(ax, mean, cov, edgecolor="tab:green", facecolor="none", linewidth=0.7)
    around = np.vstack([poses[:, :2], trees.means])
    fit_axes(ax, around.min(0) - 20.0, around.max(0) + 20.0)
    scale_bar(ax)
    ax.legend(loc="upper right")
    ax.set_title(title)
    kept = io.BytesIO()
    sheet.savefig(kept, format="png", dpi=110)
    return kept.getvalue()


def main(*, seed: int = 0, out: Path = Path("pilotage-demo")) -> int:
    """Map the trees of a park; ends with their number, errors and a picture.

    Args:
        seed: Seed of the simulated park, where there is no log.
        out: Folder for the picture.
    """
    file = Path(os.environ.get("PILOTAGE_DATA", ".")) / LOG
    real = file.is_file()
    log, truth, trees = (read_isam(file), None, None) if real else simulated(seed)
    robot, poses, seconds = driven(log)
    wheels, count = dead_reckoning(log.steps), len(robot.map.proven)
    name, duration = "Victoria Park" if real else "a simulated park", DT * len(log.steps)
    print(
        f"{name}: {len(log.steps)} steps, {len(log.sightings)} trees seen\n"
        f"  map       {count} trees, each seen {len(log.sightings) / max(count, 1):.0f} times\n"
        f"  speed     {seconds:.1f} s, {duration / seconds:.0f} times as fast as the car"
    )
    far = np.hypot(*(wheels[:, :2] - poses[:, :2]).T).max()
    print(f"  odometry  is up to {far:.0f} m off the way by SLAM")
    good = 90 <= count <= 115
    if truth is not None and trees is not None:
        errors = absolute_trajectory_error(truth, poses).rmse, absolute_trajectory_error(truth, wheels).rmse
        there = len(np.unique(log.landmarks))
        print(
            f"  truth     {there} trees; errors of positions {errors[0]:.2f} m, by the wheels alone {errors[1]:.2f} m"
        )
        good = abs(count - there) <= 0.1 * there and errors[0] < 0.6 * errors[1]
    out.mkdir(parents=True, exist_ok=True)
    write_atomic(out / "victoria-park.png", picture(robot, poses, wheels, f"{name}: {count} trees"))
    print(f"  see       {out / 'victoria-park.png'}")
    if not good:
        print("not as it should be: each tree is on the map once, and positions are better than those of the wheels")
    return 0 if good else 1
