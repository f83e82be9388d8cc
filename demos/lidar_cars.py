"""Cars and pedestrians before a lidar, tracked as extended objects: each by its outline, not by its points.

A lidar in the plane sees the near sides of cars, and the legs of pedestrians: many points of a near car, few of a far
one, none of one that is hidden. The points are thinned, and two filters track what causes them,

    ellipses      extents are random matrices, whose axes are free
    rectangles    cars are rectangles along their motion, of which the lidar sees one or two sides

each with gamma Gaussian inverse-Wishart beliefs in a Poisson multi-Bernoulli mixture. The demo compares them by the
distance of the outlines from the true ones (Gaussian Wasserstein), for objects that are in sight, and counts tracks
that are near no object. The picture shows the street at some times, and how far the outlines of the cars are off.
"""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import numpy as np

from pilotage.core import Gaussian
from pilotage.estimators import KF
from pilotage.estimators.tracking import Detector, Tracker, Tracks
from pilotage.estimators.tracking.extended import (
    GGIWPMBM,
    DistancePartitions,
    Ellipse,
    LidarScene,
    LineOfSight,
    Outline,
    Rectangle,
    lidar_traffic,
    shape_of,
    thinned,
    wasserstein,
)
from pilotage.io import write_atomic
from pilotage.models import constant_velocity, position
from pilotage.viz import draw_path, fit_axes, map_figure
from pilotage.viz.figures import quiet

CARS, SPACING, SETTLED, CUTOFF, IN_SIGHT = 6, 0.4, 15, 2.0, 10
"""Cars; squares of thinned points [m]; scans before the score; distance of no match [m]; points that are in sight."""
MOTION = constant_velocity(density=1.0)
BIRTH = Gaussian.of(MOTION.state, [0, 13, 0, 0], std={"x": 20, "y": 8, "vx": 6, "vy": 1.5})
WALKER = Ellipse(0.6, 0.45, "pedestrian", certainty=500, rate=2.5, rate_std=1.0, memory=1e3, scale=0.5)
KINDS = {
    "ellipses": (Ellipse(4.5, 1.8, "car", certainty=30, rate=12, rate_std=5, scale=0.5), WALKER),
    "rectangles": (Rectangle(4.5, 1.8, "car", certainty=100, rate=12, rate_std=5, even=True), WALKER),
}
COLOURS = {"car": "#4c78a8", "pedestrian": "#e45756", "": "#999999"}
LINES = {"ellipses": "#b279a2", "rectangles": "#4c78a8"}


def follow(scene: LidarScene, name: str) -> list[Tracks]:
    """The tracks after each scan."""
    lidar = Detector(position(std=0.05), detection=0.98, clutter=scene.clutter)
    method = GGIWPMBM(KINDS[name], DistancePartitions(), LineOfSight(tuple(scene.place)), rate=0.2, undetected=8.0)
    tracker = Tracker(KF(MOTION, dt=0.1), lidar, BIRTH, method, gate=0.999)
    return [tracker.update(thinned(scene.scans[k], SPACING), float(t)) for k, t in enumerate(scene.scans.ts)]


def judge(scene: LidarScene, found: list[Tracks]) -> tuple[Any, Any]:
    """Distances ``(T, N)`` of objects in sight from the outline nearest to them, and tracks of nothing ``(T,)``."""
    truth, points = scene.shapes, scene.points
    distance = np.full((len(found), len(truth.ids)), math.nan)
    false = np.zeros(len(found))
    for k, tracks in enumerate(found):
        rows = np.flatnonzero(truth.t == scene.scans.ts[k])
        shown = [shape_of(each) for each in tracks.extents]
        d = wasserstein(truth.x[rows][:, None], np.reshape(shown, (1, -1, 5)))
        distance[k] = np.where(points[rows] >= IN_SIGHT, d.min(1, initial=CUTOFF), math.nan)
        centers = np.linalg.norm(truth.x[rows][:, None, :2] - np.reshape(shown, (1, -1, 5))[..., :2], axis=-1)
        false[k] = (centers.min(0, initial=math.inf) > CUTOFF).sum()
    return distance, false


