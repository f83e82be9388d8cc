"""The state that is meant by a state or a belief."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import ShapeError, SpaceError
from .space import Space

Array = NDArray[np.float64]


def state_of(given: Any, space: Space, name: str = "state", *, finite: bool = True) -> Array:
    """A state ``(n,)`` of a space, of its own: what was given, or the mean of a belief over these components.

    Args:
        given: a state, or a belief over the components of the space and perhaps others, found by name.
        space: of the state.
        name: what a sentence calls it.
        finite: False where NaN and infinity pass.

    Raises:
        ShapeError: when it is missing or no state.
        SpaceError: when a belief is about other things.

    Example:
        >>> from pilotage.core import Gaussian
        >>> belief = Gaussian.of(Space("x y [m]", "yaw: angle", "speed"), [1, 2, 3, 4], std=1.0)
        >>> state_of(belief, Space("yaw: angle", "x [m]"), "start")
        array([3., 1.])
    """
    if given is None:
        raise ShapeError(f"{name} is missing; give a state of {space} or a belief")
    if hasattr(given, "belief") and not hasattr(given, "moments"):
        raise ShapeError(f"{name} is {given!r}, which has a belief; give that: .belief")
    if hasattr(given, "moments"):  # a Belief; asking the protocol itself takes ten times as long
        mean = given.moments()
        given = mean.mean if mean.space == space else np.asarray(mean.mean)[..., _places(space, mean.space)]
    state = space.check(given, name, finite=finite)
    if state.ndim != 1:
        raise ShapeError(f"{name} has shape {state.shape}; expected one state ({space.size},)")
    return np.array(state, order="C")  # compiled code is made for arrays that are whole and may be written


def _places(space: Space, wider: Space) -> list[int]:
    """The places of the components of a space in the space that a belief is about."""
    missing = [name for name in space.names if not any(f".{known}".endswith(f".{name}") for known in wider.names)]
    if missing:
        raise SpaceError(
            f"the belief is about {', '.join(wider.names)}; it has no component {missing[0]!r} of "
            f"{', '.join(space.names)}: hand it a state with {', '.join(missing)}, too"
        )
    return [wider.find(name) for name in space.names]
