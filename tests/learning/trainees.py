"""Small trainees for the laws of training; as a script, it trains one of them in a folder, slowly.

python -m tests.learning.trainees curriculum FOLDER PAUSE
"""

from __future__ import annotations

import sys
import time

import numpy as np
import torch

from pilotage.learning import TrainingSettings, train
from pilotage.learning._processes import rank


class Curriculum:
    """Draws from numpy and torch, drops out, has running statistics, and a lesson that evolves."""

    def __init__(self, pause: float = 0.0, width: int = 8) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(3)
            layers = torch.nn.Linear(2, width), torch.nn.BatchNorm1d(width), torch.nn.Tanh(), torch.nn.Dropout(0.2)
            self.modules = {"body": torch.nn.Sequential(*layers), "head": torch.nn.Linear(width, 1)}
        self.pause, self.lesson, self.average = pause, 1, 1.0

    def loss(self, step, generator):
        time.sleep(self.pause)
        x = torch.tensor(generator.normal(size=(16, 2)), dtype=torch.float32) * self.lesson / 5
        x = x + 0.01 * torch.randn(16, 2)
        loss = (self.modules["head"](self.modules["body"](x)) - x.prod(-1, keepdim=True)).pow(2).mean()
        self.average = 0.9 * self.average + 0.1 * float(loss.detach())
        if self.average < 0.3 * self.lesson / 5 and self.lesson < 5:
            self.lesson += 1
        return loss, {"lesson": self.lesson}

    def validate(self):
        x = torch.linspace(-1, 1, 20)[:, None].expand(20, 2)
        return {"score": (self.modules["head"](self.modules["body"](x)) - x.prod(-1, keepdim=True)).pow(2).mean()}

    def state(self):
        return {"lesson": self.lesson, "average": self.average}

    def restore(self, state):
        self.lesson, self.average = state["lesson"], state["average"]


SHORT = TrainingSettings(steps=60, rate=0.02, validate_every=9, save_every=7, seed=11)
LONG = TrainingSettings(steps=400, rate=0.01, warm_up=10, validate_every=30, save_every=7, seed=11)


class Halves:
    """Least squares on a fixed batch; each of two processes takes its half, and a process alone takes both."""

    def __init__(self, batch: int) -> None:
        rng = np.random.default_rng(0)
        self.x, self.y = (torch.tensor(rng.normal(size=(100, 16, n))) for n in (3, 2))
        self.modules = {"net": torch.nn.Linear(3, 2, dtype=torch.float64)}
        with torch.no_grad():  # other weights in each process: those of the first one count
            self.modules["net"].weight.fill_(0.1 + rank())
            self.modules["net"].bias.fill_(0.2)
        self.batch, self.validations = batch, 0

    def loss(self, step, generator):
        rows = slice(rank() * self.batch, (rank() + 1) * self.batch)
        return (self.modules["net"](self.x[step, rows]) - self.y[step, rows]).pow(2).mean(), {}

    def validate(self):
        """The last weights are the best."""
        self.validations += 1
        return {"score": -self.validations}


TOGETHER = TrainingSettings(steps=60, rate=0.02, clip=0.5, validate_every=20, weight_decay=0.1)

if __name__ == "__main__":
    what, folder, pause = sys.argv[1:]
    if what == "curriculum":
        train(Curriculum(float(pause)), LONG, folder, resume=True)
    else:
        train(Halves(8), TOGETHER, folder)
