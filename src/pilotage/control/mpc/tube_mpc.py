"""Predictive control under uncertainty: bounds that are tightened by what may happen until each step."""

from __future__ import annotations

from dataclasses import replace
from statistics import NormalDist
from typing import Annotated, Any

import numpy as np
from numpy.typing import ArrayLike

from ...core.arrays import Array, numbers
from ...core.carry import carry
from ...core.errors import SettingError
from ...core.plan import Plan
from ...core.results import Action, ActionStatus
from ...core.settings import Interval, by_name, instance, setting
from .linear_mpc import LinearMPC, regulator


class TubeMPC:
    """Linear predictive control with bounds tightened for the uncertainty of the state and the disturbances ahead.

    ::

        S_1 = F S_0 F' + W,   S_k+1 = (F - B K) S_k (F - B K)' + W         S_0 the covariance of the belief
        C d_k <= high - q sqrt(C S_k C'),   q = the normal quantile of 1 - risk / (number of bounds in a step)
        K d_k likewise for the actions of steps 1 and later                 K the gain of LQR

    A state violates any of the bounds of its step with at most the probability `risk`, by Boole's inequality, as far as
    the model is linear and the noise Gaussian. Later steps react to what happens, by K; the first action cannot. With a
    `disturbance`, the bounds hold for every disturbance in a box instead::

        C d_k <= high - sum_{j < k} |C (F - B K)^j| disturbance

    Args:
        mpc: the controller whose bounds are tightened; its model at the goal is used. Soft bounds keep it feasible when
            the uncertainty leaves no room. Its `budget` is that of a decision, without the time to tighten the bounds.
        risk: probability of a violation in a step.
        disturbance: largest disturbance of the tangent of the state in a step ``(d,)``, or a number; None for Gaussian
            noise, ``W = dynamics.noise``.

    Attributes:
        mpc: the controller with the bounds of the last tick.
        gain: K ``(m, d)``.

    Raises:
        SettingError: if the disturbance is negative, or risk is not in (0, 0.5).

    A state instead of a belief has no uncertainty of its own. Where the tightened bounds cross, their middle is aimed
    at, and the status is IMPROVED with a reason.

    Source: Farina, Giulioni and Scattolini, "Stochastic linear model predictive control with chance constraints",
    J. Process Control 44 (2016); Chisci, Rossiter and Zappa, "Systems with persistent disturbances", Automatica 37
    (2001), for the box.

    Example:
        >>> from pilotage.core import Gaussian, Space
        >>> from pilotage.models import LinearDynamics
        >>> cart = LinearDynamics([[0, 1], [0, 0]], [[0], [1]], Qc=[0, 0.01], state=Space("x [m]", "v [m/s]"),
        ...                       action=Space("a [m/s^2] in [-1, 1]"))
        >>> drive = TubeMPC(LinearMPC(cart, [1.0, 0.0], bounds={"x": (-1.0, 1.0)}, soft=1e4), risk=0.05)
        >>> near = [0.9, 0.1]
        >>> bool(drive.act(Gaussian.of(cart.state, near, std=0.05)).u < drive.act(near).u)
        True
    """

    @by_name
    def __init__(self, mpc: LinearMPC, *, risk: float = 0.05, disturbance: ArrayLike | None = None) -> None:
        self.mpc = instance(mpc, LinearMPC, "TubeMPC")
        self.risk: float = setting(risk, Annotated[float, Interval(0.0, 0.5)], "risk")
        p, model = mpc.problem, mpc.prediction
        task = model.task
        self.gain = regulator(p.dynamics, task.goal, task.ug, p.dt, task.Q, task.R, mpc.kept).K
        self.disturbance: Array | None = None
        if disturbance is not None:
            d = numbers(disturbance, "disturbance")
            if d.shape not in ((), (model.d,)) or not (d >= 0.0).all() or not np.isfinite(d).all():
                raise SettingError(f"disturbance is {disturbance}; expected a number, or ({model.d},), not below zero")
            self.disturbance = np.broadcast_to(d, (model.d,)).copy()
        self._noise = np.asarray(p.dynamics.noise(task.goal, task.ug, p.dt), dtype=np.float64)
        sides = np.isfinite(np.concatenate([p.limits, model.bounds], axis=1)).sum()
        self._quantile = NormalDist().inv_cdf(1.0 - self.risk / max(int(sides), 1))

    def reset(self, *, seed: int | None = None) -> None:
        """Discard the plan."""
        self.mpc.reset(seed=seed)

    def act(self, belief_or_state: Any, t: float | None = None) -> Action:
        """The action at time `t` [s]; see `LinearMPC.act`."""
        crossed = self._tighten(belief_or_state)
        action = self.mpc.act(belief_or_state, t)
        if not crossed or action.status is not ActionStatus.SOLVED:
            return action
        return replace(action, status=ActionStatus.IMPROVED, reason=f"the uncertainty leaves no room for {crossed}")

    def solve(self, belief_or_state: Any, t: float = 0.0, us: ArrayLike | None = None) -> Plan:
        """The plan from a belief or a state; see `RecedingHorizon.solve`."""
        self._tighten(belief_or_state)
        return self.mpc.solve(belief_or_state, t, us)

    def _tighten(self, given: Any) -> str:
        """Tighten the bounds for a belief; the names of those that cross."""
        model, T = self.mpc.prediction, self.mpc.problem.steps
        maps = np.concatenate([model.C, self.gain])
        sizes = self._chance(given, maps, T) if self.disturbance is None else self._box(maps, T)
        k = len(model.C)
        return model.tighten(np.concatenate([np.zeros((1, sizes.shape[1] - k)), sizes[:-1, k:]]), sizes[:, :k])

    def _chance(self, given: Any, maps: Array, T: int) -> Array:
        """Quantiles of the deviations of ``maps d_k`` ``(T, rows)``."""
        model = self.mpc.prediction
        F, B, S = model.F, model.B, np.zeros((model.d, model.d))
        if hasattr(given, "moments"):
            S = carry(given, self.mpc.problem.dynamics.state).moments().cov
        found, step = [], F
        for _ in range(T):
            S = step @ S @ step.T + self._noise
            found.append(self._quantile * np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", maps, S, maps), 0.0)))
            step = F - B @ self.gain
        return np.array(found)

    def _box(self, maps: Array, T: int) -> Array:
        """Largest deviations of ``maps d_k`` ``(T, rows)``, by the support function of the reachable set."""
        model, total, found = self.mpc.prediction, np.zeros(len(maps)), []
        for _ in range(T):
            total = total + np.abs(maps) @ self.disturbance
            found.append(total)
            maps = maps @ (model.F - model.B @ self.gain)
        return np.array(found)
