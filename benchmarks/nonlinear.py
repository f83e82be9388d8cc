"""Filters of what bends, one call from Python: iterated, cubature and square-root, on the drive of `filters`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from benchmarks.filters import (
    CAMERA,
    CAR,
    DT,
    LANDMARK,
    MARK_X,
    MARK_Y,
    STD,
    WHEELBASE,
    agree,
    drive,
    in_turn,
    our_car,
    seen,
    seen_difference,
    seen_jacobian,
    settled,
    their_ekf,
    their_ukf,
    ukf_cycle,
)
from benchmarks.harness import Contest, row
from pilotage.estimators import CKF, IEKF, SquareRootUKF

EXACT = IEKF(CAR, dt=DT, tolerance=1e-12)
MOVING = np.diag([0.1, 0.1, 0.05, 0.3]) ** 2 * DT


# -- the peers, as their own documentation has one write them


def iterated_cycle(peer: Any, z: Any, u: Any) -> None:
    """filterpy has no iterated filter; this is its EKF with the rounds that its user would write around it."""
    peer.predict(u)
    x0, P0, x = peer.x, peer.P, peer.x
    for _ in range(50):
        H = seen_jacobian(x)
        K = np.linalg.solve(H @ P0 @ H.T + peer.R, H @ P0).T
        new = x0 + K @ (seen_difference(z, seen(x)) - H @ (x0 - x))
        last, x = x, new
        if np.abs(new - last).max() < 1e-12:
            break
    H, expected = seen_jacobian(x), seen(x) + seen_jacobian(x) @ (x0 - x)
    peer.update(z, lambda _: H, lambda _: expected, residual=seen_difference)


def their_ckf() -> Any:
    """filterpy's cubature filter; it knows no angles, and this drive needs none."""
    from filterpy.kalman import CubatureKalmanFilter  # pyright: ignore[reportMissingImports]

    from benchmarks.filters import moved

    return settled(CubatureKalmanFilter(4, 2, DT, seen, lambda x, dt, u: moved(x, dt, u)))


def ckf_cycle(peer: Any, z: Any, u: Any) -> None:
    """Predict and update, with points that are drawn again between them, as ours are."""
    from filterpy.kalman.CubatureKalmanFilter import spherical_radial_sigmas  # pyright: ignore[reportMissingImports]

    peer.predict(fx_args=(u,))
    peer.sigmas_f = spherical_radial_sigmas(peer.x.ravel(), peer.P)
    peer.update(z[:, None])
    peer.x = peer.x.ravel()


def their_cpp(kind: str, **settings: float) -> Any:
    """A filter of fast-kalman with the start and the noise of our car."""
    import kalman  # pyright: ignore[reportMissingImports]

    P, R = np.diag([1.0, 1.0, 0.01, 0.25]), np.diag(STD) ** 2
    flat = {"P": P.ravel().tolist(), "Q": MOVING.ravel().tolist(), "R": R.ravel().tolist()}
    return getattr(kalman, kind)(4, 2, x=[0.0, 0.0, 0.0, 2.0], **flat, **settings)


def cpp_moved(u: Any) -> Any:
    """The car's step under an action, as lists."""
    accel, steer = u

    def step(x: Any) -> Any:
        px, py, yaw, v = x
        s = DT * v
        return [px + s * math.cos(yaw), py + s * math.sin(yaw), yaw + s * math.tan(steer) / WHEELBASE, v + DT * accel]

    return step


def cpp_moved_jacobian(u: Any) -> Any:
    """Its derivative, row by row."""
    turn = DT * math.tan(u[1]) / WHEELBASE

    def jacobian(x: Any) -> Any:
        _, _, yaw, v = x
        s, c = DT * math.sin(yaw), DT * math.cos(yaw)
        return [1.0, 0.0, -v * s, c, 0.0, 1.0, v * c, s, 0.0, 0.0, 1.0, turn, 0.0, 0.0, 0.0, 1.0]

    return jacobian


def cpp_seen(x: Any) -> Any:
    """Range and bearing, as a list."""
    px, py, yaw, _ = x
    dx, dy = MARK_X - px, MARK_Y - py
    return [math.sqrt(dx * dx + dy * dy), math.atan2(dy, dx) - yaw]


def cpp_seen_jacobian(x: Any) -> Any:
    """Its derivative, row by row."""
    px, py, _, _ = x
    dx, dy = MARK_X - px, MARK_Y - py
    q = dx * dx + dy * dy
    r = math.sqrt(q)
    return [-dx / r, -dy / r, 0.0, 0.0, dy / q, -dx / q, -1.0, 0.0]


