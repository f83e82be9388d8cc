"""The errors Pilotage raises. Every message says what was given, what was expected and what to do."""

from __future__ import annotations

import importlib
from types import ModuleType


class PilotageError(Exception):
    """Base of every error that Pilotage raises on purpose."""


class ShapeError(PilotageError, ValueError):
    """An array whose shape or content (NaN, infinity) does not fit the space it is meant for."""


class SettingError(PilotageError, ValueError):
    """A setting that is not of its kind or outside its range: a negative radius, 2.5 samples, a class for a model."""


class SpaceError(PilotageError, ValueError):
    """A space that is declared wrongly, or two spaces that do not fit each other."""


class ModelError(PilotageError, ValueError):
    """A model that breaks its contract: wrong number of outputs, unknown parameter, data-dependent `if`."""


class CovarianceError(PilotageError, ValueError):
    """A covariance that is not symmetric positive definite where it must be."""


class FormatError(PilotageError, ValueError):
    """A file that does not hold what its format promises."""


class MissingFile(PilotageError, FileNotFoundError):
    """A file that is not there, or a folder to write one into."""


class MissingExtra(PilotageError, ImportError):
    """An optional dependency that is not installed."""


def counted(count: int, noun: str) -> str:
    """A number of things, for messages.

    Example:
        >>> counted(1, "state"), counted(2048, "state")
        ('1 state', '2,048 states')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def require(package: str, extra: str) -> ModuleType:
    """Import an optional `package`, or say in one sentence how to install it.

    Args:
        package: name to import, e.g. ``"gymnasium"``.
        extra: the extra of Pilotage that brings it, e.g. ``"envs"``.

    Raises:
        MissingExtra: when the package cannot be found.

    Example:
        >>> require("math", extra="all").__name__
        'math'
    """
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != package.split(".")[0]:
            raise
        raise MissingExtra(
            f"{package} is not installed; it comes with the extra `{extra}`: pip install 'pilotage[{extra}]'"
        ) from error
