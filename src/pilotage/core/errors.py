"""The errors that Pilotage raises. Each message says what was given, what was expected and what to do."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Self


class PilotageError(Exception):
    """The base class of all errors that Pilotage raises.

    Attributes:
        status: the `FilterStatus` of a row of a batch that fails by this error; 0 if the batch fails as a whole.
    """

    status: int = 0

    def of_row(self, status: int) -> Self:
        """This error, by which a row of a batch fails with that status."""
        self.status = int(status)
        return self


class ShapeError(PilotageError, ValueError):
    """An array whose shape or content (NaN, infinity) does not fit its space."""


class SettingError(PilotageError, ValueError):
    """A setting of the wrong type or out of range: a negative radius, 2.5 samples, a class instead of a model.

    Attributes:
        setting: the setting with which the sentence begins, such as "samples of RRT"; empty if it begins otherwise.
    """

    setting: str = ""


class ArgumentError(SettingError, TypeError):
    """An argument that a function does not have, or one that it needs; a `TypeError`, too, as Python's own."""


class SpaceError(PilotageError, ValueError):
    """A malformed declaration of a space, or two spaces that do not match."""


class ModelError(PilotageError, ValueError):
    """A model that violates its contract: wrong number of outputs, unknown parameter, data-dependent `if`."""


class CovarianceError(PilotageError, ValueError):
    """A covariance that is not symmetric positive definite."""


class FormatError(PilotageError, ValueError):
    """A file that does not follow its format."""


class FormatWarning(UserWarning):
    """A file that follows its format, but hardly says what its writer meant."""


class MissingFile(PilotageError, FileNotFoundError):
    """A file to read, or a folder to write to, that does not exist."""


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
    """Import an optional `package`, or raise an error that says how to install it.

    Args:
        package: name to import, e.g. ``"gymnasium"``.
        extra: the extra of Pilotage that contains it, e.g. ``"envs"``.

    Raises:
        MissingExtra: if the package is not installed.

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
