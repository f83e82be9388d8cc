"""The demo of PPO and MPPI: the stored policies are as good as their metrics say, and a belief beats readings."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("matplotlib")
pytest.importorskip("gymnasium")

from pilotage.cli import demo
from pilotage.core.confidence import wilson

KINDS, FRESH = ("truth", "readings", "belief"), 100


def load() -> Any:
    """The script as a module."""
    demo.demos_app()
    return importlib.import_module(f"{demo.PACKAGE}.ppo_and_mppi")


@pytest.fixture(scope="module")
def fresh() -> dict[str, Any]:
    """Results of the stored policies on seeds on which they were never tried."""
    pole = load()
    return {kind: pole.measure(kind, pole.follower(pole.stored(kind)), range(2000, 2000 + FRESH)) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_the_stored_policies_are_as_good_as_their_metrics_say(kind: str, fresh: dict[str, Any]) -> None:
    """Mean return within three standard errors, and the share of poles that stood within its interval."""
    pole = load()
    known, result = pole.stored(kind).metrics, fresh[kind]
    error = known["std"] * np.sqrt(1 / FRESH + 1 / len(pole.TESTED))
    assert abs(result.returns.mean() - known["mean"]) < 3.0 * error
    tested = wilson(round(known["stood"] * len(pole.TESTED)), len(pole.TESTED))
    assert tested.low <= result.stood.high and tested.high >= result.stood.low
    assert (known["seed"], known["steps"]) == (0, pole.STEPS)
    assert sum(file.stat().st_size for file in (pole.STORED / kind).iterdir()) < 5e5


def test_a_belief_is_worth_more_than_the_readings_it_is_made_of(fresh: dict[str, Any]) -> None:
    """By more than the 95 % intervals; for MPPI, four seeds are enough for that."""
    pole = load()
    plans = {kind: pole.measure(kind, pole.planner(kind, 4), range(4)) for kind in ("readings", "belief")}
    for results in (fresh, plans):
        assert results["belief"].mean.low > results["readings"].mean.high
    assert fresh["truth"].mean.low > fresh["belief"].mean.high, "nothing beats the truth"


def test_a_policy_of_stable_baselines_is_the_same_without_it() -> None:
    pytest.importorskip("stable_baselines3")
    pole, rng = load(), np.random.default_rng(0)
    ppo = pole.learner("belief", 1)
    ppo.policy.action_net[0].weight.data *= 30.0  # or all actions are small
    seen = rng.normal(size=(50, 8)) * pole.SIZES["belief"]
    known = ppo.predict(seen.astype(np.float32), deterministic=True)[0]
    assert np.abs(known).max() > 0.1
    np.testing.assert_allclose(pole.follower(pole.exported(ppo, "belief"))(seen), known, atol=1e-5)


@pytest.mark.slow
def test_the_demo_holds_what_it_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert load().main(seeds=20, out=tmp_path) == 0
    assert capsys.readouterr().out.count("%") == 7
    assert [file.name for file in tmp_path.iterdir()] == ["ppo-and-mppi.png"]
