"""The steering of a `TruckPolicy` as model code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ....core import ModelError, Space
from ....models import sensor
from ....models.trace.portable import variants
from ....models.trace.sensor import SensorFamily, TracedSensor
from ..._policy_code import shape_of
from ..._shape import Shape
from .kinematics import STEERING, TRAILER

if TYPE_CHECKING:
    from .policy import TruckPolicy


def steering_code(policy: TruckPolicy) -> TracedSensor:
    """The steering angle in a state ``(5,)``; a `ModelError` if the policy has other features than directions."""
    from .policy import SPREAD

    shape = shape_of(policy.network)
    if shape.widths[0] != 8:
        raise ModelError(f"the network has {shape.widths[0]} inputs; expected 8: the axle's place and directions")
    scaling = policy.scaling
    values = shape.values(policy.network, scaling.mean, scaling.std, scaling.scale)
    return _policies(policy.state, shape, policy.bounded, SPREAD)(**values)


@variants
def _policies(state: Space, shape: Shape, bounded: bool, spread: tuple[float, float]) -> SensorFamily:
    """The policies of this shape; see `TruckPolicy`."""

    def steering(x: Any, c: Any, p: Any, m: Any) -> Any:
        px, py, yaw, trailer, dock = x
        axle = (px - TRAILER * m.cos(trailer)) / spread[0] - 1.0, (py - TRAILER * m.sin(trailer) - dock) / spread[1]
        angles = yaw, trailer, yaw - trailer
        ((out,),) = shape([*axle, *map(m.cos, angles), *map(m.sin, angles)], p, m)[0]
        return (STEERING * (m.tanh(out) if bounded else m.clip(out, -1.0, 1.0)),)

    return sensor(state=state, reading=Space("steer [rad]"), params=shape.defaults())(steering)
