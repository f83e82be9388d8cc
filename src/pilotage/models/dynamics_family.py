"""Declaring dynamics: a decorated function becomes a family, and the family makes members with parameter values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Never, final

from ..core.errors import ModelError
from ..core.space import Space
from .family import Family, parenthesised
from .integrators import integrator as rule_of
from .traced_dynamics import TracedDynamics, limited
from .tracing.functions import Body, NoiseBody, Spread


@final
class DynamicsFamily(Family[TracedDynamics]):
    """All dynamics that share one function; made by `dynamics` and `discrete_dynamics`.

    Keyword arguments beside the parameters: `integrator`, `noise` (see `dynamics`), `action_noise`, and `limits`,
    bounds of states and actions by name: ``bicycle(wheelbase=2.9, limits={"steer": (-0.4, 0.4)})``.
    """

    kind: ClassVar[str] = "dynamics"

    def __init__(
        self,
        body: Body,
        params: Mapping[str, Any] | None,
        *,
        state: Space,
        action: Space,
        rule: str,
        noise: Spread | NoiseBody | None,
        action_noise: Spread | None,
        positive: str | Sequence[str],
    ) -> None:
        arguments = ("x", "u", "dt", "p", "m") if rule == "step" else ("x", "u", "p", "m")
        super().__init__(body, arguments, params, positive, state=state, action=action)
        self.state = state
        self.action = action
        self._rule = rule
        self._noise = noise
        self._action_noise = action_noise

    @property
    def functions(self) -> dict[str, Any]:
        return {"noise": self._noise if callable(self._noise) else None}

    def __call__(
        self,
        *unnamed: Never,
        integrator: str | None = None,
        noise: Spread | NoiseBody | None = None,
        action_noise: Spread | None = None,
        limits: Mapping[str, tuple[float, float]] | None = None,
        **params: Any,
    ) -> TracedDynamics:
        state, action = limited(self.state, self.action, limits or {}, self.__name__)
        if integrator is not None:
            if self._rule == "step":
                raise ModelError(f"{self.__name__} gives the next state itself and takes no integrator")
            rule_of(integrator)
        return TracedDynamics(
            self.__wrapped__,
            state,
            action,
            self.values(params, unnamed),
            integrator or self._rule,
            noise if noise is not None else self._noise,
            action_noise if action_noise is not None else self._action_noise,
        )


@parenthesised
def dynamics(
    *,
    state: Space,
    action: Space,
    params: Mapping[str, Any] | None = None,
    integrator: str = "rk4",
    noise: Spread | NoiseBody | None = None,
    action_noise: Spread | None = None,
    positive: str | Sequence[str] = (),
) -> Callable[[Body], DynamicsFamily]:
    """Declare dynamics by their rates: ``f(x, u, p, m) -> dx/dt``, one rate per tangent component.

    Args:
        state, action: the spaces.
        params: parameters and their default values: numbers, vectors, matrices, rasters.
        integrator: "euler", "midpoint" or "rk4".
        noise: standard deviations per square root of a second, one for all or one per tangent component:
            ``Q = diag(noise^2) dt``; or a function ``(x, u, dt, p, m)`` that returns variances or rows of a covariance.
        action_noise: standard deviations of the action, held over a step: adds ``B diag(action_noise^2) B'``.
        positive: names of parameters that must be greater than 0, such as lengths and masses.

    Example:
        >>> from pilotage.core import Space
        >>> @dynamics(state=Space("x [m]", "v [m/s]"), action=Space("a [m/s^2]"), action_noise=(0.5,))
        ... def cart(x, u, p, m):
        ...     return x[1], u[0]
        >>> cart().linearize([0.0, 1.0], [0.0], 0.1)[0].tolist()
        [[1.0, 0.1], [0.0, 1.0]]
    """
    rule_of(integrator)
    return lambda body: DynamicsFamily(
        body,
        params,
        state=state,
        action=action,
        rule=integrator,
        noise=noise,
        action_noise=action_noise,
        positive=positive,
    )


@parenthesised
def discrete_dynamics(
    *,
    state: Space,
    action: Space,
    params: Mapping[str, Any] | None = None,
    noise: Spread | NoiseBody | None = None,
    action_noise: Spread | None = None,
    positive: str | Sequence[str] = (),
) -> Callable[[Body], DynamicsFamily]:
    """Declare dynamics by their step: ``f(x, u, dt, p, m) -> x'``, one value per stored component.

    The arguments are those of `dynamics`, without an integrator.

    Example:
        >>> from pilotage.core import Space
        >>> @discrete_dynamics(state=Space("x [m]"), action=Space(), noise=(1.0,))
        ... def drift(x, u, dt, p, m):
        ...     return (x[0] + 2.0 * dt,)
        >>> drift().step([1.0], [], 0.5).tolist()
        [2.0]
    """
    return lambda body: DynamicsFamily(
        body, params, state=state, action=action, rule="step", noise=noise, action_noise=action_noise, positive=positive
    )
