"""The motion of a camera between two images: what it does to boxes, and an estimate of it from the boxes themselves."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np

from ....core import Gaussian, Mixture, Scans
from ....core.arrays import Array, numbers
from ....core.errors import ShapeError
from ....core.settings import NonNegative, Positive, settings

STILL = np.eye(2, 3)
FEW = 3
"""Boxes at least that agree."""
ROUNDS = 5
ALIKE = 0.3
"""Logarithm of the ratio of the sizes of two boxes of one target, at most."""


@settings
class CameraMotion:
    """The motion of a camera from the boxes of two images: the shift on which most of them agree.

    ::

        d* = argmax_d  sum_i max_j k(|z_j - x_i - d| / (spread s_i)),      k(r) = max(0, 1 - r^2)

    over no shift, which counts for `still` of the boxes more, and the shifts of all pairs of boxes x before and z after
    that are of similar size s and within `reach`. The shift is then refined by the weighted mean over the pairs that
    agree. Where fewer than three agree, the camera stands still. Images are not needed. What most targets do, such as
    a crowd that walks to the left, counts as the motion of the camera. Neither zoom nor roll is found.

    Source: consensus over all hypotheses in place of random ones (Fischler and Bolles, "Random sample consensus", CACM
    1981), with Epanechnikov's kernel; Aharon et al., "BoT-SORT", arXiv:2206.14651, section 3.2, for its use.

    Args:
        reach: longest shift, by the size of a box, or by the median of the sizes where that is larger.
        spread: by how much the shifts of targets differ, by their size.
        still: share of the boxes that must agree in addition before the camera counts as moved.
        score: boxes with lower scores do not count.

    Example:
        >>> before = np.array([[0.0, 0.0, 20.0, 40.0], [50.0, 5.0, 20.0, 40.0], [90.0, 0.0, 30.0, 60.0]])
        >>> CameraMotion().between(before, before + [7.0, -2.0, 0.0, 0.0]).tolist()
        [[1.0, 0.0, 7.0], [0.0, 1.0, -2.0]]
    """

    reach: Positive = 2.0
    spread: Positive = 0.25
    still: NonNegative = 0.2
    score: float = -math.inf

    def between(self, before: Any, after: Any) -> Array:
        """The affine motion ``(2, 3)`` that carries points of the image before to the image after.

        Args:
            before: boxes ``(N, 4)``: left, top, width and height [px].
            after: boxes ``(K, 4)``.
        """
        x, z = (numbers(boxes, "boxes").reshape(-1, 4) for boxes in (before, after))
        i, shifts, sizes = self._pairs(x, z)
        if not len(i):
            return STILL
        tried = np.concatenate([np.zeros((1, 2)), shifts])
        agree = self._weights(shifts[None] - tried[:, None], sizes)
        votes = np.maximum.reduceat(agree, np.flatnonzero(np.diff(i, prepend=-1)), axis=1)
        total = votes.sum(1)
        total[0] += self.still * len(x)
        best = int(total.argmax())
        if (votes[best] > 0.0).sum() < FEW:
            return STILL
        d = tried[best]
        for _ in range(ROUNDS):
            w = self._weights(shifts - d, sizes) / sizes**2
            if (w > 0.0).sum() < FEW:
                break
            d = w @ shifts / w.sum()
        return np.column_stack([np.eye(2), d])

    def of(self, scans: Scans) -> Array:
        """The motion of the camera from each scan to the next, ``(T, 2, 3)``; none before the first.

        Example:
            >>> boxes = np.array([[0.0, 0.0, 20.0, 40.0], [50.0, 5.0, 20.0, 40.0], [90.0, 0.0, 30.0, 60.0]])
            >>> scans = Scans("camera", [boxes, boxes + [7.0, 0.0, 0.0, 0.0]], [0.0, 0.1])
            >>> CameraMotion().of(scans)[:, 0, 2].tolist()
            [0.0, 7.0]
        """
        seen = [self._counted(scans, i) for i in range(len(scans.ts))]
        pairs = pairwise(seen)
        return np.array([STILL, *(self.between(*pair) for pair in pairs)][: len(seen)]).reshape(-1, 2, 3)

    def _counted(self, scans: Scans, i: int) -> Array:
        z = scans[i]
        if scans.scores is not None:
            z = z[scans.scores[scans.rows(i)] >= self.score]
        return z[np.isfinite(z).all(1)]

    def _pairs(self, x: Array, z: Array) -> tuple[Any, Array, Array]:
        """Pairs of similar boxes within reach, by box before: that box, the shift, the size."""
        s, S = (np.sqrt(0.5 * np.square(boxes[:, 2:]).sum(1)) for boxes in (x, z))
        shifts = (z[:, :2] + 0.5 * z[:, 2:])[None] - (x[:, :2] + 0.5 * x[:, 2:])[:, None]
        if not shifts.size:
            return np.zeros(0, np.int64), np.zeros((0, 2)), np.zeros(0)
        far = self.reach * np.maximum(np.median(s), s)
        near = np.hypot(shifts[..., 0], shifts[..., 1]) < far[:, None]
        i, j = np.nonzero(near & (np.abs(np.log(S[None] / s[:, None])) < ALIKE))
        return i, shifts[i, j], s[i]

    def _weights(self, errors: Array, sizes: Array) -> Array:
        """k."""
        r = np.hypot(errors[..., 0], errors[..., 1]) / (self.spread * sizes)
        return np.maximum(1.0 - r * r, 0.0)


def motion_matrix(camera: Any) -> Array:
    """A motion as a homography ``(3, 3)``, from an affine motion ``(2, 3)`` or a homography.

    Raises:
        ShapeError: when it is neither.
    """
    M = numbers(camera, "camera")
    if M.shape == (2, 3):
        M = np.concatenate([M, [[0.0, 0.0, 1.0]]])
    if M.shape != (3, 3) or not np.isfinite(M).all() or not np.linalg.det(M) > 0.0:
        raise ShapeError(
            f"camera is {np.array2string(M)}; expected an affine motion (2, 3) or a homography (3, 3) from the image "
            "before to this one, without a mirror"
        )
    return M / M[2, 2]


def carried_points(M: Array, at: Array) -> tuple[Array, Array, Array]:
    """Points ``(N, 2)`` after a motion, its Jacobians there ``(N, 2, 2)``, and the factors of lengths along axes."""
    whole = at @ M[:, :2].T + M[:, 2]
    after, scale = whole[:, :2] / whole[:, 2:], whole[:, 2, None, None]
    J = (M[None, :2, :2] - after[:, :, None] * M[None, 2:, :2]) / scale
    return after, J, np.sqrt(np.square(J).sum(1))


def carried_belief(belief: Any, M: Array) -> Any:
    """Beliefs of boxes, on centre, size, their velocities and more, after a motion of the camera."""
    if isinstance(belief, Mixture):
        return Mixture.trusted(tuple(carried_belief(each, M) for each in belief.components), belief.log_weights)
    x, n = np.array(belief.mean), belief.mean.shape[-1]
    after, J, f = carried_points(M, x[:, :2])
    T = np.tile(np.eye(n), (len(x), 1, 1))
    for a in (0, 4):
        T[:, a : a + 2, a : a + 2] = J
        T[:, [a + 2, a + 3], [a + 2, a + 3]] = f
    mean = np.einsum("nij,nj->ni", T, x)
    mean[:, :2] = after
    return Gaussian.trusted(belief.space, mean, T @ belief.cov @ T.swapaxes(1, 2))


def carry_rows(block: Array, M: Array) -> None:
    """The same for rows of means and variances, in place; a roll makes coordinates depend on each other, which they do
    not show."""
    after, J, f = carried_points(M, block[:, :2])
    block[:, 4:6] = np.einsum("nij,nj->ni", J, block[:, 4:6])
    block[:, :2] = after
    block[:, 2:4] *= f
    block[:, 6:8] *= f
    cov = block[:, 8:20].reshape(-1, 4, 3)
    cov[:, :2] = np.square(J) @ cov[:, :2]
    cov[:, 2:] *= np.square(f)[..., None]
    block[:, 8:20] = cov.reshape(-1, 12)


def carried_boxes(boxes: Array, M: Array) -> Array:
    """Boxes ``(N, 4)`` of centre and size after a motion of the camera."""
    after, _, f = carried_points(M, boxes[:, :2])
    return np.concatenate([after, boxes[:, 2:] * f], axis=1)
