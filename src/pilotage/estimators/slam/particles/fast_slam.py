"""FastSLAM: particles for the way of the robot, and a Gaussian for each landmark in each of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pilotage.core import Dynamics, Rng, Sensor, generator
from pilotage.core.errors import SettingError
from pilotage.core.settings import Count, Fraction, Interval, Positive, settings

from ..._inputs import check_belief, first_belief, moving
from ...resampling import Resampling
from ..landmarks import LandmarkMapper
from ._fast_engine import FastEngine

Probability = Annotated[float, Interval(0.0, 1.0)]


@settings
class FastSLAM:
    """FastSLAM 1 and 2: a Rao-Blackwellised particle filter whose particles carry maps of landmarks.

    ::

        p(x_1:t, m | z, u) = p(x_1:t | z, u) prod_j p(m_j | x_1:t, z)      given the way, landmarks are independent
        predict    N(x_i, P_i):  x_i = f(x_i, u, dt),  P_i = F P_i F' + Q
        version 1  x_i ~ N(x_i, P_i),  P_i = 0                             before the readings are used
        weigh      w_i *= N(e; 0, H P_i H' + C S C' + R)                   e = z (-) h(x_i, m_ij), a scan together
        version 2  N(x_i, P_i) given the readings,  x_i ~ N(x_i, P_i)      the improved proposal
        landmarks  S = (S^-1 + C' R^-1 C)^-1                               a Kalman filter for each that was seen

    The two versions are one text: in the first, P_i is zero when the readings come. An update costs O(N K) for N
    particles and K detections with known landmarks. Particles share landmarks until they differ, so that resampling
    copies none.

    Without ids, each particle pairs detections with its own landmarks, the most likely pair first; what fits none
    begins a landmark. So particles are hypotheses of associations as well. Landmarks that do not prove themselves are
    removed: after `patience` scans, or, if a `view` is given, by negative evidence. Then a missed detection lowers the
    log-odds of existence by ``log(detection / (1 - detection))``, and a detection raises them.

    Args:
        dynamics: how the vehicle moves: any dynamics.
        dt: default step [s].
        particles: number of particles.
        version: 1 or 2.
        gate: probability that the detection of a landmark passes.
        new: a detection begins a new landmark only where it would be outside this gate for all others; between the two
            gates it is not used.
        confirm: number of sightings that a landmark needs to be believed. Landmarks with given ids need one.
        patience: a landmark that is not confirmed after so many scans is removed, if there is no view.
        view: lowest and highest reading of a landmark in the field of view, ``((0, -1.5), (20, 1.5))`` for range and
            bearing; None if it is not known.
        detection: probability that a landmark in the field of view is detected.
        threshold: share of the particles below which their effective number leads to resampling.
        resampling: "systematic", "stratified", "residual" or "multinomial".

    Source: M. Montemerlo, S. Thrun, D. Koller and B. Wegbreit, "FastSLAM", AAAI 2002, and "FastSLAM 2.0", IJCAI 2003;
    Montemerlo and Thrun, "FastSLAM", Springer 2007, sections 3.4, 3.5 and 4.2. Shared records take the place of trees.

    Example:
        >>> from pilotage.models import range_bearing, unicycle
        >>> robot = FastSLAM(unicycle(), dt=0.1, particles=50).start(mean=[0, 0, 0], std=1e-3, rng=0)
        >>> lidar = range_bearing(std=[0.1, 0.02])
        >>> robot.update(lidar, [[5.0, 0.3], [4.0, -1.0]]).ids.tolist()
        [0, 1]
        >>> robot.predict(u=[1.0, 0.0])
        >>> robot.update(lidar, [[3.95, -1.02], [4.91, 0.31]]).ids.tolist()
        [1, 0]
    """

    dynamics: Dynamics | None = None
    dt: Positive | None = None
    particles: Count = 100
    version: Literal[1, 2] = 2
    gate: Probability = 0.99
    new: Probability = 0.99999
    confirm: Count = 3
    patience: Count = 20
    view: tuple[tuple[float, ...], tuple[float, ...]] | None = None
    detection: Annotated[float, Interval(0.5, 1.0)] = 0.9
    threshold: Fraction = 0.5
    resampling: Resampling = "systematic"

    def __post_init__(self) -> None:
        if self.new < self.gate:
            raise SettingError(
                f"new is {self.new}, less than gate, {self.gate}; expected a wider gate for new landmarks"
            )

    def start(
        self,
        mean: Any = None,
        std: Any = None,
        *,
        cov: Any = None,
        belief: Any = None,
        t: float = 0.0,
        sensors: Mapping[str, Sensor] | None = None,
        rng: Rng = None,
    ) -> LandmarkMapper:
        """A mapper that starts at time `t` with a mean and std (or cov) of the vehicle, and an empty map.

        Args:
            mean, std, cov, belief, t, sensors: as for `EKFSLAM`.
            rng: seed or generator.

        Raises:
            ModelError: if the estimator has no dynamics.
            CovarianceError: if neither `std`, `cov` nor `belief` is given.
        """
        dynamics = moving(self)
        first = first_belief(dynamics.state, mean, std, cov, belief)
        check_belief(first, dynamics.state)
        engine = FastEngine(self, dynamics, first.moments(), generator(rng))
        return LandmarkMapper(engine, t, self.dt, sensors)
