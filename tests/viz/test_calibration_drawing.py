"""Pictures of calibration show the numbers of the report."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from pilotage.core import SettingError
from pilotage.models import unicycle

pytest.importorskip("torch")

from pilotage.learning import calibrate
from pilotage.viz import draw_reliability, plot_calibration

CAR = unicycle(noise=0.1)
RNG = np.random.default_rng(0)
STEPS = np.array([[[0.0, 0.0, 0.0], 0.05 * RNG.normal(size=3)] for _ in range(40)])
REPORT = calibrate(CAR, STEPS, np.zeros((40, 1, 2)), 0.1, far=(np.zeros((3, 3)), np.zeros((3, 2))))


def test_the_lines_are_the_coverage() -> None:
    ax: Any = Figure().subplots()
    draw_reliability(ax, REPORT)
    for j, line in enumerate(ax.lines[1:]):
        np.testing.assert_allclose(line.get_xdata()[1:-1], REPORT.levels)
        np.testing.assert_allclose(line.get_ydata()[1:-1], REPORT.coverage[:, j])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["x", "y", "yaw"]


def test_the_bars_are_errors_and_deviations() -> None:
    left, right = plot_calibration(REPORT).axes
    heights = np.array([patch.get_height() for patch in right.patches]).reshape(3, 3)  # pyright: ignore[reportAttributeAccessIssue]
    np.testing.assert_allclose(heights, [REPORT.rmse, REPORT.sharpness, REPORT.doubt])
    assert f"NLL {REPORT.nll:.2f}" in left.get_title(loc="left")
    assert "AUROC 0.50" in left.get_title(loc="left")


def test_what_is_no_report_is_refused() -> None:
    with pytest.raises(SettingError, match="Calibration"):
        plot_calibration("good")  # pyright: ignore[reportArgumentType]
