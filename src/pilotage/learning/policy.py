"""A policy: a network that maps the state to actions, as a controller and as a warm start."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..core import Action, ActionStatus, SettingError, Space, Task
from ..core.arrays import Array, numbers
from ..core.mathematics import numpy_math
from ..core.results import EMPTY
from ..core.settings import Count, Finite, instance, setting
from ..core.states import state_of
from ..core.task import references_of
from ..models.trace.sensor import TracedSensor
from ._policy_code import policy_code
from ._shape import ACTIVATIONS
from .border import array
from .checkpoint import fitting, load, save, space_from_json, space_to_json
from .networks import Ensemble
from .scaling import Scaling

FUNCTIONS: dict[str, Any] = {name: partial(activation, m=numpy_math) for name, activation in ACTIVATIONS.items()}
"""The activations of `MLP` for arrays."""


class Evaluation(NamedTuple):
    """The output of a policy.

    Attributes:
        plan: actions ``(..., H, m)``.
        doubt: standard deviation of the first action over the networks in units of half of the range ``(...)``, the
            largest over the components.
        distance: distance to the training data ``(...)``, the largest ``|phi - mean| / std`` over the features.
    """

    plan: Array
    doubt: Array
    distance: Array


class NetworkPolicy:
    """A policy ``u = (low + high) / 2 + (high - low) / 2 mean_i tanh(g_i(phi))``: the mean of an ensemble of networks.

    The features phi are the continuous features of the state, where an angle is its cosine and sine, followed by those
    of the task's current reference, scaled to unit size. The tanh keeps the actions within their bounds.

    It is a controller, and a `warm_start` of any `RecedingHorizon`. `distill` trains one. It is evaluated with numpy,
    or as machine code by `traced`.

    Args:
        state, action: the spaces.
        network: the ensemble with bounded outputs, from ``state.width + stage.width`` features to ``steps * m``.
        scaling: scaling of the features.
        limits: lowest and highest action ``(2, m)``; default: the bounds of the action space.
        steps: number of actions H that the networks output, the first of which is executed.
        task: the task, which gives references and the end of the episode. It may be None if its cost does not vary.
        stage: space of the references; default: that of the task.
        metrics: results of training and evaluation, which are saved with the weights.

    Raises:
        SettingError: if the sizes do not match, the outputs are not bounded, a limit is not finite, or the task is
            missing.

    Example:
        >>> from pilotage.models import pendulum
        >>> swing = pendulum()
        >>> network = Ensemble(2, inputs=3, outputs=1, hidden=(8,), bounded=True)    # of cosine, sine, and rate
        >>> NetworkPolicy(swing.state, swing.action, network).act([0.1, 0.0]).u
        array([0.])
    """

    noise_density = None
    _code: TracedSensor | None = None

    def __init__(
        self,
        state: Space,
        action: Space,
        network: Ensemble,
        *,
        scaling: Scaling | None = None,
        limits: Any = None,
        steps: int = 1,
        task: Task | None = None,
        stage: Space | None = None,
        metrics: Mapping[str, Any] | None = None,
    ) -> None:
        self.state, self.action = (instance(space, Space, "NetworkPolicy") for space in (state, action))
        self.network, self.steps = instance(network, Ensemble, "NetworkPolicy"), setting(steps, Count, "steps")
        self.task = None if task is None else instance(task, Task, "NetworkPolicy").on(state, action)
        self.stage = stage if stage is not None else Space() if self.task is None else self.task.stage
        self._references(self.stage, self.task)
        widths = state.width + self.stage.width, steps * action.size
        got = network.settings["inputs"], network.settings["outputs"]
        if got != widths:
            raise SettingError(f"the network has (inputs, outputs) {got}; expected {widths}")
        if not network.bounded:
            raise SettingError("the outputs of the network are not bounded; expected Ensemble(..., bounded=True)")
        self.limits = np.stack([action.low, action.high]) if limits is None else numbers(limits, "limits")
        good = self.limits.shape == (2, action.size) and np.isfinite(self.limits).all()
        if not good or (self.limits[0] > self.limits[1]).any():
            raise SettingError(f"limits are {self.limits.tolist()}; expected a finite range for each action")
        self.scaling = Scaling.none(*widths) if scaling is None else instance(scaling, Scaling, "NetworkPolicy")
        if self.scaling.widths != widths:
            raise SettingError(f"the scaling is for (features, outputs) {self.scaling.widths}; expected {widths}")
        self.metrics = dict(metrics or {})
        self._layers = [(array(W), array(b)) for W, b in network.stacked()]
        self._function = FUNCTIONS[network.settings["activation"]]
        self._mean, self._std = array(self.scaling.mean), array(self.scaling.std)
        self.middle, self.half = self.limits.mean(0), 0.5 * np.diff(self.limits, axis=0)[0]
        self._rest = action.clip(np.zeros(action.size))
        self.reset()

    def __repr__(self) -> str:
        return f"NetworkPolicy({self.state!r}, {self.action!r}, {self.steps} steps)"

    def reset(self, *, seed: int | None = None) -> None:
        """Start a new episode; nothing is random."""
        self._clock: float | None = None
        self._carry: Any = None
        self._last = self._rest

    def act(self, belief_or_state: Any, t: float | None = None) -> Action:
        """The action at time `t` [s]; default: one step of the task after the last. If the state is NaN, the last one.

        Raises:
            ShapeError: if the state has the wrong length.
        """
        begun = time.perf_counter()
        x = state_of(belief_or_state, self.state, finite=False)
        row = self._reference(x, t) if self.task is not None else EMPTY
        if not np.isfinite(x).all():
            reason = "the state is NaN or infinite; fell back to hold"
            return Action(self._last.copy(), ActionStatus.FALLBACK, None, reason=reason)
        if self.task is not None and self.task.done(x, *((row,) if row.size else ())) == True:  # noqa: E712  # NaN is not
            return Action(self._rest.copy(), ActionStatus.DONE, solve_time=time.perf_counter() - begun)
        plan = self.evaluate(x, row).plan
        self._last = plan[0].copy()
        return Action(plan[0], plan=plan, solve_time=time.perf_counter() - begun)

    def evaluate(self, x: Array, row: Array = EMPTY) -> Evaluation:
        """The plans in states ``(..., n)`` with references ``(..., nr)``, and how far they can be trusted."""
        if self._code is not None and np.ndim(x) == 1 and np.ndim(row) == 1:
            out = self._code.observe(x, row)
            return Evaluation(out[:-2].reshape(self.steps, -1), out[-2], out[-1])
        phi = features(self.state, self.stage, x, row)
        h = z = (phi - self._mean) / self._std
        h = h.reshape(-1, phi.shape[-1])
        for W, b in self._layers[:-1]:
            h = self._function(h @ W + b)
        W, b = self._layers[-1]
        out = np.tanh(h @ W + b).reshape(len(W), *phi.shape[:-1], self.steps, self.action.size)
        mean = out.sum(0) / len(out)
        first = out[..., 0, :] - mean[..., 0, :]
        doubt = np.sqrt((first * first).sum(0) / len(out)).max(-1)
        return Evaluation(self.middle + self.half * mean, doubt, np.abs(z).max(-1))

    def traced(self) -> NetworkPolicy:
        """The same policy with machine code for single states, three times as fast; it keeps the weights of now.

        Example:
            >>> from pilotage.models import pendulum
            >>> swing = pendulum()
            >>> policy = NetworkPolicy(swing.state, swing.action, Ensemble(2, inputs=3, outputs=1, bounded=True))
            >>> policy.traced().act([0.1, 0.0]).u == policy.act([0.1, 0.0]).u
            array([ True])
        """
        made = copy.copy(self)
        made._code = policy_code(self)
        made.reset()
        return made

    def __call__(self, problem: Any, x: Array, rows: Array) -> Array:
        """The plan ``(T, m)`` for the problem of a predictive controller; see `RecedingHorizon.warm_start`.

        If the networks output fewer than T actions, the policy drives the model for T steps.
        """
        if self.steps >= problem.steps:
            return self.evaluate(x, rows[0]).plan[: problem.steps]
        us = np.empty((problem.steps, self.action.size))
        for k in range(problem.steps):
            us[k] = self.evaluate(x, rows[k]).plan[0]
            x = problem.dynamics.step(x, us[k], problem.dt)
        return us

    def save(self, folder: str | Path) -> None:
        """Write ``config.json``, with the metrics, and ``model-HASH.safetensors``; an older policy is replaced."""
        extra = {"stage": space_to_json(self.stage), "steps": self.steps, "limits": self.limits.tolist()}
        save(self, "policy", folder, {**extra, "metrics": self.metrics})

    @classmethod
    def load(cls, folder: str | Path, task: Task | None = None) -> NetworkPolicy:
        """The policy that `save` wrote; it needs the task if that gives references.

        Raises:
            MissingFile: if there is no policy in the folder.
            FormatError: if the policy is damaged or of another kind.
            SettingError: if the task is missing or has other references.
        """
        kept = load(folder, "policy", entries=dict.fromkeys(("stage", "steps", "limits", "metrics"), ...))
        with fitting(folder):
            stage = space_from_json(kept.extra["stage"])
        cls._references(stage, task)
        network: Any = kept.network
        with fitting(folder):
            given: Any = {**kept.extra, "stage": stage, "scaling": kept.scaling, "task": task}
            return cls(kept.state, kept.action, network, **given)

    @staticmethod
    def _references(stage: Space, task: Task | None) -> None:
        """Refuse a task that does not give the references of this space."""
        if task is not None:
            instance(task, Task, "NetworkPolicy")
        if stage.size and (task is None or task.stage != stage):
            raise SettingError(f"the policy reads references of {stage}; give the task with this stage")

    def _reference(self, x: Array, t: float | None) -> Array:
        """The reference now ``(nr,)``; NaN states have none."""
        task = self.task
        assert task is not None
        before = self._clock
        now = (0.0 if before is None else before + task.dt) if t is None else setting(t, Finite, "t")
        self._clock, lost = now, not np.isfinite(x).all()
        if not task.stage.size or lost:
            return EMPTY
        carry = None if before is not None and now < before else self._carry
        rows, self._carry = references_of(task, x, now, 1, carry)
        return rows[0]


def features(state: Space, stage: Space, x: Array, row: Array) -> Array:
    """The features ``(..., k)`` of states ``(..., n)`` and references ``(..., nr)``."""
    phi = state.features(x)
    return np.concatenate([phi, stage.features(row)], -1) if stage.size else phi
