"""The improved cross-entropy method: coloured noise, kept elites, fewer samples in each iteration, the best plan."""

from __future__ import annotations

from numpy.typing import ArrayLike

from ...core.dynamics import Dynamics
from ...core.settings import by_name
from ...core.streams import Rng
from ...core.task import Task
from ..receding import MAX_VIOLATION, Fallback, RecedingHorizon
from ._samples import Precision
from .cem import CrossEntropy
from .noise import PowerLawNoise


class ICEM(RecedingHorizon):
    """Predictive control by the improved cross-entropy method (iCEM).

    `CEM` with five additions, which let it do with few samples:

    ::

        e_k        has the power spectrum 1 / f^beta, instead of being white
        K_i        = max(K decay^-i, 2 elites)                             samples of iteration i
        elites     the share `kept` of them is tried again in the next iteration, and, shifted, in the next tick
        mean       is one of the samples of the last iteration
        action     is the first of the best plan that was tried, instead of the mean

    Args:
        dynamics, task, horizon, dt, fallback, brake, max_violation: as for every `RecedingHorizon`.
        samples: number of plans tried in the first iteration, K.
        elites, iterations, smoothing, least, restarts, scales: as for `CEM`.
        beta: exponent of the noise; see `PowerLawNoise`. Large values for slow systems, 0 for white noise.
        kept: share of the elites that is tried again.
        decay: factor by which the samples become fewer in each iteration, 1 or more.
        std, penalty, threads, precision, feedback, budget, rng: as for `MPPI`.

    Source: Pinneri et al., "Sample-efficient cross-entropy method for real-time planning", CoRL 2020, algorithm 1.

    Example:
        >>> from pilotage.control import reach
        >>> from pilotage.models import unicycle
        >>> robot = unicycle()
        >>> drive = ICEM(robot, reach(robot, [2.0, 1.0, 0.0]), horizon=20, samples=64, rng=1)
        >>> drive.act([0.0, 0.0, 0.0]).status
        <ActionStatus.SOLVED: 'solved'>
    """

    @by_name
    def __init__(
        self,
        dynamics: Dynamics,
        task: Task,
        *,
        horizon: int = 30,
        samples: int = 200,
        elites: float = 0.1,
        iterations: int = 4,
        smoothing: float = 0.1,
        least: float = 0.05,
        beta: float = 2.0,
        kept: float = 0.3,
        decay: float = 1.25,
        restarts: int = 0,
        std: ArrayLike | None = None,
        scales: ArrayLike = 1.0,
        dt: float | None = None,
        penalty: float = 1000.0,
        fallback: Fallback = "shift",
        brake: ArrayLike | None = None,
        max_violation: float = MAX_VIOLATION,
        rng: Rng = None,
        threads: int = 1,
        budget: float | None = None,
        precision: Precision = "double",
        feedback: bool = False,
    ) -> None:
        solver = CrossEntropy(
            samples, std, PowerLawNoise(beta), penalty, iterations, threads, budget, True, scales, precision, feedback,
            elites, smoothing, least, kept, decay, restarts, best=True,
        )  # fmt: skip
        super().__init__(
            dynamics,
            task,
            solver,
            horizon=horizon,
            dt=dt,
            fallback=fallback,
            brake=brake,
            max_violation=max_violation,
            rng=rng,
        )
