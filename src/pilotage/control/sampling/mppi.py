"""Model predictive path integral control: the mean of random plans, weighted by their costs."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from numpy.typing import ArrayLike

from ...core.arrays import Array
from ...core.dynamics import Dynamics
from ...core.errors import ModelError, SettingError
from ...core.settings import Fraction, Interval, NonNegative, Positive, by_name, settings
from ...core.streams import Rng
from ...core.task import Task
from ..receding import MAX_VIOLATION, Fallback, Horizon, RecedingHorizon, Solution, Stopwatch, shifted
from ._samples import DRAWN, Precision, Sampler, Samples
from .noise import Noise
from .path_integral import weigh

EFFECTIVE, CORRELATION = 0.05, 0.8
"""Defaults of MPPI, where no temperature and no other kind of noise is given."""


@settings
class PathIntegral(Sampler):
    """The solver of `MPPI`: its settings, and a step that improves a plan by random samples around it.

    Its state is the key of the random numbers (two words of the seed, and the number of draws so far), and the standard
    deviation of the noise where that adapts.

    Example:
        >>> PathIntegral(samples=100).init(0)[0].tolist()
        [2968811710, 3677149159, 0]
    """

    temperature: Positive | None = None
    effective: Annotated[float, Interval(0.0, 1.0)] | None = None
    correlation: Annotated[float, Interval(0.0, 1.0, "[)")] | None = None
    pull: NonNegative = 0.0
    adapt: Fraction = 0.0

    def __post_init__(self) -> None:
        if self.temperature is None and self.pull != 0.0:
            raise SettingError("pull is relative to the temperature; give a temperature with it")
        if self.temperature is not None and self.effective is not None:
            raise SettingError("temperature and effective both set the width of the weights; give one of them")
        if self.noise is not None and self.correlation is not None:
            raise SettingError("noise and correlation are two kinds of noise over time; give one of them")

    def workspace(self, problem: Horizon) -> Samples:
        """The machine code and memory for rollouts of a problem."""
        _ = weigh.compiled
        correlation = CORRELATION if self.correlation is None else self.correlation
        return Samples(problem, self, correlation)

    def step(
        self, workspace: Samples, state: Any, x: Array, us: Array, rows: Array, passed: float
    ) -> tuple[Any, Solution]:
        """Move the plan to the weighted mean of samples around it."""
        key, std, last = state
        plan, cost, heat, watch = us.copy(), np.inf, np.inf, Stopwatch(self.budget)
        law = workspace.law(x, us, rows, last, passed)
        std = workspace.std if std is None else shifted(std, passed)
        share = EFFECTIVE if self.effective is None else self.effective
        for i in watch.iterations(self.iterations):
            key = key + DRAWN
            law = workspace.law(x, plan, rows) if i else law
            workspace.roll(x, plan, rows, key, watch, std=std, price=self._price(workspace, plan, std), law=law)
            heat, cost = weigh.compiled(self.temperature or 0.0, share * workspace.drawn, *workspace.padded)
            if heat == np.inf:
                break
            plan, square = workspace.mean(plan, self.adapt > 0.0)
            std = self._adapted(std, square, workspace.std) if self.adapt else std
        found = workspace.solution(x, plan, cost, us, rows, watch, weights=workspace.weights.copy(), temperature=heat)
        return (key, std if self.adapt else None, found), found

    def _price(self, workspace: Samples, plan: Array, std: Array) -> Array | None:
        """Cost of a deviation: ``pull temperature P^-1 plan``, P the covariance of the noise over the plan."""
        if self.pull == 0.0 or self.temperature is None:
            return None
        return self.pull * self.temperature * (workspace.precision @ (plan / std)) / std

    def _adapted(self, std: Array, square: Array, first: Array) -> Array:
        """The standard deviation, nearer to that of the weighted samples; within a tenth and twice the first."""
        return np.clip(np.sqrt((1.0 - self.adapt) * std**2 + self.adapt * square), 0.1 * first, 2.0 * first)


class MPPI(RecedingHorizon):
    """Model predictive path integral control (MPPI), by random rollouts.

    ::

        u_k = clip(plan + e_k),   e_k ~ N(0, std^2)                        K samples of T steps
        S_k = sum_t cost(x_t, u_t) + penalty sum_i [g_i > 0] (1 + g_i) + pull temperature plan_t e_t / std^2
              + terminal_cost(x_T)                                         g = constraint(x_{t+1}, u_t)
        w_k = exp(-(S_k - min S) / temperature) / sum
        plan <- plan + sum_k w_k e_k                                       e_k after clipping

    Noise that is clipped on one side has a nonzero mean, so if the cost is flat, the plan drifts towards the middle of
    the limits. Every call of `act` shifts the plan by the elapsed time and improves it from the current state.

    It works with any `Dynamics` and `Task`. Traced models run as machine code, 32 samples side by side; for others, all
    samples of a tick are rolled out in one call of `Dynamics.rollout` and evaluated in one call of `Task.cost`. Both
    use the same random numbers. If every sample violates the constraint, none is used, and the status is FALLBACK. If
    the state itself violates it, the plan leads out of the violation, and the status is IMPROVED.

    Args:
        dynamics, task, horizon, dt, fallback, brake, max_violation: as for every `RecedingHorizon`.
        samples: number of plans tried at each tick, K. The first is the current plan without noise.
        temperature: in units of cost; small values follow the best sample, large ones average. Default: chosen at every
            tick so that the effective number of samples, ``1 / sum w^2``, is the share `effective` of all.
        effective: effective share of the samples, instead of a temperature; default: 0.05.
        std: standard deviation of the noise, one number or one per action component; default: a quarter of the range
            between the bounds. This explores well, but is coarse if the bounds are much wider than the task needs. For
            example, a car with bounds of 5 m/s^2 and 0.6 rad comes closer to its goal with (1.0, 0.2).
        correlation: correlation of the noise between consecutive steps, in [0, 1). High values give smooth plans that
            reach far; 0 is white noise. Default: 0.8.
        noise: another kind of noise over time, instead of a correlation, such as `PowerLawNoise` (coloured MPPI),
            `IntegratedNoise` (smooth MPPI), `KernelNoise` (KMPPI) or `SplineNoise`.
        adapt: rate in [0, 1] at which the standard deviation adapts to that of the weighted samples, for each step and
            component; 0 keeps it. It is carried from tick to tick, within a tenth and twice of `std`.
        pull: weight of the control cost of Williams et al., which pulls actions towards zero; 1 is their original, 0
            leaves the cost to the task.
        penalty: cost of each step that violates the task's constraint, plus the same for each unit of the violation. A
            heuristic: it should be large compared to the cost of a good plan.
        iterations: number of improvements per tick.
        budget: seconds of a decision. The samples of the first iteration are drawn in parts, and none begins that would
            end later; nor does an iteration. The status is IMPROVED then, and the reason tells. Default: no limit, and
            all actions replay.
        redraw: whether every tick draws noise of its own. If not, the noise of the first one is used again and again,
            which halves the time of a tick of a simple model.
        threads: number of threads for machine code; 1 for other models.
        precision: "single" computes the rollouts of traced models in single precision, with twice as many samples an
            instruction; costs are summed in double precision. States keep seven digits then: a robot 10 km from the
            origin is known to a millimetre.
        rng: seed or generator of the random numbers.
        feedback: whether every second sample follows a feedback law, ``u_t = clip(plan_t + noise_t + K_t (x_t (-)
            nominal_t))``: plan and nominal states are those of the last tick, and K the gains of the linear-quadratic
            problem along it, as of `ILQR`. An unstable system leaves its plan where the estimate moves or a disturbance
            acts, and samples with feedback return to it. Dynamics and task must be traced.

    Source: Williams, Drews, Goldfain, Rehg and Theodorou, "Information-theoretic model predictive control", T-RO 34(6),
    2018, algorithm 2; the correlated noise is a first-order process, whose own density enters S. The adaptation is
    that of Stulp and Sigaud, "Path integral policy improvement with covariance matrix adaptation", ICML 2012, eq. 10.

    Example:
        >>> from pilotage.control import reach
        >>> from pilotage.models import unicycle
        >>> robot = unicycle()
        >>> drive = MPPI(robot, reach(robot, [2.0, 1.0, 0.0]), horizon=20, samples=256, rng=1)
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
        samples: int = 1000,
        temperature: float | None = None,
        effective: float | None = None,
        std: ArrayLike | None = None,
        dt: float | None = None,
        correlation: float | None = None,
        pull: float = 0.0,
        penalty: float = 1000.0,
        iterations: int = 1,
        fallback: Fallback = "shift",
        brake: ArrayLike | None = None,
        max_violation: float = MAX_VIOLATION,
        rng: Rng = None,
        threads: int = 1,
        noise: Noise | None = None,
        adapt: float = 0.0,
        budget: float | None = None,
        redraw: bool = True,
        precision: Precision = "double",
        feedback: bool = False,
    ) -> None:
        solver = PathIntegral(
            samples,
            std,
            noise,
            penalty,
            iterations,
            threads,
            budget,
            redraw,
            1.0,
            precision,
            feedback,
            temperature,
            effective,
            correlation,
            pull,
            adapt,
        )
        super().__init__(
            dynamics, task, solver, horizon=horizon, dt=dt, fallback=fallback, brake=brake,
            max_violation=max_violation, rng=rng,
        )  # fmt: skip

    @property
    def costs(self) -> Array:
        """The cost of each sample of the last tick, ``(K,)``; infinity if it was not finite."""
        return self._last_stats()["costs"]

    @property
    def weights(self) -> Array:
        """The weight of each sample of the last tick, ``(K,)``; their sum is 1."""
        return self._last_stats()["weights"]

    def _last_stats(self) -> Any:
        if self.solution is None:
            raise ModelError("there are no samples before the first call of act")
        return self.solution.stats
