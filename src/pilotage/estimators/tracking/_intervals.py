"""Types of settings that parts of trackers share."""

from __future__ import annotations

import math
from typing import Annotated

from ...core.settings import Interval

Probability = Annotated[float, Interval(0.0, 1.0, "()")]
Duration = Annotated[float, Interval(0.0, math.inf, "(]")]
