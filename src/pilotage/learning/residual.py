"""A prior model with a network that corrects it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from ..core import Dynamics, ModelError
from ..core.seconds import seconds
from ..core.settings import instance
from ..models.trace.dynamics import TracedDynamics
from ._network_dynamics import Make, NetworkDynamics, given, tangent_rows, together
from .border import across, array, is_tensor, tensor
from .checkpoint import fitting, load, save
from .emission import emitted
from .networks import Outputs
from .prediction import disagreement
from .scaling import Scaling


class ResidualDynamics(NetworkDynamics):
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
            constraints use it. That treats what the model does not know as if it were drawn again in each step.

    Raises:
        ModelError: if the network does not fit the spaces, or noise or scaling do not.
        SettingError: if the prior is no `Dynamics`.

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
        network: Make = None,
        *,
        scaling: Scaling | None = None,
        noise: float | Sequence[float] | None = None,
        epistemic: bool = False,
    ) -> None:
        instance(prior, Dynamics, "ResidualDynamics")
        sizes = prior.state.width + prior.action.width, prior.state.dim
        words = f"the tangent of {', '.join(prior.state.tangent_names)}"
        self._hold(prior, network, sizes, scaling, noise, epistemic=epistemic, outputs=words)

    def step(self, x: Any, u: Any, dt: float) -> Any:
        """The corrected step of the prior."""
        x, u = given(self.state, self.action, x, u)
        with self._threads(x, u):
            y = self.prior.step(x, u, seconds(dt, backward=True))
            d = across(lambda a, b: dt * self.correction(a, b), x, u)
            return self.state.plus(y, d)

    def correction(self, x: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
        """The correction of the velocity, ``g(phi(x, u))``, ``(..., dim)`` per second: the mean of all members."""
        return self.members(x, u).mean.mean(0)

    def members(self, x: torch.Tensor, u: torch.Tensor) -> Outputs:
        """The velocity that each member adds ``(members, ..., dim)`` per second, and its logarithm of the variance.

        The variance is in units of that of `noise`; a network that is not probabilistic has none.
        """
        x, u = together(x, u)
        return self._outputs(torch.cat([self.state.features(x), self.action.features(u)], -1))

    def _moments(self, x: Any, u: Any, dt: float) -> tuple[Any, Any]:
        """The next state, and the covariance of those of the members about it."""
        y = self.prior.step(x, u, seconds(dt, backward=True))

        def spread(y: torch.Tensor, x: torch.Tensor, u: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            g = self.members(x, u).mean
            mean = self.state.plus(y, dt * g.mean(0))
            return mean, disagreement(self.state, self.state.plus(y.expand(*g.shape[:-1], y.shape[-1]), dt * g), mean)

        return across(spread, y, x, u)

    def _aleatoric(self, x: Any, u: Any, dt: float) -> Any:
        """The noise that remains with any number of data."""
        density = self.noise_density
        if density is None or not self._varying:
            return super()._aleatoric(x, u, dt)

        def varying(x: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
            s = self.members(x, u).log_variance
            assert s is not None
            return torch.diag_embed(x.new_tensor(density**2 * seconds(dt)) * s.exp().mean(0))

        return across(varying, x, u)

    def linearize(self, x: Any, u: Any, dt: float) -> tuple[Any, Any]:
        """The Jacobians ``F = J_y F_prior + J_x`` and ``B = J_y B_prior + J_u``, by the chain rule.

        The prior computes its own Jacobians; autograd computes those of ``y (+) dt g(x, u)`` by y, x and u.
        """
        inside = is_tensor(x, u)
        x, u = given(self.state, self.action, x, u)
        with self._threads(x, u):
            return self._linearized(x, u, dt, inside=inside)

    def _linearized(self, x: Any, u: Any, dt: float, *, inside: bool) -> tuple[Any, Any]:
        dtype, dt = x.dtype if inside else torch.float64, seconds(dt, backward=True)
        F, B = (tensor(J) for J in self.prior.linearize(x, u, dt))
        y, x, u = tensor(self.prior.step(x, u, dt)), tensor(x), tensor(u)
        with torch.enable_grad():
            x, u = together(x, u)
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
        return tangent_rows(space, moved, e, graph=graph)

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
        instance(prior, Dynamics, "ResidualDynamics")
        kept = load(folder, "residual", network, {"epistemic": False})
        if (prior.state, prior.action) != (kept.state, kept.action):
            raise ModelError(
                f"the model in {folder} corrects dynamics of {kept.state} under {kept.action}; "
                f"the prior moves {prior.state} under {prior.action}"
            )
        with fitting(folder):
            return cls(prior, kept.network, scaling=kept.scaling, noise=kept.noise, **kept.extra)
