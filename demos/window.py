"""A quadrotor flies through a window in gusts: by its plan alone, by tracking the plan, and by planning at every tick.

    plan           SQP finds the whole flight; its constraint keeps the drone within a funnel to the window
    open loop      flies the actions of the plan
    TrackingLQR    flies them with feedback along the plan
    SQP            solves one quadratic program of the next 2 s at every tick (real-time iteration)

The wind blows sideways, with gusts; nobody is told. All three meet the same gusts.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pilotage.bench import BenchmarkTask, Wind, simulate
from pilotage.control import SQP, TrackingLQR
from pilotage.core import Action, Plan
from pilotage.io import write_atomic
from pilotage.models import quadrotor, task
from pilotage.viz import draw_discs
from pilotage.viz.palette import CYCLE, INK, PLAN, SHADE

DRONE, DT, STEPS = quadrotor(noise=0.0), 0.05, 90
WALL, WINDOW, GOAL = 3.0, (0.6, 1.5), (6.0, 0.0, 1.0)
"""x of the wall, and y and z of the middle of its window; where the drone goes [m]."""
HOLE, BODY, MARGIN = 0.5, 0.2, 0.15
"""Radius of the window and of the drone, and what the plan leaves between them [m]."""
HOVER = np.array([DRONE.params["mass"] * DRONE.params["gravity"], 0.0, 0.0, 0.0])
START = DRONE.state.plus(DRONE.state.identity(), [0.0, -0.8, 0.8, *[0.0] * 9])
GUSTS = (Wind("vx", 1.2, 0.5), Wind("vy", 1.2, 0.5, mean=-0.5), Wind("vz", 1.2, 0.5))
WEIGHTS = (1.0,) * 3 + (0.1,) * 9 + (0.01, 10.0, 10.0, 10.0)


def away(x: Any) -> list[Any]:
    """The difference of a position from the goal."""
    return [x[i] - GOAL[i] for i in range(3)]


def outside(x: Any, u: Any, p: Any, m: Any) -> Any:
    """How far the middle of the drone is outside the funnel, which is as wide as the window at the wall."""
    off = m.hypot(x[1] - WINDOW[0], x[2] - WINDOW[1])
    return [off - p.radius - (x[0] - WALL) ** 2]


@task(state=DRONE.state, action=DRONE.action, params={"radius": HOLE - BODY}, constraint=outside, weights=WEIGHTS,
      terminal=lambda x, p, m: [*away(x), *x[7:10]], terminal_weights=(20.0,) * 3 + (5.0,) * 3)  # fmt: skip
def fly(x: Any, u: Any, p: Any, m: Any) -> Any:
    """Get to the goal, level and at rest, with little effort."""
    return [*away(x), *x[4:], u[0] - HOVER[0], *u[1:]]


class Flight(NamedTuple):
    """States ``(T + 1, 13)``, and where the wall was crossed: y and z ``(2,)`` [m]."""

    xs: np.ndarray
    at: np.ndarray

    @property
    def passed(self) -> bool:
        """Whether the drone got through and did not touch the frame."""
        return bool(np.hypot(*(self.at - WINDOW)) < HOLE - BODY)


class OpenLoop:
    """A controller that does not look: the actions of a plan, one after another."""

    def __init__(self, plan: Plan) -> None:
        self.us = plan.us

    def reset(self, *, seed: int | None = None) -> None:
        """Nothing is remembered."""

    def act(self, belief_or_state: Any, t: float | None = None) -> Action:
        """The action of the plan at time `t`."""
        assert self.us is not None and t is not None
        return Action(self.us[min(round(t / DT), len(self.us) - 1)])


def flight(controller: Any, seed: int, wind: tuple[Wind, ...] = GUSTS) -> Flight:
    """One flight in the wind."""
    course = BenchmarkTask("window", DRONE, fly(dt=DT, horizon=STEPS), start=lambda seed: START, rest=HOVER)
    xs = np.array(simulate(course, controller, seed=seed, disturbances=wind).xs)
    return Flight(xs, crossing(xs))


def crossing(xs: np.ndarray) -> np.ndarray:
    """y and z where a path first passes the wall, ``(2,)``; NaN if it never does."""
    k = np.flatnonzero((xs[:-1, 0] < WALL) & (xs[1:, 0] >= WALL))
    if not len(k):
        return np.full(2, np.nan)
    a, b = xs[k[0]], xs[k[0] + 1]
    return a[1:3] + (WALL - a[0]) / (b[0] - a[0]) * (b[1:3] - a[1:3])


def picture(plan: Plan, flights: dict[str, list[Flight]]) -> Figure:
    """The flights from above, and where they crossed the wall."""
    figure = Figure(figsize=(10.0, 5.0), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, len(flights), height_ratios=[1.2, 1])
    assert plan.xs is not None
    for (above, wall), color, (name, each) in zip(axes.T, CYCLE[:2] + CYCLE[3:], flights.items(), strict=False):
        above.plot([WALL, WALL], [-2.5, WINDOW[0] - HOLE], [WALL, WALL], [WINDOW[0] + HOLE, 2.5], color=INK, lw=4.0)
        above.plot(*plan.xs[:, :2].T, color=PLAN, ls="--", label="plan")
        for one in each:
            above.plot(*one.xs[:, :2].T, color=color, lw=0.8)
        above.set(xlim=(-0.5, 6.8), ylim=(-2.5, 2.0), aspect="equal", xlabel="x [m]", ylabel="y [m]", title=name)
        wall.set_facecolor(SHADE)
        draw_discs(wall, [WINDOW], [HOLE], color="white", alpha=1.0)
        draw_discs(wall, [one.at for one in each if np.isfinite(one.at).all()], BODY, color=color, alpha=0.25)
        wall.set(xlim=(-1.6, 1.6), ylim=(0.4, 2.4), aspect="equal", xlabel="y [m]", ylabel="z [m]")
        wall.set_title(f"{sum(one.passed for one in each)} of {len(each)} through the window")
    axes[0, 0].legend()
    return figure


def main(*, seeds: int = 10, out: Path = Path("pilotage-demo")) -> int:
    """Fly through a window in gusts; ends with a table and a picture.

    Args:
        seeds: Number of flights of each controller.
        out: Folder for the picture.
    """
    planning = fly(radius=HOLE - BODY - MARGIN, dt=DT)
    plan = SQP(DRONE, planning, horizon=STEPS, brake=HOVER).solve(START)
    assert plan.ok, plan.reason
    controllers = {
        "open loop": OpenLoop(plan),
        "TrackingLQR": TrackingLQR(DRONE, plan, Q=[100.0] * 3 + [1.0] * 9, R=[1.0, 10.0, 10.0, 10.0]),
        "SQP": SQP(DRONE, planning, horizon=40, real_time=True, soft=True, brake=HOVER),
    }
    flights = {name: [flight(each, seed) for seed in range(seeds)] for name, each in controllers.items()}
    print("controller   through  off the middle, mean [m]  worst [m]  off the goal, mean [m]")
    for name, each in flights.items():
        off = [np.hypot(*(one.at - WINDOW)) for one in each]
        ends = np.mean([np.linalg.norm(one.xs[-1, :3] - GOAL) for one in each])
        through = f"{sum(one.passed for one in each)}/{len(each)}"
        print(f"{name:12} {through:>7} {np.mean(off):25.3f} {np.max(off):10.3f} {ends:23.2f}")
    drawn = io.BytesIO()
    picture(plan, flights).savefig(drawn, format="png")
    out.mkdir(parents=True, exist_ok=True)
    write_atomic(out / "window.png", drawn.getvalue())
    print(f"see {out / 'window.png'}")
    if flight(controllers["open loop"], 0, ()).passed and all(one.passed for one in flights["SQP"]):
        return 0
    print("not as it should be: without wind the plan is enough, and SQP gets through in all gusts")
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
