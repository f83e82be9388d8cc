"""Pictures of a filter's consistency: errors within their deviations, NEES and NIS within their intervals."""

from __future__ import annotations

import math
from typing import Annotated, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from ..core import FilterRun, ShapeError
from ..core.arrays import numbers
from ..core.declared import called
from ..core.settings import Interval, instance, positive, setting
from ..estimators import ConsistencyReport
from ..estimators._checks import errors_of, true_states
from ..estimators.consistency import known_steps
from .palette import ESTIMATE, INK, MUTED, PAPER, PLAN, SURPRISE, TRUTH

LAGS = 20
"""Lags of the correlation that is shown."""
LEAST = 1e-3
"""Least NEES and NIS that are shown."""
PANEL = 1.7
"""Height of a panel [inches]."""


def draw_chi_square(
    ax: Axes, ts: ArrayLike, values: ArrayLike, dof: ArrayLike, *, probability: float = 0.95, **style: Any
) -> Any:
    """NEES or NIS over time, with the interval that holds this probability of a chi-square distribution.

    Args:
        ax: the axes to draw on.
        ts: times ``(T,)`` [s].
        values: ``(..., T)``; NaN for none. Of several sequences, the mean is drawn, and the interval is that of means.
        dof: degrees of freedom: one number, or ``(T,)``.
        probability: probability of the interval.
        **style: settings of the line.

    Example:
        >>> from matplotlib.figure import Figure
        >>> line = draw_chi_square(Figure().subplots(), np.arange(5.0), [1.0, 2.0, 1.5, 2.5, 2.0], 2)
        >>> line.get_ydata().shape
        (5,)
    """
    from scipy.special import gammaincinv

    t, given = numbers(ts, "times"), numbers(values, "values", missing=True)
    if t.ndim != 1 or given.ndim == 0 or given.shape[-1] != len(t):
        raise ShapeError(f"values have shape {given.shape}; expected (..., T) for the {t.shape} times")
    probability = setting(probability, Annotated[float, Interval(0.0, 1.0)], "probability")
    rows = given.reshape(math.prod(given.shape[:-1]), len(t))
    count = np.isfinite(rows).sum(0)
    seen = count > 0
    mean = np.nansum(rows, axis=0)[seen] / count[seen]
    shape = 0.5 * np.broadcast_to(numbers(dof, "degrees of freedom"), t.shape)[seen] * count[seen]
    low, high = (2.0 * gammaincinv(shape, 0.5 * (1.0 + s * probability)) / count[seen] for s in (-1.0, 1.0))
    ax.fill_between(t[seen], low, high, step="mid", color=PLAN, alpha=0.18, lw=0.0, label=f"{probability:.0%}")
    color = style.pop("color", TRUTH)
    return ax.plot(t[seen], mean, **{"color": color, "lw": 0.9, **style})[0]


def plot_errors(run: FilterRun, truth: ArrayLike, *, sigmas: float = 2.0, width: float = 7.0) -> Figure:
    """The error of each component over time, ``truth (-) estimate``, within so many standard deviations.

    Differences are taken by the space, which wraps angles. Of a batch, the first sequence is drawn. A run that begins
    without knowledge (`InformationKF`) is drawn from where all is known.

    Args:
        run: a run of any estimator.
        truth: true states ``(..., T, n)`` at its times; NaN where they are not known.
        sigmas: half width of the band, in standard deviations.
        width: width of the figure [inches].

    Example:
        >>> from pilotage.estimators import KF
        >>> from pilotage.models import constant_velocity, position
        >>> run = KF(constant_velocity(1), dt=0.1).start(std=1.0).run(None, np.zeros((20, 1)), sensor=position(1))
        >>> len(plot_errors(run, np.zeros((20, 2))).axes)
        2
    """
    x = true_states(instance(run, FilterRun, "plot_errors"), truth)
    run, skipped = known_steps(run)
    known = run.beliefs.moments()
    sigmas, space = positive(sigmas, "sigmas"), known.space
    errors = errors_of(run, x[..., skipped:, :])
    e, std = (a.reshape(-1, *a.shape[-2:])[0] for a in (errors, np.broadcast_to(known.std, errors.shape)))
    figure, axes = _panels(space.dim, width)
    for i, ax in enumerate(axes):
        ax.fill_between(run.ts, -sigmas * std[:, i], sigmas * std[:, i], color=ESTIMATE, alpha=0.2, lw=0.0)
        ax.plot(run.ts, e[:, i], color=TRUTH, lw=0.9)
        ax.axhline(0.0, color=MUTED, lw=0.5)
        unit = space.tangent.units[i]
        _named(ax, f"{space.tangent.names[i]}{f' [{unit}]' * bool(unit)}")
        outside = float(np.nanmean(np.abs(e[:, i]) > sigmas * std[:, i])) if np.isfinite(e[:, i]).any() else 0.0
        _note(ax, f"{outside:.0%} outside")
    axes[0].set_title(f"error (line) and {sigmas:g} standard deviations (band)", fontsize=9, loc="left", color=INK)
    axes[-1].set_xlabel("time [s]", fontsize=8)
    return figure


