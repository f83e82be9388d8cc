"""Imitation: supervised training of a policy on the plans of a teacher, which is also called behavioural cloning."""

from __future__ import annotations

import copy

import numpy as np
import torch

from ..core import Dynamics, PilotageError, Rng, ShapeError, Space, Task, seeded
from ..core.arrays import Array, numbers
from ..core.confidence import Share
from ..core.settings import Count, Positive, instance, settings
from .border import tensor
from .demonstrations import Demonstrations
from .networks import Ensemble
from .policy import NetworkPolicy, features
from .regression import Regression
from .scaling import Scaling


@settings(kw_only=True)
class ImitationSettings:
    """Settings of `imitate`: the networks of the policy, and their training.

    Attributes:
        members: number of networks in the ensemble.
        hidden: width of each hidden layer.
        epochs: number of passes over the data.
        batch: number of states per gradient step.
        rate: initial learning rate of Adam.
        held_out: share of the states for validation.

    Example:
        >>> ImitationSettings(hidden=(32, 32)).members
        3
    """

    members: Count = 3
    hidden: tuple[Count, ...] = (64, 64)
    epochs: Count = 60
    batch: Count = 256
    rate: Positive = 3e-3
    held_out: Share = 0.1


def imitate(
    demonstrations: Demonstrations,
    dynamics: Dynamics,
    task: Task,
    settings: ImitationSettings | None = None,
    *,
    like: NetworkPolicy | None = None,
    rng: Rng = None,
) -> NetworkPolicy:
    """A policy that imitates the plans of a teacher, by least squares (behavioural cloning).

    ::

        minimise  mean |policy(x) - plan|^2     over the demonstrations, in units of half of the range of each action

    Args:
        demonstrations: plans of the teacher ``(N, H, m)``, for states ``(N, n)`` and references ``(N, nr)``. Recorded
            actions ``(N, m)`` are plans of one action, ``us[:, None]``.
        dynamics: the model, which has the spaces of state and action.
        task: the task, which gives the policy its references and the end of an episode.
        settings: settings of the networks and of their training; `like` has networks already.
        like: a policy whose weights are the initial ones; it is not changed.
        rng: seed or generator of weights and batches.

    Raises:
        ShapeError: if the demonstrations do not fit the spaces or each other.
        PilotageError: if there are fewer than two demonstrations, or training diverges.

    Source: Pomerleau, "ALVINN: an autonomous land vehicle in a neural network", NeurIPS 1988.

    Example:
        >>> from pilotage.control import reach
        >>> from pilotage.models import double_integrator
        >>> cart, xs = double_integrator(1), np.random.default_rng(0).uniform(-1.0, 1.0, (200, 2))
        >>> known = Demonstrations(xs, np.zeros((200, 0)), -(xs @ [[1.0], [1.5]])[:, None])       # linear feedback
        >>> policy = imitate(known, cart, reach(cart, [0.0, 0.0]), ImitationSettings(epochs=40, batch=32), rng=0)
        >>> bool(abs(policy.act([0.5, 0.2]).u[0] + 0.8) < 0.1)
        True
    """
    settings = ImitationSettings() if settings is None else instance(settings, ImitationSettings, "imitate")
    instance(dynamics, Dynamics, "imitate")
    instance(task, Task, "imitate")
    state, action, stream = dynamics.state, dynamics.action, seeded(rng)[0]
    instance(demonstrations, Demonstrations, "imitate")
    demonstrations = _checked(demonstrations, state, action, task.stage, like)
    limits = _limits(action, demonstrations.plans, like)
    phi = tensor(features(state, task.stage, demonstrations.xs, demonstrations.rows))
    half = np.maximum(0.5 * (limits[1] - limits[0]), 1e-12)
    v = tensor(((demonstrations.plans - limits.mean(0)) / half).reshape(len(demonstrations), -1).clip(-1.0, 1.0))
    made = _begun(settings, phi, v, stream) if like is None else (copy.deepcopy(like.network), like.scaling)
    order = stream.permutation(len(demonstrations))
    cut = min(max(1, round(settings.held_out * len(order))), len(order) - 1)
    seed = int(stream.integers(2**63))
    examples = Regression(*made, phi, v, order[cut:], order[:cut], batch=settings.batch, seed=seed)
    trained = examples.fitted(settings.epochs, settings.rate)
    return NetworkPolicy(
        state, action, made[0], scaling=made[1], limits=limits, steps=demonstrations.plans.shape[1], task=task,
        metrics={"loss": trained.best.score, "states": len(demonstrations)},
    )  # fmt: skip


def _checked(
    given: Demonstrations, state: Space, action: Space, stage: Space, like: NetworkPolicy | None
) -> Demonstrations:
    """The demonstrations as arrays of the right shapes; they may be recordings.

    Raises:
        ShapeError: if shapes do not match, or numbers are not finite.
        PilotageError: if there are fewer than two.
    """
    arrays = [numbers(getattr(given, name), f"{name} of the demonstrations") for name in ("xs", "rows", "plans")]
    xs, rows, plans = (each.shape for each in arrays)
    n, steps = xs[0] if xs else 0, plans[1] if len(plans) == 3 else 1
    if (xs, rows, plans) != ((n, state.size), (n, stage.size), (n, steps, action.size)):
        raise ShapeError(
            f"the demonstrations have states {xs}, references {rows} and plans {plans}; expected (N, {state.size}), "
            f"(N, {stage.size}) and (N, H, {action.size}), as in us[:, None] for actions (N, {action.size})"
        )
    if like is not None and like.steps != steps:
        raise ShapeError(f"the plans have {steps} actions; expected {like.steps}, as the policy `like` has")
    if n < 2:
        raise PilotageError(f"the teacher gave {n} usable plans; two at least are needed")
    for each, space, name in zip(arrays, (state, stage, action), ("xs", "rows", "plans"), strict=True):
        space.check(each, f"{name} of the demonstrations")
    return Demonstrations(*arrays)


def _begun(
    settings: ImitationSettings, phi: torch.Tensor, v: torch.Tensor, rng: np.random.Generator
) -> tuple[Ensemble, Scaling]:
    """An untrained network, and the scaling of its features."""
    seed, scaling, sizes = int(rng.integers(2**31)), Scaling.of(phi, v), (phi.shape[1], v.shape[1])
    network = Ensemble(settings.members, *sizes, hidden=settings.hidden, bounded=True, seed=seed)
    return network, Scaling(scaling.mean, scaling.std, torch.ones_like(scaling.scale))


def _limits(action: Space, plans: Array, like: NetworkPolicy | None) -> Array:
    """The bounds of the actions ``(2, m)``, and where there are none, the range of the teacher's actions."""
    seen = plans.reshape(-1, plans.shape[-1])
    seen = seen if like is None else np.concatenate([seen, like.limits])
    low, high = (np.where(np.isfinite(b), b, s) for b, s in ((action.low, seen.min(0)), (action.high, seen.max(0))))
    return np.stack([low, high])
