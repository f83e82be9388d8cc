"""The dynamics protocol: how a state moves."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from .arrays import alike, batched
from .declared import Declared, answered, asked, names_of
from .errors import ShapeError
from .linearize import jacobian
from .mathematics import torch_if_tensor
from .seconds import seconds
from .space import Space


class Dynamics(Declared, ABC):
    """The motion of a state: ``x' = step(x, u, dt) (+) e``, ``e ~ N(0, noise(x, u, dt))`` in the tangent space.

    Subclasses set `state` and `action` and implement `step`; everything else has a default. Models written as functions
    of scalar components (`pilotage.models.dynamics`) also get exact Jacobians and machine code.

    Example:
        >>> class Cart(Dynamics):
        ...     state, action = Space("x [m]"), Space("speed [m/s]")
        ...
        ...     def step(self, x, u, dt):
        ...         return x + dt * u
        >>> F, B = Cart().linearize(np.array([1.0]), np.array([0.5]), 0.1)
        >>> F.round(9), B.round(9)
        (array([[1.]]), array([[0.1]]))
    """

    state: Space
    action: Space
    linear: bool = False
    """Whether ``step = F x + B u``, with F, B and `noise` that depend only on dt. Models that are not traced set it."""
    continuous: bool = False
    """Whether a step integrates rates, so that several short steps equal one long one, with u acting in each."""
    params: Mapping[str, Any] = MappingProxyType({})
    """Parameters by name, such as `wheelbase`, for those who need a length or a mass of the model."""
    takes_tensors: bool = False
    """Whether `step` accepts torch tensors and returns tensors that gradients flow through."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({names_of(self, 'state')}; {names_of(self, 'action')})"

    @abstractmethod
    def step(self, x: Any, u: Any, dt: float) -> Any:
        """The state after one step of `dt` seconds.

        Args:
            x: states ``(..., n)``.
            u: actions ``(..., m)``; batch axes broadcast against those of `x`.
            dt: seconds.

        Returns:
            States ``(..., n)``, of the same array kind as `x` (numpy in, numpy out).
        """

    def linearize(self, x: Any, u: Any, dt: float) -> tuple[Any, Any]:
        """Jacobians ``F = d x' / d x`` ``(..., d, d)`` and ``B = d x' / d u`` ``(..., d, m)`` in the tangent space.

        Default: central differences through the space. Traced models derive them exactly.
        """
        x, u = batched(x, u)

        def following(y: Any, v: Any) -> Any:
            return self._stepped(*batched(y, v), dt)

        return (
            jacobian(lambda y: following(y, u), x, self.state, self.state),
            jacobian(lambda v: following(x, v), u, self.action, self.state),
        )

    def noise(self, x: Any, u: Any, dt: float) -> Any:
        """Covariance of the process noise over `dt` in the tangent space, ``(..., d, d)``. Default: zero."""
        batch = np.broadcast_shapes(np.shape(x)[:-1], np.shape(u)[:-1])
        torch = torch_if_tensor(x)
        shape = (*batch, self.state.dim, self.state.dim)
        return np.zeros(shape) if torch is None else x.new_zeros(shape)

    def rollout(self, x0: Any, us: Any, dt: float) -> Any:
        """The states ``(..., T+1, n)`` that follow from `x0` ``(..., n)`` under actions `us` ``(..., T, m)``.

        Default: a loop over `step`. Simulators and compiled models override it for speed.
        """
        torch, dt = torch_if_tensor(x0, us), seconds(dt, backward=True)
        x, us = alike(x0, us)
        if us.ndim < 2:
            raise ShapeError(
                f"actions of a rollout have the axes (..., T, {self.action.size}); {tuple(us.shape)} was given"
            )
        shape = (*np.broadcast_shapes(tuple(x.shape[:-1]), tuple(us.shape[:-2])), x.shape[-1])
        xs: list[Any] = [np.broadcast_to(x, shape) if torch is None else torch.broadcast_to(x, shape)]
        for t in range(us.shape[-2]):
            xs.append(self._stepped(xs[-1], us[..., t, :], dt))
        return (np if torch is None else torch).stack(xs, -2)

    def _stepped(self, x: Any, u: Any, dt: float) -> Any:
        """The answer of `step`, when it is one state for each it was asked for; an error otherwise."""
        return answered(asked(self, "step", x, u, dt), self.state, self, "step")
