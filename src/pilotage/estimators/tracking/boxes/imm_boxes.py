"""Boxes that manoeuvre: a filter of calm, agile and turning motion, whose spread opens the gate of each track."""

from __future__ import annotations

import math
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from ....core import Gaussian, Mixture, Scans, Sensor, Space, TrackTable, iou
from ....core.arrays import Array
from ....core.errors import ShapeError
from ....core.settings import Fraction, Interval, Positive, settings
from ....models import discrete_dynamics
from ...ekf import EKF
from ...imm import IMM
from .._intervals import Probability
from .._kinds import Kinds
from .._targets import Rows, Targets
from ..detector import Detector
from ..gate import Gate, Pairs
from ..gnn import GNN
from ..initiation import Initiation
from ..m_of_n import MofN
from ..tracker import Tracker
from ..tracks import Tracks
from .box_tracker import checked, edges, motions, reported, table
from .camera_motion import carried_belief, motion_matrix
from .motion import BoxMotion, box_noise

TURNING = Space("x y width height [px]", "vx vy vwidth vheight [px/s]", "turn [rad/s]")
CLUTTER, DETECTION = 1e-9, 0.8
"""Density of false boxes [1/px^4]: about one in an image, of any size; and the probability of a detection."""
TURN, FIRST = 1.0, 0.8
"""Standard deviation of the first rate of turn [rad/s], and the probability that a new box is calm."""


@settings
class IMMBoxes:
    """A tracker of boxes by an IMM of three motions: calm, agile, and turning in the image.

    ::

        gate       y' S^-1 y <= gamma,   S over the modes,    and    IoU(expected box, detection) >= least
        associate  the assignment of the largest likelihood under the mixture of the modes

    While a target moves evenly, the gate is narrow; with the first signs of a manoeuvre the agile mode gains weight,
    S grows, and the gate opens. It is made of the parts of `Tracker`, not of compiled stages, and takes some hundred
    times as long as `SORT`.

    Source: the idea of ARC-SORT 0.1.1, an IMM that drives the gate; Blom and Bar-Shalom (1988) for the filter.

    Args:
        motion: calm motion, and how exact detections are.
        agility: factor of the noise of the place in agile motion.
        turning: root of the density of the rate of turn [rad/s/sqrt(s)].
        staying: probability of staying in a mode for `dt`.
        dt: step of the switching [s].
        gate: probability of the gate.
        least: least IoU of the expected box and a detection.
        hits: detections in a row that confirm a track.
        misses: misses in a row that end it, of 64 at most.
        score: detections with lower scores do not count.
        begin: detections with lower scores begin no tracks.

    Example:
        >>> tracker = IMMBoxes().tracker()
        >>> for k in range(4):
        ...     tracks = tracker.update([[25.0 + 4 * k, 50.0, 30.0, 60.0]], t=k / 25)      # centre and size
        >>> tracks.ids.tolist(), tracks.confirmed.tolist()
        ([1], [True])
    """

    motion: BoxMotion = BoxMotion(accel=0.5)
    agility: Positive = 4.0
    turning: Positive = 0.5
    staying: Probability = 0.9
    dt: Positive = 0.05
    gate: Probability = 0.999
    least: Fraction = 0.1
    hits: Annotated[int, Interval(1, 64, "[]")] = 3
    misses: Annotated[int, Interval(1, 64, "[]")] = 9
    score: float = -math.inf
    begin: float = -math.inf

    @property
    def filter(self) -> IMM:
        """The filter of a box."""
        b = self.motion
        agile = BoxMotion(b.reading, b.accel * self.agility, b.growth, b.wander * self.agility, b.speed)
        turning = _turning(accel=b.accel, growth=b.growth, wander=b.wander, turning=self.turning)
        models = (b.dynamics, agile.dynamics, turning)
        return IMM(models, self.staying, dt=self.dt, filter=EKF())

    def tracker(self) -> Tracker:
        """The tracker; its detections are centre and size, ``x y width height`` [px]."""
        return Tracker(
            self.filter,
            Detector(self.motion.sensor, detection=DETECTION, clutter=CLUTTER),
            BoxBirth(self.motion),
            GNN(),
            gate=OverlapGate(self.gate, self.least),
            management=MofN(enough=(self.hits, self.hits), misses=(self.misses, self.misses)),
            merge=0.0,
        )

    def run(self, scans: Scans, *, cameras: Any = None, filtered: bool = True, coasting: bool = False) -> TrackTable:
        """Take in all scans of a camera; a table as that of `BoxTracker.run`, with tracks of the first scan at once.

        Raises:
            ShapeError: when a box has no area, or shapes differ.

        Example:
            >>> scans = Scans("camera", [[[10.0, 20.0, 30.0, 60.0]]] * 4, [0.0, 0.1, 0.2, 0.3])
            >>> IMMBoxes().run(scans)
            TrackTable(4 rows of 1 targets at 4 instants, 0 to 0.3 s)
        """
        tracker, found, moves = self.tracker(), dict[float, tuple[Tracks, Array]](), motions(cameras, scans)
        early: Any = None
        kinds = Kinds()
        for i, t in enumerate(scans.ts.tolist()):
            given = None if scans.scores is None else scans.scores[scans.rows(i)]
            z, s = checked(scans[i], given)
            if (z[:, 2:] <= 0.0).any():
                j = int(np.argmax((z[:, 2:] <= 0.0).any(1)))
                raise ShapeError(f"box {j} of a scan is {z[j]}; expected width and height above 0; drop the box")
            z = np.where((s >= self.score)[:, None], z, np.nan)  # places stay
            if moves[i] is not None:
                move_camera(tracker, motion_matrix(moves[i]))
            centred = np.concatenate([z[:, :2] + 0.5 * z[:, 2:], z[:, 2:]], axis=1)
            tracks = tracker.update(centred, t, begins=s >= self.begin)
            early = tracks.ids if early is None else early
            mean = tracks.belief.moments().mean if len(tracks.ids) else np.zeros((0, 4))
            found[t] = tracks, reported(tracks, mean, z, filtered)
            kinds.add(tracks, scans, i)
        return table(found, coasting, kinds, early)


