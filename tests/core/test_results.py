"""Random streams, results and errors."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pilotage.core import (
    Action,
    MissingExtra,
    Plan,
    PlanStatus,
    Readings,
    Scans,
    SettingError,
    ShapeError,
    Space,
    Update,
    generator,
    require,
    seeded,
)
from pilotage.core.results import DeferredUpdate
from pilotage.core.status import FilterStatus
from pilotage.models import compass, gnss


def test_a_seed_replays_a_stream():
    assert generator(3).random() == generator(np.int64(3)).random()
    gen, seed = seeded()
    assert generator(seed).random() == gen.random()
    running = np.random.default_rng(1)
    assert seeded(running) == (running, None)


@pytest.mark.parametrize("bad", [-1, np.int64(-3), True, 1.5, "7", np.random.RandomState])
def test_what_is_no_stream_is_refused(bad):
    with pytest.raises(SettingError, match="^rng is "):
        generator(bad)


def test_a_missing_package_names_its_extra():
    assert require("json", "all").loads("1") == 1
    with pytest.raises(MissingExtra, match=r"pip install 'pilotage\[envs\]'"):
        require("no_such_package_anywhere", "envs")


def test_an_import_that_fails_inside_a_package_is_not_disguised(tmp_path, monkeypatch):
    (tmp_path / "half_there.py").write_text("import another_missing_one")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="another_missing_one"):
        require("half_there", "envs")


def test_a_plan_is_ok_only_when_solved():
    assert Plan(PlanStatus.SOLVED).ok
    assert Plan(PlanStatus.SOLVED)
    failed = [Plan(status) for status in PlanStatus if status is not PlanStatus.SOLVED]
    assert not any(plan.ok for plan in failed)
    assert not any(failed)


def test_results_that_hold_arrays_are_compared_and_hashed_as_objects():
    """Arrays have no single truth: comparing field by field would raise."""
    plans = [Plan(PlanStatus.SOLVED, Space("x y"), np.zeros((3, 2))) for _ in range(2)]
    actions = [Action(np.zeros(2)) for _ in range(2)]
    for a, b in (plans, actions):
        assert a == a
        assert a != b
        assert len({a, b, a}) == 2


def test_an_update_is_built_once_and_late():
    built = []

    def make(packed):
        built.append(1)
        return packed, np.zeros(1), np.eye(1), 0.5, -1.0

    update = DeferredUpdate(make, "belief", FilterStatus.ACCEPTED)
    assert update.accepted
    assert built == []
    assert (update.belief, update.nis, update.log_likelihood) == ("belief", 0.5, -1.0)
    assert update.S.shape == (1, 1)
    assert update.innovation.shape == (1,)
    assert built == [1]
    assert repr(update) == repr(Update("belief", np.zeros(1), np.eye(1), 0.5, -1.0))


@pytest.mark.parametrize(
    ("z", "ts"), [(np.zeros((3, 2)), [0.0, 1.0]), (np.zeros(2), [0.0, 1.0]), (np.zeros((1, 2)), 0.0)]
)
def test_readings_and_their_times_are_of_one_number(z: Any, ts: Any) -> None:
    with pytest.raises(ShapeError, match=re.escape(str(np.shape(z)))):
        Readings(gnss(), z, ts)


SCANS = [[[1.0, 2.0], [3.0, 4.0]], [], [[5.0, 6.0]]]


def test_scans_are_kept_side_by_side() -> None:
    scans = Scans(gnss(), SCANS, [0.0, 1.0, 2.0])
    assert scans.offsets.tolist() == [0, 2, 2, 3]
    np.testing.assert_array_equal(scans.z, [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    for i, scan in enumerate(SCANS):
        np.testing.assert_array_equal(scans[i], np.reshape(scan, (-1, 2)))
    padded = np.full((3, 2, 2), np.nan)
    padded[0], padded[2, 1] = SCANS[0], SCANS[2][0]
    again = Scans("fix", padded, [0.0, 1.0, 2.0])
    np.testing.assert_array_equal(again.z, scans.z)
    np.testing.assert_array_equal(again.offsets, scans.offsets)
    assert Scans(gnss(), [[], []], [0.0, 1.0])[1].shape == (0, 2)
    assert len(Scans(gnss(), [], [])) == 0
    with pytest.raises(ValueError, match="read-only"):
        scans.z[0] = 0.0


@pytest.mark.parametrize(
    ("scans", "ts"),
    [
        (SCANS, [0.0, 1.0]),
        (SCANS, 0.0),
        ([[1.0, 2.0]], [0.0]),
        ([[[1.0, 2.0]], [[1.0]]], [0.0, 1.0]),
        ([[[1.0, float("nan")]]], [0.0]),
        ([["far"]], [0.0]),
    ],
)
def test_scans_that_do_not_fit_are_refused(scans: Any, ts: Any) -> None:
    with pytest.raises(ShapeError, match="scan"):
        Scans(gnss(), scans, ts)


def test_scans_are_indexed_as_lists_are() -> None:
    scans = Scans(gnss(), SCANS, [0.0, 1.0, 2.0], contexts=["a", "b", "c"])
    for i in range(-3, 3):
        np.testing.assert_array_equal(scans[i], np.reshape(SCANS[i], (-1, 2)))
    assert [len(scan) for scan in scans] == [2, 0, 1]
    for i in (3, -4):
        with pytest.raises(IndexError):
            scans[i]
    for part in (slice(1, None), slice(0, 2), slice(None, None, 2), slice(-1, None), slice(3, None)):
        some = scans[part]
        assert isinstance(some, Scans)
        assert (some.ts.tolist(), some.contexts) == ([0.0, 1.0, 2.0][part], ["a", "b", "c"][part])
        assert [scan.tolist() for scan in some] == SCANS[part]
    assert Scans(gnss(), SCANS, [0.0, 1.0, 2.0])[1:].contexts is None


ONE_BY_ONE = [[[0.0, 1.0]], [[2.0, 3.0]], [[4.0, 5.0]]]
LOGS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "readings": lambda sensor, z, ts: Readings(sensor, np.concatenate(z), ts),
    "scans": Scans,
}


@pytest.mark.parametrize("what", LOGS)
def test_a_log_is_in_order_of_time_and_fits_its_sensor(what: str) -> None:
    """One rule for readings and for scans, whose messages name the sensor."""
    log = LOGS[what]
    assert log(gnss(), ONE_BY_ONE, [0.5, 0.5, 1.0]).ts[1] == 0.5
    for ts, said in (([0.0, 2.0, 1.0], r"ts\[2\] = 1 s comes after 2 s"), ([0.0, np.nan, 1.0], r"ts\[1\] = nan")):
        for sensor, name in ((gnss(), "gnss"), ("fix", "fix")):
            with pytest.raises(ShapeError, match=f"times of {what} of {name} .*{said}"):
                log(sensor, ONE_BY_ONE, ts)
    with pytest.raises(ShapeError, match=f"{what} of compass .*expected .*1"):
        log(compass(), ONE_BY_ONE, [0.0, 1.0, 2.0])
