"""Methods of several hypotheses, against single-hypothesis tracking and against sums over all hypotheses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pilotage.estimators import KF
from pilotage.estimators.tracking import GNN, MHT, Detector, Existence, MofN, ScoreTest, Tracker

from .test_tracker import BIRTH, CAR, FIX, followed, scene


@pytest.mark.parametrize("management", [ScoreTest(), Existence(), MofN()])
@pytest.mark.parametrize("depth", [0, 1, 3])
def test_mht_with_one_hypothesis_is_gnn(depth: int, management: Any) -> None:
    """All decisions are those of the best assignment at once, whatever the depth."""
    for seed in range(2):
        given, _ = scene(seed, clutter=15.0)
        one, other = (
            followed(Tracker(KF(CAR, dt=1.0), Detector(FIX, clutter=2e-3), BIRTH, rule, management=management), given)
            for rule in (GNN(), MHT(hypotheses=1, depth=depth))
        )
        for a, b in zip(one, other, strict=True):
            for name in ("ids", "status", "source", "born", "seen", "gone"):
                np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)
            np.testing.assert_allclose(a.belief.mean, b.belief.mean, rtol=1e-9)
            np.testing.assert_allclose(a.existence, b.existence, rtol=1e-9)


def test_a_later_scan_changes_an_earlier_decision() -> None:
    """A false detection is nearer than the true one, and later ones say so: MHT goes back, GNN cannot.

    The belief is then that of the filter which had the true detections alone.
    """
    radar = Detector(FIX, detection=0.9, clutter=1e-2)
    true = [[float(k), 0.0] for k in range(6)] + [[6.0, -0.9], [7.0, -1.4], [8.0, -2.2], [9.0, -3.0], [10.0, -3.8]]
    rows = [[z] for z in true]
    rows[6] = [[6.0, 0.8], true[6]]
    alone = KF(CAR, dt=1.0).start(belief=BIRTH)
    for k, z in enumerate(true):
        if k:
            alone.predict()
        alone.update(FIX, z)
    near = {}
    for name, rule in {"GNN": GNN(), "MHT": MHT(depth=8)}.items():
        tracks = followed(Tracker(KF(CAR, dt=1.0), radar, BIRTH, rule), rows)
        assert tracks[6].of(1).source == 0
        near[name] = np.allclose(tracks[-1].of(1).belief.mean, alone.belief.mean, atol=1e-9)
    assert near == {"GNN": False, "MHT": True}
