"""Kalman filters: one call from Python, whole sequences, many tracks at once, and the first result of a new process."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.harness import Contest, row
from pilotage.core import Gaussian, Mixture, Space
from pilotage.estimators import EKF, IMM, KF, UKF, smooth
from pilotage.models import bicycle, constant_velocity, dynamics, position, range_bearing, sensor

DT, WHEELBASE, STD = 0.1, 2.7, (0.3, 0.02)
MARK_X, MARK_Y = 30.0, 20.0
LANDMARK = np.array([MARK_X, MARK_Y])
CAR = bicycle(wheelbase=WHEELBASE, integrator="euler", noise=(0.1, 0.1, 0.05, 0.3))
CAMERA = range_bearing(std=STD)
TARGET, TRACKER = constant_velocity(2, density=0.5), position(2, std=0.8)
AGREED = 1e-9


def drive(steps: int) -> tuple[Any, Any, Any]:
    """A car that turns before a landmark: its actions, its states, its noisy readings."""
    rng = np.random.default_rng(1)
    us = np.column_stack([0.5 * np.sin(np.arange(steps) * 0.05), 0.1 * np.cos(np.arange(steps) * 0.03)])
    xs = CAR.rollout(np.array([0.0, 0.0, 0.0, 2.0]), us, DT)[1:]
    zs = CAMERA.reading.plus(CAMERA.on(CAR.state).observe(xs, LANDMARK), rng.normal(size=(steps, 2)) * STD)
    return us, xs, zs


def flight(tracks: int, steps: int) -> Any:
    """Noisy positions of targets that fly straight on, ``(tracks, steps, 2)``."""
    rng = np.random.default_rng(2)
    p0, v = rng.normal(size=(tracks, 1, 2)) * 10.0, rng.normal(size=(tracks, 1, 2))
    return p0 + v * DT * np.arange(1, steps + 1)[:, None] + 0.8 * rng.normal(size=(tracks, steps, 2))


def agree(ours: Any, peer: Any, what: str) -> str:
    """The remark that two results agree, or an assertion that they do not."""
    gap = float(np.max(np.abs(np.asarray(ours) - np.asarray(peer)) / np.maximum(1.0, np.abs(peer))))
    assert gap < AGREED, f"{what} differ by {gap:.2e}"
    return f"{what} agree to {gap:.0e}"


# -- the peers, as their own documentation has one write them; the car's models in scalar mathematics, which is fastest


def their_kf() -> Any:
    """filterpy's Kalman filter with the constant-velocity model."""
    from filterpy.kalman import KalmanFilter  # pyright: ignore[reportMissingImports]

    peer = KalmanFilter(dim_x=4, dim_z=2)
    nothing = np.zeros(0)
    peer.x = np.zeros(4)
    peer.P = np.eye(4) * 10.0
    peer.F = TARGET.linearize(peer.x, nothing, DT)[0]
    peer.Q = TARGET.noise(peer.x, nothing, DT)
    peer.H = TRACKER.on(TARGET.state).linearize(peer.x)
    peer.R = np.eye(2) * 0.64
    return peer


def wrapped(angle: Any) -> Any:
    """The angle in [-pi, pi)."""
    return (angle + math.pi) % (2.0 * math.pi) - math.pi


def seen(x: Any) -> Any:
    """Range and bearing of the landmark."""
    px, py, yaw, _ = x.tolist()
    dx, dy = MARK_X - px, MARK_Y - py
    return np.array([math.sqrt(dx * dx + dy * dy), math.atan2(dy, dx) - yaw])


def seen_jacobian(x: Any) -> Any:
    """The derivative of `seen`."""
    px, py, _, _ = x.tolist()
    dx, dy = MARK_X - px, MARK_Y - py
    q = dx * dx + dy * dy
    r = math.sqrt(q)
    return np.array([[-dx / r, -dy / r, 0.0, 0.0], [dy / q, -dx / q, -1.0, 0.0]])


def seen_difference(a: Any, b: Any) -> Any:
    """Readings subtracted, the bearing wrapped."""
    y = a - b
    y[1] = wrapped(y[1])
    return y


