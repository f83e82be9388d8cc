"""Two crossing targets in clutter, by one hypothesis and by several: GOSPA and swaps of numbers, with intervals.

python -m benchmarks.crossing [SEEDS]
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from pilotage.core import Gaussian
from pilotage.estimators import KF
from pilotage.estimators.tracking import GNN, JPDA, MHT, PMBM, Detector, Tracker, crossing
from pilotage.estimators.tracking.scores import score
from pilotage.models import constant_velocity

RULES: dict[str, Any] = {"GNN": GNN(), "JPDA": JPDA(), "MHT": MHT(), "PMBM": PMBM()}
CAR = constant_velocity(density=0.05)
BIRTH = Gaussian.of(CAR.state, std=[300.0, 300.0, 15.0, 15.0])
CUTOFF = 20.0
NAMES = ("GOSPA", "missed", "swaps", "IDF1")


def scores(rule: Any, seed: int) -> tuple[float, ...]:
    """GOSPA, its part of missed targets, swaps of numbers and IDF1 in one scenario."""
    scene = crossing(angle=0.2, clutter=10.0, rng=seed)
    radar = Detector(scene.scans.sensor, detection=0.9, clutter=scene.clutter)
    found = Tracker(KF(CAR, dt=1.0), radar, BIRTH, rule).run(scene.scans)
    all_scores = score(scene.truth, found, cutoff=CUTOFF)
    gospa = all_scores.gospa
    return gospa.gospa, gospa.missed, float(all_scores.clear.idsw), all_scores.identity.idf1


def table(seeds: int) -> dict[str, Any]:
    """The scores of each method, ``(seeds, 4)``."""
    return {name: np.array([scores(rule, seed) for seed in range(seeds)]) for name, rule in RULES.items()}


def main(seeds: int = 100) -> None:
    show(seeds, NAMES, table(seeds))


def show(seeds: int, names: tuple[str, ...], rows: dict[str, Any]) -> None:
    """Print means and 95 % intervals of the scores of each method."""
    print(f"{seeds} seeds, means and 95 % intervals\n\n| | " + " | ".join(names) + " |\n|---|" + "---|" * len(names))
    for name, found in rows.items():
        half = 1.96 * found.std(0, ddof=1) / np.sqrt(seeds)
        print(
            f"| {name} | " + " | ".join(f"{m:.2f} ± {h:.2f}" for m, h in zip(found.mean(0), half, strict=True)) + " |"
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
