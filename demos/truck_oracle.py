"""Which trucks can be docked at all, and within how many decisions: dynamic programming over the truck's four states.

A decision holds the steering for 0.4 m. What the oracle docks is feasible, so its rates are lower bounds of what any
policy could reach. They depend on the budget of decisions: compare success rates under one budget only.
"""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pilotage.core import Raster
from pilotage.envs.truck import starts
from pilotage.envs.truck.starts import BOX, inside
from pilotage.io import write_atomic
from pilotage.learning.worlds import TruckOracle
from pilotage.viz import draw_raster, fit_axes
from pilotage.viz.palette import INK, PLAN

BUDGETS = (100, 150, 200, 300, 500)
BACKING, FORWARD = (80, 40, 108, 37), (72, 36, 72, 25)
Value = NDArray[np.float32]
HITCHES = np.linspace(-0.25 * np.pi, 0.25 * np.pi, 5)
HEADINGS = {
    "all headings": np.linspace(-np.pi, np.pi, 36, endpoint=False).tolist(),
    "trailer towards the dock": [0.0],
    "cab upward, trailer downward": [0.5 * np.pi],
    "trailer away from the dock": [np.pi],
}


def table(oracle: TruckOracle, value: Value, name: str, count: int, seed: int) -> list[float]:
    """The shares docked within each budget, and the share that failed."""
    ends = oracle.drive(value, starts(name, count, np.random.default_rng(seed)), limit=max(BUDGETS))
    return [*(float((ends.docked & (ends.steps <= budget)).mean()) for budget in BUDGETS), float(ends.failed.mean())]


def chances(oracle: TruckOracle, value: Value, yaws: Sequence[float], cell: float = 0.5) -> Raster:
    """For each place of the hitch, the mean value over these headings and five hitch angles; 0 where no truck fits."""
    xs, ys = np.arange(0.5 * cell, BOX[0], cell), np.arange(0.5 * cell - BOX[1], BOX[1], cell)
    y, x, yaw, hitch = (each.ravel() for each in np.meshgrid(ys, xs, yaws, HITCHES, indexing="ij"))
    states, many = np.column_stack([x, y, yaw + hitch, yaw]), len(yaws) * len(HITCHES)
    fits = inside(states)
    sums = np.where(fits, oracle.at(value, states), 0.0).reshape(-1, many).sum(-1)
    mean = sums / np.maximum(1, fits.reshape(-1, many).sum(-1))
    return Raster(mean.reshape(len(ys), len(xs)), cell, (0.0, -BOX[1], 0.0))


def picture(oracle: TruckOracle, value: Value) -> Figure:
    """The value over the yard, over all headings and for some, with the dock on the left."""
    figure = Figure(figsize=(13.0, 7.0), layout="constrained")
    axes = figure.subplots(2, 2)
    for ax, (title, yaws) in zip(axes.flat, HEADINGS.items(), strict=True):
        fit_axes(ax, (-1.0, -BOX[1] - 0.5), (BOX[0] + 0.5, BOX[1] + 0.5))
        draw_raster(ax, chances(oracle, value, yaws), vmin=0.0, vmax=1.0)
        ax.plot([0, BOX[0], BOX[0], 0, 0], [-BOX[1], -BOX[1], BOX[1], BOX[1], -BOX[1]], color=INK, linewidth=3.0)
        ax.plot([0, 0], [-1.0, 1.0], color=PLAN, linewidth=7.0, solid_capstyle="butt")
        ax.axvline(10.0, color=INK, linewidth=1.0, linestyle=":")
        ax.set_title(title, color=INK)
    figure.colorbar(axes[0, 0].images[0], ax=axes, label="value, mean over hitch angles within 45 degrees", shrink=0.8)
    return figure


def main(*, count: int = 4000, seed: int = 0, coarse: bool = False, out: Path = Path("pilotage-demo")) -> int:
    """Which trucks can be docked, backing up alone and pulling forward; ends with a table and a picture.

    Args:
        count: Number of starts of each distribution.
        seed: Seed of the starts.
        coarse: A coarse grid, in seconds, which docks less.
        out: Folder for the picture.
    """
    shapes = ((40, 20, 48, 17),) * 2 if coarse else (BACKING, FORWARD)
    print("starts  moves     " + "".join(f"{budget:>8}" for budget in BUDGETS) + "   failed")
    docked = dict[tuple[str, bool], float]()
    out.mkdir(parents=True, exist_ok=True)
    for walls in (False, True):
        for forward, shape in zip((False, True), shapes, strict=True):
            oracle, begun = TruckOracle(shape=shape, walls=walls, forward=forward), time.process_time()
            value, moves = oracle.solve(), "both ways" if forward else "backward"
            spent = time.process_time() - begun
            for name in ("E3",) if walls else ("E1", "E2"):
                *rates, failed = table(oracle, value, name, count, seed)
                docked[name, forward] = rates[-1]
                print(f"{name:7} {moves:9} " + "".join(f"{100 * r:7.2f}%" for r in (*rates, failed)), flush=True)
            print(f"        ({spent:.0f} s of processor time, {value.nbytes / 1e6:.0f} MB)", flush=True)
            if walls and not forward:
                drawn = io.BytesIO()
                picture(oracle, value).savefig(drawn, format="png", dpi=100)
                write_atomic(out / "truck-oracle.png", drawn.getvalue())
    print(f"see {out / 'truck-oracle.png'}: the value between walls, backing up alone")
    low = min(docked[name, True] for name in ("E1", "E3"))
    if low < 0.99:
        print(f"not as it should be: with forward moves {100 * low:.1f} % are docked; 99 % of E1 and E3 are asked for")
    return 0 if low >= 0.99 else 1