def moved(x: Any, dt: float, u: Any) -> Any:
    """The car a step later."""
    px, py, yaw, v = x.tolist()
    accel, steer = u.tolist()
    step = dt * v
    return np.array(
        [px + step * math.cos(yaw), py + step * math.sin(yaw), yaw + step * math.tan(steer) / WHEELBASE, v + dt * accel]
    )


def their_ekf() -> Any:
    """filterpy's extended Kalman filter; like its examples, with `predict_x` of one's own."""
    from filterpy.kalman import ExtendedKalmanFilter  # pyright: ignore[reportMissingImports]

    class Car(ExtendedKalmanFilter):
        def predict_x(self, u: Any = 0) -> None:
            _, _, yaw, v = self.x.tolist()
            s, c, t = math.sin(yaw), math.cos(yaw), math.tan(u[1]) / WHEELBASE
            self.F = np.array(
                [
                    [1.0, 0.0, -DT * v * s, DT * c],
                    [0.0, 1.0, DT * v * c, DT * s],
                    [0.0, 0.0, 1.0, DT * t],
                    [0.0, 0.0, 0.0, 1.0],
                ]
            )
            self.x = moved(self.x, DT, u)

    peer = Car(dim_x=4, dim_z=2)
    return settled(peer)


def their_ukf() -> Any:
    """filterpy's unscented Kalman filter with Merwe's points; means and differences as its documentation gives them."""
    from filterpy.kalman import MerweScaledSigmaPoints, UnscentedKalmanFilter  # pyright: ignore[reportMissingImports]

    def state_difference(a: Any, b: Any) -> Any:
        y = a - b
        y[2] = wrapped(y[2])
        return y

    def mean(angle: int) -> Callable[[Any, Any], Any]:
        def weighted(points: Any, weights: Any) -> Any:
            d = points - points[0]
            d[:, angle] = wrapped(d[:, angle])
            return points[0] + weights @ d

        return weighted

    points = MerweScaledSigmaPoints(4, alpha=1.0, beta=2.0, kappa=1.0, subtract=state_difference)
    peer = UnscentedKalmanFilter(
        4, 2, DT, seen, moved, points, x_mean_fn=mean(2), z_mean_fn=mean(1),
        residual_x=state_difference, residual_z=seen_difference,
    )  # fmt: skip
    return settled(peer)


def settled(peer: Any) -> Any:
    """The peer with the start and the noise of our car."""
    peer.x = np.array([0.0, 0.0, 0.0, 2.0])
    peer.P = np.diag([1.0, 1.0, 0.01, 0.25])
    peer.Q = np.diag([0.1, 0.1, 0.05, 0.3]) ** 2 * DT
    peer.R = np.diag(STD) ** 2
    return peer


def our_car(estimator: Any) -> Any:
    """A bound filter with the peer's start."""
    return estimator.start(mean=[0.0, 0.0, 0.0, 2.0], cov=np.diag([1.0, 1.0, 0.01, 0.25]))


def kf_cycle(peer: Any, z: Any, u: Any = None) -> None:
    """Predict and update."""
    peer.predict()
    peer.update(z)


def ekf_cycle(peer: Any, z: Any, u: Any) -> None:
    """Predict and update."""
    peer.predict(u)
    peer.update(z, seen_jacobian, seen, residual=seen_difference)


def ukf_cycle(peer: Any, z: Any, u: Any) -> None:
    """Predict and update."""
    peer.predict(u=u)
    peer.update(z)


# -- one call from Python


@row("kf_step", peer="filterpy", bar=10, needs=["filterpy"], note="predict + update, 4 states, 2 readings")
def kf_step(quick: bool) -> Contest:
    ours, peer, z = KF(TARGET, dt=DT).start(std=math.sqrt(10.0)), their_kf(), np.array([0.3, -0.2])

    def check() -> str:
        mine, other = KF(TARGET, dt=DT).start(std=math.sqrt(10.0)), their_kf()
        for reading in flight(1, 100)[0]:
            mine.step(TRACKER, reading)
            kf_cycle(other, reading)
        return agree(mine.belief.mean, other.x, "means") + agree(mine.belief.cov, other.P, ", covariances")

    return Contest(lambda: ours.step(TRACKER, z), lambda: kf_cycle(peer, z), check)


