"""The same controllers act on the true state and on an estimate, and the regret is split between the two.

    regret = cost on the estimate - cost of the best plan
           = (cost on the estimate - cost on the truth)      the share of the estimator
           + (cost on the truth - cost of the best plan)     the share of the controller

Three tasks of `pilotage bench` have sensors with noise, delays and gaps, and an EKF. Each controller meets the same
starts, readings and gaps. The best plan is one of the whole episode: SQP improves each run as one plan until it
converges, and the cheapest counts; for the double integrator it must agree with the Riccati recursion.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from pilotage.bench import Run, benchmark_task, bootstrap
from pilotage.control import SQP
from pilotage.io import write_atomic
from pilotage.viz.palette import ESTIMATE, INK, TRUTH

TASKS = ("double_integrator", "cart_pole_balance", "unicycle_goal")
CONTROLLERS = {"iLQR, 30 steps": {"horizon": 30}, "iLQR, 20 steps": {"horizon": 20}}


class Split(NamedTuple):
    """Costs of one controller on one task, each ``(seeds,)``: of the best plan, on the truth and on the estimate."""

    best: np.ndarray
    truth: np.ndarray
    estimate: np.ndarray

    @property
    def control(self) -> np.ndarray:
        """The share of the controller [% of the mean cost of the best plan]."""
        return 100.0 * (self.truth - self.best) / self.best.mean()

    @property
    def estimator(self) -> np.ndarray:
        """The share of the estimator [% of the mean cost of the best plan]."""
        return 100.0 * (self.estimate - self.truth) / self.best.mean()


def split(task: str, seeds: int) -> dict[str, Split]:
    """The costs of all controllers and seeds."""
    world, best = benchmark_task(task), np.full(seeds, np.inf)
    whole = SQP(world.plant, world.task, horizon=world.task.horizon)
    costs = np.zeros((len(CONTROLLERS), 2, seeds))
    for k, settings in enumerate(CONTROLLERS.values()):
        for mode, seed in np.ndindex(2, seeds):
            row = Run(task, "ilqr", seed, ("truth", "estimate")[mode], settings).execute()
            assert row.success, f"{task}, seed {seed}: {row.reason}"
            costs[k, mode, seed] = row.cost
            best[seed] = min(best[seed], whole.solve(world.first(seed), us=row.actions).cost)
    return {name: Split(best, *each) for name, each in zip(CONTROLLERS, costs, strict=True)}


def picture(splits: dict[tuple[str, str], Split]) -> Figure:
    """For each task, two stacked shares a bar, with the interval of their sum."""
    figure = Figure(figsize=(10.0, 4.0), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    for ax, task in zip(figure.subplots(1, len(TASKS)), TASKS, strict=True):
        for name in CONTROLLERS:
            each = splits[task, name]
            control, estimator = each.control.mean(), each.estimator.mean()
            low, total, high = bootstrap(each.control + each.estimator)
            ax.bar(name, control, color=TRUTH, width=0.6)
            ax.bar(name, estimator, bottom=control, color=ESTIMATE, width=0.6)
            ax.errorbar(name, total, [[total - low], [high - total]], color=INK, capsize=4)
        ax.set_title(task.replace("_", " "))
    figure.axes[0].set_ylabel("regret [% of the best plan]")
    kinds = [Patch(color=ESTIMATE, label="estimator: cost on the estimate above that on the truth"),
             Patch(color=TRUTH, label="controller: cost on the truth above the best plan")]  # fmt: skip
    figure.legend(handles=kinds, loc="outside lower center", ncols=2)
    return figure


def main(*, seeds: int = 10, out: Path = Path("pilotage-demo")) -> int:
    """Controllers on the truth and on an estimate; ends with a table and a picture.

    Args:
        seeds: Number of episodes for each bar.
        out: Folder for the picture.
    """
    splits = {(task, name): each for task in TASKS for name, each in split(task, seeds).items()}
    print("task               controller      best plan  controller's share  estimator's share")
    for (task, name), each in splits.items():
        shares = f"{each.control.mean():17.1f} % {each.estimator.mean():16.1f} %"
        print(f"{task:18} {name:14} {each.best.mean():10.2f} {shares}")
    drawn = io.BytesIO()
    picture(splits).savefig(drawn, format="png")
    out.mkdir(parents=True, exist_ok=True)
    write_atomic(out / "truth-or-estimate.png", drawn.getvalue())
    print(f"see {out / 'truth-or-estimate.png'}")
    cart = benchmark_task("double_integrator")
    known = np.array([cart.best(seed) for seed in range(seeds)], dtype=float)
    agreed = all(np.allclose(each.best, known, rtol=1e-4) for (task, _), each in splits.items() if task == cart.name)
    if agreed and all(each.control.min() > -0.1 and each.estimator.mean() > 0.0 for each in splits.values()):
        return 0
    print("not as it should be: an estimate costs something, no controller beats the best plan, and Riccati agrees")
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
