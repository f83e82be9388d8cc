"""Probabilistic data association, against the enumeration of all hypotheses; and scans in order of time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from pilotage.core import (
    FilterStatus,
    Gaussian,
    Readings,
    Scans,
    SettingError,
    ShapeError,
    Space,
    Update,
)
from pilotage.core.linearize import jacobian
from pilotage.estimators import EKF, KF, UKF, Filter
from pilotage.estimators.tracking import PDA
from pilotage.models import (
    compass,
    constant_velocity,
    position,
    range_bearing,
    relative_position,
    unicycle,
)

TARGET, RADAR = constant_velocity(2, density=0.1), position(2, std=0.5).on(constant_velocity(2).state)
TRACK = Gaussian(
    TARGET.state,
    [0.0, 0.0, 1.0, 0.5],
    [[0.4, 0.1, 0.1, 0.0], [0.1, 0.3, 0.0, 0.1], [0.1, 0.0, 0.2, 0.0], [0.0, 0.1, 0.0, 0.2]],
)
SCAN = np.array([[0.7, 0.2], [-0.4, 0.9], [0.1, -0.8], [30.0, 2.0]])
MARK = [5.0, 1.0]
POSE = Gaussian.of(Space("pose: SE2"), [0.0, 0.0, 3.0], std=[0.3, 0.4, 0.5])
CASES: dict[str, tuple[Any, Gaussian, Any, Any]] = {
    "KF": (KF, TRACK, RADAR, None),
    "EKF": (EKF, Gaussian.of(unicycle().state, [0, 0, 3.1], std=[0.3, 0.3, 0.4]), range_bearing(std=(0.3, 0.2)), MARK),
    "UKF": (UKF, Gaussian.of(unicycle().state, [0, 0, 3.1], std=[0.3, 0.3, 0.4]), range_bearing(std=(0.3, 0.2)), MARK),
    "EKF on poses": (EKF, POSE, relative_position(std=0.4), MARK),
}
every = pytest.mark.parametrize("case", CASES)


def close(a: Any, b: Any, tolerance: float) -> None:
    np.testing.assert_allclose(a, b, rtol=0.0, atol=tolerance)


def scan_of(belief: Gaussian, sensor: Any, context: Any, count: int) -> np.ndarray:
    """Detections near the one expected, and one far away."""
    expected = EKF().expect(belief, sensor, context)
    near = expected.sample(count, rng=6)
    return np.concatenate([near, sensor.reading.plus(near[:1], 40.0 * expected.std * [1.0, 0.0])])


@every
def test_one_sure_detection_is_a_plain_update(case: str) -> None:
    make, belief, sensor, context = CASES[case]
    z = scan_of(belief, sensor, context, 1)[:1]
    plain = make().update(belief, sensor, z[0], context)
    found = PDA(filter=make(), detection=1.0, clutter=0.0).update(belief, sensor, z, context)
    close(found.belief.mean, plain.belief.mean, 1e-12)
    close(found.belief.cov, plain.belief.cov, 1e-12)
    close(found.innovation, plain.innovation, 1e-12)
    close(found.S, plain.S, 1e-12)
    close([found.nis, found.log_likelihood], [plain.nis, plain.log_likelihood], 1e-11)
    alone = PDA(filter=make(), clutter=0.1).update(belief, sensor, z[0], context)  # a reading of the target alone
    close(alone.belief.mean, plain.belief.mean, 0.0)


def hypotheses(make: Any, belief: Gaussian, sensor: Any, scan: Any, context: Any, P_D: float, gate: float, lam: float):
    """All hypotheses with their probabilities, and the density of the scan, from counts of Poisson clutter in a volume.

    Of m detections in a volume V, m - 1 are clutter where one is the target's, which can be any of the m.
    """
    V, m = 1e4, len(scan)
    limit = stats.chi2.ppf(gate, sensor.reading.dim)
    found, weights = [belief], [(1.0 - P_D * gate) * stats.poisson.pmf(m, lam * V) * V**-m]
    for z in scan:
        one = make().update(belief, sensor, z, context)
        if one.nis <= limit:
            density = math.exp(-0.5 * one.nis) / math.sqrt(np.linalg.det(2.0 * np.pi * one.S))
            weights.append(P_D * density * stats.poisson.pmf(m - 1, lam * V) * V ** -(m - 1) / m)
            found.append(one.belief)
    total = sum(weights)
    return found, np.array(weights) / total, math.log(total) + lam * V + math.lgamma(m + 1)


def moments(found: list[Gaussian], w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of a mixture by their definitions, covariances carried by a numeric derivative."""
    space, mean = found[0].space, found[0].mean
    for _ in range(100):
        mean = space.plus(mean, sum(wi * space.minus(g.mean, mean) for wi, g in zip(w, found, strict=True)))
    cov = np.zeros((space.dim, space.dim))
    for wi, g in zip(w, found, strict=True):
        d = space.minus(g.mean, mean)
        G = np.eye(space.dim)
        if not space.flat:
            G = jacobian(lambda e, y=g.mean: space.minus(space.plus(y, e), mean), 0.0 * d, space.tangent, space.tangent)
        cov += wi * (G @ g.cov @ G.T + np.outer(d, d))
    return mean, cov


