"""Noise over time for sampled plans: how the deviations of one step are related to those of others.

Each kind has a basis: the deviations e of T steps are a mixture of white noise w of k numbers, ``e = W w``, for each
action component alone. Any object with a method ``basis(steps) -> W`` ``(T, k)`` is such noise.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Protocol

import numpy as np

from ...core.arrays import Array
from ...core.errors import SettingError
from ...core.settings import Count, Interval, NonNegative, Positive, settings


class Noise(Protocol):
    """Noise over the steps of a plan."""

    def basis(self, steps: int) -> Array:
        """W ``(T, k)`` of ``e = W w``, for T steps."""
        ...


@settings
class PowerLawNoise:
    """Coloured noise with the power spectrum ``1 / f^beta``; its variance is 1.

    ::

        e_t = sum_k a_k (w_k cos(2 pi k t / T) + v_k sin(2 pi k t / T)),    a_k^2 ~ max(k, 1)^-beta,   k = 0 ... T / 2

    White for beta = 0, pink for 1, a random walk for 2: the larger beta, the smoother the samples, and the farther they
    reach.

    Source: Pinneri et al., "Sample-efficient cross-entropy method for real-time planning", CoRL 2020, section 3.1;
    Timmer and Koenig, "On generating power law noise", Astronomy and Astrophysics 300, 1995.

    Example:
        >>> W = PowerLawNoise(2.0).basis(20)
        >>> W.shape, (W**2).sum(1).round(12).tolist() == [1.0] * 20
        ((20, 20), True)
    """

    beta: NonNegative = 1.0

    def basis(self, steps: int) -> Array:
        """Columns: cosines of the frequencies 0 ... T/2, then the sines between, with their amplitudes."""
        k, t = np.arange(steps // 2 + 1), np.arange(steps)
        power = np.maximum(k, 1.0) ** -self.beta
        once = (k == 0) | (2 * k == steps)  # these frequencies have no sine
        power *= np.where(once, 1.0, 2.0)
        phase = 2.0 * np.pi * np.outer(t, k) / steps
        a = np.sqrt(power / power.sum())
        return np.hstack([a * np.cos(phase), (a * np.sin(phase))[:, ~once]])


@settings
class IntegratedNoise:
    """Noise of smooth MPPI: white noise on the change of the action from step to step.

    ::

        e_t = e_{t-1} + w_t / sqrt(T)

    A random walk, which reaches the variance 1 at the end of the plan. A plan is the sum of its changes, and so is the
    weighted mean of plans: it is the update of smooth MPPI.

    Source: Kim, Park, Kim and Kim, "Smooth model predictive path integral control without smoothing", RA-L 7(4), 2022,
    equations 13 to 16; a cost of the changes is left to the task.

    Example:
        >>> IntegratedNoise().basis(4)[1].tolist()
        [0.5, 0.5, 0.0, 0.0]
    """

    def basis(self, steps: int) -> Array:
        """Sums of all steps so far."""
        return np.tril(np.ones((steps, steps))) / np.sqrt(steps)


@settings
class SplineNoise:
    """Noise that is a spline through a few white knots, spread evenly from the first step to the last.

    ::

        zero      e_t = w_i of the last knot at t or before
        linear    straight lines between knots
        cubic     cubic Hermite polynomials; the slope of a knot is that between its neighbours

    Source: Howell et al., "Predictive sampling: real-time behaviour synthesis with MuJoCo", 2022, section 3.

    Example:
        >>> SplineNoise(3, "linear").basis(5)[1].tolist()
        [0.5, 0.5, 0.0]
    """

    knots: Annotated[int, Interval(2, ends="[)")] = 5
    order: Literal["zero", "linear", "cubic"] = "cubic"

    def basis(self, steps: int) -> Array:
        """The splines of each knot alone."""
        _fewer(self.knots, steps)
        at, unit = np.linspace(0.0, self.knots - 1.0, steps), np.eye(self.knots)
        i = np.minimum(at.astype(int), self.knots - (1 if self.order == "zero" else 2))
        if self.order == "zero":
            return unit[i]
        s = (at - i)[:, None]
        if self.order == "linear":
            return (1.0 - s) * unit[i] + s * unit[i + 1]
        slope = np.gradient(unit, axis=0)
        ends = (1.0 + 2.0 * s) * (1.0 - s) ** 2 * unit[i] + s**2 * (3.0 - 2.0 * s) * unit[i + 1]
        return ends + s * (1.0 - s) ** 2 * slope[i] + s**2 * (s - 1.0) * slope[i + 1]


@settings
class KernelNoise:
    """Noise that is interpolated between a few white knots by a Gaussian kernel.

    ::

        W = K(steps, knots) K(knots, knots)^-1,    K(a, b) = exp(-|a - b|^2 / (2 width^2))       a, b in knots

    Source: Miura, Akai, Honda and Hara, "Spline-interpolated model predictive path integral control with Stein
    variational inference", ICRA 2024; KMPPI of the package pytorch_mppi.

    Example:
        >>> KernelNoise(4).basis(10).shape
        (10, 4)
    """

    knots: Count = 8
    width: Positive = 1.0

    def basis(self, steps: int) -> Array:
        """The weight of each knot in each step."""
        _fewer(self.knots, steps)
        at, knots = np.linspace(0.0, self.knots - 1.0, steps), np.arange(self.knots, dtype=np.float64)

        def kernel(a: Array, b: Array) -> Any:
            return np.exp(-0.5 * ((a[:, None] - b) / self.width) ** 2)

        return np.asarray(np.linalg.solve(kernel(knots, knots), kernel(knots, at)).T)


def _fewer(knots: int, steps: int) -> None:
    """An error if there are more knots than steps; two are always allowed, the least of a spline."""
    if knots > max(steps, 2):
        raise SettingError(f"knots is {knots}; expected no more than the {steps} steps of the horizon")


def basis_of(noise: Noise | None, steps: int) -> Array:
    """The basis of a kind of noise ``(T, k)``; k = 0 for none.

    Raises:
        SettingError: if the noise gives something else.
    """
    if noise is None:
        return np.zeros((steps, 0))
    made = getattr(noise, "basis", None)
    W = None if made is None else np.asarray(made(steps), dtype=np.float64)
    if W is None or W.ndim != 2 or len(W) != steps or not W.shape[1] or not np.isfinite(W).all():
        got = "" if W is None else f", whose basis has shape {W.shape}"
        raise SettingError(f"noise is {noise!r}{got}; expected an object whose basis({steps}) is finite ({steps}, k)")
    return np.ascontiguousarray(W)
