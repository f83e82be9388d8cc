"""Gives a driver its models: one inner step, compiled with traced models or run as plain Python over any other.

`bind` follows the driver through every function it calls. What reaches only generated code, sizes and arithmetic goes
into one source file, named by its content and compiled by numba with its cache on. What reaches a model that cannot be
traced stays Python, with the slots bound to the protocol's methods; the algebra it calls is compiled all the same.
"""

from __future__ import annotations

import builtins
import dis
import inspect
import math
import re
import textwrap
import types
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import lru_cache
from types import FunctionType
from typing import Any

import numpy as np

from ..core import Dynamics, Sensor, Task
from ..core.declared import called
from ..core.errors import ModelError
from ..core.space import Space
from . import lane_math, scalar
from .adapters import ADAPTERS
from .cache import PERSISTENT, load_source
from .emit import literal
from .slots import Size, Slot
from .tangent import space_source

STRICT = ("contract", "nsz")
"""Liberties that compiled code takes with floating point: fused multiply-add, and no care for the sign of zero."""
FAST = ("contract", "nsz", "arcp", "reassoc", "afn")
"""Liberties for rollouts, where sums may be reordered; NaN and infinity keep their meaning."""

EMPTY = np.zeros(0)
MODULES = {"math": math, "np": np}
"""What generated source imports."""


@dataclass(frozen=True)
class Models:
    """The models and spaces that slots refer to."""

    dynamics: Dynamics | None = None
    sensor: Sensor | None = None
    task: Task | None = None
    space: Space | None = None
    lanes: int = 64

    @property
    def state(self) -> Space:
        for owner in (self.dynamics, self.sensor):
            if owner is not None:
                return owner.state
        if self.space is None:
            raise ModelError("bind needs dynamics, a sensor or a space to know the state by")
        return self.space

    def check(self) -> None:
        """Refuse models that speak of different states: generated code reads components by place."""
        named = ((n, getattr(self, n)) for n in ("dynamics", "sensor", "task"))
        states = [(n, owner.state.names) for n, owner in named if isinstance(getattr(owner, "state", None), Space)]
        for kind, names in states[1:]:
            if names != states[0][1]:
                raise ModelError(
                    f"the {kind} was given on the state ({', '.join(names)}) and the {states[0][0]} on "
                    f"({', '.join(states[0][1])}); mount it by .on(state) first"
                )

    def described(self, purpose: str) -> str:
        """What code is for, in words: "of EKF for bicycle, gnss"."""
        names = ", ".join(called(model) for model in (self.dynamics, self.sensor, self.task) if model is not None)
        return " ".join([*(["of", purpose] if purpose else []), *(["for", names] if names else [])])

    def size(self, name: str) -> int:
        """The value of a `Size` slot."""
        if name in ("NX", "ND"):
            return self.state.size if name == "NX" else self.state.dim
        if name == "LANES":
            return self.lanes
        owner, attribute = {
            "NU": (self.dynamics and self.dynamics.action, "size"),
            "NZ": (self.sensor and self.sensor.reading, "size"),
            "NE": (self.sensor and self.sensor.reading, "dim"),
            "NC": (self.sensor, "context_size"),
            "NR": (self.task, "reference_size"),
        }[name]
        if owner is None:
            raise ModelError(f"the driver uses {name}, but the model it belongs to was not given to bind")
        return int(getattr(owner, attribute, 0))

    def generated(self, slot: str) -> str | None:
        """Source of a slot, or None when its model cannot be traced."""
        if slot.startswith(("state_", "reading_")) and slot != "reading_noise":
            kind, operation = slot.split("_")
            space = self.state if kind == "state" else self.sensor.reading if self.sensor else None
            if space is None:
                raise ModelError(f"the driver uses {slot}, but no sensor was given to bind")
            return space_source(slot, operation, space)
        owner = self.owner(slot)
        write = getattr(owner, "generated", None)
        return None if write is None else write(slot)

    def owner(self, slot: str) -> Any:
        """The model that a slot belongs to."""
        kind = "dynamics" if slot in DYNAMICS else "task" if "cost" in slot else "sensor"
        owner = getattr(self, kind)
        if owner is None:
            raise ModelError(f"the driver calls {slot}, but bind was not given a {kind}")
        return owner


