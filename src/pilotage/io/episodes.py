"""Episodes of an environment or a robot as plain values: what data sets for learning are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotage.core.errors import ShapeError

Data = NDArray[Any]
PER_STEP = ("actions", "rewards", "terminations", "truncations")


@dataclass(frozen=True, eq=False, repr=False)
class Episode:
    """An episode of T steps.

    Attributes:
        observations: ``(T+1, ...)`` of any numeric type, or a mapping from names to such arrays; the last one is what
            was seen after the last action.
        actions: ``(T, ...)``.
        rewards: ``(T,)``.
        terminations, truncations: whether the episode ended there, by itself or from outside, ``(T,)``.
        seed: seed of the episode, or None.

    Raises:
        ShapeError: if lengths do not match, or values are no numbers.

    Example:
        >>> Episode(np.zeros((4, 2)), np.zeros((3, 1)), np.zeros(3), [False] * 3, [False, False, True])
        Episode(3 steps)
    """

    observations: Data | Mapping[str, Data]
    actions: Data
    rewards: Data
    terminations: Data
    truncations: Data
    seed: int | None = None

    def __post_init__(self) -> None:
        for name, dtype in zip(PER_STEP, (None, None, np.bool_, np.bool_), strict=True):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=dtype))
        seen = self.observations
        named = {key: np.asarray(each) for key, each in seen.items()} if isinstance(seen, Mapping) else np.asarray(seen)
        object.__setattr__(self, "observations", named)
        for name, each in self.arrays().items():
            expected = len(self) + name.startswith("observations")
            if each.dtype.kind not in "fiub" or each.ndim == 0 or len(each) != expected:
                raise ShapeError(
                    f"{name} of an episode have shape {each.shape} and type {each.dtype}; expected {expected} rows of "
                    f"numbers, as there are {len(self)} rewards"
                )

    def __len__(self) -> int:
        return len(self.rewards)

    def arrays(self) -> dict[str, Data]:
        """All arrays by name; observations of several names as ``observations/NAME``.

        Example:
            >>> one = Episode({"eye": np.zeros((3, 8))}, np.zeros((2, 1)), np.zeros(2), [False] * 2, [False] * 2)
            >>> list(one.arrays())
            ['observations/eye', 'actions', 'rewards', 'terminations', 'truncations']
        """
        seen = self.observations
        named = {f"observations/{key}": a for key, a in seen.items()} if isinstance(seen, Mapping) else {
            "observations": seen
        }  # fmt: skip
        return {**named, **{name: getattr(self, name) for name in PER_STEP}}

    @classmethod
    def of(cls, arrays: Mapping[str, Data], seed: int | None = None) -> Episode:
        """The episode of `arrays`."""
        inner = {name.partition("/")[2]: a for name, a in arrays.items() if name.startswith("observations/")}
        actions, rewards, terminations, truncations = (arrays[name] for name in PER_STEP)
        return cls(inner or arrays["observations"], actions, rewards, terminations, truncations, seed)

    def __repr__(self) -> str:
        return f"Episode({len(self)} steps)"
