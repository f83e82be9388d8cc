"""Trackers of many targets against Stone Soup: the whole tracker, the same filter, gate and data."""

from __future__ import annotations

import datetime
import math
import time
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np

from benchmarks.harness import Contest, absolute, row
from pilotage.core import Gaussian
from pilotage.estimators import KF
from pilotage.estimators.tracking import (
    CPHD,
    GMPHD,
    GNN,
    JIPDA,
    JPDA,
    LMB,
    MHT,
    PMBM,
    Detector,
    IndependentPDA,
    NearestNeighbor,
    Pairs,
    Tracker,
)
from pilotage.estimators.tracking.extended import GGIWPMBM, DistancePartitions, Ellipse, PredictionPartitions
from pilotage.models import constant_velocity, position

CAR, STD, DETECTION, SIDE, RATE = constant_velocity(density=0.1), 0.5, 0.9, 400.0, 0.1
BEGIN = datetime.datetime(2026, 1, 1)


def radar(clutter: float, side: float = SIDE) -> Detector:
    return Detector(position(std=STD), detection=DETECTION, clutter=max(clutter, 0.1) / side**2)


@cache
def traffic(targets: int, clutter: float, steps: int, side: float = SIDE, seed: int = 0) -> tuple[Any, ...]:
    """Scans of targets in clutter over a square, and where the targets were at first, ``(targets, 4)``."""
    rng = np.random.default_rng(seed)
    x = np.concatenate([rng.uniform(-0.4 * side, 0.4 * side, (targets, 2)), 3.0 * rng.normal(size=(targets, 2))], 1)
    L, first, scans = np.linalg.cholesky(CAR.noise(x[0], [], 1.0)), x, []
    for _ in range(steps):
        x = CAR.step(x, np.zeros((targets, 0)), 1.0) + rng.normal(size=x.shape) @ L.T
        z = (x[:, :2] + STD * rng.normal(size=(targets, 2)))[rng.random(targets) < DETECTION]
        false = rng.uniform(-side / 2, side / 2, (rng.poisson(clutter), 2))
        scans.append(rng.permutation(np.concatenate([z, false])))
    return scans, first


def ours(association: Any, clutter: float, side: float = SIDE) -> Tracker:
    birth = Gaussian.of(CAR.state, std={"x": side, "y": side, "vx": 4.0, "vy": 4.0})
    return Tracker(KF(CAR, dt=1.0), radar(clutter, side), birth, association)


def theirs(joint: bool, clutter: float) -> Any:
    """Stone Soup's tracker of the same parts: three detections confirm a track, five misses end it."""
    from stonesoup.dataassociator.neighbour import GNNWith2DAssignment  # pyright: ignore[reportMissingImports]
    from stonesoup.dataassociator.probability import JPDA as TheirJPDA  # pyright: ignore[reportMissingImports]
    from stonesoup.deleter.time import UpdateTimeStepsDeleter  # pyright: ignore[reportMissingImports]
    from stonesoup.hypothesiser.distance import DistanceHypothesiser  # pyright: ignore[reportMissingImports]
    from stonesoup.hypothesiser.probability import PDAHypothesiser  # pyright: ignore[reportMissingImports]
    from stonesoup.initiator.simple import MultiMeasurementInitiator  # pyright: ignore[reportMissingImports]
    from stonesoup.measures import Mahalanobis  # pyright: ignore[reportMissingImports]
    from stonesoup.models.measurement.linear import LinearGaussian  # pyright: ignore[reportMissingImports]
    from stonesoup.models.transition.linear import CombinedLinearGaussianTransitionModel, ConstantVelocity  # pyright: ignore[reportMissingImports]
    from stonesoup.predictor.kalman import KalmanPredictor  # pyright: ignore[reportMissingImports]
    from stonesoup.tracker.simple import MultiTargetMixtureTracker, MultiTargetTracker  # pyright: ignore[reportMissingImports]
    from stonesoup.types.state import GaussianState  # pyright: ignore[reportMissingImports]
    from stonesoup.updater.kalman import KalmanUpdater  # pyright: ignore[reportMissingImports]

    motion = CombinedLinearGaussianTransitionModel([ConstantVelocity(0.1), ConstantVelocity(0.1)])
    sensor = LinearGaussian(4, (0, 2), STD**2 * np.eye(2))
    predictor, updater = KalmanPredictor(motion), KalmanUpdater(sensor)
    near = DistanceHypothesiser(predictor, updater, Mahalanobis(), missed_distance=math.sqrt(9.21))
    hypothesiser: Any = PDAHypothesiser(predictor, updater, clutter / SIDE**2, DETECTION, 0.99) if joint else near
    associator = TheirJPDA(hypothesiser) if joint else GNNWith2DAssignment(hypothesiser)
    prior = GaussianState([[0.0], [0.0], [0.0], [0.0]], np.diag([SIDE**2, 16.0, SIDE**2, 16.0]))
    initiator = MultiMeasurementInitiator(
        prior, UpdateTimeStepsDeleter(2), GNNWith2DAssignment(near), updater, measurement_model=sensor, min_points=3
    )
    kind: Any = MultiTargetMixtureTracker if joint else MultiTargetTracker
    return kind(initiator, UpdateTimeStepsDeleter(5), [], associator, updater), sensor


