"""From a function of scalar components to batches, exact derivatives and machine code; and drivers that run it."""

from ._access import ParameterMemory as ParameterMemory
from ._access import code_of as code_of
from ._access import parameters as parameters
from .driver import Driver as Driver
from .driver import Intrinsic as Intrinsic
from .driver import call as call
from .driver import driver as driver
from .function import Function as Function
from .llvm import LANES as LANES
from .machine import Code as Code
from .reals import real_of as real_of

__all__ = [
    "LANES",
    "Code",
    "Driver",
    "Function",
    "Intrinsic",
    "ParameterMemory",
    "call",
    "code_of",
    "driver",
    "parameters",
    "real_of",
]