DYNAMICS = {"step", "linearized_step", "process_noise", "step_lanes"}


def parameters(model: Any, dt: float | None = None) -> Any:
    """The parameter vector that compiled code of `model` reads; empty for models that are not traced.

    Example:
        >>> from pilotage.models import gnss
        >>> parameters(gnss(std=1.5))
        array([1.5, 1.5])
    """
    vector = getattr(model, "vector", None)
    return EMPTY if vector is None else vector(dt)


def bind(
    *drivers: Callable[..., Any],
    dynamics: Any = None,
    sensor: Any = None,
    task: Any = None,
    space: Space | None = None,
    fill: dict[str, Callable[..., Any]] | None = None,
    lanes: int = 64,
    fastmath: tuple[str, ...] = STRICT,
    nogil: bool = False,
    heap: bool = True,
    purpose: str = "",
) -> Any:
    """Working copies of `drivers` (a single one, or a tuple in the order given) that run these models.

    Args:
        drivers: functions that call the names in `pilotage.models.slots`.
        dynamics: what `step`, `linearized_step` and `process_noise` mean.
        sensor: what `observe`, `linearized_observe` and `reading_noise` mean.
        task: what `stage_cost` and `terminal_cost` mean.
        space: the state's space, where no model tells it.
        fill: slots that other drivers fill, such as ``{"predict_belief": ekf_predict}``.
        lanes: value of `LANES`.
        fastmath: liberties for compiled code, `STRICT` or `FAST`.
        nogil: let other threads run while compiled code does; worth it for calls of a hundred microseconds and more.
        heap: False for drivers that make no arrays: their views are then not counted, which halves the time of a call
            of a microsecond.
        purpose: what the drivers are for, such as "EKF", for the line that says what is being compiled.

    Drivers that are compiled are read as text: they are written with `def` at the top of a module, and call nothing
    but slots, other such functions, Python's own, and what they find as ``math.`` and ``np.``; constants are numbers.

    Raises:
        ModelError: when a driver uses a slot whose model is missing, models of different states are given, or a
            function cannot be compiled.

    Example:
        >>> from pilotage.models import bicycle
        >>> from pilotage.models.traced_dynamics import rollout_batch
        >>> car, xs = bicycle(), np.array([[[0.0, 0.0, 0.0, 2.0], [0.0, 0.0, 0.0, 0.0]]])
        >>> bind(rollout_batch, dynamics=car)(xs, np.zeros((1, 1, 2)), 0.5, parameters(car))
        >>> xs[0, 1].tolist()
        [1.0, 0.0, 0.0, 2.0]
    """
    models = Models(dynamics, sensor, task, space, lanes)
    models.check()
    parts = _Parts(fill or {})
    for driver in drivers:
        _visit(driver, parts)
    wide = {"LANES"} if any(slot.endswith("_lanes") for slot in parts.slots) else set[str]()
    sizes = {name: models.size(name) for name in sorted(parts.sizes | wide)}
    sources = {name: models.generated(name) for name in sorted(parts.slots)}
    plain = {name for name, source in sources.items() if source is None}
    tainted = _tainted(parts, plain)
    entries = {d.__name__ for d in drivers}.union(*(parts.calls[n] for n in tainted))
    compiled = _compile(parts, entries, tainted, sizes, sources, fastmath, nogil, heap, models.described(purpose))
    if not tainted:
        done = [compiled[d.__name__] for d in drivers]
    else:
        python = _rebind(parts, tainted, compiled, sizes, {n: _protocol(n, models) for n in plain})
        done = [python.get(d.__name__) or compiled[d.__name__] for d in drivers]
    return done[0] if len(done) == 1 else tuple(done)


