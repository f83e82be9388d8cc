"""An emulator of the truck: a network that learns from random drives where a decision leads."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch

from ....core import SettingError
from ....core.arrays import Array
from ....core.confidence import Share
from ....core.settings import Count, Positive, setting, settings
from ....envs.truck.yard import controls, space
from ...checkpoint import fitting, load, save
from ...networks import MLP
from ...records import Record
from ...regression import Regression
from ...scaling import Scaling
from ...training import train
from ...training_settings import TrainingSettings
from .kinematics import STEERING, backed, directions

Form = Literal["residual", "absolute"]
YARD = ((5.0, -15.0), (40.0, 15.0))
"""Corners of the rectangle in which random drives begin [m]."""


@settings(kw_only=True)
class EmulatorSettings(TrainingSettings):
    """Settings of the emulator and of its training.

    Attributes:
        form: "residual" learns the change of the state from angles alone; "absolute" learns the next state from the
            state, as in 1990.
        drives, length: number of random drives, and of decisions in each.
        hidden: width of each hidden layer.
        batch: number of transitions per gradient step.
        held_out: share of the transitions for validation.

    Example:
        >>> EmulatorSettings().form
        'residual'
    """

    steps: Count = 4000
    rate: Positive = 5e-3
    clip: Positive | None = None
    validate_every: Count = 1000
    form: Form = "residual"
    drives: Count = 4000
    length: Count = 25
    hidden: tuple[Count, ...] = (48, 48)
    batch: Count = 512
    held_out: Share = 0.1


class TruckEmulator:
    """A learned model of a decision of the truck.

    ::

        x' = x + scale g(phi),  phi = (cos, sin)(yaw, trailer_yaw, yaw - trailer_yaw), steer        "residual"
        x' =     scale g(phi),  phi = x, y, yaw, trailer_yaw, steer                                 "absolute"

    The residual form moves alike everywhere in the yard and for every full turn; what is left to the network is small.
    States are those of the environment without the dock ``(..., 4)``.

    Args:
        network: an `MLP`, from 7 (residual) or 5 (absolute) features to 4 numbers.
        scaling: scaling of features and results.
        form: "residual" or "absolute".

    Raises:
        SettingError: if the form is another, or network or scaling have other sizes.

    Source: Nguyen and Widrow, "The truck backer-upper", IJCNN 1989, for the absolute form.

    Example:
        >>> still = TruckEmulator(MLP(7, 4, hidden=(8,)))
        >>> still(torch.tensor([[9.0, 1.0, 0.5, 0.0]]).double(), torch.tensor([0.2]).double()).tolist()
        [[9.0, 1.0, 0.5, 0.0]]
    """

    state, action, noise_density = space(1), controls(False), None

    def __init__(self, network: MLP, scaling: Scaling | None = None, form: Form = "residual") -> None:
        self.network = network
        self.form: Form = setting(form, Form, "form")
        sizes = 7 if form == "residual" else 5, 4
        self.scaling = Scaling.none(*sizes) if scaling is None else scaling
        for got in ((network.settings["inputs"], network.settings["outputs"]), self.scaling.widths):
            if got != sizes:
                raise SettingError(f"network or scaling has (inputs, outputs) {got}; expected {sizes} for {form!r}")

    def __call__(self, x: torch.Tensor, steer: torch.Tensor, turned: torch.Tensor | None = None) -> torch.Tensor:
        """The states ``(..., 4)`` after a decision, for states and steering angles [rad] ``(...)``.

        `turned` are the `directions` of the states, if they are known.
        """
        change = self.scaling.outward(self.network(self.scaling.inward(inputs(self.form, x, steer, turned))))
        return x + change if self.form == "residual" else change

    def frozen(self, dtype: torch.dtype = torch.float32) -> Frozen:
        """The same emulator for training a policy: its weights need no gradients, and contain the scaling."""
        layers: Any = copy.deepcopy(self.network.layers)
        with torch.no_grad():
            layers[0].bias -= layers[0].weight @ (self.scaling.mean / self.scaling.std).to(layers[0].weight)
            layers[0].weight /= self.scaling.std.to(layers[0].weight)
            layers[-1].weight *= self.scaling.scale[:, None].to(layers[0].weight)
            layers[-1].bias *= self.scaling.scale.to(layers[0].weight)
        return Frozen(layers.to(dtype).requires_grad_(False), self.form)

    def save(self, folder: str | Path) -> None:
        """Write ``config.json`` and ``model-HASH.safetensors``; an older emulator is replaced."""
        save(self, "truck emulator", folder, {"form": self.form})

    @classmethod
    def load(cls, folder: str | Path) -> TruckEmulator:
        """The emulator that `save` wrote.

        Raises:
            MissingFile: if there is none in the folder.
            FormatError: if it is damaged or of another kind.
        """
        kept = load(folder, "truck emulator", entries={"form": ...})
        network: Any = kept.network
        with fitting(folder):
            return cls(network, kept.scaling, kept.extra["form"])


class Frozen(NamedTuple):
    """An emulator without scaling and gradients of weights."""

    layers: torch.nn.Sequential
    form: Form

    def __call__(self, x: torch.Tensor, steer: torch.Tensor, turned: torch.Tensor | None = None) -> torch.Tensor:
        """The states ``(..., 4)`` after a decision; see `TruckEmulator`."""
        change = self.layers(inputs(self.form, x, steer, turned))
        return x + change if self.form == "residual" else change


def inputs(form: Form, x: torch.Tensor, steer: torch.Tensor, turned: torch.Tensor | None = None) -> torch.Tensor:
    """The features of an emulator ``(..., 7)`` or ``(..., 5)``."""
    if form == "residual":
        x = directions(x) if turned is None else turned
    return torch.cat((x, steer[..., None]), -1)


def random_drives(drives: int, length: int, generator: np.random.Generator) -> tuple[Array, Array]:
    """The states ``(drives, length + 1, 4)`` and steering angles ``(drives, length)`` of random drives.

    Each decision is uniform; a drive goes on beyond 90 degrees at the hitch, where the emulator has to be right, too.

    Example:
        >>> xs, us = random_drives(3, 5, np.random.default_rng(0))
        >>> xs.shape, us.shape
        ((3, 6, 4), (3, 5))
    """
    us = generator.uniform(-STEERING, STEERING, (drives, length))
    cab = generator.uniform(-np.pi, np.pi, drives)
    bent = generator.uniform(-0.5 * np.pi, 0.5 * np.pi, drives)
    xs = [torch.as_tensor(np.column_stack([generator.uniform(*YARD, (drives, 2)), cab, cab - bent]))]
    for u in torch.as_tensor(us).unbind(1):
        xs.append(backed(xs[-1], u))
    return torch.stack(xs, 1).numpy(), us


def learn_emulator(
    settings: EmulatorSettings, folder: Path | None = None, *, resume: bool = False, progress: Any = None
) -> tuple[TruckEmulator, Record]:
    """The emulator that is fitted to random drives by least squares, and the record of its weights.

    Example:
        >>> emulator, record = learn_emulator(EmulatorSettings(steps=300, drives=200, hidden=(16,)))
        >>> record.score < 0.3
        True
    """
    generator = np.random.default_rng(settings.seed)
    xs, us = random_drives(settings.drives, settings.length, generator)
    x, u = torch.as_tensor(xs[:, :-1].reshape(-1, 4)), torch.as_tensor(us.reshape(-1))
    targets = torch.as_tensor(xs[:, 1:].reshape(-1, 4)) - (x if settings.form == "residual" else 0.0)
    phi, order = inputs(settings.form, x, u), generator.permutation(len(x))
    cut = max(1, round(settings.held_out * len(x)))
    scaling = Scaling.of(phi[order[cut:]], targets[order[cut:]])
    network = MLP(phi.shape[1], 4, hidden=settings.hidden, seed=settings.seed).float()
    examples = Regression(
        network, scaling, phi, targets, order[cut:], order[:cut], batch=settings.batch, seed=settings.seed
    )
    with examples.threads():
        trained = train(examples, settings, folder, resume=resume, progress=progress)
    emulator = TruckEmulator(network.double(), scaling, settings.form)
    if folder is not None:
        emulator.save(folder)
    return emulator, trained.best