def their_phd(clutter: float) -> Any:
    """Stone Soup's GM-PHD filter of the same parts: the birth, the gate, the limits of weights and merging."""
    from stonesoup.hypothesiser.distance import DistanceHypothesiser  # pyright: ignore[reportMissingImports]
    from stonesoup.hypothesiser.gaussianmixture import GaussianMixtureHypothesiser  # pyright: ignore[reportMissingImports]
    from stonesoup.measures import Mahalanobis  # pyright: ignore[reportMissingImports]
    from stonesoup.mixturereducer.gaussianmixture import GaussianMixtureReducer  # pyright: ignore[reportMissingImports]
    from stonesoup.models.measurement.linear import LinearGaussian  # pyright: ignore[reportMissingImports]
    from stonesoup.models.transition.linear import CombinedLinearGaussianTransitionModel, ConstantVelocity  # pyright: ignore[reportMissingImports]
    from stonesoup.predictor.kalman import KalmanPredictor  # pyright: ignore[reportMissingImports]
    from stonesoup.tracker.pointprocess import PointProcessMultiTargetTracker  # pyright: ignore[reportMissingImports]
    from stonesoup.types.state import TaggedWeightedGaussianState  # pyright: ignore[reportMissingImports]
    from stonesoup.updater.kalman import KalmanUpdater  # pyright: ignore[reportMissingImports]
    from stonesoup.updater.pointprocess import PHDUpdater  # pyright: ignore[reportMissingImports]

    motion = CombinedLinearGaussianTransitionModel([ConstantVelocity(0.1), ConstantVelocity(0.1)])
    sensor = LinearGaussian(4, (0, 2), STD**2 * np.eye(2))
    updater = KalmanUpdater(sensor)
    near = DistanceHypothesiser(KalmanPredictor(motion), updater, Mahalanobis(), missed_distance=math.sqrt(9.21))
    birth = TaggedWeightedGaussianState(
        np.zeros((4, 1)), np.diag([SIDE**2, 16.0, SIDE**2, 16.0]), weight=RATE, tag="birth", timestamp=BEGIN
    )
    tracker: Any = PointProcessMultiTargetTracker(
        None,
        PHDUpdater(updater, clutter / SIDE**2, prob_detection=DETECTION, prob_survival=math.exp(-0.01)),
        GaussianMixtureHypothesiser(near, order_by_detection=True),
        GaussianMixtureReducer(1e-5, 1.06, 1000, kdtree_max_distance=20.0),
        extraction_threshold=0.5,
        birth_component=birth,
    )
    return tracker, sensor


def stone_soup(made: Callable[[float], Any], scans: Any, clutter: float) -> Any:
    """A function that tracks through all scans; it gives the number of tracks after each."""
    from stonesoup.types.detection import Detection  # pyright: ignore[reportMissingImports]

    def run() -> Any:
        tracker, sensor = made(clutter)
        given = []
        for k, z in enumerate(scans):
            t = BEGIN + datetime.timedelta(seconds=float(k))
            given.append((t, {Detection(each[:, None], timestamp=t, measurement_model=sensor) for each in z}))
        tracker.detector = given
        return [len(tracks) for _, tracks in tracker]

    return run