@row(
    "kf_step_cpp",
    peer="fast-kalman",
    bar=1,
    needs=["kalman"],
    note="the same; each side is given what it is fastest with",
)
def kf_step_cpp(quick: bool) -> Contest:
    import kalman  # pyright: ignore[reportMissingImports]

    def their_kf_in_cpp() -> Any:
        other, peer = their_kf(), kalman.LinearKalmanFilter(4, 2)
        peer.x = [0.0] * 4
        peer.P, peer.F, peer.Q, peer.H, peer.R = (
            m.ravel().tolist() for m in (other.P, other.F, other.Q, other.H, other.R)
        )
        return peer

    ours, peer = KF(TARGET, dt=DT).start(std=math.sqrt(10.0)), their_kf_in_cpp()
    z = np.array([0.3, -0.2])
    numbers = z.tolist()

    def check() -> str:
        mine, other = KF(TARGET, dt=DT).start(std=math.sqrt(10.0)), their_kf_in_cpp()
        for reading in flight(1, 100)[0]:
            mine.step(TRACKER, reading)
            other.update(reading.tolist())
        covs = np.array(other.P).reshape(4, 4)
        return agree(mine.belief.mean, other.x, "means") + agree(mine.belief.cov, covs, ", covariances")

    return Contest(lambda: ours.step(TRACKER, z), lambda: peer.update(numbers), check)


@row("ekf_step", peer="filterpy", bar=12, needs=["filterpy"], note="car with range and bearing, Euler's rule")
def ekf_step(quick: bool) -> Contest:
    us, _, zs = drive(100)
    return in_turn(our_car(EKF(CAR, dt=DT)), their_ekf(), ekf_cycle, us, zs)


@row("ukf_step", peer="filterpy", bar=30, needs=["filterpy"], note="the same car; 9 points, drawn again before updates")
def ukf_step(quick: bool) -> Contest:
    us, _, zs = drive(100)
    return in_turn(our_car(UKF(CAR, dt=DT)), their_ukf(), ukf_cycle, us, zs)


def in_turn(mine: Any, other: Any, theirs: Callable[[Any, Any, Any], None], us: Any, zs: Any) -> Contest:
    """One step after the other through a drive to check, then the same step again and again to time."""

    def check() -> str:
        for u, z in zip(us, zs, strict=True):
            mine.step(CAMERA, z, u, context=LANDMARK)
            theirs(other, z, u)
        return agree(mine.belief.mean, other.x, "means") + agree(mine.belief.cov, other.P, ", covariances")

    u, z = us[-1] * 0.0, zs[-1]
    return Contest(lambda: mine.step(CAMERA, z, u, context=LANDMARK), lambda: theirs(other, z, u), check)


# -- a whole sequence in one call


def runs(ours: Callable[[], Any], theirs: Callable[[], tuple[Any, Any]], steps: int) -> Contest:
    """`ours` gives the run, `theirs` the last mean and covariance, both from the start each time."""

    def check() -> str:
        mine, (x, P) = ours().beliefs[-1], theirs()
        return agree(mine.mean, x, "means") + agree(mine.cov, P, ", covariances")

    return Contest(ours, theirs, check, work=steps)


def one_by_one(make: Callable[[], Any], step: Callable[[Any, Any, Any], None], us: Any, zs: Any) -> Any:
    """The loop that a user of the peer writes; it keeps every mean and covariance."""

    def whole() -> tuple[Any, Any]:
        peer, xs, Ps = make(), [], []
        for u, z in zip(us, zs, strict=True):
            step(peer, z, u)
            xs.append(peer.x)
            Ps.append(peer.P)
        return xs[-1], Ps[-1]

    return whole


