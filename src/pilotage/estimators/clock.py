"""The clock of a filter."""

from __future__ import annotations

from dataclasses import dataclass

from ..core import PilotageError


@dataclass
class Clock:
    """Time of a belief, and how long a step takes when nobody says."""

    t: float
    dt: float | None

    def step(self, dt: float | None, to: float | None) -> float:
        """Seconds to move: `dt`, or up to time `to`, or the usual step."""
        if dt is None:
            if to is None:
                if self.dt is None:
                    raise PilotageError("how long is a step? give dt=..., to=..., or bind it once: EKF(car, dt=0.05)")
                return self.dt
            dt = to - self.t
        elif to is not None:
            raise PilotageError("give dt or to, not both")
        if not dt >= 0.0:
            raise PilotageError(
                f"a step of {dt:g} s from t = {self.t:g} s goes back in time; readings must arrive in order of time"
            )
        return dt
