"""Machine code in memory: LLVM compiles the intermediate representation, and an object keeps it alive."""

# pyright: basic

from __future__ import annotations

import ctypes
import itertools
import math
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from . import products
from .driver import uninterrupted
from .reals import DOUBLE, Real, real_of

SIGNATURE = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 5)
"""``void f(real* a, real* b, real* c, real* p, real* out)``."""
_lock = threading.Lock()
_numbers = itertools.count()
LARGE = 1_000
"""Lines of a module above which LLVM schedules instructions less carefully, which halves its time."""
HUGE = 3_000
"""Lines of a module for one state above which LLVM does not optimise.

It takes a fifth of the time then, and the code of a quadrotor runs half as long again.
"""


class Code:
    """Machine code that writes named results one after another: ``void f(a, b, c, p, out)``.

    Attributes:
        address: the address of the code, valid as long as this object exists.
        size: the number of values that it writes (of rows, if it is code for lanes).
        shapes: shape of each result, ``()`` for one number.
        offsets: index of the first number of each result.
        lanes: number of states side by side; 0 for code for one state.
        precision: "double" or "single": that of all numbers that it reads and writes.
        calls_back: whether it calls the methods of a model that is not traced.
    """

    calls_back = False

    def __init__(
        self, address: int, shapes: Mapping[str, tuple[int, ...]], lanes: int, owner: Any, precision: str = "double"
    ) -> None:
        self.address, self.lanes, self.precision = address, lanes, precision
        self.shapes = dict(shapes)
        self.offsets: dict[str, int] = {}
        self.size = 0
        for name, shape in self.shapes.items():
            self.offsets[name] = self.size
            self.size += math.prod(shape)
        self._mine = threading.local()
        self._owner = owner  # the engine, or the callback

    def run(self, a: Any = None, b: Any = None, c: Any = None, p: Any = None) -> dict[str, np.ndarray]:
        """Results by name for arrays of the inputs, ``(rows, LANES)`` for code for lanes; None for an unused input.

        Example:
            >>> from pilotage.models import bicycle
            >>> car = bicycle()
            >>> car.code("y").run([0.0, 0.0, 0.0, 2.0], [0.0, 0.0], 0.5, car.vector())["y"].tolist()
            [1.0, 0.0, 0.0, 2.0]
        """
        dtype = real_of(self.precision).dtype
        given = [np.ascontiguousarray([] if v is None else v, dtype=dtype) for v in (a, b, c, p)]
        tail = (self.lanes,) if self.lanes else ()
        out = np.empty((self.size, *tail), dtype)
        SIGNATURE(self.address)(*(v.ctypes.data for v in given), out.ctypes.data)
        self.check()
        return {
            name: out[k : k + math.prod(s)].reshape((*s, *tail))
            for (name, s), k in zip(self.shapes.items(), self.offsets.values(), strict=True)
        }

    @property
    def objects(self) -> Sequence[Any]:
        """Contexts that are no numbers, for this thread: machine code is handed their places in this list."""
        return getattr(self._mine, "objects", ())

    @objects.setter
    def objects(self, contexts: Sequence[Any]) -> None:
        self._mine.objects = contexts

    def check(self) -> None:
        """Raise what a model's own method raised while a driver ran; traced models raise nothing."""

    def __reduce__(self) -> Any:
        raise TypeError("machine code stays in its process; send the model, which compiles it again")


@cache
def _target() -> Any:
    with uninterrupted():
        import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    llvm.load_library_permanently("")  # the C library of this process
    return llvm


def assemble(text: str, name: str, shapes: Mapping[str, tuple[int, ...]], lanes: int = 0, real: Real = DOUBLE) -> Code:
    """Compile the function `name` of a module."""
    with _lock:
        for precision, width in products.called(text):
            _product(precision, width)
        engine = _engine(text, effort(text.count("\n"), lanes))
        return Code(engine.get_function_address(name), shapes, lanes, engine, real.precision)


def _engine(text: str, opt: int) -> Any:
    llvm = _target()
    machine = llvm.Target.from_default_triple().create_target_machine(
        opt=opt, cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten()
    )
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(text), machine)
    engine.finalize_object()
    return engine


@cache
def _product(precision: str, width: int) -> Any:
    """Compile a product of a matrix and a vector, once, and make it known to code that comes later."""
    real = real_of(precision)
    engine, name = _engine(products.module(width, real, registers()), 3), products.name(width, real)
    _target().add_symbol(name, engine.get_function_address(name))
    return engine


@cache
def registers() -> products.Registers:
    """The vector registers of this processor."""
    features = _target().get_host_cpu_features()
    if features.get("avx512f"):
        return products.Registers(512, 32)
    if features.get("avx"):
        return products.Registers(256, 16)
    return products.Registers(128, 32 if features.get("neon") else 16)


def effort(lines: int, lanes: int) -> int:
    """LLVM's level of optimisation for a module of so many lines: nobody should wait for its compiler."""
    if lines > HUGE and not lanes:
        return 0
    return 1 if lines > LARGE else 2


def unique(stem: str) -> str:
    """A name that no other function in this process has."""
    plain = "".join(c if c.isalnum() and c.isascii() else "_" for c in stem)
    return f"pilotage_{plain}_{next(_numbers)}"
