"""Models may be shared by threads, from the first call on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from pilotage.core import Space
from pilotage.models import LinearDynamics, dynamics, sensor
from pilotage.models.trace.expression import Expr

THREADS = 4


def together(calls: list[Callable[[], Any]]) -> list[Any]:
    """Results of calls that begin at once."""
    start = threading.Barrier(len(calls))

    def begin(call: Callable[[], Any]) -> Any:
        start.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(begin, calls))


def tumbling() -> Any:
    """A new family each time, of which nothing has been derived yet."""

    @dynamics(state=Space("q: quaternion", "wx wy wz [rad/s]"), action=Space("tx ty tz [N m]"), action_noise=0.1)
    def body(x: Any, u: Any, p: Any, m: Any) -> Any:
        w = x[4:]
        return *w, u[0] - w[1] * w[2], u[1] + m.sin(w[2]) * w[0], u[2] * m.cos(x[0])

    return body()


def test_derivatives_are_not_mixed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads give way in the middle of making a node, where two could give one number to two nodes."""
    made = Expr.__init__

    def slowly(*args: Any) -> None:
        made(*args)
        time.sleep(0.0)

    monkeypatch.setattr(Expr, "__init__", slowly)
    shared, alone = tumbling(), tumbling()
    x, u = shared.state.sample(rng=0), shared.action.sample(rng=0)
    asked: list[Callable[[Any], Any]] = [
        lambda model: model.linearize(x, u, 0.1)[0],
        lambda model: model.noise(x, u, 0.1),
    ]
    got = together([lambda ask=ask: ask(shared) for ask in asked * 4])  # type: ignore[misc]
    for value, ask in zip(got, asked * 4, strict=True):
        np.testing.assert_allclose(value, ask(alone), rtol=1e-12, atol=1e-15)
    nodes = shared._function.graph.nodes
    assert [node.index for node in nodes] == [*range(len(nodes))]


def test_sensors_are_mounted_once_or_alike() -> None:
    @sensor(state=Space("x y [m]"), reading=Space("range [m]"))
    def reach(x: Any, c: Any, p: Any, m: Any) -> Any:
        return m.hypot(x[0], x[1])

    spaces = [Space(*(f"a{i}" for i in range(n)), "x y [m]") for n in range(1, 5)]
    shared = reach()

    def look(space: Space) -> Any:
        return shared.on(space).linearize(np.array([*np.zeros(space.size - 2), 3.0, 4.0]))

    for space, H in zip(spaces * 4, together([lambda s=s: look(s) for s in spaces * 4]), strict=True):  # type: ignore[misc]
        np.testing.assert_allclose(H[0, -2:], [0.6, 0.8])
        assert H.shape == (1, space.size)


def test_linear_models_on_many_clocks() -> None:
    """More time steps than a model keeps, from all threads at once."""
    model = LinearDynamics([[0.0, 1.0], [-4.0, -0.4]], Qc=np.eye(2))
    x = np.array([1.0, 2.0])

    def drive(seed: int) -> float:
        worst = 0.0
        for dt in np.random.default_rng(seed).choice(np.linspace(0.01, 0.2, 100), 40):
            worst = max(worst, np.abs(model.step(x, [], dt) - model.discretized(dt)[0] @ x).max())
            _ = model.code("y")
        return worst

    assert max(together([lambda s=s: drive(s) for s in range(THREADS)])) < 1e-13  # type: ignore[misc]
