"""The packaged policies of the truck as machine code."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

import pilotage.learning.worlds.truck as truck
from pilotage.core import ActionStatus, ModelError
from pilotage.learning import MLP
from pilotage.learning.worlds import TruckPolicy

FOLDERS = sorted((Path(truck.__file__).parent / "weights").glob("seed-*"))


def states(policy: TruckPolicy, count: int = 40) -> np.ndarray:
    rng = np.random.default_rng(0)
    return policy.state.plus(policy.state.sample(count, rng=rng), rng.normal(size=(count, 5)))


@pytest.mark.parametrize("folder", FOLDERS, ids=[folder.name for folder in FOLDERS])
def test_a_packaged_policy_is_its_machine_code(folder: Path) -> None:
    policy = TruckPolicy.load(folder)
    fast = policy.traced()
    xs = states(policy)
    for x in xs:
        np.testing.assert_allclose(fast.act(x).u, policy.act(x).u, atol=1e-12)
    held = fast.act([np.nan, 0.0, 0.0, 0.0, 0.0])
    assert held.status is ActionStatus.FALLBACK
    assert pickle.loads(pickle.dumps(fast)).act(xs[0]).u == fast.act(xs[0]).u


def test_steering_without_a_bound_stops_at_its_limits() -> None:
    policy = TruckPolicy.new(hidden=(8,), bounded=False)
    with torch.no_grad():
        last = [*policy.network.parameters()][-2]
        torch.nn.init.normal_(last, std=3.0, generator=torch.Generator().manual_seed(0))
    policy.refresh()
    fast, xs = policy.traced(), states(policy)
    found = np.array([fast.act(x).u[0] for x in xs])
    np.testing.assert_allclose(found, [policy.act(x).u[0] for x in xs], atol=1e-12)
    assert np.isclose(np.abs(found), np.pi / 4).any()


def test_new_weights_are_taken_over_by_refresh() -> None:
    fast = TruckPolicy.new(hidden=(8,)).traced()
    x = states(fast)[0]
    with torch.no_grad():
        [*fast.network.parameters()][-1].add_(1.0)
    assert fast.act(x).u == 0.0
    fast.refresh()
    assert fast.act(x).u != 0.0


def test_other_features_are_refused() -> None:
    with pytest.raises(ModelError, match="6 inputs"):
        TruckPolicy(MLP(6, 1, hidden=(8,)), inputs="state").traced()
