"""Pictures of consistency show the numbers of the run."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy import stats

from pilotage.core import Readings, ShapeError
from pilotage.estimators import KF, InformationKF, consistency
from pilotage.models import constant_velocity, position, velocity
from pilotage.viz import draw_chi_square, plot_consistency, plot_errors

STEPS = 120
RUN = (
    KF(constant_velocity(1, density=0.1), dt=0.1, gate=0.99)
    .start(std=1.0)
    .run(None, np.random.default_rng(1).normal(size=(STEPS, 1)), sensor=position(1, std=0.5))
)
TRUTH = np.zeros((STEPS, 2))


def test_the_interval_is_that_of_means() -> None:
    ax = Figure().subplots()
    values = np.random.default_rng(2).chisquare(3.0, size=(50, 20))
    values[:10, 4] = np.nan
    line = draw_chi_square(ax, np.arange(20.0), values, 3, probability=0.9)
    assert np.allclose(line.get_ydata(), np.nanmean(values, axis=0))
    band = np.asarray(ax.collections[0].get_paths()[0].vertices)
    low, high = stats.chi2.ppf([0.05, 0.95], 150) / 50
    assert band[:, 1].min() <= low and np.isclose(band[:, 1], high).any()
    with pytest.raises(ShapeError):
        draw_chi_square(ax, np.arange(20.0), values[:, :5], 3)


def test_errors_are_those_of_the_space() -> None:
    figure = plot_errors(RUN, TRUTH)
    lines = [ax.lines[0].get_ydata() for ax in figure.axes]
    assert np.allclose(np.stack(lines, -1), -RUN.beliefs.mean)
    assert [ax.get_ylabel() for ax in figure.axes] == ["x [m]", "vx [m/s]"]


def test_a_run_that_begins_without_knowledge_is_drawn_from_where_all_is_known() -> None:
    run = InformationKF(constant_velocity(1), dt=0.1).start().run(None, np.zeros((9, 1)), sensor=position(1))
    known = run.beliefs[1:].moments()
    figure = plot_errors(run, np.zeros((9, 2)))
    assert np.allclose(np.stack([ax.lines[0].get_ydata() for ax in figure.axes], -1)[-7:], -known.mean[-7:])
    assert all(np.isfinite(ax.lines[0].get_ydata()).all() for ax in figure.axes)
    with pytest.raises(ShapeError):
        plot_errors(run, np.zeros((8, 2)))


def test_the_figure_of_a_report_says_the_verdict() -> None:
    report = consistency(RUN, TRUTH)
    figure = plot_consistency(report)
    assert [ax.get_ylabel().split()[0] for ax in figure.axes] == ["NEES", "NIS", "correlation"]
    said = figure.axes[0].get_title(loc="left")
    assert report.verdict.value in said and str(report.suggestions[0]) in said
    nis = figure.axes[1].lines[0].get_ydata()
    assert np.allclose(nis, RUN.nis[RUN.accepted])


def test_a_sensor_that_was_silent_has_an_empty_panel() -> None:
    model, tape = constant_velocity(1), position(1)
    given = [Readings(tape, np.zeros((9, 1)), 0.1 * np.arange(9)), Readings(velocity(1), np.zeros((0, 1)), [])]
    report = consistency(KF(model, dt=0.1).start(std=1.0).run(None, given))
    panels = plot_consistency(report).axes
    assert len(panels) == 3 and not len(panels[1].lines[0].get_xdata())
