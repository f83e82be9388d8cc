"""Every public estimator, planner, controller and model keeps its contract; one that nobody entered here is found."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import pilotage
from pilotage import models
from pilotage.control import (
    CEM,
    ICEM,
    ILQR,
    LQG,
    LQR,
    MPPI,
    PID,
    SQP,
    DelayCompensation,
    FeedbackLinearization,
    GradientMPC,
    LinearMPC,
    PathTracker,
    PredictiveSampling,
    PurePursuit,
    RecedingHorizon,
    RegulatedPurePursuit,
    SpaceTimePursuit,
    Stanley,
    StateFeedback,
    Steering,
    TrackAvoidance,
    TrackingLQR,
    TrailerBacking,
    TubeMPC,
    reach,
)
from pilotage.control.sampling.mppi import PathIntegral
from pilotage.core import Controller, Mixture, Plan, Planner, PlanStatus, Space
from pilotage.core.errors import MissingExtra
from pilotage.estimators import (
    CKF,
    EKF,
    GHKF,
    GPB1,
    GPB2,
    IEKF,
    IMM,
    KF,
    UKF,
    AdaptiveEKF,
    AuxiliaryParticleFilter,
    EnsembleKF,
    FadingEKF,
    GuidedParticleFilter,
    InformationKF,
    InvariantEKF,
    Luenberger,
    MultipleModel,
    ParticleFilter,
    RaoBlackwellizedParticleFilter,
    SchmidtEKF,
    SimplexPoints,
    SquareRootEKF,
    SquareRootKF,
    SquareRootUKF,
    VariationalEKF,
)
from pilotage.estimators.localization import HistogramFilter, LandmarkLocalization, MonteCarloLocalization
from pilotage.estimators.tracking import PDA
from pilotage.maps import OccupancyGrid
from pilotage.models import LinearDynamics, LinearSensor, bicycle, pendulum, quadrotor, truck, unicycle
from pilotage.models.trace.dynamics import DynamicsFamily
from pilotage.models.trace.sensor import SensorFamily
from pilotage.planners import (
    PRM,
    RRT,
    SST,
    ARAStar,
    AStar,
    Bidirectional,
    BITStar,
    BreadthFirst,
    DepthFirst,
    Dijkstra,
    DStarLite,
    FrenetPlanner,
    GreedyBestFirst,
    HybridAStar,
    InformedRRTStar,
    JumpPointSearch,
    KinodynamicRRT,
    LazyPRM,
    LazyThetaStar,
    PRMStar,
    ReedsShepp,
    RRTConnect,
    RRTStar,
    SpaceTimeAStar,
    StateLattice,
    ThetaStar,
)
from pilotage.testing import check_controller, check_estimator, check_planner

from ..estimators.linear import at_rest
from ..models.registry import DYNAMICS, SENSORS
from ..planners.vehicles import ROAD, in_room, on_road


class EqualModes:
    """A filter of two modes that both move by the dynamics that the contract gives: then it is the filter of each."""

    own_contexts = False

    def __init__(self, kind: Any, filter: Any) -> None:
        switching = () if kind is MultipleModel else ([[0.9, 0.1], [0.3, 0.7]],)
        self.make = lambda dynamics: kind((dynamics, dynamics), *switching, 0.1, filter)

    def modes(self, belief: Any, dynamics: Any) -> tuple[Any, Any]:
        """The filter for these dynamics, and a belief as one of its modes."""
        modes = belief if isinstance(belief, Mixture) else Mixture([belief, belief], np.log([0.8, 0.2]))
        return self.make(dynamics), modes

    def predict(self, belief: Any, dynamics: Any, u: Any, dt: float) -> Any:
        own, modes = self.modes(belief, dynamics)
        return own.predict(modes, u=u, dt=dt)

    def expect(self, belief: Any, sensor: Any, context: Any = None) -> Any:
        own, modes = self.modes(belief, at_rest(belief.space))
        return own.expect(modes, sensor, context)

    def update(self, belief: Any, sensor: Any, z: Any, context: Any = None) -> Any:
        own, modes = self.modes(belief, at_rest(belief.space))
        return own.update(modes, sensor, z, context)


class SureDetections:
    """PDA whose scans hold the target's detection and nothing else: then it is the filter within."""

    own_contexts = False

    def __init__(self, filter: Any) -> None:
        self.pda = PDA(filter=filter, detection=1.0, clutter=0.0)
        self.predict, self.expect = self.pda.predict, self.pda.expect

    def update(self, belief: Any, sensor: Any, z: Any, context: Any = None) -> Any:
        return self.pda.update(belief, sensor, np.asarray(z)[..., None, :], context)


