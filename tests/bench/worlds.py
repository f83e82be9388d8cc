"""Small worlds for the benchmark: a tank, and controllers that behave well or badly."""

from __future__ import annotations

import os
import signal
import time
from functools import cache
from typing import Any

import numpy as np

from pilotage.bench import BenchmarkTask, Channel
from pilotage.core import Action, Dynamics, Gaussian, Space, Task
from pilotage.estimators import KF
from pilotage.models import LinearSensor, dynamics

DT = 0.1
LEVEL, FLOW = Space("level [m]"), Space("flow [m/s] in [-2, 2]")


class Tank(Dynamics):
    """``level' = gain flow``, as an integrator or in whole ticks."""

    state, action = LEVEL, FLOW

    def __init__(self, continuous: bool = True, gain: float = 1.0) -> None:
        self.continuous, self.params = continuous, {"gain": gain}

    def step(self, x: Any, u: Any, dt: float) -> Any:
        return x + self.params["gain"] * dt * np.asarray(u)

    def replace(self, **params: float) -> Tank:
        return Tank(self.continuous, **params)


@dynamics(state=LEVEL, action=FLOW, noise=(1e-3,))
def drained(x: Any, u: Any, p: Any, m: Any) -> Any:
    """The tank as a formula, for filters."""
    return (u[0],)


class Empty(Task):
    """A tank that is to be empty, and must not be fuller than a limit."""

    dt, state, action = DT, LEVEL, FLOW

    def __init__(self, horizon: int = 20, limit: float = 10.0) -> None:
        self.horizon, self.limit = horizon, limit
        self.initial = Gaussian.of(LEVEL, [1.0], std=0.3)

    def cost(self, x: Any, u: Any, r: Any = None) -> Any:
        return np.asarray(x)[..., 0] ** 2 + 0.1 * np.asarray(u)[..., 0] ** 2

    def terminal_cost(self, x: Any, r: Any = None) -> Any:
        return 5.0 * np.asarray(x)[..., 0] ** 2

    def constraint(self, x: Any, u: Any, r: Any = None) -> Any:
        return np.asarray(x) - self.limit


class Gain:
    """``flow = -gain level``."""

    def __init__(self, gain: float = 1.0) -> None:
        self.gain, self.seen = gain, list[float]()

    def reset(self, *, seed: int | None = None) -> None:
        self.seen = []

    def act(self, belief_or_state: Any, t: float | None = None) -> Action:
        known = belief_or_state.mean if hasattr(belief_or_state, "moments") else belief_or_state
        self.seen.append(float(known[0]))
        return Action(-self.gain * np.asarray(known, dtype=float))


def tank_task(channel: Channel | None = None, continuous: bool = True, **settings: Any) -> BenchmarkTask:
    """The tank, with its level measured, or not."""
    task = Empty(**settings)
    if channel is None:
        return BenchmarkTask("tank", Tank(continuous), task, success=lambda x: abs(x[0]) < 0.5)
    start = lambda seed: KF(drained(), dt=DT).start(belief=task.initial, sensors={"gauge": channel.sensor})
    return BenchmarkTask("tank", Tank(continuous), task, sensors={"gauge": channel}, filter=start)


def gauge(std: float = 0.05) -> LinearSensor:
    """A gauge of the level."""
    return LinearSensor([[1.0]], R=[std**2], state=LEVEL, reading=Space("level [m]"))


@cache
def tank() -> BenchmarkTask:
    """The tank with a slow, delayed gauge that loses readings."""
    return tank_task(Channel(gauge(), period=0.2, delay=0.2, dropout=0.2))


def proportional(benchmark: BenchmarkTask, model: Dynamics, seed: int, gain: float = 1.0) -> Gain:
    """`Gain`."""
    return Gain(gain)


class Bad(Gain):
    """A controller that fails at its fifth decision in the way of its name."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way = way

    def act(self, belief_or_state: Any, t: float | None = None) -> Action:
        action = super().act(belief_or_state, t)
        return action if len(self.seen) < 5 else getattr(self, self.way)(action)

    def raises(self, action: Action) -> Action:
        raise KeyError("no map")

    def exits(self, action: Action) -> Action:
        raise SystemExit(3)

    def gives_nan(self, action: Action) -> Action:
        return Action(np.array([np.nan]))

    def gives_none(self, action: Action) -> Any:
        return None

    def gives_two(self, action: Action) -> Action:
        return Action(np.zeros(2))

    def sleeps(self, action: Action) -> Action:
        try:
            time.sleep(60.0)
        except Exception:
            time.sleep(60.0)
        return action

    def hangs(self, action: Action) -> Action:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
        time.sleep(60.0)
        return action

    def dies(self, action: Action) -> Action:
        os.kill(os.getpid(), signal.SIGKILL)
        return action

    def dawdles(self, action: Action) -> Action:
        time.sleep(0.05)
        return action


def bad(benchmark: BenchmarkTask, model: Dynamics, seed: int, way: str) -> Bad:
    """`Bad`."""
    return Bad(way)


TANK, GAIN, BAD = (f"{__name__}:{name}" for name in ("tank", "proportional", "bad"))
