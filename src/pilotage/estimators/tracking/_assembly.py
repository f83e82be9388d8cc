"""The parts of a tracker, as they are given, made into those that it works with."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import numpy as np

from ...core import Gaussian, Mixture
from ...core.arrays import Array, numbers
from ...core.errors import SettingError, ShapeError
from ...core.settings import Interval, instance, setting
from ._independent import Independent
from ._life import Living
from ._state import Hypotheses, Method, Parts
from ._targets import Targets
from .association import Association
from .merging import Merging
from .reidentification import Reidentification
from .splitting import Splitting

Merge = Annotated[float, Interval(0.0, 1.0, "[)")]


def merging(given: Merging | float) -> Merging | None:
    """The rule by which tracks of one target are merged, from the rule or the probability of its ellipsoid."""
    if isinstance(given, Merging):
        return given
    within = setting(given, Merge, "merge of Tracker")
    return Merging(within) if within > 0.0 else None


def method(association: Any, parts: Parts, threshold: float) -> Method:
    """How a tracker with these parts takes in scans."""
    if isinstance(association, Hypotheses):
        return association.method(parts)
    rule = instance(association, Association, "Tracker")
    return Independent(parts, rule, parts.management or rule.management, threshold)


def fitting(birth: Any, targets: Targets) -> None:
    """Refuse a birth whose belief is none of the filter, before the first scan does."""
    belief = getattr(birth, "birth", None)
    if isinstance(belief, Gaussian) and not targets.alone:
        raise SettingError(
            f"birth of Tracker is {belief!r}, and the filter has {len(targets.spaces)} models; give a Mixture with a "
            "component on the state of each, such as `filter.first(std=...)`"
        )
    if isinstance(belief, Gaussian | Mixture):
        targets.packed(belief)


def ungated(filter: Any) -> Any:
    """The filter without a gate of its own: the tracker has one."""
    if getattr(filter, "gate", None) is not None:
        return replace(filter, gate=None)
    inner = getattr(filter, "filter", None)
    if isinstance(inner, tuple):
        return replace(filter, filter=tuple(ungated(each) for each in inner))
    return filter if inner is None else replace(filter, filter=ungated(inner))


def living(method: Method, parts: Parts, reidentify: Reidentification | None, split: Splitting | None) -> Living:
    """The method, with targets that are found again and that come out of others."""
    if split is not None:
        instance(split, Splitting, "Tracker")
    if reidentify is None:
        return Living(method, None, None, split)
    birth = instance(reidentify, Reidentification, "Tracker").birth
    birth = getattr(parts.initiation, "birth", None) if birth is None else birth
    if birth is None:
        raise SettingError(
            f"birth of Reidentification is None, and that of the tracker is {type(parts.initiation).__name__}; give "
            "where and how fast new targets are"
        )
    space, mean, cov = parts.targets.moments(parts.targets.pack(birth))
    return Living(method, Gaussian.trusted(space, mean[0], cov[0]), reidentify, split)


def directions(features: Any, count: int) -> Array:
    """Features ``(K, d)``, each of length one; 0 for those that are not known."""
    given = numbers(features, "features", missing=True)
    if given.ndim != 2 or len(given) != count:
        raise ShapeError(f"features have shape {given.shape}; expected ({count}, d), one row for each detection")
    length = np.linalg.norm(given, axis=-1, keepdims=True)
    return np.where(length > 0.0, given / np.where(length > 0.0, length, 1.0), 0.0)
