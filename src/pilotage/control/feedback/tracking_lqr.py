"""Tracking LQR: the best linear feedback along a trajectory, by the gains of a time-varying Riccati equation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from ...core.arrays import Array
from ...core.dynamics import Dynamics
from ...core.errors import ModelError, SettingError
from ...core.plan import Plan
from ...core.settings import Positive, by_name, instance, setting
from ._law import Command, FeedbackLaw, ended
from ._linear import cross, weight
from .lqr import finite_horizon_lqr
from .regulator import LQR, Weights


class TrackingLQR(FeedbackLaw):
    """Time-varying LQR along a plan with states, actions and times, such as that of `ILQR` or a kinodynamic planner.

    ::

        d_k = x (-) xs_k,      u = clip(us_k - K_k d_k)
        K_k minimise   sum_k d_k'Q d_k + v_k'R v_k + 2 d_k'N v_k + d_T' final d_T,     d_{k+1} = F_k d_k + B_k v_k

    F_k and B_k are those of the plan's steps in the tangent; between ticks, states and gains are interpolated. After
    the end the status is DONE: the `LQR` of the last state holds it if it is an equilibrium that can be stabilised, and
    the action is zero (or the nearest within the bounds) if not. If more than a tenth of the way (the largest distance
    of a state of the plan to the last one, under Q) is left then, the status is STUCK.

    Args:
        dynamics: model of the motion, on the space of the plan.
        plan: a `Plan` with `us` and `ts`.
        Q, R, N: weights for each step, as for `LQR`.
        final: weight of the last state; default: the cost-to-go of the `LQR` that holds it, else Q.
        along: "time" follows the plan by the clock from the first tick; "nearest" continues from the point of the plan
            that is nearest to the state (weighted by the diagonal of Q), for robots that were held up. That point never
            moves on while the plan waits.
        window: seconds of the plan, before and after the last point, in which the nearest one is searched; default: 1.

    Raises:
        SettingError: if the plan has no actions or times or another space, or a weight is not valid.

    Source: Anderson and Moore, *Optimal Control: Linear Quadratic Methods*, 1990, section 4.4; Tedrake, "Underactuated
    Robotics", chapter 8.

    Example:
        >>> from pilotage.control import ILQR, reach
        >>> from pilotage.models import unicycle
        >>> robot = unicycle()
        >>> plan = ILQR(robot, reach(robot, [2.0, 1.0, 0.0]), horizon=40).solve([0.0, 0.0, 0.0])
        >>> drive = TrackingLQR(robot, plan)
        >>> bool(drive.act([0.0, 0.0, 0.1], t=0.0).u[1] < drive.act([0.0, 0.0, 0.0], t=0.0).u[1])
        True
    """

    @by_name
    def __init__(
        self,
        dynamics: Dynamics,
        plan: Plan,
        Q: Weights = 1.0,
        R: Weights = 1.0,
        N: ArrayLike | Mapping[tuple[str, str], float] | None = None,
        *,
        final: Weights | None = None,
        along: Literal["time", "nearest"] = "time",
        window: float | None = None,
    ) -> None:
        space = instance(dynamics, Dynamics, "TrackingLQR").state
        self.along = setting(along, Literal["time", "nearest"], "along")
        if window is not None and along == "time":
            raise SettingError("window is for the search of the nearest point; give along='nearest' with it")
        self.window = setting(1.0 if window is None else window, Positive, "window")
        plan = instance(plan, Plan, "TrackingLQR")
        if plan.xs is None or plan.us is None or plan.ts is None or len(plan.us) == 0 or plan.space != space:
            raise SettingError(f"TrackingLQR needs a plan in {space} with states, actions and times, not {plan!r}")
        self.xs, self.us = plan.xs.copy(), dynamics.action.check(plan.us, "us").copy()
        self.ts = plan.ts - plan.ts[0]
        steps = np.diff(self.ts)
        if not (steps > 0.0).all():
            raise SettingError("the times of the plan do not increase")
        super().__init__(dynamics, float(np.median(steps)))
        self._weights = np.diag(weight(Q, space, "Q"))
        self._way = float(self._distance(self.xs).max())
        try:
            self.after: LQR | None = LQR(dynamics, self.xs[-1], Q, R, N, dt=self.dt)
        except ModelError:
            self.after = None
        end = Q if self.after is None else self.after.regulator.S
        self.K, self.S, self.E = finite_horizon_lqr(
            *self._linearised(steps),
            weight(Q, space, "Q"),
            weight(R, dynamics.action, "R", positive=True),
            N=cross(N, space, dynamics.action),
            final=weight(end if final is None else final, space, "final"),
        )

    def __repr__(self) -> str:
        return f"TrackingLQR({self.dynamics!r}, {len(self.us)} steps of {self.dt:g} s)"

    def reset(self, *, seed: int | None = None) -> None:
        """Start an episode; the nearest point is searched on the whole plan."""
        super().reset(seed=seed)
        self._s: float | None = None

    def law(self, x: Array, t: float, passed: float) -> Command:
        s = self._s = t if self.along == "time" else self._nearest(x)
        if s >= self.ts[-1]:
            held = Command(self.nominal(s)) if self.after is None else self.after.law(x, s, passed)
            return ended(held.u, float(self._distance(x)), self._way)._replace(cost=held.cost)
        k, part = self._place(s)
        space, K = self.dynamics.state, self.K[k : k + 2]
        d = space.minus(x, space.interpolate(self.xs[k], self.xs[k + 1], part))
        gain, S = K[0] + part * (K[-1] - K[0]), self.S[k] + part * (self.S[k + 1] - self.S[k])
        return Command(self.us[k] - gain @ d, cost=float(d @ S @ d))

    def _distance(self, x: Array) -> Array:
        """The distance of states ``(..., n)`` to the last one, under Q."""
        d = self.dynamics.state.minus(x, self.xs[-1])
        return np.sqrt((d * d * self._weights).sum(-1))

    def nominal(self, t: float) -> Array:
        s = self._s if self._s is not None and self.along == "nearest" else t
        if s < self.ts[-1]:
            return self.us[self._place(s)[0]]
        return np.zeros(self.us.shape[1]) if self.after is None else self.after.action

    def _place(self, s: float) -> tuple[int, float]:
        """The step at a time before the end, and the part of it that has passed."""
        k = min(int(np.searchsorted(self.ts, s + 1e-9, side="right")) - 1, len(self.us) - 1)
        return k, min(max((s - self.ts[k]) / (self.ts[k + 1] - self.ts[k]), 0.0), 1.0)

    def _nearest(self, x: Array) -> float:
        """The time of the point of the plan that is nearest to a state, within the window."""
        ts, space = self.ts, self.dynamics.state
        near = np.ones(len(self.us), dtype=bool)
        if self._s is not None:
            near = (ts[1:] >= self._s - self.window) & (ts[:-1] <= self._s + self.window)
        k = np.flatnonzero(near)
        d = space.minus(np.tile(x, (len(k), 1)), self.xs[k])
        e = space.minus(self.xs[k + 1], self.xs[k])
        length = np.maximum((e * e) @ self._weights, 1e-300)
        part = np.clip((d * e) @ self._weights / length, 0.0, 1.0)
        best = int((((d - part[:, None] * e) ** 2) @ self._weights).argmin())
        return float(ts[k[best]] + part[best] * (ts[k[best] + 1] - ts[k[best]]))

    def _linearised(self, steps: Array) -> tuple[Array, Array]:
        """F ``(T, d, d)`` and B ``(T, d, m)`` of all steps, in one batch for each duration."""
        d, (T, m) = self.dynamics.state.dim, self.us.shape
        F, B = np.empty((T, d, d)), np.empty((T, d, m))
        rounded = np.round(steps, 9)
        for h in np.unique(rounded):
            at = rounded == h
            F[at], B[at] = self.dynamics.linearize(self.xs[:-1][at], self.us[at], float(h))
        return F, B
