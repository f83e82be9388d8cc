"""Pictures of benchmark results: cost against computing time, and trajectories."""

from __future__ import annotations

import io
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter
from numpy.typing import ArrayLike

from ..core import ShapeError
from ..core.arrays import numbers
from .figures import quiet
from .palette import CYCLE, MUTED

DASHES = ("-", "--", ":")
"""Dashes of lines once all colours are used."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
"""Markers of controllers of one family."""
WIDE = 20.0
"""Ratio of costs above which their axis is logarithmic."""
PANEL = 1.1
"""Height of a panel of trajectories [inches]."""


@dataclass(frozen=True)
class CostPoint:
    """The cost of a controller with its interval, and the time of a decision [s]; curves join controllers of a family.

    Example:
        >>> CostPoint("mppi-64", "mppi", 2e-4, 2.9, 3.0, 3.2).cost
        3.0
    """

    name: str
    family: str
    seconds: float
    low: float
    cost: float
    high: float


def plot_cost_time(points: Sequence[CostPoint], *, optimum: float | None = None, width: float = 6.5) -> Figure:
    """Costs of controllers against their computing time, with the Pareto front.

    Controllers of one family, such as one algorithm with several settings, are joined by a curve. A ring marks those of
    the Pareto front: no other one is both faster and cheaper.

    Args:
        points: the controllers; each time is positive.
        optimum: smallest possible cost, drawn as a line.
        width: width of the figure [inches].

    Example:
        >>> points = [CostPoint("short", "mpc", 1e-4, 2.9, 3.0, 3.1), CostPoint("long", "mpc", 1e-3, 1.9, 2.0, 2.1)]
        >>> len(plot_cost_time(points, optimum=1.8).axes[0].containers)
        2
    """
    figure, (ax,) = _panels(1, width, 0.5 * width, right=1.5)
    families: dict[str, list[CostPoint]] = {}
    for point in sorted(points, key=lambda point: point.seconds):
        families.setdefault(point.family, []).append(point)
    for i, curve in enumerate(families.values()):
        ax.plot([1e3 * p.seconds for p in curve], [p.cost for p in curve], **_style(i), lw=1.0, alpha=0.6)
        for p, marker in zip(curve, itertools.cycle(MARKERS)):
            spread = np.nan_to_num([[p.cost - p.low], [p.high - p.cost]], posinf=0.0)
            style: dict[str, Any] = {"fmt": marker, "ms": 4, "lw": 1.0, "color": _style(i)["color"]}
            ax.errorbar(1e3 * p.seconds, p.cost, spread, label=p.name, **style)
    front = [p for p in points if not any(_dominates(q, p) for q in points)]
    rings: dict[str, Any] = {"ms": 9, "mfc": "none", "mec": MUTED, "mew": 0.8}
    ax.plot([1e3 * p.seconds for p in front], [p.cost for p in front], "o", **rings)
    if optimum is not None:
        ax.axhline(optimum, color=MUTED, lw=0.8, ls=":", label="optimum")
    _scale(ax, [p.cost for p in points])
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8, frameon=False, labelcolor=MUTED)
    return figure


def _scale(ax: Axes, costs: Sequence[float]) -> None:
    """Set a logarithmic axis of times, and of costs if these are positive and far apart."""
    ax.set_xscale("log")
    ax.margins(x=0.15)
    logarithmic: list[Axis] = [ax.xaxis]
    if min(costs) > 0.0 and max(costs) > WIDE * min(costs):
        ax.set_yscale("log")
        logarithmic.append(ax.yaxis)
    for axis in logarithmic:
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=8))
        axis.set_major_formatter(FormatStrFormatter("%g"))
        axis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("computing time of a decision, median [ms]", color=MUTED)
    ax.set_ylabel("mean cost", color=MUTED)


def _dominates(a: CostPoint, b: CostPoint) -> bool:
    """Whether a is faster and cheaper than b, and not equal to it."""
    return a.seconds <= b.seconds and a.cost <= b.cost and (a.seconds, a.cost) != (b.seconds, b.cost)


def plot_trajectories(
    trajectories: Mapping[str, tuple[ArrayLike, ArrayLike]],
    labels: Sequence[str],
    *,
    time: str = "t [s]",
    width: float = 5.0,
) -> Figure:
    """Components of trajectories over time, one panel for each, one line for each trajectory.

    Args:
        trajectories: by name, times ``(T,)`` and values ``(T, d)``, NaN for none; at least one trajectory.
        labels: label of each of the d components.
        time: label of the time axis.
        width: width of the figure [inches].

    Raises:
        ShapeError: if the shapes do not match.

    Example:
        >>> figure = plot_trajectories({"a": ([0.0, 1.0], [[1.0, 0.0], [0.5, -0.5]])}, ["x [m]", "v [m/s]"])
        >>> [ax.get_ylabel() for ax in figure.axes]
        ['x [m]', 'v [m/s]']
    """
    head = 0.1 + 0.17 * math.ceil(len(trajectories) / 2)
    figure, axes = _panels(len(labels), width, 0.45 + head + PANEL * len(labels), head)
    for i, (name, (times, values)) in enumerate(trajectories.items()):
        t, x = numbers(times, "times"), numbers(values, "values", missing=True)
        if x.shape != (len(t), len(labels)):
            raise ShapeError(f"{name} has values {x.shape}; expected {(len(t), len(labels))}")
        for ax, column in zip(axes, x.T):
            ax.plot(t, column, **_style(i), lw=1.1, label=name)
    for ax, label in zip(axes, labels):
        ax.set_ylabel(label, color=MUTED)
    axes[-1].set_xlabel(time, color=MUTED)
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="upper left", ncols=2, fontsize=8, frameon=False, labelcolor=MUTED)
    return figure


def svg(figure: Figure) -> str:
    """A figure as SVG, with letters as text and a transparent background.

    Example:
        >>> svg(plot_trajectories({"a": ([0.0], [[1.0]])}, ["x"])).count("</svg>")
        1
    """
    sink = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "pilotage"}):
        figure.savefig(sink, format="svg", transparent=True, metadata={"Date": None})
    return sink.getvalue()


def _panels(
    count: int, width: float, height: float, head: float = 0.1, right: float = 0.1
) -> tuple[Figure, list[Axes]]:
    """A figure of panels that share their first axis, with fixed margins [inches]."""
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    axes = list(figure.subplots(count, 1, sharex=True, squeeze=False)[:, 0])
    margins = {"left": 0.7 / width, "right": 1.0 - right / width, "bottom": 0.45 / height, "top": 1.0 - head / height}
    figure.subplots_adjust(**margins, hspace=0.12)
    for ax in axes:
        quiet(ax)
    figure.align_ylabels(axes)
    return figure, axes


def _style(i: int) -> dict[str, Any]:
    return {"color": CYCLE[i % len(CYCLE)], "ls": DASHES[i // len(CYCLE) % len(DASHES)]}
