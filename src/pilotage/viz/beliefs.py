"""What is known of a place: ellipses of equal probability, clouds of particles, mixtures of both."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.patches import Ellipse
from numpy.typing import ArrayLike, NDArray

from ..core import Belief, Gaussian, Mixture, Particles, ShapeError
from ..core.sensor import find
from .palette import ESTIMATE, PARTICLE
from .paths import draw_pose

MOST = 3000
"""Particles drawn of a cloud; more only make it slow."""


def draw_belief(ax: Axes, belief: Belief, *, probability: float = 0.95, size: float = 0.15) -> list[Artist]:
    """A belief over a space that has x and y: particles as dots, Gaussians as ellipses, a mixture as all of its parts.

    Args:
        ax: where to draw.
        belief: `Gaussian`, `Particles`, `Mixture`, or what holds `particles`, such as a `Localization`.
        probability: how much of a Gaussian its ellipse encloses.
        size: of the arrow that shows the mean yaw [m], where there is one.

    Example:
        >>> from pilotage.core import Space
        >>> from pilotage.viz import map_figure
        >>> figure, ax = map_figure([[0, 0], [4, 3]])
        >>> len(draw_belief(ax, Gaussian.of(Space("x y [m]", "yaw: angle"), [1, 1, 0.5], std=0.2)))
        2
    """
    if isinstance(belief, Mixture):
        parts = zip(belief.components, np.exp(belief.log_weights), strict=True)
        drawn = [
            (artist, w) for part, w in parts for artist in draw_belief(ax, part, probability=probability, size=size)
        ]
        for artist, w in drawn:
            artist.set_alpha(0.15 + 0.85 * float(w))
        return [artist for artist, _ in drawn]
    cloud = belief if isinstance(belief, Particles) else getattr(belief, "particles", None)
    dots: list[Artist] = [] if cloud is None else [draw_particles(ax, cloud)]
    return dots + draw_gaussian(ax, belief.moments(), probability=probability, size=size)


def draw_gaussian(ax: Axes, known: Gaussian, *, probability: float = 0.95, size: float = 0.15) -> list[Artist]:
    """Mean and ellipse of one Gaussian; an arrow when it has a yaw."""
    mean, cov = position(known)
    drawn: list[Artist] = [draw_ellipse(ax, mean, cov, probability=probability)]
    if "yaw" in {name.rpartition(".")[2] for name in known.space.names}:
        yaw = known.mean[find("yaw", known.space)]
        drawn.append(draw_pose(ax, (*mean, yaw), size, facecolor=ESTIMATE))
    return drawn


def draw_ellipse(ax: Axes, mean: ArrayLike, cov: ArrayLike, *, probability: float = 0.95, **style: Any) -> Ellipse:
    """The ellipse that holds `probability` of the normal density of mean ``(2,)`` and covariance ``(2, 2)``.

    Its half axes are ``sqrt(-2 log(1 - probability) lambda)``, lambda the eigenvalues of the covariance.
    """
    given = {"facecolor": "none", "edgecolor": ESTIMATE, "linewidth": 1.2, "zorder": 6, **style}
    patch = Ellipse((0.0, 0.0), 1.0, 1.0, **given)
    shape_ellipse(patch, mean, cov, probability)
    ax.add_patch(patch)
    return patch


def shape_ellipse(patch: Ellipse, mean: ArrayLike, cov: ArrayLike, probability: float = 0.95) -> None:
    """Give an ellipse the place and the axes of a density."""
    P = np.asarray(cov, dtype=np.float64)
    if P.shape != (2, 2) or np.shape(mean) != (2,):
        raise ShapeError(f"an ellipse needs a mean (2,) and a covariance (2, 2), not {np.shape(mean)} and {P.shape}")
    values, vectors = np.linalg.eigh(P)
    width, height = 2.0 * np.sqrt(np.maximum(values, 0.0) * -2.0 * np.log1p(-probability))
    patch.set_center(tuple(np.asarray(mean, dtype=np.float64)))
    patch.set_width(float(width))
    patch.set_height(float(height))
    patch.set_angle(float(np.degrees(np.arctan2(vectors[1, 0], vectors[0, 0]))))


def draw_particles(ax: Axes, cloud: Particles | ArrayLike, **style: Any) -> PathCollection:
    """Particles, or points ``(N, 2)`` or wider, as dots; of a large cloud every so-and-so-many-th."""
    if isinstance(cloud, Particles):
        xy = cloud.points[..., [find("x", cloud.space), find("y", cloud.space)]].reshape(-1, 2)
    else:
        xy = np.asarray(cloud, dtype=np.float64)[..., :2].reshape(-1, 2)
    shown = xy[:: -(-len(xy) // MOST) or 1]
    given = {"s": 3.0, "color": PARTICLE, "linewidth": 0.0, "alpha": 0.55, "zorder": 3, **style}
    return ax.scatter(shown[:, 0], shown[:, 1], **given)


def position(known: Gaussian) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean ``(2,)`` and covariance ``(2, 2)`` of x and y."""
    stored = [find(name, known.space) for name in ("x", "y")]
    spots = [_tangent(known, i) for i in stored]
    return known.mean[stored], known.cov[np.ix_(spots, spots)]


def _tangent(known: Gaussian, index: int) -> int:
    """Where a stored component lies in the tangent."""
    for _, s, t in known.space.layout:
        if s.start <= index < s.stop and s.stop - s.start == t.stop - t.start:
            return t.start + index - s.start
    raise ShapeError(f"{known.space.names[index]} of {known.space} has no covariance of its own to draw")
