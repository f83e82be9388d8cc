"""Long code is a series of short functions; its results are those of numpy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pilotage.core import Space
from pilotage.models import LANES, Code, bicycle, discrete_dynamics, quadrotor, singer
from pilotage.models.trace import parts
from pilotage.models.trace.llvm import POINTERS, emit
from pilotage.models.trace.machine import SIGNATURE, assemble, unique

N, RESULTS, DT = 24, ("y", "F", "Q"), 0.1
WIDE = Space(" ".join(f"x{i}" for i in range(N)))
MATRIX = 0.2 * np.random.default_rng(3).normal(size=(N, N))


@discrete_dynamics(state=WIDE, action=Space("u"), noise=(0.3,) * N)
def ring(x: Any, u: Any, dt: Any, p: Any, m: Any) -> Any:
    """Neighbours around a ring that push each other, some of them in one direction only."""
    y = [x[i] + dt * (m.sin(x[i - 1]) * x[(i + 1) % N] - x[i] * x[(i + 2) % N]) + u[0] for i in range(N)]
    pushed = [y[i - 1] > x[i] for i in range(N)]
    z = [y[i] + m.where(pushed[i], m.cos(y[i - 1] * y[i]), y[i - 3] * x[i]) for i in range(N)]
    return [z[i] + dt * m.where(pushed[i - 7], z[i - 1] * y[i], 0.1) for i in range(N)]


@discrete_dynamics(state=WIDE, action=Space("u"), params={"A": MATRIX}, noise=(0.3,) * N)
def net(x: Any, u: Any, dt: Any, p: Any, m: Any) -> Any:
    """A linear model: F is made of parameters, and most of Q is zeros."""
    return [sum((a * b for a, b in zip(row, x, strict=True)), start=u[0]) for row in p.A]


MODELS: dict[str, Callable[[], Any]] = {
    "bicycle": bicycle, "net": net, "quadrotor": quadrotor, "ring": ring, "singer": lambda: singer(3),
}  # fmt: skip
CUTS = [("bicycle", 7), ("singer", 7), ("net", parts.LENGTH), ("quadrotor", parts.LENGTH), ("ring", parts.LENGTH)]
"""Models, and how long a part of their code may be: short code is cut finely, long code as it always is."""


def written(model: Any, lanes: bool) -> tuple[str, str]:
    """The text of a model's code, and what it is called."""
    f, name = model._function, unique("long")
    outputs = [e for result in RESULTS for e in f.value(result).components]
    places = dict(zip(f.kind.inputs, POINTERS, strict=False))
    return emit(name, outputs, places, f.kind.each if lanes else None), name


def made(model: Any, lanes: bool) -> Code:
    shapes = model._function.shapes(" ".join(RESULTS))
    return assemble(*written(model, lanes), shapes, LANES if lanes else 0)


def cut(monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    """Let a part have so many steps at most."""
    monkeypatch.setattr(parts, "LENGTH", length)
    monkeypatch.setattr(parts, "SINGLE", length)
    monkeypatch.setattr(parts, "UNCUT", length)


def lengths(text: str) -> list[int]:
    """Lines of each function."""
    return [body[: body.index("\n}")].count("\n") for body in text.split("\ndefine")[1:]]


def rows(model: Any) -> tuple[np.ndarray, np.ndarray]:
    """States and actions for all lanes."""
    x, u = model.state.sample(LANES, rng=1), model.action.sample(LANES, rng=2)
    return x, u.reshape(LANES, model.action.size)


def expected(model: Any, x: np.ndarray, u: np.ndarray) -> dict[str, np.ndarray]:
    """Results of numpy for each row."""
    return {"y": model.step(x, u, DT), "F": model.linearize(x, u, DT)[0], "Q": model.noise(x, u, DT)}


def agree(got: np.ndarray, want: np.ndarray) -> None:
    np.testing.assert_allclose(got, np.broadcast_to(want, got.shape), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("name", "length"), CUTS)
def test_results_are_those_of_numpy(name: str, length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    cut(monkeypatch, length)
    model = MODELS[name]()
    assert min(len(lengths(written(model, lanes)[0])) for lanes in (False, True)) > 2
    one, side = made(model, False), made(model, True)
    x, u = rows(model)
    wanted = expected(model, x, u)
    lanes = side.run(x.T, u.T, [DT], model.vector())
    single = one.run(x[3], u[3], [DT], model.vector())
    for result in RESULTS:
        agree(np.moveaxis(lanes[result], -1, 0), wanted[result])
        agree(single[result], np.broadcast_to(wanted[result], (LANES, *one.shapes[result]))[3])


@pytest.mark.parametrize("lanes", [False, True])
@pytest.mark.parametrize("name", ["net", "quadrotor", "ring"])
def test_functions_are_short(name: str, lanes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """An operation takes a line or two, and another where its operand is not at hand."""
    longest = parts.LENGTH if lanes else parts.SINGLE
    monkeypatch.setattr(parts, "UNCUT", parts.SINGLE)
    assert max(lengths(written(MODELS[name](), lanes)[0])) < 3 * longest


@pytest.mark.parametrize("lanes", [False, True])
def test_results_that_are_constants_or_parameters_take_few_instructions(lanes: bool) -> None:
    """The sums of y have N^2 products of a parameter that is read, and spread over lanes; F and Q are copied."""
    assert sum(lengths(written(net(), lanes)[0])) < (7 if lanes else 5) * N * N


@pytest.mark.parametrize("lanes", [False, True])
@pytest.mark.parametrize(("name", "length"), [("bicycle", parts.LENGTH), *CUTS])
def test_results_may_overwrite_the_inputs(name: str, length: int, lanes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """State, action and time step lie inside the memory of the results."""
    cut(monkeypatch, length)
    model = MODELS[name]()
    code, (x, u) = made(model, lanes), rows(model)
    wanted = code.run(*((x.T, u.T) if lanes else (x[0], u[0])), [DT], model.vector())
    width, p = LANES if lanes else 1, model.vector()
    out = np.zeros((code.size, width))
    n, k = model.state.size, model.action.size
    a, b, c = out[2 : 2 + n], out[2 + n : 2 + n + k], out[2 + n + k :].ravel()[:1]
    a[:], b[:], c[:] = x[:width].T, u[:width].T, DT
    SIGNATURE(code.address)(a.ctypes.data, b.ctypes.data, c.ctypes.data, p.ctypes.data, out.ctypes.data)
    for result, values in wanted.items():
        first = code.offsets[result]
        np.testing.assert_array_equal(out[first : first + values.size // width].ravel(), values.ravel())
