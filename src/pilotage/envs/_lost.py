"""The states from which a simulator cannot go on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..core.arrays import Array

HUGE = 1e10
"""The bound of MuJoCo (mjMAXVAL) beyond which a simulation counts as lost, for all simulators."""


def sound(x: Array) -> NDArray[np.bool_]:
    """Whether a simulation can continue from states ``(..., n)``, bools ``(...)``.

    Example:
        >>> sound(np.array([[0.0, 1e9], [0.0, 1e11], [0.0, np.nan]])).tolist()
        [True, False, False]
    """
    return np.asarray((np.abs(x) <= HUGE).all(-1))
