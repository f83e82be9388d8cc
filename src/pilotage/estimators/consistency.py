"""Consistency of a filter's run: whether its errors are as large as its covariances say, and what to change if not."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

import numpy as np

from ..core import FilterRun, ModelError
from ..core.arrays import Array
from ..core.declared import called
from ..core.settings import Interval, instance, setting
from ._checks import Check as Check
from ._checks import holm, innovation_checks, nees_of, nis_checks, scale_checks, true_states
from ._deviations import deviations
from ._suggestions import Suggestion, from_readings, from_truth
from .information_belief import Information


class Verdict(enum.Enum):
    """The outcome of all checks together.

    Example:
        >>> Verdict.OVERCONFIDENT.value
        'overconfident'
    """

    CONSISTENT = "consistent"
    OVERCONFIDENT = "overconfident"
    UNDERCONFIDENT = "underconfident"
    BIASED = "biased"
    CORRELATED = "correlated"


@dataclass(frozen=True, eq=False)
class ConsistencyReport:
    """The consistency of a run: checks, a verdict, and what to change.

    Attributes:
        verdict: the outcome.
        checks: all checks that were made.
        suggestions: changes of noise and biases that explain the run, the most telling first; empty if consistent.
        run: the run.
        level: probability that a consistent filter fails.
        nees: ``e' P^-1 e`` of each step, ``(..., T)``; None without truth.
        dof: number of tangent components in the NEES.
        errors: truth (-) estimate ``(..., T, d)``; None without truth.
        gated: share of the readings of each sensor that the gate rejected, by its name.
        skipped: steps at the beginning that are not checked, because the belief had no finite covariance there, as that
            of an `InformationKF` that begins without knowledge; `run` and arrays begin after them.

    Example:
        >>> from pilotage.estimators import KF
        >>> from pilotage.models import constant_velocity, position
        >>> run = KF(constant_velocity(1), dt=0.1).start(std=1.0).run(None, np.ones((50, 1)), sensor=position(1))
        >>> print(consistency(run).verdict)
        Verdict.UNDERCONFIDENT
    """

    verdict: Verdict
    checks: tuple[Check, ...]
    suggestions: tuple[Suggestion, ...]
    run: FilterRun
    level: float
    nees: Array | None = None
    dof: int = 0
    errors: Array | None = None
    gated: dict[str, float] = field(default_factory=dict)
    skipped: int = 0

    @property
    def consistent(self) -> bool:
        """Whether no check failed."""
        return self.verdict is Verdict.CONSISTENT

    def record(self) -> dict[str, Any]:
        """The report as numbers and text, for JSON and tables."""
        return {
            "verdict": self.verdict.value,
            "level": self.level,
            "checks": [vars(check).copy() for check in self.checks],
            "suggestions": [{**vars(each), "text": str(each)} for each in self.suggestions],
            "gated": dict(self.gated),
            "skipped": self.skipped,
        }

    def __str__(self) -> str:
        failed = sum(check.failed for check in self.checks)
        head = f"{self.verdict.value}: {failed} of {len(self.checks)} checks failed at level {self.level:g}"
        begun = f"  steps before {self.skipped}: not checked, the belief had no finite covariance"
        checks, changes = (f"  {check}" for check in self.checks), (f"- {each}" for each in self.suggestions)
        return "\n".join([head, *[begun] * (self.skipped > 0), *checks, *changes])

    __repr__ = __str__


def consistency(run: FilterRun, truth: Any = None, *, level: float = 0.01) -> ConsistencyReport:
    """The consistency of a run of any estimator, with the true states or without.

    ::

        NEES      e' P^-1 e,  e = truth (-) x       mean d under a consistent filter
        NIS       y' S^-1 y                         mean m
        mean      of S^-1/2 y                       0
        whiteness Q = N (N + 2) sum_l r_l^2 / (N - l),   r_l = correlation of S^-1/2 y over l readings
        scale     argmax_a log p(readings | a^2 Q)  1, and the same for parts of Q and for each R

    NIS and innovations are independent over time. Errors are not: the variance of the mean NEES follows from the
    recursion of the filter, ``Cov(NEES_k, NEES_j) = 2 tr(P_j^-1 C P_k^-1 C')`` with ``C = Phi_jk P_k``, and its
    interval is that of a scaled chi-square distribution with this variance. Sequences of a batch are independent. Of a
    gate, the NIS that passes is compared with the chi-square distribution cut at the gate, and the share that does not
    with what the gate promises. A run of several modes is judged by the moments of its mixtures: Q is what a prediction
    added to the covariance, and intervals are as much wider as NEES or NIS vary more than chi-square values.

    Suggestions are made if the verdict is not consistent. With truth, they come from the noise that the truth shows,
    ``w = x' (-) f(x, u)`` and ``v = y - H e``. Without, the run is filtered again, linearised, with each part of Q and
    R scaled and biases of readings fitted, and the parts that raise the likelihood most are named, one after another.
    Factors are those of standard deviations. Runs of filters that learn noise (`VariationalEKF`, `AdaptiveEKF`) have
    neither scales nor suggestions: what these filters use is not the noise of the models. A run that begins without
    knowledge (`InformationKF`) is checked from where all is known, and the report says how many steps it left out.

    Args:
        run: a run of any estimator, over readings of any sensors; leading axes are a batch.
        truth: true states ``(..., T, n)`` at the times `run.ts`; NaN where a component is not known.
        level: probability that a consistent filter fails, over all checks.

    Raises:
        ModelError: if the run has no steps, the space of the beliefs changes during it, no step has a belief of finite
            covariance, or no component of the truth is known.
        ShapeError: if the true states are not those of all steps.

    Source: Bar-Shalom, Li and Kirubarajan, "Estimation with Applications to Tracking and Navigation" (2001), section
    5.4; Ljung and Box, Biometrika 65, 1978; Holm, Scandinavian J. Statistics 6, 1979.

    Example:
        >>> from pilotage.estimators import KF
        >>> from pilotage.models import constant_velocity, position
        >>> zs = np.random.default_rng(0).normal(0.0, 1.5, size=(300, 1))
        >>> run = KF(constant_velocity(1, density=0.1), dt=0.1).start(std=1.0)
        >>> print(consistency(run.run(None, zs, sensor=position(1, std=0.5))).suggestions[0])
        measurement noise of position looks 3.2x too small
    """
    instance(run, FilterRun, "consistency")
    level = setting(level, Annotated[float, Interval(0.0, 1.0)], "level")
    if isinstance(run.beliefs, tuple) or isinstance(run.nis, tuple):
        raise ModelError("the number of targets or the space changes during the run; give runs in which it does not")
    if not len(run.dts):
        raise ModelError("the run has no steps, so there is nothing to check; give it readings")
    truth = None if truth is None else true_states(run, truth)
    run, skipped = known_steps(run)
    truth = None if truth is None else truth[..., skipped:, :]
    model, names = deviations(run), sensor_names(run)
    checks: list[Check] = []
    nees = errors = None
    dof = 0
    if truth is not None:
        nees, dof, errors, check = nees_of(run, truth, model, level)
        checks.append(check)
    gated: dict[str, float] = {}
    for j, name in enumerate(names):
        found, gated[name] = nis_checks(run, j, name, level)
        checks += [*found, *innovation_checks(run, j, name, model, level)]
    if model is not None:
        checks += scale_checks(run, model, names, level)
    checks = holm(checks, level)
    verdict = _verdict(checks)
    suggestions: tuple[Suggestion, ...] = ()
    if verdict is not Verdict.CONSISTENT and model is not None:
        known = errors is not None and bool(np.isfinite(errors).all())
        suggestions = from_truth(run, truth, model, names, level) if known else from_readings(run, model, names, level)
    return ConsistencyReport(verdict, tuple(checks), suggestions, run, level, nees, dof, errors, gated, skipped)


def sensor_names(run: FilterRun) -> list[str]:
    """Names of the sensors, numbered where several have the same."""
    names = [called(sensor) for sensor in run.sensors]
    return [name if names.count(name) == 1 else f"{name} {names[:j].count(name) + 1}" for j, name in enumerate(names)]


def known_steps(run: FilterRun) -> tuple[FilterRun, int]:
    """The run from where its beliefs have finite covariances, before and after each reading; and the steps left out."""
    if not isinstance(run.beliefs, Information):
        return run, 0
    known = run.beliefs.known.all(-1) & run.predicted.known.all(-1)
    unknown = np.flatnonzero(~known.reshape(-1, len(run.dts)).all(0))
    first = int(unknown[-1]) + 1 if len(unknown) else 0
    if first == len(run.dts):
        raise ModelError("the belief has no finite covariance up to the end of the run, so there is nothing to check")
    return since(run, first), first


def since(run: FilterRun, first: int) -> FilterRun:
    """The run from a step on."""
    steps: dict[str, Any] = {
        name: getattr(run, name)[..., first:]
        for name in ("beliefs", "predicted", "nis", "log_likelihood", "status", "ts", "dts", "which")
    }
    steps |= {name: getattr(run, name)[..., first:, :] for name in ("innovations", "us")}
    before = [int((run.which[:first] == j).sum()) for j in range(len(run.contexts))]
    told = (c[k:] if isinstance(c, list) else c[..., k:, :] for c, k in zip(run.contexts, before, strict=True))
    return replace(run, **steps, contexts=tuple(told))


def _verdict(checks: list[Check]) -> Verdict:
    """Too large errors come before too small ones, and both before a mean and correlation of the right size."""
    failed = [check for check in checks if check.failed]
    sizes = [check.value > check.expected for check in failed if check.kind in ("NEES", "NIS", "gated", "scale")]
    if sizes:
        return Verdict.OVERCONFIDENT if any(sizes) else Verdict.UNDERCONFIDENT
    if any(check.kind == "mean" for check in failed):
        return Verdict.BIASED
    return Verdict.CORRELATED if failed else Verdict.CONSISTENT
