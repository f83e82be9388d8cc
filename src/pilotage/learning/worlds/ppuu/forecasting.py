"""The training of a predictor of traffic: a conditional variational autoencoder over windows of logs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ....core.settings import Count, Fraction, NonNegative, Positive, settings
from ...training_settings import TrainingSettings
from .ego import actions_of
from .object_predictor import ObjectPredictor
from .scenes import Scenes, Window

ALONG, ACROSS = 1.0, 0.3
"""Errors along and across the road that count alike [m]."""


@settings(kw_only=True)
class ForecastSettings(TrainingSettings):
    """Settings of the training of a predictor.

    Attributes:
        batch: windows in a gradient step.
        horizon: ticks of a window that are predicted.
        beta: weight of the divergence of the posterior from the prior.
        z_dropout: share of the windows whose latents come from the prior, so that the future is not told by them alone.

    Example:
        >>> ForecastSettings().z_dropout
        0.5
    """

    steps: Count = 4000
    rate: Positive = 1e-3
    clip: Positive | None = 1.0
    validate_every: Count = 500
    batch: Count = 16
    horizon: Count = 20
    beta: NonNegative = 0.02
    z_dropout: Fraction = 0.5


class Forecasts:
    """The trainee that learns to predict traffic.

    ::

        loss = mean over cars and ticks of  huber(dx / 1 m) + huber(dy / 0.3 m)  +  beta KL(q(z | future) || N(0, I))

    The predicted scenes feed themselves over the horizon; the own car moves as it did. With the chance `z_dropout`, the
    latents of a window are drawn from the prior instead of the posterior.

    Args:
        predictor: the predictor, which is trained in place.
        scenes: windows to train on.
        held_out: windows for validation.
        settings: the settings.

    Source: Henaff, Canziani, LeCun, ICLR 2019, section 3, for the latents and their dropout.

    Example:
        >>> from pilotage.envs.traffic import ReactiveTraffic
        >>> from pilotage.learning.worlds.ppuu import simulated_logs
        >>> scenes = Scenes(simulated_logs(ReactiveTraffic(), [0], ticks=40), future=10)
        >>> trainee = Forecasts(ObjectPredictor(), scenes, scenes, ForecastSettings(batch=4, horizon=5))
        >>> loss, metrics = trainee.loss(0, np.random.default_rng(0))
        >>> loss.requires_grad, sorted(metrics)
        (True, ['across', 'along', 'divergence'])
    """

    def __init__(
        self, predictor: ObjectPredictor, scenes: Scenes, held_out: Scenes, settings: ForecastSettings
    ) -> None:
        self.predictor, self.scenes, self.settings = predictor, scenes, settings
        self.modules = predictor.modules
        self.exam = held_out.draw(64, np.random.default_rng([settings.seed, 1]))

    def loss(self, step: int, generator: np.random.Generator) -> tuple[Tensor, Mapping[str, Any]]:
        """The loss of a batch of windows."""
        s, window = self.settings, self.scenes.draw(self.settings.batch, generator)
        z, divergence = self.latents(window)
        if self.predictor.settings.latent:
            dropped = torch.rand(len(z)) < s.z_dropout
            z = torch.where(dropped[:, None, None], torch.randn_like(z), z)
        along, across = self.errors(window, z)
        total = along.mean() + across.mean() + s.beta * divergence
        return total, {"along": along.mean(), "across": across.mean(), "divergence": divergence}

    def latents(self, window: Window) -> tuple[Tensor, Tensor]:
        """Latents drawn from the posterior, and its divergence from the prior, a mean over cars."""
        predictor, scene = self.predictor, window.scene
        if not predictor.settings.latent:
            return predictor.prior(scene), scene.cars.new_zeros(())
        mean, log_variance = predictor.posterior(scene, window.future, window.known)
        z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        each = 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance).sum(-1)
        return z, (each * scene.there).sum() / scene.there.sum().clamp(min=1)

    def errors(self, window: Window, z: Tensor) -> tuple[Tensor, Tensor]:
        """The losses along and across the road ``(B,)`` over the horizon, with latents ``(B, N, latent)``."""
        T = min(self.settings.horizon, window.future.shape[-3])
        us = actions_of(window.own[..., : T + 1, :], window.scene.sizes[..., 0, 0])
        scenes, _ = self.predictor.rollout(window.scene, window.own[..., 0, :], us, z)
        found = torch.stack([scene.cars[..., :2] for scene in scenes], -3)
        known = window.known[..., :T, :] & window.scene.there[..., None, :]
        if self.predictor.settings.separated:
            known = torch.cat((torch.zeros_like(known[..., :1]), known[..., 1:]), -1)
        return position_errors(found, window.future[..., :T, :, :2], known)

    def validate(self) -> dict[str, float]:
        """The errors on held-out windows: with latents of the prior, and the best of eight."""
        scene, drawn, totals = self.exam.scene, torch.Generator().manual_seed(0), list[Tensor]()
        with torch.no_grad():
            for _ in range(8):
                along, across = self.errors(self.exam, self.predictor.prior(scene, drawn))
                totals.append(along + across)
        each = torch.stack(totals)
        return {"score": float(each.mean()), "best_of_8": float(each.min(0).values.mean())}


def position_errors(found: Tensor, true: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """The mean of ``huber(dx / 1 m)`` and of ``huber(dy / 0.3 m)`` over known cars and ticks, each ``(B,)``.

    Args:
        found, true: places ``(B, T, N, 2)`` [m].
        known: which of them count ``(B, T, N)``.

    Example:
        >>> there = torch.ones(1, 1, 1, dtype=torch.bool)
        >>> [float(e) for e in position_errors(torch.zeros(1, 1, 1, 2), torch.tensor([[[[1.0, 0.0]]]]), there)]
        [0.5, 0.0]
    """
    off = (found - true) / torch.tensor([ALONG, ACROSS]).to(found)
    each = torch.nn.functional.huber_loss(off, torch.zeros_like(off), reduction="none") * known[..., None]
    count = known.sum((-2, -1)).clamp(min=1)
    return each[..., 0].sum((-2, -1)) / count, each[..., 1].sum((-2, -1)) / count
