"""Evaluation protocols: equal conditions hash alike, and rates of different protocols are not compared."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from pilotage.core import PilotageError, SettingError, ShapeError
from pilotage.learning import EvaluationProtocol

PROTOCOL = EvaluationProtocol(
    world="truck", starts="E1", goals="dock", budget=300, episodes=4, success=(("position", 0.5), ("heading", 0.2))
)
CHANGES: dict[str, Any] = {
    "world": "car",
    "starts": "E2",
    "goals": "wall",
    "budget": 301,
    "episodes": 5,
    "seed": 1,
    "success": (("position", 0.2), ("heading", 0.2)),
}


@pytest.mark.parametrize("name", CHANGES)
def test_each_condition_changes_the_hash_and_forbids_comparison(name: str) -> None:
    other = replace(PROTOCOL, **{name: CHANGES[name]})
    assert other.hash != PROTOCOL.hash == replace(PROTOCOL).hash
    mine, theirs = (p.rate(np.ones(p.episodes, dtype=bool)) for p in (PROTOCOL, other))
    for compare in (mine.minus, mine.within):
        with pytest.raises(SettingError, match=name):
            compare(theirs)


def test_the_order_of_thresholds_is_no_condition() -> None:
    assert replace(PROTOCOL, success=PROTOCOL.success[::-1]) == PROTOCOL


def test_the_interval_is_wilsons() -> None:
    theirs = stats.binomtest(3, 4).proportion_ci(0.95, method="wilson")
    assert PROTOCOL.rate([True, True, False, True]).interval() == pytest.approx((theirs.low, 0.75, theirs.high))


def test_the_interval_of_a_difference_covers_the_truth() -> None:
    """Paired outcomes with P(only a) = 0.2 and P(only b) = 0.05: about 95 % of the intervals hold 0.15."""
    rng, protocol = np.random.default_rng(0), replace(PROTOCOL, episodes=60)
    covered = 0
    for _ in range(400):
        case = rng.choice(4, 60, p=[0.5, 0.2, 0.05, 0.25])
        a, b = protocol.rate(case <= 1), protocol.rate((case == 0) | (case == 2))
        low, value, high = a.minus(b)
        assert value == pytest.approx(a.share - b.share)
        covered += low <= 0.15 <= high
    assert covered >= stats.binom(400, 0.95).ppf(0.001)


def test_a_rate_within_the_feasible_counts_only_these_episodes() -> None:
    oracle, policy = PROTOCOL.rate([True, True, True, False]), PROTOCOL.rate([True, False, True, True])
    assert policy.within(oracle).value == pytest.approx(2 / 3)


@pytest.mark.parametrize("outcomes", [[True] * 3, [1.0, 0.0, 1.0, 1.0], [[True] * 4], []])
def test_outcomes_that_are_none_are_refused(outcomes: Any) -> None:
    with pytest.raises(ShapeError, match="outcomes"):
        PROTOCOL.rate(outcomes)


@pytest.mark.parametrize(
    ("name", "value"), [("budget", 0), ("episodes", 0), ("seed", -1), ("success", (("a", 1.0), ("a", 2.0)))]
)
def test_empty_or_contradictory_conditions_are_refused(name: str, value: object) -> None:
    with pytest.raises(PilotageError, match=name):
        replace(PROTOCOL, **{name: value})


def test_the_outcomes_stay_as_they_were() -> None:
    outcomes = np.array([True, True, False, True])
    rate = PROTOCOL.rate(outcomes)
    outcomes[:] = False
    assert rate.successes == 3
