"""The words of the command line in what the package says, and numbers without the noise of rounding."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np

DIGITS = 9
"""Digits behind the point of numbers that are written: a nanometre."""


def spelled(sentence: str, command: Callable[..., Any], setting: str = "") -> str:
    """A sentence of the package with the options of a command in place of arguments.

    Args:
        sentence: the sentence; arguments are named in it as ``resolution=``, with a value or without.
        command: the function of the command, whose parameters are its options.
        setting: a setting with which the sentence begins; see `SettingError.setting`.

    Example:
        >>> def drive(*, max_speed: float, way: str) -> None: ...
        >>> spelled('max_speed is -1; way="back" is for going back', drive, "max_speed")
        '--max-speed is -1; --way back is for going back'
    """
    for name in inspect.signature(command).parameters:
        option = f"--{name.replace('_', '-')}"
        if name == setting:
            sentence = re.sub(rf"\A{name}\b", option, sentence)
        sentence = re.sub(
            rf'\b{name}=("?)([\w.+-]*)\1',
            lambda found, option=option: option if found[2] in ("", "True") else f"{option} {found[2]}",
            sentence,
        )
    return sentence


def rounded(value: Any) -> Any:
    """Plain values for JSON, with numbers rounded to `DIGITS`.

    Example:
        >>> rounded({"size": (2.8000000000000007, np.int64(3))})
        {'size': [2.8, 3]}
    """
    if isinstance(value, dict):
        return {name: rounded(each) for name, each in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [rounded(each) for each in value]
    value = value.item() if isinstance(value, np.generic) else value
    return round(value, DIGITS) if isinstance(value, float) else value


def finite(value: Any) -> Any:
    """Plain values for JSON, in which numbers that are not finite are null.

    Example:
        >>> finite({"cost": (1.5, float("nan"))})
        {'cost': [1.5, None]}
    """
    if isinstance(value, dict):
        return {name: finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
