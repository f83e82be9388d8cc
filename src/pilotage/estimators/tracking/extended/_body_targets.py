"""A filter of single extended objects: how beliefs move, and what points say of them."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from typing import Any

import numpy as np

from ....core import Gaussian, Sensor
from ....core.arrays import Array
from ....core.errors import SettingError
from .._clusters import Whole
from .._state import Scan
from .._targets import Rows, Targets
from ._bodies import Bodies, frames, wrapped
from ._evidence import EXPECTED, weighed
from ._expected import Expected
from ._groups import Cells
from .extent import Extent, Outline
from .line_of_sight import LineOfSight
from .rectangle_fit import fit_rectangle

LEAST = 2.0
"""Points that an old extent is worth at least."""
ENOUGH = 5
"""Points from which on a cell has a direction of its own."""
HEADINGS = 6
"""Directions of a new rectangle, within half a turn."""
ALIGNED = 0.35
"""Angle between points and a velocity of known direction from which on the points are not believed [rad]."""
KNOWN = 9.0
"""Square of the speed by its variance from which on a velocity has a direction."""
SURE = 0.04
"""Variance of the direction of a velocity from which on it tells length from width [rad^2]."""
TURNING = 0.2
"""Standard deviation by which a heading changes in a second, in a motion that says nothing of it [rad / s^(1/2)]."""
SIDE = 0.05
"""Standard deviation of the direction of the rectangle that fits the sides which a lidar sees [rad]."""


class BodyTargets:
    """A filter of single extended objects that works on `Bodies`, in the place of `Targets`.

    Args:
        targets: the filter of their motion.
        extents: the kinds of objects.
        sight: the line of sight of the sensor, if it is known.

    Attributes:
        axes: places of x and y in the state.
        boxed: whether each kind is a rectangle.
        shares: of births, for each kind and heading.
    """

    def __init__(self, targets: Targets, extents: tuple[Extent, ...], sight: LineOfSight | None) -> None:
        if not targets.alone:
            raise SettingError(
                f"filter of Tracker is {type(targets.filter).__name__}, of several models; a filter of extended "
                "objects needs one of a single model, such as KF"
            )
        self.inner, self.extents, self.sight = targets, extents, sight
        self.filter, self.alone, self.shared = targets.filter, False, targets.shared
        self.space = targets.spaces[0]
        self._turn = np.pi if sight is None else 0.5 * np.pi
        names = list(self.space.names)
        self._yaw = names.index("yaw") if "yaw" in names else -1
        self.axes = [names.index("x"), names.index("y")] if "x" in names and "y" in names else [0, 1]
        moving = "vx" in names and "vy" in names
        self._velocity = [names.index("vx"), names.index("vy")] if moving else None
        if self._yaw < 0 and not moving and any(each.boxed for each in extents):
            raise SettingError(
                f"the states {self.space} have neither yaw nor vx and vy, so that a Rectangle has no direction; use "
                "other dynamics, or an Ellipse"
            )
        free, memory = [each.free for each in extents], [each.memory for each in extents]
        self._free, self._memory = np.array(free), np.array(memory)
        self._rate_memory = np.array([each.rate_memory for each in extents])
        self._beta = np.array([each.gamma[1] for each in extents])
        self.boxed = np.array([each.boxed for each in extents])
        turns = [HEADINGS if each.boxed and self._yaw < 0 else 1 for each in extents]
        self._kinds = np.repeat(np.arange(len(extents)), turns)
        self._turns = np.concatenate([np.pi * np.arange(n) / n for n in turns])
        shares = np.array([each.share for each in extents])
        self.shares = (shares / shares.sum() / turns)[self._kinds]

    @property
    def births(self) -> int:
        """Number of beliefs of new objects: one for each kind, and of a rectangle one for each of several headings."""
        return len(self._kinds)

    def newcomers(self, motion: Rows) -> Bodies:
        """New objects of all kinds and headings, ``(births,)``, with one motion, or one for each."""
        parts = [self.born(motion[[i if len(motion) > 1 else 0]], int(k)) for i, k in enumerate(self._kinds)]
        bodies = reduce(lambda a, b: a.joined(b), parts)
        return bodies if self._yaw >= 0 else self._pointed(replace(bodies, heading=self._turns.copy()))

    def none(self) -> Bodies:
        """No rows."""
        return self.born(self.inner.none(), 0)

    def born(self, motion: Rows, kind: int) -> Bodies:
        """New objects with these motions."""
        one, n = self.extents[kind], len(motion)
        v = one.free + one.certainty
        return self._pointed(
            Bodies(
                motion,
                np.tile(one.gamma, (n, 1)),
                np.full(n, v),
                np.tile(one.certainty * one.matrix, (n, 1, 1)),
                np.zeros(n),
                np.full(n, (np.pi / HEADINGS) ** 2 / 12.0),
                np.full(n, kind, np.int64),
            )
        )

    def mounted(self, sensor: Sensor) -> list[Any]:
        """The sensor on the state, which must read points in the plane."""
        found = self.inner.mounted(sensor)
        if found[0].reading.size != 2 or not found[0].reading.linear:
            raise SettingError(
                f"{sensor!r} reads {sensor.reading}; extended objects need points in the plane, such as those of "
                "models.position(2)"
            )
        return found

    def means(self, bodies: Bodies) -> Array:
        return self.inner.means(bodies.motion)

    def moments(self, bodies: Bodies) -> tuple[Any, Array, Array]:
        return self.inner.moments(bodies.motion)

    def unpack(self, bodies: Bodies) -> Any:
        return self.inner.unpack(bodies.motion)

    def predict(self, bodies: Bodies, dt: float) -> None:
        """Move objects by `dt` seconds, in place."""
        if not len(bodies):
            return
        kind, before = bodies.kind, self._directions(self.means(bodies).copy())
        self.inner.predict(bodies.motion, dt)
        after = self._directions(self.means(bodies))
        known = np.isfinite(before) & np.isfinite(after)
        turn = np.where(known, after - before, 0.0)
        bodies.heading[:], bodies.doubt[:] = wrapped(bodies.heading + turn), bodies.doubt + TURNING**2 * dt
        beta = bodies.gamma[:, 1]
        kept = np.maximum(beta * np.exp(-dt / self._rate_memory[kind]), np.minimum(beta, self._beta[kind]))
        bodies.gamma[:] *= (kept / beta)[:, None]
        free = self._free[kind]
        worth = bodies.v - free
        left = np.maximum(worth * np.exp(-dt / self._memory[kind]), np.minimum(worth, LEAST))
        bodies.v[:] = free + left
        A = frames(np.where(self.boxed[kind], 0.0, turn))
        bodies.V[:] = (left / worth)[:, None, None] * (A @ bodies.V @ np.swapaxes(A, -1, -2))

    def _directions(self, mean: Array) -> Array:
        """Directions of motion at these states; NaN where there is none."""
        if self._yaw >= 0:
            return mean[:, self._yaw]
        if self._velocity is None:
            return np.full(len(mean), np.nan)
        v = mean[:, self._velocity]
        return np.where(np.hypot(*v.T) > 1e-6, np.arctan2(v[:, 1], v[:, 0]), np.nan)

    def _pointed(self, bodies: Bodies) -> Bodies:
        """Objects whose heading is that of the motion where it knows better; their front is where it leads."""
        if not len(bodies):
            return bodies
        _, mean, cov = self.inner.moments(bodies.motion)
        known, direction, heading = self.known(mean, cov), self._directions(mean), bodies.heading
        if self._yaw >= 0:
            return replace(bodies, heading=direction.copy(), doubt=np.zeros(len(mean)))
        if not known.any():
            return bodies
        i, j = self._velocity or (0, 0)
        square = np.maximum(mean[:, i] ** 2 + mean[:, j] ** 2, 1e-300)
        doubt = np.where(known, np.maximum(cov[:, i, i], cov[:, j, j]) / square, np.inf)
        turn = np.where(doubt < SURE, self._turn, np.pi)  # of directions that points do not tell apart
        heading = heading + np.where(known, turn * np.round((direction - heading) / turn), 0.0)
        heading = np.where(doubt < bodies.doubt, direction, wrapped(heading))
        return replace(bodies, heading=heading, doubt=np.minimum(doubt, bodies.doubt))

    def known(self, mean: Array, cov: Array) -> Any:
        """Whether the motion has a direction, at these states."""
        if self._yaw >= 0 or self._velocity is None:
            return np.full(len(mean), self._yaw >= 0)
        i, j = self._velocity
        return mean[:, i] ** 2 + mean[:, j] ** 2 > KNOWN * np.maximum(cov[:, i, i], cov[:, j, j])

    def extent(self, bodies: Bodies) -> Array:
        """Expected extents, ``(N, 2, 2)``, in the frame of the heading where they are boxed."""
        return bodies.V / (bodies.v - self._free[bodies.kind])[:, None, None]

    def frames(self, bodies: Bodies) -> Array:
        """The frames of their extents, ``(N, 2, 2)``."""
        return frames(np.where(self.boxed[bodies.kind], bodies.heading, 0.0))

    def expected(self, bodies: Bodies, scan: Scan, share: Any = None, at: Any = None) -> Expected:
        """The expected readings of objects, of which others leave this share to be seen.

        It is not known which part is hidden: the mean of the points is off by as much as a part of the extent is.
        `at` are the means of the points that are looked at, for new objects that may be anywhere, ``(N, 2)``.
        """
        sensor, n = scan.detector.sensor, len(bodies)
        h, context = self.mounted(sensor)[0], context_of(scan)
        space, mean, cov = self.moments(bodies)
        z, H = np.asarray(h.observe(mean, context)), np.asarray(h.linearize(mean, context))
        R = np.broadcast_to(np.asarray(h.noise(mean, context)), (n, 2, 2))
        gain = cov @ np.swapaxes(np.broadcast_to(H, (n, 2, space.dim)), -1, -2)
        T, X = self.frames(bodies), self.extent(bodies)
        turned, hidden = np.swapaxes(T, -1, -2), np.zeros(n) if share is None else 1.0 - share
        C = H @ gain + T @ (hidden[:, None, None] * X / 3.0) @ turned
        views, offset, Y = self._spread(bodies, X, T, z if at is None else at, hidden, scan.context)
        if at is not None:  # the points are not in the middle of the object
            middle = at - np.einsum("nab,nb->na", T, offset[0])
            views, offset, Y = self._spread(bodies, X, T, middle, hidden, scan.context)
        own, noise = np.einsum("wnaa->wna", Y), np.einsum("naa->na", turned @ R @ T)
        tables = np.empty((len(views), n, EXPECTED))
        tables[..., :2], tables[..., 2] = bodies.gamma, bodies.v
        tables[..., 6:8] = z + np.einsum("nab,wnb->wna", T, offset)
        for first, matrix in ((3, bodies.V), (8, C), (11, T @ Y @ turned + R)):
            for k, (i, j) in enumerate(((0, 0), (0, 1), (1, 1))):
                tables[..., first + k] = matrix[..., i, j]
        tables[..., 14], tables[..., 15], tables[..., 16] = T[:, 0, 0], T[:, 1, 0], self.boxed[bodies.kind]
        tables[..., 17:] = (1.0 - hidden)[:, None] * own / (own + noise)
        return Expected(tables, views, space, mean, cov, gain, np.isfinite(tables).all((0, -1)))

    def _spread(
        self, bodies: Bodies, X: Array, T: Array, z: Array, hidden: Array, context: Any
    ) -> tuple[Array, Array, Array]:
        """Log-probabilities of views, and mean and covariance of points in each, in the frames of the extents."""
        place = None if self.sight is None else np.einsum("nba,nb->na", T, self.sight.at(context) - z)
        found = list[Any]()
        for k, each in enumerate(self.extents):
            some = np.flatnonzero(bodies.kind == k)
            found.append((some, each.spread(X[some], None if place is None else place[some], hidden[some])))
        most = max(len(views) for _, (views, _, _) in found)
        views, offset, Y = np.full((most, len(X)), -np.inf), np.zeros((most, len(X), 2)), np.empty((most, *X.shape))
        Y[:] = np.eye(2)
        for some, (own, mean, cov) in found:
            views[: len(own), some], offset[: len(own), some], Y[: len(own), some] = own, mean, cov
        return views, offset, Y

    def weighed(self, expected: Expected, cells: Array, rows: Whole, columns: Whole) -> tuple[Array, Array, Whole]:
        """Log-evidence of pairs of an object and a cell, ``(P,)``, over all views; the likeliest, and V after it."""
        found = [weighed(table, cells, rows, columns) for table in expected.tables]
        logs = np.stack([own + views[rows] for (own, _), views in zip(found, expected.views, strict=True)])
        view = logs.argmax(0)
        V = np.stack([each for _, each in found])[view, np.arange(len(rows))]
        return np.logaddexp.reduce(logs, 0), V, view

    def updated(
        self, bodies: Bodies, expected: Expected, cells: Array, rows: Whole, columns: Whole, V: Array, view: Whole,
        fits: tuple[Array, Array],
    ) -> Bodies:  # fmt: skip
        """The belief of the object of each pair after its cell; see `Ellipse`.

        Args:
            bodies, expected: the objects, and what is expected of them.
            cells: table of cells; see `Cells`.
            rows, columns: object and cell of each pair.
            V, view: after the cell, and the likeliest view.
            fits: of the rectangle that fits each cell, its direction, up to half turns, or up to quarter turns where
                the sensor sees sides, and the variance of that; infinite where there is none.
        """
        if not len(rows):
            return self.none()
        table, cell = expected.tables[view, rows], cells[columns]
        n, P, gain = cell[:, 0], expected.cov[rows], expected.gain[rows]
        S = (table[:, 8:11] + table[:, 11:14] / n[:, None])[:, [0, 1, 1, 2]].reshape(-1, 2, 2)
        K = gain @ np.linalg.inv(S)
        mean = expected.space.plus(expected.mean[rows], np.einsum("pna,pa->pn", K, cell[:, 1:3] - table[:, 6:8]))
        cov = P - K @ np.swapaxes(gain, -1, -2)
        motion = self.inner.pack(Gaussian.trusted(expected.space, mean, 0.5 * (cov + np.swapaxes(cov, -1, -2))))
        gamma = bodies.gamma[rows] + np.stack([n, np.ones_like(n)], -1)
        heading, doubt, kind = bodies.heading[rows], bodies.doubt[rows], bodies.kind[rows]
        after = self._pointed(Bodies(motion, gamma, bodies.v[rows] + n, V, heading, doubt, kind))
        return after if self._yaw >= 0 else self._aligned(after, fits[0][columns], fits[1][columns])

    def _aligned(self, bodies: Bodies, direction: Array, variance: Array) -> Bodies:
        """Objects whose heading is corrected by the directions of rectangles that fit their points."""
        off = (direction - bodies.heading + 0.5 * self._turn) % self._turn - 0.5 * self._turn
        far = self.known(*self.inner.moments(bodies.motion)[1:]) & (np.abs(off) > ALIGNED)
        gain = np.where(far | ~self.boxed[bodies.kind], 0.0, bodies.doubt / (bodies.doubt + variance))
        return replace(bodies, heading=wrapped(bodies.heading + gain * off), doubt=(1.0 - gain) * bodies.doubt)

    def fits(self, cells: Cells, z: Array, needed: Whole) -> tuple[Array, Array]:
        """The direction of the rectangle that fits each of some cells best, and its variance; see `updated`."""
        found, variance = np.zeros(len(cells.first)), np.full(len(cells.first), np.inf)
        some = np.unique(needed[cells.counts[needed] >= ENOUGH])
        if self.sight is not None:
            found[some] = [fit_rectangle(z[cells.members[c]], steps=30, least=0.1).heading for c in some]
            variance[some] = SIDE**2
        else:
            found[some], variance[some] = principal(cells.table[some])
        return found, variance

    def unseen(self, bodies: Bodies, seen: Array) -> Bodies:
        """Objects of which there is no point, with the moments of the two reasons for their rate of points.

        Either the object was not detected, with ``1 - P_D``, or it was, and caused no point.
        """
        alpha, beta = bodies.gamma.T
        none = seen * (beta / (beta + 1.0)) ** alpha
        w = none / np.maximum(1.0 - seen + none, 1e-300)
        mean = (1.0 - w) * alpha / beta + w * alpha / (beta + 1.0)
        square = (1.0 - w) * alpha * (alpha + 1.0) / beta**2 + w * alpha * (alpha + 1.0) / (beta + 1.0) ** 2
        variance = square - mean**2
        return replace(bodies, gamma=np.stack([mean**2 / variance, mean / variance], -1))

    def seen(self, bodies: Bodies, scan: Scan, share: Array) -> Array:
        """P_D of objects, ``(N,)``: that of the detector, by the share that is seen, of which a half shows most."""
        return scan.detector.seen(self.means(bodies), scan.context) * (1.0 - (1.0 - share) ** 2)

    def outlines(self, bodies: Bodies) -> list[Outline]:
        """The outlines of objects, at the means of their beliefs."""
        X, centers = self.extent(bodies), self.means(bodies)[:, self.axes]
        found = list[Outline]()
        for i, kind in enumerate(bodies.kind.tolist()):
            one, rate = self.extents[kind], float(bodies.gamma[i, 0] / bodies.gamma[i, 1])
            squares = np.array([X[i, 1, 1], X[i, 0, 0]])
            heading = float(bodies.heading[i])
            if not one.boxed:
                squares, axes = np.linalg.eigh(X[i])
                axis = float(np.arctan2(axes[1, 1], axes[0, 1]))
                heading += (axis - heading + 0.5 * np.pi) % np.pi - 0.5 * np.pi  # the end nearer to the heading
            width, length = 2.0 * np.sqrt(squares)
            found.append(Outline(centers[i], float(length), float(width), heading, one.boxed, rate, one.name))
        return found


def principal(cells: Array) -> tuple[Array, Array]:
    """The direction of the longer axis of cells of points, and its variance: ``a b / (n (a - b)^2)``, a and b the
    eigenvalues of the scatter."""
    n, xx, xy, yy = cells[:, 0], cells[:, 3], cells[:, 4], cells[:, 5]
    square = np.square(xx - yy) + 4.0 * xy * xy
    return 0.5 * np.arctan2(2.0 * xy, xx - yy), (xx * yy - xy * xy) / np.maximum(n * square, 1e-300) + 1e-6


def context_of(scan: Scan) -> Any:
    """The context of a scan as models take it."""
    own = scan.detector.sensor.context
    return scan.context if own is None or own.size else None
