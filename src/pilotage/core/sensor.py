"""The sensor protocol: how a reading depends on a state."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from .arrays import Array, alike, batched, numbers
from .covariances import log_normal, scattered
from .declared import Declared, answered, asked, called, covariance, names_of
from .errors import ModelError, ShapeError
from .linearize import jacobian
from .mathematics import torch_if_tensor
from .space import Space
from .streams import Rng, generator


class Sensor(Declared, ABC):
    """A reading of a state: ``z = observe(x) (+) e``, ``e ~ N(0, noise(x))`` in the tangent space of the reading.

    Subclasses set `state` and `reading` and implement `observe` and `noise`; everything else has a default. The
    `context` is anything else that a reading depends on, such as the position of a landmark or the pose of the antenna.
    NaN in a reading means "not measured".

    Example:
        >>> class Odometer(Sensor):
        ...     state, reading = Space("speed [m/s]"), Space("ticks")
        ...
        ...     def observe(self, x, context=None):
        ...         return 40.0 * x
        ...
        ...     def noise(self, x, context=None):
        ...         return np.eye(1)
        >>> wide = Odometer().on(Space("x y [m]", "speed [m/s]"))
        >>> wide.linearize(np.array([5.0, 6.0, 2.0])).round(6)
        array([[ 0.,  0., 40.]])
    """

    state: Space
    reading: Space
    context: Space | None = None
    """The space of a context; empty for sensors without one, None if it may be any object."""

    linear: bool = False
    """Whether ``observe = H x + b``, with H and `noise` that do not depend on x. Sensors that are not traced set it."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({names_of(self, 'reading')} from {names_of(self, 'state')})"

    @abstractmethod
    def observe(self, x: Any, context: Any = None) -> Any:
        """The expected reading ``(..., reading.size)`` at states ``(..., state.size)``, as the same kind of array."""

    @abstractmethod
    def noise(self, x: Any, context: Any = None) -> Any:
        """Covariance of the reading in its tangent space, ``(..., d, d)``, or ``(d, d)`` for all states."""

    def linearize(self, x: Any, context: Any = None) -> Any:
        """Jacobian ``H = d z / d x`` in the tangent spaces, ``(..., reading.dim, state.dim)``.

        Default: central differences through the spaces. Traced sensors derive it exactly.
        """
        x, context = self._together(x, context)
        return jacobian(lambda y: self._expected(*self._together(y, context)), x, self.state, self.reading)

    def linearize_context(self, x: Any, context: Any = None) -> Any:
        """Jacobian ``C = d z / d context`` in the tangent spaces, ``(..., reading.dim, context.dim)``.

        It makes the sensor a factor between two variables, such as a pose and a landmark, or two poses.
        Default: central differences through the spaces. Traced sensors derive it exactly.

        Raises:
            ModelError: if the sensor does not declare the space of its context.
            ShapeError: if no context is given.
        """
        space, torch = self.context, torch_if_tensor(x)
        if space is None:
            raise ModelError(f"{called(self)} declares no space of its context; write context = Space(...)")
        if not space.size:
            shape = (*np.shape(x)[:-1], self.reading.dim, 0)
            return np.zeros(shape) if torch is None else x.new_zeros(shape)
        if context is None:
            raise ShapeError(f"{called(self)} needs a context (..., {space.size}) of {space.listing}; none was given")
        x, context = self._together(x, context)
        return jacobian(lambda c: self._expected(*self._together(x, c)), context, space, self.reading)

    def log_prob(self, z: Any, x: Any, context: Any = None) -> Any:
        """``log p(z | x)`` of readings ``(..., reading.size)`` at states ``(..., state.size)``, shape ``(...)``.

        Default: the Gaussian of `noise` over the measured components; 0 where nothing was measured. Sensors with
        errors that are not Gaussian (a lidar beam, a detection) override it.
        """
        seen = measured(self.reading, z)
        d = cast(Array, self.reading.minus(z, self._expected(x, context)))
        noise = self._spread(x, context)
        if seen.all():
            return log_normal(d, noise)
        # A component that was not measured counts as 0 with unit variance, which leaves only its share of the constant.
        both = seen[..., :, None] & seen[..., None, :]
        R = np.where(both, noise, np.eye(self.reading.dim))
        return log_normal(np.where(seen, d, 0.0), R) + 0.5 * np.log(2.0 * np.pi) * (~seen).sum(-1)

    def sample(self, x: Any, context: Any = None, *, rng: Rng = None) -> Array:
        """Random readings ``(..., reading.size)`` at states ``(..., state.size)``, as numpy arrays.

        Default: ``observe(x) (+) e``, ``e ~ N(0, noise(x))``. Sensors with errors that are not Gaussian override it,
        like `log_prob`.
        """
        z = np.asarray(self._expected(x, context), dtype=np.float64)
        e = generator(rng).standard_normal((*z.shape[:-1], self.reading.dim))
        return scattered(self.reading, z, self._spread(x, context), e)

    def cleaned(self, z: Array) -> Array:
        """Readings ``(..., reading.size)`` with NaN in each component that was not measured.

        Default: as they are. A sensor whose driver writes something else than NaN there, such as 0, overrides it.
        """
        return z

    def _together(self, x: Any, context: Any) -> tuple[Any, Any]:
        """State and context with the batch axes of the two broadcast, where a context is an array."""
        if context is None or self.context is None or not self.context.size:
            return x, context
        return batched(x, context)

    def _expected(self, x: Any, context: Any) -> Any:
        x = x if hasattr(x, "shape") else numbers(x, "a state")
        return answered(asked(self, "observe", x, context), self.reading, self, "observe")

    def _spread(self, x: Any, context: Any) -> Array:
        return covariance(self.noise(x, context), self.reading.dim, self)

    def on(self, space: Space) -> Sensor:
        """This sensor on a larger space, where it finds its components by name.

        A component is found under its own name, or else under the only name that ends in ``.name``.

        Raises:
            SpaceError: if a component is missing or ambiguous.
        """
        return self if space == self.state else SelectedSensor(self, space)


