"""Perceptrons as part of a model's function, with their weights among its parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..core import ModelError
from ..models.trace.dynamics import TracedDynamics
from .border import array
from .networks import Ensemble, GaussianHead
from .networks._perceptrons import Perceptrons


def tanh(a: Any, m: Any) -> Any:
    """The hyperbolic tangent."""
    return m.tanh(a)


def relu(a: Any, m: Any) -> Any:
    """The positive part of a."""
    return m.maximum(a, 0.0)


def silu(a: Any, m: Any) -> Any:
    """``a / (1 + exp(-a))`` as a hyperbolic tangent, which does not overflow."""
    return 0.5 * a * (1.0 + m.tanh(0.5 * a))


def mish(a: Any, m: Any) -> Any:
    """``a tanh(log(1 + exp(a)))``, without the logarithm: with e = exp(-|a|) nothing overflows."""
    e = m.exp(-m.abs(a))
    positive = (1.0 + 2.0 * e) / (1.0 + 2.0 * e + 2.0 * e * e)
    negative = e * (e + 2.0) / (e * (e + 2.0) + 2.0)
    return a * m.where(a > 0.0, positive, negative)


ACTIVATIONS: dict[str, Any] = {"tanh": tanh, "relu": relu, "silu": silu, "mish": mish}
"""The activations of `MLP`, in any namespace of mathematics."""


@dataclass(frozen=True)
class Shape:
    """The shape of perceptrons as model code: names and first values of their parameters, and their outputs.

    Models with other weights of the same shape share their code.

    Attributes:
        name: the beginning of the names of all parameters.
        members: number of perceptrons.
        widths: number of inputs, width of each hidden layer, and number of outputs with those of the variance.
        activation: name of the activation.
        head: whether half of the outputs are log variances.
    """

    name: str
    members: int
    widths: tuple[int, ...]
    activation: str
    head: bool

    @property
    def outputs(self) -> int:
        """The number of means."""
        return self.widths[-1] // 2 if self.head else self.widths[-1]

    @classmethod
    def of(cls, name: str, network: torch.nn.Module) -> Shape:
        """The shape of a network; a `ModelError` if its layers are not known."""
        body = network.body if isinstance(network, GaussianHead) else network
        if not isinstance(body, Perceptrons) or (isinstance(body, Ensemble) and body.bounded):
            raise ModelError(
                f"the network is {type(body).__name__}; expected an MLP, an Ensemble without bounds or a DropoutMLP, "
                "whose layers are known"
            )
        layers = body.stacked()
        widths = (layers[0][0].shape[1], *(W.shape[2] for W, _ in layers))
        return cls(name, len(layers[0][0]), widths, body.settings["activation"], isinstance(network, GaussianHead))

    def parameter(self, what: str, k: int, i: int) -> str:
        """The name of a parameter: of layer k of member i."""
        return f"{self.name}_{what}_{k}" + (f"_{i}" if self.members > 1 else "")

    def values(self, network: torch.nn.Module, mean: Any, std: Any, scale: Any) -> dict[str, Any]:
        """The parameters of a network with the scaling of its inputs and outputs."""
        found = {f"{self.name}_mean": mean, f"{self.name}_std": std, f"{self.name}_scale": scale}
        if isinstance(network, GaussianHead):
            found |= {f"{self.name}_low": network.low, f"{self.name}_high": network.high}
            network = network.body
        assert isinstance(network, Perceptrons)
        for k, (W, b) in enumerate(network.stacked()):
            for i in range(self.members):
                found |= {self.parameter("weight", k, i): W[i].mT, self.parameter("bias", k, i): b[i, 0]}
        return {name: array(value.detach().double()) for name, value in found.items()}

    def defaults(self) -> dict[str, Any]:
        """First values of all parameters."""
        found: dict[str, Any] = {
            f"{self.name}_mean": [0.0] * self.widths[0],
            f"{self.name}_std": [1.0] * self.widths[0],
        }
        found[f"{self.name}_scale"] = [1.0] * self.outputs
        if self.head:
            found |= {f"{self.name}_low": [-10.0] * self.outputs, f"{self.name}_high": [0.5] * self.outputs}
        for k, (a, b) in enumerate(zip(self.widths, self.widths[1:], strict=False)):
            for i in range(self.members):
                found[self.parameter("weight", k, i)] = np.zeros((b, a))
                found[self.parameter("bias", k, i)] = [0.0] * b
        return found

    def __call__(self, phi: Sequence[Any], p: Any, m: Any) -> tuple[list[list[Any]], list[list[Any]]]:
        """The scaled outputs of each member for raw features, and their log variances, none without a head."""
        value, last = p.__dict__, len(self.widths) - 2
        mean, std = value[f"{self.name}_mean"], value[f"{self.name}_std"]
        first = [(e - a) / s for e, a, s in zip(phi, mean, std, strict=True)]
        means: list[list[Any]] = []
        variances: list[list[Any]] = []
        for i in range(self.members):
            h: Sequence[Any] = first
            for k in range(last + 1):
                h = m.affine(value[self.parameter("weight", k, i)], h, value[self.parameter("bias", k, i)])
                h = h if k == last else [ACTIVATIONS[self.activation](e, m) for e in h]
            means.append([s * e for s, e in zip(value[f"{self.name}_scale"], h[: self.outputs], strict=True)])
            if self.head:
                bounds = zip(h[self.outputs :], value[f"{self.name}_low"], value[f"{self.name}_high"], strict=True)
                variances.append([_between(s, low, high, m) for s, low, high in bounds])
        return means, variances


def prefix(prior: TracedDynamics | None) -> str:
    """The beginning of the names of a network's parameters; a prior may have a network of its own."""
    taken = [] if prior is None else [*prior.params]
    names = ("network", *(f"network_{k}" for k in range(2, len(taken) + 3)))
    return next(name for name in names if f"{name}_scale" not in taken)


def mean_of(rows: Sequence[Sequence[Any]]) -> list[Any]:
    """The mean of the members, component by component."""
    return [
        sum(column[1:], column[0]) / len(rows) if len(rows) > 1 else column[0] for column in zip(*rows, strict=True)
    ]


def _between(s: Any, low: Any, high: Any, m: Any) -> Any:
    """The log variance between its soft bounds; see `GaussianHead`."""
    return low + _softplus(high - _softplus(high - s, m) - low, m)


def _softplus(a: Any, m: Any) -> Any:
    """``log(1 + exp(a))``, without overflow."""
    return m.maximum(a, 0.0) + m.log(1.0 + m.exp(-m.abs(a)))
