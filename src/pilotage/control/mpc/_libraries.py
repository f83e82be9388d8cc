"""Other libraries' solvers of quadratic programs, behind the interface of ours; residuals are always ours."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
from scipy import sparse

from ...core.arrays import Array
from ...core.errors import require
from ._elastic import Elastic
from ._methods import Method
from .program import QPSolution, QuadraticProgram

BIG = 1e30
"""Infinity, to libraries that know numbers only."""


class Library(Method):
    """A solver of another library, called with dense or sparse matrices and slack variables for soft rows."""

    package: ClassVar[str]
    stoppable = False

    def __init__(self, program: QuadraticProgram, tolerance: float = 1e-9) -> None:
        super().__init__(program, tolerance)
        self.module: Any = require(self.package, "peers" if self.package == "daqp" else "qp")
        wide = self.wide = Elastic(program)
        self.H, self.A = wide.H, np.concatenate([wide.A, wide.slacks])
        self.inner = 0.1 * tolerance
        self.model: Any = None

    def run(self, theta: Array) -> QPSolution:
        g, e = self.vectors(theta)
        n, m, k = len(g), len(e), self.wide.count
        lower = np.concatenate([self.bounds[0] - e, np.zeros(k)])
        upper = np.concatenate([self.bounds[1] - e, np.full(k, np.inf)])
        x, lam, iterations = self.call(np.concatenate([g, self.wide.weights]), lower, upper)
        x, lam = np.nan_to_num(np.asarray(x, dtype=float)), np.nan_to_num(np.asarray(lam, dtype=float))
        return self.judged(x[:n], lam[:m].copy(), int(iterations), g, e, lam[:m], x[:n])

    @abstractmethod
    def call(self, g: Array, lower: Array, upper: Array) -> tuple[Any, Any, int]:
        """Variables, multipliers of the rows, and iterations; or what may prove that there is no solution."""


class Piqp(Library):
    """PIQP, a proximal interior point method; its dense solver, updated in place.

    It is not told of rows without bounds, about which it prints.
    """

    package = "piqp"

    def call(self, g: Array, lower: Array, upper: Array) -> tuple[Any, Any, int]:
        bound = (lower > -BIG) | (upper < BIG)
        low, high, lam = np.clip(lower, -BIG, None)[bound], np.clip(upper, None, BIG)[bound], np.zeros(len(lower))
        if self.model is None:
            self.model = self.module.DenseSolver()
            s = self.model.settings
            s.eps_abs = s.eps_duality_gap_abs = self.inner
            s.eps_rel = s.eps_duality_gap_rel = 0.0
            self.model.setup(np.asfortranarray(self.H), g, G=np.asfortranarray(self.A[bound]), h_l=low, h_u=high)
        else:
            self.model.update(c=g, h_l=low, h_u=high)
        self.model.solve()
        found = self.model.result
        lam[bound] = found.z_u - found.z_l
        return found.x, lam, found.info.iter


class Clarabel(Library):
    """Clarabel, an interior point method with a homogeneous embedding."""

    package = "clarabel"

    def call(self, g: Array, lower: Array, upper: Array) -> tuple[Any, Any, int]:
        c, up, low, equal = self.module, np.isfinite(upper), np.isfinite(lower), lower == upper
        up, low = up & ~equal, low & ~equal
        A = np.concatenate([self.A[equal], self.A[up], -self.A[low]])
        b = np.concatenate([upper[equal], upper[up], -lower[low]])
        cones = [c.ZeroConeT(int(equal.sum())), c.NonnegativeConeT(int(up.sum() + low.sum()))]
        settings = c.DefaultSettings()
        settings.verbose, settings.max_threads = False, 1
        settings.tol_feas = settings.tol_gap_abs = self.inner
        settings.tol_gap_rel = self.inner
        found = c.DefaultSolver(sparse.triu(self.H, format="csc"), g, sparse.csc_matrix(A), b, cones, settings).solve()
        z, lam = np.asarray(found.z), np.zeros(len(lower))
        first, second = int(equal.sum()), int(equal.sum() + up.sum())
        lam[equal] = z[:first]
        lam[up] += z[first:second]
        lam[low] -= z[second:]
        return found.x, lam, found.iterations


class Osqp(Library):
    """OSQP, a first-order method, polished; it reaches small residuals slowly, and not always."""

    package = "osqp"

    def call(self, g: Array, lower: Array, upper: Array) -> tuple[Any, Any, int]:
        if self.model is None:
            self.model = self.module.OSQP()
            self.model.setup(
                sparse.triu(self.H, format="csc"), g, sparse.csc_matrix(self.A), lower, upper, verbose=False,
                eps_abs=self.inner, eps_rel=0.0, max_iter=100_000, polishing=True,
            )  # fmt: skip
        else:
            self.model.update(q=g, l=lower, u=upper)
        found = self.model.solve(raise_error=False)
        proof = found.prim_inf_cert if found.info.status == "primal infeasible" else found.y
        along = found.dual_inf_cert if found.info.status == "dual infeasible" else found.x
        return along, proof, found.info.iter


class Daqp(Library):
    """DAQP, a dual active set method, updated in place."""

    package = "daqp"

    def call(self, g: Array, lower: Array, upper: Array) -> tuple[Any, Any, int]:
        low, high = np.clip(lower, -BIG, None), np.clip(upper, None, BIG)
        sense = np.where(lower == upper, 5, 0).astype(np.int32)
        if self.model is None:
            self.model = self.module.Model()
            self.model.setup(self.H, g, self.A, high, low, sense)
            self.model.settings = {"primal_tol": self.inner, "dual_tol": self.inner}
        else:
            self.model.update(f=g, bupper=high, blower=low, sense=sense)
        x, _, _, info = self.model.solve()
        return x, info["lam"], info["iterations"]


LIBRARIES: dict[str, Any] = {"piqp": Piqp, "clarabel": Clarabel, "osqp": Osqp, "daqp": Daqp}
