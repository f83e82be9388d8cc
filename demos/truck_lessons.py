"""The truck that learns to dock, lesson by lesson: stages of one training drive the same trucks.

    lesson k    starts within k tenths of the yard: place, heading and hitch angle
    loss        lateral error and heading at the dock, through all decisions of the drive

A policy of the first lesson is good near the dock; those of later lessons bring the truck there.
"""

from __future__ import annotations

import copy
import io
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pilotage.core.arrays import Array
from pilotage.envs.drawing import film
from pilotage.envs.truck.view import draw_yard
from pilotage.envs.truck.yard import kinematics, verdict
from pilotage.io import write_atomic
from pilotage.learning import train
from pilotage.learning.worlds import TruckOptions, TruckPolicy
from pilotage.learning.worlds.truck import LessonSettings
from pilotage.learning.worlds.truck.evaluate import drive
from pilotage.learning.worlds.truck.kinematics import backed
from pilotage.learning.worlds.truck.lessons import Lessons
from pilotage.viz import draw_panels

STORED = Path(__file__).parent / "policies" / "truck"
"""The stages that `teach(1)` gave."""
SHOWN, HIDDEN, START = (0, 2, 4, 10), (32, 32), (13.4, -1.8, -0.91, -1.54, 0.0)


class Stages:
    """Lessons that keep a copy of the policy at the end of each.

    Args:
        lessons: the lessons, a trainee.
    """

    def __init__(self, lessons: Lessons) -> None:
        self.lessons, self.modules, self.kept = lessons, lessons.modules, {0: copy.deepcopy(lessons.policy)}
        self.validate, self.state, self.restore = lessons.validate, lessons.state, lessons.restore

    def loss(self, step: int, generator: np.random.Generator) -> tuple[torch.Tensor, dict[str, Any]]:
        """The loss of the current lesson."""
        before = self.lessons.lesson
        self.kept[before] = copy.deepcopy(self.lessons.policy) if step else self.kept[0]
        return self.lessons.loss(step, generator)


def teach(seed: int, steps: int = 700) -> dict[int, TruckPolicy]:
    """The policies after the lessons, in the exact kinematics; 0 is the one that does not steer yet."""
    policy, settings = TruckPolicy.new(HIDDEN, seed=seed), LessonSettings(steps=steps, batch=256, seed=seed)
    policy.network.float()
    stages = Stages(Lessons(policy, backed, settings))
    train(stages, settings)
    kept = {**stages.kept, max(stages.kept): policy}
    for each in kept.values():
        each.network.double()
        each.refresh()
    return {lesson: kept[lesson] for lesson in SHOWN}


def docked(policy: TruckPolicy, starts: int = 400) -> float:
    """The share of trucks that a policy docks from starts E1."""
    return float(drive(policy, TruckOptions(starts=starts, seed=5).draw()).docked.mean())


def stored() -> dict[int, TruckPolicy]:
    """The policies that are stored beside the demos."""
    return {lesson: TruckPolicy.load(STORED / f"lesson-{lesson}") for lesson in SHOWN}


def driven(policy: TruckPolicy, budget: int = 120) -> tuple[Array, str]:
    """The states of a drive from `START`, and how it ended."""
    model, xs, told = kinematics(hold=4), [np.array(START)], dict[str, Any]()
    while len(xs) <= budget and not told.get("jackknifed") and not told.get("arrived"):
        xs.append(model.step(xs[-1], policy.act(xs[-1]).u, 0.4))
        told = {**verdict(xs[-1]), "arrived": xs[-1][0] - 4.0 * np.cos(xs[-1][3]) <= 0.0}
    end = next((name for name in ("docked", "jackknifed", "arrived") if told[name]), "under way")
    return np.array(xs), {"arrived": "missed"}.get(end, end)


def main(*, retrain: bool = False, seed: int = 1, out: Path = Path("pilotage-demo"), no_animation: bool = False) -> int:
    """Drive the same truck after each lesson; ends with a table, a picture and an animation.

    Args:
        retrain: Train anew, for a minute or two, instead of using the stored stages.
        seed: Seed of the training.
        out: Folder for the picture and the animation.
        no_animation: The picture alone.
    """
    stages = teach(seed) if retrain else stored()
    rates = {lesson: docked(policy) for lesson, policy in stages.items()}
    films, stride = {}, 200 if no_animation else 2
    print("lesson   docked of E1   this truck")
    for lesson, policy in stages.items():
        xs, end = driven(policy)
        print(f"{lesson:6} {100.0 * rates[lesson]:12.1f} %   {end}")
        name = f"after lesson {lesson}" if lesson else "before the first lesson"
        films[f"{name}: {end}; {100.0 * rates[lesson]:.0f} % of all starts docked"] = film(
            draw_yard, kinematics(hold=4), xs, 0.4, stride
        )
    out.mkdir(parents=True, exist_ok=True)
    figure = draw_panels(films, None if no_animation else out / "truck-lessons.gif")
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    write_atomic(out / "truck-lessons.png", drawn.getvalue())
    print(f"see {out / 'truck-lessons.png'}")
    first, last = rates[SHOWN[0]], rates[SHOWN[-1]]
    if not (first < 0.1 and last > 0.8):
        print("not as it should be: before the first lesson it should dock almost never, after the last often")
        return 1
    return 0
