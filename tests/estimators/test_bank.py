"""Ten thousand filters at once: each with its own readings and actions, a tenth of them missing, some diverging."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pilotage.core import FilterStatus, Gaussian
from pilotage.estimators import EKF, UKF
from pilotage.models import range_bearing, unicycle

ROBOT, SONAR = unicycle(noise=(0.1, 0.1, 0.05)), range_bearing(std=(0.2, 0.03))
BAD = [3, 77, 801]


def bank(count: int) -> tuple[Any, ...]:
    """Beliefs, actions, readings and landmarks of robots that drive each for itself."""
    rng = np.random.default_rng(0)
    means = rng.normal(size=(count, 3)) * [5.0, 5.0, 1.5]
    belief = Gaussian(ROBOT.state, means, np.diag([0.3, 0.3, 0.02]))
    us, marks = rng.normal(size=(count, 2)), rng.normal(size=(count, 2)) * 20.0
    zs = SONAR.on(ROBOT.state).observe(ROBOT.step(means, us, 0.1), marks) + rng.normal(size=(count, 2)) * [0.2, 0.03]
    zs[rng.random(count) < 0.1] = np.nan
    return belief, us, zs, marks


@pytest.mark.parametrize("estimator", [EKF(gate=0.9999), UKF()], ids=["EKF", "UKF"])
@pytest.mark.parametrize("count", [1, 5, 32, 33, 1000])
def test_a_bank_is_a_loop(estimator: Any, count: int) -> None:
    belief, us, zs, marks = bank(count)
    bad = [i for i in BAD if i < count]
    zs[bad, 0] = np.inf
    predicted = estimator.predict(belief, ROBOT, us, 0.1)
    update = estimator.update(predicted, SONAR, zs, marks)
    assert (update.status[bad] == FilterStatus.NOT_FINITE_READING).all()
    np.testing.assert_array_equal(update.belief.mean[bad], predicted.mean[bad])
    for i in [i for i in range(0, count, 29) if i not in bad]:
        alone = estimator.update(estimator.predict(belief[i], ROBOT, us[i], 0.1), SONAR, zs[i], marks[i])
        np.testing.assert_allclose(update.belief.mean[i], alone.belief.mean, rtol=0.0, atol=1e-11)
        np.testing.assert_allclose(update.belief.cov[i], alone.belief.cov, rtol=0.0, atol=1e-11)
        np.testing.assert_allclose(update.nis[i], alone.nis, atol=1e-9)
        assert update.status[i] == alone.status


def test_a_bad_row_changes_no_other() -> None:
    """To the last bit, wherever it stands among the lanes."""
    belief, us, zs, marks = bank(200)
    predicted = EKF().predict(belief, ROBOT, us, 0.1)
    good = EKF().update(predicted, SONAR, zs, marks).belief
    for i in (0, 31, 32, 199):
        broken, where = zs.copy(), marks.copy()
        broken[i] = [1.0, 0.0]
        where[i] = predicted.mean[i, :2]  # the range from where it is has no derivative
        update = EKF().update(predicted, SONAR, broken, where)
        others = np.arange(200) != i
        assert update.status[i] == FilterStatus.UNDEFINED_JACOBIAN
        np.testing.assert_array_equal(update.belief.mean[others], good.mean[others])
        np.testing.assert_array_equal(update.belief.cov[others], good.cov[others])
        np.testing.assert_array_equal(update.belief.mean[i], predicted.mean[i])


def test_runs_of_a_bank() -> None:
    """Rows that fail at one step go on at the next."""
    belief, us, zs, marks = bank(40)
    us, zs = np.repeat(us[:, None], 4, 1), np.repeat(zs[:, None], 4, 1)
    zs[5, 2] = np.inf
    run = EKF().run(belief, ROBOT, us, zs, 0.1, sensor=SONAR, contexts=marks[:1])
    assert run.status[5].tolist() == [0, 0, FilterStatus.NOT_FINITE_READING, 0] or np.isnan(zs[5, 0]).any()
    alone = EKF().run(belief[7], ROBOT, us[7], zs[7], 0.1, sensor=SONAR, contexts=marks[:1])
    np.testing.assert_allclose(run.beliefs.mean[7], alone.beliefs.mean, atol=1e-11)
    np.testing.assert_allclose(run.predicted.cov[7], alone.predicted.cov, atol=1e-11)