def whole(association: Any, made: Callable[[float], Any], few: int) -> Contest:
    """Ours and theirs through the same scans from the first on, a scan; theirs through the first few only.

    From the sixth scan on, their joint enumeration takes ten seconds to minutes.
    """
    clutter, steps = 50.0, 100
    scans, _ = traffic(20, clutter, steps)
    peer = stone_soup(made, scans[:few], clutter)

    def check() -> str:
        count = len(tracked(association, scans, clutter)[1])
        return f"{count} of 20 targets tracked after {steps} scans; the peer runs the first {few} scans"

    def theirs_scaled() -> float:
        begun = time.perf_counter()
        peer()
        return (time.perf_counter() - begun) * steps / few

    return Contest(lambda: sum(tracked(association, scans, clutter)[0]), theirs_scaled, check, steps, timed=False)


def tracked(
    association: Any, scans: Any, clutter: float, side: float = SIDE, clock: Callable[[], float] = time.perf_counter
) -> tuple[list[float], Any]:
    """Seconds that each scan takes, and the tracks after the last."""
    tracker, times = ours(association, clutter, side), list[float]()
    for k, z in enumerate(scans):
        begun = clock()
        tracker.update(z, float(k))
        times.append(clock() - begun)
    return times, tracker.tracks


@row("track_gnn", peer="Stone Soup", bar=100.0, unit="ms", needs=["stonesoup"],
     note="20 targets, 50 clutter points a scan, whole tracker; a scan")  # fmt: skip
def track_gnn(quick: bool) -> Contest:
    return whole(GNN(), partial(theirs, False), 10)


@row("track_jpda", peer="Stone Soup", bar=500.0, unit="ms", needs=["stonesoup"],
     note="20 targets, 50 clutter points a scan, whole tracker; a scan")  # fmt: skip
def track_jpda(quick: bool) -> Contest:
    return whole(JPDA(), partial(theirs, True), 4)


@absolute("track_gnn_scan", limit=0.5, unit="ms", note="20 targets, 50 clutter points a scan: the median scan")
def track_gnn_scan(quick: bool) -> Contest:
    return scan_of(GNN())


@absolute("track_jpda_scan", limit=1.0, unit="ms", note="20 targets, 50 clutter points a scan: the median scan")
def track_jpda_scan(quick: bool) -> Contest:
    return scan_of(JPDA())


@absolute("track_mht", limit=100.0, unit="ms", note="20 targets, 50 clutter points a scan: the median scan")
def track_mht(quick: bool) -> Contest:
    return scan_of(MHT())


@absolute("track_pmbm", limit=100.0, unit="ms", note="20 targets, 50 clutter points a scan: the median scan")
def track_pmbm(quick: bool) -> Contest:
    return scan_of(PMBM(rate=RATE))


@row("track_phd", peer="Stone Soup", bar=100.0, unit="ms", needs=["stonesoup"],
     note="20 targets, 50 clutter points a scan, whole tracker; a scan")  # fmt: skip
def track_phd(quick: bool) -> Contest:
    return whole(GMPHD(rate=RATE), their_phd, 10)


@absolute("track_phd_scan", limit=100.0, unit="ms", note="20 targets, 50 clutter points a scan: the median scan")
def track_phd_scan(quick: bool) -> Contest:
    return scan_of(GMPHD(rate=RATE))


@absolute("track_cphd", limit=100.0, unit="ms", note="20 targets, 50 clutter points a scan: the median scan")
def track_cphd(quick: bool) -> Contest:
    return scan_of(CPHD(rate=RATE))


@absolute("track_lmb", limit=100.0, unit="ms", note="20 targets, 50 clutter points a scan: the median scan")
def track_lmb(quick: bool) -> Contest:
    return scan_of(LMB(rate=RATE))


def scan_of(association: Any) -> Contest:
    scans, _ = traffic(20, 50.0, 100)

    def check() -> str:
        times = 1e3 * np.array(tracked(association, scans, 50.0)[0])
        return f"99 % of 100 scans take at most {np.percentile(times, 99):.2f} ms, the slowest {times.max():.2f} ms"

    return Contest(lambda: float(np.median(tracked(association, scans, 50.0)[0])), check=check, timed=False)


