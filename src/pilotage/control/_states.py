"""The state that a controller acts on, from a belief or a state."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import ShapeError, SpaceError
from ..core.space import Space

Array = NDArray[np.float64]


def state_of(belief_or_state: Any, space: Space) -> Array:
    """A state ``(n,)`` of `space`: the mean of a belief, or the state itself. NaN passes; `broken` names it.

    A belief about more than `space` is read by the names of its parts.

    Raises:
        ShapeError: when it is not one state of the right length.
        SpaceError: when a belief is about other things.
    """
    if hasattr(belief_or_state, "moments"):  # a Belief; asking the protocol itself takes ten times as long
        x = belief_or_state.moments().mean
        if belief_or_state.space != space:
            x = x[..., _places(space, belief_or_state.space)]
    else:
        x = belief_or_state
    x = space.check(x, "state", finite=False)
    if x.ndim != 1:
        raise ShapeError(f"a controller acts on one state ({space.size},); an array of shape {x.shape} was given")
    return np.array(x, order="C")  # compiled code is made for arrays that are whole and may be written


def _places(space: Space, wider: Space) -> Any:
    """Where the parts of `space` are in a space that a belief is about."""
    missing = [part.name for part in space.parts if part.name not in {other.name for other in wider.parts}]
    if missing:
        raise SpaceError(
            f"the belief is about {', '.join(wider.names)}; the controller acts on {', '.join(space.names)}: hand it a "
            f"state with {', '.join(missing)}, too"
        )
    return wider.indices([part.name for part in space.parts])[0]


def broken(x: Array, space: Space) -> str:
    """One sentence on what is not finite in `x`; empty when all is well."""
    if np.isfinite(x).all():
        return ""
    bad = [name for name, value in zip(space.names, x, strict=True) if not np.isfinite(value)]
    return f"the state is NaN or infinite in {', '.join(bad)}"
