"""Policies that learn in a model of traffic: their costs flow back through imagined drives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from ....core.errors import SettingError
from ....core.settings import Count, Fraction, NonNegative, Positive, settings
from ...training_settings import TrainingSettings
from .driver import TrafficDriver
from .ego import actions_of
from .object_costs import ObjectCosts
from .object_predictor import ObjectPredictor
from .scenes import Scene, Scenes, Window

Kind = Literal["plain", "uncertainty", "expert", "imitation"]


@settings(kw_only=True)
class UnrollSettings(TrainingSettings):
    """Settings of the training of a policy in a model.

    Attributes:
        kind: "plain" for the costs alone; "uncertainty" adds the disagreement of the models (MPUR); "expert" adds the
            distance from what the driver of the data did (MPER); "imitation" is that alone, without a model.
        batch: drives in a gradient step.
        horizon: ticks of a drive.
        discount: weight of each tick relative to the last one before it.
        uncertainty: weight of the disagreement.
        expert: weight of the distance from the expert.
        pace: weight of the square of a speed below that at the start, (m/s)^-2.
        effort: weight of squared accelerations, (m/s^2)^-2.

    The discount is that of Henaff, Canziani, LeCun, ICLR 2019; the other weights are our own.

    Example:
        >>> UnrollSettings(kind="plain").horizon
        30
    """

    steps: Count = 2000
    rate: Positive = 1e-3
    clip: Positive | None = 1.0
    validate_every: Count = 250
    kind: Kind = "uncertainty"
    batch: Count = 16
    horizon: Count = 30
    discount: Fraction = 0.99
    uncertainty: NonNegative = 0.5
    expert: NonNegative = 0.5
    pace: NonNegative = 0.01
    effort: NonNegative = 0.01


class Unrolled:
    """The trainee that learns to drive by imagined drives.

    ::

        loss = mean_t gamma^t [C(s_t) + pace max(v_0 - v_t, 0)^2 + effort a_t^2 + lambda U_t]

    along ``s_{t+1} = model(s_t, policy(s_t), z)`` with latents from the prior, where C are the costs of `ObjectCosts`.
    U is the variance of the accelerations that the models of an ensemble predict after the next tick, beyond what they
    have on actions of experts ("uncertainty"), or the distance from where the driver of the data was ("expert").

    Args:
        driver: the policy, which is trained in place.
        models: predictors; one for all kinds but "uncertainty", which needs two or more.
        scenes, held_out: windows of data to start from.
        settings: the settings.
        costs: the costs.

    Raises:
        SettingError: if "uncertainty" has fewer than two models.

    Source: M. Henaff, A. Canziani, Y. LeCun, ICLR 2019, equations 3 to 6; ensembles for dropout masks:
    Lakshminarayanan, Pritzel, Blundell, NeurIPS 2017.

    Example:
        >>> from pilotage.envs.traffic import ReactiveTraffic
        >>> from pilotage.learning.worlds.ppuu import simulated_logs
        >>> scenes = Scenes(simulated_logs(ReactiveTraffic(), [0], ticks=60))
        >>> some = UnrollSettings(kind="plain", batch=2, horizon=4)
        >>> trainee = Unrolled(TrafficDriver(), [ObjectPredictor()], scenes, scenes, some)
        >>> loss, metrics = trainee.loss(0, np.random.default_rng(0))
        >>> loss.requires_grad, sorted(metrics)
        (True, ['costs', 'regularization'])
    """

    def __init__(
        self,
        driver: TrafficDriver,
        models: Sequence[ObjectPredictor],
        scenes: Scenes,
        held_out: Scenes,
        settings: UnrollSettings,
        costs: ObjectCosts | None = None,
    ) -> None:
        self.driver, self.models, self.scenes, self.settings = driver, list(models), scenes, settings
        least = {"uncertainty": 2, "imitation": 0}.get(settings.kind, 1)
        if len(self.models) < least:
            raise SettingError(f"models of Unrolled are {len(self.models)}; {settings.kind!r} needs {least} or more")
        self.costs = ObjectCosts() if costs is None else costs
        self.modules = driver.modules
        self.exam = held_out.draw(64, np.random.default_rng([settings.seed, 2]))
        for model in self.models:
            for module in model.modules.values():
                module.requires_grad_(False)
        self._usual = self._experts() if settings.kind == "uncertainty" else torch.zeros(2, 1)

    def loss(self, step: int, generator: np.random.Generator) -> tuple[Tensor, Mapping[str, Any]]:
        """The loss of a batch of imagined drives."""
        return self._of(self.scenes.draw(self.settings.batch, generator))

    def validate(self) -> dict[str, float]:
        """The loss on held-out starts."""
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            total, parts = self._of(self.exam)
        return {"score": float(total), **{f"exam_{name}": float(value) for name, value in parts.items()}}

    def _of(self, window: Window) -> tuple[Tensor, dict[str, Tensor]]:
        s = self.settings
        if s.kind == "imitation":
            return self._imitated(window)
        T = min(s.horizon, window.future.shape[-3])
        model = self.models[int(torch.randint(len(self.models), ()))]
        scene, own = window.scene, window.own[..., 0, :]
        z, v0 = model.prior(scene), own[..., 3]
        cost, extra = v0.new_zeros(()), v0.new_zeros(())
        for t in range(T):
            u = self.driver(scene)
            if s.kind == "uncertainty":
                extra = extra + s.discount**t * self._doubt(scene, own, u, z, t).mean()
            scene, own = model.step(scene, own, u, z)
            slow, effort = torch.relu(v0 - own[..., 3]).square(), u[..., 0].square()
            now = self.costs(scene, own) + s.pace * slow + s.effort * effort
            cost = cost + s.discount**t * now.mean()
            if s.kind == "expert":
                off = (own[..., :2] - window.own[..., t + 1, :2]) / torch.tensor([3.0, 0.5])
                extra = extra + s.discount**t * torch.nn.functional.huber_loss(off, torch.zeros_like(off))
        weight = {"uncertainty": s.uncertainty, "expert": s.expert}.get(s.kind, 0.0)
        return (cost + weight * extra) / T, {"costs": cost / T, "regularization": extra / T}

    def _doubt(self, scene: Scene, own: Tensor, u: Tensor, z: Tensor, t: int) -> Tensor:
        """The disagreement of the models about the next tick ``(B,)``, in standard deviations of that of experts."""
        variance = self._variance(scene, own, u, z)
        mean, std = self._usual[:, min(t, self._usual.shape[1] - 1)]
        return torch.relu((variance - mean) / std - 0.5)

    def _variance(self, scene: Scene, own: Tensor, u: Tensor, z: Tensor) -> Tensor:
        """The variance over the models of the accelerations that they predict ``(B,)``, a mean over near cars."""
        each = torch.stack([model.accelerations(model.step(scene, own, u, z)[0], z) for model in self.models])
        near = scene.there & (scene.cars[..., 0].abs() < 40.0)
        near = torch.cat((torch.zeros_like(near[..., :1]), near[..., 1:]), -1)
        found = each.var(0).sum(-1) * near
        return found.sum(-1) / near.sum(-1).clamp(min=1)

    def _experts(self) -> Tensor:
        """Mean and standard deviation of the disagreement under actions of experts ``(2, T)``."""
        found = list[Tensor]()
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(2)
            window = self.exam
            T = min(self.settings.horizon, window.future.shape[-3])
            us = actions_of(window.own[..., : T + 1, :], window.scene.sizes[..., 0, 0])
            scene, own, model = window.scene, window.own[..., 0, :], self.models[0]
            z = model.prior(scene)
            for u in us.unbind(-2):
                found.append(self._variance(scene, own, u, z))
                scene, own = model.step(scene, own, u, z)
        each = torch.stack(found, -1)
        return torch.stack((each.mean(0), each.std(0).clamp(min=1e-6)))

    def _imitated(self, window: Window) -> tuple[Tensor, dict[str, Tensor]]:
        """The squared distance from the actions of experts, each by what it may be at most."""
        us = actions_of(window.own[..., :2, :], window.scene.sizes[..., 0, 0])[..., 0, :]
        off = (self.driver(window.scene) - us) / torch.tensor([1.0, 0.01])
        loss = torch.nn.functional.huber_loss(off, torch.zeros_like(off))
        return loss, {"costs": loss, "regularization": torch.zeros(())}
