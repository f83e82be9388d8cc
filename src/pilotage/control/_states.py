"""Sentences on states that a controller cannot act on."""

from __future__ import annotations

import numpy as np

from ..core.arrays import Array
from ..core.space import Space


def broken(x: Array, space: Space) -> str:
    """One sentence on what is not finite in `x`; empty when all is well."""
    if np.isfinite(x).all():
        return ""
    bad = [name for name, value in zip(space.names, x, strict=True) if not np.isfinite(value)]
    return f"the state is NaN or infinite in {', '.join(bad)}"