class SelectedSensor(Sensor):
    """A sensor of a few components, mounted on a bigger state; what `Sensor.on` returns.

    ``H = H_inner D``, D the Jacobian of picking the components: ones and zeros unless a pose or a rotation is cut.
    Mountings of one sensor on one space are equal.
    """

    def __init__(self, inner: Sensor, space: Space) -> None:
        self.inner = inner
        self.name = called(inner)
        self.state = mountable(space, self.name)
        self.reading = inner.reading
        self.context = inner.context
        self._index = np.array([space.find(name, self.name) for name in inner.state.names], dtype=np.intp)
        self._constant = self._selection()
        self.linear = inner.linear

    def __repr__(self) -> str:
        return f"{self.inner!r} on {names_of(self, 'state')}"

    def _selection(self) -> Array | None:
        """D, when it is the same everywhere: every picked component lies in a flat part."""
        D = np.zeros((self.inner.state.dim, self.state.dim))
        flat = [(s, t) for part, s, t in self.state.layout if part.flat]
        spot = {i: t.start + i - s.start for s, t in flat for i in range(s.start, s.stop)}
        if not self.inner.state.flat or any(int(i) not in spot for i in self._index):
            return None
        for row, i in enumerate(self._index):
            D[row, spot[int(i)]] = 1.0
        return D

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SelectedSensor) and other.inner is self.inner and other.state == self.state

    def __hash__(self) -> int:
        return hash((id(self.inner), self.state))

    def _pick(self, x: Any) -> Any:
        return (x if hasattr(x, "shape") else numbers(x, "a state"))[..., self._index]

    def observe(self, x: Any, context: Any = None) -> Any:
        """The reading of the inner sensor."""
        return self.inner.observe(self._pick(x), context)

    def noise(self, x: Any, context: Any = None) -> Any:
        """The noise of the inner sensor."""
        return self.inner.noise(self._pick(x), context)

    def linearize(self, x: Any, context: Any = None) -> Any:
        """``H_inner D``, by the chain rule."""
        constant = self._constant
        D = jacobian(self._pick, x, self.state, self.inner.state) if constant is None else constant
        H, picked = alike(self.inner.linearize(self._pick(x), context), D)
        return H @ picked

    def linearize_context(self, x: Any, context: Any = None) -> Any:
        """The derivative by the context of the inner sensor."""
        return self.inner.linearize_context(self._pick(x), context)

    def log_prob(self, z: Any, x: Any, context: Any = None) -> Any:
        """Log-density of the reading under the inner sensor."""
        return self.inner.log_prob(z, self._pick(x), context)

    def cleaned(self, z: Array) -> Array:
        """Readings as the inner sensor cleans them."""
        return self.inner.cleaned(z)

    def sample(self, x: Any, context: Any = None, *, rng: Rng = None) -> Array:
        """Readings of the inner sensor."""
        return self.inner.sample(self._pick(x), context, rng=rng)

    def on(self, space: Space) -> Sensor:
        """The inner sensor on another space."""
        return self if space == self.state else self.inner.on(space)


def mountable(space: Any, owner: str) -> Space:
    """`space`, when it is one that `owner` can be mounted on.

    Example:
        >>> mountable("yaw", "compass")
        Traceback (most recent call last):
        pilotage.core.errors.ModelError: compass is mounted on the space of a state, not on 'yaw'
    """
    if not isinstance(space, Space):
        raise ModelError(f"{owner} is mounted on the space of a state, not on {space!r}")
    return space


def measured(reading: Space, z: Any) -> NDArray[np.bool_]:
    """The mask of the tangent components of readings ``(..., size)`` that were measured, ``(..., dim)``.

    A NaN hides its own component; inside a rotation or pose it hides the components it is mixed with.
    """
    z = numbers(z, "a reading", missing=True)
    return ~np.isnan(z if reading.flat else reading.minus(z, reading.identity()))