@every
def test_enumeration_of_hypotheses(case: str) -> None:
    make, belief, sensor, context = CASES[case]
    scan = scan_of(belief, sensor, context, 3)
    found = PDA(filter=make(gate=0.95), detection=0.8, clutter=0.05).update(belief, sensor, scan, context)
    each, w, log_likelihood = hypotheses(make, belief, sensor, scan, context, 0.8, 0.95, 0.05)
    assert len(each) in (3, 4) and 0.01 < w[0] < 0.9
    mean, cov = moments(each, w)
    close(belief.space.minus(found.belief.mean, mean), 0.0, 1e-10)
    close(found.belief.cov, cov, 1e-10 if belief.space.flat else 1e-8)  # the derivative is numeric there
    close(found.log_likelihood, log_likelihood, 1e-9)
    assert found.accepted


def test_the_form_of_the_paper() -> None:
    """``P - (1 - beta_0) K S K' + K (sum beta y y' - y y') K'`` of a linear model: one gain for all detections."""
    H, R = np.eye(2, 4), 0.25 * np.eye(2)
    S = H @ TRACK.cov @ H.T + R
    K = TRACK.cov @ H.T @ np.linalg.inv(S)
    ys = SCAN[:3] - H @ TRACK.mean
    L = 0.9 / 0.05 * np.array([math.exp(-0.5 * y @ np.linalg.solve(S, y)) for y in ys])
    L /= math.sqrt(np.linalg.det(2.0 * np.pi * S))
    none = 1.0 - 0.9 * 0.99
    beta, beta0 = L / (none + L.sum()), none / (none + L.sum())
    y = beta @ ys
    spread = np.einsum("i,ij,ik->jk", beta, ys, ys) - np.outer(y, y)
    found = PDA(filter=KF(gate=0.99), clutter=0.05).update(TRACK, RADAR, SCAN)
    close(found.innovation, y, 1e-12)
    close(found.belief.mean, TRACK.mean + K @ y, 1e-12)
    close(found.belief.cov, TRACK.cov - (1.0 - beta0) * K @ S @ K.T + K @ spread @ K.T, 1e-12)
    close(found.nis, y @ np.linalg.solve(S, y), 1e-12)


