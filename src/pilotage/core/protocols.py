"""The signatures everything in Pilotage agrees on.

`Dynamics` and `Sensor` are abstract classes because they carry defaults; what consumes them (`Estimator`,
`Planner`, `Controller`, `Task`, `WorldModel`) is a `Protocol`, so that code from elsewhere fits without inheriting.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from .linearize import jacobian
from .space import Space


class Dynamics(ABC):
    """How a state moves: ``x' = step(x, u, dt)`` plus noise of covariance ``noise(x, u, dt)`` in the tangent.

    Subclasses set `state` and `action` and write `step`; everything else has a default.
    """

    state: Space
    action: Space

    @abstractmethod
    def step(self, x: Any, u: Any, dt: float) -> Any:
        """The state one step of `dt` seconds later.

        Args:
            x: states ``(..., n)``.
            u: actions ``(..., m)``; batch axes broadcast against those of `x`.
            dt: seconds.

        Returns:
            States ``(..., n)``, of the same array kind as `x` (numpy in, numpy out).
        """

    def linearize(self, x: Any, u: Any, dt: float) -> tuple[Any, Any]:
        """Jacobians ``F = d x' / d x`` and ``B = d x' / d u`` in the tangent, ``(..., d, d)`` and ``(..., d, m)``.

        Default: central differences through the space. Traced models derive them exactly.
        """
        batch = np.broadcast_shapes(np.shape(x)[:-1], np.shape(u)[:-1])
        x = np.broadcast_to(x, (*batch, self.state.size))
        u = np.broadcast_to(u, (*batch, self.action.size))
        return (
            jacobian(lambda y: self.step(y, u, dt), x, self.state, self.state),
            jacobian(lambda v: self.step(x, v, dt), u, self.action, self.state),
        )

    def noise(self, x: Any, u: Any, dt: float) -> Any:
        """Covariance of the process noise over `dt` in the tangent, ``(..., d, d)``. Default: none."""
        batch = np.broadcast_shapes(np.shape(x)[:-1], np.shape(u)[:-1])
        return np.zeros((*batch, self.state.dim, self.state.dim))

    def rollout(self, x0: Any, us: Any, dt: float) -> Any:
        """States ``(..., T+1, n)`` visited from `x0` ``(..., n)`` under actions `us` ``(..., T, m)``.

        Default: loops `step`. Simulators and compiled models override it for speed.
        """
        us = np.asarray(us, dtype=float)
        x = np.broadcast_to(np.asarray(x0, dtype=float), (*us.shape[:-2], self.state.size))
        xs = np.empty((*us.shape[:-2], us.shape[-2] + 1, self.state.size))
        xs[..., 0, :] = x
        for t in range(us.shape[-2]):
            x = self.step(x, us[..., t, :], dt)
            xs[..., t + 1, :] = x
        return xs
