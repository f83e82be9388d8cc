"""Lessons of the truck: a policy learns by back-propagation through time, from starts near the dock outward."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Any, Literal, Protocol

import numpy as np
import torch

from ....core.arrays import Array
from ....core.settings import Count, Fraction, Interval, Natural, NonNegative, Positive, settings
from ....envs.truck.yard import STRICT, TOLERANCE
from ...training_settings import TrainingSettings
from .evaluate import BUDGET
from .kinematics import directions, docked, rear, running, wrapped
from .policy import Inputs, TruckPolicy


class Model(Protocol):
    """A model of a decision."""

    def __call__(self, x: torch.Tensor, steer: torch.Tensor, turned: torch.Tensor | None = None) -> torch.Tensor:
        """The next states, for states ``(N, 4)``, steering angles ``(N,)``, and directions of the states if known."""
        ...


SETTLE = 12
"""Decisions between which ended episodes stay in the batch."""


@settings(kw_only=True)
class LessonSettings(TrainingSettings):
    """Settings of the lessons.

    Attributes:
        hidden: width of each hidden layer of the policy; (25,) is the network of 1990, (2,) that of Jenkins and Yuhas.
        inputs: features of the policy, "directions" or, as in 1990, "state"; see `TruckPolicy`.
        batch: number of trucks per gradient step.
        lessons: number of lessons; 1 for no curriculum.
        pass_rate: share of docked trucks with which a lesson is passed.
        last_lesson: share of the steps after which the last lesson begins at the latest.
        horizon: largest number of decisions in an episode of the last lesson.
        barrier: weight of the hitch angle beyond `bent`; 0 for none.
        bent: hitch angle at which the barrier begins [rad].
        near: share of the starts of the last lesson that are in the 6 m nearest to the dock.
        bounded: whether a tanh bounds the steering.
        freeze: whether an episode ends at the dock; otherwise, all last for the horizon.
        adjoint: largest gradient of a truck's loss by one of its states; None for no limit.
        terminal: loss at the end, "huber" as described in `terminal_loss`, or "squares".

    Example:
        >>> LessonSettings(lessons=1, adjoint=None).clip
        1.0
    """

    steps: Count = 1000
    rate: Positive = 3e-3
    schedule: Literal["constant", "cosine", "decay"] = "decay"
    collapse: Positive | None = 0.15
    validate_every: Count = 50
    save_every: Count = 100
    hidden: tuple[Count, ...] = (64, 64)
    inputs: Inputs = "directions"
    batch: Count = 512
    lessons: Count = 10
    pass_rate: Fraction = 0.85
    last_lesson: Annotated[float, Interval(0.0, 1.0, "(]")] = 0.75
    horizon: Count = BUDGET
    barrier: NonNegative = 1.0
    bent: Positive = math.radians(80.0)
    near: Fraction = 0.3
    bounded: bool = True
    freeze: bool = True
    adjoint: Positive | None = 3.0
    terminal: Literal["huber", "squares"] = "huber"
    seed: Natural = 0


class Lessons:
    """The trainee that learns to dock: the policy drives a batch of trucks, and the loss flows back through time.

    ::

        loss = mean over trucks of   terminal(x_end) + barrier sum_t max(|hitch_t| - bent, 0)^2

    through ``x_{t+1} = model(x_t, policy(x_t))``. Lesson k of n draws starts from a region around the dock that grows
    with ``k / n``. Backing up is unstable, so that the gradient by a state (the adjoint) grows backward in time until
    the policy steadies the hitch; the norm of each truck's adjoint is limited to `adjoint`.

    Args:
        policy: the policy, which is trained in place.
        model: model of a decision, such as an emulator.
        settings: settings of the lessons.

    Source: Nguyen and Widrow, "The truck backer-upper", IJCNN 1989; the limit of the adjoint is that of
    back-propagated errors in Graves, "Generating sequences with recurrent neural networks", 2013, section 2.1.

    Example:
        >>> from .kinematics import backed
        >>> lessons = Lessons(TruckPolicy.new(hidden=(8,)), backed, LessonSettings(batch=16))
        >>> loss, metrics = lessons.loss(0, np.random.default_rng(0))
        >>> loss.requires_grad, metrics["lesson"]
        (True, 1)
    """

    def __init__(self, policy: TruckPolicy, model: Model, settings: LessonSettings) -> None:
        self.policy, self.model, self.settings = policy, model, settings
        self.modules: dict[str, torch.nn.Module] = {"policy": policy.network}
        self.kind = next(policy.network.parameters())
        self.lesson, self.docked = 1, 0.0
        rng = np.random.default_rng([settings.seed, 1])
        self.exam = torch.as_tensor(region(1.0, 512, rng, settings.near)).to(self.kind)

    def loss(self, step: int, generator: np.random.Generator) -> tuple[torch.Tensor, dict[str, Any]]:
        """The mean loss of a batch of trucks in the current lesson."""
        s = self.settings
        due = math.ceil(s.lessons * min(1.0, (step + 1) / (s.last_lesson * s.steps)) ** 1.5)  # early lessons are cheap
        passed = self.docked > s.pass_rate and self.lesson < s.lessons
        if passed or due > self.lesson:
            self.lesson, self.docked = max(due, self.lesson + passed), 0.5
        share = self.lesson / s.lessons
        x = torch.as_tensor(region(share, s.batch, generator, s.near * (share == 1.0))).to(self.kind)
        losses, won = episodes(self.policy, self.model, x, _length(share, s.horizon), s)
        rate = float(won.double().mean())
        self.docked += 0.05 * (rate - self.docked)
        return losses.mean(), {"docked": rate, "lesson": self.lesson}

    def validate(self) -> dict[str, float]:
        """The share of trucks that are not docked strictly, from everywhere in the yard; by the model alone."""
        losses, won = episodes(self.policy, self.model, self.exam, self.settings.horizon, self.settings, STRICT)
        return {"score": 1.0 - float(won.double().mean()), "exam_loss": float(losses.mean())}

    def state(self) -> dict[str, float]:
        """The lesson, and the moving average of docked trucks in it."""
        return {"lesson": self.lesson, "docked": self.docked}

    def restore(self, state: dict[str, float]) -> None:
        """Continue in a lesson."""
        self.lesson, self.docked = int(state["lesson"]), state["docked"]


def region(
    share: float, count: int, rng: np.random.Generator, near: float = 0.0, depth: float = 6.0, turned: float = 1.0
) -> Array:
    """Random starts ``(count, 4)`` of a lesson, for a share in (0, 1] of the yard; y is relative to the dock.

    The whole region is x in [10, 40], y in [-18, 18] (a dock may be anywhere), any heading, hitch within 45 degrees.
    A share `near` of the starts is in the `depth` metres that are nearest to the dock, with headings within
    ``180 turned`` degrees of that of the dock.

    Example:
        >>> bool(np.abs(region(0.1, 100, np.random.default_rng(0))[:, 1]).max() < 1.8)
        True
    """
    x = rng.uniform(6.0 + 4.0 * share, 10.0 + 30.0 * share, count)
    close = rng.random(count) < near
    x = np.where(close, 6.0 + 4.0 * share + depth * rng.random(count), x)
    y, trailer, hitch = (share * high * rng.uniform(-1.0, 1.0, count) for high in (18.0, math.pi, 0.25 * math.pi))
    trailer = np.where(close, turned * trailer, trailer)
    return np.column_stack([x, y, trailer + hitch, trailer])


def episodes(
    policy: TruckPolicy,
    model: Model,
    x: torch.Tensor,
    horizon: int,
    settings: LessonSettings,
    tolerance: tuple[float, float] = TOLERANCE,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The loss of each truck ``(N,)`` from starts ``(N, 4)``, and whether the policy docked it within a tolerance.

    Ended episodes leave the batch every dozen decisions, which saves half of the work.
    """
    rows, active = torch.arange(len(x)), torch.ones(len(x), dtype=torch.bool)
    bends, losses, won = x.new_zeros(len(x)), x.new_zeros(len(x)), torch.zeros(len(x), dtype=torch.bool)
    for k in range(horizon):
        turned = directions(x)
        moved = model(x, policy(x, turned), turned)
        if settings.adjoint is not None and moved.requires_grad:
            moved.register_hook(_limit(settings.adjoint / len(won)))
        x = torch.where(active[:, None], moved, x)
        over = torch.relu(wrapped(x[:, 2] - x[:, 3]).abs() - settings.bent)
        bends = bends + settings.barrier * active * over.square()
        if settings.freeze:
            active = active & running(x.detach())
        if k % SETTLE == SETTLE - 1 or k == horizon - 1:
            ended = ~active if k < horizon - 1 else torch.ones_like(active)
            losses = losses.index_put((rows[ended],), terminal_loss(x[ended], settings.terminal) + bends[ended])
            won[rows[ended]] = docked(x[ended].detach(), *tolerance)
            x, bends, rows, active = (each[~ended] for each in (x, bends, rows, active))
            if not len(x):
                break
    return losses, won


