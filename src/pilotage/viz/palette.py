"""The colours of every picture: ink on paper, one colour for each kind of thing, and a user's own in their place."""

from __future__ import annotations

from typing import Any

from matplotlib.artist import Artist
from matplotlib.cbook import normalize_kwargs

INK = "#263238"
"""Walls, text, the robot."""
PAPER = "#ffffff"
"""Free space."""
FOG = "#e6e8ea"
"""Unknown space."""
SHADE = "#c6cdd2"
"""The margin that inflation added; quiet lines."""
MUTED = "#6b7780"
"""Labels."""

TRUTH = "#2166ac"
"""The truth."""
ESTIMATE = "#e66101"
"""The robot's belief."""
PARTICLE = "#8073ac"
"""Single guesses."""
PLAN = "#1b9e77"
"""Intentions: plans and goals."""
SURPRISE = "#c0392b"
"""Surprises that no map shows: unknown obstacles, collisions."""


def styled(kind: type[Artist], given: dict[str, Any], **usual: Any) -> dict[str, Any]:
    """Settings of an artist: those given, by any of matplotlib's names for them, in place of the usual ones.

    `color` replaces every usual colour that is seen, and `c`, the colours of single dots, replaces that of faces.

    Example:
        >>> from matplotlib.patches import Ellipse
        >>> styled(Ellipse, {"lw": 3.0, "color": "red"}, facecolor="none", edgecolor="blue", linewidth=1.2)
        {'facecolor': 'none', 'edgecolor': 'red', 'linewidth': 3.0}
    """
    given = normalize_kwargs(given, kind)
    if "color" in given:
        color = given.pop("color")
        seen = [name for name in ("color", "facecolor", "edgecolor") if usual.get(name, "none") != "none"]
        given = {**dict.fromkeys(seen, color), **given}
    if "c" in given:
        usual.pop("facecolor", None)
    return {**usual, **given}