def picture(scene: LidarScene, found: dict[str, list[Tracks]], scores: dict[str, Any], title: str) -> bytes:
    """The street at three times, and the distances of the outlines of cars over time."""
    low, high, times = np.array([-27.0, -1.5]), np.array([27.0, 24.0]), (15, 32, 50)
    figure, ax = map_figure([low, high], width=8.0, strip=1.9 + 2.0 * 3.9)
    box = ax.get_position()
    step = 3.9 / float(figure.get_figheight())
    panels = [ax, *(figure.add_axes((box.x0, box.y0 - i * step, box.width, box.height)) for i in (1, 2))]
    for one, k in zip(panels, times, strict=True):
        fit_axes(one, low, high)
        street(one, scene, found["rectangles"][k], k)
    ax.set_title(title, fontsize=9, loc="left")
    ax.legend(loc="lower right", fontsize=7, frameon=False)
    size = float(figure.get_figheight())
    chart = figure.add_axes((box.x0, 0.5 / size, box.width, 1.2 / size))
    for name, colour in LINES.items():
        chart.plot(scene.scans.ts, np.nanmean(scores[name][0][:, :CARS], axis=1), color=colour, lw=1.2, label=name)
    chart.set(xlim=(0.0, scene.scans.ts[-1]), ylim=(0.0, CUTOFF))
    chart.set_xlabel("time [s]", fontsize=8)
    chart.set_ylabel("outlines of cars\nare off by [m]", fontsize=8)
    quiet(chart)
    chart.legend(loc="upper right", fontsize=7, frameon=False, ncols=2)
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def street(ax: Any, scene: LidarScene, tracks: Tracks, k: int) -> None:
    """Points, true outlines, and tracks with their numbers at one scan."""
    t = float(scene.scans.ts[k])
    for i, x in enumerate(scene.truth.at(t).x):
        label = {"label": "true"} if i == 0 else {}
        draw_path(ax, Outline(x[:2], x[3], x[4], x[2], True, 0.0, "").curve, color="#bbbbbb", lw=1.0, **label)
    ax.plot(*scene.scans[k].T, ".", ms=2.0, color="#222222", zorder=5, label="points")
    ax.plot(*scene.place, "k^", ms=8)
    named = set[str]()
    for track in tracks:
        one = track.extent
        label = {} if one.kind in named else {"label": one.kind}
        named.add(one.kind)
        style = "-" if track.status.name == "CONFIRMED" else ":"
        draw_path(ax, one.curve, color=COLOURS[one.kind], lw=1.6, ls=style, **label)
        ax.annotate(str(track.id), one.center + [0.0, 1.2], fontsize=6, color=COLOURS[one.kind], clip_on=True)
    ax.text(0.01, 0.04, f"{t:.1f} s", transform=ax.transAxes, fontsize=8)


def main(*, seed: int = 1, out: Path = Path("pilotage-demo")) -> int:
    """Cars and pedestrians before a lidar are tracked by their outlines; ends with a table and a picture.

    Args:
        seed: Seed of the street and of the lidar.
        out: Folder for the picture.
    """
    scene = lidar_traffic(rng=seed)
    found = {name: follow(scene, name) for name in KINDS}
    scores = {name: judge(scene, one) for name, one in found.items()}
    print(f"{scene}\n{'outlines off by [m]':>32}      tracks of nothing")
    print("extents        cars   pedestrians         in a scan")
    table = {}
    for name, (distance, false) in scores.items():
        late = distance[SETTLED:]
        table[name] = [np.nanmean(late[:, :CARS]), np.nanmean(late[:, CARS:]), false[SETTLED:].mean()]
        print(f"{name:12} {table[name][0]:6.2f} {table[name][1]:13.2f} {table[name][2]:17.2f}")
    out.mkdir(parents=True, exist_ok=True)
    title = f"outlines of cars: ellipses {table['ellipses'][0]:.2f} m off, rectangles {table['rectangles'][0]:.2f} m"
    write_atomic(out / "lidar-cars.png", picture(scene, found, scores, title))
    print(f"see {out / 'lidar-cars.png'}")
    cars, walkers, false = table["rectangles"]
    if cars < min(0.7, 0.6 * table["ellipses"][0]) and walkers < 0.3 and false < 1.5:
        return 0
    print("not as it should be: rectangles within 0.7 m of cars in sight, much nearer than ellipses, few false tracks")
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
