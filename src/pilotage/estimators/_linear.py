"""Checks of filters for linear models."""

from __future__ import annotations

from ..core import Dynamics, ModelError, Sensor
from ..core.settings import instance


class LinearModels:
    """A filter that refuses models which are not linear.

    Traced models are known to be linear or not: F, B, Q, H and R must not depend on state or action. Other models
    declare it with ``linear = True``.
    """

    def check_dynamics(self, dynamics: Dynamics) -> None:
        """Refuse dynamics that are not linear."""
        instance(dynamics, Dynamics, type(self).__name__)
        if not (dynamics.state.linear and dynamics.action.linear and dynamics.linear):
            raise ModelError(
                f"{dynamics!r} is not linear; {type(self).__name__} needs F, B and Q that are the same everywhere, "
                "and a state without angles and rotations; use EKF, or say linear = True in a class of your own"
            )

    def check_sensor(self, sensor: Sensor) -> None:
        """Refuse sensors that are not linear."""
        instance(sensor, Sensor, type(self).__name__)
        if not (sensor.state.linear and sensor.reading.linear and sensor.linear):
            raise ModelError(
                f"{sensor!r} is not linear; {type(self).__name__} needs H and R that are the same everywhere, and "
                "readings without angles and rotations; use EKF, or say linear = True in a class of your own"
            )
