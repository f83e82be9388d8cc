"""Laws of the calibration report, against counting and against what is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal, norm

from pilotage.core import ShapeError, Space
from pilotage.learning import Ensemble, LearnedDynamics, calibrate
from pilotage.learning.calibration import auroc
from pilotage.models import discrete_dynamics, unicycle

STATE = Space("x [m]", "yaw: angle")


@discrete_dynamics(state=STATE, action=Space("v [m/s]"), noise=(0.1, 0.3))
def walk(x: Any, u: Any, dt: Any, p: Any, m: Any) -> Any:
    return x[0] + dt * u[0], x[1]


def walked(n: int, seed: int, dt: float = 1.0) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    us, x = rng.normal(size=(n, 1)), np.zeros(2)
    xs = [x]
    for u in us:
        x = STATE.plus(walk().step(x, u, dt), np.sqrt(dt) * np.array([0.1, 0.3]) * rng.standard_normal(2))
        xs.append(x)
    return np.array(xs), us


def test_the_true_model_is_calibrated() -> None:
    xs, us = walked(4000, 0)
    report = calibrate(walk(), xs, us, 1.0, levels=np.linspace(0.05, 0.95, 19))
    assert report.coverage.shape == (19, 2)
    np.testing.assert_allclose(report.coverage, np.broadcast_to(report.levels[:, None], (19, 2)), atol=0.03)
    np.testing.assert_allclose(report.rmse, [0.1, 0.3], rtol=0.05)
    np.testing.assert_allclose(report.sharpness, [0.1, 0.3])
    assert not report.doubt.any()
    assert report.error < 0.02
    assert (report.auroc, report.count) == (None, 4000)
    entropy = 0.5 * np.log((2.0 * np.pi * np.e) ** 2 * 0.1**2 * 0.3**2)
    assert report.nll == pytest.approx(entropy, abs=0.05)


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_wrong_noise_shows(factor: float) -> None:
    """The coverage of a model with wrong noise is that of the normal distribution, and the NLL is larger."""
    xs, us = walked(4000, 1)
    report, true = calibrate(walk().scale_noise(factor), xs, us, 1.0), calibrate(walk(), xs, us, 1.0)
    expected = 2.0 * norm.cdf(factor * norm.ppf(0.5 + 0.5 * report.levels)) - 1.0
    np.testing.assert_allclose(report.coverage, np.broadcast_to(expected[:, None], report.coverage.shape), atol=0.03)
    assert report.nll > true.nll
    assert report.error > 3.0 * true.error


def test_numbers_by_counting() -> None:
    """One by one, for a model of full covariances with both parts, over a batch of trajectories."""
    car = unicycle(noise=0.2)
    model: Any = LearnedDynamics(car.state, car.action, lambda i, o: Ensemble(3, i, o), noise=0.3)
    torch.nn.init.normal_(model.network.weights[-1], generator=torch.Generator().manual_seed(0))
    rng = np.random.default_rng(0)
    us = rng.uniform(-1, 1, (4, 6, 2))
    xs = car.rollout(rng.normal(size=(4, 3)), us, 0.1)
    far = rng.normal(size=(7, 3)), 9.0 * rng.normal(size=(7, 2))
    report = calibrate(model, xs, us, 0.1, far=far)
    x, u, y = xs[:, :-1].reshape(24, 3), us.reshape(24, 2), xs[:, 1:].reshape(24, 3)
    inside, logs, own = np.zeros((10, 3)), [], []
    for i in range(24):
        found = model.predict(x[i], u[i], 0.1)
        e, P = model.state.minus(y[i], found.mean), found.epistemic + found.aleatoric
        logs.append(multivariate_normal.logpdf(e, np.zeros(3), P))
        own.append(np.diag(found.epistemic))
        for k, level in enumerate(report.levels):
            inside[k] += np.abs(e) <= norm.ppf(0.5 + 0.5 * level) * np.sqrt(np.diag(P))
    np.testing.assert_allclose(report.coverage, inside / 24)
    assert report.nll == pytest.approx(-np.mean(logs))
    np.testing.assert_allclose(report.doubt, np.sqrt(np.mean(own, 0)))
    other = [np.diag(model.predict(a, b, 0.1).epistemic) for a, b in zip(*far, strict=True)]
    a, b = (np.sum(np.array(each) / np.mean(own, 0), -1) for each in (own, other))
    assert report.auroc == pytest.approx(np.mean([(q > p) + 0.5 * (q == p) for p in a for q in b]))


@pytest.mark.parametrize("seed", range(4))
def test_the_auroc_counts_pairs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 6, 30).astype(float), rng.integers(2, 9, 20).astype(float)  # with ties
    pairs = np.mean([(q > p) + 0.5 * (q == p) for p in a for q in b])
    assert auroc(a, b) == pytest.approx(pairs)
    assert auroc(b, a) == pytest.approx(1.0 - pairs)


def test_a_report_is_a_table() -> None:
    xs, us = walked(200, 0)
    text = str(calibrate(walk(), xs, us, 1.0, far=(xs[:3], us[:3])))
    assert text.splitlines()[0].startswith("200 predictions, NLL ")
    assert "AUROC of the doubt outside 0.500" in text
    assert all(word in text for word in ("x", "yaw", "95 %", "rmse", "std", "doubt"))
    assert len({len(line) for line in text.splitlines()[1:]}) == 1


def test_sentences() -> None:
    xs, us = walked(5, 0)
    with pytest.raises(ShapeError, match=r"actions \(4, 1\)"):
        calibrate(walk(), xs, us[:4], 1.0)
    with pytest.raises(ShapeError, match=r"levels are \[0.5, 1.0\]"):
        calibrate(walk(), xs, us, 1.0, levels=[0.5, 1.0])
    with pytest.raises(ShapeError, match="0 scores within"):
        auroc([], [1.0])
