"""A slow planner teaches a fast policy to swing up a pendulum: alone, as a warm start, and with a switch between them.

    teacher   MPPI with 1000 samples
    policy    networks that imitate the teacher's plans (DAgger)
    small     MPPI with 32 samples
    warm      the same, which begins with the policy's plan where that is better than its own
    switch    the policy where its networks agree, and with spot checks of the teacher; else the teacher

The plant and the cost are those of Gymnasium's Pendulum-v1. On its seeds 0 to 29, the best possible mean cost is 127.9,
by dynamic programming; what a controller costs above that is its regret.
"""

from __future__ import annotations

import io
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pilotage.control import MPPI
from pilotage.core import Action, Controller, Space
from pilotage.io import write_atomic
from pilotage.learning import Distilled, ImitationSettings, NetworkPolicy, Switch, distill
from pilotage.models import discrete_dynamics, task
from pilotage.viz.palette import CYCLE, MUTED

ROD, TORQUE = Space("theta: angle", "rate [rad/s] in [-8, 8]"), Space("torque [N m] in [-2, 2]")
OPTIMUM, TESTS, STEPS, HORIZON = 127.9, 30, 200, 40
STORED = Path(__file__).parent / "policies" / "pendulum"
"""The policy that `teach(0)` gave, with its metrics."""


@discrete_dynamics(state=ROD, action=TORQUE)
def rod(x: Any, u: Any, dt: Any, p: Any, m: Any) -> Any:
    """A rod that turns about its end, theta = 0 upright."""
    rate = m.clip(x[1] + (15.0 * m.sin(x[0]) + 3.0 * u[0]) * dt, -8.0, 8.0)
    return x[0] + rate * dt, rate


@task(state=ROD, action=TORQUE)
def swing_up(x: Any, u: Any, p: Any, m: Any) -> Any:
    return x[0] ** 2 + 0.1 * x[1] ** 2 + 0.001 * u[0] ** 2


PLANT, GOAL = rod(), swing_up(dt=0.05, horizon=STEPS)


@dataclass
class Result:
    """The episodes of a controller: their costs, and the mean time of a tick [s]."""

    costs: np.ndarray
    seconds: float
    slow: float = math.nan
    """Share of the ticks in which the slow planner of a switch acted."""

    @property
    def regret(self) -> float:
        """The mean cost above the optimum."""
        return float(self.costs.mean()) - OPTIMUM


def starts(seeds: Any) -> np.ndarray:
    """The initial states ``(N, 2)`` of Pendulum-v1 for these seeds."""
    high = np.array([math.pi, 1.0])
    return np.array([np.random.default_rng(seed).uniform(-high, high) for seed in seeds])


def planner(samples: int) -> MPPI:
    """MPPI with this number of samples."""
    return MPPI(PLANT, GOAL, horizon=HORIZON, samples=samples, std=1.5, effective=0.02, rng=0)


def teach(seed: int, progress: Any = None) -> Distilled:
    """The policy that the teacher teaches, on starts that are used for nothing else."""
    return distill(
        planner(1000), PLANT, GOAL, starts=starts(range(1000, 1500)), rounds=2, episodes=8, steps=HORIZON,
        imitation=ImitationSettings(epochs=30), rng=seed, progress=progress,
    )  # fmt: skip


def measure(controller: Controller, tests: int = TESTS) -> Result:
    """Episodes of a controller from the starts of the seeds 0, 1, ..."""
    costs, seconds, slow = [], [], 0
    for x in starts(range(tests)):
        controller.reset(seed=0)
        total = 0.0
        for k in range(STEPS):
            begun = time.perf_counter()
            action: Action = controller.act(x, k * GOAL.dt)
            seconds.append(time.perf_counter() - begun)
            slow += isinstance(controller, Switch) and action.cost == action.cost  # a plan of the policy has no cost
            total += float(GOAL.cost(x, action.u))
            x = PLANT.step(x, action.u, GOAL.dt)
        costs.append(total)
    share = slow / len(seconds) if isinstance(controller, Switch) else math.nan
    return Result(np.array(costs), float(np.mean(seconds)), share)


def controllers(policy: NetworkPolicy) -> dict[str, Any]:
    """All controllers of the table by name."""
    warm, slow = planner(32), planner(1000)
    warm.warm_start = slow.warm_start = policy
    return {
        "teacher": planner(1000),
        "policy": policy,
        "small": planner(32),
        "warm": warm,
        "switch": Switch(policy, slow, PLANT, GOAL, high=0.04, low=0.02, agree=0.1, audit=5),
    }


def picture(results: dict[str, Result]) -> Figure:
    """Regret over time per tick, and the costs of all episodes of each controller."""
    figure = Figure(figsize=(10.0, 4.2), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    for color, (name, result) in zip(CYCLE * 2, results.items(), strict=False):
        left.plot(1e3 * result.seconds, result.regret, "o", ms=9, color=color)
        left.annotate(name, (1e3 * result.seconds, result.regret), xytext=(8, 6), textcoords="offset points")
    left.set(xscale="log", xlabel="mean time of a tick [ms]", ylabel="mean regret", title="cost above the optimum")
    left.margins(0.25)
    left.set_ylim(bottom=0.0)
    right.boxplot([r.costs for r in results.values()], tick_labels=list(results), medianprops={"color": CYCLE[0]})
    right.axhline(OPTIMUM, color=MUTED, lw=0.8, ls="--")
    right.set(ylabel="cost of an episode", title="30 episodes; dashed: the mean of the optimum")
    return figure


def main(*, seed: int = 0, out: Path = Path("pilotage-demo")) -> int:
    """Distil MPPI into a policy and use it in three ways; ends with a table and a picture.

    Args:
        seed: Seed of the distillation.
        out: Folder for the picture.
    """
    found = teach(seed, lambda r: print(f"round {r.number}: {r.states} states, cost of the policy {r.cost:.0f}"))
    results = {name: measure(each) for name, each in controllers(found.policy).items()}
    print(f"{'':10}{'regret':>8}{'worst cost':>12}{'tick [ms]':>11}{'slow acts':>11}")
    for name, r in results.items():
        share = "" if math.isnan(r.slow) else f"{100 * r.slow:.0f} %"
        print(f"{name:10}{r.regret:8.1f}{r.costs.max():12.0f}{1e3 * r.seconds:11.3f}{share:>11}")
    saved = io.BytesIO()
    picture(results).savefig(saved, format="png")
    out.mkdir(parents=True, exist_ok=True)
    write_atomic(out / "slow-teaches-fast.png", saved.getvalue())
    print(f"see      {out / 'slow-teaches-fast.png'}")
    better = results["warm"].regret < results["small"].regret
    if better and results["switch"].regret < results["policy"].regret and results["policy"].regret < 150.0:
        return 0
    print("not as it should be: the policy should swing up, and make the small planner better")
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