@row("kf_run", peer="filterpy", bar=25, needs=["filterpy"], note="per step of a sequence")
def kf_run(quick: bool) -> Contest:
    steps = 200 if quick else 1000
    zs, start = flight(1, steps)[0], Gaussian.of(TARGET.state, std=math.sqrt(10.0))
    theirs = one_by_one(their_kf, kf_cycle, zs, zs)
    return runs(lambda: KF().run(start, TARGET, None, zs, DT, sensor=TRACKER), theirs, steps)


@row("ekf_run", peer="filterpy", bar=45, needs=["filterpy"], note="per step of the same drive")
def ekf_run(quick: bool) -> Contest:
    return car_run(EKF(), their_ekf, ekf_cycle, 200 if quick else 1000)


@row("ukf_run", peer="filterpy", bar=100, needs=["filterpy"], note="per step of the same drive")
def ukf_run(quick: bool) -> Contest:
    return car_run(UKF(), their_ukf, ukf_cycle, 100 if quick else 400)


def car_run(estimator: Any, make: Callable[[], Any], step: Callable[[Any, Any, Any], None], steps: int) -> Contest:
    """The drive past the landmark."""
    us, _, zs = drive(steps)
    start, contexts = our_car(EKF(CAR, dt=DT)).belief, np.tile(LANDMARK, (steps, 1))
    ours = lambda: estimator.run(start, CAR, us, zs, DT, sensor=CAMERA, contexts=contexts)
    return runs(ours, one_by_one(make, step, us, zs), steps)


@row("rts", peer="filterpy", bar=40, needs=["filterpy"], note="the smoother alone, per step of 10 000, 4 states")
def rts(quick: bool) -> Contest:
    steps = 1000 if quick else 10_000
    run = KF(TARGET, dt=DT).start(std=math.sqrt(10.0)).run(None, flight(1, steps)[0], sensor=TRACKER)
    peer, xs, Ps = their_kf(), run.beliefs.mean, run.beliefs.cov

    def check() -> str:
        mine, (x, P, _, _) = smooth(run), peer.rts_smoother(xs, Ps)
        return agree(mine.mean, x, "means") + agree(mine.cov, P, ", covariances")

    return Contest(lambda: smooth(run), lambda: peer.rts_smoother(xs, Ps), check, work=steps)


# -- many tracks at once


def tracks(quick: bool, gaps: float) -> Contest:
    """Targets that all begin alike; means and covariances after every update are kept on both sides."""
    from simdkalman import KalmanFilter  # pyright: ignore[reportMissingImports]

    count, steps = (1000 if quick else 10_000), 100
    zs = flight(count, steps)
    zs[np.random.default_rng(3).random(zs.shape[:2]) < gaps] = np.nan
    nothing, x0, P0 = np.zeros(0), np.zeros(4), np.eye(4) * 10.0
    F, Q = TARGET.linearize(x0, nothing, DT)[0], TARGET.noise(x0, nothing, DT)
    peer = KalmanFilter(F, Q, TRACKER.on(TARGET.state).linearize(x0), np.eye(2) * 0.64)
    # The peer's start is the belief before the first reading, ours the one before the prediction that leads there.
    start = Gaussian(TARGET.state, np.zeros((count, 4)), P0)
    first, Pf = F @ x0, F @ P0 @ F.T + Q

    def theirs() -> Any:
        return peer.compute(zs, 0, first, Pf, smoothed=False, filtered=True, observations=False).filtered.states

    def ours() -> Any:
        return KF().run(start, TARGET, None, zs, DT, sensor=TRACKER).beliefs

    def check() -> str:
        mine, other = ours(), theirs()
        return agree(mine.mean, other.mean, "means") + agree(mine.cov, other.cov, ", covariances")

    return Contest(ours, theirs, check, work=count * steps)


@row("kf_batch", peer="simdkalman", bar=15, unit="ns", needs=["simdkalman"], note="10 000 tracks x 100 steps, per step")
def kf_batch(quick: bool) -> Contest:
    return tracks(quick, 0.0)


@row("kf_batch_gaps", peer="simdkalman", bar=1, unit="ns", needs=["simdkalman"], note="a tenth of the readings missing")
def kf_batch_gaps(quick: bool) -> Contest:
    return tracks(quick, 0.1)


# -- many filters, several models, many states


