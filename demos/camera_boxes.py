"""Boxes of cars in the images of a camera that turns: tracked as if it stood still, and with its motion.

A detector reports a box for each car that it sees, image by image. Trackers join them by how much boxes overlap with
where they are expected. When the car that carries the camera turns, all boxes jump aside, do not overlap any more, and
tracks break. The boxes themselves tell by how much: `CameraMotion` finds the shift on which most of them agree.

The data are a sequence of KITTI tracking where `PILOTAGE_DATA` names the folder of the public data sets, and otherwise
an invented road. The picture shows images with the boxes of the tracks, where tracks are over time with and without the
motion of the camera, and that motion. A cross marks a car whose track changes its number.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.colors import hsv_to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from scipy.optimize import linear_sum_assignment

from pilotage.core import BOX, Scans, TrackTable, iou
from pilotage.estimators.tracking.boxes import OCSORT, SORT, BoxMotion, BoxTracker, ByteTrack, CameraMotion
from pilotage.estimators.tracking.scores import clear, compare, hota, identity
from pilotage.io import read_kitti_detections, read_kitti_labels, write_atomic
from pilotage.viz.palette import MUTED, SURPRISE

FOLDER = Path("mot/kitti_tracking")
RATE, WIDTH, HEIGHT, FOCAL = 10.0, 1242.0, 375.0, 720.0
EXACT = BoxMotion(reading=0.05, growth=0.5)
RECIPES: dict[str, Any] = {
    "SORT": SORT(motion=EXACT),
    "ByteTrack": ByteTrack(motion=EXACT),
    "OC-SORT": OCSORT(motion=EXACT),
}
SHOWN, IMAGES = "SORT", 4


def recorded(folder: Path, sequence: str) -> tuple[TrackTable, Scans]:
    """Labels of cars and vans, and the detections of cars."""
    label, boxes = (folder / part / f"{sequence}.txt" for part in ("label_02", "det2d_rrc/Car"))
    label, boxes = (file if file.exists() else file.with_name(file.name + ".gz") for file in (label, boxes))
    scans = read_kitti_detections(boxes, least=0.5)
    return read_kitti_labels(label, kinds=["Car", "Van"]).boxes, scans


def invented(rng: Any, frames: int = 250) -> tuple[TrackTable, Scans]:
    """Cars parked on both sides of a road, and some that drive along it, as a car sees them that turns its head."""
    n, moving = 16, 3
    z0 = 14.0 * np.arange(n) + rng.uniform(0.0, 5.0, n)
    side = np.where(np.arange(n) % 2 == 0, -1.0, 1.0) * rng.uniform(5.0, 6.0, n)
    speed = np.append(rng.uniform(5.0, 7.5, moving), np.zeros(n - moving))
    side[:moving] = -1.5
    z0[:moving] = 12.0 + 14.0 * np.arange(moving)
    yaw = np.cumsum(np.radians(np.repeat(rng.normal(0.0, 1.5, frames // 8 + 1), 8)[:frames]))
    yaw -= np.linspace(0.0, yaw[-1], frames)
    yaw = np.clip(yaw, -0.5, 0.5)
    rows, scans = list[Any](), list[Any]()
    for k in range(frames):
        t, seen = k / RATE, list[Any]()
        ahead, left = z0 + speed * t - 8.0 * t, side
        c, s = np.cos(yaw[k]), np.sin(yaw[k])
        depth, across = c * ahead - s * left, s * ahead + c * left
        near = np.zeros((0, 4))
        for i in sorted(np.flatnonzero((depth > 6.0) & (depth < 50.0)).tolist(), key=depth.__getitem__):
            u, sides = WIDTH / 2 + FOCAL * across[i] / depth[i], FOCAL * np.array([2.0, 1.5]) / depth[i]
            box = np.array([u - sides[0] / 2, HEIGHT / 2 + FOCAL * 0.9 / depth[i] - sides[1] / 2, *sides])
            hidden = len(near) and iou(box[None], near).max() > 0.5
            near = np.vstack([near, box])
            if 0.0 < u < WIDTH and not hidden:
                rows.append((t, i + 1, *box))
                if rng.random() < 0.93:
                    seen.append(box + 0.02 * np.tile(sides, 2) * rng.normal(size=4))
        scans.append(np.array(seen).reshape(-1, 4))
    table = np.array(rows)
    truth = TrackTable(table[:, 0], table[:, 1], table[:, 2:], space=BOX)
    return truth, Scans("camera", scans, np.arange(frames) / RATE, scores=[np.ones(len(each)) for each in scans])


def judge(truth: TrackTable, found: TrackTable) -> list[float]:
    """HOTA, IDF1 and MOTA [%], and switches."""
    c = compare(truth, found)
    return [100.0 * hota(c).hota, 100.0 * identity(c).idf1, 100.0 * clear(c).mota, clear(c).idsw]


def switches(truth: TrackTable, found: TrackTable) -> Any:
    """Places at which a target has another track than before: times, and the middle across the image, ``(S, 2)``.

    As in CLEAR, boxes match that overlap by half, and a match that goes on comes before all others.
    """
    last, rows = dict[int, int](), list[Any]()
    for t in truth.times.tolist():
        real, mine = truth.at(t), found.at(t)
        overlap = iou(real.x, mine.x)
        kept = np.array([last.get(id, -1) for id in real.id.tolist()])[:, None] == mine.id
        gain = np.where(overlap >= 0.5, overlap + 1000.0 * kept, 0.0)
        for i, j in zip(*linear_sum_assignment(-gain), strict=True):
            id, track, box = int(real.id[i]), int(mine.id[j]), real.x[i]
            if gain[i, j] > 0.0:
                if last.get(id, track) != track:
                    rows.append((t, box[0] + box[2] / 2))
                last[id] = track
    return np.array(rows).reshape(-1, 2)


def hue(id: int) -> Any:
    """The colour of a track."""
    return hsv_to_rgb((0.618034 * id % 1.0, 0.85, 0.75))


def picture(truth: TrackTable, runs: dict[str, TrackTable], cameras: Any, title: str) -> bytes:
    """Images with boxes, tracks over time, and the motion of the camera."""
    figure = Figure((9.0, 10.5), dpi=150)
    FigureCanvasAgg(figure)
    found, times = runs["its motion"], truth.times
    jumps = np.hypot(*cameras[:, :, 2].T)
    busy = int(np.clip(np.convolve(jumps, np.ones(20), "same").argmax(), 10, len(jumps) - 15))
    for k in range(IMAGES):
        ax = figure.add_axes((0.06 + 0.47 * (k % 2), 0.845 - 0.14 * (k // 2), 0.45, 0.12))
        image(ax, found, times[min(busy - 9 + 6 * k, len(times) - 1)], times)
    figure.text(0.06, 0.978, title, fontsize=9)
    for k, (name, table) in enumerate(runs.items()):
        ax = figure.add_axes((0.08, 0.425 - 0.255 * k, 0.9, 0.22))
        over_time(ax, table, switches(truth, table))
        ax.set_title(f"{SHOWN} with {name}: {len(table.ids)} tracks", fontsize=8, loc="left")
        ax.set(xlim=(0.0, times[-1]), ylim=(0.0, WIDTH))
        ax.set_ylabel("across the image [px]", fontsize=7)
        ax.tick_params(labelsize=7, labelbottom=False)
    ax = figure.add_axes((0.08, 0.045, 0.9, 0.085))
    ax.plot(np.arange(len(cameras)) / RATE, cameras[:, 0, 2], color=MUTED, lw=1.0)
    ax.set(xlim=(0.0, times[-1]))
    ax.set_xlabel("time [s]", fontsize=8)
    ax.set_ylabel("shift [px]", fontsize=7)
    ax.tick_params(labelsize=7)
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def image(ax: Any, found: TrackTable, t: float, times: Any) -> None:
    """The boxes of the tracks at a time, and where they were in the second before."""
    now = found.at(t)
    for id, (left, top, width, height) in zip(now.id.tolist(), now.x, strict=True):
        path = found.of(id)
        late = (path.t <= t + 1e-9) & (path.t > t - 1.0)
        ax.plot(*(path.x[late, :2] + path.x[late, 2:] / 2).T, color=hue(id), lw=0.8)
        ax.add_patch(rectangle(left, top, width, height, hue(id)))
        ax.text(left, top - 4.0, str(id), fontsize=5, color=hue(id))
    ax.set(xlim=(0.0, WIDTH), ylim=(HEIGHT, 0.0), xticks=[], yticks=[], aspect="equal", facecolor="#f4f4f2")
    ax.text(0.99, 0.03, f"{t:.1f} s", fontsize=6, ha="right", transform=ax.transAxes, color=MUTED)


def rectangle(left: float, top: float, width: float, height: float, colour: Any) -> Any:
    """A box without a face."""
    return Rectangle((left, top), width, height, fill=False, edgecolor=colour, lw=1.3)


def over_time(ax: Any, table: TrackTable, switched: Any) -> None:
    """The middle of each track's box across the image, over time."""
    for id in table.ids.tolist():
        path = table.of(id)
        points = np.stack([path.t, path.x[:, 0] + path.x[:, 2] / 2], axis=-1)
        near = np.diff(path.t) < 5.0 / RATE
        ax.add_collection(
            LineCollection(np.stack([points[:-1], points[1:]], 1)[near].tolist(), colors=[hue(id)], lw=1.3)
        )
    ax.plot(*switched.T, "x", ms=6, mew=1.5, color=SURPRISE, label="another number")
    ax.legend(fontsize=7, loc="upper right", framealpha=0.8)


