"""Trackers that run for long: memory stays flat, and no scan waits for machine code."""

from __future__ import annotations

import gc
import os
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pilotage.core import Gaussian
from pilotage.estimators import KF
from pilotage.estimators.tracking import GNN, Detector, Reidentification, Splitting, Tracker, _rehearsal
from pilotage.estimators.tracking.extended import GGIWPHD, GGIWPMBM
from pilotage.models.trace.driver import ENTRIES

from .test_tracker import ASSOCIATIONS, BIRTH, CAR, FILTERS, FIX, birth, scene

RADAR = Detector(FIX, clutter=2e-3)


def loaded() -> set[str]:
    """The entry points whose machine code is there."""
    return {each.__name__ for each in ENTRIES if {"compiled", "address"} & vars(each).keys()}


@pytest.mark.parametrize("filter", ["KF", "IMM"])
@pytest.mark.parametrize("association", ASSOCIATIONS)
def test_no_scan_waits_for_machine_code(association: str, filter: str) -> None:
    """A tracker loads all that its scans need when it is made, as if it were the first in its process."""
    for each in ENTRIES:
        vars(each).pop("compiled", None)
        vars(each).pop("address", None)
    _rehearsal.KNOWN.clear()
    tracker = Tracker(FILTERS[filter], RADAR, birth(FILTERS[filter]), ASSOCIATIONS[association])
    before = loaded()
    for k, z in enumerate(scene(3, clutter=20.0, steps=15)[0]):
        tracker.update(z, float(k))
    assert "run_rows" in before
    assert loaded() == before


def stretch(tracker: Tracker, t: float, rng: Any, scans: int, dt: float) -> float:
    """Three targets that appear and vanish in clutter, then nothing until no track is left; the time after it."""
    starts, ways = rng.uniform(-40.0, 40.0, (3, 2)), rng.normal(size=(3, 2))
    for k in range(scans):
        z = (starts + k * dt * ways + 0.5 * rng.normal(size=(3, 2)))[rng.random(3) < 0.9]
        tracker.update(np.concatenate([z, rng.uniform(-50.0, 50.0, (rng.poisson(6.0), 2))]), t := t + dt)
    quiet = 0
    while quiet < 6:  # more than the history
        quiet = 0 if len(tracker.update([], t := t + 1.0).ids) else quiet + 1
    return t


@pytest.mark.parametrize("lag", [0.0, 0.3])
@pytest.mark.parametrize("association", ASSOCIATIONS)
def test_births_and_deaths_leave_nothing_in_memory(association: str, lag: float) -> None:
    """After each stretch all tracks have ended, and memory holds as much as after the one before."""
    tracker = Tracker(KF(CAR, dt=0.125), RADAR, BIRTH, ASSOCIATIONS[association], history=5, lag=lag)
    rng, t, held = np.random.default_rng(0), 0.0, list[int]()
    tracemalloc.start()
    for _ in range(9):
        t = stretch(tracker, t, rng, 15, dt=0.125)
        gc.collect()
        held.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert max(held[5:]) - max(held[1:5]) < 5000  # bytes, of 60 scans and more


def bodies(tracker: Tracker, t: float, rng: Any, scans: int) -> float:
    """Two extended objects that appear and vanish in clutter, then nothing until no track is left; the time after."""
    starts, ways = rng.uniform(-25.0, 25.0, (2, 2)), 4.0 * rng.normal(size=(2, 2))
    for k in range(scans):
        spread = [rng.uniform(-1.0, 1.0, (rng.poisson(8.0), 2)) * [2.2, 0.9] for _ in range(2)]
        points = [start + 0.125 * k * way + each for start, way, each in zip(starts, ways, spread, strict=True)]
        z = np.concatenate([*points, rng.uniform(-30.0, 30.0, (rng.poisson(3.0), 2))])
        tracker.update(z, t := t + 0.125)
    quiet = 0
    while quiet < 6:
        quiet = 0 if len(tracker.update([], t := t + 10.0).ids) else quiet + 1
    return t