METHODS = {
    "NearestNeighbor": NearestNeighbor(), "GNN": GNN(), "IndependentPDA": IndependentPDA(), "JPDA": JPDA(),
    "JIPDA": JIPDA(), "MHT": MHT(), "PMBM": PMBM(rate=0.1),
}  # fmt: skip


@absolute("track_worst", limit=10.0, unit="ms", note="the slowest scan of any method, the first included; CPU time")
def track_worst(quick: bool) -> Contest:
    """Of a new tracker: 20 targets, 50 clutter points a scan. Other work on the machine does not count."""
    scans, _ = traffic(20, 50.0, 100)
    times = dict[str, float]()

    def slowest() -> float:
        for name, association in METHODS.items():
            times[name] = max(tracked(association, scans, 50.0, clock=time.thread_time)[0])
        return max(times.values())

    def check() -> str:
        slowest()
        return ", ".join(f"{name} {1e3 * worst:.1f} ms" for name, worst in times.items())

    return Contest(slowest, check=check, timed=False)


@absolute("track_extended", limit=100.0, unit="ms", note="20 objects of 10 points, 20 clutter points; GGIW-PMBM")
def track_extended(quick: bool) -> Contest:
    scans = extended(20, 10, 20, 30 if quick else 100)
    body = Ellipse(4.0, 2.0, rate=10.0, rate_std=3.0)

    def run() -> tuple[list[float], Any]:
        birth = Gaussian.of(CAR.state, std={"x": SIDE / 4, "y": SIDE / 4, "vx": 5.0, "vy": 5.0})
        lidar = Detector(position(std=0.1), detection=0.98, clutter=20.0 / SIDE**2)
        method = GGIWPMBM(body, (DistancePartitions(), PredictionPartitions()), undetected=20.0)
        tracker, times = Tracker(KF(CAR, dt=0.1), lidar, birth, method), list[float]()
        for k, z in enumerate(scans):
            begun = time.perf_counter()
            tracker.update(z, 0.1 * k)
            times.append(time.perf_counter() - begun)
        return times, tracker.tracks

    def check() -> str:
        times, tracks = run()
        return f"{len(tracks)} of 20 objects tracked; the worst scan takes {1e3 * max(times[1:]):.0f} ms"

    return Contest(lambda: float(np.median(run()[0])), check=check, timed=False)


def extended(objects: int, points: int, clutter: int, steps: int) -> list[Any]:
    """Scans at 10 Hz of ellipses that drive straight on, each with a Poisson number of points."""
    rng = np.random.default_rng(0)
    starts, v = rng.uniform(-SIDE / 2, SIDE / 2, (objects, 2)), rng.uniform(-5.0, 5.0, (objects, 2))
    scans = []
    for k in range(steps):
        counts = rng.poisson(points, objects)
        middle = np.repeat(starts + 0.1 * k * v, counts, axis=0)
        own = rng.normal(size=middle.shape) * [1.0, 0.5] + middle
        scans.append(np.concatenate([own, rng.uniform(-SIDE / 2, SIDE / 2, (rng.poisson(clutter), 2))]))
    return scans


@absolute("jpda_six", limit=1.0, unit="ms", note="six mutually gated targets; Stone Soup's exact JPDA: 651 ms")
def jpda_six(quick: bool) -> Contest:
    pairs = Pairs(np.repeat(np.arange(6), 6), np.tile(np.arange(6), 6), np.zeros(36), 6, 6)
    log_odds, rule = np.random.default_rng(0).normal(size=36), JPDA()
    return Contest(lambda: rule.share(pairs, log_odds))


@absolute("track_thousand", limit=100.0, unit="ms", note="1000 targets, 100 clutter points; the median scan")
def track_thousand(quick: bool) -> Contest:
    scans, _ = traffic(1000, 100.0, 30, 4000.0)
    return Contest(lambda: float(np.median(tracked(GNN(), scans, 100.0, 4000.0)[0])), timed=False)
