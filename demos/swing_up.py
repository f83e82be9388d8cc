"""A pole on a cart is swung up by five predictive controllers side by side, against the best plan known.

    iLQR, SQP      follow derivatives of second order; SQP solves one quadratic program a tick (real-time iteration)
    GradientMPC    follows first derivatives, with L-BFGS
    MPPI, ICEM     try random plans

All plan 2 s ahead, with the same model and task, and are judged by the cost of the whole episode of 6 s. The best
plan beside them is one of the whole episode: SQP improves each of the five runs as one plan of 6 s until it converges,
and the cheapest of these local minima counts.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from pilotage.bench import BenchmarkTask, Episode, benchmark_task, simulate
from pilotage.control import ICEM, ILQR, MPPI, SQP, GradientMPC
from pilotage.io import write_atomic
from pilotage.models import cart_pole
from pilotage.viz import write_animation
from pilotage.viz.palette import CYCLE, INK, MUTED, SHADE

HORIZON, STRIDE = 40, 2
CONTROLLERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "iLQR": (ILQR, {"iterations": 20}),
    "SQP": (SQP, {"real_time": True}),
    "GradientMPC": (GradientMPC, {"iterations": 30}),
    "MPPI": (MPPI, {"samples": 1000, "iterations": 2, "rng": 0}),
    "ICEM": (ICEM, {"iterations": 3, "rng": 0}),
}


class Run(NamedTuple):
    """An episode, its states ``(T + 1, 4)``, and the cost of the best plan of the whole episode near it."""

    episode: Episode
    xs: np.ndarray
    near: float

    @property
    def milliseconds(self) -> tuple[float, float]:
        """Median and largest time of a decision."""
        median, most = 1e3 * np.quantile(self.episode.spent, [0.5, 1.0])
        return float(median), float(most)


def swing(pole: BenchmarkTask, seed: int) -> dict[str, Run]:
    """One episode of each controller, from the same state."""
    runs, whole = {}, SQP(pole.plant, pole.task, horizon=pole.task.horizon)
    for name, (kind, settings) in CONTROLLERS.items():
        episode = simulate(pole, kind(*pole.known, horizon=HORIZON, **settings), seed=seed)
        xs = np.array(episode.xs)
        runs[name] = Run(episode, xs, whole.solve(xs[0], us=np.array(episode.us)).cost)
    return runs


def picture(pole: BenchmarkTask, runs: dict[str, Run], best: float, file: Path | None) -> Figure:
    """The carts in a row, and below the angles over time; with a file, the animation of both."""
    figure = Figure(figsize=(12.0, 5.0), dpi=80)
    grid = figure.add_gridspec(2, len(runs), height_ratios=[1.2, 1], left=0.06, right=0.99, top=0.93, bottom=0.1)
    below, moving = figure.add_subplot(grid[1, :]), []
    ts, length = pole.task.dt * np.arange(pole.task.horizon + 1), 2.0 * cart_pole().params["half_length"]
    for k, (color, (name, run)) in enumerate(zip(CYCLE, runs.items(), strict=True)):
        ax = figure.add_subplot(grid[0, k])
        ax.set(xlim=(-1.5, 1.5), ylim=(-1.3, 1.3), aspect="equal", xticks=[], yticks=[])
        ax.set_title(f"{name}: {run.episode.cost / best:.2f} x best plan", color=color, fontsize=11)
        ax.axhline(0.0, color=SHADE, zorder=0)
        for i in range(0, len(run.xs), 6):  # the way of the tip
            ax.plot(*bar(run.xs[i], length), color=SHADE, lw=1.0, zorder=1)
        (cart,) = ax.plot([], [], "s", ms=11, color=INK)
        (rod,) = ax.plot([], [], color=color, lw=4.0)
        moving.append((cart, rod, run.xs))
        below.plot(ts, np.degrees(np.unwrap(run.xs[:, 2])), color=color, ls="--" if name == "SQP" else "-", label=name)
    below.set(xlabel="time [s]", ylabel="angle to the vertical [deg]", xlim=(0.0, ts[-1]))
    below.set_yticks(range(-360, 361, 180))
    below.grid(axis="y", color=SHADE)
    below.legend(ncols=len(runs), loc="upper right", fontsize=8)
    now = below.axvline(0.0, color=MUTED)

    def update(i: int) -> None:
        i = min(STRIDE * i, len(ts) - 1)
        now.set_xdata([ts[i]])
        for cart, rod, xs in moving:
            cart.set_data([xs[i, 0]], [0.0])
            rod.set_data(*bar(xs[i], length))

    if file is not None:
        artists = [now, *(artist for cart, rod, _ in moving for artist in (cart, rod))]
        write_animation(file, figure, artists, update, len(ts) // STRIDE + 8, fps=1.0 / (STRIDE * pole.task.dt))
    update(len(ts))
    return figure


def bar(x: np.ndarray, length: float) -> tuple[list[float], list[float]]:
    """The ends of the pole in a state."""
    return [x[0], x[0] + length * np.sin(x[2])], [0.0, length * np.cos(x[2])]


def main(*, seed: int = 0, out: Path = Path("pilotage-demo"), no_animation: bool = False) -> int:
    """Swing up a pole with five controllers; ends with a table, a picture and an animation.

    Args:
        seed: Seed of the start.
        out: Folder for the pictures.
        no_animation: Write the picture only.
    """
    pole = benchmark_task("cart_pole_swingup")
    runs = swing(pole, seed)
    best = min(run.near for run in runs.values())
    print(f"best plan known: {best:.2f}\ncontroller      cost  regret  median [ms]  worst [ms]  outcome")
    for name, (episode, *_) in runs.items():
        median, most = runs[name].milliseconds
        cost = f"{episode.cost:8.2f} {episode.cost - best:7.2f}"
        print(f"{name:11} {cost} {median:12.2f} {most:11.1f}  {episode.status.value}")
    out.mkdir(parents=True, exist_ok=True)
    film, drawn = None if no_animation else out / "swing-up.gif", io.BytesIO()
    picture(pole, runs, best, film).savefig(drawn, format="png", dpi=130)
    write_atomic(out / "swing-up.png", drawn.getvalue())
    print(f"see {out / 'swing-up.png'}{'' if film is None else f' and {film}'}")
    costs = [run.episode.cost for run in runs.values()]
    if all(run.episode.status.value == "success" for run in runs.values()) and min(costs) < 1.1 * best:
        return 0
    print("not as it should be: all should swing it up, and the best one within 10 % of the best plan")
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
