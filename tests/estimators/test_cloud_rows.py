"""A batch of clouds never fails as a whole: a row with a status stays, and the others go on."""

from typing import Any

import numpy as np
import pytest

from pilotage.core import Dynamics, FilterStatus, Gaussian, Particles, Space
from pilotage.estimators import (
    AuxiliaryParticleFilter,
    EnsembleKF,
    GuidedParticleFilter,
    ParticleFilter,
    RaoBlackwellizedParticleFilter,
)
from pilotage.models import LinearSensor, discrete_dynamics, sensor

LINE = Space("x y")


@discrete_dynamics(state=LINE, noise=0.1)
def rooted(x: Any, u: Any, dt: Any, p: Any, m: Any) -> Any:
    """A state that is undefined below x = -10."""
    return m.sqrt(x[0] + 10.0) - 3.0, 0.5 * x[1]


@sensor(state=LINE, reading=Space("z"), std=0.5)
def logarithm(x: Any, c: Any, p: Any, m: Any) -> Any:
    return (m.sqrt(x[0] + 10.0) + x[1],)


class Plain(Dynamics):
    """The same dynamics, not traced."""

    state, action = LINE, Space()

    def step(self, x: Any, u: Any, dt: float) -> Any:
        return np.stack((np.sqrt(x[..., 0] + 10.0) - 3.0, 0.5 * x[..., 1]), axis=-1)

    def noise(self, x: Any, u: Any, dt: float) -> Any:
        return 0.01 * np.eye(2)


MARGINAL = RaoBlackwellizedParticleFilter(n=50, linear="y")
FILTERS = [
    ParticleFilter(n=50),
    AuxiliaryParticleFilter(n=50),
    GuidedParticleFilter(n=50),
    EnsembleKF(n=50),
    MARGINAL,
]
CASES = [(filter, rooted()) for filter in FILTERS] + [(filter, Plain()) for filter in FILTERS if filter is not MARGINAL]
BATCH = Gaussian(LINE, [[0.0, 0.0], [-30.0, 0.0], [1.0, 1.0]], np.eye(2) * 0.01)


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize(("filter", "model"), CASES, ids=lambda each: type(each).__name__)
def test_a_row_that_fails_has_a_status_and_the_others_go_on(filter: Any, model: Any) -> None:
    eye, status = logarithm(), np.full(3, -7)
    cloud = filter.cloud(BATCH, rng=1, models=(rooted(), eye))
    after = filter.predict(cloud, model, rng=1, dt=1.0, status=status)
    assert status[0] == status[2] == 0 and FilterStatus(status[1]).failed
    means = after.moments().mean
    np.testing.assert_array_equal(means[1], cloud.moments().mean[1])
    np.testing.assert_allclose(means[[0, 2]], [[0.16, 0.0], [0.32, 0.5]], atol=0.1)
    with pytest.warns(RuntimeWarning, match="1 of 3 predictions failed"):
        filter.predict(cloud, model, rng=1, dt=1.0)


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize(
    "filter", [f for f in FILTERS if not isinstance(f, EnsembleKF)], ids=lambda f: type(f).__name__
)
@pytest.mark.parametrize("shape", [(1,), (3, 1)])
def test_a_reading_of_a_row_that_fails(filter: Any, shape: tuple[int, ...]) -> None:
    eye, z = logarithm(), np.full(shape, 3.3)
    cloud = filter.cloud(BATCH, rng=1, models=(rooted(), eye))
    found = filter.update(cloud, eye, z, rng=1)
    status = np.asarray(found.status)
    assert status[0] == status[2] == FilterStatus.ACCEPTED and FilterStatus(int(status[1])).failed
    means, before = found.belief.moments().mean, cloud.moments().mean
    np.testing.assert_array_equal(means[1], before[1])
    assert np.isnan(found.log_likelihood[1]) and np.isfinite(found.log_likelihood[[0, 2]]).all()
    for b in (0, 2):
        alone = filter.update(cloud[b], eye, [3.3], rng=1)
        np.testing.assert_allclose(means[b], alone.belief.moments().mean, atol=1e-9)
        assert found.log_likelihood[b] == pytest.approx(alone.log_likelihood, abs=1e-9)


@pytest.mark.filterwarnings("ignore:invalid value")
def test_look_ahead_after_a_row_failed() -> None:
    """The row whose prediction failed goes on failing with readings; the others are guided as before."""
    eye, filter = logarithm(), GuidedParticleFilter(n=200)
    cloud = filter.predict(filter.cloud(BATCH, rng=1), rooted(), rng=1, dt=1.0, status=np.zeros(3, int))
    found = filter.update(cloud, eye, [3.3], rng=2)
    assert np.asarray(found.accepted).tolist() == [True, False, True]
    assert not isinstance(found.belief, Particles) or found.belief.points.shape == (3, 200, 2)


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("filter", [ParticleFilter(n=50), GuidedParticleFilter(n=50)], ids=lambda f: type(f).__name__)
def test_a_row_that_fails_is_not_resampled(filter: Any) -> None:
    """Weights so unequal that the others are drawn again."""
    rng = np.random.default_rng(1)
    cloud = Particles(LINE, BATCH.sample(50, rng=rng), -20.0 * rng.random((3, 50)))
    after = filter.predict(cloud, rooted(), rng=1, dt=1.0, status=np.zeros(3, int))
    np.testing.assert_array_equal(after.points[1], cloud.points[1])
    np.testing.assert_array_equal(after.log_weights[1], cloud.log_weights[1])
    np.testing.assert_allclose(after.log_weights[[0, 2]], -np.log(50.0))


def test_a_row_whose_innovation_has_no_variance() -> None:
    """Members in one place and a reading without noise."""
    exact = LinearSensor(np.eye(2), 0.0, state=LINE)
    points = np.stack((np.zeros((5, 2)), np.random.default_rng(1).normal(size=(5, 2))))
    found = EnsembleKF().update(Particles(LINE, points, np.zeros((2, 5))), exact, [1.0, 1.0])
    assert np.asarray(found.status).tolist() == [FilterStatus.SINGULAR_INNOVATION, FilterStatus.ACCEPTED]
    np.testing.assert_array_equal(found.belief.points[0], points[0])
    np.testing.assert_allclose(found.belief.moments().mean[1], [1.0, 1.0], atol=1e-9)
