"""The parts that the controllers of the truck share: their contract, and the weights of policies for numpy."""

from __future__ import annotations

import copy
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import torch

from ....core import Action, ActionStatus, SettingError
from ....core.arrays import Array
from ....core.settings import instance
from ....core.states import state_of
from ....envs.truck.yard import controls, space
from ....models.trace.sensor import TracedSensor
from ...border import array
from ...networks import MLP
from ...policy import FUNCTIONS
from ...scaling import Scaling
from .kinematics import HOLD, STRIDE


class Steering(ABC):
    """A controller of `TruckBackerUpper` with ``hold=4``, for which a subclass writes `decide`."""

    state, action, noise_density, dt = space(1), controls(False), None, HOLD * STRIDE

    def __init__(self) -> None:
        self._last = np.zeros(1)

    def reset(self, *, seed: int | None = None) -> None:
        """Start a new episode."""
        self._last = np.zeros(1)

    def act(self, belief_or_state: Any, t: float | None = None) -> Action:
        """The steering angle in a state ``(5,)`` of the environment. If the state is NaN, the last one is held.

        Raises:
            ShapeError: if the state has the wrong length.
            SettingError: if the controller does not know the dock.
        """
        begun = time.perf_counter()
        x = state_of(belief_or_state, self.state, finite=False)
        if not np.isfinite(x).all():
            reason = "the state is NaN or infinite; fell back to hold"
            return Action(self._last.copy(), ActionStatus.FALLBACK, None, reason=reason)
        self._last = self.decide(x)
        return Action(self._last.copy(), solve_time=time.perf_counter() - begun)

    @abstractmethod
    def decide(self, x: Array) -> Array:
        """The steering angle ``(1,)`` [rad] in a finite state ``(5,)`` of the environment."""


class SteeringPolicy(Steering):
    """A controller whose network chooses the steering angle; `scaling` has the sizes that the network needs.

    Args:
        network: the network, which is evaluated by numpy.
        metrics: results of training and evaluation, which are saved with the weights.

    Raises:
        SettingError: if the network has other sizes.
    """

    scaling: Scaling

    def __init__(self, network: MLP, metrics: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        given = instance(network, MLP, type(self).__name__).settings
        sizes = given["inputs"], given["outputs"]
        if sizes != self.scaling.widths:
            raise SettingError(f"the network has (inputs, outputs) {sizes}; expected {self.scaling.widths}")
        self.network, self.metrics = network, dict(metrics or {})
        self.refresh()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(hidden={self.network.settings['hidden']})"

    def refresh(self) -> None:
        """Take over the weights of the network for `act`, after training."""
        linear: list[Any] = [layer for layer in self.network.layers if isinstance(layer, torch.nn.Linear)]
        self._layers = [(array(layer.weight), array(layer.bias)) for layer in linear]
        self._function = FUNCTIONS[self.network.settings["activation"]]
        self._code: TracedSensor | None = None
        self.reset()

    def _coded(self, code: TracedSensor) -> Self:
        """A copy that decides by machine code."""
        made = copy.copy(self)
        made._code = code
        made.reset()
        return made

    def outputs(self, h: Array) -> Array:
        """The outputs of the network for features ``(k,)``, by numpy alone."""
        for W, b in self._layers[:-1]:
            h = self._function(W @ h + b)
        W, b = self._layers[-1]
        return W @ h + b
