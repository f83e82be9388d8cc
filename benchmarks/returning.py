"""Targets behind a wall, and targets that never return: what re-identification gains, and how often it is wrong.

python -m benchmarks.returning [SEEDS]
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from pilotage.core import Gaussian
from pilotage.estimators import KF
from pilotage.estimators.tracking import (
    GNN,
    JPDA,
    MHT,
    PMBM,
    Detector,
    EventKind,
    Reidentification,
    Splitting,
    Tracker,
    births_and_deaths,
    bridged,
    occlusion,
    parallel,
)
from pilotage.estimators.tracking.scores import score
from pilotage.models import constant_velocity

RULES: dict[str, Any] = {"GNN": GNN(), "JPDA": JPDA(), "MHT": MHT(), "PMBM": PMBM()}
CAR = constant_velocity(density=0.1)
FILTER = KF(CAR, dt=1.0)
AGAIN = Reidentification(keep=30.0)
CUTOFF = 20.0


def tracker(scene: Any, rule: Any, detection: float, **parts: Any) -> Tracker:
    """A tracker for a scenario, whose targets appear where those of the scenario are."""
    place = scene.truth.x[:, :2]
    birth = Gaussian.of(CAR.state, [*place.mean(0), 0.0, 0.0], std=[*(place.std(0) + 50.0), 10.0, 10.0])
    return Tracker(
        FILTER, Detector(scene.scans.sensor, detection=detection, clutter=scene.clutter), birth, rule, **parts
    )


def wall(rule: Any, gap: float, seed: int) -> list[float]:
    """IDF1 and HOTA without re-identification, with it, and with the gaps bridged."""
    scene = occlusion(gap=gap, width=150.0, steps=60, clutter=5.0, rng=seed)
    plain, again = (tracker(scene, rule, 0.95, reidentify=each).run(scene.scans) for each in (None, AGAIN))
    tables = plain, again, bridged(again, FILTER, scene.scans.ts)
    found = [score(scene.truth, each, cutoff=CUTOFF) for each in tables]
    return [value for each in found for value in (each.identity.idf1, each.hota.hota)]


def counted(scene: Any, rule: Any) -> dict[EventKind, int]:
    """How many events of each kind a run has; merges are those of confirmed tracks."""
    one, count, sure = (
        tracker(scene, rule, 0.9, reidentify=AGAIN, split=Splitting()),
        dict.fromkeys(EventKind, 0),
        set(),
    )
    for k, t in enumerate(scene.scans.ts.tolist()):
        tracks = one.update(scene.scans[k], t)
        sure |= {track.id for track in tracks}
        for event in tracks.events:
            count[event.kind] += event.kind is not EventKind.MERGED or event.id in sure
    return count


def main(seeds: int = 30) -> None:
    print(f"{seeds} seeds, means; IDF1 / HOTA\n\n| | gap [m] | without | with | bridged |\n|---|---|---|---|---|")
    for name, rule in RULES.items():
        for gap in (40.0, 20.0, 10.0):
            v = np.mean([wall(rule, gap, seed) for seed in range(seeds)], axis=0)
            print(f"| {name} | {gap:g} | " + " | ".join(f"{v[i]:.2f} / {v[i + 1]:.2f}" for i in (0, 2, 4)) + " |")
    print(
        "\nevents that should not be\n\n| | scenario | confirmed | re-identified | split | merged |\n"
        + "|---" * 6
        + "|"
    )
    scenes = {
        "births and deaths": lambda seed: births_and_deaths(20, life=15.0, clutter=5.0, rng=seed),
        "side by side": lambda seed: parallel(gap=3.0, steps=60, clutter=2.0, rng=seed),
    }
    for name, rule in RULES.items():
        for scene, made in scenes.items():
            counts = [counted(made(seed), rule) for seed in range(seeds)]
            kinds = EventKind.CONFIRMED, EventKind.REIDENTIFIED, EventKind.SPLIT, EventKind.MERGED
            print(f"| {name} | {scene} | " + " | ".join(str(sum(each[k] for each in counts)) for k in kinds) + " |")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
