"""Settings of the training loop, and of the fits that use it."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from ..core.confidence import Share
from ..core.settings import Count, Interval, Natural, NonNegative, Positive, settings


@settings(kw_only=True)
class TrainingSettings:
    """Settings of `train`; a subclass with further fields keeps them with the run.

    ::

        rate(k) = rate * min(1, (k + 1) / warm_up) * s(k / steps)
        s(t) = 1                                          schedule "constant"
             = (1 + cos(pi t)) / 2                        schedule "cosine"
             = min(1, (1 - t) / (1 - decay_after))        schedule "decay"

    The optimiser is AdamW.

    Attributes:
        steps: number of gradient steps.
        rate: learning rate.
        schedule: "constant", "cosine" or "decay".
        decay_after: share of the steps after which the rate of the schedule "decay" falls to zero.
        warm_up: number of steps in which the rate rises from zero.
        weight_decay: decoupled weight decay per step, in units of the rate.
        clip: largest norm of the gradient; None for no limit.
        patience: number of validations without a better score after which training ends; None for no early stop.
        precision: "full", or "mixed" for products of float32 networks in bfloat16 on a GPU.
        device: device to which the modules are moved, such as "cpu", "cuda" or "auto" (a GPU if there is one); None if
            they stay where they are.
        collapse: amount by which the score of a validation may exceed the best one; beyond it, training goes on from
            the best weights, at half the rate. None for no limit.
        validate_every: number of steps between validations.
        save_every: number of steps between checkpoints, if there is a folder.
        seed: seed of what is random.

    Source: Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019 (AdamW); "SGDR: stochastic
    gradient descent with warm restarts", ICLR 2017 (cosine).

    Example:
        >>> some = TrainingSettings(steps=100, rate=0.01, schedule="decay", decay_after=0.5, warm_up=4)
        >>> [round(some.rate_at(k), 4) for k in (0, 3, 50, 75)]
        [0.0025, 0.01, 0.01, 0.005]
    """

    steps: Count = 1000
    rate: Positive = 1e-3
    schedule: Literal["constant", "cosine", "decay"] = "cosine"
    decay_after: Annotated[float, Interval(0.0, 1.0, "[)")] = 0.6
    warm_up: Natural = 0
    weight_decay: NonNegative = 0.0
    clip: Positive | None = 1.0
    patience: Count | None = None
    collapse: Positive | None = None
    precision: Literal["full", "mixed"] = "full"
    device: str | None = None
    validate_every: Count = 100
    save_every: Count = 1000
    seed: Natural = 0

    def rate_at(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        t = step / self.steps
        share = {
            "constant": 1.0,
            "cosine": 0.5 + 0.5 * math.cos(math.pi * t),
            "decay": min(1.0, (1.0 - t) / (1.0 - self.decay_after)),
        }[self.schedule]
        return self.rate * share * min(1.0, (step + 1) / max(1, self.warm_up))


@settings(kw_only=True)
class FitSettings(TrainingSettings):
    """Settings of a run of `fit` or `fit_parameters`, as they are kept in its folder; see `read_settings`.

    Attributes:
        dt: duration of a transition [s].
        epochs: number of passes over the data.
        batch: number of transitions per gradient step.
        held_out: share of the transitions for validation.
        data: hash of states, actions and initial weights.

    Example:
        >>> FitSettings(dt=0.1, epochs=20, batch=64, held_out=0.1, data="").epochs
        20
    """

    dt: Positive
    epochs: Count
    batch: Count
    held_out: Share
    data: str
