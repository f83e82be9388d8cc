"""The linear quadratic regulator: the best linear feedback to a goal, by Riccati's equation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...core.arrays import Array
from ...core.dynamics import Dynamics
from ...core.errors import SettingError
from ...core.results import ActionStatus
from ...core.settings import Count, by_name, instance, setting
from ..reach import goal_of, weights_of
from ._law import Command, FeedbackLaw
from ._linear import cross, equilibrium, needed, rates, weight
from ._quadratic import Quadratic
from .lqr import Regulator, finite_horizon_lqr, solved

Weights = ArrayLike | Mapping[str, float]


class LQR(FeedbackLaw):
    """Linear quadratic regulator (LQR) to a goal of any dynamics, linearised in the tangent around it.

    ::

        d = x (-) goal,      u = clip(action - K d - K_i xi),      xi' = d of the components with integral action
        K minimises   sum d'Q d + v'R v + 2 d'N v,     v = u - action             design "discrete"
                      int d'Q d + v'R v + 2 d'N v dt                              "continuous", and
                      the same integral with v constant between ticks             "sampled", exact for a slow clock

    For linear dynamics without bounds this is optimal; near an equilibrium of others it is to first order. A component
    that the goal does not name is free: it has no weight, and no part in the design if it acts on no named one, such as
    the distance along a lane. Integral action removes the error that a constant disturbance leaves; the integral stops
    while the action is clipped, as long as it would only be clipped more.

    Args:
        dynamics: model of the motion.
        goal: a state ``(n,)``, or values by component name as for `reach`.
        Q: weight of d: a number, ``(d,)``, by name, or a matrix ``(d, d)``.
        R: weight of the actions: a number, ``(m,)``, by name, or a matrix ``(m, m)``.
        N: cross weight ``(d, m)``, or a mapping from pairs of names; default: zero.
        action: the action that keeps the goal; default: found, nearest to zero.
        dt: seconds between ticks.
        design: see above; "sampled" and "continuous" need dynamics that integrate rates.
        horizon: number of steps T that count; default: all. Afterwards the status is DONE and the last gain holds.
        final: weight of d at the end of a horizon, as Q; default: Q.
        integral: weights of the integrals of components, by name [1/s^2 of Q].

    Attributes:
        goal, action: the point of linearisation.
        regulator: gain K, cost-to-go S and poles E; see `lqr`. The action's `cost` is ``d'S d``.
        saturated: which components of the last action were clipped ``(m,)``.

    Raises:
        ModelError: if no action keeps the goal, or no gain stabilises it; the message names the modes.
        SettingError: if a weight is not valid.

    Source: Anderson and Moore, *Optimal Control: Linear Quadratic Methods*, 1990; "sampled" by Van Loan, IEEE Trans.
    Automatic Control 23 (1978), section II.

    Example:
        >>> from pilotage.models import bicycle, quadrotor
        >>> hover = LQR(quadrotor(), quadrotor().state.identity(), dt=0.02)
        >>> hover.act(quadrotor().state.identity()).u.round(3).tolist()
        [4.905, 0.0, 0.0, 0.0]
        >>> lane = LQR(bicycle(), {"y": 0.0, "yaw": 0.0, "speed": 8.0}, Q={"y": 1.0, "speed": 1.0})
        >>> float(lane.act([120.0, 0.5, 0.0, 8.0]).u[1].round(3))        # left of the lane, steers right
        -0.355
    """

    @by_name
    def __init__(
        self,
        dynamics: Dynamics,
        goal: Weights,
        Q: Weights = 1.0,
        R: Weights = 1.0,
        N: ArrayLike | Mapping[tuple[str, str], float] | None = None,
        *,
        action: ArrayLike | None = None,
        dt: float = 0.1,
        design: Literal["discrete", "sampled", "continuous"] = "discrete",
        horizon: int | None = None,
        final: Weights | None = None,
        integral: Mapping[str, float] | None = None,
    ) -> None:
        space = instance(dynamics, Dynamics, "LQR").state
        setting(design, Literal["discrete", "sampled", "continuous"], "design")
        self.goal, given = goal_of(goal, space)
        if not given.any():
            raise SettingError(f"goal is {goal}; expected a state, or one or more of {', '.join(space.names)}")
        self.horizon = setting(horizon, Count | None, "horizon")
        sums = weights_of(integral or 0.0, space, 0.0, "integral")
        if (sums < 0.0).any() or (sums[~given] > 0.0).any():
            raise SettingError(f"integral is {integral}; expected weights, 0 or more, of components of the goal")
        if design == "continuous" and horizon is not None:
            raise SettingError("a finite horizon needs the design 'discrete' or 'sampled'")
        if final is not None and horizon is None:
            raise SettingError("final is the weight at the end of a finite horizon; give horizon, the number of steps")
        self._summed = np.flatnonzero(sums)
        super().__init__(dynamics, dt)
        kept = needed(dynamics, self.goal, self._guess(action), self.dt, given)
        self.action = equilibrium(dynamics, self.goal, action, self.dt, kept)
        kept = needed(dynamics, self.goal, self.action, self.dt, given)
        both = given & given[:, None]
        weights = (
            np.where(both, weight(Q, space, "Q"), 0.0),
            weight(R, dynamics.action, "R", positive=True),
            np.where(given[:, None], cross(N, space, dynamics.action), 0.0),
        )
        end = weights[0] if final is None else np.where(both, weight(final, space, "final"), 0.0)
        self.regulator = self._design(kept, weights, sums, design, end)

    def __repr__(self) -> str:
        return f"LQR({self.dynamics!r}, goal {self.goal.tolist()})"

    def reset(self, *, seed: int | None = None) -> None:
        """Start an episode, with integrals of zero."""
        super().reset(seed=seed)
        self.integrals, self._rate = np.zeros(len(self._summed)), np.zeros(len(self._summed))

    def law(self, x: Array, t: float, passed: float) -> Command:
        d = self.dynamics.state.minus(x, self.goal)
        K, S, _ = self.regulator
        k = 0
        if self.horizon is not None:
            k = math.floor(t / self.dt + 1e-6)
            K, S = K[min(k, self.horizon - 1)], S[min(k, self.horizon)]
        self.integrals = self.integrals + passed * self._rate
        full = np.concatenate([d, self.integrals])
        u = self.action - K @ full
        self._rate = self._wound(d[self._summed], u, K[:, len(d) :])
        over = self.horizon is not None and k >= self.horizon
        return Command(u, ActionStatus.DONE if over else ActionStatus.SOLVED, "", float(full @ S @ full))

    def nominal(self, t: float) -> Array:
        return self.action

    def _wound(self, rate: Array, u: Array, K: Array) -> Array:
        """The rate of the integrals until the next tick: zero if they would only clip an action more."""
        beyond = u - self.dynamics.action.clip(u)
        return np.zeros_like(rate) if (beyond * (K @ rate) < 0.0).any() else rate

    def _guess(self, action: Any) -> Array:
        space = self.dynamics.action
        return space.clip(np.zeros(space.size)) if action is None else space.check(action, "action")

    def _design(
        self,
        kept: NDArray[np.bool_],
        weights: tuple[Array, Array, Array],
        sums: Array,
        design: str,
        final: Array,
    ) -> Regulator:
        """The regulator of the kept components and the integrals, filled with zeros for the others."""
        kept = np.concatenate([kept, np.ones(len(self._summed), dtype=bool)])
        names = list(self.dynamics.state.tangent_names)
        names += [f"the integral of {names[i]}" for i in self._summed]
        at, step = (self.dynamics, self.goal, self.action), self.dt if design == "discrete" else None
        A, B = (np.asarray(each) for each in (rates(*at) if step is None else self.dynamics.linearize(*at[1:], step)))
        problem = Quadratic(A, B, *weights).integrating(self._summed, sums[self._summed], step).reduced(kept)
        if design == "sampled":
            problem = problem.sampled(self.dt)
        if self.horizon is None:
            found = solved(*problem, discrete=design != "continuous", names=np.array(names)[kept].tolist())
        else:
            end = np.pad(final, (0, len(self._summed)))[np.ix_(kept, kept)]
            A, B, Q, R, N = problem
            found = finite_horizon_lqr(A, B, Q, R, self.horizon, N, final=end)
        K, S = (np.zeros((*each.shape[:-1], len(kept))) for each in (found.K, found.S))
        K[..., kept], S[..., kept] = found.K, found.S
        full = np.zeros((*S.shape[:-2], len(kept), len(kept)))
        full[..., kept, :] = S
        return Regulator(K, full, found.E)
