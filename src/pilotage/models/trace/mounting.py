"""Mounting of a model on a bigger state: its components found by name."""

from __future__ import annotations

from collections.abc import Sequence

from ...core.errors import ModelError
from ...core.sensor import mountable
from ...core.space import Space


def names_read(reads: str | Sequence[str] | None) -> tuple[str, ...] | None:
    """The argument `reads` of sensors and tasks as a tuple; None when the names are those of the model itself."""
    if reads is None:
        return None
    names = reads.split() if isinstance(reads, str) else reads
    if not isinstance(names, (tuple, list)) or not all(isinstance(name, str) for name in names):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ModelError(f"reads names components of the state, as in 'x y' or ['x', 'y'], not {reads!r}")
    return tuple(names)


def places(reads: Sequence[str], needs: Space, space: Space, owner: str) -> tuple[int, ...]:
    """Storage indices in `space` of what `owner` needs, in the order of ``needs.names``.

    Names are those of components, found as `pilotage.core.sensor.find` does, or of whole rotations and poses.

    Raises:
        SpaceError: when a name is missing or could be several.
        ModelError: when `reads` names another number of components than are needed.

    Example:
        >>> places(["x", "yaw"], Space("x [m]", "yaw: angle"), Space("pose: SE2", "speed [m/s]"), "sensor")
        (0, 2)
    """
    layout = mountable(space, owner).layout
    whole = {part.name: range(where.start, where.stop) for part, where, _ in layout}
    found = tuple(i for name in reads for i in whole.get(name) or (space.find(name, owner),))
    if len(found) != needs.size:
        raise ModelError(
            f"{owner} needs {needs.size} components, {', '.join(needs.names)}; reads names {len(found)}: "
            f"{', '.join(reads) or 'none'}"
        )
    return found
