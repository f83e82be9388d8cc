"""The common part of dynamics that hold a network: arrays and tensors, threads, rollouts, noise and predictions."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from ..core import Dynamics, ModelError, ShapeError, Space
from ..core.diffusion import densities, diffusion
from ..core.settings import setting
from ._threads import threads_for, weights
from .border import array, is_tensor, tensor
from .networks import MLP, Ensemble, Outputs
from .networks.network import predictions, within
from .prediction import Prediction
from .scaling import Scaling

Make = torch.nn.Module | Callable[[int, int], torch.nn.Module] | None
"""A network, or a function that makes it for its numbers of inputs and outputs, or None for an `MLP`."""


class NetworkDynamics(Dynamics):
    """Dynamics with a prior, and a network that changes it; subclasses say how."""

    prior: Dynamics
    network: torch.nn.Module
    scaling: Scaling
    epistemic: bool

    def _hold(
        self, prior: Dynamics, network: Make, sizes: tuple[int, int], scaling: Scaling | None,
        noise: float | Sequence[float] | None, *, epistemic: bool, outputs: str,
    ) -> None:  # fmt: skip
        """Keep a network of these sizes, which outputs what the words say, and the noise."""
        self.prior, self.state, self.action, self.takes_tensors = prior, prior.state, prior.action, prior.takes_tensors
        made = MLP if network is None else network
        made = made if isinstance(made, torch.nn.Module) else made(*sizes)
        self.network = within(made).eval()  # a step is a function, also of a network with dropout
        self.epistemic = setting(epistemic, bool, "epistemic")
        self._weights = weights(self.network)
        self.scaling = Scaling.none(*sizes) if scaling is None else scaling
        if self.scaling.widths != sizes:
            raise ModelError(f"the scaling is for (features, outputs) {self.scaling.widths}; expected {sizes}")
        self.noise_density = None if noise is None else densities(noise, self.state)
        self._varying = probed(self.network, sizes, outputs).log_variance is not None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.prior!r}, {type(self.network).__name__})"

    @abstractmethod
    def _moments(self, x: Any, u: Any, dt: float) -> tuple[Any, Any]:
        """The next state, and its epistemic covariance."""

    def predict(self, x: Any, u: Any, dt: float) -> Prediction:
        """The next state with its epistemic and aleatoric covariance; the mean is that of `step`.

        ::

            epistemic = mean_i e_i e_i',   e_i = step_i(x, u) (-) step(x, u)      over the members i of the network
            aleatoric = diag(noise^2 mean_i exp(s_i)) dt                          s_i: log variance of a `GaussianHead`
        """
        x, u = given(self.state, self.action, x, u)
        with self._threads(x, u):
            mean, epistemic = self._moments(x, u, dt)
            return Prediction(self.state, mean, epistemic, self._aleatoric(x, u, dt))

    def noise(self, x: Any, u: Any, dt: float) -> Any:
        """The aleatoric covariance, or that of the prior; with ``epistemic=True`` the total covariance."""
        if self.epistemic:
            return self.predict(x, u, dt).cov
        if self.noise_density is None or not self._varying:
            return self._aleatoric(x, u, dt)
        x, u = given(self.state, self.action, x, u)
        with self._threads(x, u):
            return self._aleatoric(x, u, dt)

    def _aleatoric(self, x: Any, u: Any, dt: float) -> Any:
        """The noise that remains with any number of data."""
        if self.noise_density is None:
            return self.prior.noise(x, u, dt)
        Q = diffusion(self.noise_density, x, u, dt)
        return tensor(Q, x) if is_tensor(x) else Q

    def rollout(self, x0: Any, us: Any, dt: float) -> Any:
        """The states ``(..., T+1, n)``; arrays are converted to tensors once if the prior supports tensors."""
        if is_tensor(x0, us) or not self.prior.takes_tensors:
            return super().rollout(x0, us, dt)
        x0, us = self.state.check(x0, "initial state"), self.action.check(us, "actions")
        with torch.no_grad(), self._threads(x0, us[..., :1, :]):
            return array(super().rollout(tensor(x0), tensor(us), dt))

    def _threads(self, *values: Any) -> AbstractContextManager[None]:
        """A suitable number of threads for arrays; callers with tensors choose their own."""
        if is_tensor(*values):
            return nullcontext()
        return threads_for(self._weights * max(math.prod(value.shape[:-1]) for value in values))

    def _outputs(self, phi: torch.Tensor) -> Outputs:
        """The scaled outputs of each member for raw features, in the precision of these."""
        first = next(self.network.parameters(), phi)
        mean, s = predictions(self.network, self.scaling.inward(phi).to(first))
        return Outputs(self.scaling.outward(mean.to(phi)), None if s is None else s.to(phi))


def given(state: Space, action: Space, x: Any, u: Any) -> tuple[Any, Any]:
    """State and action, both as arrays or both as tensors, with the right lengths."""
    if not is_tensor(x, u):
        return state.check(x, finite=False), action.check(u, "action", finite=False)
    like = x if isinstance(x, torch.Tensor) else u
    x, u = tensor(x, like), tensor(u, like)
    for value, space, name in ((x, state, "state"), (u, action, "action")):
        if value.ndim == 0 or value.shape[-1] != space.size:
            raise ShapeError(
                f"{name} has shape {tuple(value.shape)}; expected (..., {space.size}) holding {', '.join(space.names)}"
            )
    return x, u


def together(x: torch.Tensor, u: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Both with the batch axes that they broadcast to."""
    batch = torch.broadcast_shapes(x.shape[:-1], u.shape[:-1])
    return x.expand(*batch, x.shape[-1]), u.expand(*batch, u.shape[-1])


def tangent_rows(space: Space, moved: torch.Tensor, e: torch.Tensor, *, graph: bool) -> torch.Tensor:
    """The Jacobian ``(..., dim, k)`` of states by tangents e ``(..., k)`` at zero, by one backward pass per row."""
    away = space.minus(moved, moved.detach())
    rows = [
        torch.autograd.grad(away[..., i].sum(), e, retain_graph=True, create_graph=graph)[0] for i in range(space.dim)
    ]
    return torch.stack(rows, -2)


def probed(network: torch.nn.Module, sizes: tuple[int, int], words: str) -> Outputs:
    """The outputs of the network for zeros, if it has the right sizes."""
    inputs, outputs = sizes
    first = next(network.parameters(), torch.zeros(0, dtype=torch.float64))
    with torch.no_grad():
        try:
            out = predictions(network, first.new_zeros(1, inputs))
        except RuntimeError as error:
            raise ModelError(f"the network does not take {inputs} features: {error}") from error
    found = tuple(out.mean.shape[1:])
    if found != (1, outputs):
        raise ModelError(
            f"the network turned features (1, {inputs}) into {found}; (1, {outputs}) was expected, {words}"
        )
    if isinstance(network, Ensemble) and network.bounded:
        raise ModelError("the outputs of the ensemble are bounded; expected Ensemble(..., bounded=False)")
    return out
