"""Pictures of benchmark results show the given numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pilotage.core import ShapeError
from pilotage.viz import CostPoint, plot_cost_time, plot_trajectories, svg


def test_rings_mark_the_pareto_front() -> None:
    rng = np.random.default_rng(3)
    points = [
        CostPoint(str(i), "abc"[i % 3], t, c - 0.1, c, math.inf) for i, (t, c) in enumerate(rng.random((30, 2)) + 0.1)
    ]
    [ax] = plot_cost_time(points, optimum=0.05).axes
    [rings] = [line for line in ax.lines if line.get_markersize() == 9]
    by_hand = list[tuple[float, float]]()
    for point in sorted(points, key=lambda point: point.seconds):  # each one cheaper than all faster ones
        if not by_hand or point.cost < by_hand[-1][1]:
            by_hand.append((1e3 * point.seconds, point.cost))
    assert 1 < len(by_hand) < 15
    assert sorted(map(tuple, np.asarray(rings.get_xydata()))) == by_hand
    assert len(ax.containers) == 30 and any(set(line.get_ydata()) == {0.05} for line in ax.lines)


@pytest.mark.parametrize(("costs", "scale"), [((1.0, 100.0), "log"), ((-1.0, 100.0), "linear"), ((1.0, 2.0), "linear")])
def test_costs_that_are_far_apart_have_a_logarithmic_axis(costs: tuple[float, ...], scale: str) -> None:
    [ax] = plot_cost_time([CostPoint(str(c), "a", 1e-3, c, c, c) for c in costs]).axes
    assert ax.get_yscale() == scale and ax.get_xscale() == "log"


def test_trajectories_are_drawn_as_they_are() -> None:
    t, x = np.arange(4.0), np.arange(8.0).reshape(4, 2)
    x[3, 1] = np.nan
    figure = plot_trajectories({f"run {i}": (t, i * x) for i in range(7)}, ["a", "b [m]"], time="tick")
    for j, ax in enumerate(figure.axes):
        assert np.array_equal(np.asarray(ax.lines[3].get_xydata()).T, [t, 3 * x[:, j]], equal_nan=True)
        assert len({(line.get_color(), line.get_linestyle()) for line in ax.lines}) == 7
    assert figure.axes[-1].get_xlabel() == "tick"
    text = svg(figure)
    assert text == svg(figure) and ">run 6</text>" in text and "<dc:date>" not in text
    with pytest.raises(ShapeError, match=r"run 0 has values \(4, 2\); expected \(4, 1\)"):
        plot_trajectories({"run 0": (t, x)}, ["a"])