CAR = bicycle(wheelbase=2.0)
CART = LinearDynamics([[0, 1], [0, 0]], [[0], [1]], Qc=[0, 0.2], state=Space("x [m]", "vx [m/s]"))
FIELD = OccupancyGrid.from_occupied(np.pad(np.zeros((398, 398)), 1, constant_values=1), 0.1, (-20.0, -20.0, 0.0))
ESTIMATORS: dict[str, Callable[[], Any]] = {
    "KF": KF,
    "KF with a gate": lambda: KF(gate=0.9999),
    "EKF": EKF,
    "IEKF": IEKF,
    "FadingEKF": lambda: FadingEKF(alpha=1.0),
    "SchmidtEKF": SchmidtEKF,
    "InvariantEKF": InvariantEKF,
    "UKF": UKF,
    "UKF with a simplex": lambda: UKF(points=SimplexPoints()),
    "CKF": CKF,
    "SquareRootEKF": SquareRootEKF,
    "SquareRootKF": SquareRootKF,
    "SquareRootUKF": SquareRootUKF,
    "InformationKF": InformationKF,
    # Sure of what models say of their noise: then they are the EKF.
    "AdaptiveEKF": lambda: AdaptiveEKF(window=1e12, trust=1e12),
    "AdaptiveEKF of Q": lambda: AdaptiveEKF(window=1e12, adapts="Q"),
    "VariationalEKF": lambda: VariationalEKF(trust=1e12, forgetting=1.0),
    "GHKF": GHKF,
    # On the cart of the contract, whose readings it takes with a gain of its own.
    "Luenberger": lambda: Luenberger(CART, poles=(-2.0, -3.0), dt=0.1),
    "UKF with a negative weight": lambda: UKF(alpha=0.3, kappa=0.0),
    "ParticleFilter": lambda: ParticleFilter(n=20_000),
    "EnsembleKF": lambda: EnsembleKF(n=20_000),
    "ParticleFilter, multinomial": lambda: ParticleFilter(n=20_000, resampling="multinomial"),
    "AuxiliaryParticleFilter": lambda: AuxiliaryParticleFilter(n=20_000),
    "GuidedParticleFilter": lambda: GuidedParticleFilter(n=5_000),
    "GuidedParticleFilter by UKFs": lambda: GuidedParticleFilter(n=5_000, filter=UKF()),
    "RaoBlackwellizedParticleFilter": lambda: RaoBlackwellizedParticleFilter(n=2_000),
    "IMM of EKFs": lambda: EqualModes(IMM, EKF()),
    "IMM of IEKFs": lambda: EqualModes(IMM, IEKF()),
    "IMM of SquareRootUKFs": lambda: EqualModes(IMM, SquareRootUKF()),
    "IMM of UKFs": lambda: EqualModes(IMM, UKF()),
    "IMM of a UKF and a SquareRootEKF": lambda: EqualModes(IMM, (UKF(), SquareRootEKF())),
    "GPB1 of EKFs": lambda: EqualModes(GPB1, EKF()),
    "GPB2 of EKFs": lambda: EqualModes(GPB2, EKF()),
    "MultipleModel of EKFs": lambda: EqualModes(MultipleModel, EKF()),
    "PDA of KFs": lambda: SureDetections(KF()),
    "PDA of EKFs": lambda: SureDetections(EKF()),
    "PDA of IEKFs": lambda: SureDetections(IEKF()),
    "PDA of UKFs": lambda: SureDetections(UKF()),
    # Without what makes it differ on purpose: trust in readings, independence of readings, and recovery.
    "MonteCarloLocalization": lambda: MonteCarloLocalization(
        FIELD, particles=(20_000, 20_000), power=1.0, independent=(0.0, 0.0), kidnapped=0.0
    ),
    "HistogramFilter": lambda: HistogramFilter(
        {"x": (-6.0, 6.0, 240), "vx": (-3.0, 3.0, 120), "y": (-0.6, 0.6, 12), "yaw": 180}
    ),
    "LandmarkLocalization": lambda: LandmarkLocalization(np.array([[5.0, 0.0]])),
    "LandmarkLocalization of UKFs": lambda: LandmarkLocalization(np.array([[5.0, 0.0]]), filter=UKF()),
}
POINT = LinearDynamics(
    np.zeros((2, 2)), np.eye(2), state=Space("x y [m]"), action=Space("vx vy [m/s] in [-1, 1]"), Qc=np.zeros(2)
)
PLANNERS: dict[str, Callable[[], Any]] = {
    "AStar": AStar,
    "AStar, weighted": lambda: AStar(weight=1.5),
    "AStar, 4-connected": lambda: AStar(connectivity=4),
    "Dijkstra": Dijkstra,
    "JumpPointSearch": JumpPointSearch,
    "ARAStar": ARAStar,
    "Bidirectional": Bidirectional,
    "Bidirectional, without heuristic": lambda: Bidirectional(heuristic=False),
    "BreadthFirst": BreadthFirst,
    "DepthFirst": DepthFirst,
    "DStarLite": DStarLite,
    "GreedyBestFirst": GreedyBestFirst,
    "LazyThetaStar": LazyThetaStar,
    "ThetaStar": ThetaStar,
    "RRTConnect": lambda: RRTConnect(samples=5000),
    "RRT": lambda: RRT(iterations=5000),
    "RRT, halton": lambda: RRT(iterations=5000, samples="halton"),
    "RRTStar": lambda: RRTStar(iterations=2000),
    "RRTStar by radius, halton": lambda: RRTStar(iterations=2000, neighbours="radius", samples="halton"),
    "InformedRRTStar": lambda: InformedRRTStar(iterations=2000),
    "BITStar": lambda: BITStar(iterations=1000),
    "PRM": lambda: PRM(size=500),
    "PRMStar": lambda: PRMStar(size=500),
    "LazyPRM": lambda: LazyPRM(size=500),
    # Of a point that moves in any direction.
    "KinodynamicRRT": lambda: KinodynamicRRT(POINT, tolerance=0.5, iterations=3000),
    "SST": lambda: SST(POINT, tolerance=0.5, iterations=5000),
    "SpaceTimeAStar": SpaceTimeAStar,
    "SpaceTimeAStar, 4-connected": lambda: SpaceTimeAStar(connectivity=4),
    "HybridAStar": lambda: HybridAStar(ReedsShepp(0.8)),
    "HybridAStar, weight 1": lambda: HybridAStar(ReedsShepp(0.8), weight=1.0),
    "StateLattice": lambda: StateLattice(ReedsShepp(0.8)),
    "FrenetPlanner": lambda: FrenetPlanner(ROAD, speed=10.0),
    "FrenetPlanner, over the length": lambda: FrenetPlanner(ROAD, speed=10.0, over="length"),
}
VEHICLES = ("HybridAStar", "StateLattice")
"""Planners of poses, which the contract gives a problem of a vehicle."""
ROD, DRONE, TRUCK = pendulum(), quadrotor(), truck()
STATE = LinearSensor(np.eye(2), R=[1e-4, 1e-4], state=CART.state, reading=CART.state)
HANGING = Plan(PlanStatus.SOLVED, ROD.state, np.zeros((5, 2)), np.zeros((4, 1)), 0.1 * np.arange(5))


