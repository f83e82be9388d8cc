"""Every public estimator, planner, controller and model keeps its contract; one that nobody entered here is found."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from pilotage import control, estimators, models, planners
from pilotage.control import MPPI, PurePursuit, reach
from pilotage.core import Controller, Planner
from pilotage.estimators import EKF, KF, UKF, ParticleFilter
from pilotage.models import bicycle, unicycle
from pilotage.models.dynamics_family import DynamicsFamily
from pilotage.models.sensor_family import SensorFamily
from pilotage.planners import AStar, Dijkstra
from pilotage.testing import check_controller, check_estimator, check_planner

from ..models.registry import DYNAMICS, SENSORS

CAR = bicycle(wheelbase=2.0)
ESTIMATORS: dict[str, Callable[[], Any]] = {
    "KF": KF,
    "KF with a gate": lambda: KF(gate=0.9999),
    "EKF": EKF,
    "UKF": UKF,
    "UKF with a negative weight": lambda: UKF(alpha=0.3, kappa=0.0),
    "ParticleFilter": lambda: ParticleFilter(n=20_000),
    "ParticleFilter, multinomial": lambda: ParticleFilter(n=20_000, resampling="multinomial"),
}
PLANNERS: dict[str, Callable[[], Any]] = {
    "AStar": AStar,
    "AStar, weighted": lambda: AStar(weight=1.5),
    "AStar, 4-connected": lambda: AStar(connectivity=4),
    "Dijkstra": Dijkstra,
}
CONTROLLERS: dict[str, Callable[[], tuple[Any, Any]]] = {
    "MPPI": lambda: (
        MPPI(CAR, reach(CAR, {"x": 4.0, "y": 2.0, "yaw": 3.0}, dt=0.1), horizon=12, samples=200, rng=5),
        CAR,
    ),
    "PurePursuit": lambda: (PurePursuit(unicycle(), [[0.0, 0.0], [9.0, 3.0]]), unicycle()),
}


def public(room: ModuleType, *methods: str) -> set[str]:
    """Names of the public classes of a room that have these methods."""
    found = {name: getattr(room, name) for name in room.__all__}
    return {n for n, v in found.items() if inspect.isclass(v) and all(callable(getattr(v, m, None)) for m in methods)}


def entered(register: dict[str, Any]) -> set[str]:
    """The classes a register speaks of: the first word of each name."""
    return {name.replace(",", " ").split()[0] for name in register}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_estimators(name: str) -> None:
    check_estimator(ESTIMATORS[name](), angles=not name.startswith("KF"))


@pytest.mark.parametrize("name", PLANNERS)
def test_planners(name: str) -> None:
    check_planner(PLANNERS[name]())


@pytest.mark.parametrize("name", CONTROLLERS)
def test_controllers(name: str) -> None:
    check_controller(*CONTROLLERS[name]())


def test_nobody_is_missing() -> None:
    bound = {"Filter", "IMM"}  # what `start` returns is no estimator; the belief of IMM is over several spaces
    assert public(estimators, "predict", "update") - bound == entered(ESTIMATORS)
    assert public(planners, "plan") == entered(PLANNERS)
    assert public(control, "act", "reset") == entered(CONTROLLERS)
    for name, make in PLANNERS.items():
        assert isinstance(make(), Planner), name
    for name, pair in CONTROLLERS.items():
        assert isinstance(pair()[0], Controller), name


def test_no_model_is_missing() -> None:
    """The laws of dynamics and sensors run over these registers (tests/models)."""
    known = {name.split()[0].split(".")[0] for name in (*DYNAMICS, *SENSORS)}
    families = {n for n in models.__all__ if isinstance(getattr(models, n), (DynamicsFamily, SensorFamily))}
    assert {"bicycle", "compass"} <= families
    assert families <= known, f"not put to the laws: {families - known}"


def test_filters_of_one_seed_are_one() -> None:
    """`start` with a seed replays, for estimators that draw and for those that do not."""
    for estimator in (EKF(unicycle(), dt=0.1), UKF(unicycle(), dt=0.1), ParticleFilter(unicycle(), dt=0.1, n=200)):
        beliefs = []
        for _ in range(2):
            seeded = {"rng": 3} if isinstance(estimator, ParticleFilter) else {}
            filter = estimator.start(mean=[0.0, 0.0, 0.0], std=0.1, **seeded)
            filter.predict(u=[1.0, 0.3])
            filter.update(models.gnss(std=0.5), [0.1, 0.0])
            beliefs.append(filter.belief.moments())
        np.testing.assert_array_equal(beliefs[0].mean, beliefs[1].mean)
        np.testing.assert_array_equal(beliefs[0].cov, beliefs[1].cov)
