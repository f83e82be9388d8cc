"""Aircraft over a region: reports without names, each at its own time, become tracks; an IMM beside a single model.

Aircraft report where they are about every ten seconds, each at its own time. The demo takes the names away and tracks
the places, report by report, so that every one is a scan of its own. Names tell afterwards whether tracks were right.

    straight    constant velocity, whose noise has to make up for turns
    IMM         calm, straight flight and turns at a constant rate; it finds out which one it is

Both have the settings of the largest likelihood on half of the aircraft (``python -m benchmarks.aircraft fit``). The
data are OpenSky's over England where `PILOTAGE_DATA` names the folder of the public data sets, and otherwise invented.
The picture shows the tracks, the next reports of an aircraft that turns as either filter foretells them, and how far
all next reports are from where they were foretold; those more than 20 seconds later are left out.
"""

from __future__ import annotations

import io
import math
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pilotage.core import Gaussian, Mixture, Space, TrackTable
from pilotage.estimators import EKF, IMM, KF
from pilotage.estimators.tracking import GNN, Detector, Tracker
from pilotage.estimators.tracking.scores import clear, compare
from pilotage.io import read_adsb, write_atomic
from pilotage.models import constant_turn, constant_velocity, position
from pilotage.viz import draw_ellipse, draw_path, map_figure

LOG = Path("mot/stonesoup/OpenSky_Plane_States.csv.gz")
LINE, CALM, TURNS = (
    constant_velocity(2, density=2.87),
    constant_velocity(2, density=0.247),
    constant_turn(2, density=4.05, turn_density=1.98e-3),
)
STRAIGHT = KF(LINE, dt=10.0)
EITHER = IMM((CALM, TURNS), 0.85, dt=10.0, filter=EKF())
SENSOR, STD = position(2, std=5.0), {"vx": 150.0, "vy": 150.0, "yaw_rate": 0.01}
PLACE = Space("x y [m]")
REPORTED, FALSE, NEAR = 0.02, 1e-13, 300.0
"""Share of reports that are of one aircraft; density of false ones [1/m^2]; distance of a track that is right [m]."""
SOON, GAP, SETTLED = 20.0, 60.0, 3
"""Seconds to a next report that counts; those after which a filter begins anew; reports at its start left out."""
COLOURS = {"straight": "#4c78a8", "IMM": "#e45756"}


class Flight(NamedTuple):
    """Reports of an aircraft: times [s], and ``x y vx vy``, of which filters see the place only."""

    t: Any
    x: Any


def recorded(path: Path, minutes: float) -> dict[int, Flight]:
    """The last minutes of a file of OpenSky, by address."""
    table = read_adsb(path, time="lastposupdate", velocity=True, ground=False).tracks
    late = table.t > table.t.max() - 60.0 * minutes
    flights = {int(id): np.flatnonzero(late & (table.id == id)) for id in table.ids}
    return {id: Flight(table.t[k], table.x[k][:, [0, 1, 3, 4]]) for id, k in flights.items() if len(k) > 2}


def invented(minutes: float, rng: Any) -> dict[int, Flight]:
    """Aircraft that fly straight on and turn now and then, by half a degree to a degree and a half a second."""
    found = dict[int, Flight]()
    for id in range(1, 31):
        yaw, speed, at = rng.uniform(-math.pi, math.pi), rng.uniform(130.0, 250.0), rng.uniform(-1.5e5, 1.5e5, 2)
        rate, ends, t, rows = 0.0, rng.exponential(120.0), 0.0, list[Any]()
        report = rng.uniform(0.0, 10.0)
        while t < 60.0 * minutes:
            if t > ends:
                rate = 0.0 if rate else math.radians(rng.choice([-1.0, 1.0]) * rng.uniform(0.5, 1.5))
                ends = t + (rng.uniform(30.0, 90.0) if rate else rng.exponential(120.0))
            v = speed * np.array([math.cos(yaw), math.sin(yaw)])
            if t >= report:
                rows.append((t, *(at + rng.normal(0.0, 5.0, 2)), *v))
                report = t + max(1.0, rng.normal(10.0, 2.0))
            at, yaw, t = at + 0.25 * v, yaw + 0.25 * rate, t + 0.25
        found[id] = Flight(np.array(rows)[:, 0], np.array(rows)[:, 1:])
    return found


