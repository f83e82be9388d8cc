"""The same truck backs up to the dock under seven controllers, side by side.

    LQR                     about the line through the dock; only the steering angle is limited
    LQR with limits         the limits of the heading to the line and of the hitch angle in series
    feedback linearisation  the trailer's lateral motion made linear exactly
    hybrid A* and pursuit   a path of the trailer, along which it is backed
    iLQR, MPPI              plans of the hitch angle over 24 m, made anew at each decision
    policy                  a network, trained by back-propagation through an emulator

The start is across the yard. `python -m pilotage.learning.worlds.truck.compare` counts successes over many starts.
"""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any

import numpy as np

from pilotage.core.arrays import Array
from pilotage.envs.drawing import film
from pilotage.envs.truck.view import draw_yard
from pilotage.envs.truck.yard import kinematics, verdict
from pilotage.io import write_atomic
from pilotage.learning.worlds.truck.compare import CONTROLLERS
from pilotage.learning.worlds.truck.evaluate import Name
from pilotage.viz import draw_panels

START = (32.0, -1.5, 1.2, 1.1, 0.0)
TITLES: dict[Name, str] = {
    "lqr": "LQR",
    "limited-lqr": "LQR with limits",
    "feedback-linearization": "feedback linearisation",
    "hybrid-astar": "hybrid A* and pursuit",
    "ilqr": "iLQR",
    "mppi": "MPPI",
    "policy": "learned policy",
}
FRAMES = 45
"""Pictures of the longest drive."""


def drive(controller: Any, start: Any = START, budget: int = 200) -> tuple[Array, dict[str, bool], float]:
    """The states until the trailer arrives or the truck jackknifes, the verdict, and seconds per decision."""
    model, xs, told, spent = kinematics(hold=4), [np.array(start)], dict[str, bool](), 0.0
    controller.reset(seed=0)
    while len(xs) <= budget and not (told.get("jackknifed") or told.get("arrived")):
        begun = time.perf_counter()
        u = controller.act(xs[-1]).u
        spent += time.perf_counter() - begun
        xs.append(model.step(xs[-1], u, 0.4))
        told = {name: bool(value) for name, value in verdict(xs[-1]).items()}
        told["arrived"] = bool(xs[-1][0] - 4.0 * np.cos(xs[-1][3]) <= 0.0)
    return np.array(xs), told, spent / (len(xs) - 1)


def main(*, out: Path = Path("pilotage-demo"), no_animation: bool = False) -> int:
    """Back up the same truck with seven controllers; ends with a table, a picture and an animation.

    Args:
        out: Folder for the picture and the animation.
        no_animation: The picture alone.
    """
    drives = {title: drive(CONTROLLERS[name](False)) for name, title in TITLES.items()}
    print(f"{'controller':24} {'end':>12} {'way':>8} {'decision':>10}")
    films = {}
    longest = max(len(xs) for xs, _, _ in drives.values())
    stride = longest if no_animation else max(1, longest // FRAMES)
    for title, (xs, told, seconds) in drives.items():
        end = "docked" if told["docked"] else "jackknifed" if told["jackknifed"] else "missed"
        print(f"{title:24} {end:>12} {0.4 * (len(xs) - 1):6.1f} m {1e6 * seconds:7.0f} us")
        films[f"{title}: {end}"] = film(draw_yard, kinematics(hold=4), xs, 0.4, stride)
    out.mkdir(parents=True, exist_ok=True)
    figure = draw_panels(films, None if no_animation else out / "truck-controllers.gif")
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    write_atomic(out / "truck-controllers.png", drawn.getvalue())
    print(f"see {out / 'truck-controllers.png'}")
    wrong = [title for title, (_, told, _) in drives.items() if told["docked"] == (title == "LQR")]
    if wrong:
        print(f"not as it should be: {', '.join(wrong)}; all but the LQR without limits dock, and that one jackknifes")
    return 1 if wrong else 0
