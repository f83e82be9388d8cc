"""Square-root filters: those of the covariance, and right where a covariance in double precision is not."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from pilotage.core import Gaussian, SettingError
from pilotage.estimators import EKF, IMM, UKF, JulierPoints, SimplexPoints, SquareRootEKF, SquareRootUKF, smooth
from pilotage.models import LinearDynamics, LinearSensor, gyroscope, quadrotor

from .linear import DT, close, spd, system
from .test_ukf import CAMERA, CAR, LANDMARK, START

PAIRS = {
    "EKF": (SquareRootEKF, EKF, {}),
    "UKF": (SquareRootUKF, UKF, {}),
    "UKF, Julier": (SquareRootUKF, UKF, {"points": JulierPoints(0.5)}),
    "UKF, simplex": (SquareRootUKF, UKF, {"points": SimplexPoints()}),
}
every = pytest.mark.parametrize("pair", PAIRS)


def pair_of(name: str, **more: Any) -> tuple[Any, Any]:
    """The filter with a root, and the one with a covariance."""
    rooted, full, given = PAIRS[name]
    return rooted(**given, **more), full(**given, **more)


def agree(mine: Any, other: Any, slack: float = 1e-9) -> None:
    """Beliefs that are the same, the first of them rooted."""
    assert mine.rooted
    close(mine.space.minus(mine.mean, other.mean), np.zeros(other.cov.shape[:-1]), slack)
    close(mine.cov, other.cov, slack)


@every
def test_a_drive(pair: str) -> None:
    """Alone, in a filter and in a batch; readings with gaps, innovations and likelihoods too."""
    mine, other = pair_of(pair, dynamics=CAR, dt=0.2)
    filters = [e.start(belief=START) for e in (mine, other)]
    rng, us = np.random.default_rng(0), np.tile([0.5, 0.3], (12, 1))
    zs = np.array([6.0, 0.0]) + rng.normal(size=(12, 2)) * [0.3, 0.05]
    zs[3, 0] = zs[7, 1] = np.nan
    for u, z in zip(us, zs, strict=True):
        found = [f.step(CAMERA, z, u, context=LANDMARK) for f in filters]
        agree(found[0].belief, found[1].belief)
        close(found[0].S, found[1].S, 1e-9)
        close(found[0].log_likelihood, found[1].log_likelihood, 1e-9)
    means = CAR.state.plus(START.mean, 0.1 * rng.normal(size=(20, 4)))
    runs = [
        e.run(Gaussian(CAR.state, means, START.cov), CAR, us, zs, sensor=CAMERA, contexts=np.tile(LANDMARK, (12, 1)))
        for e in (mine, other)
    ]
    agree(runs[0].beliefs, runs[1].beliefs)
    agree(runs[0].predicted, runs[1].predicted)
    close(smooth(runs[0]).cov, smooth(runs[1]).cov, 1e-8)


@every
def test_roots_are_lower_triangles(pair: str) -> None:
    """Also from a belief whose root is none, as that of a state known in part."""
    s = system(4)
    P = spd(np.random.default_rng(1), 3, rank=2)
    mine, other = pair_of(pair)
    beliefs = [e.predict(Gaussian.trusted(s.dynamics.state, s.x0.copy(), P.copy()), s.dynamics, s.us[0], DT)
               for e in (mine, other)]  # fmt: skip
    agree(*beliefs, slack=1e-7)  # a root of rounding is 1e-8
    np.testing.assert_array_equal(np.triu(beliefs[0].root, 1), np.zeros((3, 3)))
    assert (np.diagonal(beliefs[0].root) >= 0.0).all()


@every
def test_modes(pair: str) -> None:
    """An IMM mixes covariances, and hands each mode its root."""
    mine, other = (
        IMM((CAR, CAR), 0.9, dt=0.2, filter=e).start(mean={"x": 0.0, "speed": 2.0}, std=0.3) for e in pair_of(pair)
    )
    for z in ([6.1, 0.1], [5.9, -0.2]):
        for filter in (mine, other):
            filter.step(CAMERA, z, [0.5, 0.3], context=LANDMARK)
    for i in range(2):
        agree(mine.belief.components[i], other.belief.components[i])


@every
def test_twice_the_digits(pair: str) -> None:
    """The sum of two numbers of std 1 is read to 1e-9: the root holds both, a covariance loses the smaller one."""
    rooted, full = pair_of(pair)
    still = LinearDynamics.discrete(np.eye(2), Q=np.zeros((2, 2)))
    reads = LinearSensor([[1.0, 1.0]], 1e-18)
    belief = rooted.update(rooted.predict(Gaussian.of(still.state, std=1.0), still, None, 1.0), reads, [0.3]).belief
    along, across = np.array([1.0, 1.0]), np.array([1.0, -1.0])
    close(np.linalg.norm(belief.root.T @ along) / 1e-9, 1.0, 1e-6)
    close(np.linalg.norm(belief.root.T @ across), math.sqrt(2.0), 1e-9)
    lost = full.update(full.predict(Gaussian.of(still.state, std=1.0), still, None, 1.0), reads, [0.3]).belief.cov
    assert not 0.5e-18 < along @ lost @ along < 2e-18, "a covariance was to lose these digits"
    for _ in range(200):
        belief = rooted.update(rooted.predict(belief, still, None, 1.0), reads, [0.3]).belief
    close(np.linalg.norm(belief.root.T @ along) / 1e-9, 1.0 / math.sqrt(201.0), 1e-6)
    close(np.linalg.norm(belief.root.T @ across), math.sqrt(2.0), 1e-9)


@every
def test_attitudes(pair: str) -> None:
    """On a space with a quaternion."""
    craft, spin = quadrotor(), gyroscope(std=0.01)
    start = Gaussian.of(craft.state, craft.state.identity(), std=0.1)
    beliefs = [e.update(e.predict(start, craft, None, 0.02), spin, [0.01, -0.02, 0.03]).belief for e in pair_of(pair)]
    agree(*beliefs)


def test_negative_weights_are_refused() -> None:
    with pytest.raises(SettingError, match="weight"):
        SquareRootUKF(CAR, dt=0.1, alpha=0.1).start(belief=START)