def circle(t: float) -> Any:
    return [[np.sin(t), 1.0 - np.cos(t)], [np.cos(t), np.sin(t)], [-np.sin(t), np.cos(t)]]


CONTROLLERS: dict[str, Callable[[], tuple[Any, Any]]] = {
    "ILQR": lambda: (ILQR(CAR, reach(CAR, {"x": 4.0, "y": 2.0, "yaw": 3.0}, dt=0.1), horizon=12), CAR),
    "LinearMPC": lambda: (LinearMPC(POINT, [1.0, 2.0], bounds={"x": (-3.0, 1.5)}, rates={"vx": (-9.0, 5.0)}), POINT),
    "LinearMPC along the plan": lambda: (LinearMPC(CAR, [4.0, 1.0, 0.2, 1.0], P=1.0, relinearize=True), CAR),
    "TubeMPC": lambda: (TubeMPC(LinearMPC(POINT, [1.0, 2.0]), risk=0.1), POINT),
    "RecedingHorizon": lambda: (
        RecedingHorizon(CAR, reach(CAR, {"x": 4.0, "y": 2.0}), PathIntegral(100), horizon=9, rng=2),
        CAR,
    ),
    "MPPI": lambda: (
        MPPI(CAR, reach(CAR, {"x": 4.0, "y": 2.0, "yaw": 3.0}, dt=0.1), horizon=12, samples=200, rng=5),
        CAR,
    ),
    "CEM": lambda: (CEM(CAR, reach(CAR, {"x": 4.0, "y": 2.0}), horizon=12, samples=100, rng=5), CAR),
    "ICEM": lambda: (ICEM(CAR, reach(CAR, {"x": 4.0, "y": 2.0}), horizon=12, samples=64, rng=5), CAR),
    "PredictiveSampling": lambda: (PredictiveSampling(CAR, reach(CAR, {"x": 4.0, "y": 2.0}), horizon=12, rng=5), CAR),
    "GradientMPC": lambda: (GradientMPC(CAR, reach(CAR, {"x": 4.0, "y": 2.0}), horizon=12), CAR),
    "SQP": lambda: (SQP(CAR, reach(CAR, {"x": 4.0, "y": 2.0, "yaw": 3.0}, dt=0.1), horizon=12), CAR),
    "SQP, real time": lambda: (
        SQP(CAR, reach(CAR, {"x": 4.0, "y": 2.0, "yaw": 3.0}, dt=0.1), horizon=12, real_time=True),
        CAR,
    ),
    "PurePursuit": lambda: (PurePursuit(unicycle(), [[0.0, 0.0], [9.0, 3.0]]), unicycle()),
    "LQR": lambda: (LQR(ROD, [0.0, 0.0]), ROD),
    "LQR of a horizon": lambda: (LQR(DRONE, DRONE.state.identity(), horizon=3, design="sampled"), DRONE),
    "LQR with an integral": lambda: (LQR(CART, {"x": 1.0}, integral={"x": 0.1}, design="continuous"), CART),
    "TrackingLQR": lambda: (TrackingLQR(ROD, HANGING), ROD),
    "TrackingLQR of the nearest point": lambda: (TrackingLQR(ROD, HANGING, along="nearest"), ROD),
    "DelayCompensation": lambda: (DelayCompensation(LQR(CART, [1.0, 0.0]), CART, delay=0.15), CART),
    "LQG": lambda: (LQG(KF(CART, dt=0.1).start(std=1.0), STATE, LQR(CART, [1.0, 0.0])), CART),
    "StateFeedback": lambda: (StateFeedback.placed(ROD, [0.0, 0.0], [-3.0, -4.0]), ROD),
    "PID": lambda: (
        PID(DRONE.state, DRONE.action, {"z": "thrust", "wz": "tz"}, {"z": 1.0}, kp=2.0, ki=1.0, kd={"z": 1.0}, lag=0.1),
        DRONE,
    ),
    "FeedbackLinearization": lambda: (FeedbackLinearization(unicycle(), circle), unicycle()),
    "FeedbackLinearization of a point ahead": lambda: (
        FeedbackLinearization(unicycle(), circle, ahead=0.2),
        unicycle(),
    ),
    "TrailerBacking": lambda: (TrailerBacking(TRUCK, [-20.0, 1.0, 0.1]), TRUCK),
    "PathTracker": lambda: (
        PathTracker(CAR, [[0.0, 0.0], [9.0, 3.0]], lambda sight: Steering(-sight.error()[0])),
        CAR,
    ),
    "RegulatedPurePursuit": lambda: (
        RegulatedPurePursuit(unicycle(), [[0.0, 0.0], [9.0, 3.0]], grid=FIELD),
        unicycle(),
    ),
    "Stanley": lambda: (Stanley(CAR, [[0.0, 0.0], [9.0, 3.0]]), CAR),
    "SpaceTimePursuit": lambda: (SpaceTimePursuit(unicycle(), FIELD, [3.0, 1.0], lambda t: ()), unicycle()),
    "TrackAvoidance, nobody there": lambda: (
        TrackAvoidance(ILQR(CAR, reach(CAR, {"x": 4.0, "y": 2.0}), horizon=12), lambda t: ()),
        CAR,
    ),
}