def plot_consistency(report: ConsistencyReport, *, probability: float = 0.95, width: float = 7.5) -> Figure:
    """A consistency report as a figure: NEES and NIS in their intervals, correlation of innovations, and the verdict.

    Args:
        report: what `pilotage.estimators.consistency` returned.
        probability: probability of the intervals.
        width: width of the figure [inches].

    Example:
        >>> from pilotage.estimators import KF, consistency
        >>> from pilotage.models import constant_velocity, position
        >>> run = KF(constant_velocity(1), dt=0.1).start(std=1.0).run(None, np.zeros((50, 1)), sensor=position(1))
        >>> len(plot_consistency(consistency(run)).axes)
        2
    """
    instance(report, ConsistencyReport, "plot_consistency")
    run, tested = report.run, report.nees is not None
    figure, axes = _panels(tested + len(run.sensors) + 1, width, head=0.25 + 0.18 * (1 + len(report.suggestions)))
    if report.nees is not None:
        draw_chi_square(axes[0], run.ts, report.nees, report.dof, probability=probability)
        _named(axes[0], "NEES")
    for j, ax in enumerate(axes[tested:-1]):
        _draw_nis(ax, run, j, probability)
    for ax in axes[:-1]:
        ax.set_yscale("log")
        ax.set_ylim(bottom=max(ax.get_ylim()[0], LEAST))
    axes[-2].set_xlabel("time [s]", fontsize=8)
    _draw_correlation(axes[-1], run, probability)
    said = "\n".join([f"{report.verdict.value} (level {report.level:g})", *map(str, report.suggestions)])
    axes[0].set_title(said, fontsize=9, loc="left", color=INK if report.consistent else SURPRISE)
    return figure


def _draw_nis(ax: Axes, run: FilterRun, j: int, probability: float) -> None:
    """NIS of the readings of sensor j, those that a gate refused apart."""
    at = run.which == j
    y, nis, ts = run.innovations[..., at, :], run.nis[..., at], run.ts[at]
    read = np.isfinite(y).any(-1)
    dof = np.isfinite(y).sum(-1).reshape(math.prod(nis.shape[:-1]), len(ts)).max(0)
    taken, refused = (np.where(read & (run.accepted[..., at] == each), nis, np.nan) for each in (True, False))
    draw_chi_square(ax, ts, taken, np.maximum(dof, 1), probability=probability)
    if np.isfinite(refused).any():
        ax.plot(ts, np.reshape(refused, (-1, len(ts))).T, ".", ms=4, color=SURPRISE)
        _note(ax, f"{np.isfinite(refused).sum() / read.sum():.1%} gated")
    _named(ax, f"NIS of {called(run.sensors[j])}")


def _draw_correlation(ax: Axes, run: FilterRun, probability: float) -> None:
    """The autocorrelation of each component of all innovations, in standard errors of that of white noise."""
    from scipy.special import ndtri

    colors = (TRUTH, ESTIMATE, PLAN, SURPRISE, INK, MUTED)
    for n, (name, y) in enumerate(_series(run)):
        lags = np.arange(1, min(LAGS, len(y) // 2) + 1)
        d = y - y.mean()
        r = [len(y) ** 0.5 * float(d[l:] @ d[:-l]) / float(max(d @ d, 1e-300)) for l in lags]
        ax.plot(lags + 0.08 * n, r, ".-", lw=0.6, ms=4, color=colors[n % len(colors)], label=name)
    bound = float(ndtri(0.5 * (1.0 + probability)))
    ax.axhspan(-bound, bound, color=PLAN, alpha=0.18, lw=0.0)
    ax.legend(fontsize=7, frameon=False, ncols=3, loc="upper right")
    _named(ax, "correlation\n[standard errors]")
    ax.set_xlabel("lag [readings]", fontsize=8)


def _series(run: FilterRun) -> list[tuple[str, NDArray[np.float64]]]:
    """Innovations of each component of each sensor, of the first sequence, over the readings that were taken."""
    found = list[tuple[str, NDArray[np.float64]]]()
    for j, sensor in enumerate(run.sensors):
        at = run.which == j
        first = (0,) * (run.status.ndim - 1)
        y, taken = run.innovations[first][at], run.accepted[first][at]
        for i, name in enumerate(sensor.reading.tangent.names):
            values = y[taken & np.isfinite(y[:, i]), i]
            found += [(f"{called(sensor)} {name}" if sensor.reading.dim > 1 else called(sensor), values)]
    return [(name, values) for name, values in found if len(values) > 2]


def _panels(count: int, width: float, head: float = 0.3) -> tuple[Figure, list[Axes]]:
    """A figure of panels below each other."""
    figure = Figure(figsize=(width, PANEL * count + head + 0.4), dpi=150, facecolor=PAPER, layout="constrained")
    FigureCanvasAgg(figure)
    axes = list(figure.subplots(count, 1, squeeze=False)[:, 0])
    for ax in axes:
        ax.tick_params(labelsize=7)
        ax.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _named(ax: Axes, label: str) -> None:
    ax.set_ylabel(label, fontsize=8)


def _note(ax: Axes, text: str) -> None:
    ax.text(0.995, 0.97, text, transform=ax.transAxes, ha="right", va="top", fontsize=7, color=MUTED)