def move_camera(tracker: Tracker, M: Array) -> None:
    """The beliefs of all tracks after a motion of the camera."""
    if len(ids := tracker.tracks.ids):
        belief = carried_belief(tracker.tracks.belief, M)
        tracker.adopt({id: belief[[k]] for k, id in enumerate(ids.tolist())}, tracker.t)


@settings
class OverlapGate(Gate):
    """The chi-square gate, of boxes that overlap.

    Args:
        probability: P_G.
        least: least IoU of the expected box and the detection.
    """

    least: Fraction = 0.1

    def pairs(self, reading: Space, expected: Array, S: Array, z: Array) -> Pairs:
        """The pairs within both gates."""
        found = super().pairs(reading, expected, S, z)
        overlaps = iou(edges(expected), edges(z))[found.rows, found.columns]
        return found.only(np.flatnonzero(overlaps >= self.least))


@settings
class BoxBirth(Initiation):
    """Tracks that begin at boxes, with a speed in units of their size."""

    motion: BoxMotion

    def begin(self, targets: Targets, sensor: Sensor, z: Array, context: Any) -> tuple[Rows, NDArray[np.int64]]:
        """The beliefs of new tracks, one for each box."""
        size = np.sqrt(0.5 * (z[:, 2] ** 2 + z[:, 3] ** 2))
        spread = np.repeat([self.motion.reading, self.motion.speed], 4)
        parts = list[Gaussian]()
        for space in targets.spaces:
            mean, cov = np.zeros((len(z), space.dim)), np.zeros((len(z), space.dim, space.dim))
            mean[:, :4] = z
            cov[:, range(8), range(8)] = (size[:, None] * spread) ** 2
            cov[:, range(8, space.dim), range(8, space.dim)] = TURN**2
            parts.append(Gaussian.trusted(space, mean, cov))
        weights = np.array([FIRST, *np.full(len(parts) - 1, (1.0 - FIRST) / (len(parts) - 1))])
        logs = np.tile(np.log(weights), (len(z), 1))
        return targets.pack(Mixture.trusted(tuple(parts), logs)), np.arange(len(z))


def _turning_noise(x: Any, u: Any, dt: Any, p: Any, m: Any) -> Any:
    rows = [[*row, 0.0] for row in box_noise(x, u, dt, p, m)]
    return [*rows, [*[0.0] * 8, p.turning**2 * dt]]


@discrete_dynamics(
    state=TURNING,
    action=Space(),
    params={"accel": 1.0, "growth": 0.1, "wander": 0.1, "turning": 0.5},
    noise=_turning_noise,
)
def _turning(x: Any, u: Any, dt: Any, p: Any, m: Any) -> Any:
    """The velocity of the centre turns; its place by the trapezoidal rule."""
    c, s = m.cos(x[8] * dt), m.sin(x[8] * dt)
    vx, vy = c * x[4] - s * x[5], s * x[4] + c * x[5]
    place = x[0] + 0.5 * (x[4] + vx) * dt, x[1] + 0.5 * (x[5] + vy) * dt
    return [*place, x[2] + x[6] * dt, x[3] + x[7] * dt, vx, vy, *x[6:]]