def foretold(estimator: Any, flight: Flight) -> tuple[Any, list[Gaussian]]:
    """Of each next report: error [m], log-likelihood, NIS, whether it counts, ``(T, 4)``; and the belief before it."""
    rows, beliefs, filter, since = list[Any](), list[Gaussian](), begun(estimator, flight.x[0]), 0
    for dt, x in zip(np.diff(flight.t).tolist(), flight.x[1:], strict=True):
        filter.predict(dt)
        beliefs.append(filter.belief.moments())
        update, since = filter.update(SENSOR, z=x[:2]), since + 1
        if dt > GAP:
            filter, since = begun(estimator, x), 0
        error = np.hypot(*(beliefs[-1].mean[:2] - x[:2]))
        rows.append((error, update.log_likelihood, update.nis, since > SETTLED and dt < SOON))
    return np.array(rows, dtype=np.float64), beliefs


def begun(estimator: Any, x: Any) -> Any:
    """A filter that begins at a report."""
    mean = dict(zip(("x", "y", "vx", "vy"), x.tolist(), strict=True))
    std = {"x": 5.0, "y": 5.0, "vx": 5.0, "vy": 5.0} | ({"yaw_rate": 0.01} if estimator is EITHER else {})
    return estimator.start(mean=mean, std=std)


def tracked(estimator: Any, flights: dict[int, Flight]) -> TrackTable:
    """The place of the track that took each report, by a tracker that does not know names."""
    low, high = (f([f(each.x[:, :2], 0) for each in flights.values()], 0) for f in (np.min, np.max))
    std = {**STD, "x": high[0] - low[0], "y": high[1] - low[1]}
    models = (CALM, TURNS) if estimator is EITHER else (LINE,)
    births = [
        Gaussian.of(each.state, [*(low + high) / 2, *np.zeros(each.state.dim - 2)],
                    std=[std[name] for name in each.state.names])
        for each in models
    ]  # fmt: skip
    birth = Mixture(births, np.log([0.8, 0.2])) if len(births) > 1 else births[0]
    detector = Detector(SENSOR, detection=REPORTED, clutter=FALSE)
    tracker, rows = Tracker(estimator, detector, birth, GNN(), gate=0.9999, merge=0.0), list[Any]()
    reports = sorted((t, *x[:2]) for each in flights.values() for t, x in zip(each.t.tolist(), each.x, strict=True))
    for t, *z in reports:
        tracks = tracker.update([z], t)
        for k in np.flatnonzero(tracks.confirmed & (tracks.source == 0)).tolist():
            rows.append((t, tracks.ids[k], *tracks.belief[[k]].moments().mean[0, :2]))
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)
    return TrackTable(table[:, 0], table[:, 1], table[:, 2:], space=PLACE)


def judge(flights: dict[int, Flight], found: dict[str, TrackTable], told: dict[str, Any]) -> dict[str, list[float]]:
    """For each filter: switches, share of reports tracked [%], log-likelihood, NIS, RMSE of the next report [m]."""
    ids = np.concatenate([np.full(len(each.t), id) for id, each in flights.items()])
    t, x = (np.concatenate([each[k] for each in flights.values()]) for k in (0, 1))
    truth, scores = TrackTable(t, ids, x[:, :2], space=PLACE), dict[str, list[float]]()
    for name, table in found.items():
        c = clear(compare(truth, table, cutoff=NEAR))
        rows = counted(told[name])
        rmse = math.sqrt(np.square(rows[:, 0]).mean())
        scores[name] = [c.idsw, 100.0 * c.recall, rows[:, 1].mean(), rows[:, 2].mean(), rmse]
    return scores


def counted(told: dict[int, Any]) -> Any:
    """The rows of all aircraft that count."""
    rows = np.concatenate([each for each, _ in told.values()])
    return rows[rows[:, 3] > 0.0]


