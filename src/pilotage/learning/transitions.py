"""Observed transitions as examples for the network of a learned model."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import numpy as np
import torch

from ..core import Dynamics, PilotageError, ShapeError
from ..core.arrays import Array
from ..core.settings import shown
from ._network_dynamics import NetworkDynamics
from .border import array, tensor
from .dynamics import LearnedDynamics
from .regression import Regression
from .residual import ResidualDynamics
from .scaling import Scaling

ENOUGH, DOMINANT = 20, 0.9
"""The number of transitions from which one can be a glitch, and its share of the sum of squares."""

Learned = TypeVar("Learned", ResidualDynamics, LearnedDynamics)


class Transitions(Generic[Learned]):
    """The velocities ``v = (x' (-) prior.step(x, u, dt)) / dt`` that the prior does not explain, by state and action.

    Args:
        like: the model, of which the network is copied; it is not changed.
        states: states ``(..., T+1, n)``, `dt` seconds apart, or a list of episodes of any lengths.
        actions: actions ``(..., T, m)``.
        dt: duration of a transition [s].
        batch: number of transitions per gradient step.
        held_out: share of the transitions for validation.
        generator: generator for the split and the batches.

    Raises:
        ShapeError: if states and actions do not match the model or each other, or are too few.

    Example:
        >>> from pilotage.models import pendulum
        >>> us, rng = np.zeros((8, 5, 1)), np.random.default_rng(0)
        >>> xs = pendulum(damping=0.4).rollout([0.5, 0.0], us, 0.1)
        >>> data = Transitions(ResidualDynamics(pendulum()), xs, us, 0.1, batch=9, held_out=0.1, generator=rng)
        >>> data.examples.batches, data.model()
        (4, ResidualDynamics(..., MLP))
    """

    def __init__(
        self, like: Learned, states: Any, actions: Any, dt: float, *, batch: int, held_out: float,
        generator: np.random.Generator,
    ) -> None:  # fmt: skip
        x, u, v = velocities(like, states, actions, dt)
        kept, held = split(len(x), held_out, generator)
        phi = torch.cat([like.state.features(x), like.action.features(u)], -1)
        self._like, self._dt, self._held = like, dt, (x[held], u[held], v[held])
        self._network, self._scaling = copy.deepcopy(like.network), Scaling.of(phi[kept], v[kept])
        seed = int(generator.integers(2**63))
        self.examples = Regression(self._network, self._scaling, phi, v, kept, held, batch=batch, seed=seed)

    def model(self) -> Learned:
        """The model with the network as it is now, and with the noise ``std(v - g) sqrt(dt)`` of the held-out rows.

        It is in units of the standard deviation that a `GaussianHead` gives.
        """
        x, u, v = self._held
        silent = self._like.refined(self._network, self._scaling, 0.0)
        with torch.no_grad():
            error, out = v - silent.correction(x, u), silent.members(x, u)
            variance = torch.ones_like(error) if out.log_variance is None else out.log_variance.exp().mean(0)
            noise = array((error.square() / variance).mean(0).sqrt()) * math.sqrt(self._dt)
        return self._like.refined(self._network, self._scaling, noise.tolist())


def split(count: int, held_out: float, generator: np.random.Generator) -> tuple[Any, Any]:
    """The indices of the transitions to train on, and of those to hold out."""
    order = generator.permutation(count)
    cut = max(1, round(held_out * count))
    if count - cut < 1:
        raise ShapeError(f"{count} transitions are too few to train on and hold out; give at least two")
    return order[cut:], order[:cut]


def velocities(
    model: NetworkDynamics | LearnedDynamics, states: Any, actions: Any, dt: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The states ``(N, n)``, the actions ``(N, m)`` and the velocities ``(N, d)`` that the prior does not explain.

    A `RuntimeWarning` names a transition that is larger than all others together, as after a glitch of a sensor.
    """
    x, u, y = steps_of(model, states, actions)
    ends = np.cumsum([math.prod(us.shape[:-1]) for us in actions]) if _episodes(states) else np.array([len(x)])
    with np.errstate(over="ignore", invalid="ignore"):
        v = np.asarray(model.state.minus(y, model.prior.step(x, u, dt)) / dt)
    for n in np.flatnonzero(~np.isfinite(v).all(-1))[:1]:
        raise PilotageError(
            f"the velocity of transition {n}, from {x[n].tolist()} to {y[n].tolist()} in {dt:g} s, is not finite; "
            "check the units of states and actions, and the prior"
        )
    _warn_of_glitches(v, model.state.minus(y, x) / dt, model.state.tangent_names, ends)
    return tensor(x), tensor(u), tensor(v)


def _warn_of_glitches(v: Array, motion: Array, names: Sequence[str], ends: Array) -> None:
    """A warning if one row of `v` has most of the square of a component, and is no rounding error of the motion.

    `ends` are the numbers of rows up to the end of each episode.
    """
    if len(v) < ENOUGH:
        return
    with np.errstate(over="ignore", invalid="ignore"):
        square, size, k = v * v, (motion * motion).mean(0), np.abs(v).argmax(0)
        top, rest = square.max(0), square.sum(0)
        rest -= top
    for j in np.flatnonzero((top > DOMINANT * (top + rest)) & (top > 1e-6 * size) & (top < np.inf)).tolist():
        times = math.sqrt(top[j] * (len(v) - 1) / max(rest[j], 1e-300))
        warnings.warn(
            f"{_place(int(k[j]), ends)} changes {names[j]} by {v[k[j], j]:.3g} per second beyond the prior, "
            f"{times:.2g} times as much as others; the network learns little else. If it is a glitch, or the jump to "
            "another start, cut the episode there in two",
            RuntimeWarning,
            stacklevel=5,
        )


def _place(row: int, ends: Array) -> str:
    """The words for a transition: its number, in its episode if there are several."""
    if len(ends) == 1:
        return f"transition {row} of {ends[0]}"
    k = int(np.searchsorted(ends, row, side="right"))
    first = int(ends[k - 1]) if k else 0
    return f"transition {row - first} of {int(ends[k]) - first} in episode {k}"


def steps_of(model: Dynamics, states: Any, actions: Any) -> tuple[Array, Array, Array]:
    """The transitions ``(N, n)``, ``(N, m)``, ``(N, n)`` of trajectories ``(..., T+1, n)`` under ``(..., T, m)``.

    Lists of such arrays are episodes, which may differ in length.

    Raises:
        ShapeError: if they do not match.

    Example:
        >>> from pilotage.models import pendulum
        >>> xs = [np.zeros((4, 2)), np.zeros((9, 2))]
        >>> [rows.shape for rows in steps_of(pendulum(), xs, [np.zeros((3, 1)), np.zeros((8, 1))])]
        [(11, 2), (11, 1), (11, 2)]
    """
    if not _episodes(states):
        return _steps(model, states, actions, "")
    if not _episodes(actions) or len(states) != len(actions):
        found = f"{len(actions)} of actions" if _episodes(actions) else f"actions that are {shown(actions)}"
        raise ShapeError(f"there are {len(states)} episodes of states, and {found}; expected as many of both")
    parts = [_steps(model, xs, us, f" of episode {k}") for k, (xs, us) in enumerate(zip(states, actions, strict=True))]
    x, u, y = (np.concatenate(rows) for rows in zip(*parts, strict=True))
    return x, u, y


def _episodes(value: Any) -> bool:
    """Whether it is a list of arrays with two axes or more, and not itself an array in lists."""
    return isinstance(value, list | tuple) and bool(value) and all(hasattr(e, "ndim") and e.ndim > 1 for e in value)


def _steps(model: Dynamics, states: Any, actions: Any, which: str) -> tuple[Array, Array, Array]:
    """The transitions of trajectories of one length; `which` of the episodes, for errors."""
    xs, us = model.state.check(states, f"states{which}"), model.action.check(actions, f"actions{which}")
    n, m = model.state.size, model.action.size
    if xs.ndim < 2 or xs.shape[:-2] != us.shape[:-2] or xs.shape[-2] != us.shape[-2] + 1:
        raise ShapeError(
            f"states{which} have shape {xs.shape} and actions {us.shape}; expected (..., T+1, {n}) and (..., T, {m}), "
            "with the state after the last action"
        )
    count = math.prod(us.shape[:-1])
    return xs[..., :-1, :].reshape(count, n), us.reshape(count, m), xs[..., 1:, :].reshape(count, n)
