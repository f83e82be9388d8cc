"""State feedback with a given gain, and gains that place the poles of the closed loop."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ...core.arrays import Array
from ...core.dynamics import Dynamics
from ...core.errors import ModelError, SettingError
from ...core.settings import by_name, instance
from ...core.states import state_of
from ...models.linear import matrix
from ._law import Command, FeedbackLaw
from ._linear import equilibrium, shaped
from .structure import Modes


def place_poles(A: ArrayLike, B: ArrayLike, poles: ArrayLike) -> Array:
    """The gain K ``(m, d)`` with the eigenvalues of ``A - B K`` at the poles, as insensitive to errors of A as it can.

    The gain of an observer ``A - L C`` is the transpose of ``place_poles(A', C', poles)``.

    Args:
        A, B: ``(d, d)`` and ``(d, m)``, of rates or of a step.
        poles: d poles, real or in conjugate pairs; each at most as often as there are independent actions.

    Raises:
        SettingError: if the poles are no d numbers in conjugate pairs.
        ModelError: if no gain places them; the message names the modes that no action reaches.

    Source: Tits and Yang, "Globally convergent algorithms for robust pole assignment by state feedback", IEEE Trans.
    Automatic Control 41 (1996), by SciPy's `place_poles`.

    Example:
        >>> place_poles([[0.0, 1.0], [0.0, 0.0]], [[0.0], [1.0]], [-1.0, -2.0]).round(9).tolist()
        [[2.0, 3.0]]
    """
    from scipy.signal import place_poles

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
    try:
        found: Any = place_poles(A, B, wanted)
    except ValueError as error:
        raise ModelError(f"the poles {poles} cannot be placed: {error}") from error
    return np.asarray(found.gain_matrix, dtype=np.float64)


class StateFeedback(FeedbackLaw):
    """Linear state feedback with a given gain: ``u = clip(action - K (x (-) goal))``.

    Args:
        dynamics: model of the motion.
        goal: a state ``(n,)``.
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
        self, dynamics: Dynamics, goal: ArrayLike, K: ArrayLike, *, action: ArrayLike | None = None, dt: float = 0.1
    ) -> None:
        space = instance(dynamics, Dynamics, "StateFeedback").state
        self.goal = space.normalize(state_of(goal, space, "goal"))
        self.K = shaped(K, (dynamics.action.dim, space.dim), "K")
        super().__init__(dynamics, dt)
        self.action = equilibrium(dynamics, self.goal, action, self.dt)

    @classmethod
    def placed(
        cls, dynamics: Dynamics, goal: ArrayLike, poles: ArrayLike, *, action: ArrayLike | None = None, dt: float = 0.1
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
