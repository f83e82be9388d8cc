"""Imitation: supervised training of a policy on the plans of a teacher."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch

from ..core import PilotageError, ShapeError, Space, Task, seeded
from ..core.arrays import Array, numbers
from ..core.settings import Count, Fraction, Positive, settings
from .border import tensor
from .lessons import Lessons
from .networks import Ensemble
from .policy import NetworkPolicy, features
from .regression import Regression
from .scaling import Scaling


@settings(kw_only=True)
class Training:
    """Settings of the networks of a policy and of their training.

    Attributes:
        members: number of networks in the ensemble.
        hidden: width of each hidden layer.
        epochs, batch, rate: passes over the data, states per gradient step, and initial learning rate of Adam.
        held_out: share of the states for validation.

    Example:
        >>> Training(hidden=(32, 32)).members
        3
    """

    members: Count = 3
    hidden: tuple[Count, ...] = (64, 64)
    epochs: Count = 60
    batch: Count = 256
    rate: Positive = 3e-3
    held_out: Fraction = 0.1

    def fit(self, like: NetworkPolicy | None, dynamics: Any, task: Task, lessons: Lessons, rng: Any) -> NetworkPolicy:
        """A policy that imitates the lessons; it starts with the weights of the policy `like`, if there is one.

        Raises:
            ShapeError: if the lessons do not match the dynamics, the task or each other.
            PilotageError: if there are fewer than two states, or training diverges.
        """
        lessons, (rng, _) = _checked(lessons, dynamics, task), seeded(rng)
        if len(lessons) < 2:
            raise PilotageError(f"the teacher gave {len(lessons)} usable plans; two at least are needed")
        state, action, limits = dynamics.state, dynamics.action, _limits(dynamics.action, lessons.plans, like)
        phi = tensor(features(state, task.stage, lessons.xs, lessons.rows))
        half = np.maximum(0.5 * (limits[1] - limits[0]), 1e-12)
        v = tensor(((lessons.plans - limits.mean(0)) / half).reshape(len(lessons), -1).clip(-1.0, 1.0))
        network, scaling = self._begun(phi, v, rng) if like is None else (copy.deepcopy(like.network), like.scaling)
        order = rng.permutation(len(lessons))
        cut = min(max(1, round(self.held_out * len(order))), len(order) - 1)
        examples = Regression(
            network, scaling, phi, v, order[cut:], order[:cut], batch=self.batch, seed=int(rng.integers(2**63))
        )
        trained = examples.fitted(self.epochs, self.rate)
        return NetworkPolicy(
            state, action, network, scaling=scaling, limits=limits, steps=lessons.plans.shape[1], task=task,
            metrics={"loss": trained.best.score, "states": len(lessons)},
        )  # fmt: skip

    def _begun(self, phi: torch.Tensor, v: torch.Tensor, rng: np.random.Generator) -> tuple[Ensemble, Scaling]:
        """An untrained network, and the scaling of its features."""
        seed, scaling = int(rng.integers(2**31)), Scaling.of(phi, v)
        network = Ensemble(self.members, inputs=phi.shape[1], outputs=v.shape[1], hidden=self.hidden, seed=seed)
        return network, Scaling(scaling.mean, scaling.std, torch.ones_like(scaling.scale))


def _checked(lessons: Lessons, dynamics: Any, task: Task) -> Lessons:
    """The lessons as arrays of the right shapes; they may be recordings."""
    n, nr, m = dynamics.state.size, task.stage.size, dynamics.action.size
    xs, rows, plans = (numbers(getattr(lessons, name), f"{name} of the lessons") for name in ("xs", "rows", "plans"))
    count, steps = len(xs), plans.shape[1] if plans.ndim == 3 else 1
    if (xs.shape, rows.shape, plans.shape) != ((count, n), (count, nr), (count, steps, m)):
        raise ShapeError(
            f"lessons have xs {xs.shape}, rows {rows.shape} and plans {plans.shape}; "
            f"expected (N, {n}), (N, {nr}) and (N, H, {m}), as in us[:, None] for actions (N, {m})"
        )
    return Lessons(xs, rows, plans)


def _limits(action: Space, plans: Array, like: NetworkPolicy | None) -> Array:
    """The bounds of the actions ``(2, m)``, and where there are none, the range of the teacher's actions."""
    seen = plans.reshape(-1, plans.shape[-1])
    seen = seen if like is None else np.concatenate([seen, like.limits])
    low, high = (np.where(np.isfinite(b), b, s) for b, s in ((action.low, seen.min(0)), (action.high, seen.max(0))))
    return np.stack([low, high])
