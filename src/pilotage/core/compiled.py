"""The contract of compiled code: the part of a model that machine code is made from, and what it needs to run.

Traced models (`pilotage.models`) keep it. Models that are no formula need not: algorithms call their methods.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from .arrays import Array


class MachineCode(Protocol):
    """Machine code that writes results one after another.

    Its signature is ``void f(double* a, double* b, double* c, double* p, double* out)``. Dynamics take a = x, b = u,
    c = dt; sensors a = x, b = context, c = z; tasks a = x, b = u, c = r; spaces a and b. p are the parameters
    (`Compiled.vector`). Code for lanes takes and writes arrays ``(rows, LANES)``, but for dt, r and p, which all lanes
    share. It may write over a, b and c.
    """

    address: int
    """The address where it begins; valid while this object lives."""
    size: int
    """The number of values that it writes, or rows of lanes."""
    offsets: dict[str, int]
    """The first number of each result."""
    shapes: dict[str, tuple[int, ...]]
    """Shape of each result."""

    def check(self) -> None:
        """Raise what a model's own method raised while machine code called it."""
        ...


@runtime_checkable
class Compiled(Protocol):
    """A model that has machine code."""

    def code(self, results: str, lanes: bool = False) -> MachineCode:
        """Code that writes these results, such as ``"y F Q"``, for one state or for lanes."""
        ...

    def vector(self, dt: float | None = None) -> Array:
        """The parameters that the code reads. `dt` matters where `parameters_depend_on_dt` is true."""
        ...

    def dependencies(self, result: str) -> frozenset[str]:
        """Names of the inputs that a result depends on; linear dynamics have an F that depends on dt and p at most."""
        ...
