"""The update of a gamma Gaussian inverse-Wishart belief of an ellipse, written down again with matrices of numpy."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.special import gammaln, multigammaln

from pilotage.core import Gaussian
from pilotage.estimators import KF
from pilotage.estimators.tracking import Detector
from pilotage.estimators.tracking._state import Scan
from pilotage.estimators.tracking._targets import Targets
from pilotage.estimators.tracking.extended import Extent, LineOfSight
from pilotage.estimators.tracking.extended._bodies import Bodies
from pilotage.estimators.tracking.extended._body_targets import BodyTargets
from pilotage.estimators.tracking.extended._expected import Expected
from pilotage.estimators.tracking.extended._groups import tabled
from pilotage.models import constant_velocity, position

CAR = constant_velocity(density=0.1)
H = np.eye(2, 4)


class Body(NamedTuple):
    """A belief: alpha, beta, mean, covariance, v, V."""

    alpha: float
    beta: float
    m: Any
    P: Any
    v: float
    V: Any


def root(A: Any) -> Any:
    """The symmetric root."""
    w, U = np.linalg.eigh(A)
    return (U * np.sqrt(w)) @ U.T


def updated(b: Body, z: Any, R: Any, scale: float) -> tuple[Body, float]:
    """The belief after a cell of points ``(n, 2)``, and the log of its likelihood."""
    z = np.asarray(z)
    n, X = len(z), b.V / (b.v - 6.0)
    mean = z.mean(0)
    Z, Y, e = (z - mean).T @ (z - mean), scale * X + R, mean - H @ b.m
    S = H @ b.P @ H.T + Y / n
    K = b.P @ H.T @ np.linalg.inv(S)
    f = root(X) @ np.linalg.inv(root(S)) @ e
    G = root(X) @ np.linalg.inv(root(Y))
    V = b.V + np.outer(f, f) + G @ Z @ G.T
    after = Body(b.alpha + n, b.beta + 1.0, b.m + K @ e, b.P - K @ S @ K.T, b.v + n, V)

    def size(A: Any) -> float:
        return float(np.linalg.slogdet(A)[1])

    a, c = 0.5 * (b.v - 3.0), 0.5 * (b.v + n - 3.0)
    log = b.alpha * np.log(b.beta) - after.alpha * np.log(after.beta) + gammaln(after.alpha) - gammaln(b.alpha)
    log += -n * np.log(np.pi) - np.log(n) + 0.5 * (size(X) - size(S)) + 0.5 * (n - 1) * (size(X) - size(Y))
    log += a * size(b.V) - c * size(V) + multigammaln(c, 2) - multigammaln(a, 2)
    return after, float(log)


class Single:
    """One object of an extent, before a detector of points."""

    def __init__(
        self, extent: Extent, belief: Gaussian, std: float, *, sight: LineOfSight | None = None, heading: float = 0.0
    ) -> None:
        self.targets = BodyTargets(Targets(KF(CAR, dt=1.0)), (extent,), sight)
        self.bodies = self.targets.born(self.targets.inner.pack(belief), 0)
        self.bodies.heading[:] = heading
        self.scan = Scan(0.0, Detector(position(std=std)), np.zeros((0, 2)), None, None, {})

    @property
    def expected(self) -> Expected:
        return self.targets.expected(self.bodies, self.scan)

    def log(self, z: Any) -> float:
        """The log-likelihood of a cell."""
        return float(self.logs([z])[0])

    def logs(self, cells: Any) -> Any:
        """The log-likelihoods of many cells."""
        n = [len(each) for each in cells]
        table = tabled(np.concatenate(cells), np.split(np.arange(sum(n)), np.cumsum(n)[:-1]))
        return self.targets.weighed(self.expected, table, np.zeros(len(table), np.int64), np.arange(len(table)))[0]

    def after(self, z: Any) -> Bodies:
        """The belief after a cell."""
        zero, table, expected = np.zeros(1, np.int64), tabled(np.asarray(z), [np.arange(len(z))]), self.expected
        _, V, view = self.targets.weighed(expected, table, zero, zero)
        return self.targets.updated(
            self.bodies, expected, table, zero, zero, V, view, (np.zeros(1), np.full(1, np.inf))
        )
