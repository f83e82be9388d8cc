"""A prior model with a network that corrects it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..core import Dynamics, ModelError, ShapeError
from ..core.diffusion import densities, diffusion
from ..core.seconds import seconds
from ..core.settings import instance, setting
from ..models.trace.dynamics import TracedDynamics
from ._threads import threads_for, weights
from .border import across, array, is_tensor, tensor
from .checkpoint import load, save
from .emission import emitted
from .networks import MLP, Ensemble, Outputs
from .networks.network import predictions
from .prediction import Prediction, disagreement
from .scaling import Scaling


class ResidualDynamics(Dynamics):
    """Residual dynamics ``x' = prior.step(x, u, dt) (+) dt g(phi(x, u))``: a network corrects the velocity of a model.

    The features phi are the continuous features of state and action, scaled to unit size; `scaling` also scales the
    outputs of g, which is in the tangent. The prior may be any `Dynamics`, such as a simulator. Arrays give arrays;
    tensors give tensors with gradients, if the prior supports tensors.

    A network that knows its uncertainty gives it to `predict` and `noise`: an `Ensemble` or a `DropoutMLP`, whose mean
    is g, disagrees where there are no data (epistemic); a `GaussianHead` makes the noise (aleatoric) depend on the
    state. With several members, the noise is the mean of theirs.

    Args:
        prior: the model to correct.
        network: a `torch.nn.Module` from ``state.width + action.width`` features to `state.dim` numbers, or a function
            that makes it for these two numbers; None for an `MLP`. Its parameters may be float32 or float64, on any
            device.
        scaling: scaling of features and outputs; None for none.
        noise: standard deviation per square root of a second of each tangent component; None for the prior's noise.
            A `GaussianHead` multiplies it with its own standard deviation.
        epistemic: whether `noise` gives the total covariance, with the epistemic part, so that filters and chance
            constraints use it. That treats what the model does not know as if it were drawn anew in each step.

    Example:
        >>> import numpy as np
        >>> from pilotage.models import pendulum
        >>> plant = ResidualDynamics(pendulum())
        >>> bool(np.allclose(plant.step([0.1, 0.0], [0.0], 0.1), pendulum().step([0.1, 0.0], [0.0], 0.1)))
        True
    """

    def __init__(
        self,
        prior: Dynamics,
        network: torch.nn.Module | Callable[[int, int], torch.nn.Module] | None = None,
        *,
        scaling: Scaling | None = None,
        noise: float | Sequence[float] | None = None,
        epistemic: bool = False,
    ) -> None:
        self.prior = instance(prior, Dynamics, "ResidualDynamics")
        self.state, self.action, self.takes_tensors = prior.state, prior.action, prior.takes_tensors
        inputs = self.state.width + self.action.width
        made = MLP if network is None else network
        self.network: torch.nn.Module = made if isinstance(made, torch.nn.Module) else made(inputs, self.state.dim)
        self.epistemic = setting(epistemic, bool, "epistemic")
        self._weights = weights(self.network)
        self.scaling = Scaling.none(inputs, self.state.dim) if scaling is None else scaling
        if self.scaling.widths != (inputs, self.state.dim):
            raise ModelError(
                f"the scaling is for (features, outputs) {self.scaling.widths}; expected {(inputs, self.state.dim)}"
            )
        self.noise_density = None if noise is None else densities(noise, self.state)
        self._varying = self._check_network(inputs).log_variance is not None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.prior!r}, {type(self.network).__name__})"

    def step(self, x: Any, u: Any, dt: float) -> Any:
        """The corrected step of the prior."""
        x, u = self._given(x, u)
        with self._threads(x, u):
            y = self.prior.step(x, u, seconds(dt, backward=True))
            d = across(lambda a, b: dt * self.correction(a, b), x, u)
            return self.state.plus(y, d)

    def rollout(self, x0: Any, us: Any, dt: float) -> Any:
        """The states ``(..., T+1, n)``; arrays are converted to tensors once if the prior supports tensors."""
        if is_tensor(x0, us) or not self.prior.takes_tensors:
            return super().rollout(x0, us, dt)
        x0, us = self.state.check(x0, "initial state"), self.action.check(us, "actions")
        with torch.no_grad(), self._threads(x0, us[..., :1, :]):
            return array(super().rollout(tensor(x0), tensor(us), dt))

    def _given(self, x: Any, u: Any) -> tuple[Any, Any]:
        """State and action, both as arrays or both as tensors, with the right lengths."""
        if not is_tensor(x, u):
            return self.state.check(x, finite=False), self.action.check(u, "action", finite=False)
        like = x if isinstance(x, torch.Tensor) else u
        x, u = tensor(x, like), tensor(u, like)
        for value, space, name in ((x, self.state, "state"), (u, self.action, "action")):
            if value.ndim == 0 or value.shape[-1] != space.size:
                raise ShapeError(
                    f"{name} has shape {tuple(value.shape)}; expected (..., {space.size}) "
                    f"holding {', '.join(space.names)}"
                )
        return x, u

    def _threads(self, *values: Any) -> AbstractContextManager[None]:
        """A suitable number of threads for arrays; callers with tensors choose their own."""
        if is_tensor(*values):
            return nullcontext()
        return threads_for(self._weights * max(math.prod(value.shape[:-1]) for value in values))

    def correction(self, x: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
        """The correction of the velocity, ``g(phi(x, u))``, ``(..., dim)`` per second: the mean of all members."""
        return self.members(x, u).mean.mean(0)

    def members(self, x: torch.Tensor, u: torch.Tensor) -> Outputs:
        """The velocity that each member adds ``(members, ..., dim)`` per second, and its logarithm of the variance.

        The variance is in units of that of `noise`; a network that is not probabilistic has none.
        """
        batch = torch.broadcast_shapes(x.shape[:-1], u.shape[:-1])
        x, u = x.expand(*batch, x.shape[-1]), u.expand(*batch, u.shape[-1])
        phi = torch.cat([self.state.features(x), self.action.features(u)], -1)
        first = next(self.network.parameters(), phi)
        mean, log_variance = predictions(self.network, self.scaling.inward(phi).to(first))
        return Outputs(self.scaling.outward(mean.to(x)), None if log_variance is None else log_variance.to(x))

    def predict(self, x: Any, u: Any, dt: float) -> Prediction:
        """The next state with its epistemic and aleatoric covariance; the mean is that of `step`.

        ::

            epistemic = mean_i e_i e_i',   e_i = (y (+) dt g_i) (-) (y (+) dt g)     over the members i
            aleatoric = diag(noise^2 mean_i exp(s_i)) dt                             s: the head's log variance
        """
        x, u = self._given(x, u)
        with self._threads(x, u):
            y = self.prior.step(x, u, seconds(dt, backward=True))
            mean, epistemic = across(lambda y, x, u: self._spread(y, x, u, dt), y, x, u)
        return Prediction(self.state, mean, epistemic, self._aleatoric(x, u, dt))

    def _spread(
        self, y: torch.Tensor, x: torch.Tensor, u: torch.Tensor, dt: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The next state, and the covariance of those of the members about it."""
        g = self.members(x, u).mean
        mean = self.state.plus(y, dt * g.mean(0))
        return mean, disagreement(self.state, self.state.plus(y.expand(*g.shape[:-1], y.shape[-1]), dt * g), mean)

    def _aleatoric(self, x: Any, u: Any, dt: float) -> Any:
        """The noise that remains with any number of data."""
        if self.noise_density is None:
            return self.prior.noise(x, u, dt)
        if not self._varying:
            Q = diffusion(self.noise_density, x, u, dt)
            return tensor(Q, x) if is_tensor(x) else Q
        with self._threads(x, u):
            return across(lambda x, u: torch.diag_embed(seconds(dt) * self.variance_density(x, u)), x, u)

    def variance_density(self, x: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
        """The variance of the noise per second ``(..., dim)``, ``noise^2 mean_i exp(s_i)``."""
        density = x.new_tensor(np.zeros(self.state.dim) if self.noise_density is None else self.noise_density)
        s = self.members(x, u).log_variance
        batch = torch.broadcast_shapes(x.shape[:-1], u.shape[:-1])
        return density.square().expand(*batch, -1) if s is None else density.square() * s.exp().mean(0)

    def linearize(self, x: Any, u: Any, dt: float) -> tuple[Any, Any]:
        """The Jacobians ``F = J_y F_prior + J_x`` and ``B = J_y B_prior + J_u``, by the chain rule.

        The prior computes its own Jacobians; autograd computes those of ``y (+) dt g(x, u)`` by y, x and u.
        """
        inside = is_tensor(x, u)
        x, u = self._given(x, u)
        with self._threads(x, u):
            return self._linearized(x, u, dt, inside=inside)

    def _linearized(self, x: Any, u: Any, dt: float, *, inside: bool) -> tuple[Any, Any]:
        dtype, dt = x.dtype if inside else torch.float64, seconds(dt, backward=True)
        F, B = (tensor(J) for J in self.prior.linearize(x, u, dt))
        y, x, u = tensor(self.prior.step(x, u, dt)), tensor(x), tensor(u)
        batch = torch.broadcast_shapes(x.shape[:-1], u.shape[:-1])
        with torch.enable_grad():
            x, u = x.expand(*batch, x.shape[-1]), u.expand(*batch, u.shape[-1])
            J = self._partials(y, x, u, dt, graph=inside)
        J_y, J_x, J_u = J.split((self.state.dim, self.state.dim, self.action.dim), -1)
        F, B = J_y @ F + J_x, J_y @ B + J_u
        return (F.to(dtype), B.to(dtype)) if inside else (array(F), array(B))

    def _partials(self, y: torch.Tensor, x: torch.Tensor, u: torch.Tensor, dt: float, *, graph: bool) -> torch.Tensor:
        """The Jacobians of ``y (+) dt g(x, u)`` by tangents at y, x and u side by side, one backward pass per row."""
        space, d = self.state, self.state.dim
        e = x.new_zeros((*x.shape[:-1], 2 * d + self.action.dim)).requires_grad_()
        e_y, e_x, e_u = e.split((d, d, self.action.dim), -1)
        change = dt * self.correction(space.plus(x, e_x), self.action.plus(u, e_u))
        moved = space.plus(space.plus(y, e_y), change)
        away = space.minus(moved, moved.detach())
        rows = [torch.autograd.grad(away[..., i].sum(), e, retain_graph=True, create_graph=graph)[0] for i in range(d)]
        return torch.stack(rows, -2)

    def noise(self, x: Any, u: Any, dt: float) -> Any:
        """The aleatoric covariance, or that of the prior; with ``epistemic=True`` the total covariance."""
        if self.epistemic:
            return self.predict(x, u, dt).cov
        return self._aleatoric(x, u, dt) if self.noise_density is None else self._aleatoric(*self._given(x, u), dt)

    def refined(
        self, network: torch.nn.Module, scaling: Scaling, noise: float | Sequence[float] | None
    ) -> ResidualDynamics:
        """A model with the same prior and another network, as training returns it."""
        return ResidualDynamics(self.prior, network, scaling=scaling, noise=noise, epistemic=self.epistemic)

    def traced(self) -> TracedDynamics:
        """The same model as machine code, for filters, MPPI and all that runs compiled; training it ends here.

        The prior must be traced, and the network an `MLP`, an `Ensemble`, a `DropoutMLP`, or a `GaussianHead` of one.
        Noise of the action acts through the corrected Jacobian B.

        Example:
            >>> import numpy as np
            >>> from pilotage.models import pendulum
            >>> plant = ResidualDynamics(pendulum()).traced()
            >>> bool(np.allclose(plant.step([0.1, 0.0], [0.0], 0.1), pendulum().step([0.1, 0.0], [0.0], 0.1)))
            True
        """
        return emitted(self.prior, self)

    def save(self, folder: str | Path) -> None:
        """Write ``config.json`` and ``model-HASH.safetensors`` into `folder`; an older model is replaced atomically.

        The prior is code and is not saved.
        """
        save(self, "residual", folder, {"epistemic": self.epistemic})

    @classmethod
    def load(cls, folder: str | Path, prior: Dynamics, network: torch.nn.Module | None = None) -> ResidualDynamics:
        """The model that `save` wrote, with a prior of the same state and action.

        Args:
            folder: folder of the model.
            prior: the model to correct.
            network: a module for the weights, if the network is no block of `pilotage.learning.networks`.

        Raises:
            MissingFile: if there is no model in the folder.
            FormatError: if the model is damaged or of another kind.
            ModelError: if the prior does not match the model.
        """
        kept = load(folder, "residual", network)
        if (prior.state, prior.action) != (kept.state, kept.action):
            raise ModelError(
                f"the model in {folder} corrects dynamics of {kept.state} under {kept.action}; "
                f"the prior moves {prior.state} under {prior.action}"
            )
        epistemic = kept.extra.get("epistemic", False)
        return cls(prior, kept.network, scaling=kept.scaling, noise=kept.noise, epistemic=epistemic)

    def _check_network(self, inputs: int) -> Outputs:
        """The outputs of the network for zeros, if it has the right sizes."""
        first = next(self.network.parameters(), torch.zeros(0, dtype=torch.float64))
        with torch.no_grad():
            try:
                out = predictions(self.network, first.new_zeros(1, inputs))
            except RuntimeError as error:
                raise ModelError(f"the network does not take {inputs} features: {error}") from error
        if tuple(out.mean.shape[1:]) != (1, self.state.dim):
            raise ModelError(
                f"the network turned features (1, {inputs}) into {tuple(out.mean.shape[1:])}; (1, {self.state.dim}) "
                f"was expected, the tangent of {', '.join(self.state.tangent_names)}"
            )
        if isinstance(self.network, Ensemble) and self.network.bounded:
            raise ModelError("the outputs of the ensemble are bounded; expected Ensemble(..., bounded=False)")
        return out
