"""The words in which algorithms call models.

An algorithm's inner step (a driver) is an ordinary function that calls the names below. `bind` makes a working copy of
it: for traced models these names become generated source, compiled together with the driver; for any other model they
become calls of the protocol's methods. All vectors and matrices are float64 arrays; results are written into the last
arguments, which keeps a call under a microsecond.

Sizes: `NX` numbers of a state, `ND` of its tangent, `NU` of an action, `NZ` of a reading, `NE` of its tangent, `NC` of
a sensor's context, `NR` of a task's reference, `LANES` states that a vectorised loop works on side by side.
Parameter vectors: `p` of the dynamics, `s` of the sensor, `c` of the task (see `parameters`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, cast

from ...core.errors import ModelError


class Size:
    """A whole number that is known once the models are."""

    def __init__(self, name: str) -> None:
        self.name = name


class Slot:
    """A function that is known once the models are."""

    def __init__(self, declaration: Callable[..., Any]) -> None:
        functools.update_wrapper(self, declaration)
        self.name: str = declaration.__name__

    def __call__(self, *_: Any) -> Any:
        raise ModelError(f"{self.name} is a place that `bind` fills; call the driver that `bind` returns")


def _slot(declaration: Callable[..., Any]) -> Callable[..., Any]:
    return Slot(declaration)


NX = cast(int, Size("NX"))
ND = cast(int, Size("ND"))
NU = cast(int, Size("NU"))
NZ = cast(int, Size("NZ"))
NE = cast(int, Size("NE"))
NC = cast(int, Size("NC"))
NR = cast(int, Size("NR"))
LANES = cast(int, Size("LANES"))


@_slot
def state_plus(x: Any, d: Any, y: Any) -> None:
    """y = x (+) d."""


@_slot
def state_minus(y: Any, x: Any, d: Any) -> None:
    """d = y (-) x."""


@_slot
def reading_plus(z: Any, e: Any, y: Any) -> None:
    """y = z (+) e in the reading's space."""


@_slot
def reading_minus(y: Any, z: Any, e: Any) -> None:
    """e = y (-) z in the reading's space."""


@_slot
def step(x: Any, u: Any, dt: float, p: Any, y: Any) -> None:
    """y = the state `dt` seconds after x under action u. y may be x."""


@_slot
def linearized_step(x: Any, u: Any, dt: float, p: Any, y: Any, F: Any, Q: Any) -> None:
    """y as `step`, F = dy/dx in the tangent (ND, ND), Q = process noise (ND, ND)."""


@_slot
def process_noise(x: Any, u: Any, dt: float, p: Any, Q: Any) -> None:
    """Q = covariance of the process noise in the tangent (ND, ND)."""


@_slot
def observe(x: Any, context: Any, s: Any, z: Any) -> None:
    """z = what the sensor reads in state x without noise."""


@_slot
def linearized_observe(x: Any, context: Any, s: Any, z: Any, H: Any, R: Any) -> None:
    """z as `observe`, H = dz/dx in the tangents (NE, ND), R = noise covariance (NE, NE)."""


@_slot
def reading_noise(x: Any, context: Any, s: Any, R: Any) -> None:
    """R = covariance of the reading's noise in its tangent (NE, NE)."""


@_slot
def stage_cost(x: Any, u: Any, r: Any, c: Any) -> float:
    """Cost of one step that starts in x with action u; r is the reference of that stage."""
    return 0.0


@_slot
def terminal_cost(x: Any, r: Any, c: Any) -> float:
    """Cost of ending in x."""
    return 0.0


@_slot
def step_lanes(x: Any, u: Any, dt: float, p: Any, y: Any) -> None:
    """`step` for LANES states at once, arrays (NX, LANES) and (NU, LANES). y may be x."""


@_slot
def stage_cost_lanes(x: Any, u: Any, r: Any, c: Any, cost: Any) -> None:
    """cost[0, lane] = `stage_cost` of each lane; r is shared."""


@_slot
def terminal_cost_lanes(x: Any, r: Any, c: Any, cost: Any) -> None:
    """cost[0, lane] = `terminal_cost` of each lane; r is shared."""


@_slot
def predict_belief(b: Any, u: Any, dt: float, p: Any, w: Any) -> int:
    """Predict a packed belief in place. Filled with a driver, by `bind(..., fill=...)`."""
    return 0


@_slot
def update_belief(b: Any, z: Any, context: Any, s: Any, gates: Any, w: Any) -> int:
    """Update a packed belief in place. Filled with a driver, by `bind(..., fill=...)`."""
    return 0
