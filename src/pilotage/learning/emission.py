"""Learned models as model code: a perceptron between formulas, compiled like any traced function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from ..core import Dynamics, ModelError, Space
from ..models import discrete_dynamics
from ..models.trace.dynamics import DynamicsFamily, TracedDynamics
from ..models.trace.portable import variants
from .border import array
from .networks import MLP
from .scaling import Scaling

ACTIVATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "tanh": lambda a, m: m.tanh(a),
    "relu": lambda a, m: m.maximum(a, 0.0),
    "silu": lambda a, m: 0.5 * a * (1.0 + m.tanh(0.5 * a)),
    "mish": lambda a, m: _mish(a, m),
}
"""The activations of `MLP`; ``a / (1 + exp(-a))`` as a hyperbolic tangent, which does not overflow."""


def emitted(
    prior: Dynamics | None, state: Space, action: Space, network: torch.nn.Module, scaling: Scaling, noise: Any
) -> TracedDynamics:
    """The traced model ``y = prior.step(x, u, dt) (+) dt g(phi(x, u))``, with weights and scaling as parameters.

    Args:
        prior: a traced model, or None where the state does not change without the network.
        state, action: the spaces.
        network: an `MLP`.
        scaling: scaling of its inputs and outputs.
        noise: standard deviations per square root of a second, or None for the noise of the prior.

    Raises:
        ModelError: if the prior is not traced or the network is no `MLP`.
    """
    if prior is not None and not isinstance(prior, TracedDynamics):
        raise ModelError(
            f"the prior {type(prior).__name__} is no formula; expected a model made by @dynamics or @discrete_dynamics"
        )
    if not isinstance(network, MLP):
        raise ModelError(f"the network is {type(network).__name__}; expected an MLP, whose layers are known")
    layers = [layer for layer in network.layers if isinstance(layer, torch.nn.Linear)]
    widths = (layers[0].in_features, *(layer.out_features for layer in layers))
    density = None if noise is None else tuple(float(s) for s in noise)
    family = _family(prior, state, action, widths, network.settings["activation"], density)
    net = _prefix(prior)
    params = {f"{net}_mean": scaling.mean, f"{net}_std": scaling.std, f"{net}_scale": scaling.scale}
    for k, layer in enumerate(layers):
        params[f"{net}_weight_{k}"], params[f"{net}_bias_{k}"] = layer.weight, layer.bias
    values: dict[str, Any] = {name: array(value.detach().double()) for name, value in params.items()}
    model = family(**values)
    scale = None if prior is None or density is not None else prior.spread[2]
    return model if scale is None else model.scale_noise(scale)


@variants
def _family(
    prior: TracedDynamics | None,
    state: Space,
    action: Space,
    widths: tuple[int, ...],
    activation: str,
    density: tuple[float, ...] | None,
) -> DynamicsFamily:
    """The models with this prior and a network of these widths."""
    act, last = ACTIVATIONS[activation], len(widths) - 2
    net, params = _prefix(prior), {} if prior is None else dict[str, Any](prior.params)
    params |= {f"{net}_mean": [0.0] * widths[0], f"{net}_std": [1.0] * widths[0], f"{net}_scale": [1.0] * widths[-1]}
    for k in range(last + 1):
        params |= {f"{net}_weight_{k}": np.zeros((widths[k + 1], widths[k])), f"{net}_bias_{k}": [0.0] * widths[k + 1]}
    noise, action_noise, _ = (density, None, None) if prior is None or density is not None else prior.spread

    @discrete_dynamics(state=state, action=action, params=params, noise=noise, action_noise=action_noise)
    def learned(x: Any, u: Any, dt: Any, p: Any, m: Any) -> Any:
        value = p.__dict__
        y = x if prior is None else prior.advance(x, u, dt, p, m)
        phi = [*state.components_features(x, m), *action.components_features(u, m)]
        h = [(e - mean) / std for e, mean, std in zip(phi, value[f"{net}_mean"], value[f"{net}_std"], strict=True)]
        for k in range(last):
            h = [act(e, m) for e in m.affine(value[f"{net}_weight_{k}"], h, value[f"{net}_bias_{k}"])]
        g = m.affine(value[f"{net}_weight_{last}"], h, value[f"{net}_bias_{last}"])
        change = [dt * scale * e for scale, e in zip(value[f"{net}_scale"], g, strict=True)]
        return state.components_plus(y, change, m)

    return learned


def _prefix(prior: TracedDynamics | None) -> str:
    """The beginning of the names of a network's parameters; a prior may have a network of its own."""
    taken = [] if prior is None else [*prior.params]
    names = ("network", *(f"network_{k}" for k in range(2, len(taken) + 3)))
    return next(name for name in names if f"{name}_scale" not in taken)


def _mish(a: Any, m: Any) -> Any:
    """``a tanh(log(1 + exp(a)))``, without the logarithm: with e = exp(-|a|) nothing overflows."""
    e = m.exp(-m.abs(a))
    positive = (1.0 + 2.0 * e) / (1.0 + 2.0 * e + 2.0 * e * e)
    negative = e * (e + 2.0) / (e * (e + 2.0) + 2.0)
    return a * m.where(a > 0.0, positive, negative)
