"""The contract between models and compiled code.

Traced models (`pilotage.models`) fulfil it. Other models need not: algorithms call their methods instead.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from .arrays import Array


class MachineCode(Protocol):
    """Machine code that writes several results one after another.

    Its signature is ``void f(double* a, double* b, double* c, double* p, double* out)``, with `float` in place of
    `double` for code of single precision. Dynamics take a = x, b = u,
    c = dt; sensors a = x, b = context, c = z; tasks a = x, b = u, c = r; spaces a and b. p holds the parameters
    (`Compiled.vector`). Code for lanes takes and writes arrays ``(rows, LANES)``, except for dt, r and p, which all
    lanes share. The code may overwrite a, b and c.
    """

    address: int
    """The address of the code, valid as long as this object exists."""
    size: int
    """The number of values that it writes, or of rows for lanes."""
    offsets: dict[str, int]
    """The index of the first number of each result."""
    shapes: dict[str, tuple[int, ...]]
    """Shape of each result."""

    def check(self) -> None:
        """Raise the error that a model's own method raised while machine code called it."""
        ...


@runtime_checkable
class Compiled(Protocol):
    """A model that can be compiled to machine code."""

    def code(self, results: str, lanes: bool = False, precision: str = "double") -> MachineCode:
        """Machine code that writes these results, such as ``"y F Q"``, for one state or for lanes.

        With the precision "single", which only code for lanes has, all arrays are of type float32, shared ones too.
        """
        ...

    def vector(self, dt: float | None = None) -> Array:
        """The parameters that the code reads. They depend on `dt` if `parameters_depend_on_dt` is true."""
        ...

    def dependencies(self, result: str) -> frozenset[str]:
        """Names of the inputs that a result depends on; linear dynamics have an F that depends on dt and p at most."""
        ...
