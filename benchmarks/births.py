"""Targets that are born and die in clutter, as in the linear scenario of Vo and Ma (2006): OSPA, GOSPA and swaps.

python -m benchmarks.births [SEEDS]
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from benchmarks.crossing import show
from pilotage.core import Gaussian
from pilotage.estimators import KF
from pilotage.estimators.tracking import CPHD, GMPHD, GNN, LMB, PMBM, Detector, Tracker, births_and_deaths
from pilotage.estimators.tracking.scores import score
from pilotage.models import constant_velocity

TARGETS, LIFE, STEPS = 12, 50.0, 100
POPULATION: dict[str, Any] = {"rate": TARGETS / STEPS, "lifetime": LIFE, "undetected": 0.1}
RULES: dict[str, Any] = {
    "GNN": GNN(),
    "GMPHD": GMPHD(**POPULATION),
    "CPHD": CPHD(**POPULATION),
    "LMB": LMB(**POPULATION),
    "PMBM": PMBM(**POPULATION),
}
CAR = constant_velocity(density=0.1)
BIRTH = Gaussian.of(CAR.state, std=[600.0, 600.0, 8.0, 8.0])
CUTOFF = 100.0
NAMES = ("OSPA", "GOSPA", "missed", "false", "error of the number", "swaps")


def scores(rule: Any, seed: int, detection: float = 0.98) -> tuple[float, ...]:
    """OSPA, GOSPA, its parts of missed and false targets, RMS error of the number of tracks, and swaps of numbers."""
    scene = births_and_deaths(
        TARGETS, life=LIFE, spread=1000.0, steps=STEPS, std=10.0, detection=detection, clutter=10.0, rng=seed
    )
    radar = Detector(scene.scans.sensor, detection=detection, clutter=scene.clutter)
    found = Tracker(KF(CAR, dt=1.0), radar, BIRTH, rule).run(scene.scans)
    each = score(scene.truth, found, cutoff=CUTOFF)
    errors = [float(len(found.at(t)) - len(scene.truth.at(t))) for t in scene.scans.ts]
    number = float(np.sqrt(np.mean(np.square(errors))))
    return each.ospa.ospa, each.gospa.gospa, each.gospa.missed, each.gospa.false, number, float(each.clear.idsw)


def table(seeds: int) -> dict[str, Any]:
    """The scores of each method, ``(seeds, 6)``."""
    return {name: np.array([scores(rule, seed) for seed in range(seeds)]) for name, rule in RULES.items()}


def main(seeds: int = 100) -> None:
    show(seeds, NAMES, table(seeds))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
