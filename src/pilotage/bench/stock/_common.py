"""Settings that many tasks share."""

from __future__ import annotations

from typing import Any

from ...core import Dynamics, Gaussian, Sensor
from ...estimators import EKF
from ..benchmark_task import Channel

UPRIGHT = 0.2
"""Angle to the vertical [rad] at which a pendulum counts as upright."""


def estimated(model: Dynamics, belief: Gaussian, sensors: dict[str, Channel], dt: float) -> dict[str, Any]:
    """The settings of a task that is also run on the estimate of an EKF."""
    named = {name: channel.sensor for name, channel in sensors.items()}
    return {"sensors": sensors, "filter": lambda seed: EKF(model, dt=dt).start(belief=belief, sensors=named)}


def slow(sensor: Sensor, dt: float) -> Channel:
    """A sensor that reads at every second tick; readings come a tick late, and one in ten is lost."""
    return Channel(sensor, period=2.0 * dt, delay=dt, dropout=0.1)


def mismatch(**factors: float) -> tuple[dict[str, Any], ...]:
    """Disturbances that multiply parameters of the plant."""
    return ({"mismatch": factors},)


def wind(component: str, std: float, mean: float = 0.0) -> tuple[dict[str, Any], ...]:
    """Gusts with a time constant of half a second."""
    return ({"wind": {"component": component, "std": std, "correlation": 0.5, "mean": mean}},)


def impulse(component: str, size: float, at: float = 1.0) -> tuple[dict[str, Any], ...]:
    """A jump of a component."""
    return ({"impulse": {"component": component, "size": size, "at": at}},)
