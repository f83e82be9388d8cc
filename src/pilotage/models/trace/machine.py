"""Machine code in memory: LLVM compiles the intermediate representation, and an object keeps it alive."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Mapping
from functools import cache
from typing import Any

_lock = threading.Lock()
_numbers = itertools.count()
LARGE = 1_000
"""Lines of a function above which LLVM schedules instructions less carefully, which halves its time."""


class Code:
    """Machine code that writes named results one after another: ``void f(a, b, c, p, out)``.

    Attributes:
        address: where it begins. It is valid while this object lives.
        size: how many numbers it writes (a row of lanes each, where it is code for lanes).
        shapes: shape of each result, ``()`` for one number.
        offsets: the first number of each result.
    """

    def __init__(self, address: int, shapes: Mapping[str, tuple[int, ...]], owner: Any) -> None:
        self.address = address
        self.shapes = dict(shapes)
        self.offsets: dict[str, int] = {}
        self.size = 0
        for name, shape in self.shapes.items():
            self.offsets[name] = self.size
            count = 1
            for n in shape:
                count *= n
            self.size += count
        self._owner = owner  # the engine, or the callback

    def check(self) -> None:
        """Raise what a model's own method raised while a driver ran; traced models raise nothing."""

    def __reduce__(self) -> Any:
        raise TypeError("machine code stays in its process; send the model, which makes it anew")


@cache
def _target() -> Any:
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    llvm.load_library_permanently("")  # the C library of this process
    return llvm


def assemble(text: str, name: str, shapes: Mapping[str, tuple[int, ...]]) -> Code:
    """Compile the function `name` of a module."""
    with _lock:
        llvm = _target()
        machine = llvm.Target.from_default_triple().create_target_machine(
            opt=1 if text.count("\n") > LARGE else 2,
            cpu=llvm.get_host_cpu_name(),
            features=llvm.get_host_cpu_features().flatten(),
        )
        module = llvm.parse_assembly(text)
        # The text is straight-line code without common subexpressions: there is little left to find in it.
        options = llvm.create_pipeline_tuning_options(speed_level=1)
        options.loop_vectorization = options.slp_vectorization = options.loop_unrolling = False
        passes = llvm.create_pass_builder(machine, options)
        passes.getModulePassManager().run(module, passes)
        engine = llvm.create_mcjit_compiler(module, machine)
        engine.finalize_object()
        return Code(engine.get_function_address(name), shapes, engine)


def unique(stem: str) -> str:
    """A name that no other function in this process has."""
    plain = "".join(c if c.isalnum() and c.isascii() else "_" for c in stem)
    return f"pilotage_{plain}_{next(_numbers)}"

