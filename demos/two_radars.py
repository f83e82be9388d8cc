"""Two radars track the same aircraft, each with a tracker of its own; their tracks are fused.

A radar knows the range to some metres and the azimuth badly, so that its errors are long across the line of sight.
Where the lines of sight of two radars cross, each knows what the other does not. They turn at different times, and see
false echoes of their own. The demo compares

    left, right     the tracks of either radar
    independent     tracks fused as if their errors had nothing in common
    intersection    tracks fused by covariance intersection
    information     tracks fused without what is common
    central         one tracker that has the echoes of both radars

by the error of the position and by the NEES, which is 4 where covariances are right. The picture shows the tracks, the
ellipses of all at one aircraft, and the errors over time.
"""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import numpy as np

from pilotage.core import Gaussian
from pilotage.estimators import EKF
from pilotage.estimators.tracking import JPDA, Detector, Scenario, Tracker, Tracks
from pilotage.estimators.tracking.fusion import (
    CovarianceIntersection,
    IndependentFusion,
    InformationFusion,
    TrackFuser,
)
from pilotage.io import write_atomic
from pilotage.models import constant_velocity, radar
from pilotage.viz import draw_ellipse, draw_path, map_figure

STEPS, SETTLED = 100, 40
AIRCRAFT = constant_velocity(density=1.0)
PLACES = {"left": (-9000.0, 0.0), "right": (9000.0, 0.0)}
RADARS = {name: radar(place=place, std=(15.0, 0.012, 3.0)) for name, place in PLACES.items()}
STARTS = [[-6000, 6000, 95, 20], [-5000, 12000, 80, -25], [6000, 5000, -85, 30], [5500, 13000, -95, -20]]
BIRTH = Gaussian.of(AIRCRAFT.state, [0, 9000, 0, 0], std={"x": 9000, "y": 6000, "vx": 80, "vy": 80})
RULES = {
    "independent": IndependentFusion(),
    "intersection": CovarianceIntersection(),
    "information": InformationFusion(),
}
COLOURS = {
    "left": "#4c78a8",
    "right": "#54a24b",
    "independent": "#b279a2",
    "intersection": "#f58518",
    "information": "#e45756",
    "central": "#222222",
}


def flight(seed: int) -> tuple[Any, dict[str, Scenario]]:
    """The states of the aircraft at each second, and what the radars see of them in turn."""
    rngs = np.random.default_rng(seed).spawn(3)
    truth = Scenario.of(AIRCRAFT, RADARS["left"], STARTS, dt=1.0, steps=STEPS, noisy=True, rng=rngs[0]).truth
    seen = {}
    for k, (name, one) in enumerate(RADARS.items()):
        ts = np.arange(k, STEPS, 2.0)
        seen[name] = Scenario.observed(truth, one, ts=ts, detection=0.9, clutter=6.0, rng=rngs[1 + k])
    return truth, seen


def follow(seen: dict[str, Scenario]) -> list[dict[str, Tracks]]:
    """The tracks of all after each turn of the right radar."""
    filter = EKF(AIRCRAFT, dt=1.0)
    detectors = {name: Detector(RADARS[name], detection=0.9, clutter=one.clutter) for name, one in seen.items()}
    trackers = {name: Tracker(filter, one, BIRTH, JPDA(), gate=0.999) for name, one in detectors.items()}
    central = Tracker(filter, detectors, BIRTH, JPDA(), gate=0.999)
    fusers = {name: TrackFuser(filter, rule, gate=0.9999) for name, rule in RULES.items()}
    found = []
    for t in range(STEPS):
        name, k = ("left", "right")[t % 2], t // 2
        mine = trackers[name].update(seen[name].scans[k], t)
        central.update(seen[name].scans[k], t, detector=name)
        for fuser in fusers.values():
            fuser.update(mine, source=name)
        if name == "right":
            each = {name: one.predicted(t) for name, one in trackers.items()}
            found.append({**each, **{name: one.tracks for name, one in fusers.items()}, "central": central.tracks})
    return found


def errors(tracks: Tracks, x: Any) -> Any:
    """Error of the position [m] and NEES of the track nearest to each aircraft, ``(n, 2)``; NaN where there is none."""
    which = np.flatnonzero(tracks.confirmed)
    if not len(which):
        return np.full((len(x), 2), math.nan)
    belief = tracks.belief[which]
    d = x[:, None] - belief.mean
    nearest = np.hypot(d[..., 0], d[..., 1]).argmin(1)
    d = d[np.arange(len(x)), nearest]
    nees = np.einsum("ni,ni->n", d, np.linalg.solve(belief.cov[nearest], d[..., None])[..., 0])
    return np.stack([np.hypot(d[:, 0], d[:, 1]), nees], axis=-1)


def judge(truth: Any, found: list[dict[str, Tracks]]) -> dict[str, Any]:
    """Errors and NEES of all at each time, ``(T, n, 2)``."""
    at = [truth.at(float(2 * k + 1)).x for k in range(len(found))]
    return {name: np.array([errors(one[name], x) for one, x in zip(found, at, strict=True)]) for name in COLOURS}


