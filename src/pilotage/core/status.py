"""Status of a step of a filter, one for each belief of a batch."""

from __future__ import annotations

import enum


class FilterStatus(enum.IntEnum):
    """The outcome of a prediction or an update. Unless it is ACCEPTED, the belief has not changed.

    A reading all of whose components are NaN is NO_READING, as is a step of a run without one. STARVED says that no
    particle of a particle filter explains the reading: the particles may be at fault, not the reading.

    Example:
        >>> from pilotage.estimators import EKF
        >>> from pilotage.models import gnss, unicycle
        >>> robot = EKF(unicycle(), dt=0.1, gate=0.99).start(mean=[0, 0, 0], std=0.1)
        >>> robot.update(gnss(std=0.1), z=[9.0, 0.0]).status
        <FilterStatus.GATED: 1>
    """

    STARVED = -1
    ACCEPTED = 0
    GATED = 1
    NO_READING = 2
    WRONG_LENGTH = 3
    PREDICTION_FAILED = 4
    UPDATE_FAILED = 5
    NOT_FINITE_BELIEF = 6
    NOT_FINITE_ACTION = 7
    NOT_FINITE_READING = 8
    NOT_FINITE_CONTEXT = 9
    UNDEFINED_STATE = 10
    UNDEFINED_READING = 11
    UNDEFINED_JACOBIAN = 12
    UNDEFINED_NOISE = 13
    IMPOSSIBLE_NOISE = 14
    SINGULAR_INNOVATION = 15
    INDEFINITE_BELIEF = 16
    OVERFLOW = 17
    NOT_CONVERGED = 18

    @property
    def failed(self) -> bool:
        """Whether the step failed; a reading that is gated, missing or explained by no particle is not a failure."""
        return self > FilterStatus.NO_READING
