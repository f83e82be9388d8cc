"""Dynamics that are learned without a prior model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..core import Dynamics, Space
from ..core.settings import instance
from ..models.trace.dynamics import TracedDynamics
from ._network_dynamics import Make
from .checkpoint import fitting, load, save
from .emission import emitted
from .networks import Outputs
from .prediction import Prediction
from .residual import ResidualDynamics
from .scaling import Scaling


class LearnedDynamics(Dynamics):
    """Learned dynamics ``x' = x (+) dt g(phi(x, u))``: a network predicts the velocity in the tangent.

    Estimators, controllers and environments use them like any other dynamics. Arrays give arrays; tensors give tensors
    with gradients.

    Args:
        state, action: the spaces.
        network: network from ``state.width + action.width`` features to `state.dim` numbers, or a function that makes
            it for these two numbers; None for an `MLP`.
        scaling: scaling of features and outputs; `fit` computes it.
        noise: standard deviation per square root of a second of each tangent component; `fit` estimates it.
        epistemic: whether `noise` includes what the network does not know; see `ResidualDynamics`.

    Raises:
        ModelError: if the network does not fit the spaces, or noise or scaling do not.
        SettingError: if state or action is no `Space`.

    Source: Deisenroth and Rasmussen, "PILCO: a model-based and data-efficient approach to policy search", ICML 2011,
    section 2.1, for differences of states as targets.

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
        network: Make = None,
        *,
        scaling: Scaling | None = None,
        noise: float | Sequence[float] | None = None,
        epistemic: bool = False,
    ) -> None:
        self.state = instance(state, Space, "LearnedDynamics")
        self.action = instance(action, Space, "LearnedDynamics")
        still = Still(state, action)
        self._model = ResidualDynamics(still, network, scaling=scaling, noise=noise, epistemic=epistemic)

    def __repr__(self) -> str:
        return f"LearnedDynamics({self.state!r}, {self.action!r}, {type(self.network).__name__})"

    @property
    def prior(self) -> Dynamics:
        """The prior, in which the state does not change."""
        return self._model.prior

    @property
    def network(self) -> torch.nn.Module:
        """The network."""
        return self._model.network

    @property
    def scaling(self) -> Scaling:
        """The scaling of features and outputs."""
        return self._model.scaling

    @property
    def noise_density(self) -> np.ndarray[Any, Any] | None:
        """The standard deviations of the process noise per square root of a second, or None."""
        return self._model.noise_density

    @property
    def epistemic(self) -> bool:
        """Whether `noise` gives the total covariance."""
        return self._model.epistemic

    def correction(self, x: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
        """The velocity ``(..., dim)`` per second."""
        return self._model.correction(x, u)

    def members(self, x: torch.Tensor, u: torch.Tensor) -> Outputs:
        """The velocity of each member ``(members, ..., dim)`` per second, and its log variance."""
        return self._model.members(x, u)

    def predict(self, x: Any, u: Any, dt: float) -> Prediction:
        """The next state with its epistemic and aleatoric covariance; see `ResidualDynamics`."""
        return self._model.predict(x, u, dt)

    def step(self, x: Any, u: Any, dt: float) -> Any:
        """The state after `dt` seconds."""
        return self._model.step(x, u, dt)

    def rollout(self, x0: Any, us: Any, dt: float) -> Any:
        """The states ``(..., T+1, n)``; arrays are converted to tensors once, not at every step."""
        return self._model.rollout(x0, us, dt)

    def linearize(self, x: Any, u: Any, dt: float) -> tuple[Any, Any]:
        """The exact Jacobians, by automatic differentiation."""
        return self._model.linearize(x, u, dt)

    def noise(self, x: Any, u: Any, dt: float) -> Any:
        """The aleatoric covariance; with ``epistemic=True`` the total covariance."""
        return self._model.noise(x, u, dt)

    def refined(
        self, network: torch.nn.Module, scaling: Scaling, noise: float | Sequence[float] | None
    ) -> LearnedDynamics:
        """A model with the same spaces and another network, as training returns it."""
        return LearnedDynamics(self.state, self.action, network, scaling=scaling, noise=noise, epistemic=self.epistemic)

    def traced(self) -> TracedDynamics:
        """The same model as machine code, for filters, MPPI and all that runs compiled; training it ends here.

        The network must be an `MLP`, an `Ensemble`, a `DropoutMLP`, or a `GaussianHead` of one.

        Example:
            >>> car = LearnedDynamics(Space("x [m]", "yaw: angle"), Space("speed [m/s]"), noise=0.1).traced()
            >>> car.step([1.0, 0.5], [2.0], 0.1)
            array([1. , 0.5])
        """
        return emitted(None, self._model)

    def save(self, folder: str | Path) -> None:
        """Write ``config.json`` and ``model-HASH.safetensors`` into `folder`; an older model is replaced atomically."""
        save(self, "learned", folder, {"epistemic": self.epistemic})

    @classmethod
    def load(cls, folder: str | Path, network: torch.nn.Module | None = None) -> LearnedDynamics:
        """The model that `save` wrote.

        Args:
            folder: folder of the model.
            network: a module for the weights, if the network is no block of `pilotage.learning.networks`.

        Raises:
            MissingFile: if there is no model in the folder.
            FormatError: if the model is damaged or of another kind.
        """
        kept = load(folder, "learned", network, {"epistemic": False})
        with fitting(folder):
            settings: Any = {"noise": kept.noise, **kept.extra}
            return cls(kept.state, kept.action, kept.network, scaling=kept.scaling, **settings)


class Still(Dynamics):
    """Dynamics without motion, ``x' = x``."""

    takes_tensors = True

    def __init__(self, state: Space, action: Space) -> None:
        self.state, self.action = state, action

    def step(self, x: Any, u: Any, dt: float) -> Any:
        """`x`, broadcast against `u`."""
        if isinstance(x, torch.Tensor):
            return x.expand(*torch.broadcast_shapes(x.shape[:-1], u.shape[:-1]), x.shape[-1])
        x = np.asarray(x, dtype=np.float64)
        return np.broadcast_to(x, (*np.broadcast_shapes(x.shape[:-1], np.shape(u)[:-1]), x.shape[-1]))

    def linearize(self, x: Any, u: Any, dt: float) -> tuple[Any, Any]:
        """The identity, and zeros."""
        y, (d, m) = self.step(x, u, dt), (self.state.dim, self.action.dim)
        if isinstance(y, torch.Tensor):
            return torch.eye(d).to(y).expand(*y.shape[:-1], d, d), y.new_zeros((*y.shape[:-1], d, m))
        return np.broadcast_to(np.eye(d), (*y.shape[:-1], d, d)), np.zeros((*y.shape[:-1], d, m))
