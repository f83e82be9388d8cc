"""A robot drives around a sphere, ring by ring; its crumpled odometry unfolds to the sphere in a few steps.

    chain     odometry alone: errors of rotation bend the rings away from each other
    closures  each pose sees the pose below it on the ring before
    solve     Gauss-Newton on the factor graph of poses in space, step by step
    certify   the dual problem says how much lower the global optimum could be

The picture shows the poses before the first step and after each of the next, and at the end, coloured from the first
pose to the last.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from pilotage.core import Space
from pilotage.estimators.slam import FactorGraph, GaussNewton, Solution, certificate, pose_graph
from pilotage.io import PoseGraph, write_atomic

POSE = Space("pose: SE3")
RADIUS, RINGS, SIDE = 20.0, 24, 36
STD = np.array([0.05, 0.05, 0.05, 0.04, 0.04, 0.04])


def frame(place: Any, ahead: Any) -> Any:
    """The pose at a place on the sphere, with x ahead and z outwards."""
    up = place / np.linalg.norm(place)
    x = ahead - (ahead @ up) * up
    x /= np.linalg.norm(x)
    R = np.stack([x, np.cross(up, x), up], axis=1)
    w = 0.5 * np.sqrt(max(0.0, 1.0 + R.trace()))
    if w > 0.1:
        q = np.array([w, *((R[[2, 0, 1], [1, 2, 0]] - R[[1, 2, 0], [2, 0, 1]]) / (4.0 * w))])
    else:  # nearly half a turn: the largest component first
        k = int(np.argmax(R.diagonal()))
        i, j = (k + 1) % 3, (k + 2) % 3
        s = 2.0 * np.sqrt(1.0 + R[k, k] - R[i, i] - R[j, j])
        q = np.empty(4)
        q[0], q[1 + k] = (R[j, i] - R[i, j]) / s, 0.25 * s
        q[1 + i], q[1 + j] = (R[i, k] + R[k, i]) / s, (R[j, k] + R[k, j]) / s
    return np.concatenate([place, q])


def sphere(rng: np.random.Generator) -> tuple[Any, PoseGraph]:
    """The true poses, and their noisy edges."""
    poses = []
    for k in range(RINGS * SIDE):
        height, around = np.pi * (0.06 + 0.88 * k / (RINGS * SIDE)) - np.pi / 2, 2.0 * np.pi * (k % SIDE) / SIDE
        radial = np.array([np.cos(around), np.sin(around), 0.0])
        place = RADIUS * (np.cos(height) * radial + np.sin(height) * np.array([0.0, 0.0, 1.0]))
        poses.append(frame(place, np.array([-np.sin(around), np.cos(around), 0.0])))
    truth = POSE.normalize(np.array(poses))
    n = len(truth)
    pairs = np.array([(k, k + 1) for k in range(n - 1)] + [(k, k + SIDE) for k in range(n - SIDE)])
    exact = POSE.compose(POSE.inverse(truth[pairs[:, 0]]), truth[pairs[:, 1]])
    readings = POSE.plus(exact, STD * rng.standard_normal((len(pairs), 6)))
    information = np.tile(np.diag(STD**-2.0), (len(pairs), 1, 1))
    return truth, PoseGraph(np.arange(n), None, pairs, readings, information)


def unfold(graph: FactorGraph) -> list[Solution]:
    """The solutions after 1, 2, ... steps, until one has converged."""
    found: list[Solution] = []
    while not found or found[-1].iterations == len(found):
        found.append(GaussNewton(iterations=len(found) + 1, tolerance=1e-6).solve(graph))
    return found[:-1]


def placed(poses: Any, truth: Any) -> Any:
    """The poses moved as a whole, so that the first one is where it is in truth."""
    return POSE.compose(POSE.compose(truth[0], POSE.inverse(poses[0])), poses)


def picture(truth: Any, graph: FactorGraph, found: list[Solution]) -> bytes:
    """The poses before and after steps, and in truth."""
    first = f"odometry, chi2 {graph.chi2:.2g}", graph.variables["pose"].values
    kept = found[:3] + found[-1:] if len(found) > 4 else found
    steps = [(f"step {each.iterations}, chi2 {each.chi2[-1]:.4g}", each["pose"]) for each in kept]
    panels = [first, *steps, ("truth", truth)]
    figure = Figure(figsize=(9.0, 6.4), dpi=130)
    for k, (title, poses) in enumerate(panels[:6]):
        ax: Any = figure.add_subplot(2, 3, k + 1, projection="3d")
        x = placed(poses, truth)[:, :3]
        ax.plot(*x.T, color="#bbbbbb", lw=0.4)
        ax.scatter(*x.T, c=np.arange(len(x)), cmap="viridis", s=3.0)
        middle, reach = 0.5 * (x.min(0) + x.max(0)), 0.55 * float(np.ptp(x, axis=0).max())
        ax.set(xlim=middle[0] + np.array([-reach, reach]), ylim=middle[1] + np.array([-reach, reach]))
        ax.set_zlim(middle[2] - reach, middle[2] + reach)
        ax.set_box_aspect((1.0, 1.0, 1.0))
        ax.set_title(f"{title} [m]" if k == 0 else title, fontsize=9)
        ax.tick_params(labelsize=5, pad=-3)
    figure.subplots_adjust(left=0.0, right=0.98, bottom=0.02, top=0.95, wspace=0.02, hspace=0.08)
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def main(*, seed: int = 0, out: Path = Path("pilotage-demo")) -> int:
    """A pose graph in space unfolds to a sphere; ends with chi2 of each step, a certificate and a picture.

    Args:
        seed: Seed of the noise.
        out: Folder for the picture.
    """
    truth, edges = sphere(np.random.default_rng(seed))
    graph = pose_graph(edges, "odometry")
    found = unfold(graph)
    free = graph.residuals - graph.unknowns
    for k, chi2 in enumerate(found[-1].chi2):
        print(f"step {k}    chi2 {chi2:14.1f}")
    errors = POSE.minus(placed(found[-1]["pose"], truth), truth)[:, :3]
    error = float(np.sqrt(np.square(errors).sum(-1).mean()))
    chordal = GaussNewton().solve(pose_graph(edges, residual="chordal"))
    gap = certificate(edges, chordal["pose"]).gap
    print(f"chi2 for {free} degrees of freedom; poses are right to {error:.2f} m; the optimum is within {gap:.1e}")
    out.mkdir(parents=True, exist_ok=True)
    write_atomic(out / "sphere-unfolding.png", picture(truth, graph, found))
    print(f"see {out / 'sphere-unfolding.png'}")
    held = abs(found[-1].chi2[-1] - free) < 5.0 * np.sqrt(2.0 * free) and error < 3.0 and abs(gap) < 1e-5
    if not held:
        print("not as it should be: chi2 as large as its degrees of freedom, and a certified optimum")
    return 0 if held else 1
