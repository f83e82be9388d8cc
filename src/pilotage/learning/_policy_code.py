"""Policies as model code: what a network outputs in a state, as a function that is compiled like any traced one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any

from ..core import Space
from ..models import sensor
from ..models.trace.portable import variants
from ..models.trace.sensor import SensorFamily, TracedSensor
from ._shape import Shape, mean_of
from .networks._perceptrons import Perceptrons

if TYPE_CHECKING:
    from .policy import NetworkPolicy


def policy_code(policy: NetworkPolicy) -> TracedSensor:
    """The numbers of an `Evaluation` in a state, with the reference as context: plan ``(H m,)``, doubt and distance."""
    shape, scaling = shape_of(policy.network), policy.scaling
    values = shape.values(policy.network, scaling.mean, scaling.std, scaling.scale)
    made = _policies(policy.state, policy.stage, shape, policy.action.size)
    return made(**values, middle=policy.middle, half=policy.half)


def shape_of(network: Perceptrons) -> Shape:
    """The shape of perceptrons, whether their outputs are bounded or not."""
    layers = network.stacked()
    widths = layers[0][0].shape[1], *(W.shape[2] for W, _ in layers)
    return Shape("network", len(layers[0][0]), widths, network.settings["activation"], head=False)


@variants
def _policies(state: Space, stage: Space, shape: Shape, m: int) -> SensorFamily:
    """The policies of this shape; see `NetworkPolicy.evaluate`."""

    def policy(x: Any, c: Any, p: Any, m: Any) -> Any:
        phi = [*state.components_features(x, m), *stage.components_features(c, m)]
        outs = [[m.tanh(e) for e in out] for out in shape(phi, p, m)[0]]
        mean, middle, half = mean_of(outs), p.middle, p.half
        plan = [middle[k % len(half)] + half[k % len(half)] * e for k, e in enumerate(mean)]
        doubts = [_mean_square([out[j] - mean[j] for out in outs]) for j in range(len(half))]
        z = [m.abs((e - a) / s) for e, a, s in zip(phi, p.network_mean, p.network_std, strict=True)]
        return (*plan, m.sqrt(reduce(m.maximum, doubts)), reduce(m.maximum, z))

    params = shape.defaults() | {"middle": [0.0] * m, "half": [1.0] * m}
    reading = Space(" ".join((*(f"plan_{k}" for k in range(shape.outputs)), "doubt", "distance")))
    made: Any = sensor(state=state, reading=reading, context=stage, params=params)
    return made(policy)


def _mean_square(errors: Sequence[Any]) -> Any:
    return sum((e * e for e in errors), 0.0) / len(errors)
