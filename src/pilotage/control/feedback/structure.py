"""The modes of a linear system in words: which are stable, which an action reaches, which a reading shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...core.arrays import Array
from ...core.dynamics import Dynamics
from ...core.errors import ModelError, SettingError
from ...core.sensor import Sensor
from ...core.settings import Positive, setting
from ...core.states import state_of
from ...models.linear import matrix
from ._linear import rates

TOLERANCE = 1e-7


@dataclass(frozen=True, eq=False, repr=False)
class Modes:
    """The modes of ``x' = A x + B u, z = C x``, or of ``x(t + dt) = A x + B u``; one for equal or conjugate values.

    A mode is the motion ``exp(value t) v`` with ``A v = value v``. `print` tells all modes in words.

    Attributes:
        values: eigenvalues ``(k,)`` [1/s, or per step], with imaginary parts of at least 0.
        shares: participation of each component in each mode ``(k, d)``, at most 1: ``|w_i v_i|`` with the left
            eigenvector w, which does not depend on the units of the components; or in its part that is hidden.
        damped: whether each mode decays, bools ``(k,)``.
        reached: whether an action changes each mode, bools ``(k,)``; None if no B was given.
        seen: whether a reading shows each mode, bools ``(k,)``; None if no C was given.
        names: names of the components.
        discrete: whether the values are those of a step.

    Example:
        >>> Modes.of([[0.0, 1.0], [4.0, 0.0]], names=["theta", "rate"])
        Modes(the mode at 2 1/s (theta, rate) is unstable; the mode at -2 1/s (theta, rate) is stable)
    """

    values: NDArray[np.complex128]
    shares: Array
    damped: NDArray[np.bool_]
    reached: NDArray[np.bool_] | None
    seen: NDArray[np.bool_] | None
    names: tuple[str, ...]
    discrete: bool

    @classmethod
    def of(
        cls,
        A: ArrayLike,
        B: ArrayLike | None = None,
        C: ArrayLike | None = None,
        *,
        names: Sequence[str] | None = None,
        discrete: bool = False,
        tolerance: float = TOLERANCE,
    ) -> Modes:
        """The modes of matrices A ``(d, d)``, B ``(d, m)`` and C ``(k, d)``.

        Args:
            A, B, C: the matrices.
            names: names of the d components; default x1, x2, ...
            discrete: whether A and B are those of a step.
            tolerance: relative size at which rates, and singular values of the tests, count as zero.

        Raises:
            ModelError: if the shapes do not match.
        """
        A = matrix(A, "A")
        d = len(A)
        if A.shape != (d, d):
            raise ModelError(f"A has shape {A.shape}; a square matrix was expected")
        names = tuple(names or (f"x{i + 1}" for i in range(d)))
        if len(names) != d:
            raise ModelError(f"there are {len(names)} names for {d} components")
        A, scale = balanced(A)
        values, shares = _eigen(A)
        reached = None if B is None else _shown(values, shares, A, matrix(B, "B", d) / scale[:, None], tolerance)
        seen = None if C is None else _shown(values, shares, A.T, (matrix(C, "C") * scale).T, tolerance)
        growth = np.abs(values) - 1.0 if discrete else values.real
        damped = growth < -tolerance * (1.0 if discrete else np.linalg.norm(A, 1))
        return cls(values, shares, damped, reached, seen, names, discrete)

    @property
    def stable(self) -> bool:
        """Whether every mode decays."""
        return bool(self.damped.all())

    @property
    def controllable(self) -> bool:
        """Whether an action reaches every mode (Popov, Belevitch and Hautus)."""
        return bool(_given(self.reached, "B").all())

    @property
    def stabilizable(self) -> bool:
        """Whether an action reaches every mode that does not decay by itself."""
        return bool((_given(self.reached, "B") | self.damped).all())

    @property
    def observable(self) -> bool:
        """Whether a reading shows every mode."""
        return bool(_given(self.seen, "C").all())

    @property
    def detectable(self) -> bool:
        """Whether a reading shows every mode that does not decay by itself."""
        return bool((_given(self.seen, "C") | self.damped).all())

    def __repr__(self) -> str:
        return f"Modes({self})"

    def __str__(self) -> str:
        return self.words()

    def words(self, which: ArrayLike | None = None) -> str:
        """One clause for each mode, or for those that `which` ``(k,)`` marks."""
        return "; ".join(self._clauses(which))

    def _clauses(self, which: ArrayLike | None) -> Iterator[str]:
        for i in np.flatnonzero(np.ones(len(self.values)) if which is None else which):
            value, unit = self.values[i], "a step" if self.discrete else "1/s"
            turning = f" +- {value.imag:.3g}i" if abs(value.imag) > 1e-9 * abs(value) else ""
            parts = [self.names[j] for j in np.flatnonzero(self.shares[i] > 0.2)]
            mostly = "mostly " if (self.shares[i] > 0.01).sum() > len(parts) else ""
            growth = abs(value) - 1.0 if self.discrete else value.real
            kind = "stable" if self.damped[i] else "unstable" if growth > TOLERANCE * abs(value) else "not damped"
            hidden = [] if self.reached is None or self.reached[i] else ["no action reaches it"]
            hidden += [] if self.seen is None or self.seen[i] else ["no reading shows it"]
            real = 0.0 if abs(value.real) < TOLERANCE * max(1.0, abs(value)) else value.real
            yield (
                f"the mode at {real:.3g}{turning} {unit} ({mostly}{', '.join(parts)}) is "
                f"{' and '.join([kind, *hidden])}"
            )


def stability(system: Dynamics | ArrayLike, x: Any = None, u: Any = None, **options: Any) -> Modes:
    """The modes of dynamics at a point, or of a matrix A, and whether they are stable.

    Args:
        system: dynamics, linearised in the tangent; or A ``(d, d)``.
        x, u: the point of linearisation; default: identity and zero.
        options: for dynamics `dt` [s], to get the modes of a step rather than rates; for a matrix `names` and
            `discrete`; for both `tolerance`; see `Modes.of`.

    Example:
        >>> from pilotage.models import pendulum
        >>> print(stability(pendulum()))
        the mode at 3.87 1/s (theta, theta_rate) is unstable; the mode at -3.87 1/s (theta, theta_rate) is stable
        >>> stability(pendulum(damping=0.5), [3.14159, 0.0]).stable
        True
    """
    A, _, _, options = _linearised(system, x, u, options)
    return Modes.of(A, **options)


def controllability(
    system: Dynamics | ArrayLike, B: ArrayLike | None = None, x: Any = None, u: Any = None, **options: Any
) -> Modes:
    """The modes of dynamics at a point, or of matrices, and whether an action reaches them.

    ::

        reached:  rank [A - value I, B] = d         by its smallest singular value, after balancing

    Args:
        system: dynamics, linearised in the tangent; or A ``(d, d)``.
        B: ``(d, m)`` for a matrix A.
        x, u: the point of linearisation; default: identity and zero.
        options: as for `stability`.

    Source: Hautus, "Controllability and observability conditions of linear autonomous systems", 1969.

    Example:
        >>> from pilotage.models import bicycle
        >>> parked, driving = (controllability(bicycle(), x=[0.0, 0.0, 0.0, v]) for v in (0.0, 5.0))
        >>> parked.controllable, driving.controllable
        (False, True)
    """
    if isinstance(system, Dynamics) and B is not None:
        raise SettingError(f"B is {B}, but dynamics have their own; give the point of linearisation as x=")
    A, found, _, options = _linearised(system, x, u, options)
    return Modes.of(A, found if B is None else B, **options)


def observability(
    system: Dynamics | ArrayLike, sensor: Sensor | ArrayLike, x: Any = None, u: Any = None, **options: Any
) -> Modes:
    """The modes of dynamics at a point, or of matrices, and whether a reading shows them.

    The function of the same name in `pilotage.estimators` also tells how well, along a trajectory.

    Args:
        system: dynamics, linearised in the tangent; or A ``(d, d)``.
        sensor: a sensor; or C ``(k, d)``.
        x, u: the point of linearisation; default: identity and zero.
        options: as for `stability`.

    Example:
        >>> from pilotage.models import cart_pole, LinearSensor
        >>> from pilotage.core import Space
        >>> tilt = LinearSensor([[1.0]], R=1e-4, state=Space("theta: angle"))
        >>> modes = observability(cart_pole(), tilt)
        >>> print(modes.words(~modes.seen))
        the mode at 0 1/s (x) is not damped and no reading shows it
    """
    A, _, at, options = _linearised(system, x, u, options)
    if isinstance(sensor, Sensor):
        if not isinstance(system, Dynamics):
            raise SettingError("a sensor goes with dynamics; to a matrix A give C")
        sensor = np.asarray(sensor.on(system.state).linearize(at))
    return Modes.of(A, None, sensor, **options)


def _linearised(system: Any, x: Any, u: Any, options: dict[str, Any]) -> tuple[Any, Any, Any, dict[str, Any]]:
    """A, B, the point and the options of `Modes.of`."""
    if not isinstance(system, Dynamics):
        return system, None, None, options
    space, action = system.state, system.action
    x = space.identity() if x is None else state_of(x, space, "x")
    u = action.clip(np.zeros(action.size)) if u is None else action.check(u, "u")
    dt = options.pop("dt", None)
    A, B = rates(system, x, u) if dt is None else system.linearize(x, u, setting(dt, Positive, "dt"))
    return A, B, x, {"names": space.tangent_names, "discrete": dt is not None, **options}


def balanced(A: Array) -> tuple[Array, Array]:
    """``T^-1 A T`` with rows and columns of similar size, and the diagonal of T: units do not matter then."""
    from scipy.linalg import matrix_balance

    found, (scale, _) = matrix_balance(A, permute=False, separate=True)
    return np.asarray(found), np.asarray(scale)


def _eigen(A: Array) -> tuple[NDArray[np.complex128], Array]:
    """The different eigenvalues with imaginary part of at least 0, and the participation of the components."""
    from scipy.linalg import eig

    values, w, v = cast("tuple[Any, Any, Any]", eig(A, left=True, right=True))
    share = np.abs(v * w)
    unclear = share.max(0) < 1e-6  # left and right eigenvectors of a defective mode are orthogonal
    share = np.where(unclear, np.maximum(np.abs(v), np.abs(w)), share)
    share, near = share / share.max(0), 1e-6 * np.linalg.norm(A, 1)
    found: list[int] = []
    for i in np.lexsort((values.imag, np.round(-values.real, 9))):
        equal = [j for j in found if abs(values[i] - values[j]) <= near]
        for j in equal:
            share[:, j] = np.maximum(share[:, j], share[:, i])
        found += [int(i)] if values[i].imag >= 0.0 and not equal else []
    return values[found], share[:, found].T


def _shown(values: Any, shares: Array, A: Array, B: Array, tolerance: float) -> NDArray[np.bool_]:
    """The test of Popov, Belevitch and Hautus for each eigenvalue; shares of hidden modes become those of that part."""
    size, gain = np.linalg.norm(A, 2) or 1.0, np.linalg.norm(B, 2) if B.any() else 1.0
    found = np.ones(len(values), dtype=bool)
    for i, value in enumerate(values):
        U, s, _ = np.linalg.svd(np.hstack([(A - value * np.eye(len(A))) / size, B / gain]))
        hidden = np.abs(U[:, s <= tolerance]).max(1, initial=0.0)
        if hidden.any():
            found[i], shares[i] = False, hidden / hidden.max()
    return found


def _given(found: NDArray[np.bool_] | None, matrix: str) -> NDArray[np.bool_]:
    if found is None:
        raise SettingError(f"the modes were computed without {matrix}; use controllability or observability")
    return found
