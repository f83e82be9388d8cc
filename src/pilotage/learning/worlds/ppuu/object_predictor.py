"""A predictor of traffic as a set of objects: each car looks at those around it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ....core.settings import Count, Natural, settings
from ...networks import MLP, SetAttention
from ._features import AROUND, alone, alone_size, around
from .ego import driven
from .scenes import Scene

POINTS = (5, 10, 20, 30)
"""Ticks at which a latent may look into the future."""


@settings
class PredictorSettings:
    """The sizes of a predictor.

    Attributes:
        latent: numbers of the latent of each car; 0 for a deterministic predictor.
        neighbours: cars that each car looks at, the nearest.
        past: ticks of which accelerations are known.
        width: width of the layers.
        heads, layers: of the attention among the neighbours.
        separated: whether the own car moves by its exact kinematics; otherwise it is predicted as the others, from its
            actions.
        seed: seed of the initial weights.

    Example:
        >>> PredictorSettings(latent=0).separated
        True
    """

    latent: Natural = 4
    neighbours: Count = 8
    past: Count = 5
    width: Count = 64
    heads: Count = 4
    layers: Natural = 1
    separated: bool = True
    seed: Natural = 0

    @property
    def own(self) -> int:
        """Number of features of a car, its latent included."""
        return alone_size(self.past) + self.latent


class Posterior(NamedTuple):
    """A Gaussian over the latents of cars, ``(..., N, latent)`` each."""

    mean: Tensor
    log_variance: Tensor


class ObjectPredictor:
    """A model of traffic of which the surroundings are predicted, and the own car moves as it does.

    ::

        a_i = f(own_i, z_i; {neighbour_ij : j near i}),    v' = v + a dt,  p' = p + (v + v') / 2 dt     for each car i

    f is a `SetAttention` over the nearest neighbours, asked by the features of the car: its velocity, its last
    accelerations, its place in the lane and on the road, its size, and the latent z_i, which is Gaussian and stands for
    what a driver wants. Only differences of places enter, so that a prediction is the same anywhere along the road. If
    `separated`, the others see the own car where its exact kinematics take it.

    Args:
        settings: the sizes.

    Source: separation of the own car: V. Sobal et al., "Separating the world and ego models for self-driving", 2022;
    attention: Lee et al., "Set transformer", ICML 2019; latents and their posterior: Henaff, Canziani, LeCun, ICLR
    2019.

    Example:
        >>> from pilotage.envs.traffic import ReactiveTraffic
        >>> from pilotage.learning.worlds.ppuu import Scenes, simulated_logs
        >>> import numpy as np
        >>> scenes = Scenes(simulated_logs(ReactiveTraffic(), [0], ticks=60), future=30)
        >>> window = scenes.draw(2, np.random.default_rng(0))
        >>> predictor = ObjectPredictor()
        >>> z = predictor.prior(window.scene)
        >>> scene, own = predictor.step(window.scene, window.own[:, 0], torch.zeros(2, 2), z)
        >>> scene.cars.shape, own.shape
        (torch.Size([2, 20, 4]), torch.Size([2, 4]))
    """

    def __init__(self, settings: PredictorSettings | None = None) -> None:
        self.settings = s = PredictorSettings() if settings is None else settings
        self.network = SetAttention(
            AROUND, 2, query=s.own, width=s.width, heads=s.heads, layers=s.layers, seed=s.seed
        ).float()
        torch.nn.init.zeros_(self.network.linear.weight)
        torch.nn.init.zeros_(self.network.linear.bias)
        self.modules: dict[str, torch.nn.Module] = {"network": self.network}
        self.posterior_network: MLP | None = None
        if s.latent:
            inputs = s.own - s.latent + 3 * len(POINTS)
            self.posterior_network = MLP(
                inputs, 2 * s.latent, hidden=(s.width, s.width), activation="relu", seed=s.seed
            ).float()
            self.modules["posterior"] = self.posterior_network

    # -- latents

    def prior(self, scene: Scene, generator: torch.Generator | None = None) -> Tensor:
        """Latents of all cars ``(..., N, latent)`` from a standard normal distribution."""
        return torch.randn((*scene.there.shape, self.settings.latent), generator=generator).to(scene.cars)

    def posterior(self, scene: Scene, future: Tensor, known: Tensor) -> Posterior:
        """The latents that explain what the cars did ``(..., F, N, 4)`` where it is `known` ``(..., F, N)``."""
        assert self.posterior_network is not None, "a predictor without latents has no posterior"
        seen = list[Tensor]()
        for k in POINTS:
            at = min(k, future.shape[-3]) - 1
            straight = scene.cars[..., :2] + 0.1 * (at + 1) * scene.cars[..., 2:]
            there = known[..., at, :, None] & scene.there[..., None]
            off = (future[..., at, :, :2] - straight) * torch.tensor([0.2, 1.0]).to(future)
            seen += [torch.where(there, off, torch.zeros_like(off)), there.to(off)]
        both = self.posterior_network(torch.cat([alone(scene), *seen], -1))
        mean, log_variance = both.chunk(2, -1)
        return Posterior(mean, log_variance.clamp(-8.0, 4.0))

    # -- motion

    def step(self, scene: Scene, own: Tensor, u: Tensor, z: Tensor) -> tuple[Scene, Tensor]:
        """The scene and the state of the own car after 0.1 s.

        Args:
            scene: the scene.
            own: x, y [m], yaw [rad], speed [m/s] of the own car ``(..., 4)``.
            u: its acceleration [m/s^2] and curvature [1/m] ``(..., 2)``.
            z: latents ``(..., N, latent)``.
        """
        accel = self.accelerations(scene, z, u)
        after = driven(own, u)
        if not self.settings.separated:
            moved = scene.moved(accel)
            x, y, vx, vy = moved.cars[..., 0, :].unbind(-1)
            return moved, torch.stack((x, y, torch.atan2(vy, vx.clamp(min=0.5)), torch.hypot(vx, vy)), -1)
        x, y, yaw, v = after.unbind(-1)
        return scene.moved(accel, torch.stack((x, y, v * torch.cos(yaw), v * torch.sin(yaw)), -1)), after

    def accelerations(self, scene: Scene, z: Tensor, u: Tensor | None = None) -> Tensor:
        """The accelerations of all cars along and across the road ``(..., N, 2)`` [m/s^2]."""
        query = torch.cat([alone(scene, None if self.settings.separated else u), z], -1)
        objects, there = around(scene, self.settings.neighbours)
        return self.network(objects, there, query) * torch.tensor([3.0, 1.0]).to(query)

    def rollout(self, scene: Scene, own: Tensor, us: Tensor, z: Tensor) -> tuple[list[Scene], Tensor]:
        """The scenes after each of the actions ``(..., T, 2)``, and states of the own car ``(..., T + 1, 4)``."""
        scenes, states = list[Scene](), [own]
        for u in us.unbind(-2):
            scene, own = self.step(scene, own, u, z)
            scenes.append(scene)
            states.append(own)
        return scenes, torch.stack(states, -2)

    def state_dict(self) -> Mapping[str, Any]:
        """All weights by name."""
        return {f"{name}.{key}": v for name, m in self.modules.items() for key, v in m.state_dict().items()}
