"""Filters that hold back on purpose: considered components, and memory that fades."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pilotage.core import Gaussian, SettingError, SpaceError
from pilotage.estimators import EKF, FadingEKF, SchmidtEKF

from .linear import DT, close, system
from .test_ukf import CAMERA, LANDMARK, START


def schmidt(s: Any, considered: list[int]) -> tuple[Any, Any]:
    """The filter by its own formulas for the parts P_xx, P_xc and P_cc."""
    estimated = [i for i in range(len(s.x0)) if i not in considered]
    x, P = s.x0.copy(), s.P0.copy()
    for u, z in zip(s.us, s.zs, strict=True):
        x, P = s.F @ x + s.B @ u, s.F @ P @ s.F.T + s.Q
        S = s.H @ P @ s.H.T + s.R
        K = (P @ s.H.T)[estimated] @ np.linalg.inv(S)
        y, cross = z - s.H @ x, (s.H @ P)[:, considered]
        x[estimated] = x[estimated] + K @ y
        P[np.ix_(estimated, estimated)] -= K @ S @ K.T
        P[np.ix_(estimated, considered)] -= K @ cross
        P[np.ix_(considered, estimated)] = P[np.ix_(estimated, considered)].T
    return x, P


@pytest.mark.parametrize("considered", [[2], [0, 2]])
def test_considered_components(considered: list[int]) -> None:
    s = system(3)
    names = " ".join(s.dynamics.state.names[i] for i in considered)
    start = Gaussian(s.dynamics.state, s.x0, s.P0)
    many = Gaussian(s.dynamics.state, np.tile(s.x0, (20, 1)), s.P0)
    x, P = schmidt(s, considered)
    for belief in (start, many):
        last = SchmidtEKF(considered=names).run(belief, s.dynamics, s.us, s.zs, DT, sensor=s.sensor).beliefs[..., -1]
        close(last.mean, np.broadcast_to(x, last.mean.shape), 1e-10)
        close(last.cov, np.broadcast_to(P, last.cov.shape), 1e-10)


def test_a_considered_heading_stays() -> None:
    update = SchmidtEKF(considered="yaw").update(START, CAMERA, [6.1, 0.1], LANDMARK)
    assert update.belief.mean[2] == START.mean[2]
    close(update.belief.cov[2, 2], START.cov[2, 2], 1e-15)
    free = EKF().update(START, CAMERA, [6.1, 0.1], LANDMARK)
    assert (np.diagonal(update.belief.cov)[:2] >= np.diagonal(free.belief.cov)[:2]).all()
    with pytest.raises(SpaceError, match="bias"):
        SchmidtEKF(considered="bias").update(START, CAMERA, [6.1, 0.1], LANDMARK)


def test_fading_memory_of_filterpy() -> None:
    kalman = pytest.importorskip("filterpy.kalman")
    s = system(11, 4, 2, 2)
    peer = kalman.KalmanFilter(4, 2, 2)
    peer.alpha = 1.05
    peer.x, peer.P, peer.F, peer.B, peer.Q, peer.H, peer.R = s.x0, s.P0, s.F, s.B, s.Q, s.H, s.R
    start = Gaussian(s.dynamics.state, s.x0, s.P0)
    result = FadingEKF(alpha=1.05).run(start, s.dynamics, s.us, s.zs, DT, sensor=s.sensor)
    for t in range(len(s.zs)):
        peer.predict(s.us[t])
        peer.update(s.zs[t])
        close(result.beliefs.mean[t], peer.x)
        close(result.beliefs.cov[t], peer.P)
    with pytest.raises(SettingError, match="alpha"):
        FadingEKF(alpha=0.9)


def test_fading_memory_keeps_listening() -> None:
    """A car that is taken to stand still and does not: the EKF falls asleep, the fading filter follows."""
    from pilotage.models import LinearDynamics, LinearSensor

    still, reads = LinearDynamics.discrete([[1.0]], Q=[[0.0]]), LinearSensor([[1.0]], 1.0)
    zs = np.arange(200.0)[:, None] * 0.1
    off = [
        abs(e.run(Gaussian.of(still.state, std=1.0), still, None, zs, 1.0, sensor=reads).beliefs.mean[-1, 0] - 19.9)
        for e in (FadingEKF(alpha=1.1), EKF())
    ]
    assert off[0] < 1.0 < 9.0 < off[1]