if importlib.util.find_spec("torch"):
    from torch.nn.init import normal_

    from pilotage.envs.traffic import ReactiveTraffic, Road
    from pilotage.envs.truck.yard import kinematics
    from pilotage.learning import Ensemble, NetworkPolicy, Switch
    from pilotage.learning.worlds import TruckPolicy, WallsPolicy
    from pilotage.learning.worlds.ppuu import TrafficDriver

    def policy() -> NetworkPolicy:
        """A policy of networks that disagree."""
        network: Any = Ensemble(2, inputs=CAR.state.width, outputs=CAR.action.size, bounded=True)
        normal_(network.weights[-1])
        return NetworkPolicy(CAR.state, CAR.action, network)

    def switch(high: float) -> Switch:
        """A switch between this policy and iLQR."""
        slow = CONTROLLERS["ILQR"]()[0]
        return Switch(policy(), slow, CAR, slow.task, high=high)

    CONTROLLERS["NetworkPolicy"] = lambda: (policy(), CAR)
    CONTROLLERS["TruckPolicy"] = lambda: (TruckPolicy.new(hidden=(8,)), kinematics(1, 4, False))
    CONTROLLERS["WallsPolicy"] = lambda: (WallsPolicy.new(hidden=(8,)), kinematics(1, 4, False))
    CONTROLLERS["TrafficDriver"] = lambda: (TrafficDriver(cars=12), ReactiveTraffic(Road(lanes=2), cars=12))
    CONTROLLERS["Switch"] = lambda: (switch(high=0.1), CAR)
    CONTROLLERS["Switch, the policy acts"] = lambda: (switch(high=10.0), CAR)


