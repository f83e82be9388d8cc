"""The base of the blocks: a module that its settings rebuild."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple, get_type_hints

import torch

from ...core import ModelError, SettingError
from ...core.settings import by_name, setting


class Outputs(NamedTuple):
    """The outputs of the members of a network, by which a prediction tells what it does not know.

    Attributes:
        mean: mean of each member ``(members, ..., outputs)``; networks without members have one.
        log_variance: logarithm of the variance that each member expects of the targets, of the same shape; None of a
            network that does not tell.

    Example:
        >>> Outputs(torch.zeros(5, 7, 2)).mean.shape
        torch.Size([5, 7, 2])
    """

    mean: torch.Tensor
    log_variance: torch.Tensor | None = None


class Network(torch.nn.Module):
    """A module that its `settings` rebuild; each block is a subclass with a `recorded` constructor.

    Attributes:
        settings: arguments of the constructor.

    Example:
        >>> class Gain(Network):
        ...     @recorded
        ...     def __init__(self, start: float = 1.0) -> None:
        ...         self.gain = torch.nn.Parameter(torch.tensor(start))
        ...
        ...     def forward(self, features):
        ...         return self.gain * features
        >>> rebuilt(described(Gain(2.0))).settings
        {'start': 2.0}
    """

    kinds: ClassVar[dict[str, type[Network]]] = {}
    settings: dict[str, Any]

    def __init__(self) -> None:
        super().__init__()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        Network.kinds.setdefault(cls.__name__, cls)

    def predict(self, features: torch.Tensor) -> Outputs:
        """The outputs of all members for features ``(..., inputs)``, the same whether the module trains or not."""
        return Outputs(self(features)[None])


def recorded(constructor: Callable[..., None]) -> Callable[..., None]:
    """A constructor of a block: arguments are brought to their declared types and kept as `settings`.

    The initial weights come from the argument `seed`, if there is one; the caller's random stream does not change.
    Weights are float64, as everything else here; ``network.float()`` makes them float32.

    Raises:
        SettingError: if an argument does not fit its type, or has a wrong name.
    """
    signature = inspect.signature(constructor)

    @functools.wraps(constructor)
    def __init__(self: Network, *args: Any, **given: Any) -> None:
        if "settings" in self.__dict__:  # a subclass calls its base
            return constructor(self, *args, **given)
        torch.nn.Module.__init__(self)
        arguments = signature.bind(self, *args, **given)
        arguments.apply_defaults()
        kinds, who = _types(constructor), type(self).__name__
        values = {name: value for name, value in arguments.arguments.items() if name != "self"}
        values = {name: setting(value, kinds.get(name, Any), f"{name} of {who}") for name, value in values.items()}
        self.settings = {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(values.get("seed", 0))
            constructor(self, **values)
        self.double()

    return by_name(__init__)


@functools.cache
def _types(constructor: Callable[..., None]) -> dict[str, Any]:
    """The declared types of the arguments."""
    return get_type_hints(constructor, include_extras=True)


def described(network: torch.nn.Module) -> dict[str, Any] | None:
    """The kind and the settings of a network as JSON, blocks within it too; None if it has no settings."""
    settings = getattr(network, "settings", None)
    if not isinstance(settings, dict):
        return None
    return {"kind": type(network).__name__, **{name: _plain(value) for name, value in settings.items()}}


def _plain(value: Any) -> Any:
    return described(value) if isinstance(value, Network) else value


def rebuilt(settings: Mapping[str, Any]) -> Network:
    """The network with initial weights that `described` gave settings of.

    Raises:
        SettingError: if there is no such kind, or a setting is wrong.

    Example:
        >>> from pilotage.learning import MLP
        >>> rebuilt(described(MLP(3, 2, hidden=(8,)))).settings["hidden"]
        [8]
    """
    given: dict[str, Any] = {
        name: rebuilt(value) if isinstance(value, Mapping) else value for name, value in settings.items()
    }
    kind = given.pop("kind", "Ensemble" if "members" in given else "MLP")
    if kind not in Network.kinds:
        raise SettingError(f"there is no network {kind!r}; there are {', '.join(Network.kinds)}")
    return Network.kinds[kind](**given)


def predictions(network: torch.nn.Module, features: torch.Tensor) -> Outputs:
    """The outputs of the members of any module; one without members is its own.

    A module that is no block is asked for rows ``(N, inputs)``, because batch normalisation takes no other batches.

    Raises:
        ModelError: if a module answers with something else than a tensor.
    """
    if isinstance(network, Network):
        return network.predict(features)
    batch = features.shape[:-1]
    answer = network(features.reshape(math.prod(batch), features.shape[-1]))
    if not isinstance(answer, torch.Tensor):
        raise ModelError(
            f"the network gives a {type(answer).__name__}; expected a tensor of velocities, or as the network a "
            "GaussianHead, which gives variances too"
        )
    return Outputs(answer.reshape(1, *batch, *answer.shape[1:]))


def within(network: torch.nn.Module) -> torch.nn.Module:
    """The block that `torch.compile` has wrapped, which hides its `predict`; any other module as it is.

    Example:
        >>> from pilotage.learning import MLP
        >>> network = MLP(3, 2)
        >>> within(torch.compile(network, backend="eager")) is within(network) is network
        True
    """
    inside = getattr(network, "_orig_mod", None)
    return inside if isinstance(inside, Network) else network