def cpp_iterated(peer: Any, z: Any, u: Any) -> None:
    """Predict and update."""
    peer.predict(cpp_moved(u), cpp_moved_jacobian(u))
    peer.correct(z, cpp_seen, cpp_seen_jacobian, 50, 1e-13)


def cpp_unscented(peer: Any, z: Any, u: Any) -> None:
    """Predict and update."""
    peer.predict(cpp_moved(u), 0.0)
    peer.correct(z, cpp_seen, 0.0)


def against_cpp(mine: Any, peer: Any, theirs: Any, us: Any, zs: Any) -> Contest:
    """One step after the other through a drive to check, then the same step again and again to time."""

    def check() -> str:
        for u, z in zip(us, zs, strict=True):
            mine.step(CAMERA, z, u, context=LANDMARK)
            theirs(peer, z.tolist(), u.tolist())
        covs = np.array(peer.P).reshape(4, 4)
        return agree(mine.belief.mean, peer.x, "means") + agree(mine.belief.cov, covs, ", covariances")

    u, z = us[-1] * 0.0, zs[-1]
    actions, numbers = u.tolist(), z.tolist()
    return Contest(lambda: mine.step(CAMERA, z, u, context=LANDMARK), lambda: theirs(peer, numbers, actions), check)


# -- the rows


@row("iekf_step", peer="filterpy", bar=40, needs=["filterpy"], note="a drive; rounds around the peer's EKF by hand")
def iekf_step(quick: bool) -> Contest:
    """Steps of a drive, one call each: how many rounds a reading takes depends on how far off it is."""
    us, _, zs = drive(100)
    mine, peer, start = our_car(EXACT), their_ekf(), our_car(EXACT).belief

    def ours() -> Any:
        mine.belief = start
        for u, z in zip(us, zs, strict=True):
            mine.step(CAMERA, z, u, context=LANDMARK)
        return mine.belief

    def theirs() -> tuple[Any, Any]:
        settled(peer)
        for u, z in zip(us, zs, strict=True):
            iterated_cycle(peer, z, u)
        return peer.x, peer.P

    def check() -> str:
        found, (x, P) = ours(), theirs()
        return agree(found.mean, x, "means") + agree(found.cov, P, ", covariances")

    return Contest(ours, theirs, check, work=len(us))


@row("iekf_step_cpp", peer="fast-kalman", bar=1, needs=["kalman"], note="models in Python on the peer's side")
def iekf_step_cpp(quick: bool) -> Contest:
    us, _, zs = drive(100)
    peer = their_cpp("IteratedExtendedKalmanFilter")
    return against_cpp(our_car(EXACT), peer, cpp_iterated, us, zs)


@row("ckf_step", peer="filterpy", bar=40, needs=["filterpy"], note="8 points, drawn again before updates")
def ckf_step(quick: bool) -> Contest:
    us, _, zs = drive(100)
    return in_turn(our_car(CKF(CAR, dt=DT)), their_ckf(), ckf_cycle, us, zs)


@row("ckf_step_cpp", peer="fast-kalman", bar=1, needs=["kalman"], note="its UKF with alpha 1, beta 0, kappa 0")
def ckf_step_cpp(quick: bool) -> Contest:
    us, _, zs = drive(100)
    peer = their_cpp("UnscentedKalmanFilter", alpha=1.0, beta=0.0, kappa=0.0)
    return against_cpp(our_car(CKF(CAR, dt=DT)), peer, cpp_unscented, us, zs)


@row("sqrt_ukf_step", peer="filterpy", bar=40, needs=["filterpy"], note="the peer's UKF, which keeps a covariance")
def sqrt_ukf_step(quick: bool) -> Contest:
    us, _, zs = drive(100)
    return in_turn(our_car(SquareRootUKF(CAR, dt=DT)), their_ukf(), ukf_cycle, us, zs)


@row("sqrt_ukf_step_cpp", peer="fast-kalman", bar=1, needs=["kalman"], note="its UKF, which keeps a covariance")
def sqrt_ukf_step_cpp(quick: bool) -> Contest:
    us, _, zs = drive(100)
    peer = their_cpp("UnscentedKalmanFilter", alpha=1.0, beta=2.0, kappa=1.0)
    return against_cpp(our_car(SquareRootUKF(CAR, dt=DT)), peer, cpp_unscented, us, zs)