@dataclass
class _Parts:
    """All that a driver reaches."""

    fill: dict[str, Callable[..., Any]]
    functions: dict[str, FunctionType] = field(default_factory=dict[str, FunctionType])
    calls: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    slots: set[str] = field(default_factory=set[str])
    sizes: set[str] = field(default_factory=set[str])
    constants: dict[str, str] = field(default_factory=dict[str, str])
    strange: dict[str, str] = field(default_factory=dict[str, str])
    """Functions that cannot be compiled, and why; those that run as Python may use what they like."""

    @property
    def aliases(self) -> dict[str, str]:
        """Slots that drivers fill, and the names of those drivers."""
        return {slot: driver.__name__ for slot, driver in self.fill.items() if driver.__name__ in self.functions}


def _visit(function: Any, parts: _Parts) -> None:
    function = getattr(function, "py_func", function)
    name = function.__name__
    known = parts.functions.get(name)
    if known is not None:
        if known is not function:
            raise ModelError(f"two functions named {name} meet in one driver; rename one of them")
        return
    parts.functions[name] = function
    parts.calls[name] = set()
    for reached in sorted(_names(function.__code__)):
        value = function.__globals__.get(reached, getattr(builtins, reached, None))
        if isinstance(value, Slot) and value.name in parts.fill:
            value = parts.fill[value.name]
        if isinstance(value, Slot):
            parts.slots.add(value.name)
            parts.calls[name].add(value.name)
        elif isinstance(value, Size):
            parts.sizes.add(value.name)
        elif isinstance(getattr(value, "py_func", value), FunctionType):
            _visit(value, parts)
            parts.calls[name].add(value.__name__)
        elif isinstance(value, (int, float, np.number)):
            known = parts.constants.setdefault(reached, _constant(value))
            if known != _constant(value):
                raise ModelError(f"two constants named {reached} meet in one driver, {known} and {value}; rename one")
        elif value is not getattr(builtins, reached, EMPTY) and value is not MODULES.get(reached, EMPTY):
            parts.strange[name] = f"it uses {reached}, which is {value!r}; in a module only math. and np. are known"
    if function.__code__.co_freevars:
        parts.strange[name] = f"it uses {', '.join(function.__code__.co_freevars)} of the function around it"


