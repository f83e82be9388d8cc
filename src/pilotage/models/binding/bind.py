"""Gives a driver its models: one inner step, compiled with traced models or run as plain Python over any other.

`bind` follows the driver through every function it calls. What reaches only generated code, sizes and arithmetic goes
into one source file, named by its content and compiled by numba with its cache on. What reaches a model that cannot be
traced stays Python, with the slots bound to the protocol's methods; the algebra it calls is compiled all the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType
from typing import Any

import numpy as np

from ...core import Dynamics, Sensor, Task
from ...core.declared import called
from ...core.errors import ModelError
from ...core.space import Space
from ..tracing.tangent import space_source
from .adapters import ADAPTERS
from .cache import load_source
from .driver import Reach
from .emit_module import Liberties, module_source

STRICT = ("contract", "nsz")
"""Liberties that compiled code takes with floating point: fused multiply-add, and no care for the sign of zero."""
FAST = ("contract", "nsz", "arcp", "reassoc", "afn")
"""Liberties for rollouts, where sums may be reordered; NaN and infinity keep their meaning."""

EMPTY = np.zeros(0)


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
        drivers: functions that call the names in `pilotage.models.binding.slots`.
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
    reach = Reach(drivers, fill or {})
    wide = {"LANES"} if any(slot.endswith("_lanes") for slot in reach.slots) else set[str]()
    sizes = {name: models.size(name) for name in sorted(reach.sizes | wide)}
    sources = {name: models.generated(name) for name in sorted(reach.slots)}
    blocks = {name: source for name, source in sources.items() if source is not None}
    tainted = reach.leading_to(sources.keys() - blocks.keys())
    entries = {d.__name__ for d in drivers}.union(*(reach.calls[n] for n in tainted))
    names, how = reach.functions.keys() - tainted, Liberties(fastmath, nogil, heap)
    done = _compile(reach, entries, names, sizes, blocks, how, models.described(purpose))
    if tainted:
        slots = {name: _protocol(name, models) for name in sources.keys() - blocks.keys()}
        done |= _rebind(reach, tainted, done, sizes, slots)
    bound = tuple(done[d.__name__] for d in drivers)
    return bound[0] if len(bound) == 1 else bound


def _compile(
    reach: Reach, entries: set[str], names: set[str], sizes: dict[str, int], blocks: dict[str, str], how: Liberties,
    purpose: str,
) -> dict[str, Any]:  # fmt: skip
    """The functions `names` and the generated `blocks`, written to one file for numba, which compiles what is called.

    `entries` are what Python calls: these are kept in numba's cache.
    """
    if not names and not blocks:
        return {}
    texts = reach.sources(names)
    constants = {**reach.constants, **{name: str(size) for name, size in sizes.items()}}
    aliases = {slot: driver for slot, driver in reach.aliases.items() if driver in names}
    text, written = module_source(constants, blocks, texts, aliases, entries, how)
    module = load_source(text, next(iter(texts or blocks)), entries & written)
    from ..._compiling import purposes  # not earlier: it loads numba

    purposes.setdefault(module.__name__, purpose)
    return {name: getattr(module, name) for name in written}


def _rebind(
    reach: Reach, tainted: set[str], compiled: dict[str, Any], sizes: dict[str, int], slots: dict[str, Any]
) -> dict[str, Any]:
    """The tainted functions with their globals replaced: sizes, protocol calls, compiled algebra, each other."""
    shared: dict[str, Any] = {**sizes, **slots, **compiled}
    python: dict[str, Any] = {}
    for name in tainted:
        function = reach.functions[name]
        space = {**function.__globals__, **shared}
        python[name] = FunctionType(function.__code__, space, name, function.__defaults__, function.__closure__)
        python[name].__kwdefaults__ = function.__kwdefaults__
    everything = {**compiled, **python}
    for function in python.values():
        function.__globals__.update(python)
        function.__globals__.update({slot: everything[driver] for slot, driver in reach.aliases.items()})
    return python


def _protocol(slot: str, models: Models) -> Callable[..., Any]:
    """A slot as a call of the protocol's method, writing into the arrays that drivers hand over."""
    return ADAPTERS[slot](models.owner(slot))
