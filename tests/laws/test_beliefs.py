"""Laws of beliefs, over every kind: moments, samples and densities of one distribution, and a value that stays."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from pilotage.core import Belief, Diagonal, Gaussian, Mixture, Particles, PilotageError, Point, Space
from pilotage.core.results import same_belief
from pilotage.estimators import AdaptiveEKF, GaussianParticles, Information, NoiseBelief, VariationalEKF
from pilotage.estimators.localization import Histogram, Localization
from pilotage.estimators.localization.cells import Cells
from pilotage.models import LinearSensor, constant_velocity, position

from .test_every_implementation import public

PLANE, POSE = Space("x [m]", "y [m]"), Space("x y [m]", "yaw: angle")
CURVED = Space("pose: SE2", "q: quaternion")
COV = np.array([[2.0, 0.6], [0.6, 0.5]])


def spread(d: int, size: float) -> np.ndarray:
    """A covariance."""
    A = np.random.default_rng(d).normal(size=(d, d))
    return size * (A @ A.T / d + 0.2 * np.eye(d))


def cloud(space: Space, n: int = 1500, size: float = 0.05) -> Particles:
    """Particles of unequal weights."""
    rng = np.random.default_rng(3)
    points = Gaussian(space, space.sample(rng=1), spread(space.dim, size)).sample(n, rng=rng)
    return Particles(space, points, rng.normal(size=n) * 0.3)


def learnt() -> NoiseBelief:
    """The belief of a filter that has read two sensors."""
    filter = VariationalEKF(constant_velocity(1), dt=1.0).start(mean=[1.0, 2.0], std=[0.5, 2.0])
    filter.step(position(1, std=0.5), [3.0])
    return filter.update(LinearSensor([[1.0, 1.0]], 0.5, state=constant_velocity(1).state), [5.0]).belief


def many_learnt() -> NoiseBelief:
    """Those of filters that have found the factor of their process noise, each its own."""
    model, mine = constant_velocity(1), AdaptiveEKF(adapts="Q", window=5.0)
    before = mine.predict(Gaussian.of(model.state, [[0.0, 0.0], [1.0, 1.0]], std=1.0), model, None, 1.0)
    return mine.update(before, position(1, std=0.5), [[3.0], [0.0]]).belief


def rao_blackwell() -> GaussianParticles:
    """One component of particles, the other of Gaussians."""
    rng = np.random.default_rng(4)
    covs = np.zeros((1500, 2, 2))
    covs[:, 1, 1] = rng.uniform(0.2, 0.6, 1500)
    return GaussianParticles(PLANE, rng.normal(size=(1500, 2)), covs, rng.normal(size=1500) * 0.3, sampled=(0,))


def histogram() -> Histogram:
    cells = Cells.of(Space("x [m]", "yaw: angle"), {"x": (0.0, 4.0, 8), "yaw": 12})
    p = np.exp(-np.square(cells.centers[:, 0] - 1.7) - 2.0 * np.square(cells.centers[:, 1] - 0.3))
    return Histogram(cells, (p / p.sum()).reshape(cells.shape))


def hypotheses() -> Localization:
    found = cloud(POSE)
    return Localization(found, np.arange(1500), np.zeros(1500))


BELIEFS: dict[str, Callable[[], Any]] = {
    "Gaussian": lambda: Gaussian(PLANE, [1.0, -2.0], COV),
    "Gaussian on a curved space": lambda: Gaussian(CURVED, CURVED.sample(rng=1), spread(6, 0.01)),
    "Gaussian, rooted": lambda: Gaussian.from_root(PLANE, [1.0, -2.0], [[1.0, 0.5, 0.2], [0.0, 0.7, 0.1]]),
    "Gaussian, many": lambda: Gaussian(PLANE, [[1.0, -2.0], [3.0, 0.0]], [COV, 2.0 * COV]),
    "Diagonal": lambda: Diagonal(POSE, [1.0, 2.0, 3.0], [0.5, 1.0, 0.02]),
    "Diagonal of float32": lambda: Diagonal(Space("latent: float32[3]"), [1.0, 2.0, 3.0], 0.25),
    "Point": lambda: Point(POSE, [1.0, 2.0, 3.0]),
    "Particles": lambda: cloud(PLANE),
    "Particles on a curved space": lambda: cloud(Space("pose: SE2")),
    "Mixture": lambda: Mixture(
        [Gaussian(PLANE, [0.0, 0.0], COV), Gaussian(PLANE, [2.0, 1.0], 0.5 * COV)], np.log([0.3, 0.7])
    ),
    "Mixture of spaces": lambda: Mixture(
        [Gaussian(PLANE, [0.0, 0.0], COV), Gaussian.of(Space("y [m]", "vx [m/s]", "x [m]"), [2.0, 1.0, 1.0], std=0.5)]
    ),
    "Mixture of angles": lambda: Mixture(
        [Gaussian.of(POSE, [0.0, 0.0, 3.1], std=0.3), Gaussian.of(POSE, [1.0, 0.0, -3.1], std=0.2)]
    ),
    "Mixture, many": lambda: Mixture(
        [Gaussian(PLANE, [[1.0, -2.0], [3.0, 0.0]], COV), Gaussian(PLANE, [[0.0, 0.0], [1.0, 1.0]], COV)],
        np.log([[0.2, 0.8], [0.6, 0.4]]),
    ),
    "Information": lambda: Information(PLANE, np.linalg.inv(COV), np.linalg.inv(COV) @ [1.0, -2.0]),
    "Information, many": lambda: Information(PLANE, [np.linalg.inv(COV), np.eye(2)], [[1.0, -2.0], [0.5, 0.0]]),
    "NoiseBelief": learnt,
    "NoiseBelief, many": many_learnt,
    "GaussianParticles": rao_blackwell,
    "Histogram": histogram,
    "Localization": hypotheses,
}
KERNELS = ("Particles", "GaussianParticles", "Localization")
"""Beliefs whose density is estimated by kernels, which widen what is known only at points."""
every = pytest.mark.parametrize("name", BELIEFS)


def arrays(value: Any, seen: set[int] | None = None) -> Iterator[np.ndarray]:
    """The arrays that a belief holds, in itself and its parts."""
    seen = set() if seen is None else seen
    if id(value) in seen or isinstance(value, Space):
        return
    seen.add(id(value))
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, (tuple, list)):
        for each in value:
            yield from arrays(each, seen)
    elif dataclasses.is_dataclass(value) and type(value).__module__.startswith("pilotage"):
        for each in vars(value).values():
            yield from arrays(each, seen)


def read(belief: Any) -> None:
    """Ask for all that a belief computes and keeps."""
    for name in dir(type(belief)):
        if not name.startswith("_") and not callable(getattr(type(belief), name)):
            getattr(belief, name)
    belief.moments(), belief.moments().root, str(belief), repr(belief)


def test_no_belief_is_missing() -> None:
    assert public("moments", "sample", "log_prob") == {name.replace(",", "").split()[0] for name in BELIEFS}


@every
def test_samples_have_the_moments(name: str) -> None:
    """Mean and covariance of samples, to five standard errors of the mean and a tenth of the covariance."""
    belief, n = BELIEFS[name](), 20_000
    assert isinstance(belief, Belief)
    known = belief.moments()
    assert known.space == belief.space
    x = belief.sample(n, rng=1)
    assert x.shape == (*known.mean.shape[:-1], n, belief.space.size)
    np.testing.assert_array_equal(x, belief.sample(n, rng=1))
    d = np.asarray(belief.space.minus(x, known.mean[..., None, :]), dtype=np.float64)
    assert (np.abs(d.mean(-2)) <= 5.0 * known.std / n**0.5).all()
    cov = np.swapaxes(d, -1, -2) @ d / n
    scale = known.std[..., :, None] * known.std[..., None, :]
    assert (np.abs(cov - known.cov) <= 0.1 * scale).all()
    assert belief.sample(0, rng=1).shape == (*known.mean.shape[:-1], 0, belief.space.size)
    with pytest.raises(PilotageError):
        belief.sample(-1, rng=1)


@every
def test_the_density_has_the_moments(name: str) -> None:
    """Its integral is 1, and its mean and covariance are those of `moments`, by importance sampling."""
    belief, n = BELIEFS[name](), 40_000
    known = belief.moments()
    if name == "Point":
        assert belief.log_prob(belief.mean) == 0.0
        assert belief.log_prob(belief.mean + [0.0, 1e-3, 0.0]) == -np.inf
        return
    n = 1500 if name.startswith(KERNELS) else n
    wide = Gaussian.trusted(known.space, known.mean, 2.0 * known.cov)
    x = wide.sample(n, rng=2)
    x = np.moveaxis(x, -2, 0)  # samples first: leading axes of the belief come behind them
    w = np.moveaxis(np.exp(belief.log_prob(x) - wide.log_prob(x)), 0, -1)
    d = np.moveaxis(np.asarray(belief.space.minus(x, known.mean), dtype=np.float64), 0, -2)
    error = 6.0 * w.std(-1) / n**0.5 + 0.02
    assert (np.abs(w.mean(-1) - 1.0) < error).all()
    assert (np.abs((w[..., None] * d).mean(-2)) < 0.1 * known.std + error[..., None] * known.std).all()
    cov = np.einsum("...n,...ni,...nj->...ij", w, d, d) / n
    widened = 0.3 if name.startswith(KERNELS) else 0.1
    scale = known.std[..., :, None] * known.std[..., None, :]
    assert (np.abs(cov - known.cov) < widened * scale).all()


@every
def test_a_belief_is_a_value(name: str) -> None:
    """Nothing in it can be changed: neither attributes, nor arrays, nor what was computed from them on the way."""
    belief = BELIEFS[name]()
    read(belief)
    held = [*arrays(belief), *arrays(belief.moments())]
    assert held
    for array in held:
        assert not array.flags.writeable
    for field in dataclasses.fields(belief):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(belief, field.name, None)
    x = belief.sample(3, rng=1)
    kept = copy.deepcopy(belief)
    x[...] = 7.0  # samples are the caller's own
    assert same_belief(belief, kept)


@every
def test_arrays_that_are_given_stay_the_callers(name: str) -> None:
    """They can be written to afterwards, which changes no belief."""
    belief = BELIEFS[name]()

    def handed(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return value.copy()
        parts = [handed(each) for each in value] if isinstance(value, tuple) else []
        return value if not parts else type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)

    given = [handed(getattr(belief, name)) for name in inspect.signature(type(belief)).parameters]
    held = tuple(value for value in given if isinstance(value, (np.ndarray, tuple)))
    mine = [array for array in arrays(held) if array.flags.writeable]
    other = type(belief)(*given)
    kept = copy.deepcopy(other)
    for array in mine:
        array[...] = 7
    assert mine or isinstance(belief, Mixture)
    assert same_belief(other, kept)


@every
def test_copies_are_equal(name: str) -> None:
    """By pickle, copy and deepcopy: the same space and numbers, as read-only as before, whatever was computed."""
    belief = BELIEFS[name]()
    read(belief)
    for other in (pickle.loads(pickle.dumps(belief)), copy.copy(belief), copy.deepcopy(belief)):
        assert type(other) is type(belief)
        assert other.space == belief.space
        assert hash(other.space) == hash(belief.space)
        assert same_belief(other, belief)
        read(other)
        assert not any(array.flags.writeable for array in arrays(other))
        np.testing.assert_array_equal(other.moments().mean, belief.moments().mean)
        np.testing.assert_array_equal(other.moments().cov, belief.moments().cov)
        np.testing.assert_array_equal(other.sample(5, rng=3), belief.sample(5, rng=3))
        x = belief.sample(5, rng=4) if belief.moments().mean.ndim == 1 else belief.moments().mean
        np.testing.assert_array_equal(other.log_prob(x), belief.log_prob(x))


@pytest.mark.parametrize("name", [name for name in BELIEFS if name.endswith("many")])
def test_an_entry_of_many_is_one(name: str) -> None:
    many = BELIEFS[name]()
    for i, at in ((0, 0), (1, 1), (0, (..., 0)), (1, (..., 1))):
        one, known = many[at], many.moments()[i]
        np.testing.assert_allclose(one.moments().mean, known.mean)
        np.testing.assert_allclose(one.moments().cov, known.cov)
        np.testing.assert_allclose(one.log_prob(known.mean), many.log_prob(many.moments().mean)[i])


@every
def test_a_marginal_has_the_moments(name: str) -> None:
    """Of one part, where a belief gives marginals that are beliefs."""
    belief = BELIEFS[name]()
    if not hasattr(belief, "marginal"):
        return
    part = belief.space.parts[-1].name
    mine, whole = belief.marginal(part), belief.moments().marginal(part)
    assert mine.space == whole.space == belief.space.select([part])
    np.testing.assert_allclose(mine.moments().mean, whole.mean, atol=1e-12)
    np.testing.assert_allclose(mine.moments().cov, whole.cov, atol=1e-12)
