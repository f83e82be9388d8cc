"""Linear models of dynamics at a point, actions that keep a state, and weights given by array, diagonal or name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ...core.arrays import Array, numbers
from ...core.dynamics import Dynamics
from ...core.errors import ModelError, SettingError
from ...core.space import Space
from ...models import LinearDynamics
from ..reach import spread as spread
from ..reach import weights_of

Mask = NDArray[np.bool_]
ACCURACY = 1e-6
"""Largest rate of a state [1/s] that counts as an equilibrium."""


def rates(dynamics: Dynamics, x: Array, u: Array) -> tuple[Array, Array]:
    """A ``(d, d)`` [1/s] and B ``(d, m)`` of ``d' = A d + B du`` at a point: the logarithm of a short step.

    ::

        exp([[A, B], [0, 0]] h) = [[F, B], [0, I]],    log(I + E) = E - E^2 / 2 + E^3 / 3 - ...

    The series keeps the zeros of the model, unlike a general logarithm.
    """
    exact = isinstance(dynamics, LinearDynamics) and dynamics.parameters_depend_on_dt
    if not (dynamics.continuous or exact):
        raise ModelError(f"{dynamics!r} is not the integral of rates, so it has no continuous design; give dt instead")
    d, h, E = dynamics.state.dim, 1e-3, np.ones((1, 1))
    while np.linalg.norm(E, 1) > 0.1:
        F, B = (np.asarray(each) for each in dynamics.linearize(x, u, h))
        E, h = np.block([[F - np.eye(d), B], [np.zeros((B.shape[1], d + B.shape[1]))]]), 0.5 * h
    total, power = np.zeros_like(E), np.eye(len(E))
    for k in range(1, 17):
        power = power @ E
        total -= (-1.0) ** k / k * power
    return total[:d, :d] / (2.0 * h), total[:d, d:] / (2.0 * h)


def steadiest(dynamics: Dynamics, x: Array, dt: float, kept: Any = slice(None)) -> Array:
    """The action ``(m,)`` that changes the components `kept` of a state least, nearest to zero, by Gauss-Newton."""
    u = dynamics.action.clip(np.zeros(dynamics.action.size))
    for _ in range(20):
        drift = _drift(dynamics, x, u, dt)[kept]
        if not ACCURACY < np.abs(drift).max() < np.inf:
            break
        B = np.asarray(dynamics.linearize(x, u, dt)[1])[kept] / dt
        u = u - np.linalg.lstsq(B, drift, rcond=1e-9)[0]
    return u


def _drift(dynamics: Dynamics, x: Array, u: Array, dt: float) -> Array:
    return np.asarray(dynamics.state.minus(dynamics.step(x, u, dt), x)) / dt


def equilibrium(dynamics: Dynamics, x: Array, given: Any, dt: float, kept: Any = slice(None)) -> Array:
    """The action ``(m,)`` that keeps the components `kept` of a state: the given one, or the `steadiest`.

    Raises:
        ModelError: if it does not keep them, or is outside the bounds.
    """
    action = dynamics.action
    u = steadiest(dynamics, x, dt, kept) if given is None else action.check(given, "action").copy()
    rates, names = _drift(dynamics, x, u, dt)[kept], np.array(dynamics.state.tangent_names)[kept]
    fastest = int(np.abs(rates).argmax())
    if not abs(rates[fastest]) <= ACCURACY:
        keeps = "no action keeps" if given is None else f"the action {u.tolist()} does not keep"
        raise ModelError(
            f"{keeps} the state {x.tolist()}: {names[fastest]} changes by {rates[fastest]:.3g} a second; "
            "give another goal or action, or leave components out of the goal"
        )
    if not action.contains(u):
        raise ModelError(f"the action {u.tolist()}, which keeps the state {x.tolist()}, is outside the bounds {action}")
    return u


def needed(dynamics: Dynamics, x: Array, u: Array, dt: float, wanted: Mask) -> Mask:
    """The components ``(d,)`` that are wanted or, at a point, act on those that are, directly or through others."""
    acts = np.abs(np.asarray(dynamics.linearize(x, u, dt)[0])) > 1e-9  # differences leave noise in place of zeros
    while True:
        more = wanted | acts[wanted].any(0)
        if (more == wanted).all():
            return wanted
        wanted = more


def weight(given: Any, space: Space, what: str, *, positive: bool = False) -> Array:
    """A symmetric weight ``(k, k)`` from a number, a diagonal ``(k,)``, a mapping by name or a matrix.

    Raises:
        SettingError: if it is not symmetric, or not positive definite or semidefinite as needed.
    """
    array = None if isinstance(given, Mapping) else numbers(given, what)
    if array is None or array.ndim < 2:
        matrix = np.diag(weights_of(given, space, 0.0, what) if array is None else spread(array, space.dim, what))
    else:
        matrix = array
    return semidefinite(matrix, space.dim, what, positive=positive)


def semidefinite(matrix: Array, size: int, what: str, *, positive: bool = False) -> Array:
    """A weight ``(size, size)``, checked."""
    kind = "definite" if positive else "semidefinite"
    fits = matrix.shape == (size, size) and np.isfinite(matrix).all()
    scale = 1e-10 * np.abs(matrix).max(initial=1e-300)
    if not fits or np.abs(matrix - matrix.T).max(initial=0.0) > scale:
        raise SettingError(f"{what} is {matrix.tolist()}; expected {size} x {size} numbers, symmetric")
    least = np.linalg.eigvalsh(matrix).min(initial=np.inf)
    if least <= 0.0 if positive else least < -size * scale:
        raise SettingError(f"{what} has the eigenvalue {least:.3g}; expected a positive {kind} weight")
    return 0.5 * (matrix + matrix.T)


def cross(given: Any, state: Space, action: Space) -> Array:
    """The cross weight N ``(d, m)`` from None, an array, or a mapping from pairs of names to numbers."""
    if given is None:
        return np.zeros((state.dim, action.dim))
    if isinstance(given, Mapping):
        N = np.zeros((state.dim, action.dim))
        for (of, by), value in cast("Mapping[tuple[str, str], float]", given).items():
            for name, names in ((of, state.tangent_names), (by, action.tangent_names)):
                if name not in names:
                    raise SettingError(f"N names {name!r}; expected one of {', '.join(names)}")
            N[state.tangent_names.index(of), action.tangent_names.index(by)] = value
        return N
    return shaped(given, (state.dim, action.dim), "N")


def shaped(given: Any, shape: tuple[int, ...], what: str) -> Array:
    """A copy of an array of finite numbers with that shape."""
    array = numbers(given, what)
    if array.shape != shape or not np.isfinite(array).all():
        raise SettingError(f"{what} has shape {array.shape}; expected {shape}, finite numbers")
    return array.copy()