def picture(truth: Any, found: list[dict[str, Tracks]], scores: dict[str, Any], title: str) -> bytes:
    """The tracks, the ellipses at one aircraft, and the errors over time."""
    paths = [truth.of(int(id)).x[:, :2] / 1000.0 for id in np.unique(truth.id)]
    every = np.concatenate([*paths, np.array(list(PLACES.values())) / 1000.0])
    figure, ax = map_figure([every.min(0) - 0.5, every.max(0) + 0.5], width=8.0, strip=2.0)
    for i, path in enumerate(paths):
        draw_path(ax, path, color="#cccccc", lw=1.5, label="_" if i else "truth")
    for name in ("left", "right", "information"):
        dots = np.concatenate([one[name].mean[:, :2] / 1000.0 for one in found if len(one[name])])
        ax.plot(*dots.T, ".", ms=3.0, color=COLOURS[name], label=name, zorder=9)
    for name, place in PLACES.items():
        ax.plot(*np.array(place) / 1000.0, "^", ms=9, color=COLOURS[name])
    ax.set_xlabel("x [km]", fontsize=8)
    ax.set_ylabel("y [km]", fontsize=8)
    ax.set_title(title, fontsize=9, loc="left")
    ax.legend(loc="lower center", fontsize=8, frameon=False, ncols=4, markerscale=3.0)
    close_up(figure, ax, truth, found)
    height = float(figure.get_figheight())
    panel = figure.add_axes((0.09, 0.5 / height, 0.88, 1.35 / height))
    t = 1.0 + 2.0 * np.arange(len(found))
    for name, colour in COLOURS.items():
        panel.plot(t, np.sqrt(np.square(scores[name][..., 0]).mean(1)), color=colour, lw=1.0, label=name)
    panel.set(xlim=(0.0, t[-1]), ylim=(5.0, 500.0), yscale="log")
    panel.set_xlabel("time [s]", fontsize=8)
    panel.set_ylabel("error [m]", fontsize=8)
    panel.tick_params(labelsize=7)
    panel.legend(loc="upper right", fontsize=7, frameon=False, ncols=3)
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def close_up(figure: Any, ax: Any, truth: Any, found: list[dict[str, Tracks]]) -> None:
    """The ellipses of 95 % around the first aircraft, half way through."""
    k = len(found) // 2
    x = truth.at(float(2 * k + 1)).x[0]
    box = ax.get_position()
    inset = figure.add_axes(
        (box.x0 + 0.37 * box.width, box.y0 + 0.13 * box.height, 0.26 * box.width, 0.28 * box.height)
    )
    for name, colour in COLOURS.items():
        belief = found[k][name].belief[np.flatnonzero(found[k][name].confirmed)]
        i = int(np.hypot(*(belief.mean[:, :2] - x[:2]).T).argmin())
        draw_ellipse(inset, belief.mean[i, :2] - x[:2], belief.cov[i, :2, :2], edgecolor=colour)
    inset.plot(0.0, 0.0, "k+", ms=8)
    inset.set(xlim=(-250.0, 250.0), ylim=(-250.0, 250.0), aspect="equal")
    inset.set_title("95 % at one aircraft [m]", fontsize=7)
    inset.tick_params(labelsize=6)


def main(*, seed: int = 0, out: Path = Path("pilotage-demo")) -> int:
    """Two radars track the same aircraft, and their tracks are fused; ends with a table and a picture.

    Args:
        seed: Seed of the flight and of the radars.
        out: Folder for the picture.
    """
    truth, seen = flight(seed)
    found = follow(seen)
    scores = judge(truth, found)
    late = {name: one[SETTLED // 2 :] for name, one in scores.items()}
    rms = {name: math.sqrt(np.square(one[..., 0]).mean()) for name, one in late.items()}
    print("tracks         error [m]   NEES   tracks at the end")
    for name, one in late.items():
        print(f"{name:14} {rms[name]:9.0f} {one[..., 1].mean():6.1f} {len(found[-1][name]):9d}")
    out.mkdir(parents=True, exist_ok=True)
    alone = min(rms["left"], rms["right"])
    title = f"one radar {alone:.0f} m, fused tracks {rms['information']:.0f} m, all echoes {rms['central']:.0f} m RMSE"
    write_atomic(out / "two-radars.png", picture(truth, found, scores, title))
    print(f"see {out / 'two-radars.png'}")
    counted = all(len(found[-1][name]) == len(STARTS) for name in COLOURS)
    close = rms["information"] < 1.2 * rms["central"] and rms["intersection"] < 0.7 * alone
    held = counted and close and late["intersection"][..., 1].mean() < 5.0 < late["independent"][..., 1].mean()
    if not held:
        print("not as it should be: each aircraft tracked once, fused tracks nearly as good as one tracker for both")
    return 0 if held else 1
