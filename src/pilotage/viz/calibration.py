"""Pictures of a calibration report: coverage against level, and errors beside deviations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..core.settings import instance, positive
from .palette import CYCLE, ESTIMATE, INK, MUTED, PAPER, TRUTH

if TYPE_CHECKING:
    from ..learning import Calibration


def draw_reliability(ax: Axes, report: Calibration) -> None:
    """The share of the errors within central intervals, over the probability of these; calibrated is the diagonal.

    Below the diagonal, the model is too sure of itself.

    Args:
        ax: the axes to draw on.
        report: what `pilotage.learning.calibrate` returned.

    Example:
        >>> from pilotage.learning import calibrate
        >>> from pilotage.models import unicycle
        >>> ax = Figure().subplots()
        >>> draw_reliability(ax, calibrate(unicycle(noise=0.1), np.zeros((9, 3)), np.zeros((8, 2)), 0.1))
        >>> len(ax.lines)                                             # the diagonal and three components
        4
    """
    from ..learning import Calibration

    instance(report, Calibration, "draw_reliability")
    ax.plot([0.0, 1.0], [0.0, 1.0], color=MUTED, lw=0.8, ls="--")
    levels = np.concatenate([[0.0], report.levels, [1.0]])
    for j, name in enumerate(report.names):
        shares = np.concatenate([[0.0], report.coverage[:, j], [1.0]])
        ax.plot(levels, shares, ".-", ms=4, lw=0.9, color=CYCLE[j % len(CYCLE)], label=name)
    ax.set(xlim=(0.0, 1.0), ylim=(0.0, 1.0), aspect="equal")
    ax.set_xlabel("probability of the interval", fontsize=8)
    ax.set_ylabel("errors within", fontsize=8)
    ax.legend(fontsize=7, frameon=False, loc="upper left")


def plot_calibration(report: Calibration, *, width: float = 7.0) -> Figure:
    """A calibration report as a figure: reliability, and the size of the errors beside the predicted deviations.

    Args:
        report: what `pilotage.learning.calibrate` returned.
        width: width of the figure [inches].

    Example:
        >>> from pilotage.learning import calibrate
        >>> from pilotage.models import unicycle
        >>> report = calibrate(unicycle(noise=0.1), np.zeros((9, 3)), np.zeros((8, 2)), 0.1)
        >>> len(plot_calibration(report).axes)
        2
    """
    width = positive(width, "width")
    figure = Figure(figsize=(width, 0.5 * width), dpi=150, facecolor=PAPER, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    draw_reliability(left, report)
    places = np.arange(len(report.names))
    bars = ((report.rmse, TRUTH, "errors"), (report.sharpness, ESTIMATE, "predicted"), (report.doubt, MUTED, "doubt"))
    for k, (values, color, label) in enumerate(bars):
        right.bar(places + 0.27 * (k - 1), values, 0.25, color=color, label=label)
    right.set_xticks(places, report.names, fontsize=7)
    right.set_ylabel("root mean square", fontsize=8)
    right.legend(fontsize=7, frameon=False)
    for ax in (left, right):
        ax.tick_params(labelsize=7)
        ax.spines[["top", "right"]].set_visible(False)
    apart = "" if report.auroc is None else f", AUROC {report.auroc:.2f}"
    left.set_title(
        f"NLL {report.nll:.2f}, calibration error {report.error:.3f}{apart}", fontsize=9, color=INK, loc="left"
    )
    return figure
