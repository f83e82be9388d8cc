"""Factor graphs: variables on any spaces, and readings that connect any number of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotage.core import Part, Sensor, ShapeError, Space, SpaceError
from pilotage.core.arrays import numbers
from pilotage.core.settings import instance, setting, shown

from .kernels import RobustKernel

Array = NDArray[np.float64]
Named = tuple[str, Any]
"""Variables by their kind and indices: ``("pose", [0, 1])``."""


def refuse_indefinite(information: NDArray[np.float64]) -> None:
    """Refuse information matrices ``(K, d, d)`` with a negative eigenvalue, but for rounding."""
    try:
        np.linalg.cholesky(information)  # the quicker question, which is enough for most
        return
    except np.linalg.LinAlgError:
        values = np.linalg.eigvalsh(information)
    negative = values[:, 0] < -1e-9 * abs(values[:, -1])
    if negative.any():
        k = int(np.argmax(negative))
        raise ShapeError(
            f"information of reading {k} has the eigenvalue {values[k, 0]:.3g}; {negative.sum()} of {len(values)} have "
            "a negative one; expected inverse covariances"
        )


@dataclass(frozen=True, eq=False)
class Variables:
    """Variables of one kind, such as poses, landmarks or velocities.

    Args:
        space: the space of each variable.
        values: initial guess ``(N, size)``.
        fixed: indices of the variables that are known and stay fixed, or a mask ``(N,)``.

    Raises:
        ShapeError: if values or indices do not fit.

    Example:
        >>> Variables(Space("x y [m]"), [[0.0, 0.0], [1.0, 2.0]], fixed=[0]).fixed.tolist()
        [True, False]
    """

    space: Space
    values: Array
    fixed: Any = ()

    def __post_init__(self) -> None:
        space = instance(self.space, Space, "Variables")
        values = np.array(space.normalize(space.check(self.values, "values")), ndmin=2)
        if values.ndim != 2:
            raise ShapeError(f"values have shape {values.shape}; expected one row a variable, (N, {self.space.size})")
        given = np.asarray(self.fixed)
        mask = np.zeros(len(values), dtype=bool)
        mask[given if given.dtype == bool and given.shape == mask.shape else _indices(given, len(values), "fixed")] = (
            True
        )
        values.flags.writeable = mask.flags.writeable = False
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "fixed", mask)


@dataclass(frozen=True, eq=False)
class Factors:
    """Factors: readings of one sensor, each depending on one or more variables.

    ::

        e = z (-) h(x, context)          chi2 = e' W e

    The state x of the sensor consists of one or more variables, and so does its context. For a residual r(x) without a
    sensor, use the reading z = 0.

    Args:
        sensor: the sensor; `pilotage.models.factor` declares one with several variables.
        z: readings ``(K, size)``; NaN where not measured. In a rotation or pose, one NaN makes the whole reading
            missing.
        x: the variables that make up the sensor's state: their kind, with the index of the variable for each reading
            ``(K,)``, or one index for all readings. Indices ``(K, n)`` select n variables of a kind, and a list names
            several kinds.
        context: the same for the sensor's context; or the contexts themselves ``(K, size)`` if they are known, such as
            the positions of surveyed landmarks.
        information: W, ``(K, dim, dim)`` or one for all; default: the inverse of the sensor's noise at the guess.
        kernel: a robust kernel, which limits the influence of outliers: ``chi2 = rho(e' W e)``; default: none.

    Raises:
        ShapeError: if arrays do not fit.
        SettingError: if the kernel is none.

    Example:
        >>> from pilotage.models import relative_pose
        >>> Factors(relative_pose(), [[1.0, 0.0, 0.1]], ("pose", [0]), ("pose", [1])).count
        1
    """

    sensor: Sensor
    z: Array
    x: Named | Sequence[Named]
    context: Any = None
    information: Any = None
    kernel: RobustKernel | None = None

    def __post_init__(self) -> None:
        if self.kernel is not None:
            instance(self.kernel, RobustKernel, "kernel= of Factors", "; such as Huber()")
        reading = instance(self.sensor, Sensor, "Factors").reading
        z = np.array(reading.check(self.z, "z", finite=False), ndmin=2)
        if np.isinf(z).any():
            raise ShapeError("z holds infinity; expected finite numbers, or NaN for what was not measured")
        object.__setattr__(self, "z", z)
        object.__setattr__(self, "x", _named(self.x, len(z), "x"))
        if _is_named(self.context):
            object.__setattr__(self, "context", _named(self.context, len(z), "context"))
        if _is_named(self.information):
            raise ShapeError(
                f"information is {shown(self.information)}, which names variables; list those of the sensor's state: "
                "Factors(sensor, z, [('pose', i), ('pose', j)])"
            )
        if self.information is not None:
            W = numbers(self.information, "information")
            wanted = (len(z), reading.dim, reading.dim)
            if W.shape not in (wanted, wanted[1:]):
                raise ShapeError(f"information has shape {W.shape}; expected {wanted} or {wanted[1:]}")
            if not np.isfinite(W).all():
                raise ShapeError("information holds NaN or infinity; expected inverse covariances of the readings")
            if (abs(W - (Wt := np.swapaxes(W, -1, -2))) > 1e-8 * abs(Wt)).any():
                raise ShapeError("information is not symmetric; expected inverse covariances of the readings")
            refuse_indefinite(W.reshape(-1, *wanted[1:]))
            object.__setattr__(self, "information", np.array(np.broadcast_to(W, wanted), order="C"))

    @property
    def count(self) -> int:
        """Number of readings."""
        return len(self.z)

    @property
    def missing(self) -> NDArray[np.bool_]:
        """Whether each component of the residuals is missing ``(K, dim)``."""
        nan, reading = np.isnan(self.z), self.sensor.reading
        return nan if reading.flat else np.repeat(nan.any(axis=1, keepdims=True), reading.dim, axis=1)

    @property
    def variables(self) -> tuple[tuple[str, NDArray[np.int64]], ...]:
        """Kind and indices ``(K,)`` of each variable of a reading: first those of the state, then of the context."""
        x: Any = self.x
        return (*x, *self.context) if _is_named(self.context) else x

    @property
    def known(self) -> Array | None:
        """The contexts if they are known numbers ``(K, size)``; None if they are variables, or there are none."""
        return None if _is_named(self.context) else self.context


@dataclass(frozen=True, eq=False, repr=False)
class FactorGraph:
    """A factor graph: unknown variables by kind, and the readings that they have to explain.

    ::

        chi2 = sum over factors of rho(e' W e),     e = z (-) h(x, context)

    Args:
        variables: variables by kind.
        factors: readings; sensors find the components of their variables by name.

    Raises:
        ShapeError: if factors refer to variables that do not exist.
        SpaceError: if a sensor or its context does not fit the space of its variables.

    Source: Dellaert and Kaess, "Factor Graphs for Robot Perception" (2017).

    Example:
        >>> from pilotage.models import absolute_pose, range_bearing
        >>> graph = FactorGraph(
        ...     {
        ...         "pose": Variables(Space("pose: SE2"), [[0.0, 0.0, 0.0]]),
        ...         "tree": Variables(Space("x y [m]"), [[1.0, 1.0]]),
        ...     },
        ...     [
        ...         Factors(absolute_pose(), [[0.0, 0.0, 0.0]], ("pose", [0])),
        ...         Factors(range_bearing(), [[1.0, 0.0]], ("pose", [0]), ("tree", [0])),
        ...     ],
        ... )
        >>> graph.unknowns, graph.residuals
        (5, 5)
    """

    variables: Mapping[str, Variables]
    factors: Sequence[Factors]

    def __post_init__(self) -> None:
        if not isinstance(self.variables, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ShapeError(f"variables of a graph are {shown(self.variables)}; expected {{name: Variables(...)}}")
        variables = {k: instance(v, Variables, "FactorGraph") for k, v in self.variables.items()}
        object.__setattr__(self, "variables", variables)
        factors = setting(self.factors, tuple[Factors, ...], "factors of a graph")
        object.__setattr__(self, "factors", tuple(map(self._mounted, factors)))

    def __repr__(self) -> str:
        kinds = ", ".join(f"{len(v.values)} of {kind}" for kind, v in self.variables.items())
        return f"FactorGraph({kinds}; {self.unknowns} unknowns, {self.residuals} residuals)"

    @property
    def unknowns(self) -> int:
        """Number of tangent components of all variables that are not fixed."""
        return sum(v.space.dim * int((~v.fixed).sum()) for v in self.variables.values())

    @property
    def residuals(self) -> int:
        """Number of measured components; chi2 is about `residuals` - `unknowns` if the noise model is right."""
        return sum(int((~each.missing).sum()) for each in self.factors)

    @cached_property
    def chi2(self) -> float:
        """Sum of the weighted squares of all residuals.

        Raises:
            CovarianceError: if a sensor has no noise, and no information is given.
        """
        from ._system import System  # loads the sparse solver

        system = System(self)
        return system.cost(system.vector(self))

    def moved(self, values: Mapping[str, Array]) -> FactorGraph:
        """The same graph with other values of some variables.

        Raises:
            ShapeError: if there are no variables of that name, or the values do not fit.
        """
        for kind in values:
            self.of_kind(kind)
        variables = {k: replace(v, values=values[k]) if k in values else v for k, v in self.variables.items()}
        return replace(self, variables=variables)

    def solved(self, values: Mapping[str, Array]) -> FactorGraph:
        """The same graph at values that a solver found for all variables, which need no checks."""
        variables = dict[str, Variables]()
        for kind, v in self.variables.items():
            own = values[kind].copy()
            own.flags.writeable = False
            variables[kind] = _trusted(v, {"space": v.space, "values": own, "fixed": v.fixed})
        return _trusted(self, {"variables": variables, "factors": self.factors})

    def of_kind(self, kind: str) -> Variables:
        """The variables of a kind.

        Raises:
            ShapeError: if there are none; the error lists the kinds in the graph.
        """
        if not isinstance(kind, str) or kind not in self.variables:  # pyright: ignore[reportUnnecessaryIsInstance]
            known = f"it has {', '.join(self.variables)}" if self.variables else "it has none at all"
            raise ShapeError(f"the graph has no variables {shown(kind)}; {known}")
        return self.variables[kind]

    def _mounted(self, given: Factors) -> Factors:
        sensor, (first, *more) = given.sensor, self._spaces(given.sensor, given.x)
        if not more:
            sensor = sensor.on(first)
        self._fits(sensor, "state", sensor.state, given.x)
        wanted, context = sensor.context or Space(), given.context
        if _is_named(context):
            self._fits(sensor, "context", wanted, context)
        elif wanted.size:
            context = contexts_of(context, (given.count, wanted.size), sensor)
        elif context is not None:
            raise ShapeError(f"{sensor!r} takes no context, but one was given; leave it out")
        refuse_ties_to_itself(given)
        done = sensor is given.sensor and context is given.context
        return given if done else replace(given, sensor=sensor, context=context)

    def _fits(self, sensor: Sensor, role: str, wanted: Space, named: Any) -> None:
        """Refuse variables that do not make up what a sensor takes."""
        spaces = self._spaces(sensor, named)
        parts = [part for space in spaces for part in space.parts]
        if len(parts) != len(wanted.parts) or not all(map(_agree, parts, wanted.parts)):
            kinds, live = ", ".join(kind for kind, _ in named), ", ".join(map(str, spaces))
            raise SpaceError(f"the {role} of {sensor!r} is {wanted}; its variables, {kinds}, live in {live}")

    def _spaces(self, sensor: Sensor, named: Any) -> list[Space]:
        """The spaces of the variables that a factor names."""
        for kind, indices in named:
            if kind not in self.variables:
                known = f"expected one of {', '.join(self.variables)}" if self.variables else "the graph has none"
                raise ShapeError(f"{sensor!r} names variables {kind!r}; {known}")
            _indices(indices, len(self.variables[kind].values), f"indices of {kind}")
        return [self.variables[kind].space for kind, _ in named]


def _trusted(like: Any, fields: dict[str, Any]) -> Any:
    """An object of the same class, with these fields as they are."""
    made = object.__new__(type(like))
    made.__dict__.update(fields)
    return made


def refuse_ties_to_itself(given: Factors) -> None:
    """Refuse readings that name a variable twice."""
    for (kind, i), (other, j) in combinations(given.variables, 2):
        if kind == other and (same := i == j).any():
            raise ShapeError(f"{given.sensor!r} ties {kind} {i[same][0]} to itself; expected different variables")


def _agree(a: Part, b: Part) -> bool:
    """Whether two parts have the same geometry and, where both have units, the same ones."""
    return a.same_kind(b) and (a.units == b.units or not any(a.units) or not any(b.units))


def contexts_of(given: Any, shape: tuple[int, int], sensor: Sensor) -> Array:
    """The contexts of a sensor as numbers ``(K, size)``."""
    known = numbers(np.zeros((0, 0)) if given is None else given, "context")
    if known.shape not in (shape, shape[1:]):
        raise ShapeError(
            f"the context of {sensor!r} has shape {known.shape}; expected numbers {shape}, or the kind of variables "
            "and their indices, as in ('landmark', [0, 3])"
        )
    return np.array(np.broadcast_to(known, shape))


def _is_pair(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str)


def _is_named(value: Any) -> bool:
    """Whether a value names variables: by a pair of kind and indices, or by several."""
    return _is_pair(value) or (isinstance(value, (list, tuple)) and len(value) > 0 and all(map(_is_pair, value)))


def _named(value: Any, count: int, name: str) -> tuple[tuple[str, NDArray[np.int64]], ...]:
    """The kind and the indices ``(count,)`` of each of the variables of a reading."""
    if not _is_named(value):
        raise ShapeError(f"{name} is {shown(value)}; expected a kind of variables and their indices, ('pose', [0, 1])")
    found: list[tuple[str, NDArray[np.int64]]] = []
    for kind, given in [value] if _is_pair(value) else value:
        indices = np.asarray(given)
        indices = np.full(count, given) if indices.ndim == 0 else indices
        if len(indices) != count or indices.ndim > 2 or 0 in indices.shape[1:]:
            raise ShapeError(
                f"{name} has indices of shape {indices.shape}; expected ({count},), one for each reading, or "
                f"({count}, n) for n variables"
            )
        found += [(kind, column) for column in np.atleast_2d(indices.T)]
    return tuple(found)


def _indices(value: Any, count: int, name: str) -> NDArray[np.int64]:
    """Whole numbers from 0 to count - 1."""
    found = np.asarray(value)
    if found.size == 0:
        return np.zeros(0, dtype=np.int64)
    if found.ndim != 1 or found.dtype.kind not in "iu":
        raise ShapeError(f"{name} is {shown(value)}; expected whole numbers, one a row")
    if found.min() < 0 or found.max() >= count:
        wrong = found[(found < 0) | (found >= count)][0]
        raise ShapeError(f"{name} has {wrong}; expected indices from 0 to {count - 1}")
    return found.astype(np.int64)