EXEMPT = {
    "Filter": "holds an estimator, whose start makes it",
    "FixedLagSmoother": "holds a filter",
    "Roadmap": "answers queries of a start and a goal, without a seed",
    "Replanner": "holds the search of a DStarLite for one goal",
    "Bank": "holds an estimator and the beliefs of many targets",
    "FrontierExploration": "chooses its goal itself",
    "LandmarkMapper": "holds a belief over the robot and a map that grows",
    "LandmarkEngine": "the inner part of a LandmarkMapper",
}
"""Public classes that have the methods of a protocol and are no implementations of it, with the reason."""


def rooms() -> list[ModuleType]:
    """All rooms and the rooms within them, but those that need an extra which is not installed."""
    found = []
    for module in pkgutil.walk_packages(pilotage.__path__, "pilotage."):
        names = module.name.split(".")
        if module.ispkg and names[1] not in ("cli", "viz") and not any(name.startswith("_") for name in names):
            try:
                found.append(importlib.import_module(module.name))
            except MissingExtra:
                continue
    return found


def public(*methods: str) -> set[str]:
    """Names of the public classes, in any room or room within a room, that have these methods."""
    found = set()
    for room in rooms():
        for name in getattr(room, "__all__", ()):
            value = getattr(room, name)
            if inspect.isclass(value) and not getattr(value, "_is_protocol", False) and name not in EXEMPT:
                found |= {name} if all(callable(getattr(value, m, None)) for m in methods) else set()
    return found


def entered(register: dict[str, Any]) -> set[str]:
    """The classes a register speaks of: the first word of each name."""
    return {name.replace(",", " ").split()[0] for name in register}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_estimators(name: str) -> None:
    special: dict[str, Any] = {}
    if name.startswith("MonteCarloLocalization"):
        special = {"batch": False, "beside": ("y [m]", "yaw: angle")}
    elif name == "HistogramFilter":  # it takes one belief
        special = {"batch": False}
    elif name.startswith("PDA"):
        special = {"missing": False}
    elif name == "Luenberger":  # its gain does not depend on the noise
        special = {"kalman": False}
    linear = ("KF", "PDA of KFs", "SquareRootKF", "InformationKF", "Luenberger")
    check_estimator(ESTIMATORS[name](), angles=not name.startswith(linear), **special)


@pytest.mark.parametrize("name", PLANNERS)
def test_planners(name: str) -> None:
    problem = in_room() if name.startswith(VEHICLES) else on_road() if name.startswith("FrenetPlanner") else None
    check_planner(PLANNERS[name](), problem)


@pytest.mark.parametrize("name", CONTROLLERS)
def test_controllers(name: str) -> None:
    check_controller(*CONTROLLERS[name]())


def test_nobody_is_missing() -> None:
    assert public("predict", "update") == entered(ESTIMATORS)
    assert public("plan") == entered(PLANNERS)
    assert public("act", "reset") == entered(CONTROLLERS)
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
            seeded: dict[str, Any] = {"rng": 3} if isinstance(estimator, ParticleFilter) else {}
            filter = estimator.start(mean=[0.0, 0.0, 0.0], std=0.1, **seeded)
            filter.predict(u=[1.0, 0.3])
            filter.update(models.gnss(std=0.5), [0.1, 0.0])
            beliefs.append(filter.belief.moments())
        np.testing.assert_array_equal(beliefs[0].mean, beliefs[1].mean)
        np.testing.assert_array_equal(beliefs[0].cov, beliefs[1].cov)
