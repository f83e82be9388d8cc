"""Learned models as model code: perceptrons between formulas, compiled like any traced function."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..core import Dynamics, ModelError, Space
from ..models import discrete_dynamics
from ..models.trace.dynamics import DynamicsFamily, TracedDynamics
from ..models.trace.portable import variants
from ._shape import Shape, mean_of, prefix

if TYPE_CHECKING:
    from .residual import ResidualDynamics


def emitted(prior: Dynamics | None, model: ResidualDynamics) -> TracedDynamics:
    """The traced model ``y = prior.step(x, u, dt) (+) dt g(phi(x, u))``, with weights and scaling as parameters.

    Args:
        prior: a traced model, or None where the state does not change without the network.
        model: the learned model: spaces, network, scaling and noise.

    Raises:
        ModelError: if the prior is not traced or the layers of the network are not known.
    """
    if prior is not None and not isinstance(prior, TracedDynamics):
        raise ModelError(
            f"the prior {type(prior).__name__} is no formula; expected a model made by @dynamics or @discrete_dynamics"
        )
    density = None if model.noise_density is None else tuple(float(s) for s in model.noise_density)
    if density is None and model.epistemic:
        raise ModelError(
            "noise is None, so the noise is that of the prior; expected noise=... to add the epistemic part"
        )
    shape = Shape.of(prefix(prior), model.network)
    scaling = model.scaling
    values = shape.values(model.network, scaling.mean, scaling.std, scaling.scale)
    varying = density is not None and (shape.head or model.epistemic)
    if varying:
        values[f"{shape.name}_noise"] = list(density or ())
    family = _family(prior, model.state, model.action, shape, None if varying else density, varying, model.epistemic)
    made = family(**values)
    scale = None if prior is None or density is not None else prior.spread[2]
    return made if scale is None else made.scale_noise(scale)


@variants
def _family(
    prior: TracedDynamics | None,
    state: Space,
    action: Space,
    shape: Shape,
    density: tuple[float, ...] | None,
    varying: bool,
    epistemic: bool,
) -> DynamicsFamily:
    """The models with this prior and a network of this shape."""
    params = ({} if prior is None else dict[str, Any](prior.params)) | shape.defaults()

    def outputs(x: Any, u: Any, p: Any, m: Any) -> tuple[list[list[Any]], list[list[Any]]]:
        return shape([*state.components_features(x, m), *action.components_features(u, m)], p, m)

    def learned(x: Any, u: Any, dt: Any, p: Any, m: Any) -> Any:
        y = x if prior is None else prior.advance(x, u, dt, p, m)
        return state.components_plus(y, [dt * e for e in mean_of(outputs(x, u, p, m)[0])], m)

    def spread(x: Any, u: Any, dt: Any, p: Any, m: Any) -> Any:
        y = x if prior is None else prior.advance(x, u, dt, p, m)
        means, logs = outputs(x, u, p, m)
        factors = mean_of([[m.exp(e) for e in each] for each in logs]) if logs else [1.0] * state.dim
        noise = [s * s * f * dt for s, f in zip(p.__dict__[f"{shape.name}_noise"], factors, strict=True)]
        if not epistemic:
            return noise
        ys = [state.components_plus(y, [dt * e for e in g], m) for g in (*means, mean_of(means))]
        return covariance([state.components_minus(each, ys[-1], m) for each in ys[:-1]], noise)

    noise, action_noise, _ = (density, None, None) if prior is None or density is not None else prior.spread
    if varying:
        params, noise, action_noise = params | {f"{shape.name}_noise": [0.0] * state.dim}, spread, None
    made: Any = discrete_dynamics(state=state, action=action, params=params, noise=noise, action_noise=action_noise)
    return made(learned)


def covariance(errors: Sequence[Sequence[Any]], noise: Sequence[Any]) -> list[list[Any]]:
    """Rows of ``mean_i e_i e_i' + diag(noise)``."""
    d, count = len(noise), len(errors)
    rows = [[sum((e[i] * e[j] for e in errors), 0.0) / count for j in range(d)] for i in range(d)]
    return [[row[j] + noise[i] if i == j else row[j] for j in range(d)] for i, row in enumerate(rows)]
