"""The colours of all pictures, one for each kind of thing, and the settings that replace them."""

from __future__ import annotations

from typing import Any

from matplotlib.artist import Artist
from matplotlib.cbook import normalize_kwargs

from ..core import SettingError

INK = "#263238"
"""Walls, text, the robot."""
PAPER = "#ffffff"
"""Free space."""
FOG = "#e6e8ea"
"""Unknown space."""
SHADE = "#c6cdd2"
"""Cells added by inflation; frames."""
MUTED = "#6b7780"
"""Labels."""

TRUTH = "#2166ac"
"""True positions."""
ESTIMATE = "#e66101"
"""Estimates."""
PARTICLE = "#8073ac"
"""Particles."""
PLAN = "#1b9e77"
"""Plans and goals."""
SURPRISE = "#c0392b"
"""Obstacles that are not on the map; scans."""
CYCLE = (TRUTH, ESTIMATE, PLAN, PARTICLE, SURPRISE)
"""Colours of one path after another."""


def styled(kind: type[Artist], given: dict[str, Any], **usual: Any) -> dict[str, Any]:
    """Settings of an artist: the usual ones, replaced by those that are given under any of their matplotlib names.

    `color` replaces all usual colours except "none", and `c`, the colours of single points, replaces the face colour.

    Example:
        >>> from matplotlib.patches import Ellipse
        >>> styled(Ellipse, {"lw": 3.0, "color": "red"}, facecolor="none", edgecolor="blue", linewidth=1.2)
        {'facecolor': 'none', 'edgecolor': 'red', 'linewidth': 3.0}
    """
    if "colour" in given:
        raise SettingError("there is no setting colour; did you mean color?")
    given = normalize_kwargs(given, kind)
    if "color" in given:
        color = given.pop("color")
        seen = [name for name in ("color", "facecolor", "edgecolor") if usual.get(name, "none") != "none"]
        given = {**dict.fromkeys(seen, color), **given}
    if "c" in given:
        usual.pop("facecolor", None)
    return {**usual, **given}
