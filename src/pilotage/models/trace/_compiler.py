"""numba behind `driver`: the intrinsic that calls machine code, the cache on disk, and the compiling of drivers."""

# pyright: basic

from __future__ import annotations

import functools
import logging
import time
from types import FunctionType
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.core import boxing, sigutils  # noqa: F401  # boxing is imported late otherwise
from numba.core.caching import FunctionCache
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
from numba.core.registry import cpu_target
from numba.extending import intrinsic

from .driver import Call, Driver, Intrinsic

_target: Any = cpu_target.target_context
_target.refresh()  # imports the rest of numba, as the first compilation does otherwise

logger = logging.getLogger("pilotage")

STRICT = {"contract", "nsz"}
FAST = STRICT | {"arcp", "reassoc", "afn"}


@intrinsic
def call_address(typing_context, address, a, b, c, p, out):
    """Call ``void f(double*, double*, double*, double*, double*)`` at an address."""
    signature = types.void(address, a, b, c, p, out)

    def pointer(context: Any, builder: Any, kind: Any, value: Any) -> Any:
        if isinstance(kind, types.Integer):
            return builder.inttoptr(value, ir.PointerType(ir.DoubleType()))
        return context.make_array(kind)(context, builder, value).data

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        double = ir.PointerType(ir.DoubleType())
        function = ir.FunctionType(ir.VoidType(), [double] * 5)
        target = builder.inttoptr(args[0], function.as_pointer())
        kinds = signature.args[1:]
        pointers = [pointer(context, builder, k, v) for k, v in zip(kinds, args[1:], strict=True)]
        builder.call(target, [builder.bitcast(each, double) for each in pointers])
        return context.get_dummy_value()

    return signature, generate


class Cache(FunctionCache):
    """The compiled form of a driver, on disk. A file that cannot be read is announced and compiled again."""

    def __init__(self, function: FunctionType, driver: Driver) -> None:
        super().__init__(function)
        self._cache_file._source_stamp = driver.stamp  # in place of that of one file
        self._title = f"{driver.__name__} of {driver.__module__}"
        self._began = 0.0

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            found = super().load_overload(sig, target_context)
        except Exception:  # a damaged file may raise anything when it is unpickled
            logger.info("compiled code of %s could not be read from disk", self._title, exc_info=True)
            self.flush()
            found = None
        if found is None:
            self._began = time.perf_counter()
            logger.info("compiling %s; the first time takes some seconds", self._title, extra={"stage": "begun"})
        return found

    def save_overload(self, sig: Any, data: Any) -> None:
        took = time.perf_counter() - self._began
        logger.info("compiled %s in %.1f s", self._title, took, extra={"stage": "done"})
        try:
            super().save_overload(sig, data)
        except OSError:
            logger.info("compiled code of %s could not be kept on disk", self._title, exc_info=True)


class Part(JITCodeLibrary):
    """Code of a helper. The entry point that it is linked into optimises it and makes machine code of it, once."""

    def _optimize_final_module(self) -> None:
        """Leave it as it is."""

    def _finalize_final_module(self) -> None:
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        return 0  # there is no machine code

    @property
    def codegen(self) -> Any:
        return self

    def set_env(self, name: str, env: Any) -> None:
        """Leave it out: no driver reads its environment, the Python objects of a function."""


class Whole(JITCodeLibrary):
    """Code of an entry point and its helpers, optimised twice: the second time, what is small by then is inlined."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.enable_object_caching()

    def _optimize_final_module(self) -> None:
        super()._optimize_final_module()
        manager, builder = self._codegen._module_pass_manager()
        manager.run(self._final_module, builder)


class WholeCompiler(Compiler):
    """The compiler of entry points."""

    library: type[JITCodeLibrary] = Whole

    def define_pipelines(self) -> list[Any]:
        self.state.library = self.library(self.state.targetctx.codegen(), self.state.func_id.func_qualname)
        return super().define_pipelines()


class PartCompiler(WholeCompiler):
    """The compiler of helpers."""

    library = Part


def dispatcher(driver: Driver) -> Any:
    """The numba function of a driver, with the drivers that it calls in place of their names; nothing is compiled."""
    if "dispatcher" in driver.__dict__:
        return driver.__dict__["dispatcher"]
    f = driver.function
    seen = dict(f.__globals__)
    for name in f.__code__.co_names:
        value = driver.seen(name)
        if isinstance(value, Driver):
            seen[name] = dispatcher(value)
        elif isinstance(value, Call):
            seen[name] = call_address
        elif isinstance(value, Intrinsic):
            seen[name] = value.load()
        elif value is not None:
            seen[name] = value
    function = FunctionType(f.__code__, seen, driver.__name__, f.__defaults__, f.__closure__)
    function.__qualname__ = driver.__name__ if driver.filled else f.__qualname__  # by which numba names its files
    function.__module__, function.__doc__ = f.__module__, f.__doc__
    made: Any = njit(**settings(driver, driver.signatures == ()))(function)
    driver.__dict__["dispatcher"] = made
    return made


def settings(driver: Driver, helper: bool) -> dict[str, Any]:
    """Options of numba; helpers, which only drivers call, get no ways in from Python and C."""
    options = driver.options
    chosen: dict[str, Any] = {"error_model": "numpy", "fastmath": FAST if options["fast"] else STRICT}
    chosen |= {"nogil": options["nogil"], "inline": "always" if options["inline"] else "never"}
    chosen |= {} if options["heap"] else {"_nrt": False}
    inner = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "pipeline_class": PartCompiler}
    return chosen | (inner if helper else {"pipeline_class": WholeCompiler})


def compiled(driver: Driver) -> Any:
    """A driver, compiled or loaded from disk; one of several signatures compiles each when it is first called."""
    made = dispatcher(driver)
    if not driver.signatures:  # of a helper, one that Python can call is compiled besides
        return njit(**settings(driver, helper=False))(made.py_func)
    try:
        made._cache = Cache(made.py_func, driver)
    except RuntimeError:  # there is no folder to write to
        logger.info("compiled code of %s cannot be kept on disk", driver.__name__, exc_info=True)
    if len(driver.signatures) == 1:
        warm(driver, made)
    else:
        made._compile_for_args = functools.partial(_called, driver, made)
    return made


def _called(driver: Driver, made: Any, *arguments: Any) -> Any:
    """Compile the first signature that takes these arguments: what numba calls where it finds no exact match."""
    given = [made.typeof_pyval(a) for a in arguments]
    for signature in driver.signatures:
        wanted = sigutils.normalize_signature(signature)[0]
        if len(given) == len(wanted) and None not in map(made.typingctx.can_convert, given, wanted):
            return made.compile(signature)
    raise TypeError(f"{driver.__name__} takes {' or '.join(driver.signatures)}; {given} was given")


def warm(driver: Driver, made: Any = None) -> None:
    """Compile a driver for all of its signatures."""
    made = driver.compiled if made is None else made
    if len(made.overloads) < len(driver.signatures):  # else all are there
        for signature in driver.signatures:
            made.compile(signature)
        made.disable_compile()


def address(driver: Driver) -> int:
    """The address of an entry point's machine code."""
    made = driver.compiled
    found = made.overloads[made.nopython_signatures[0].args]
    return int(found.library.get_pointer_to_function(found.fndesc.llvm_cfunc_wrapper_name))


def on_disk(driver: Driver) -> bool:
    """Whether the compiled code of an entry point can be loaded."""
    try:
        cache = Cache(dispatcher(driver).py_func, driver)
        return len(cache._cache_file._load_index()) >= len(driver.signatures)
    except Exception:  # no folder, no file, or a damaged one
        return False
