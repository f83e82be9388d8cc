"""Polynomials between states: they join the ends, and no other motion has less jerk."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize_scalar

from pilotage.core import ShapeError
from pilotage.planners import Polynomial, best_durations

DRAW = np.random.default_rng(0)
A, B, T = DRAW.normal(size=(4, 5, 3)), DRAW.normal(size=(4, 5, 3)), DRAW.uniform(0.3, 4.0, size=(4, 5))


def test_ends() -> None:
    quintic, quartic = Polynomial.quintic(A, B, T), Polynomial.quartic(A, B[..., 1:], T)
    for order in range(3):
        for motion in (quintic, quartic):
            np.testing.assert_allclose(motion(np.zeros(1), order)[..., 0], A[..., order], atol=1e-9)
        np.testing.assert_allclose(quintic(T[..., None], order)[..., 0], B[..., order], atol=1e-8)
        if order:
            np.testing.assert_allclose(quartic(T[..., None], order)[..., 0], B[..., order], atol=1e-8)


def test_batches_are_rows() -> None:
    whole = Polynomial.quintic(A, B, T).coefficients
    np.testing.assert_allclose(whole[2, 3], Polynomial.quintic(A[2, 3], B[2, 3], T[2, 3]).coefficients, rtol=1e-12)


def test_jerk_is_the_integral() -> None:
    motion = Polynomial.quintic(A[0, 0], B[0, 0], T[0, 0])
    exact, _ = quad(lambda t: float(motion([t], 3)[0]) ** 2, 0.0, T[0, 0])
    assert float(motion.jerk()) == pytest.approx(exact, rel=1e-8)


def test_no_other_motion_has_less_jerk() -> None:
    """Any bump with zero ends adds jerk; for the quartic, one that moves the free end does too."""
    for motion, bump in (
        (Polynomial.quintic(A[1, 1], B[1, 1], 1.0), [0, 0, 0, 1, -3, 3, -1]),
        (Polynomial.quartic(A[1, 1], B[1, 1, 1:], 1.0), [0, 0, 0, 10, -15, 6, 0]),
    ):
        c = np.zeros(7)
        c[: len(motion.coefficients)] = motion.coefficients
        for size in (-0.1, 0.1):
            assert Polynomial(c + size * np.array(bump), 1.0).jerk() > motion.jerk()


@pytest.mark.parametrize("weight", [0.1, 1.0, 30.0])
def test_best_durations_against_a_search(weight: float) -> None:
    found = best_durations(A[0], B[0], weight)
    for a, b, best in zip(A[0], B[0], found, strict=True):

        def cost(t, a=a, b=b):
            return weight * t + float(Polynomial.quintic(a, b, t).jerk())

        grid = np.geomspace(0.05, 60.0, 400)
        near = grid[np.argmin([cost(t) for t in grid])]
        reference = minimize_scalar(cost, bounds=(0.9 * near, 1.1 * near), method="bounded").fun
        assert cost(best) == pytest.approx(reference, rel=1e-5)
    assert best_durations([1.0, 0.0, 0.0], [1.0, 0.0, 0.0]) == 0.0


def test_bad_input() -> None:
    with pytest.raises(ShapeError, match="durations"):
        Polynomial.quintic([0, 0, 0], [1, 0, 0], -1.0)
    with pytest.raises(ShapeError, match="ends"):
        Polynomial.quartic([0, 0, 0], [1, 0, 0], 1.0)
    with pytest.raises(ShapeError, match="finite"):
        Polynomial.quintic([0, 0, np.nan], [1, 0, 0], 1.0)