def main(*, sequence: str = "0004", seed: int = 0, out: Path = Path("pilotage-demo")) -> int:
    """Track boxes of a camera that turns; ends with a table and a picture.

    Args:
        sequence: Of KITTI tracking, where it is there.
        seed: Seed of the invented road, where it is not.
        out: Folder for the picture.
    """
    folder = Path(os.environ.get("PILOTAGE_DATA", ".")) / FOLDER
    real = folder.exists()
    truth, scans = recorded(folder, sequence) if real else invented(np.random.default_rng(seed))
    cameras, scores = CameraMotion().of(scans), dict[tuple[str, str], list[float]]()
    shown = dict[str, TrackTable]()
    print(f"{len(scans.z)} boxes in {len(scans.ts)} images, {'KITTI ' + sequence if real else 'invented'}")
    print("tracker    camera          HOTA   IDF1   MOTA   switches")
    for name, recipe in RECIPES.items():
        for camera, motion in (("a still camera", None), ("its motion", cameras)):
            table = BoxTracker(recipe).run(scans, cameras=motion, filtered=False)
            scores[name, camera] = judge(truth, table)
            h, i, m, s = scores[name, camera]
            print(f"{name:10} {camera:14} {h:5.1f}  {i:5.1f}  {m:5.1f}   {s:8.0f}")
            if name == SHOWN:
                shown[camera] = table
    out.mkdir(parents=True, exist_ok=True)
    still, moved = scores[SHOWN, "a still camera"], scores[SHOWN, "its motion"]
    title = (
        f"{SHOWN}: {still[3]:.0f} switches as if the camera stood still, {moved[3]:.0f} with its motion from the boxes"
    )
    write_atomic(out / "camera-boxes.png", picture(truth, shown, cameras, title))
    print(f"see {out / 'camera-boxes.png'}")
    held = moved[3] < 0.5 * still[3] and moved[0] > still[0]
    if not held:
        print("not as it should be: less than half of the switches, and a better HOTA, with the motion of the camera")
    return 0 if held else 1