def picture(flights: dict[int, Flight], found: TrackTable, told: dict[str, Any], title: str) -> bytes:
    """The tracks, a turn from near, and the distances of all next reports from where they were foretold."""
    km = found.x / 1000.0
    figure, ax = map_figure([km.min(0) - 3.0, km.max(0) + 3.0], width=8.0, strip=3.0)
    for k, id in enumerate(found.ids.tolist()):
        path = found.of(id).x / 1000.0
        hue = ["#4c78a8", "#f58518", "#54a24b", "#b279a2", "#9d755d", "#72b7b2", "#e45756", "#bab0ac"][k % 8]
        draw_path(ax, path, color=hue, lw=1.3)
        ax.plot(*path[-1], ".", ms=5, color=hue)
    ax.set(xlabel="east [km]", ylabel="north [km]")
    ax.set_title(title, fontsize=9, loc="left")
    height = float(figure.get_figheight())
    near = figure.add_axes((0.09, 0.5 / height, 0.37, 2.3 / height))
    turn(near, flights, told)
    panel = figure.add_axes((0.58, 0.5 / height, 0.38, 2.3 / height))
    for name, each in told.items():
        e = np.sort(counted(each)[:, 0])
        panel.plot(e, 100.0 * (1.0 - (np.arange(len(e)) + 0.5) / len(e)), color=COLOURS[name], label=name)
    panel.set(xscale="log", yscale="log", xlim=(5.0, 2000.0), ylim=(0.2, 100.0))
    panel.set_xlabel("distance of the next report from where it was foretold [m]", fontsize=7)
    panel.set_ylabel("share of reports beyond it [%]", fontsize=7)
    panel.tick_params(labelsize=7)
    panel.legend(fontsize=8, frameon=False)
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def turn(ax: Any, flights: dict[int, Flight], told: dict[str, Any]) -> None:
    """The minute in which a turn changes a velocity most, and the ellipses of 95 % of the next reports."""
    best = (0.0, 0, 0)
    for id, each in flights.items():
        course = np.unwrap(np.arctan2(each.x[:, 3], each.x[:, 2]))
        for k in range(3, len(course) - 7):
            if np.diff(each.t[k : k + 8]).max() < 15.0:
                best = max(best, (abs(course[k + 6] - course[k]) * np.hypot(*each.x[k, 2:]), id, k))
    _, id, k = best
    path = flights[id].x[max(k - 1, 0) : k + 8, :2] / 1000.0
    middle = path.mean(0)
    ax.plot(*(path - middle).T, "k.-", lw=0.6, ms=6)
    for name, colour in COLOURS.items():
        for belief in told[name][id][1][k : k + 7]:
            cov = belief.cov[:2, :2] / 1e6
            draw_ellipse(ax, belief.mean[:2] / 1000.0 - middle, cov, edgecolor=colour, lw=1.2)
        ax.plot([], [], color=colour, label=f"{name}, 95 %")
    ax.margins(0.15)
    ax.set_aspect("equal", adjustable="datalim")
    ax.set_xlabel("a turn, and the next reports foretold [km]", fontsize=7)
    ax.tick_params(labelsize=7)
    ax.legend(fontsize=7, frameon=False, loc="best")


def main(*, minutes: float = 10.0, seed: int = 0, out: Path = Path("pilotage-demo")) -> int:
    """Track aircraft over a region; ends with a table and a picture.

    Args:
        minutes: How long.
        seed: Seed of the invented flights, where there are no recorded ones.
        out: Folder for the picture.
    """
    path = Path(os.environ.get("PILOTAGE_DATA", ".")) / LOG
    flights = recorded(path, minutes) if path.exists() else invented(minutes, np.random.default_rng(seed))
    filters = {"straight": STRAIGHT, "IMM": EITHER}
    found = {name: tracked(each, flights) for name, each in filters.items()}
    told = {name: {id: foretold(each, one) for id, one in flights.items()} for name, each in filters.items()}
    scores = judge(flights, found, told)
    reports = sum(len(each.t) for each in flights.values())
    print(f"{reports} reports of {len(flights)} aircraft, {'recorded' if path.exists() else 'invented'}")
    print("filter     switches   tracked   log-likelihood   NIS (2)   next report")
    for name, (switches, share, log, nis, rmse) in scores.items():
        print(f"{name:10} {switches:8.0f} {share:7.1f} % {log:16.2f} {nis:9.1f} {rmse:11.0f} m")
    out.mkdir(parents=True, exist_ok=True)
    line, either = scores["straight"], scores["IMM"]
    title = f"{len(flights)} aircraft, {reports} reports without names; next report within {either[4]:.0f} m RMSE"
    write_atomic(out / "aircraft.png", picture(flights, found["IMM"], told, title))
    print(f"see {out / 'aircraft.png'}")
    held = either[1] > 70.0 and either[2] > line[2] and either[4] < line[4]
    if not held:
        print("not as it should be: most reports tracked, and an IMM that foretells the next ones better")
    return 0 if held else 1
