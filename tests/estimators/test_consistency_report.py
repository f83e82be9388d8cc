"""The report on a run's consistency: false alarms, power, names and factors, for every kind of estimator."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import numpy as np
import pytest
from scipy import stats

from pilotage.core import Gaussian, ModelError, Readings, SettingError, ShapeError
from pilotage.estimators import EKF, IMM, KF, UKF, InformationKF, ParticleFilter, VariationalEKF, Verdict, consistency
from pilotage.estimators._deviations import deviations, likelihoods
from pilotage.models import constant_velocity, position, range_bearing, unicycle, velocity

DT, STEPS = 0.1, 300
LINE = constant_velocity(1, density=1.0)


def drives(rng: np.random.Generator, count: int, steps: int = STEPS) -> tuple[Any, Any]:
    """States ``(count, steps, 2)`` of `LINE` and their readings with a deviation of 0.5 m."""
    F, Q = LINE.linearize(np.zeros(2), [], DT)[0], LINE.noise(np.zeros(2), [], DT)
    x, xs = rng.normal(size=(count, 2)), []
    for _ in range(steps):
        x = x @ F.T + rng.multivariate_normal(np.zeros(2), Q, size=count)
        xs.append(x)
    states = np.stack(xs, axis=1)
    return states, states[..., :1] + 0.5 * rng.normal(size=(count, steps, 1))


def filtered(z: Any, density: float = 1.0, std: float = 0.5, gate: float | None = None) -> Any:
    kf = KF(constant_velocity(1, density=density), dt=DT, gate=gate).start(std=1.0)
    return kf.run(None, z, sensor=position(1, std=std))


def test_likelihoods_are_those_of_the_filter_with_that_noise() -> None:
    """The linear model of the errors is exact where models are linear, with readings missing and of several sensors."""
    rng = np.random.default_rng(1)
    xs, zs = drives(rng, 1, 60)
    zs[0, 5] = np.nan
    ts = DT * np.arange(1, 61)
    speeds = Readings(velocity(1, std=0.2), xs[0, ::3, 1:] + 0.2 * rng.normal(size=(20, 1)), ts[::3] + 0.03)

    def run(q: float, r: float, v: float) -> Any:
        kf = KF(constant_velocity(1, density=q), dt=DT).start(belief=Gaussian.of(LINE.state, std=1.0))
        return kf.run(
            None,
            [Readings(position(1, std=0.5 * r), zs[0], ts), Readings(velocity(1, std=0.2 * v), speeds.z, speeds.ts)],
        )

    one, other = deviations(run(1.0, 1.0, 1.0)), run(3.0, 0.5, 2.0)
    assert one is not None
    first = np.array(deviations(other).P)  # type: ignore[union-attr]
    one.P[:] = first  # the first prediction had the other noise too
    log = likelihoods(one, np.full((1, 2), 3.0), np.array([[[0.5], [2.0]]]))[0][0]
    count = int(np.isfinite(other.innovations).sum())
    assert log - 0.5 * count * np.log(2.0 * np.pi) == pytest.approx(other.log_likelihood.sum(), rel=1e-9)


def test_a_consistent_filter_is_seldom_accused() -> None:
    xs, zs = drives(np.random.default_rng(2), 200, 150)
    alarms = sum(not consistency(filtered(z), x).consistent for x, z in zip(xs, zs, strict=True))
    assert alarms <= stats.binom.ppf(0.99, 200, 0.01)
    gated = sum(not consistency(filtered(z, gate=0.99)).consistent for z in zs[:100])
    assert gated <= stats.binom.ppf(0.99, 100, 0.01)


@pytest.mark.parametrize("told", [False, True], ids=["readings", "truth"])
@pytest.mark.parametrize(
    ("density", "std", "said"),
    [
        (1.0 / 3.0, 0.5, "process noise"),
        (3.0, 0.5, "process noise"),
        (1.0, 0.5 / 3.0, "measurement noise of position"),
        (1.0, 1.5, "measurement noise of position"),
    ],
)
def test_noise_wrong_by_three_is_named(density: float, std: float, said: str, told: bool) -> None:
    """Of 40 runs of 300 steps, nine in ten name the noise that is wrong, and the factor is about right."""
    xs, zs = drives(np.random.default_rng(3), 40)
    reports = [consistency(filtered(z, density, std), x if told else None) for x, z in zip(xs, zs, strict=True)]
    named = [r.suggestions[0] for r in reports if r.suggestions and str(r.suggestions[0]).startswith(said)]
    assert len(named) >= 36, Counter(str(r.suggestions[:1]) for r in reports)
    small = density < 1.0 or std < 0.5
    expected = Verdict.OVERCONFIDENT if small else Verdict.UNDERCONFIDENT
    assert sum(r.verdict is expected for r in reports) >= 36
    assert np.median([s.factor for s in named]) == pytest.approx(3.0 if small else 1.0 / 3.0, rel=0.2)


def test_the_interval_of_the_mean_nees_admits_its_dependence() -> None:
    """Errors of one run are alike over many steps: the mean NEES of single runs spreads as the interval says."""
    xs, zs = drives(np.random.default_rng(4), 400, 100)
    start = Gaussian.of(LINE.state, np.zeros((400, 2)), std=1.0)
    report = consistency(KF().run(start, LINE, None, zs, DT, sensor=position(1, std=0.5)), xs)
    assert report.consistent and report.nees is not None and report.nees.shape == (400, 100)
    one = next(c for c in consistency(filtered(zs[0]), xs[0]).checks if c.kind == "NEES")
    inside = ((one.low < report.nees.mean(-1)) & (report.nees.mean(-1) < one.high)).mean()
    assert stats.binom.ppf(0.001, 400, 0.99) <= 400 * inside
    naive = stats.chi2.ppf([0.005, 0.995], 200) / 100  # as if steps were independent
    assert ((report.nees.mean(-1) < naive[0]) | (report.nees.mean(-1) > naive[1])).mean() > 0.1


def test_a_bias_is_found_with_the_truth_and_against_another_sensor() -> None:
    rng = np.random.default_rng(5)
    xs, zs = drives(rng, 1)
    report = consistency(filtered(zs[0] + 1.2), xs[0])
    assert str(report.suggestions[0]) == "readings of position come with a bias of 1.2 m in x"
    ts = DT * np.arange(1, STEPS + 1)
    a, b = position(1, std=0.5), position(1, std=0.4)
    readings = [Readings(a, zs[0], ts), Readings(b, xs[0, :, :1] + 0.9 + 0.4 * rng.normal(size=(STEPS, 1)), ts)]
    report = consistency(KF(LINE, dt=DT).start(std=1.0).run(None, readings))
    bias = next(s for s in report.suggestions if s.kind == "bias")  # of one, or of the other the other way
    assert (
        abs(bias.value) == pytest.approx(0.9, abs=0.15) and bias.unit == "m" and bias.of in ("position 1", "position 2")
    )


def test_gated_outliers_are_reported_and_do_not_hide_good_noise() -> None:
    rng = np.random.default_rng(6)
    xs, zs = drives(rng, 1)
    zs[0, ::10] += 40.0
    report = consistency(filtered(zs[0], gate=0.999), xs[0])
    assert report.gated["position"] == pytest.approx(0.1, abs=0.01)
    assert next(c for c in report.checks if c.kind == "gated").failed
    assert not next(c for c in report.checks if c.kind == "NIS").failed and report.suggestions == ()


@pytest.mark.parametrize("told", [False, True], ids=["readings", "truth"])
def test_a_sensor_that_was_silent_changes_nothing(told: bool) -> None:
    xs, zs = drives(np.random.default_rng(8), 1, 40)
    ts, silent = DT * np.arange(1, 41), Readings(velocity(1), np.zeros((0, 1)), np.zeros(0))
    one, two = (
        consistency(KF(LINE, dt=DT).start(std=1.0).run(None, given), xs[0] if told else None)
        for given in ([Readings(position(1, std=0.5), zs[0], ts)], [silent, Readings(position(1, std=0.5), zs[0], ts)])
    )
    kept = [c for c in two.checks if "velocity" not in c.of]
    assert [c.kind for c in kept] == [c.kind for c in one.checks]
    np.testing.assert_allclose([c.value for c in kept], [c.value for c in one.checks], rtol=1e-9)


@pytest.mark.parametrize("truth", [None, np.zeros((0, 2))], ids=["readings", "truth"])
def test_a_run_without_steps_is_refused(truth: Any) -> None:
    with pytest.raises(ModelError, match="no steps"):
        consistency(filtered(np.zeros((0, 1))), truth)


@pytest.mark.parametrize("first", [100.0, 0.0], ids=["all", "all but one"])
@pytest.mark.parametrize(
    "estimator",
    [KF(LINE, dt=DT, gate=0.99), IMM((LINE, constant_velocity(1, density=2.0)), 0.9, dt=DT, filter=KF(gate=0.99))],
    ids=["KF", "IMM"],
)
def test_a_filter_that_refuses_its_readings_is_overconfident(estimator: Any, first: float) -> None:
    """However few pass: the gate promised to let most of them through."""
    zs = np.full((50, 1), 100.0)
    zs[0] = first
    report = consistency(estimator.start(mean={"x": 0.0}, std=0.1).run(None, zs, sensor=position(1, std=0.1)))
    assert report.gated["position"] >= 0.98 and report.verdict is Verdict.OVERCONFIDENT


@pytest.mark.parametrize("estimator", [EKF(), UKF(), ParticleFilter(n=3000)], ids=["EKF", "UKF", "particles"])
def test_every_estimator_on_a_curved_space(estimator: Any) -> None:
    """A robot whose heading crosses half a turn, with contexts: consistent as it is, named when its Q is too small."""
    rng, robot, sonar = np.random.default_rng(11), unicycle(noise=(0.05, 0.05, 0.05)), range_bearing(std=(0.1, 0.02))
    us, contexts = np.tile([1.0, 0.6], (200, 1)), np.tile([[6.0, 5.0], [-6.0, 3.0]], (100, 1))
    x, xs = np.array([0.0, 0.0, 2.5]), []
    Q = robot.noise(x, us[0], DT)
    for u in us:
        x = robot.state.plus(robot.step(x, u, DT), rng.multivariate_normal(np.zeros(3), Q))
        xs.append(x)
    zs = sonar.on(robot.state).sample(np.array(xs), contexts, rng=rng)

    def run(noise: float) -> Any:
        made = type(estimator)(
            unicycle(noise=(noise,) * 3), dt=DT, **({"n": 3000} if "Particle" in str(estimator) else {})
        )
        return made.start(mean=[0, 0, 2.5], std=0.1, rng=1).run(us, zs, sensor=sonar, contexts=contexts)

    assert consistency(run(0.05), xs).consistent
    report = consistency(run(0.012))
    assert report.verdict is Verdict.OVERCONFIDENT
    assert "process noise" in str(report.suggestions[0]) and report.suggestions[0].factor > 2.0


def test_an_imm_and_a_batch_and_a_record() -> None:
    xs, zs = drives(np.random.default_rng(8), 3)
    imm = IMM((LINE, constant_velocity(1, density=0.9)), [[0.9, 0.1], [0.1, 0.9]], dt=DT, filter=KF())
    assert consistency(imm.start(std=1.0).run(None, zs[0], sensor=position(1, std=0.5)), xs[0]).consistent
    start = Gaussian.of(LINE.state, np.zeros((3, 2)), std=1.0)
    report = consistency(KF().run(start, LINE, None, zs, DT, sensor=position(1, std=1.5)), xs)
    assert report.verdict is Verdict.UNDERCONFIDENT
    record = json.loads(json.dumps(report.record()))
    assert record["verdict"] == "underconfident" and record["suggestions"][0]["text"] in str(report)


@pytest.mark.parametrize("seed", range(3))
def test_several_modes_are_not_judged_by_one_of_them(seed: int) -> None:
    """A target that switches as its IMM says: one mode alone does not explain it, all of them together do."""
    rng, modes = np.random.default_rng(seed), (constant_velocity(1, density=0.05), constant_velocity(1, density=5.0))
    switching, j, x, xs = np.array([[0.95, 0.05], [0.1, 0.9]]), 0, rng.normal(size=2), list[Any]()
    F, Qs = modes[0].linearize(x, [], 0.5)[0], [mode.noise(x, [], 0.5) for mode in modes]
    for _ in range(400):
        j = rng.choice(2, p=switching[j])
        x = F @ x + rng.multivariate_normal([0.0, 0.0], Qs[j])
        xs.append(x)
    truth, start = np.array(xs), IMM(modes, switching, dt=0.5, filter=KF())
    zs = truth[:, :1] + 0.5 * rng.normal(size=(400, 1))

    def report(std: float, *given: Any) -> Any:
        return consistency(start.start(std=1.0).run(None, zs, sensor=position(1, std=std)), *given)

    assert report(0.5, truth).consistent and report(0.5).consistent
    large, small = report(1.0, truth), report(0.25, truth)
    assert large.verdict is Verdict.UNDERCONFIDENT and small.verdict is Verdict.OVERCONFIDENT
    for found, factor in ((large.suggestions[0], 0.5), (small.suggestions[0], 2.0)):
        assert found.kind == "measurement noise" and found.factor == pytest.approx(factor, rel=0.2)


def test_a_truth_that_is_known_in_part() -> None:
    xs, zs = drives(np.random.default_rng(9), 1)
    xs[..., 1] = np.nan
    report = consistency(filtered(zs[0], 1.0 / 3.0), xs[0])
    assert report.dof == 1 and report.suggestions[0].kind == "process noise"


def test_what_cannot_be_is_refused() -> None:
    _, zs = drives(np.random.default_rng(10), 1, 30)
    run = filtered(zs[0])
    with pytest.raises(ModelError, match="known"):
        consistency(run, np.full((30, 2), np.nan))
    with pytest.raises(ShapeError, match="searchsorted"):
        consistency(run, np.zeros((29, 2)))
    with pytest.raises(SettingError, match="level"):
        consistency(run, level=1.5)
    with pytest.raises(SettingError, match="FilterRun"):
        consistency(run.beliefs)


def test_filter_that_learns_noise_is_not_blamed_for_that_of_the_model() -> None:
    """The sensor says 0.1 m and has 0.5 m: a KF is overconfident, and a filter that finds this out is not."""
    states, zs = drives(np.random.default_rng(5), 1, 400)
    sensor = position(1, std=0.1)
    plain = KF(LINE, dt=DT).start(std=1.0).run(None, zs[0], sensor=sensor)
    learnt = VariationalEKF(LINE, dt=DT, trust=1.0, forgetting=1.0).start(std=1.0).run(None, zs[0], sensor=sensor)
    assert consistency(plain).verdict is Verdict.OVERCONFIDENT
    for report in (consistency(learnt), consistency(learnt, states[0])):
        assert report.verdict is Verdict.CONSISTENT, report


def test_a_run_that_begins_without_knowledge() -> None:
    """It is checked from where the readings have told all, and as that part of it alone; the report says so."""
    xs, zs = drives(np.random.default_rng(2), 1, 120)
    sensor, model = position(1, std=0.5), LINE
    run = InformationKF(model, dt=DT).start().run(None, zs[0], sensor=sensor)
    found = consistency(run, xs[0])
    assert found.skipped == 2
    assert "steps before 2: not checked" in str(found)
    assert found.record()["skipped"] == 2
    start = run.beliefs[1].moments()
    rest = KF(model, dt=DT).start(belief=start, t=2 * DT).run(None, zs[0, 2:], sensor=sensor)
    other = consistency(rest, xs[0, 2:])
    assert len(found.checks) == len(other.checks) > 4
    for mine, theirs in zip(found.checks, other.checks, strict=True):
        assert (mine.kind, mine.of) == (theirs.kind, theirs.of)
        assert mine.value == pytest.approx(theirs.value, rel=1e-6)
    assert other.skipped == 0
    for wrong in (xs[0, :, 0], xs[0, 1:]):
        with pytest.raises(ShapeError, match="true states"):
            consistency(run, wrong)
    with pytest.raises(ModelError, match="no finite covariance"):
        consistency(InformationKF(model, dt=DT).start().run(None, zs[0, :1], sensor=sensor))