@pytest.mark.parametrize("scan", [[], np.zeros((0, 2)), np.full((3, 2), np.nan)])
def test_an_empty_scan_keeps_the_prediction(scan: Any) -> None:
    pda = PDA(filter=KF(gate=0.99), detection=0.9, clutter=0.05)
    found = pda.update(TRACK, RADAR, scan)
    assert (found.status, found.nis) == (FilterStatus.NO_READING, 0.0)
    assert np.isnan(found.innovation).all()
    close(found.belief.mean, TRACK.mean, 0.0)
    close(found.belief.cov, TRACK.cov, 0.0)
    close(found.log_likelihood, math.log(1.0 - 0.9 * 0.99), 1e-12)
    missed = pda.update(TRACK, RADAR, [[90.0, 0.0], [0.0, -70.0]])
    assert missed.status == FilterStatus.GATED
    close(missed.belief.cov, TRACK.cov, 0.0)
    close(missed.log_likelihood, math.log((1.0 - 0.9 * 0.99) * 0.05**2), 1e-12)
    assert PDA(filter=KF(), detection=1.0, clutter=0.05).update(TRACK, RADAR, []).log_likelihood == -math.inf


def test_rows_of_a_batch() -> None:
    """Tracks and scans of different lengths side by side are those alone; one that fails harms no other."""
    pda = PDA(filter=EKF(gate=0.99), clutter=0.05)
    tracks = Gaussian(TARGET.state, TRACK.mean + np.arange(5)[:, None] * [0.2, 0.0, 0.0, 0.0], TRACK.cov)
    scans = np.full((5, 4, 2), np.nan)
    scans[0], scans[1, :2], scans[3, 1:3] = SCAN, SCAN[1:3], SCAN[:2]
    scans[4, :2] = [[np.inf, 0.0], SCAN[0]]
    found = pda.update(tracks, RADAR, scans)
    assert found.status.tolist() == [0, 0, FilterStatus.NO_READING, 0, FilterStatus.NOT_FINITE_READING]
    for i in range(4):
        alone = pda.update(tracks[i], RADAR, scans[i][~np.isnan(scans[i, :, 0])])
        close(found.belief.mean[i], alone.belief.mean, 1e-12)
        close(found.belief.cov[i], alone.belief.cov, 1e-12)
        close(found.log_likelihood[i], alone.log_likelihood, 1e-12)
    close(found.belief.mean[4], tracks.mean[4], 0.0)
    close(found.belief.cov[4], tracks.cov[4], 0.0)
    assert np.isnan(found.log_likelihood[4]) and np.isnan(found.innovation[4]).all()
    with pytest.raises(ShapeError, match="inf"):
        pda.update(TRACK, RADAR, scans[4])
    shared = pda.update(tracks, RADAR, SCAN)  # one scan for all tracks
    close(shared.belief.mean[1], pda.update(tracks[1], RADAR, SCAN).belief.mean, 1e-12)


def test_a_context_belongs_to_a_whole_scan() -> None:
    """Also where each row of a batch has its own."""
    _, belief, sonar, _ = CASES["EKF"]
    pda, marks = PDA(clutter=0.05), np.array([MARK, [3.0, -2.0], [1.0, 4.0]])
    scans = np.stack([scan_of(belief, sonar, mark, 3) for mark in marks])
    found = pda.update(belief, sonar, scans, marks)
    for i in range(3):
        alone = pda.update(belief, sonar, scans[i], marks[i])
        close(found.belief.mean[i], alone.belief.mean, 1e-12)
        close(found.log_likelihood[i], alone.log_likelihood, 1e-12)