@row(
    "bank_ekf",
    peer="filterpy",
    bar=100,
    needs=["filterpy"],
    note="10 000 cars with their own readings, a tenth missing",
)
def bank_ekf(quick: bool) -> Contest:
    """One prediction and one update of each; the peer, and a loop over our own filters, on a sample of them."""
    count, some = (1000 if quick else 10_000), 50
    rng = np.random.default_rng(5)
    us, zs = rng.normal(size=(count, 2)) * 0.2, np.array([36.0, 0.6]) + rng.normal(size=(count, 2)) * STD
    zs[rng.random(count) < 0.1] = np.nan
    start = Gaussian(CAR.state, np.tile([0.0, 0.0, 0.0, 2.0], (count, 1)), np.diag([1.0, 1.0, 0.01, 0.25]))
    peers, loops = [their_ekf() for _ in range(some)], [our_car(EKF(CAR, dt=DT)) for _ in range(some)]
    read = [i for i in range(some) if not np.isnan(zs[i]).any()]

    def ours() -> Any:
        return EKF().update(EKF().predict(start, CAR, us, DT), CAMERA, zs, LANDMARK)

    def theirs() -> None:
        for _ in range(count // some):
            for i, peer in enumerate(peers):
                peer.predict(us[i])
                if i in read:
                    peer.update(zs[i], seen_jacobian, seen, residual=seen_difference)

    def check() -> str:
        mine, begun = ours(), time.perf_counter()
        for i, peer in enumerate(peers):
            loops[i].step(CAMERA, zs[i], us[i], context=LANDMARK)
            ekf_cycle(peer, zs[i], us[i]) if i in read else peer.predict(us[i])
        said = agree(mine.belief.mean[read], np.array([peers[i].x for i in read]), "means")
        begun = time.perf_counter()
        for _ in range(20):
            for i, loop in enumerate(loops):
                loop.predict(u=us[i])
                loop.update(CAMERA, zs[i], context=LANDMARK)
        loop_time = (time.perf_counter() - begun) / (20 * some)
        begun = time.perf_counter()
        ours()
        return f"{said}; {loop_time / ((time.perf_counter() - begun) / count):.0f}x a loop over our own filters (bar 5)"

    return Contest(ours, theirs, check, work=count)


@row("imm_step", peer="filterpy", bar=40, needs=["filterpy"], note="three KFs of constant velocity, predict + update")
def imm_step(quick: bool) -> Contest:
    from filterpy.kalman import IMMEstimator  # pyright: ignore[reportMissingImports]

    models = tuple(constant_velocity(2, density=d) for d in (0.5, 2.0, 5.0))
    switching = np.array([[0.96, 0.03, 0.01], [0.05, 0.9, 0.05], [0.02, 0.03, 0.95]])

    def their_imm() -> Any:
        filters = []
        for model in models:
            peer = their_kf()
            peer.Q = model.noise(np.zeros(4), np.zeros(0), DT)
            filters.append(peer)
        return IMMEstimator(filters, np.full(3, 1 / 3), switching)

    def our_imm() -> Any:
        start = Gaussian.of(TARGET.state, std=math.sqrt(10.0))
        return IMM(models, switching, dt=DT, filter=KF()).start(belief=Mixture([start] * 3))

    ours, peer, z = our_imm(), their_imm(), np.array([0.3, -0.2])

    def check() -> str:
        # The peer mixes after an update and not before a prediction: its first mixing comes one step late.
        mine, other = our_imm(), their_imm()
        other.mu, other.cbar = (np.full(3, 1 / 3) @ switching for _ in range(2))
        for reading in flight(1, 100)[0]:
            mine.step(TRACKER, reading)
            kf_cycle(other, reading)
        return agree(mine.belief.weights, other.mu, "weights")

    return Contest(lambda: ours.step(TRACKER, z), lambda: kf_cycle(peer, z), check)


@row("ekf_large", peer="filterpy", bar=3, needs=["filterpy"], note="24 states, 40 readings, predict + update")
def ekf_large(quick: bool) -> Contest:
    from filterpy.kalman import ExtendedKalmanFilter  # pyright: ignore[reportMissingImports]

    rng, n, m = np.random.default_rng(6), 24, 40
    A, H = -0.2 * np.eye(n) + 0.05 * rng.normal(size=(n, n)), rng.normal(size=(m, n))
    names, reads = [f"x{i}" for i in range(n)], Space(" ".join(f"z{i}" for i in range(m)))

    def system() -> Any:
        """Fresh models: bent a little, so that Jacobians depend on the state."""

        @dynamics(state=Space(" ".join(names)), action=Space(), noise=(0.1,) * n)
        def web(x: Any, u: Any, p: Any, m: Any) -> Any:
            bent = [m.sin(v) for v in x]
            return [sum(float(A[i, j]) * bent[j] for j in range(n)) for i in range(n)]

        @sensor(state=Space(" ".join(names)), reading=reads, std=0.3)
        def many(x: Any, c: Any, p: Any, m: Any) -> Any:
            return [sum(float(H[i, j]) * x[j] for j in range(n)) + 0.1 * m.sin(x[i % n]) for i in range(len(H))]

        return web, many()

    web, many = system()
    begun = time.perf_counter()
    ours = EKF(web(integrator="euler"), dt=0.05).start(std=1.0)
    z = rng.normal(size=m)
    ours.step(many, z)
    first = time.perf_counter() - begun

    class Web(ExtendedKalmanFilter):
        def predict_x(self, u: Any = 0) -> None:
            self.F = np.eye(n) + 0.05 * A * np.cos(self.x)
            self.x = self.x + 0.05 * A @ np.sin(self.x)

    peer = Web(dim_x=n, dim_z=m)
    peer.Q, peer.R, peer.x = 0.01 * 0.05 * np.eye(n), 0.09 * np.eye(m), np.zeros(n)
    rows = np.arange(m)

    def jacobian(x: Any) -> Any:
        J = H.copy()
        J[rows, rows % n] += 0.1 * np.cos(x[rows % n])
        return J

    def theirs() -> None:
        peer.predict()
        peer.update(z, jacobian, lambda x: H @ x + 0.1 * np.sin(x[rows % n]))

    def check() -> str:
        theirs()
        return agree(ours.belief.mean, peer.x, "means") + f"; the first result came after {first:.2f} s (bar 1)"

    return Contest(lambda: ours.step(many, z), theirs, check)


# -- a new process

FIRST = """
import time
begun = time.perf_counter()
from pilotage.estimators import EKF
from pilotage.models import bicycle, gnss
ekf = EKF(bicycle(wheelbase=2.7), dt=0.05).start(mean=[0, 0, 0, 1], std=[1, 1, 0.1, 0.5])
ekf.predict(u=[0.5, 0.02])
ekf.update(gnss(std=1.5), z=[0.4, 0.1]).belief
print(time.perf_counter() - begun)
"""

THEIR_FIRST = """
import time
begun = time.perf_counter()
import numpy as np
from filterpy.kalman import ExtendedKalmanFilter
ekf = ExtendedKalmanFilter(dim_x=4, dim_z=2)
ekf.x, ekf.P = np.array([0.0, 0.0, 0.0, 1.0]), np.diag([1.0, 1.0, 0.01, 0.25])
ekf.F, ekf.Q, ekf.R = np.eye(4), np.eye(4) * 0.01, np.eye(2) * 2.25
ekf.predict()
ekf.update(np.array([0.4, 0.1]), lambda x: np.eye(2, 4), lambda x: x[:2])
print(time.perf_counter() - begun)
"""


@row(
    "first_call", peer="filterpy", bar=1, unit="s", needs=["filterpy"], note="a new process: imports and a first belief"
)
def first_call(quick: bool) -> Contest:
    def process(text: str) -> float:
        """Seconds that a new process takes for it, with the bytecode on disk that an installed package has."""
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True, env=kept)
        return float(done.stdout)

    def check() -> None:
        process(FIRST)  # fills the cache
        process(THEIR_FIRST)

    return Contest(lambda: process(FIRST), lambda: process(THEIR_FIRST), check, timed=False)
