"""State feedback with a given gain, and gains that place the poles of the closed loop."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ...core.arrays import Array
from ...core.dynamics import Dynamics
from ...core.errors import ModelError, SettingError
from ...core.settings import by_name, instance
from ...core.streams import generator
from ...models.linear import matrix
from ..reach import goal_of
from ._law import Command, FeedbackLaw
from ._linear import equilibrium, shaped
from .regulator import Weights
from .structure import Modes

TRIES = 30
"""Number of combinations of the actions that are tried for repeated poles."""


def place_poles(A: ArrayLike, B: ArrayLike, poles: ArrayLike) -> Array:
    """The gain K ``(m, d)`` with the eigenvalues of ``A - B K`` at the poles, as insensitive to errors of A as it can.

    A pole that is repeated more often than there are independent actions, as for critical damping, is placed by one
    combination b of the actions, after a gain K0 that makes all modes reachable by it::

        K = K0 + q e_d' [b, F b, ..., F^(d-1) b]^-1 prod_i (F - p_i I),        F = A - B K0,  b = B q

    The gain of an observer ``A - L C`` is the transpose of ``place_poles(A', C', poles)``.

    Args:
        A, B: ``(d, d)`` and ``(d, m)``, of rates or of a step.
        poles: d poles, real or in conjugate pairs.

    Raises:
        SettingError: if the poles are no d numbers in conjugate pairs.
        ModelError: if no gain places them; the message names the modes that no action reaches.

    Source: Tits and Yang, "Globally convergent algorithms for robust pole assignment by state feedback", IEEE Trans.
    Automatic Control 41 (1996), by SciPy's `place_poles`; for repeated poles Ackermann, "Der Entwurf linearer
    Regelungssysteme im Zustandsraum" (1972), and Heymann, "Comments on pole assignment in multi-input controllable
    linear systems", IEEE Trans. Automatic Control 13 (1968).

    Example:
        >>> place_poles([[0.0, 1.0], [0.0, 0.0]], [[0.0], [1.0]], [-1.0, -2.0]).round(9).tolist()
        [[2.0, 3.0]]
        >>> place_poles([[0.0, 1.0], [0.0, 0.0]], [[0.0], [1.0]], [-1.0, -1.0]).round(9).tolist()
        [[1.0, 2.0]]
    """
    A = matrix(A, "A")
    B = matrix(B, "B", rows=len(A))
    wanted = np.atleast_1d(np.asarray(poles, dtype=np.complex128))
    if wanted.shape != (len(A),) or not np.allclose(np.sort_complex(wanted), np.sort_complex(wanted.conj())):
        raise SettingError(f"poles are {poles}; expected {len(A)}, complex ones in conjugate pairs")
    modes = Modes.of(A, B)
    if not modes.controllable:
        lost = modes.values[~modes.reached]  # pyright: ignore[reportOptionalOperand]
        raise ModelError(
            f"no action reaches the modes at {', '.join(f'{v:.3g}' for v in lost)}, so they cannot be placed"
        )
    often = max(int(np.isclose(wanted, each, rtol=1e-9, atol=0.0).sum()) for each in wanted)
    K = _repeated(A, B, wanted) if often > np.linalg.matrix_rank(B) else _robust(A, B, wanted)
    reached, asked = np.poly(A - B @ K), np.poly(wanted).real
    if not np.allclose(reached, asked, rtol=1e-5, atol=1e-7 * float(np.abs(asked).max())):
        raise ModelError(f"the poles {poles} cannot be placed: rounding moves them, since some are hardly reached")
    return K


def _robust(A: Array, B: Array, poles: Any) -> Array:
    """The gain whose eigenvectors are as independent as the iterations of SciPy find them."""
    from scipy.signal import place_poles

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the poles are right after any number of iterations
        found: Any = place_poles(A, B, poles)
    return np.asarray(found.gain_matrix, dtype=np.float64)


def _repeated(A: Array, B: Array, poles: Any) -> Array:
    """The gain by one combination of the actions; of some, that by which all modes are reached best."""
    d, m = B.shape
    draws = generator(0)
    best: tuple[float, Array, Array, Array] = (np.inf, np.empty(0), np.empty(0), np.empty(0))
    scale = np.linalg.norm(A) / max(np.linalg.norm(B), 1e-300)
    for _ in range(1 if m == 1 else TRIES):
        q = np.ones(1) if m == 1 else draws.standard_normal(m)
        K0 = np.zeros((m, d)) if m == 1 else scale * draws.standard_normal((m, d)) / d
        F = A - B @ K0
        reach = np.stack([np.linalg.matrix_power(F, i) @ (B @ q) for i in range(d)], -1)
        best = min(best, (float(np.linalg.cond(reach)), K0, q, reach), key=lambda each: each[0])
    _, K0, q, reach = best
    F: Array = A - B @ K0
    product: Array = np.eye(d)
    coefficients: list[float] = np.poly(poles).real[1:].tolist()
    for coefficient in coefficients:
        product = product @ F + coefficient * np.eye(d)  # Horner's scheme
    last: Array = np.linalg.solve(reach.T, np.eye(d)[-1])
    return K0 + np.outer(q, last @ product)


class StateFeedback(FeedbackLaw):
    """Linear state feedback with a given gain: ``u = clip(action - K (x (-) goal))``.

    Args:
        dynamics: model of the motion.
        goal: a state ``(n,)``, or the values of all components by name.
        K: gain ``(m, d)`` for the tangent of the state.
        action: the action that keeps the goal; default: found, nearest to zero.
        dt: seconds between ticks.

    Raises:
        ModelError: if no action keeps the goal.

    Example:
        >>> from pilotage.models import pendulum
        >>> upright = StateFeedback.placed(pendulum(), [0.0, 0.0], [-4.0, -5.0], dt=0.05)
        >>> upright.act([0.1, 0.0]).u.round(3)
        array([-1.033])
    """

    @by_name
    def __init__(
        self, dynamics: Dynamics, goal: Weights, K: ArrayLike, *, action: ArrayLike | None = None, dt: float = 0.1
    ) -> None:
        space = instance(dynamics, Dynamics, "StateFeedback").state
        self.goal, given = goal_of(goal, space)
        if not given.all():
            rest = ", ".join(name for name, known in zip(space.tangent_names, given, strict=True) if not known)
            raise SettingError(f"goal is {goal}; expected values of all components, also of {rest}")
        self.K = shaped(K, (dynamics.action.dim, space.dim), "K")
        super().__init__(dynamics, dt)
        self.action = equilibrium(dynamics, self.goal, action, self.dt)

    @classmethod
    def placed(
        cls, dynamics: Dynamics, goal: Weights, poles: ArrayLike, *, action: ArrayLike | None = None, dt: float = 0.1
    ) -> StateFeedback:
        """The feedback whose closed loop has these poles [1/s] at the goal; those of a step are ``exp(poles dt)``."""
        law = cls(dynamics, goal, np.zeros((dynamics.action.dim, dynamics.state.dim)), action=action, dt=dt)
        F, B = dynamics.linearize(law.goal, law.action, law.dt)
        law.K = place_poles(F, B, np.exp(np.asarray(poles, dtype=np.complex128) * law.dt))
        return law

    def __repr__(self) -> str:
        return f"StateFeedback({self.dynamics!r}, goal {self.goal.tolist()}, K {self.K.tolist()})"

    def law(self, x: Array, t: float, passed: float) -> Command:
        return Command(self.action - self.K @ self.dynamics.state.minus(x, self.goal))

    def nominal(self, t: float) -> Array:
        return self.action
