"""Dynamics that are learned altogether."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..core import Dynamics, Space
from ..core.settings import instance
from .checkpoint import load, save
from .residual import ResidualDynamics
from .scaling import Scaling


class LearnedDynamics(Dynamics):
    """``x' = x (+) dt g(phi(x, u))``: a network gives the velocity in the tangent.

    Estimators, controllers and environments take it as they take any other dynamics. Arrays in, arrays out; tensors
    in, tensors out with gradients.

    Args:
        state, action: the spaces.
        network: from ``state.width + action.width`` features to `state.dim` numbers; None for an `MLP`.
        scaling: of features and outputs; `fit` finds one.
        noise: standard deviation per square root of a second of each tangent component; `fit` measures it.

    Example:
        >>> still = LearnedDynamics(Space("x [m]", "yaw: angle"), Space("speed [m/s]"), noise=0.1)
        >>> still.step([1.0, 0.5], [2.0], 0.1)
        array([1. , 0.5])
    """

    takes_tensors = True

    def __init__(
        self,
        state: Space,
        action: Space,
        network: torch.nn.Module | None = None,
        *,
        scaling: Scaling | None = None,
        noise: float | Sequence[float] | None = None,
    ) -> None:
        self.state = instance(state, Space, "LearnedDynamics")
        self.action = instance(action, Space, "LearnedDynamics")
        self._model = ResidualDynamics(Still(state, action), network, scaling=scaling, noise=noise)

    def __repr__(self) -> str:
        return f"LearnedDynamics({self.state!r}, {self.action!r}, {type(self.network).__name__})"

    @property
    def prior(self) -> Dynamics:
        """The prior: nothing moves."""
        return self._model.prior

    @property
    def network(self) -> torch.nn.Module:
        """The network."""
        return self._model.network

    @property
    def scaling(self) -> Scaling:
        """Scaling of its features and outputs."""
        return self._model.scaling

    @property
    def noise_density(self) -> np.ndarray[Any, Any] | None:
        """Standard deviations of the process noise per square root of a second, or None."""
        return self._model.noise_density

    def correction(self, x: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
        """The velocity ``(..., dim)``."""
        return self._model.correction(x, u)

    def step(self, x: Any, u: Any, dt: float) -> Any:
        """The state `dt` seconds later."""
        return self._model.step(x, u, dt)

    def rollout(self, x0: Any, us: Any, dt: float) -> Any:
        """States ``(..., T+1, n)``; arrays become tensors once, not every step."""
        return self._model.rollout(x0, us, dt)

    def linearize(self, x: Any, u: Any, dt: float) -> tuple[Any, Any]:
        """Exact Jacobians, by automatic differentiation."""
        return self._model.linearize(x, u, dt)

    def noise(self, x: Any, u: Any, dt: float) -> Any:
        """``diag(noise^2) dt``."""
        return self._model.noise(x, u, dt)

    def refined(
        self, network: torch.nn.Module, scaling: Scaling, noise: float | Sequence[float] | None
    ) -> LearnedDynamics:
        """The same spaces with another network; what training returns."""
        return LearnedDynamics(self.state, self.action, network, scaling=scaling, noise=noise)

    def save(self, folder: str | Path) -> None:
        """Write ``config.json`` and ``model-HASH.safetensors`` into `folder`; an older model is replaced whole."""
        save(self, "learned", folder)

    @classmethod
    def load(cls, folder: str | Path, network: torch.nn.Module | None = None) -> LearnedDynamics:
        """The model that `save` wrote.

        Args:
            folder: where it was saved.
            network: a module to fill, for networks that are not an `MLP`.

        Raises:
            MissingFile: when there is no model in the folder.
            FormatError: when it is no such model.
        """
        kept = load(folder, "learned", network)
        return cls(kept.state, kept.action, kept.network, scaling=kept.scaling, noise=kept.noise)


class Still(Dynamics):
    """Nothing moves: ``x' = x``."""

    takes_tensors = True

    def __init__(self, state: Space, action: Space) -> None:
        self.state, self.action = state, action

    def step(self, x: Any, u: Any, dt: float) -> Any:
        """`x`, broadcast against `u`."""
        if isinstance(x, torch.Tensor):
            return x.expand(*torch.broadcast_shapes(x.shape[:-1], u.shape[:-1]), x.shape[-1])
        x = np.asarray(x, dtype=np.float64)
        return np.broadcast_to(x, (*np.broadcast_shapes(x.shape[:-1], np.shape(u)[:-1]), x.shape[-1]))
