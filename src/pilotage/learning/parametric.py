"""Physics with learned parameters: a formula whose parameters are functions of a network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from ..core import ModelError
from ..core._product import listed
from ..core.mathematics import math_for
from ..core.seconds import seconds
from ..core.settings import instance, setting
from ..models.trace.dynamics import TracedDynamics
from ..models.trace.params import Values
from ..models.trace.vectorized import stacked
from ._network_dynamics import Make, NetworkDynamics, given, tangent_rows, together
from ._parameters import family, ranges_of, seen_by
from ._shape import Shape, prefix
from .border import across, array, is_tensor, tensor
from .checkpoint import fitting, load, save
from .prediction import disagreement
from .scaling import Scaling


class ParametricDynamics(NetworkDynamics):
    """A traced model with parameters that depend on state and action, ``p = low + (high - low) sigmoid(g + g_0)``.

    ::

        x' = prior.step(x, u, dt; p(phi)),     phi: features of the chosen inputs,   g: the network

    All that the formula knows stays: only the parameters, such as a friction, are learned, within their ranges. An
    untrained network, whose outputs are zero, gives the values of the prior. A parameter is constant during a step.
    Train it with `fit_parameters`. Arrays give arrays; tensors give tensors with gradients.

    Args:
        prior: a traced model.
        varying: range of each parameter that the network gives; the value of the prior is within it.
        inputs: names of the parts of state and action that the network sees; None for all.
        network: network from the features of the inputs to one number for each parameter, or a function that makes it
            for these two numbers; None for an `MLP`. With an `Ensemble` or a `DropoutMLP`, the parameters are the means
            of those of the members, and `predict` tells how far these disagree; all members are trained, those of
            dropout with their fixed masks.
        scaling: scaling of the features; None for none.
        noise: standard deviation per square root of a second of each tangent component; None for that of the prior.

    Raises:
        ModelError: if the prior is not traced, or has no such parameter, or the network does not fit.
        SettingError: if a range does not hold the value of the prior.

    Example:
        >>> from pilotage.models import pendulum
        >>> swing = ParametricDynamics(pendulum(damping=0.1), {"damping": (0.0, 1.0)}, inputs="theta_rate")
        >>> swing.parameters([[0.0, 1.0], [0.0, 2.0]], [0.0])["damping"].round(6)      # untrained
        array([0.1, 0.1])
    """

    def __init__(
        self,
        prior: TracedDynamics,
        varying: Mapping[str, tuple[float, float]],
        *,
        inputs: str | Iterable[str] | None = None,
        network: Make = None,
        scaling: Scaling | None = None,
        noise: float | Sequence[float] | None = None,
    ) -> None:
        instance(prior, TracedDynamics, "ParametricDynamics", "; expected a model made by @dynamics")
        self.ranges = ranges_of(prior, varying)
        self.inputs = None if inputs is None else tuple(listed(inputs))
        self._seen = seen_by(prior, self.inputs)
        sizes = sum(space.width for space, _ in self._seen), len(self.ranges)
        words = f"one number for each of {', '.join(name for name, *_ in self.ranges)}"
        self._hold(prior, network, sizes, scaling, noise, epistemic=False, outputs=words)
        if self._varying:
            raise ModelError("the network is a GaussianHead; expected one without variances: the noise is in `noise`")
        self._formula = prior

    def parameters(self, x: Any, u: Any) -> dict[str, Any]:
        """The learned parameters by name, each ``(...)``, in states ``(..., n)`` under actions ``(..., m)``."""
        x, u = given(self.state, self.action, x, u)
        with self._threads(x, u):
            found = across(lambda a, b: self.member_values(a, b).mean(0), x, u)
        return {name: found[..., k] for k, (name, *_) in enumerate(self.ranges)}

    def step(self, x: Any, u: Any, dt: float) -> Any:
        """The step of the formula with these parameters."""
        x, u = given(self.state, self.action, x, u)
        with self._threads(x, u):
            return across(lambda a, b: self.advanced(a, b, dt, self.member_values(a, b).mean(0)), x, u)

    def linearize(self, x: Any, u: Any, dt: float) -> tuple[Any, Any]:
        """The exact Jacobians, by automatic differentiation."""
        inside = is_tensor(x, u)
        x, u = given(self.state, self.action, x, u)
        with self._threads(x, u), torch.enable_grad():
            a, b = together(tensor(x, x if inside else None), tensor(u, u if inside else None))
            e = a.new_zeros((*a.shape[:-1], self.state.dim + self.action.dim)).requires_grad_()
            e_x, e_u = e.split((self.state.dim, self.action.dim), -1)
            a, b = self.state.plus(a, e_x), self.action.plus(b, e_u)
            moved = self.advanced(a, b, dt, self.member_values(a, b).mean(0))
            F, B = tangent_rows(self.state, moved, e, graph=inside).split((self.state.dim, self.action.dim), -1)
        return (F, B) if inside else (array(F), array(B))

    def _moments(self, x: Any, u: Any, dt: float) -> tuple[Any, Any]:
        def spread(x: torch.Tensor, u: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            values = self.member_values(x, u)
            mean = self.advanced(x, u, dt, values.mean(0))
            return mean, disagreement(self.state, self.advanced(x, u, dt, values), mean)

        return across(spread, x, u)

    def features(self, x: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
        """What the network sees ``(..., k)``, not yet scaled."""
        pairs = zip(self._seen, together(x, u), strict=True)
        return torch.cat([space.features(v[..., at]) for (space, at), v in pairs], -1)

    def member_values(self, x: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
        """The parameters of each member ``(members, ..., k)``."""
        low, high, start = x.new_tensor([row[1:] for row in self.ranges]).unbind(-1)
        first = ((start - low) / (high - low)).logit()
        return low + (high - low) * torch.sigmoid(self._outputs(self.features(x, u)).mean + first)

    def advanced(self, x: torch.Tensor, u: torch.Tensor, dt: float, values: torch.Tensor) -> torch.Tensor:
        """The step with parameters ``(..., k)``, which may have more leading axes than states and actions."""
        names = [name for name, *_ in self.ranges]
        p = Values({**self._formula.params, **dict(zip(names, values.unbind(-1), strict=True))})
        y = self._formula.advance(x.unbind(-1), u.unbind(-1), seconds(dt, backward=True), p, math_for(x))
        return stacked(y, torch.broadcast_shapes(values.shape[:-1], x.shape[:-1], u.shape[:-1]), x)

    def refined(
        self, network: torch.nn.Module, scaling: Scaling, noise: float | Sequence[float] | None
    ) -> ParametricDynamics:
        """A model with the same prior and another network, as training returns it."""
        ranges = {name: (low, high) for name, low, high, _ in self.ranges}
        settings: Any = {"inputs": self.inputs, "network": network, "scaling": scaling, "noise": noise}
        return ParametricDynamics(self._formula, ranges, **settings)

    def traced(self) -> TracedDynamics:
        """The same model as machine code, for filters, MPPI and all that runs compiled; training it ends here.

        The network must be an `MLP`, an `Ensemble` or a `DropoutMLP`.

        Example:
            >>> from pilotage.models import pendulum
            >>> prior = pendulum(damping=0.1)
            >>> swing = ParametricDynamics(prior, {"damping": (0.0, 1.0)}).traced()
            >>> swing.step([1.0, 0.5], [0.2], 0.1).round(9) == prior.step([1.0, 0.5], [0.2], 0.1).round(9)
            array([ True,  True])
        """
        prior, shape = self._formula, Shape.of(prefix(self._formula), self.network)
        density = None if self.noise_density is None else tuple(self.noise_density.tolist())
        values = shape.values(self.network, self.scaling.mean, self.scaling.std, self.scaling.scale)
        made = family(prior, self.ranges, self.inputs, shape, density)(**values)
        scale = None if density is not None else prior.spread[2]
        return made if scale is None else made.scale_noise(scale)

    def save(self, folder: str | Path) -> None:
        """Write ``config.json`` and ``model-HASH.safetensors`` into `folder`; an older model is replaced atomically.

        The prior is code and is not saved.
        """
        ranges = {name: [low, high] for name, low, high, _ in self.ranges}
        save(self, "parametric", folder, {"varying": ranges, "inputs": self.inputs})

    @classmethod
    def load(
        cls, folder: str | Path, prior: TracedDynamics, network: torch.nn.Module | None = None
    ) -> ParametricDynamics:
        """The model that `save` wrote, with a prior of the same state and action.

        Raises:
            MissingFile: if there is no model in the folder.
            FormatError: if the model is damaged or of another kind.
            ModelError, SettingError: if the prior does not match the model.
        """
        instance(prior, TracedDynamics, "ParametricDynamics", "; expected a model made by @dynamics")
        kept = load(folder, "parametric", network, {"varying": ..., "inputs": ...})
        if (prior.state, prior.action) != (kept.state, kept.action):
            raise ModelError(f"the model in {folder} moves {kept.state} under {kept.action}; the prior {prior.state}")
        with fitting(folder):
            varying = {n: setting(ends, tuple[float, float], n) for n, ends in kept.extra["varying"].items()}
            inputs = setting(kept.extra["inputs"], tuple[str, ...] | None, "inputs")
        settings: Any = {"network": kept.network, "scaling": kept.scaling, "noise": kept.noise}
        return cls(prior, varying, inputs=inputs, **settings)
