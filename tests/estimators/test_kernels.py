"""What is kept for models: never the wrong thing, not without end, and safe among threads."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from pilotage.core import Dynamics, Gaussian, ModelError, Sensor, Space
from pilotage.estimators import EKF, KF, UKF, ParticleFilter, kernels
from pilotage.estimators.kernels import CACHED, kept, kernel_key
from pilotage.models import dynamics, gnss, unicycle

from .linear import PlainSensor

LINE = Space("x [m]")


@dataclass
class Cart(Dynamics):
    """A dataclass, as users write them: equal by value, so without a hash."""

    gain: float = 1.0
    state, action = LINE, Space("v [m/s]")

    def step(self, x: Any, u: Any, dt: float) -> Any:
        return np.asarray(x) + self.gain * np.asarray(u) * dt

    def noise(self, x: Any, u: Any, dt: float) -> Any:
        return np.eye(1) * dt


@dataclass(frozen=True)
class Tape(Sensor):
    """It has a hash, which fails on the array inside."""

    R: Any
    state, reading = LINE, Space("z [m]")

    def observe(self, x: Any, context: Any = None) -> Any:
        return np.asarray(x)

    def noise(self, x: Any, context: Any = None) -> Any:
        return self.R


@pytest.mark.parametrize("make", [KF, EKF, UKF, ParticleFilter], ids=lambda make: make.__name__)
def test_models_without_a_hash(make: Any) -> None:
    """Equal ones are not one: the gain of each is its own."""
    for gain in (1.0, 2.0):
        filter = make(Cart(gain), dt=0.5).start(mean=[0.0], std=0.1)
        filter.predict(u=[4.0])
        assert filter.belief.moments().mean[0] == pytest.approx(2.0 * gain, abs=0.2)
        for variance in (0.04, 1e6):
            S = filter.update(Tape(np.array([[variance]])), [0.3]).S[0, 0]
            assert variance < S < variance + 0.8
        assert filter.step(Tape(np.eye(1)), [0.3]).accepted


def test_a_mounted_sensor_is_bound_once() -> None:
    """A sensor that no tracer sees, on a bigger state, in pure updates: nothing piles up."""
    belief, fix = Gaussian.of(unicycle().state, [0.0, 0.0, 0.0], std=1.0), PlainSensor(gnss(std=0.5))
    EKF().update(belief, fix, [0.1, 0.2])
    before = len(kernels._kept)
    for _ in range(5):
        EKF().update(belief, fix, [0.1, 0.2])
    assert len(kernels._kept) == before
    assert fix.on(belief.space) == fix.on(belief.space) != PlainSensor(gnss(std=0.5)).on(belief.space)


def test_linear_is_found_out_for_each_set_of_parameters() -> None:
    @dynamics(state=Space("v [m/s]"), action=Space("a"), params={"drag": 0.0}, noise=(0.1,))
    def dragged(x, u, p, m):
        return (u[0] - p.drag * x[0] * x[0],)

    KF(dragged(), dt=0.1)
    with pytest.raises(ModelError, match="not linear"):
        KF(dragged(drag=1.0), dt=0.1)


def test_linear_in_any_units() -> None:
    """What differences of rounded numbers leave is no curvature; a curvature in small numbers is one."""

    class Plain(Cart):
        state, action = Space("a b"), Space("v")
        F, bend, spread = np.array([[1.0, 1e6], [0.0, 1.0]]), 0.0, 0.0

        def step(self, x: Any, u: Any, dt: float) -> Any:
            return np.asarray(x) @ self.F.T + self.bend * np.asarray(x) ** 2

        def noise(self, x: Any, u: Any, dt: float) -> Any:
            size = 1e-10 * (1.0 + self.spread * np.asarray(x)[..., 0] ** 2)
            return size[..., None, None] * np.eye(2)

    class Bent(Plain):
        F, bend = np.eye(2), 1e-7

    class Louder(Plain):
        F, spread = np.eye(2), 1.0

    KF(Plain(), dt=0.1)
    for other in (Bent(), Louder()):
        with pytest.raises(ModelError, match="not linear"):
            KF(other, dt=0.1)


def test_what_was_not_asked_for_goes_first() -> None:
    made: list[Any] = []
    make = lambda value: lambda: made.append(value) or value
    favourite = ("test", "favourite")
    for k in range(2 * CACHED):
        kept(("test", k), make(k))
        assert kept(favourite, make("favourite")) == "favourite"
    assert made.count("favourite") == 1
    assert len(kernels._kept) <= CACHED
    assert kept(("test", 0), make(0)) == 0
    assert made.count(0) == 2


def test_threads_share_what_was_made() -> None:
    start, results = threading.Barrier(8), [None] * 8

    def ask(i: int) -> None:
        start.wait()
        for k in range(3 * CACHED):
            kept(("thread", k % (CACHED + 7)), lambda k=k: k % (CACHED + 7))
        results[i] = kept(("thread", "one"), object)

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert None not in results
    assert kept(("thread", "one"), object) in results


def test_keys_of_models_without_a_hash() -> None:
    one, other = Cart(), Cart()
    assert kernel_key(one) == kernel_key(one) != kernel_key(other)
    assert kernel_key(unicycle()) == kernel_key(unicycle(noise=(1.0, 1.0, 1.0)))
