"""Public data sets with landmarks and ranges, solved as factor graphs: errors against their recorded truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pilotage.core import Space
from pilotage.estimators.slam import Dogleg, FactorGraph, Factors, GaussNewton, Huber, SolveStatus, Variables
from pilotage.io import LandmarkGraph, read_isam, read_pyfg
from pilotage.models import factor, range_to, relative_pose, relative_position
from tests.estimators.test_pose_graph import PLACE, POSE

SPACES = {2: PLACE, 3: Space("x y z [m]")}


@factor(variables={"a": POSE[2], "b": POSE[2]}, reading=Space("range [m]"))
def apart(a: Any, b: Any, c: Any, p: Any, m: Any) -> Any:
    """The distance between two robots."""
    return m.hypot(b[0] - a[0], b[1] - a[1])


def odometry(graph: LandmarkGraph, axes: int) -> Any:
    """Poses along the steps, from the true first pose of each robot."""
    x = graph.poses.copy()
    for (i, j), z in zip(graph.steps.pairs, graph.steps.readings, strict=True):
        x[j] = POSE[axes].compose(x[i], z)
    return x


def from_ranges(graph: LandmarkGraph, x: Any, axes: int) -> Any:
    """Landmarks by linear least squares: |p|^2 - 2 x.p = r^2 - |x|^2."""
    places = np.zeros((len(graph.landmarks), axes))
    for n in range(len(places)):
        k = graph.ranges.pairs[:, 1] == n
        a, r = x[graph.ranges.pairs[k, 0], :axes], graph.ranges.readings[k, 0]
        A = np.hstack([-2.0 * a, np.ones((len(a), 1))])
        places[n] = np.linalg.lstsq(A, r**2 - (a**2).sum(1), rcond=None)[0][:axes]
    return places


def from_sightings(graph: LandmarkGraph, x: Any, axes: int) -> Any:
    """Landmarks by their first sighting."""
    places = np.zeros((len(graph.landmarks), axes))
    for (i, n), z in reversed(list(zip(graph.sightings.pairs, graph.sightings.readings, strict=True))):
        places[n] = POSE[axes].act(x[i], z)
    return places


def factors(graph: LandmarkGraph, axes: int, kernel: Any) -> list[Factors]:
    steps, sightings, ranges, both = graph.steps, graph.sightings, graph.ranges, graph.pose_ranges
    found = [Factors(relative_pose(axes), steps.readings, ("pose", steps.pairs[:, 0]), ("pose", steps.pairs[:, 1]),
                     np.linalg.inv(steps.covariances))]  # fmt: skip
    for sensor, each in ((relative_position(axes), sightings), (range_to(axes), ranges)):
        if len(each.pairs):
            i, j = each.pairs.T
            W = np.linalg.inv(each.covariances)
            found.append(Factors(sensor, each.readings, ("pose", i), ("place", j), W, kernel))
    if len(both.pairs):
        i, j = both.pairs.T
        found.append(Factors(apart(), both.readings, [("pose", i), ("pose", j)], None, np.linalg.inv(both.covariances)))
    return found


def trajectory_error(x: Any, truth: Any, axes: int) -> float:
    """Root mean square of the positions after the best rotation and translation."""
    a, b = (each[:, :axes] - each[:, :axes].mean(0) for each in (x, truth))
    U, _, V = np.linalg.svd(b.T @ a)
    mirror = np.eye(axes)
    mirror[-1, -1] = np.sign(np.linalg.det(U @ V))
    return float(np.sqrt(((a @ (U @ mirror @ V).T - b) ** 2).sum(1).mean()))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kernel", "before", "after"), [
    ("plaza1", Huber(), 1.4, 0.4),
    ("single_drone", None, 0.9, 0.7),
    ("mrclam6", Huber(), 2.3, 0.45),
])  # fmt: skip
def test_public_landmark_graphs(name: str, kernel: Any, before: float, after: float, data: Path) -> None:
    """Ranges to beacons in the plane and in space, and several robots that see landmarks and each other."""
    given = read_pyfg(data / "landmark_slam" / f"{name}.pyfg.gz")
    axes = 2 if given.poses.shape[1] == 3 else 3
    x = odometry(given, axes)
    places = (from_sightings if len(given.sightings.pairs) else from_ranges)(given, x, axes)
    variables = {"pose": Variables(POSE[axes], x, fixed=[0]), "place": Variables(SPACES[axes], places)}
    graph = FactorGraph(variables, factors(given, axes, kernel))
    solution = Dogleg(tolerance=1e-4).solve(graph)
    assert solution.status in (SolveStatus.CONVERGED, SolveStatus.LIMIT)  # weights of Huber's kernel converge slowly
    assert solution.chi2[-1] < 0.2 * solution.chi2[0]
    assert trajectory_error(x, given.poses, axes) > before
    assert trajectory_error(solution["pose"], given.poses, axes) < after


@pytest.mark.slow
def test_victoria_park(data: Path) -> None:
    """Trees of a park, begun from odometry 250 poses at a time: the noise model holds at the end."""
    log = read_isam(data / "landmark_slam" / "victoria_park.txt.gz")
    steps, pose, tree, seen = log.steps, log.at, log.landmarks, log.sightings
    step, read = relative_pose(), relative_position()
    W, V = np.linalg.inv(log.step_matrices), np.linalg.inv(log.sighting_matrices)  # covariances
    count, trees = len(steps) + 1, int(tree.max()) + 1
    x, places, known, solution, graph = np.zeros((count, 3)), np.zeros((trees, 2)), set[int](), None, None
    for end in [*range(250, count, 250), count]:
        for k in range(max(1, end - 250), end):
            if solution is None or k >= len(solution["pose"]):
                x[k] = POSE[2].compose(x[k - 1], steps[k - 1])
        own = np.flatnonzero(pose < end)
        for k in own:
            if tree[k] not in known:
                known.add(int(tree[k]))
                places[tree[k]] = POSE[2].act(x[pose[k]], seen[k])
        numbers = np.array(sorted(known))
        graph = FactorGraph(
            {"pose": Variables(POSE[2], x[:end], fixed=[0]), "tree": Variables(PLACE, places[numbers])},
            [
                Factors(step, steps[: end - 1], ("pose", range(end - 1)), ("pose", range(1, end)), W[: end - 1]),
                Factors(read, seen[own], ("pose", pose[own]), ("tree", np.searchsorted(numbers, tree[own])), V[own]),
            ],
        )
        solution = GaussNewton(iterations=20, tolerance=1e-6).solve(graph)
        x[:end], places[numbers] = solution["pose"], solution["tree"]
    assert solution is not None and graph is not None and solution.status is SolveStatus.CONVERGED
    assert solution.chi2[-1] < graph.residuals - graph.unknowns
