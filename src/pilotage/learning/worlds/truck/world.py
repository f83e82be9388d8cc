"""The world `truck`: an emulator is learned from random drives, and a policy in it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import torch

from ....core import FormatError, SettingError
from ....core.settings import Count, Natural, settings
from ..._threads import threads_for
from ...records import Record
from ...runs import plain, read_run_end
from ...training import train
from .compare import compared
from .emulator import EmulatorSettings, Form, learn_emulator
from .evaluate import TruckOptions, evaluate, examined
from .kinematics import backed
from .lessons import Lessons, LessonSettings, Model
from .policy import WEIGHTS, TruckPolicy
from .recovery import RecoverySettings, recover
from .walls import WallsPolicy

Through = Literal["emulator", "truth", "hybrid"]


@settings(kw_only=True)
class TruckSettings(LessonSettings):
    """Settings of the world `truck`, besides those of every training; `steps` are those of the lessons.

    Attributes:
        through: model in which the policy learns: the "emulator", the "truth", or "hybrid": the truth, whose gradients
            are those of the emulator.
        form: form of the emulator, "residual" or "absolute".
        emulator_steps: number of gradient steps of the emulator.
        rounds: number of rounds of recovery after the lessons; 0 for none.
        hidden: width of each hidden layer of the policy; (25,) is the network of 1990, (2,) that of Jenkins and Yuhas.
        inputs: features of the policy, "directions" or, as in 1990, "state"; see `TruckPolicy`.
        batch: number of trucks per gradient step.
        lessons: number of lessons; 1 for no curriculum.
        pass_rate: share of docked trucks with which a lesson is passed.
        last_lesson: share of the steps after which the last lesson begins at the latest.
        horizon: largest number of decisions in an episode.
        barrier: weight of the hitch angle beyond `bent`; 0 for none.
        bent: hitch angle at which the barrier begins [rad].
        near: share of the starts of the last lesson that are in the 6 m nearest to the dock.
        bounded: whether a tanh bounds the steering.
        freeze: whether an episode ends at the dock; otherwise, all last for the horizon.
        adjoint: largest gradient of a truck's loss by one of its states; None for no limit.
        terminal: loss at the end, "huber" or "squares".

    Example:
        >>> TruckSettings(through="hybrid").lessons
        10
    """

    through: Through = "emulator"
    form: Form = "residual"
    emulator_steps: Count = 4000
    rounds: Natural = 10


class TruckWorld:
    """A truck learns to back its trailer up to a dock, in a model that it learned itself.

    Training has three parts. An emulator is fitted to random drives. Then a policy learns by back-propagation through
    the emulator, lesson by lesson from near the dock outward. Where it still fails, a search in the emulator finds how
    to turn around, and the policy imitates that. `evaluate` drives the policy with the exact kinematics.

    Source: Nguyen and Widrow, "The truck backer-upper", IJCNN 1989.

    Example:
        >>> found = TruckWorld().evaluate(None, TruckOptions(starts=200))
        >>> found["success"]["share"] > 0.9
        True
    """

    settings = TruckSettings
    options = TruckOptions

    def train(
        self,
        settings: TruckSettings,
        folder: Path,
        *,
        resume: bool = False,
        progress: Callable[[Record], None] | None = None,
    ) -> Mapping[str, Any]:
        """Train the emulator and the policy, and save both in the folder."""
        more = {"resume": resume, "progress": progress}
        begun = time.process_time()
        model, learned = self._model(settings, folder, **more)
        after = time.process_time()
        policy = TruckPolicy.new(settings.hidden, bounded=settings.bounded, inputs=settings.inputs, seed=settings.seed)
        policy.network.float()
        with threads_for(0):
            lessons = train(Lessons(policy, model, settings), settings, folder / "lessons", **more)
            practice = RecoverySettings(rounds=settings.rounds, horizon=settings.horizon, seed=settings.seed)
            rounds = recover(policy, model, practice, folder, **more)
        policy.network.double()
        policy.refresh()
        seconds = {"emulator": after - begun, "policy": time.process_time() - after}
        policy.metrics = {"settings": plain(settings), "seconds": seconds, "results": examined(policy)}
        policy.save(folder)
        scores = [record.best.score for record in rounds]
        return {"lessons": lessons.to_json(), "emulator": learned, "recovery": scores, "seconds": seconds}

    def evaluate(self, folder: Path | None, options: TruckOptions) -> Mapping[str, Any]:
        """The success rate of the policy in the folder, or of that in the package for these starts."""
        if options.controller != "policy":
            if folder is not None:
                raise SettingError(f"folder is {folder}; expected none, since {options.controller} has no weights")
            return compared(options.controller, options).to_json()
        if folder is not None and (folder / "lessons").is_dir() and read_run_end(folder / "lessons") is None:
            raise FormatError(f"the run in {folder} has not ended; resume=True continues it")
        if folder is None and options.distribution == "E3" and options.goal == "dock":
            return evaluate(WallsPolicy.load(), options)
        return evaluate(TruckPolicy.load(WEIGHTS / "seed-1" if folder is None else folder), options)

    def _model(self, settings: TruckSettings, folder: Path, **more: Any) -> tuple[Model, float | None]:
        """The model in which the policy learns, and the error of the emulator relative to the change of the state."""
        if settings.through == "truth":
            return backed, None
        wanted = EmulatorSettings(form=settings.form, steps=settings.emulator_steps, seed=settings.seed)
        emulator, record = learn_emulator(wanted, folder / "emulator", **more)
        learned = emulator.frozen()
        return (learned if settings.through == "emulator" else hybrid(learned)), math.sqrt(record.score)


def hybrid(emulator: Model) -> Model:
    """The true model, whose gradients are those of an emulator.

    ::

        x' = backed(x, steer),   dx' / d(x, steer) = demulator / d(x, steer)

    Source: the demonstration github.com/TiFu/truck_backer_upper.

    Example:
        >>> from pilotage.learning import MLP
        >>> from pilotage.learning.worlds.truck import TruckEmulator
        >>> model = hybrid(TruckEmulator(MLP(7, 4, hidden=(8,))))
        >>> x, u = torch.zeros(1, 4, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
        >>> bool((model(x, u) == backed(x, u)).all())
        True
    """

    def model(x: torch.Tensor, steer: torch.Tensor, turned: torch.Tensor | None = None) -> torch.Tensor:
        guess = emulator(x, steer, turned)
        with torch.no_grad():
            error = backed(x, steer) - guess
        return guess + error

    return model
