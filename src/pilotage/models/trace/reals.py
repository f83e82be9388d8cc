"""Number formats of machine code: floats of double and of single precision, one by one and in vectors."""

from __future__ import annotations

import ctypes
import math
import struct
from typing import NamedTuple

import numpy as np

from ...core.errors import SettingError


class Real(NamedTuple):
    """A floating-point format, and the bits of its numbers.

    Attributes:
        precision: the name of the precision.
        name, suffix: the names of the type and of its functions in the intermediate representation.
        library: the ending of the names of functions in the C library.
        bits: length of a number.
        fraction: how many of the bits are those of the fraction.
        bias: of the exponent.
        dtype: the type of numpy's arrays.
    """

    precision: str
    name: str
    suffix: str
    library: str
    bits: int
    fraction: int
    bias: int
    dtype: type[np.floating]

    @property
    def bytes(self) -> int:
        """The length of a number in memory."""
        return self.bits // 8

    def kind(self, condition: bool, width: int) -> str:
        """The type of a value."""
        return _vector("i1" if condition else self.name, width)

    def integers(self, width: int) -> str:
        """The type of integers as long as a float."""
        return _vector(f"i{self.bits}", width)

    def constant(self, value: float, width: int, condition: bool = False) -> str:
        """A number as an operand; the bits of it, for decimals would round."""
        if condition:
            text = "true" if value else "false"
        else:
            rounded = math.nan if value != value else self.rounded(value)
            (bits,) = struct.unpack("<Q", struct.pack("<d", rounded))
            text = f"0x{bits:016X}"
        return _repeated(self.kind(condition, 1), text, width)

    def integer(self, value: int, width: int) -> str:
        """A whole number as an operand."""
        return _repeated(f"i{self.bits}", str(value), width)

    def rounded(self, value: float) -> float:
        """The number of this format that is nearest to a value."""
        return ctypes.c_float(value).value if self.bits == 32 else value

    @property
    def words(self) -> tuple[dict[str, int], dict[str, float]]:
        """Whole numbers and floats that work on the bits of numbers."""
        hidden = 2.0**self.fraction
        ones = {"fraction": self.fraction, "mask": 2**self.fraction - 1, "one": self.bias << self.fraction}
        ones["large"] = (self.bias + self.fraction) << self.fraction
        return ones, {"shift": 1.5 * hidden + self.bias, "above": hidden + self.bias}


DOUBLE = Real("double", "double", "f64", "", 64, 52, 1023, np.float64)
SINGLE = Real("single", "float", "f32", "f", 32, 23, 127, np.float32)
PRECISIONS = {real.precision: real for real in (DOUBLE, SINGLE)}


def real_of(precision: str) -> Real:
    """The number format of a precision.

    Raises:
        SettingError: for any other word than "double" and "single".

    Example:
        >>> real_of("single").dtype
        <class 'numpy.float32'>
    """
    if precision not in PRECISIONS:
        raise SettingError(f"precision is {precision!r}; expected {' or '.join(map(repr, PRECISIONS))}")
    return PRECISIONS[precision]


BITS = {
    # Added to 1.5 * 2^fraction a whole number stands in the low bits of the sum; moved up it is the exponent of 2^k.
    "power_of_two": (
        "fadd {t} {a}, {shift}", "bitcast {t} {a} to {i}", "shl {i} {a}, {fraction}", "bitcast {i} {a} to {t}",
    ),
    # The exponent's bits, set into the mantissa of 2^fraction, are a float that much larger than the exponent.
    "exponent": (
        "bitcast {t} {a} to {i}", "lshr {i} {a}, {fraction}", "or {i} {a}, {large}", "bitcast {i} {a} to {t}",
        "fsub {t} {a}, {above}",
    ),
    "mantissa": ("bitcast {t} {a} to {i}", "and {i} {a}, {mask}", "or {i} {a}, {one}", "bitcast {i} {a} to {t}"),
}  # fmt: skip
"""Functions of the bits of a float, an instruction a line; each works on the result of the one before."""


def _vector(scalar: str, width: int) -> str:
    return f"<{width} x {scalar}>" if width > 1 else scalar


def _repeated(kind: str, text: str, width: int) -> str:
    return f"<{', '.join([f'{kind} {text}'] * width)}>" if width > 1 else text