def terminal_loss(x: torch.Tensor, form: Literal["huber", "squares"] = "huber") -> torch.Tensor:
    """The loss of last states ``(N, 4)``, y relative to the dock.

    ::

        huber(y_r) + 4 (1 - cos trailer_yaw) + 0.1 max(x_r, 0)      "huber": periodic, and bounded in its slope
        y_r^2 + trailer_yaw^2 + 0.1 max(x_r, 0)                     "squares"

    Example:
        >>> terminal_loss(torch.tensor([[4.0, 0.0, 0.0, 0.0], [4.0, 2.0, 0.0, 0.0]])).tolist()
        [0.0, 1.5]
    """
    along, across = rear(x)
    left = 0.1 * torch.relu(along)
    if form == "squares":
        return across.square() + x[:, 3].square() + left
    aside = torch.nn.functional.huber_loss(across, torch.zeros_like(across), reduction="none")
    return aside + 4.0 * (1.0 - torch.cos(x[:, 3])) + left


def _length(share: float, horizon: int) -> int:
    """The decisions in an episode of a lesson: fewer near the dock."""
    return max(1, round(min(horizon, 60) + share * max(horizon - 60, 0)))


def _limit(most: float) -> Callable[[torch.Tensor], torch.Tensor]:
    """A hook that limits the norm of the gradient by each truck's state."""

    def limited(gradient: torch.Tensor) -> torch.Tensor:
        norm = gradient.norm(dim=-1, keepdim=True)
        return torch.nan_to_num(gradient * (most / norm.clamp(min=most)), 0.0, 0.0, 0.0)

    return limited
