"""Recorded flights as trackers see them: one track for a drone, and aircraft by reports that come one by one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pilotage.core import Gaussian
from pilotage.estimators import KF
from pilotage.estimators.tracking import GNN, Detector, Tracker
from pilotage.io import read_adsb, read_geographic
from pilotage.models import constant_velocity, position


@pytest.fixture
def folder(data: Path) -> Path:
    """The files of Stone Soup."""
    at = data / "mot" / "stonesoup"
    if not at.is_dir():
        pytest.skip(f"no {at}")
    return at


def test_a_drone_is_one_track_all_the_time(folder: Path) -> None:
    """Over 16 minutes, a position a second."""
    flight = read_geographic(folder / "UAV_Rot.csv.gz").tracks
    model = constant_velocity(2, density=3.0)  # it turns about in seconds
    birth = Gaussian.of(model.state, std=[1000.0, 1000.0, 20.0, 20.0])
    tracker = Tracker(KF(model, dt=1.0), Detector(position(2, std=2.0), clutter=1e-9), birth, GNN())
    seen = np.array([len(tracker.update(x[None], t).mean) for t, x in zip(flight.t.tolist(), flight.x, strict=True)])
    assert tracker.tracks.ids.tolist() == [1] and (seen[3:] == 1).all()


def test_aircraft_report_by_report_keep_their_numbers(folder: Path) -> None:
    """Those within 100 km of the middle in five minutes, each report a scan of its own at its own time."""
    table = read_adsb(folder / "OpenSky_Plane_States.csv.gz", time="lastposupdate", ground=False).tracks
    table = table[(np.hypot(*table.x[:, :2].T) < 1e5) & (table.t > table.t.max() - 300.0)]
    model = constant_velocity(2, density=3.0)
    birth = Gaussian.of(model.state, std=[1e5, 1e5, 150.0, 150.0])
    detector = Detector(position(2, std=10.0), detection=1.0 / len(table.ids), clutter=1e-13)
    tracker, names = Tracker(KF(model, dt=10.0), detector, birth, GNN(), gate=0.9999, merge=0.0), dict[int, set[int]]()
    order = np.argsort(table.t, kind="stable")
    for t, id, x in zip(table.t[order].tolist(), table.id[order].tolist(), table.x[order, :2], strict=True):
        tracks = tracker.update(x[None], t)
        for k in np.flatnonzero(tracks.confirmed & (tracks.source == 0)).tolist():
            names.setdefault(id, set()).add(int(tracks.ids[k]))
    owners = [track for each in names.values() for track in each]
    assert len(names) > 0.8 * len(table.ids)
    assert len(set(owners)) <= len(owners) <= min(len(set(owners)) + 1, 1.4 * len(names))  # few tracks have two