@pytest.mark.parametrize("method", [GGIWPHD(), GGIWPMBM()], ids=["PHD", "PMBM"])
def test_extended_objects_leave_nothing_in_memory(method: Any) -> None:
    start = Gaussian.of(CAR.state, std=[30.0, 30.0, 5.0, 5.0])
    tracker = Tracker(KF(CAR, dt=0.125), Detector(FIX, detection=0.98, clutter=1e-3), start, method, history=5)
    rng, t, held = np.random.default_rng(0), 0.0, list[int]()
    tracemalloc.start()
    for _ in range(7):
        t = bodies(tracker, t, rng, 8)
        gc.collect()
        held.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert max(held[4:]) - max(held[1:4]) < 15_000  # bytes; free lists of the interpreter fill up at first


def test_lost_and_split_targets_leave_nothing_in_memory() -> None:
    tracker = Tracker(
        KF(CAR, dt=0.125), RADAR, BIRTH, GNN(), history=5, reidentify=Reidentification(keep=5.0), split=Splitting()
    )
    rng, t, held = np.random.default_rng(0), 0.0, list[int]()
    tracemalloc.start()
    for _ in range(9):
        t = stretch(tracker, t, rng, 15, dt=0.125)
        gc.collect()
        held.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert max(held[5:]) - max(held[1:5]) < 5000


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory of a process from /proc")
@pytest.mark.parametrize("association", ASSOCIATIONS)
def test_ten_hours_at_ten_hertz_need_no_more_memory_than_the_first(association: str) -> None:
    """All 360 000 scans, with births and deaths: ``pytest -m slow -k 'ten_hours and GNN'`` is one method."""
    page, tracker = os.sysconf("SC_PAGE_SIZE"), Tracker(KF(CAR, dt=0.1), RADAR, BIRTH, ASSOCIATIONS[association])
    rng, t, scans, held = np.random.default_rng(0), 0.0, 0, list[int]()
    while scans < 360_000:
        t = stretch(tracker, t, rng, 600, dt=0.1)
        scans += 600
        held.append(int(Path("/proc/self/statm").read_text().split()[1]) * page)
    first, rest = max(held[:60]), held[60:]
    print(f"{association}: {first / 2**20:.1f} MiB in the first hour, {max(rest) / 2**20:.1f} MiB in the others")
    assert max(rest) < first + 4 * 2**20


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory of a process from /proc")
@pytest.mark.parametrize("method", [GGIWPHD(), GGIWPMBM()], ids=["PHD", "PMBM"])
def test_an_hour_of_extended_objects_needs_no_more_memory_than_its_first_part(method: Any) -> None:
    page, start = os.sysconf("SC_PAGE_SIZE"), Gaussian.of(CAR.state, std=[30.0, 30.0, 5.0, 5.0])
    tracker = Tracker(KF(CAR, dt=0.125), Detector(FIX, detection=0.98, clutter=1e-3), start, method)
    rng, t, held = np.random.default_rng(0), 0.0, list[int]()
    for _ in range(900):
        t = bodies(tracker, t, rng, 40)
        held.append(int(Path("/proc/self/statm").read_text().split()[1]) * page)
    first, rest = max(held[:150]), held[150:]
    print(f"{first / 2**20:.1f} MiB in the first ten minutes, {max(rest) / 2**20:.1f} MiB in the others")
    assert max(rest) < first + 4 * 2**20


def test_trackers_of_the_same_parts_rehearse_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one with the same association, filter and sensor is made at once; other parts are rehearsed too."""
    calls = list[Any]()
    monkeypatch.setattr(_rehearsal, "take_in", lambda *parts: calls.append(parts))
    _rehearsal.KNOWN.clear()
    for rule in ASSOCIATIONS.values():
        for _ in range(2):
            Tracker(FILTERS["KF"], RADAR, BIRTH, rule)
    assert len(calls) == len(ASSOCIATIONS)
    _rehearsal.KNOWN.clear()
