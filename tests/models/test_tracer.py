"""The tracer: what it keeps, what it folds, and the sentences with which it refuses."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from pilotage.core import ModelError, Space
from pilotage.models import bicycle, discrete_dynamics, dynamics, sensor, task
from pilotage.models.trace.graph import Graph
from pilotage.models.trace.tracer import SymbolicMath

LINE = Space("a b c d")


def made(body: Any, **params: Any) -> Any:
    """A model of four numbers and no action, whose step is `body`."""
    return discrete_dynamics(state=LINE, action=Space("u"), params=params)(body)()


def symbols() -> tuple[Graph, Any, list[Any]]:
    graph = Graph()
    return graph, SymbolicMath(graph), graph.inputs("x", 4)


def m_where(*arguments: Any) -> Any:
    """`where` of the trace that the first argument belongs to."""
    return arguments[0].graph.where(*arguments)


# What it keeps


def test_equal_expressions_are_one_node() -> None:
    graph, m, (a, b, c, _) = symbols()
    assert a * b is b * a
    assert m.sin(a + b) is m.sin(b + a)
    assert a - b is not b - a
    assert -(a - b) is b - a
    count = len(graph.nodes)
    for _ in range(3):
        m.sqrt(a + b) + m.sqrt(b + a) * c
    assert len(graph.nodes) == count + 3  # the sum was there


def test_constants_fold() -> None:
    graph, m, (a, b, _, _) = symbols()
    assert a + 0.0 is a
    assert a * 1.0 is a
    assert a * 0.0 is graph.zero
    assert a - a is graph.zero
    assert -(-a) is a  # noqa: B002
    assert a**1 is a
    assert a**2 is a * a
    assert a**-1 is 1.0 / a
    assert m.where(True, a, b) is a
    assert m.where(m.sin(0.0) > 0.5, a, b) is b
    assert ((a > 0.0) & True) is (a > 0.0)
    assert ((a > 0.0) | True) is graph.one
    assert (~(graph.one > 2.0)) is graph.one
    assert m.sin(math.pi / 2).value == 1.0
    assert np.float64(2.0) * a is 2.0 * a


def test_sums_of_unused_work_are_not_written() -> None:
    def body(x: Any, u: Any, dt: Any, p: Any, m: Any) -> Any:
        m.sinh(x[0])
        return x[0], x[1] + u[0], x[2] * dt, x[3]

    assert "sinh" not in made(body).source("y")


def test_source_reads_like_the_model() -> None:
    source = bicycle(integrator="euler").source("y")
    assert "def bicycle(x, u, dt, p, y):" in source
    assert "u_steer = u[1]" in source
    assert "math.tan(u_steer)" in source


def test_numbers_of_numpy_may_come_first() -> None:
    graph, _, (a, b, _, _) = symbols()
    two, yes = np.float64(2.0), np.bool_(True)
    assert two + a is 2.0 + a
    assert two - a is 2.0 - a
    assert two / a is 2.0 / a
    assert two % a is 2.0 % a
    assert two**a is 2.0**a
    assert (two < a) is (a > 2.0)
    assert (two <= a) is (a >= 2.0)
    assert (yes & (a < b)) is (a < b)
    assert (yes | (a < b)) is graph.one


def test_conditions_are_one_or_zero_among_numbers() -> None:
    _, m, (a, b, _, _) = symbols()
    positive = a > 0.0
    assert b * positive is b * m.where(positive, 1.0, 0.0)
    assert 1.0 - positive is 1.0 - m.where(positive, 1.0, 0.0)
    assert m.where(b > 0.0, positive, 2.0) is m.where(b > 0.0, m.where(positive, 1.0, 0.0), 2.0)
    assert m.where(b > 0.0, positive, a < b).condition
    assert (positive == (a < b)).condition


def test_extremes_of_folding() -> None:
    """An undefined value is NaN, as it is in numpy; no constant stops a trace."""
    graph, m, (a, _, _, _) = symbols()
    assert math.isnan(m.sin(math.inf).value)
    assert math.isnan(m.log(-1.0).value)
    assert math.isnan(m.floor(math.nan).value)
    assert m.floor(-math.inf).value == -math.inf
    assert (graph.one / 0.0).value == math.inf
    assert m.exp(1e4).value == math.inf
    assert m.maximum(math.nan, 1.0).value != m.maximum(math.nan, 1.0).value
    assert (a**math.inf).op == "pow"
    assert m.maximum(0.0, a).args[0] is a


# What it refuses


def test_data_dependent_if_names_the_line() -> None:
    def body(x: Any, u: Any, p: Any, m: Any) -> Any:
        if x[0] > 1.0:
            return x
        return x[1], x[0], x[2], x[3]

    family = dynamics(state=LINE, action=Space("u"))(body)
    line = body.__code__.co_firstlineno + 1
    with pytest.raises(ModelError, match=rf"test_tracer.py, line {line} \(`if x\[0\] > 1.0:`\).*m\.where"):
        family()


@pytest.mark.parametrize(
    "decide",
    [
        lambda x: x[0] if x[0] > x[1] else x[1],
        lambda x: x[0] > 0.0 and x[1],
        lambda x: not x[0],
        lambda x: max(x[0], x[1]),
        lambda x: 0.0 < x[0] < 1.0,
        lambda x: x[0] in (1.0, 2.0),
    ],
)
def test_every_decision_is_seen(decide: Any) -> None:
    with pytest.raises(ModelError, match=r"m\.where\(condition, a, b\)"):
        made(lambda x, u, dt, p, m: (decide(x), x[1], x[2], x[3]))


@pytest.mark.parametrize(
    ("misuse", "sentence"),
    [
        (lambda x: math.sin(x[0]), r"use the functions of the namespace, m\.sin\(a\) instead of math\.sin\(a\)"),
        (lambda x: float(x[0]), "turns a model value into a plain number"),
        (lambda x: round(x[0]), "turns a model value into a plain number"),
        (lambda x: math.floor(x[0]), "turns a model value into a plain number"),
        (lambda x: range(x[0]), "turns a model value into a plain number"),
        (lambda x: sum(x[0]), "takes a model value for a list or an array"),
        (lambda x: np.sin(x[0]), r"calls np\.sin on a model value; use m\.sin"),
        (lambda x: np.array([1.0, 2.0]) * x[0], r"calls np\.multiply on a model value"),
        (lambda x: np.arctan2(x[0], 1.0), r"calls np\.arctan2 on a model value; use m\.atan2"),
        (lambda x: np.array([x[0], x[1]]), "takes a model value for a list or an array"),
        (lambda x: x[0].item(), r"asks \.item of a model value; each is a single number"),
        (lambda x: np.clip(x[0], 0.0, 1.0), r"^.*test_tracer\.py, line .* calls np\.clip on .*; use m\.clip"),
        (lambda x: np.where(x[0] > 0.0, 1.0, 2.0), r"^.*test_tracer\.py, line .* calls np\.where on .*; use m\.where"),
        (lambda x: np.fmax(x[0], 0.0), r"calls np\.fmax on a model value; use m\.maximum"),
        (lambda x: max(x[0], 0.0), r"`max` or `min` on a value .* write m\.where\(condition, a, b\), m\.maximum"),
        (lambda x: x[0] ^ 2, r"uses \^, .* write a \*\* b"),
        (lambda x: 2 ^ x[0], r"uses \^, .* write a \*\* b"),
        (lambda x: [x[0], x[1]], "returned a list among its components of the next state; each is one number"),
        (lambda x: "fast", "returned a str among its components of the next state"),
        (lambda x: None, r"returned None \(is its `return` missing\?\) among"),
        (lambda x: np.linalg.norm([x[0], x[1]]), r"^.*test_tracer\.py, line .* takes a model value for a list"),
        (lambda x: x[0][0], "takes a model value for a list or an array"),
        (lambda x: [1.0, 2.0][x[0]], "turns a model value into a plain number"),
        (lambda x: m_where(x[0], 1.0, 2.0), "takes a number for a condition; compare it first"),
        (lambda x: (x[0] > 0.0) & x[1], "takes a number for a condition; compare it first"),
        (lambda x: (x[0] > 0.0) + (x[1] > 0.0), r"calculates with conditions; write m\.where\(condition, 1\.0, 0\.0\)"),
        (lambda x: -(x[0] > 0.0), "calculates with conditions"),
        (lambda x: x[0] + "1", r"combines a model value with str \('1'\); a number was expected"),
        (lambda x: x[0] * [1.0, 2.0], "combines a model value with list"),
        (lambda x: x[0] // 2.0, r"uses //.* write m\.floor\(a / b\)"),
        (lambda x: x[0] + None, "combines a model value with NoneType"),
    ],
)
def test_misuse_is_a_sentence(misuse: Any, sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence):
        made(lambda x, u, dt, p, m: (misuse(x), x[1], x[2], x[3]))


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (lambda x: x.yaw, "'list' object has no attribute 'yaw'"),
        (lambda x: x[9], "list index out of range"),
        (lambda x: x["yaw"], "list indices must be integers"),
    ],
)
def test_a_state_is_a_list_of_its_components(wrong: Any, why: str) -> None:
    line = wrong.__code__.co_firstlineno
    lists = r"x is a list of a, b, c, d\b.*: unpack it, or take x\[0\]"
    with pytest.raises(ModelError, match=rf'test_tracer.py, line {line} .* fails with "{why}.*"; in .*, {lists}'):
        made(lambda x, u, dt, p, m: (wrong(x), x[1], x[2], x[3]))


def test_too_few_names_for_a_state() -> None:
    @sensor(state=Space("x y [m]", "yaw: angle"), reading=Space("z"))
    def eye(x: Any, c: Any, p: Any, m: Any) -> Any:
        px, py = x
        return px + py

    with pytest.raises(
        ModelError, match=r"`px, py = x`\) fails with \"too many values.*in eye, x is a list of x, y, yaw:"
    ):
        eye()

    @task(state=LINE, action=Space("push"))
    def effort(x: Any, u: Any, p: Any, m: Any) -> Any:
        return u[1]

    with pytest.raises(ModelError, match=r"`return u\[1\]`\) .*u is a list of push"):
        effort()


@pytest.mark.parametrize(
    ("misuse", "sentence"),
    [
        (lambda x, p, m: p["gain"] * x[0], r"reads p\['gain'\]; parameters are attributes: p\.gain"),
        (lambda x, p, m: m.max(x[0], 0.0), r"calls m\.max, .*; write m\.maximum"),
        (lambda x, p, m: m.arctan2(x[0], x[1]), r"calls m\.arctan2, .*; write m\.atan2"),
        (lambda x, p, m: m.sin(x[0], x[1]), r"test_tracer\.py, line .* gives m\.sin 2 values; it takes 1"),
        (lambda x, p, m: m.maximum(x[0]), r"gives m\.maximum 1 values; it takes 2"),
        (lambda x, p, m: m.sqrt(), r"gives m\.sqrt 0 values; it takes 1"),
    ],
)
def test_misuse_of_parameters_and_functions_is_a_sentence(misuse: Any, sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence):
        made(lambda x, u, dt, p, m: (misuse(x, p, m), x[1], x[2], x[3]), gain=2.0)


def test_unknown_function_lists_those_there_are() -> None:
    with pytest.raises(ModelError, match=r"m\.arcsin.*asin"):
        made(lambda x, u, dt, p, m: (m.arcsin(x[0]), x[1], x[2], x[3]))


def test_wrong_number_of_outputs() -> None:
    with pytest.raises(ModelError, match="short returned 3 values; 4 components of the next state were expected"):

        @discrete_dynamics(state=LINE, action=Space())
        def short(x: Any, u: Any, dt: Any, p: Any, m: Any) -> Any:
            return x[0], x[1], x[2]

        short()
    with pytest.raises(ModelError, match="lean returned 2 values; 3 rates were expected, one per component"):

        @dynamics(state=Space("q: quaternion"), action=Space())
        def lean(x: Any, u: Any, p: Any, m: Any) -> Any:
            return x[0], x[1]

        lean()
    with pytest.raises(ModelError, match="double returned 2 values; 1 components of a reading were expected"):

        @sensor(state=LINE, reading=Space("z"))
        def double(x: Any, c: Any, p: Any, m: Any) -> Any:
            return x[0], x[1]

        double()


def test_wrong_noise() -> None:
    def noise(x: Any, u: Any, dt: Any, p: Any, m: Any) -> Any:
        return [[1.0, 0.0], [0.0, 1.0]]

    @discrete_dynamics(state=LINE, action=Space(), noise=noise)
    def still(x: Any, u: Any, dt: Any, p: Any, m: Any) -> Any:
        return x

    with pytest.raises(ModelError, match="the noise of still must be 4 variances or 4 rows of 4; it has 2 rows"):
        still().noise(np.zeros(4), np.zeros(0), 0.1)


def test_parameters() -> None:
    with pytest.raises(ModelError, match="no parameter 'wheelbas'; it has wheelbase, .*; did you mean wheelbase"):
        bicycle(wheelbas=2.0)
    with pytest.raises(ModelError, match=r"the model reads p\.gain, but its parameters are offset"):
        made(lambda x, u, dt, p, m: (p.gain * x[0], x[1], x[2], x[3]), offset=1.0)
    with pytest.raises(ModelError, match="parameter wheelbase must be a number, a vector, a matrix or a Raster"):
        bicycle(wheelbase="long")
    with pytest.raises(ModelError, match="parameter table has 3 axes"):
        made(lambda x, u, dt, p, m: x, table=np.zeros((2, 2, 2)))


def test_inverted_plain_numbers() -> None:
    """~ is wrong for Python's True, which conditions on the time step and on parameters are in numpy's step."""
    for decide in (lambda p, dt, x: ~(dt > 0.1), lambda p, dt, x: ~((p.gain > dt) & (p.gain < 2.0))):
        with pytest.raises(ModelError, match=r"inverts by ~ what depends on parameters or the time step only"):
            made(lambda x, u, dt, p, m, decide=decide: (m.where(decide(p, dt, x), *x[:2]), *x[1:]), gain=1.0)
    made(lambda x, u, dt, p, m: (m.where(~(p.gain > x[0]), x[1], 0.0), *x[1:]), gain=1.0)


def test_values_do_not_travel_between_traces() -> None:
    kept: list[Any] = []

    def leaky(x: Any, u: Any, dt: Any, p: Any, m: Any) -> Any:
        kept.append(x[0])
        return kept[0] + x[0], x[1], x[2], x[3]

    made(leaky)
    with pytest.raises(ModelError, match="a value of one trace is used in another"):
        made(lambda x, u, dt, p, m: leaky(x, u, dt, p, m))


def test_vector_and_matrix_parameters_in_loops() -> None:
    """Small matrices are written as loops, and differ from numpy's product by rounding only."""
    A = np.random.default_rng(0).standard_normal((4, 4))

    def body(x: Any, u: Any, dt: Any, p: Any, m: Any) -> Any:
        return [sum(p.A[i][j] * x[j] for j in range(4)) + p.b[i] * u[0] for i in range(4)]

    model = made(body, A=A, b=np.arange(4.0))
    x = np.random.default_rng(1).standard_normal((7, 4))
    np.testing.assert_allclose(model.step(x, [2.0], 0.1), x @ A.T + 2.0 * np.arange(4.0), atol=1e-14)
    np.testing.assert_allclose(model.linearize(x[0], [2.0], 0.1)[0], A, atol=1e-14)
    np.testing.assert_allclose(model.replace(A=2 * A).linearize(x[0], [2.0], 0.1)[0], 2 * A, atol=1e-14)
