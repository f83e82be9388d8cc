"""Whatever takes an `rng` refuses the same things with the same words, whether it draws or not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pilotage.control import ILQR, MPPI, PurePursuit, reach
from pilotage.core import Agent, Gaussian, Particles, Point, Problem, SettingError, Space, carry
from pilotage.estimators import (
    EKF,
    IMM,
    AuxiliaryParticleFilter,
    EnsembleKF,
    GuidedParticleFilter,
    ParticleFilter,
    RaoBlackwellizedParticleFilter,
)
from pilotage.maps import OccupancyGrid
from pilotage.models import constant_turn, constant_velocity, gnss, position, unicycle
from pilotage.planners import PRM, AStar, BITStar, Dijkstra, RRTConnect, RRTStar

GRID, ENDS = OccupancyGrid.from_ascii(["...", "..."]), ((0.5, 0.5), (2.5, 0.5))
CAR, FIX = unicycle(noise=0.1), gnss(std=1.0)
HERE = Gaussian.of(CAR.state, std=1.0)
CLOUD = Particles(CAR.state, np.zeros((5, 3)))
MODES = IMM((constant_velocity(), constant_turn()), 0.9, dt=0.1)
KNOWN = MODES.start(std=1.0).belief
LISTED = Problem(Space("x y [m] in [0, 3]"), *ENDS)


class Loop:
    """Perception and controller at once; neither draws."""

    def reset(self, *, seed: Any = None) -> None: ...

    def perceive(self, observation: Any, u: Any, t: float) -> Any: ...

    def act(self, belief: Any, t: Any = None) -> Any: ...


TAKES: dict[str, Callable[[Any], Any]] = {
    "AStar.plan": lambda rng: AStar().plan(GRID, *ENDS, rng=rng),
    "Dijkstra.plan": lambda rng: Dijkstra().plan(GRID, *ENDS, rng=rng),
    "RRTStar.plan": lambda rng: RRTStar(iterations=50).plan(LISTED, rng=rng),
    "BITStar.plan": lambda rng: BITStar(iterations=50).plan(LISTED, rng=rng),
    "PRM.roadmap": lambda rng: PRM(size=50).roadmap(LISTED, rng=rng),
    "RRTConnect.plan": lambda rng: RRTConnect().plan(LISTED, rng=rng),
    "goals of a list": lambda rng: LISTED.goals(rng=rng),
    "EKF.start": lambda rng: EKF(CAR, dt=0.1).start(belief=HERE, rng=rng),
    "EKF.predict": lambda rng: EKF().predict(HERE, CAR, None, 0.1, rng=rng),
    "EKF.update": lambda rng: EKF().update(HERE, FIX, [0.0, 0.0], rng=rng),
    "IMM.predict": lambda rng: MODES.predict(KNOWN, rng=rng),
    "IMM.update": lambda rng: MODES.update(KNOWN, position(2), [0.0, 0.0], rng=rng),
    "EnsembleKF.start": lambda rng: EnsembleKF(CAR, dt=0.1).start(belief=HERE, rng=rng),
    "EnsembleKF.predict": lambda rng: EnsembleKF().predict(HERE, CAR, None, 0.1, rng=rng),
    "EnsembleKF.update": lambda rng: EnsembleKF().update(HERE, FIX, [0.0, 0.0], rng=rng),
    "EnsembleKF.expect": lambda rng: EnsembleKF().expect(HERE, FIX, rng=rng),
    "ParticleFilter.start": lambda rng: ParticleFilter(CAR, dt=0.1).start(belief=CLOUD, rng=rng),
    "ParticleFilter.predict": lambda rng: ParticleFilter().predict(CLOUD, CAR, None, 0.1, rng=rng),
    "ParticleFilter.update": lambda rng: ParticleFilter().update(CLOUD, FIX, [0.0, 0.0], rng=rng),
    "ParticleFilter.expect": lambda rng: ParticleFilter().expect(CLOUD, FIX, rng=rng),
    "AuxiliaryParticleFilter.update": lambda rng: AuxiliaryParticleFilter().update(CLOUD, FIX, [0.0, 0.0], rng=rng),
    "GuidedParticleFilter.predict": lambda rng: GuidedParticleFilter().predict(CLOUD, CAR, None, 0.1, rng=rng),
    "RaoBlackwellizedParticleFilter.expect": lambda rng: RaoBlackwellizedParticleFilter().expect(HERE, FIX, rng=rng),
    "Point.sample": lambda rng: Point(CAR.state, np.zeros(3)).sample(2, rng=rng),
    "Gaussian.sample": lambda rng: HERE.sample(2, rng=rng),
    "carry": lambda rng: carry(HERE, CAR.state, rng=rng),
    "MPPI": lambda rng: MPPI(CAR, reach(CAR, np.zeros(3)), samples=8, horizon=3, std=1.0, rng=rng),
    "ILQR.reset": lambda rng: ILQR(CAR, reach(CAR, np.zeros(3)), horizon=3).reset(seed=rng),
    "PurePursuit.reset": lambda rng: PurePursuit(CAR, [[0.0, 0.0], [1.0, 0.0]]).reset(seed=rng),
    "Agent.reset": lambda rng: Agent(Loop(), act=Loop()).reset(seed=rng),
}


@pytest.mark.parametrize("name", TAKES)
def test_what_is_no_stream_is_refused_everywhere(name: str) -> None:
    TAKES[name](3)
    for bad in ("a", 2.5, -1, True, [1]):
        with pytest.raises(SettingError, match="rng is .*; expected a seed"):
            TAKES[name](bad)
