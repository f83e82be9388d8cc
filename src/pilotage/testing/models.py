"""The contract of dynamics and sensors, for traced models and others."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from pilotage.core import Compiled, Dynamics, Rng, Sensor, Space, generator, jacobian
from pilotage.core.arrays import Array
from pilotage.models import LANES, code_of, parameters

from .sentences import made, told

EXACT = 1e-10
STEPS = 4


def check_dynamics(
    dynamics: Dynamics,
    x: Any = None,
    u: Any = None,
    dt: float = 0.1,
    rng: Rng = 0,
    *,
    compiled: bool = True,
    tensors: bool | None = None,
    tolerance: float = 1e-6,
) -> None:
    """Check dynamics of any kind against their contract.

    Shapes and batch axes broadcast, batches equal loops, results are finite and lie in the space, inputs are not
    changed, arrays give arrays and tensors give tensors. `linearize` agrees with central differences, `noise` is
    symmetric positive semidefinite, `rollout` equals a loop of `step`. Numpy, torch and compiled code agree to 1e-10.

    Args:
        dynamics: the dynamics to check.
        x: states ``(N, n)`` to check at; default: three samples of the space, two with their angles at half a turn.
        u: actions ``(N, m)``; default: samples of the space.
        dt: duration of a step [s].
        rng: seed of the samples.
        compiled: whether to also compile traced dynamics, which takes seconds the first time.
        tensors: whether to check tensors; None: only for traced dynamics, and if torch is loaded.
        tolerance: tolerance of `linearize`, relative to its largest entry.

    Raises:
        AssertionError: if a check fails; the message describes the failure.

    Example:
        >>> from pilotage.models import bicycle
        >>> check_dynamics(bicycle(), compiled=False)
    """
    name = _described(dynamics, ("step", "linearize", "noise", "rollout"), ("state", "action"))
    draw = generator(rng)
    x = _states(dynamics.state, draw) if x is None else dynamics.state.check(np.atleast_2d(x), "x")
    u = dynamics.action.sample(len(x), rng=draw) if u is None else dynamics.action.check(np.atleast_2d(u), "u")
    u = np.broadcast_to(u, (len(x), dynamics.action.size)).copy()
    _check_function(lambda x, u: dynamics.step(x, u, dt), (x, u), dynamics.state, f"{name}.step")
    with told(f"{name}.linearize", x, u):
        _check_jacobians(dynamics, x, u, dt, tolerance, name)
    with told(f"{name}.noise", x, u):
        _check_covariance(lambda x, u: dynamics.noise(x, u, dt), (x, u), dynamics.state.dim, f"{name}.noise")
    traced = _traced(dynamics)
    if compiled or not traced:
        with told(f"{name}.rollout", x, u):
            _check_rollout(dynamics, x, u, dt, name)
        _check_drivers(dynamics, x, u, dt, name)
    if tensors or (tensors is None and traced and "torch" in sys.modules):
        _check_tensors(lambda x, u: dynamics.step(x, u, dt), (x, u), f"{name}.step")


def check_sensor(
    sensor: Sensor,
    x: Any = None,
    context: Any = None,
    rng: Rng = 0,
    *,
    compiled: bool = True,
    tensors: bool | None = None,
    tolerance: float = 1e-6,
) -> None:
    """Check a sensor of any kind against its contract.

    The checks are those of `check_dynamics`, for `observe`. In addition, a sensor moved to a larger state by `on` reads
    the same, `log_prob` is finite and, unless the noise has a zero variance, largest at the expected reading, and
    `sample` draws the same readings for the same seed.

    Args:
        sensor: the sensor to check.
        x: states ``(N, n)`` to check at; default: three samples of the space, two with their angles at half a turn.
        context: additional inputs of the readings ``(N, c)``; default: normal numbers if the sensor declares its
            context, else None.
        rng: seed of the samples.
        compiled: whether to also compile a traced sensor, which takes seconds the first time.
        tensors: whether to check tensors; None: only for traced sensors, and if torch is loaded.
        tolerance: tolerance of `linearize`, relative to its largest entry.

    Raises:
        AssertionError: if a check fails; the message describes the failure.

    Example:
        >>> from pilotage.models import range_bearing
        >>> check_sensor(range_bearing(), compiled=False)
    """
    methods = ("observe", "noise", "linearize", "linearize_context", "log_prob", "sample", "on")
    name = _described(sensor, methods, ("state", "reading"))
    draw = generator(rng)
    x = _states(sensor.state, draw) if x is None else sensor.state.check(np.atleast_2d(x), "x")
    if context is None and sensor.context is not None and (size := sensor.context.size):
        context = sensor.context.normalize(5.0 * draw.standard_normal((len(x), size)))
    if isinstance(context, np.ndarray | list | tuple):
        context = np.broadcast_to(np.asarray(context, dtype=float), (len(x), np.shape(context)[-1])).copy()
        arguments: tuple[Any, ...] = (x, context)
        read: Callable[..., Any] = sensor.observe
    else:
        arguments, read = (x,), lambda x: sensor.observe(x, context)
    _check_function(read, arguments, sensor.reading, f"{name}.observe")
    with told(f"{name}.linearize", *arguments):
        _check_sensor_jacobian(sensor, x, context, tolerance, name)
    if sensor.context is not None and sensor.context.size:
        with told(f"{name}.linearize_context", *arguments):
            _check_context_jacobian(sensor, sensor.context, x, context, tolerance, name)
    with told(f"{name}.noise", *arguments):
        noise = _bound(sensor.noise, context, arguments)
        _check_covariance(noise, arguments, sensor.reading.dim, f"{name}.noise", True)
    with told(f"{name}.log_prob", *arguments):
        _check_log_prob(sensor, x, context, name)
    with told(f"{name}.sample", *arguments):
        _check_sample(sensor, x, context, name)
    _check_mounted(sensor, x, context, name)
    traced = _traced(sensor)
    if compiled or not traced:
        _check_sensor_drivers(sensor, x, context, name)
    if tensors or (tensors is None and traced and "torch" in sys.modules):
        _check_tensors(read, arguments, f"{name}.observe")


# Common to both


def _described(model: Any, methods: tuple[str, ...], spaces: tuple[str, ...]) -> str:
    name = made(model, *methods)
    for space in spaces:
        value = getattr(model, space, None)
        assert isinstance(value, Space), f"{name}.{space} must be a Space; it is {value!r}"
    return name


def _states(space: Space, draw: np.random.Generator) -> Array:
    """Three states ``(3, n)``, the last two with every angle just below pi and just above -pi.

    A model that does not wrap its angles leaves its space from one of them, in whichever direction it turns.
    """
    x = space.sample(3, rng=draw)
    for part, s, t in space.layout:
        if part.dim == part.size and t.stop > t.start and part.turning.stop:
            x[1:, s.stop - 1] = np.pi - 1e-6, -np.pi + 1e-6
    return x


def _traced(model: Any) -> bool:
    return isinstance(model, Compiled)


def _check_function(f: Callable[..., Any], arguments: tuple[Array, ...], space: Space, name: str) -> None:
    """A batched function of vectors to a space: kind, shapes, batches, inputs."""

    def called(*given: Array) -> Any:
        with told(name, *given):
            return f(*given)

    before = [a.copy() for a in arguments]
    y = called(*arguments)
    for a, b in zip(arguments, before, strict=True):
        assert np.array_equal(a, b), f"{name} changes its inputs; work on a copy"
    assert isinstance(y, np.ndarray), f"{name} returned {type(y).__name__} for numpy arrays; return a numpy array"
    assert y.dtype == np.float64, f"{name} returned {y.dtype}; float64 was expected"
    count = len(arguments[0])
    _shape(y, (count, space.size), f"{name} of a batch of {count}")
    assert np.isfinite(y).all(), f"{name} returned NaN or infinity for finite inputs: {y}"
    law = f"{name} leaves its space {space}: angles belong in (-pi, pi], quaternions have length 1"
    _equal(space.normalize(y), y, law)
    for i in range(count):
        one = called(*(a[i] for a in arguments))
        _shape(one, (space.size,), f"{name} without batch axes")
        _equal(one, y[i], f"{name} of a batch differs from the same one by one")
    _equal(called(*(a[None, :1] for a in arguments)), y[None, :1], f"{name} with batch axes (1, 1)")
    if len(arguments) == 2 and arguments[1].shape[-1]:
        first, second = arguments
        wide = called(first[:, None], second[None])
        _shape(wide, (count, count, space.size), f"{name} of batches (N, 1) and (1, N)")
        _equal(wide[range(count), range(count)], y, f"{name} of batches that broadcast")


def _check_covariance(
    f: Callable[..., Any], arguments: tuple[Array, ...], dim: int, name: str, shared: bool = False
) -> None:
    Q = np.asarray(f(*arguments))
    if not (shared and Q.shape == (dim, dim)):
        _shape(Q, (len(arguments[0]), dim, dim), name)
        for i in range(len(Q)):
            _equal(np.asarray(f(*(a[i] for a in arguments))), Q[i], f"{name} of a batch differs from one by one")
    scale = np.abs(Q).max(initial=1e-300)
    assert np.isfinite(Q).all(), f"{name} holds NaN or infinity"
    skew = np.abs(Q - Q.swapaxes(-1, -2)).max(initial=0.0)
    assert skew <= 1e-12 * scale, f"{name} is not symmetric: it differs from its transpose by {skew:.2e}"
    smallest = np.linalg.eigvalsh(Q).min(initial=0.0)
    assert smallest >= -1e-12 * scale, f"{name} has the negative eigenvalue {smallest:.2e}; a covariance has none"


def _check_tensors(f: Callable[..., Any], arguments: tuple[Array, ...], name: str) -> None:
    torch = sys.modules.get("torch")
    assert torch is not None, "tensors were asked for, but torch is not imported"
    with told(f"{name} with tensors", *arguments):
        y = f(*(torch.tensor(a) for a in arguments))
    assert isinstance(y, torch.Tensor), f"{name} returned {type(y).__name__} for tensors; return a tensor"
    _equal(y.detach().cpu().numpy(), f(*arguments), f"{name} differs between torch and numpy")


def _shape(a: Any, shape: tuple[int, ...], what: str) -> None:
    given = tuple(np.shape(a))
    assert given == shape, f"{what} has shape {given}; {shape} was expected"


def _equal(a: Any, b: Any, what: str, tolerance: float = EXACT) -> None:
    a, b = np.asarray(a), np.asarray(b)
    _shape(a, b.shape, what)
    gap = float((np.abs(a - b) / np.maximum(1.0, np.abs(b))).max(initial=0.0))
    assert gap <= tolerance, f"{what}: off by {gap:.2e}, allowed {tolerance:.0e}"


def _near(J: Any, numeric: Any, what: str, tolerance: float) -> None:
    J, numeric = np.asarray(J), np.asarray(numeric)
    _shape(J, numeric.shape, what)
    gap = float(np.abs(J - numeric).max(initial=0.0))
    allowed = tolerance * max(1.0, float(np.abs(numeric).max(initial=0.0)))
    assert gap <= allowed, f"{what} differs from central differences by {gap:.2e}, allowed {allowed:.2e}"


def _bound(f: Callable[..., Any], context: Any, arguments: tuple[Any, ...]) -> Callable[..., Any]:
    return f if len(arguments) == 2 else lambda x: f(x, context)


# Dynamics


def _check_jacobians(dynamics: Dynamics, x: Array, u: Array, dt: float, tolerance: float, name: str) -> None:
    F, B = dynamics.linearize(x, u, dt)
    numeric = jacobian(lambda y: dynamics.step(y, u, dt), x, dynamics.state, dynamics.state)
    _near(F, numeric, f"F of {name}.linearize", tolerance)
    if dynamics.action.dim:
        numeric = jacobian(lambda v: dynamics.step(x, v, dt), u, dynamics.action, dynamics.state)
    else:
        numeric = np.zeros((len(x), dynamics.state.dim, 0))
    _near(B, numeric, f"B of {name}.linearize", tolerance)
    F0, B0 = dynamics.linearize(x[0], u[0], dt)
    _equal(F0, F[0], f"F of {name}.linearize of a batch differs from one by one", tolerance)
    _equal(B0, B[0], f"B of {name}.linearize of a batch differs from one by one", tolerance)


def _check_rollout(dynamics: Dynamics, x: Array, u: Array, dt: float, name: str) -> None:
    us = np.repeat(u[:, None], STEPS, 1)
    us[:, ::2] *= 0.5
    xs = dynamics.rollout(x, us, dt)
    _shape(xs, (len(x), STEPS + 1, dynamics.state.size), f"{name}.rollout")
    _equal(xs[:, 0], x, f"{name}.rollout does not begin with the initial states")
    for t in range(STEPS):
        # Step by step, for in chaotic motion the rounding of one step is a different path ten steps later.
        apart = dynamics.state.minus(xs[:, t + 1], dynamics.step(xs[:, t], us[:, t], dt))
        size = np.maximum(1.0, np.abs(xs[:, t + 1]).max(-1, keepdims=True))
        _equal(apart / size, np.zeros_like(apart), f"{name}.rollout differs from step in step {t}", 1e-8)
    one = dynamics.rollout(x[0], us[0], dt)
    _shape(one, xs[0].shape, f"{name}.rollout without batch axes")
    _equal(one[1], xs[0, 1], f"{name}.rollout of a batch differs from one by one", 1e-8)


def _check_drivers(dynamics: Dynamics, x: Array, u: Array, dt: float, name: str) -> None:
    """Results of machine code, or of a model that calls Python, as drivers get them."""
    code, lanes, p = code_of(dynamics, "y F Q"), code_of(dynamics, "y", lanes=True), parameters(dynamics, dt)
    y, F, Q = dynamics.step(x, u, dt), dynamics.linearize(x, u, dt)[0], dynamics.noise(x, u, dt)
    for i in range(len(x)):
        got = code.run(x[i], u[i], dt, p)
        _equal(got["y"], y[i], f"the compiled step of {name} differs from numpy's")
        _near(got["F"], F[i], f"the compiled F of {name}", EXACT if _traced(dynamics) else 1e-6)
        _equal(got["Q"], Q[i], f"the compiled noise of {name} differs from numpy's")
    rows = np.arange(LANES) % len(x)
    side_by_side = lanes.run(x[rows].T, u[rows].T, dt, p)["y"]
    _equal(side_by_side.T, y[rows], f"the vectorised compiled step of {name} differs from numpy's")


# Sensors


def _check_sensor_jacobian(sensor: Sensor, x: Array, context: Any, tolerance: float, name: str) -> None:
    H = sensor.linearize(x, context)
    numeric = jacobian(lambda y: sensor.observe(y, context), x, sensor.state, sensor.reading)
    _near(H, numeric, f"H of {name}.linearize", tolerance)
    one = sensor.linearize(x[0], context[0] if isinstance(context, np.ndarray) else context)
    _equal(one, H[0], f"H of {name}.linearize of a batch differs from one by one", tolerance)


def _check_context_jacobian(sensor: Sensor, space: Space, x: Array, context: Any, tolerance: float, name: str) -> None:
    C = sensor.linearize_context(x, context)
    numeric = jacobian(lambda c: sensor.observe(x, c), context, space, sensor.reading)
    _near(C, numeric, f"C of {name}.linearize_context", tolerance)
    one = sensor.linearize_context(x[0], context[0])
    _equal(one, C[0], f"C of {name}.linearize_context of a batch differs from one by one", tolerance)


def _check_log_prob(sensor: Sensor, x: Array, context: Any, name: str) -> None:
    R = np.asarray(sensor.noise(x, context))
    z = sensor.observe(x, context)
    if np.linalg.eigvalsh(R).min(initial=np.inf) <= 0.0:
        return  # a reading without noise has no density
    best = np.asarray(sensor.log_prob(z, x, context))
    _shape(best, (len(x),), f"{name}.log_prob")
    assert np.isfinite(best).all(), f"{name}.log_prob of the expected reading is {best}"
    deviation = np.sqrt(np.diagonal(R, axis1=-2, axis2=-1)) * np.ones((len(x), 1))
    off = sensor.log_prob(sensor.reading.plus(z, deviation), x, context)
    assert (off < best).all(), f"{name}.log_prob is not largest at the expected reading"


def _check_sample(sensor: Sensor, x: Array, context: Any, name: str) -> None:
    drawn, again = (np.asarray(sensor.sample(x, context, rng=1)) for _ in range(2))
    _shape(drawn, (len(x), sensor.reading.size), f"{name}.sample")
    assert np.array_equal(drawn, again), f"{name}.sample gave other readings for the same seed"
    known = drawn[np.isfinite(drawn).all(-1)]
    _equal(sensor.reading.normalize(known), known, f"{name}.sample leaves its space {sensor.reading}")


def _check_mounted(sensor: Sensor, x: Array, context: Any, name: str) -> None:
    more = Space("further_component_1 [m]")
    big = sensor.on(more * sensor.state)
    wide = np.concatenate([np.ones((len(x), 1)), x], -1)
    _equal(big.observe(wide, context), sensor.observe(x, context), f"{name}.on a bigger state reads something else")
    H = np.asarray(big.linearize(wide, context))
    _near(H[..., 1:], sensor.linearize(x, context), f"H of {name}.on a bigger state", 1e-6)
    assert np.abs(H[..., 0]).max(initial=0.0) <= 1e-6, f"{name}.on a bigger state depends on what it does not read"


def _check_sensor_drivers(sensor: Sensor, x: Array, context: Any, name: str) -> None:
    code, p = code_of(sensor, "h H R"), parameters(sensor)
    z, H, R = sensor.observe(x, context), sensor.linearize(x, context), np.asarray(sensor.noise(x, context))
    R = np.broadcast_to(R, (len(x), *R.shape[-2:]))
    numbers = isinstance(context, np.ndarray)
    for i in range(len(x)):
        if not numbers:
            code.objects = [] if context is None else [context]
        got = code.run(x[i], context[i] if numbers else [0.0], None, p)
        _equal(got["h"], z[i], f"the compiled reading of {name} differs from numpy's")
        _near(got["H"], H[i], f"the compiled H of {name}", EXACT if _traced(sensor) else 1e-6)
        _equal(got["R"], R[i], f"the compiled noise of {name} differs from numpy's")