def drives(clutter: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """NEES ``(T, 100)`` of 100 tracks, and their last errors [m], those of the nearest detection's filter beside."""
    rng, count, side, P_D = np.random.default_rng(seed), 100, 20.0, 0.9
    target = constant_velocity(2, density=0.01)
    start = Gaussian.of(target.state, [0.0, 0.0, 1.0, 0.5], std=[0.5, 0.5, 0.3, 0.3])
    x, pda = start.sample(count, rng=rng), PDA(clutter=clutter, detection=P_D, filter=KF(gate=0.997), dt=1.0)
    one = Gaussian(target.state, np.tile(start.mean, (count, 1)), start.cov)
    beliefs, L = [one, one], np.linalg.cholesky(target.noise(x[0], [], 1.0))
    nees = []
    for _ in range(30):
        x = target.step(x, np.zeros(2)[:0], 1.0) + rng.normal(size=(count, 4)) @ L.T
        own = np.where(rng.random((count, 1)) < P_D, RADAR.sample(x, rng=rng), np.nan)
        many = rng.poisson(clutter * side**2, size=count)
        false = x[:, None, :2] + side * (rng.random((count, many.max(), 2)) - 0.5)
        false[np.arange(many.max()) >= many[:, None]] = np.nan
        scans = np.concatenate([own[:, None], false], axis=1)
        beliefs = [pda.predict(belief, target) for belief in beliefs]
        far = np.nan_to_num(np.linalg.norm(scans - beliefs[1].mean[:, None, :2], axis=-1), nan=np.inf)
        nearest = scans[np.arange(count), far.argmin(1)]
        beliefs = [pda.update(beliefs[0], RADAR, scans).belief, pda.filter.update(beliefs[1], RADAR, nearest).belief]
        e = x - beliefs[0].mean
        nees.append(np.einsum("ri,ri->r", e, np.linalg.solve(beliefs[0].cov, e[..., None])[..., 0]))
    return np.array(nees), np.array([np.linalg.norm((x - belief.mean)[:, :2], axis=1) for belief in beliefs])


def test_consistent_in_clutter() -> None:
    """The mean NEES of 100 seeds lies in its chi-square interval, at several times; one track in a hundred may go."""
    nees, (errors, _) = drives(clutter=0.01, seed=0)
    held = errors < 4.0
    assert held.sum() >= 99
    nees, (low, high) = nees[:, held], np.array(stats.chi2.interval(0.99, 4 * held.sum())) / held.sum()
    for t in (0, 4, 9, 19, 29):
        assert low < nees[t].mean() < high, f"step {t}: {nees[t].mean():.3f} is not in {low:.3f} to {high:.3f}"


def test_tracks_hold_in_heavy_clutter() -> None:
    """Among 40 false detections a scan, where the nearest one's filter loses every third track."""
    _, (errors, nearest) = drives(clutter=0.1, seed=0)
    assert (nearest > 5.0).sum() > 30
    assert (errors > 5.0).sum() < 15


def test_scans_and_readings_in_order_of_time() -> None:
    """A run over a detector and a compass at times of their own is the loop that predicts and updates at those."""
    robot, needle, sonar = unicycle(noise=0.05), compass(std=0.05), position(2, std=0.3)
    rng = np.random.default_rng(3)
    t1, t2, ticks = np.array([0.3, 0.8, 1.2, 1.9]), np.array([0.8, 1.5]), np.array([1.0, 2.0])
    scans = [rng.normal(size=(k, 2)) for k in (3, 0, 1, 5)]
    z2, us = rng.normal(size=(2, 1)) * 0.05, np.array([[1.0, 0.2], [0.5, -0.1]])
    pda = PDA(robot, filter=EKF(gate=0.99), clutter=0.02)
    whole, loop = (pda.start([0, 0, 0], std=0.5, sensors={"sonar": sonar}) for _ in range(2))
    run = whole.run(us, [Scans("sonar", scans, t1), Readings(needle, z2, t2)], ticks)
    events: list[Any] = [*zip(t1, ["sonar"] * 4, scans, strict=True), *zip(t2, [needle] * 2, z2, strict=True)]
    seen = []
    for t, sensor, z in sorted(events, key=lambda event: event[0]):
        for tick, u in zip(ticks, us, strict=True):
            if loop.t < tick:
                loop.predict(to=min(t, tick), u=u)
        seen.append(loop.update(sensor, z))
    read = run.which < 2
    assert run.ts.tolist() == [0.3, 0.8, 0.8, 1.0, 1.2, 1.5, 1.9, 2.0]
    assert run.status[read].tolist() == [int(each.status) for each in seen]
    assert FilterStatus.NO_READING in run.status[read]
    close(run.beliefs.mean[read], [each.belief.mean for each in seen], 1e-12)
    close(run.beliefs.cov[read], [each.belief.cov for each in seen], 1e-12)
    close(run.log_likelihood[read], [each.log_likelihood for each in seen], 1e-12)
    alone = pda.start([0, 0, 0], std=0.5, sensors={"sonar": sonar}).run(None, Scans("sonar", [[], []], [0.1, 0.2]))
    assert alone.status.tolist() == [FilterStatus.NO_READING] * 2


def test_scans_of_one_sure_detection_are_readings() -> None:
    """In a run, each with a context of its own."""
    robot, sonar, rng = unicycle(noise=0.05), range_bearing(std=(0.3, 0.2)), np.random.default_rng(8)
    ts, marks = np.array([0.2, 0.7, 0.8]), rng.uniform(3.0, 6.0, size=(3, 2))
    zs = sonar.observe(rng.normal(size=(3, 3)) * 0.1, marks)
    start = {"mean": [0.0, 0.0, 0.0], "std": 0.3}
    one = EKF(robot).start(**start).run(None, [Readings(sonar, zs, ts, marks)])
    sure = PDA(robot, filter=EKF(), detection=1.0, clutter=0.0).start(**start)
    other = sure.run(None, Scans(sonar, zs[:, None], ts, marks))
    close(other.beliefs.mean, one.beliefs.mean, 1e-12)
    close(other.beliefs.cov, one.beliefs.cov, 1e-12)
    close(other.innovations, one.innovations, 1e-12)
    close(other.log_likelihood, one.log_likelihood, 1e-11)
    assert sure.t == 0.8
    with pytest.raises(ShapeError, match="2 contexts for 3"):
        sure.run(None, Scans(sonar, zs[:, None], ts + 1.0, marks[:2]))


class Tracks:
    """One track a detection: an estimator whose beliefs have ever more leading axes."""

    own_contexts = False

    def predict(self, belief: Any, dynamics: Any, u: Any, dt: float, *, rng: Any = None) -> Any:
        return KF().predict(belief, dynamics, u, dt)

    def update(self, belief: Any, sensor: Any, z: Any, context: Any = None, *, rng: Any = None) -> Update:
        mean = np.concatenate([belief.mean, np.pad(z, ((0, 0), (0, 2)))])
        after = Gaussian(belief.space, mean, np.eye(4))
        return Update(after, np.full(2, np.nan), np.eye(2), 0.0, 0.0, status=FilterStatus.ACCEPTED)


def test_trackers_whose_tracks_begin_run_too() -> None:
    none = Gaussian.trusted(TARGET.state, np.zeros((0, 4)), np.zeros((0, 4, 4)))
    filter = Filter.of(Tracks(), TARGET, none)
    run = filter.run(None, [Scans(RADAR, [SCAN, SCAN[:0], SCAN[:1]], [0.1, 0.2, 0.3])])
    assert [len(belief.mean) for belief in run.beliefs] == [4, 4, 5]
    assert len(filter.belief.mean) == 5


def test_filters_of_one_reading_refuse_scans() -> None:
    with pytest.raises(ShapeError, match="PDA"):
        KF(TARGET).start(belief=TRACK).run(None, [Scans(RADAR, [SCAN], [0.1])])
    with pytest.raises(ShapeError, match="in part"):
        PDA(clutter=0.1).update(TRACK, RADAR, [[1.0, np.nan]])
    with pytest.raises(ShapeError, match="scan is not an array"):
        PDA(clutter=0.1).update(TRACK, RADAR, [[1.0, 2.0], [3.0]])
    with pytest.raises(ShapeError, match="expected"):
        PDA(clutter=0.1).update(TRACK, RADAR, [[1.0, 2.0, 3.0]])
    with pytest.raises(SettingError, match="expected an EKF or a UKF or a KF"):
        PDA(clutter=0.1, filter=PDA(clutter=0.1))  # pyright: ignore[reportArgumentType]
    with pytest.raises(SettingError, match="detection of PDA is 1.5"):
        PDA(clutter=0.1, detection=1.5)