@lru_cache(maxsize=512)
def _names(code: types.CodeType) -> set[str]:
    """Globals that a function reads."""
    own = {i.argval for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    return own.union(*(_names(c) for c in code.co_consts if isinstance(c, types.CodeType)))


def _constant(value: Any) -> str:
    """A global number as source."""
    plain: Any = getattr(value, "item", lambda: value)()
    return literal(plain) if isinstance(plain, float) else repr(plain)


def _tainted(parts: _Parts, plain: set[str]) -> set[str]:
    """Functions from which a slot without source can be reached."""
    bad = set(plain)
    while True:
        more = {name for name, calls in parts.calls.items() if name not in bad and calls & bad}
        if not more:
            return bad - plain
        bad |= more


def _compile(
    parts: _Parts, entries: set[str], tainted: set[str], sizes: dict[str, int], sources: dict[str, str | None],
    fastmath: tuple[str, ...], nogil: bool, heap: bool, purpose: str,
) -> dict[str, Any]:  # fmt: skip
    """Everything that can be compiled, written to one file and handed to numba, which compiles what is called.

    `entries` are what Python calls: these are kept in numba's cache.
    """
    functions = {n: f for n, f in parts.functions.items() if n not in tainted}
    if not functions and not any(sources.values()):
        return {}
    for name in functions.keys() & parts.strange.keys():
        raise ModelError(f"{name} cannot be compiled: {parts.strange[name]}")
    blocks = {n: source for n, source in sources.items() if source is not None}
    texts = {n: _source(functions[n]) for n in _callees_first(functions, parts)}
    helpers = _helpers("\n".join([*blocks.values(), *texts.values()]))
    head = [
        '"""Generated by pilotage from models and algorithms; made anew whenever it is missing. Edits are lost."""',
        "from __future__ import annotations",
        "import math",
        "import numpy as np",
        "from numba import njit",
        f"NOGIL = {nogil}",
        "FASTMATH = {" + ", ".join(f'"{f}"' for f in sorted(fastmath)) + "}",
        *(f"{n} = {v}" for n, v in sorted({**parts.constants, **sizes}.items())),
    ]
    written = {**helpers, **blocks, **texts}
    text = "\n".join(head) + "\n\n\n"
    text += "\n\n".join(_decorator(name, source, entries, helpers, heap) + source for name, source in written.items())
    aliases = [f"{slot} = {driver}\n" for slot, driver in sorted(parts.aliases.items()) if driver in functions]
    text += "\n\n" + "".join(aliases) if aliases else ""
    module = load_source(text, next(iter(functions or blocks)), entries & written.keys())
    from .._compiling import purposes  # not earlier: it loads numba

    purposes.setdefault(module.__name__, purpose)
    return {name: getattr(module, name) for name in written}


ENTRY = PERSISTENT + "error_model='numpy', fastmath=FASTMATH, nogil=NOGIL"
INNER = "error_model='numpy', fastmath=FASTMATH, forceinline=True"
ROWS = "error_model='numpy', fastmath=FASTMATH, inline='always'"
HELPER = "error_model='numpy', fastmath={'contract', 'nsz'}, forceinline=True"


def _decorator(name: str, source: str, entries: set[str], helpers: Collection[str], heap: bool) -> str:
    if name in entries:
        options = ENTRY
    elif name in helpers:
        options = HELPER  # their polynomials and reductions of arguments bear no reordering
    else:
        # Loops over lanes become SIMD only where the compiler sees how long the rows are and that arrays do not
        # overlap: where the arrays are made. LLVM would inline them too late, after it has vectorised.
        options = ROWS if "LANES" in source else INNER
    return f"@njit({options})\n" if heap else f"@njit(_nrt=False, {options})\n"  # numba's runtime counts references


def _callees_first(functions: dict[str, FunctionType], parts: _Parts) -> list[str]:
    done: list[str] = []

    def visit(name: str) -> None:
        if name in functions and name not in done:
            for callee in sorted(parts.calls[name]):
                visit(callee)
            done.append(name)

    for name in functions:
        visit(name)
    return done


def _helpers(text: str) -> dict[str, str]:
    """Source of the scalar and lane functions that generated source calls, and of those they call in turn."""
    available = {n: f for module in (scalar, lane_math) for n, f in vars(module).items() if isinstance(f, FunctionType)}
    chosen: dict[str, str] = {}

    def visit(name: str, source: str) -> None:
        for other in available:
            if other != name and other not in chosen and f"{other}(" in source:
                visit(other, _source(available[other]))
        if name:
            chosen[name] = source

    visit("", text)
    return chosen


@lru_cache(maxsize=512)
def _source(function: FunctionType) -> str:
    """The text of a function, without decorators."""
    try:
        text = textwrap.dedent(inspect.getsource(function)).rstrip() + "\n"
    except OSError:
        text = ""
    start = re.search(rf"^def {re.escape(function.__name__)}\b", text, re.MULTILINE)
    if start is None:
        raise ModelError(
            f"{function.__name__} cannot be compiled: its source is not at hand; write it in a file, by def"
        )
    return text[start.start() :]


def _rebind(
    parts: _Parts, tainted: set[str], compiled: dict[str, Any], sizes: dict[str, int], slots: dict[str, Any]
) -> dict[str, Any]:
    """The tainted functions with their globals replaced: sizes, protocol calls, compiled algebra, each other."""
    shared: dict[str, Any] = {**sizes, **slots, **compiled}
    python: dict[str, Any] = {}
    for name in tainted:
        function = parts.functions[name]
        space = {**function.__globals__, **shared}
        python[name] = FunctionType(function.__code__, space, name, function.__defaults__, function.__closure__)
        python[name].__kwdefaults__ = function.__kwdefaults__
    everything = {**compiled, **python}
    for function in python.values():
        function.__globals__.update(python)
        function.__globals__.update({slot: everything[driver] for slot, driver in parts.aliases.items()})
    return python


def _protocol(slot: str, models: Models) -> Callable[..., Any]:
    """A slot as a call of the protocol's method, writing into the arrays that drivers hand over."""
    return ADAPTERS[slot](models.owner(slot))
