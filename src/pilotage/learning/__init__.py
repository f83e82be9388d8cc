"""Dynamics that networks learn, for every estimator, controller and environment; the only room that imports torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core import require
from ..core.names import absent

require("torch", extra="learning")

from .dynamics import LearnedDynamics as LearnedDynamics  # noqa: E402
from .fit import Epoch as Epoch  # noqa: E402
from .fit import Fit as Fit  # noqa: E402
from .fit import fit as fit  # noqa: E402
from .networks import MLP as MLP  # noqa: E402
from .residual import ResidualDynamics as ResidualDynamics  # noqa: E402
from .scaling import Scaling as Scaling  # noqa: E402

__all__ = ["MLP", "Epoch", "Fit", "LearnedDynamics", "ResidualDynamics", "Scaling", "fit"]

if not TYPE_CHECKING:  # to a type checker, every name would seem to exist
    __getattr__ = absent(__name__)
