"""A JPDA of public parts in a `Filter`: an estimator of several targets, whose update has a status for each."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from pilotage.core import Dynamics, FilterStatus, Gaussian, Mixture, Scans, Sensor, ShapeError, Update
from pilotage.estimators import KF, Filter, smooth
from pilotage.estimators.tracking import PDA
from pilotage.models import constant_velocity, position

TARGET, RADAR, DT = constant_velocity(density=0.02), position(std=0.4), 0.5
CROSSING = Gaussian.of(TARGET.state, [[-5.0, -5.0, 1.0, 1.0], [-5.0, 5.0, 1.0, -1.0]], std=[0.5, 0.5, 0.2, 0.2])


@dataclass(frozen=True)
class JPDA:
    """Joint probabilistic data association: all events in which each target causes another detection, or none.

    Bar-Shalom, Fortmann and Scheffe, "Joint probabilistic data association for multiple targets in clutter", 1980.
    """

    detection: float = 0.9
    clutter: float = 0.01
    own_contexts = False

    def predict(self, belief: Any, dynamics: Dynamics, u: Any, dt: float, *, rng: Any = None) -> Gaussian:
        return KF().predict(belief, dynamics, u, dt)

    def expect(self, belief: Any, sensor: Sensor, context: Any = None) -> Gaussian:
        return KF().expect(belief, sensor, context)

    def update(self, belief: Any, sensor: Sensor, z: Any, context: Any = None, *, rng: Any = None) -> Update:
        targets, count = len(belief.mean), len(z)
        each = KF().update(Gaussian(belief.space, belief.mean[:, None], belief.cov[:, None]), sensor, z)
        likelihood = self.detection * np.exp(each.log_likelihood.reshape(targets, count))
        beta, total = np.zeros((targets, count + 1)), 0.0
        for event in itertools.product(range(count + 1), repeat=targets):  # 0 for none, i for detection i
            hits = [(t, i - 1) for t, i in enumerate(event) if i]
            if len({i for _, i in hits}) < len(hits):
                continue
            weight = (1.0 - self.detection) ** (targets - len(hits)) * self.clutter ** (count - len(hits))
            weight *= float(np.prod([likelihood[hit] for hit in hits]))
            beta[np.arange(targets), event] += weight
            total += weight
        beta /= total
        ways = [belief, *(each.belief[:, i] for i in range(count))]
        with np.errstate(divide="ignore"):
            after = Mixture(ways, np.log(beta)).moments()
        expected = self.expect(belief, sensor)
        innovation = np.einsum("tk,tki->ti", beta[:, 1:], each.innovation)
        nis = np.einsum("ti,ti->t", innovation, np.linalg.solve(expected.cov, innovation[..., None])[..., 0])
        status = np.where(count, FilterStatus.ACCEPTED, FilterStatus.NO_READING) * np.ones(targets, dtype=np.int64)
        logs = np.full(targets, np.log(total) / targets)
        return Update(after, innovation, expected.cov, nis, logs, status=status)


def scans(steps: int, seed: int, clutter: float = 0.01, detection: float = 0.9) -> tuple[list[np.ndarray], np.ndarray]:
    """Scans of two targets whose ways cross, in clutter of 20 m by 20 m, and where they are, ``(T, 2, 4)``."""
    rng, x = np.random.default_rng(seed), CROSSING.mean
    L, found, truth = np.linalg.cholesky(TARGET.noise(x[0], [], DT)), [], []
    for _ in range(steps):
        x = TARGET.step(x, np.zeros((2, 0)), DT) + rng.normal(size=(2, 4)) @ L.T
        false = rng.uniform(-10.0, 10.0, size=(rng.poisson(clutter * 400.0), 2))
        found.append(
            rng.permutation(np.concatenate([RADAR.sample(x[:, :2], rng=rng)[rng.random(2) < detection], false]))
        )
        truth.append(x)
    return found, np.array(truth)


def crossed(estimator: Any, given: list[Any], belief: Any = CROSSING) -> Any:
    """The run of a filter over scans, with a tick between them."""
    ts = DT * np.arange(1, len(given) + 1)
    return Filter.of(estimator, TARGET, belief, dt=DT).run(None, [Scans(RADAR, given, ts)], np.append(ts, ts[-1] + DT))


def test_a_run_of_several_targets_is_the_loop() -> None:
    """Each field has the targets as leading axis, and time after it."""
    given, _ = scans(12, seed=4)
    given[5] = given[5][:0]
    run, loop = crossed(JPDA(), given), Filter.of(JPDA(), TARGET, CROSSING, dt=DT)
    seen = []
    for z in given:
        loop.predict()
        seen.append(loop.update(RADAR, z))
    for field, last in (("innovation", (2,)), ("nis", ()), ("log_likelihood", ()), ("status", ())):
        found = getattr(run, {"innovation": "innovations"}.get(field, field))
        assert found.shape == (2, 13, *last)
        for k, update in enumerate(seen):
            np.testing.assert_array_equal(found[:, k], getattr(update, field))
    assert run.status[:, [5, 12]].tolist() == [[FilterStatus.NO_READING] * 2] * 2
    assert np.isnan(run.innovations[:, 12]).all()
    assert run.beliefs.mean.shape == run.predicted.mean.shape == (2, 13, 4)
    for k, update in enumerate(seen):
        np.testing.assert_allclose(run.beliefs[..., k].mean, update.belief.mean, rtol=0.0, atol=1e-12)
        np.testing.assert_allclose(run.beliefs[..., k].cov, update.belief.cov, rtol=0.0, atol=1e-12)
    assert "22 of 22 readings accepted" in repr(run)


def test_a_jpda_of_one_target_is_a_pda() -> None:
    given, _ = scans(8, seed=1)
    one = CROSSING[:1]
    joint, alone = crossed(JPDA(), given, one), crossed(PDA(filter=KF(), detection=0.9, clutter=0.01), given, one[0])
    np.testing.assert_allclose(joint.beliefs.mean[0], alone.beliefs.mean, rtol=0.0, atol=1e-9)
    np.testing.assert_allclose(joint.beliefs.cov[0], alone.beliefs.cov, rtol=0.0, atol=1e-9)
    np.testing.assert_allclose(joint.log_likelihood[0], alone.log_likelihood, rtol=0.0, atol=1e-9)
    np.testing.assert_allclose(joint.innovations[0], alone.innovations, rtol=0.0, atol=1e-9)


def test_targets_that_cross_are_told_apart() -> None:
    kept = 0
    for seed in range(20):
        given, truth = scans(20, seed)
        off = crossed(JPDA(), given).beliefs.mean[:, 19, :2] - truth[19, :, :2]
        kept += bool((np.linalg.norm(off, axis=-1) < 2.0).all())
    assert kept >= 18


def test_tracks_of_a_pda_are_those_alone() -> None:
    """Also smoothed: the axis of targets is a batch."""
    given, _ = scans(10, seed=2)
    pda = PDA(filter=KF(gate=0.99), clutter=0.01)
    both = crossed(pda, given)
    for i in range(2):
        alone = crossed(pda, given, CROSSING[i])
        for mine, theirs in ((both.beliefs, alone.beliefs), (smooth(both), smooth(alone))):
            np.testing.assert_allclose(mine.mean[i], theirs.mean, rtol=0.0, atol=1e-9)
            np.testing.assert_allclose(mine.cov[i], theirs.cov, rtol=0.0, atol=1e-9)
        np.testing.assert_array_equal(both.status[i], alone.status)


class Births(JPDA):
    """A JPDA for which a target begins at the last detection of each scan."""

    def update(self, belief: Any, sensor: Sensor, z: Any, context: Any = None, *, rng: Any = None) -> Update:
        found = super().update(belief, sensor, z)
        mean = np.concatenate([found.belief.mean, np.pad(z[-1:], ((0, 0), (0, 2)))])
        cov = np.concatenate([found.belief.cov, np.tile(np.eye(4), (len(z[-1:]), 1, 1))])
        more = [np.concatenate([a, np.zeros((len(z[-1:]), *a.shape[1:]))]) for a in (found.innovation, found.nis)]
        status = np.pad(found.status, (0, len(z[-1:])), constant_values=FilterStatus.ACCEPTED)
        return Update(Gaussian(belief.space, mean, cov), more[0], np.eye(2), more[1], 0.0, status=status)


def test_what_varies_with_the_number_of_targets_is_a_tuple() -> None:
    near = CROSSING.mean[:, :2] + 0.5
    run = crossed(Births(), [near, near[:0], near[:1]])
    assert [len(b.mean) for b in run.beliefs] == [3, 3, 4, 4]
    assert [y.shape for y in run.innovations] == [(3, 2), (3, 2), (4, 2), (2,)]
    assert [nis.shape for nis in run.nis] == [(3,), (3,), (4,), ()]
    assert [s.tolist() for s in run.status] == [
        [0] * 3,
        [FilterStatus.NO_READING] * 3,
        [0] * 4,
        FilterStatus.NO_READING,
    ]
    assert [np.sum(taken) for taken in run.accepted] == [3, 0, 4, 0]
    assert run.log_likelihood.shape == (4,)
    assert "7 of 7 readings accepted" in repr(run)


def test_a_batch_of_readings_is_no_batch_of_targets() -> None:
    """A belief of one target stays one."""
    with pytest.raises(ShapeError, match=r"\(3, 2\)"):
        Filter.of(PDA(filter=KF(), clutter=0.1), TARGET, CROSSING).update(RADAR, np.zeros((3, 2, 1, 2)))
    with pytest.raises(ShapeError, match=r"\(3,\)"):
        Filter.of(PDA(filter=KF(), clutter=0.1), TARGET, CROSSING[0]).update(RADAR, np.zeros((3, 1, 2)))
