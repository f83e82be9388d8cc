"""Declaring dynamics: a decorated function becomes a family, and the family makes members with parameter values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..core.errors import ModelError
from ..core.space import Space
from .params import call_signature, merged
from .traced_dynamics import Body, NoiseBody, TracedDynamics, limited


class Family:
    """All dynamics that share one function; call it with parameter values to get a member.

    Keyword arguments beside the parameters: `integrator`, `noise` (see `dynamics`), `action_noise`, and `limits`,
    bounds of states and actions by name: ``bicycle(wheelbase=2.9, limits={"steer": (-0.4, 0.4)})``.
    """

    def __init__(self, body: Body, **settings: Any) -> None:
        self._body = body
        self._settings = settings
        self.__name__ = self.__qualname__ = body.__name__
        self.__doc__ = body.__doc__
        self.__module__ = body.__module__
        self.__wrapped__ = body
        self.__signature__ = call_signature(self.__call__, settings["params"])

    def __repr__(self) -> str:
        return f"<dynamics {self.__name__}({', '.join(self._settings['params'])})>"

    def __call__(
        self,
        *,
        integrator: str | None = None,
        noise: Sequence[float] | NoiseBody | None = None,
        action_noise: Sequence[float] | None = None,
        limits: Mapping[str, tuple[float, float]] | None = None,
        **params: Any,
    ) -> TracedDynamics:
        s = self._settings
        state, action = limited(s["state"], s["action"], limits or {}, self.__name__)
        if integrator is not None and s["rule"] == "step":
            raise ModelError(f"{self.__name__} gives the next state itself and takes no integrator")
        return TracedDynamics(
            self._body,
            state,
            action,
            merged(s["params"], params, self.__name__, ("noise", "action_noise", "integrator", "limits")),
            integrator or s["rule"],
            noise if noise is not None else s["noise"],
            action_noise if action_noise is not None else s["action_noise"],
        )


def dynamics(
    *,
    state: Space,
    action: Space,
    params: Mapping[str, Any] | None = None,
    integrator: str = "rk4",
    noise: Sequence[float] | NoiseBody | None = None,
    action_noise: Sequence[float] | None = None,
) -> Callable[[Body], Family]:
    """Declare dynamics by their rates: ``f(x, u, p, m) -> dx/dt``, one rate per tangent component.

    Args:
        state, action: the spaces.
        params: parameters and their default values: numbers, vectors, matrices, rasters.
        integrator: "euler", "midpoint" or "rk4".
        noise: standard deviations per square root of a second, one per tangent component: ``Q = diag(noise^2) dt``; or
            a function ``(x, u, dt, p, m)`` that returns variances or rows of a covariance.
        action_noise: standard deviations of the action, held over a step: adds ``B diag(action_noise^2) B'``.

    Example:
        >>> from pilotage.core import Space
        >>> @dynamics(state=Space("x [m]", "v [m/s]"), action=Space("a [m/s^2]"), action_noise=(0.5,))
        ... def cart(x, u, p, m):
        ...     return x[1], u[0]
        >>> cart().linearize([0.0, 1.0], [0.0], 0.1)[0].tolist()
        [[1.0, 0.1], [0.0, 1.0]]
    """
    settings = {
        "state": state,
        "action": action,
        "params": dict(params or {}),
        "rule": integrator,
        "noise": noise,
        "action_noise": action_noise,
    }
    return lambda body: Family(body, **settings)


def discrete_dynamics(
    *,
    state: Space,
    action: Space,
    params: Mapping[str, Any] | None = None,
    noise: Sequence[float] | NoiseBody | None = None,
    action_noise: Sequence[float] | None = None,
) -> Callable[[Body], Family]:
    """Declare dynamics by their step: ``f(x, u, dt, p, m) -> x'``, one value per stored component.

    Example:
        >>> from pilotage.core import Space
        >>> @discrete_dynamics(state=Space("x [m]"), action=Space(), noise=(1.0,))
        ... def drift(x, u, dt, p, m):
        ...     return (x[0] + 2.0 * dt,)
        >>> drift().step([1.0], [], 0.5).tolist()
        [2.0]
    """
    settings = {
        "state": state,
        "action": action,
        "params": dict(params or {}),
        "rule": "step",
        "noise": noise,
        "action_noise": action_noise,
    }
    return lambda body: Family(body, **settings)
