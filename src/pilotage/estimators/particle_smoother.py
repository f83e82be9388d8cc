"""Particle smoothers: the beliefs of a run of particles, given all readings, past and future."""

from __future__ import annotations

from typing import Literal

import numpy as np

from ..core import FilterRun, ModelError, Particles, Rng, generator
from ..core.arrays import Array
from ..core.settings import Count, instance, setting
from ..core.weights import log_sum_exp
from ..models.trace import LANES, code_of
from ._clouds import reach
from .cloud import transition
from .resampling import resample

Method = Literal["simulation", "marginal"]


def smooth_particles(
    run: FilterRun, n: int | None = None, method: Method = "simulation", *, rng: Rng = None
) -> Particles:
    """The beliefs of a run of particles given all its readings, past and future, ``(T,)``.

    ::

        simulation   j = i with probability w_i(k) p(x_j(k+1) | x_i(k)), backwards from a draw at the last step
        marginal     w_i(k|T) = w_i(k) sum_j w_j(k+1|T) p(x_j(k+1) | x_i(k)) / sum_l w_l(k) p(x_j(k+1) | x_l(k))

    Simulation draws `n` trajectories: particle j of all steps is one state sequence, and all have the same weight. It
    costs ``T n N`` densities. The marginal smoother keeps the particles of the filter and gives them new weights, for
    ``T N^2`` densities; use it for a few hundred particles, and where no trajectories are needed.

    p is the density of the process noise in its range. If the noise is singular, only few particles lead exactly to
    another one, often just its own ancestor; the smoother is then no better than the ancestry of the last particles,
    which is right, but coarse. Give the model a little noise in each direction for more variety.

    Args:
        run: run of a filter whose beliefs are `Particles`.
        n: number of trajectories; None for as many as the filter has particles. The marginal smoother ignores it.
        method: "simulation" or "marginal".
        rng: seed or generator.

    Raises:
        ModelError: if the beliefs of the run are no particles, or none of them can lead to the next ones.

    Source: Godsill, Doucet and West, "Monte Carlo smoothing for nonlinear time series", J. American Statistical
    Association 99, 2004; the marginal smoother, Doucet, Godsill and Andrieu, Statistics and Computing 10, 2000,
    section V.

    Example:
        >>> import numpy as np
        >>> from pilotage.estimators import ParticleFilter
        >>> from pilotage.models import constant_velocity, position
        >>> filter = ParticleFilter(constant_velocity(1), dt=1.0, n=200).start(std=1.0, rng=1)
        >>> run = filter.run(None, np.arange(4.0)[:, None], sensor=position(1))
        >>> smoothed = smooth_particles(run, n=50, rng=2)
        >>> smoothed.points.shape, bool(smoothed.moments().std[0, 1] < run.beliefs.moments().std[0, 1])
        ((4, 50, 2), True)
    """
    beliefs = instance(run, FilterRun, "smooth_particles").beliefs
    if not isinstance(beliefs, Particles):
        raise ModelError(
            f"the beliefs of the run are {type(beliefs).__name__}; expected Particles, as many in each step: run "
            "with keep='beliefs' and without adapt; of a Kalman filter, smooth(run)"
        )
    if setting(method, Method, "method") == "marginal":
        return _reweighted(run, beliefs)
    count = beliefs.points.shape[-2] if n is None else setting(n, Count, "n")
    return _trajectories(run, beliefs, count, generator(rng))


def _trajectories(run: FilterRun, beliefs: Particles, n: int, rng: np.random.Generator) -> Particles:
    """Trajectories drawn backwards, ``(T, n)``."""
    steps = len(run.dts)
    x, last = np.empty((steps, n, beliefs.space.size)), beliefs[steps - 1]
    index = resample(last.weights, n, "systematic", rng)
    x[-1] = last.points[index]
    for k in range(steps - 2, -1, -1):
        here = beliefs[k]
        if not _stayed(run, beliefs, k):
            logs = here.log_weights + _densities(run, here, k, x[k + 1])
            w = np.exp(logs - _reached(logs, run, k)[:, None]).cumsum(-1)
            index = (w < rng.random((n, 1)) * w[:, -1:]).sum(-1)
        x[k] = here.points[index]
    return Particles.trusted(beliefs.space, x, np.full((steps, n), -np.log(n)))


def _reweighted(run: FilterRun, beliefs: Particles) -> Particles:
    """The particles of the filter with the weights given all readings, ``(T, N)``."""
    log_weights = np.array(beliefs.log_weights)
    for k in range(len(run.dts) - 2, -1, -1):
        here = beliefs[k]
        if _stayed(run, beliefs, k):
            log_weights[k] = log_weights[k + 1]
            continue
        some = log_weights[k + 1] > -np.inf
        logs = here.log_weights + _densities(run, here, k, beliefs.points[k + 1][some])
        backward = logs - _reached(logs, run, k)[:, None] + log_weights[k + 1][some, None]
        log_weights[k] = log_sum_exp(backward.T)
        log_weights[k] -= log_sum_exp(log_weights[k])
    return Particles.trusted(beliefs.space, np.array(beliefs.points), log_weights)


def _stayed(run: FilterRun, beliefs: Particles, k: int) -> bool:
    """Whether the particles of step k are those of the next one: two readings at one time."""
    return run.dts[k + 1] == 0.0 and np.array_equal(beliefs.points[k], beliefs.points[k + 1])


def _reached(logs: Array, run: FilterRun, k: int) -> Array:
    """``log sum_i`` for each next state ``(n,)``; an error where no particle leads to it."""
    total = log_sum_exp(logs)
    if np.isinf(total).any():
        raise ModelError(
            f"no particle of step {k} leads to {int(np.isinf(total).sum())} states of the next step: the noise of "
            f"{run.dynamics!r} is singular, and resampled particles were moved; give it noise in each direction"
        )
    return total


def _densities(run: FilterRun, here: Particles, k: int, after: Array) -> Array:
    """``log p(x_j | x_i)`` of states ``(n, size)`` after particles ``(N, size)``, shape ``(n, N)``."""
    space, d = here.space, here.space.dim
    f, Q = transition(here.points, run.dynamics, run.us[k + 1], float(run.dts[k + 1]))
    logs, w = np.empty((len(after), len(f))), np.empty((2 * space.size + 2 * d * d + d + 1) * LANES)
    minus = code_of(space, "minus", lanes=True).address
    covs = np.array(Q, order="C").reshape(-1, d * d)
    reach.compiled(minus, np.array(f, order="C"), covs, np.array(after, order="C"), logs, w)
    return logs
