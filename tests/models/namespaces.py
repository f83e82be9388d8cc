"""Other kinds of numbers that models run on: sympy's symbols, and floats of fifty digits."""

from __future__ import annotations

from typing import Any

import mpmath
import sympy

mpmath.mp.dps = 50


class SympyMath:
    """The mathematics of models on sympy expressions."""

    pi = sympy.pi
    sqrt, exp, log = staticmethod(sympy.sqrt), staticmethod(sympy.exp), staticmethod(sympy.log)
    sin, cos, tan = staticmethod(sympy.sin), staticmethod(sympy.cos), staticmethod(sympy.tan)
    asin, acos, atan = staticmethod(sympy.asin), staticmethod(sympy.acos), staticmethod(sympy.atan)
    sinh, cosh, tanh = staticmethod(sympy.sinh), staticmethod(sympy.cosh), staticmethod(sympy.tanh)
    atan2, abs, sign, floor = (
        staticmethod(sympy.atan2),
        staticmethod(sympy.Abs),
        staticmethod(sympy.sign),
        staticmethod(sympy.floor),
    )

    def hypot(self, a: Any, b: Any) -> Any:
        return sympy.sqrt(a**2 + b**2)

    def minimum(self, a: Any, b: Any) -> Any:
        return sympy.Piecewise((a, a <= b), (b, True))

    def maximum(self, a: Any, b: Any) -> Any:
        return sympy.Piecewise((a, a >= b), (b, True))

    def clip(self, a: Any, low: Any, high: Any) -> Any:
        return self.minimum(self.maximum(a, low), high)

    def where(self, condition: Any, a: Any, b: Any) -> Any:
        return sympy.Piecewise((a, condition), (b, True))

    def wrap(self, a: Any) -> Any:
        return a  # derivatives do not see whole turns


class LongMath:
    """The mathematics of models on floats of fifty digits, where differences over 1e-20 are exact to twenty digits."""

    pi = mpmath.pi
    sqrt, exp, log = staticmethod(mpmath.sqrt), staticmethod(mpmath.exp), staticmethod(mpmath.log)
    sin, cos, tan = staticmethod(mpmath.sin), staticmethod(mpmath.cos), staticmethod(mpmath.tan)
    asin, acos, atan = staticmethod(mpmath.asin), staticmethod(mpmath.acos), staticmethod(mpmath.atan)
    sinh, cosh, tanh = staticmethod(mpmath.sinh), staticmethod(mpmath.cosh), staticmethod(mpmath.tanh)
    atan2, hypot, abs, sign, floor = (
        staticmethod(mpmath.atan2),
        staticmethod(mpmath.hypot),
        staticmethod(mpmath.fabs),
        staticmethod(mpmath.sign),
        staticmethod(mpmath.floor),
    )
    minimum, maximum = staticmethod(min), staticmethod(max)

    def clip(self, a: Any, low: Any, high: Any) -> Any:
        return min(max(a, low), high)

    def where(self, condition: Any, a: Any, b: Any) -> Any:
        return a if condition else b

    def wrap(self, a: Any) -> Any:
        return a - 2 * mpmath.pi * mpmath.ceil((a - mpmath.pi) / (2 * mpmath.pi))


def long(values: Any) -> list[Any]:
    """Numbers with fifty digits."""
    return [mpmath.mpf(float(v)) for v in values]
