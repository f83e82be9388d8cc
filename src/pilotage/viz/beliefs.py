"""Drawings of beliefs: ellipses of Gaussians, particles, and mixtures of both."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.patches import Ellipse
from numpy.typing import ArrayLike, NDArray

from ..core import Belief, Gaussian, Mixture, Particles, ShapeError, Space, jacobian
from ..core.arrays import numbers
from ..core.settings import Interval, instance, setting
from .palette import ESTIMATE, PARTICLE, styled
from .paths import draw_pose, rows

MOST = 3000
"""Largest number of particles drawn; more would only be slow."""
PLANE = Space("x y [m]")


def draw_belief(
    ax: Axes, belief: Belief, *, probability: float = 0.95, size: float = 0.15, **style: Any
) -> list[Artist]:
    """A belief over a space with x and y: particles as dots, Gaussians as ellipses, a mixture as all of its components.

    Args:
        ax: the axes to draw on.
        belief: a `Gaussian`, `Particles`, `Mixture`, or a belief with `particles`, such as a `Localization`.
        probability: probability mass inside the ellipse of a Gaussian.
        size: length of the arrow that shows the mean yaw [m], if the space has a yaw.
        **style: settings of the ellipses; the arrow takes their colour.

    Raises:
        SettingError: if `belief` is none.
        ShapeError: if a Gaussian has leading axes; draw ``belief[i]``.
        SpaceError: if the space has no x and y.

    Example:
        >>> from pilotage.core import Space
        >>> from pilotage.viz import map_figure
        >>> figure, ax = map_figure([[0, 0], [4, 3]])
        >>> len(draw_belief(ax, Gaussian.of(Space("x y [m]", "yaw: angle"), [1, 1, 0.5], std=0.2)))
        2
    """
    instance(belief, Belief, "draw_belief", "; a filter has one: .belief")
    if isinstance(belief, Mixture):
        parts = zip(belief.components, np.exp(belief.log_weights), strict=True)
        drawn = [
            (artist, w)
            for part, w in parts
            for artist in draw_belief(ax, part, probability=probability, size=size, **style)
        ]
        for artist, w in drawn:
            artist.set_alpha(0.15 + 0.85 * float(w))
        return [artist for artist, _ in drawn]
    cloud = belief if isinstance(belief, Particles) else getattr(belief, "particles", None)
    dots: list[Artist] = [] if cloud is None else [draw_particles(ax, cloud)]
    return dots + draw_gaussian(ax, belief.moments(), probability=probability, size=size, **style)


def draw_gaussian(
    ax: Axes, known: Gaussian, *, probability: float = 0.95, size: float = 0.15, **style: Any
) -> list[Artist]:
    """The ellipse of one Gaussian, and an arrow at its mean if it has a yaw."""
    mean, cov = position(known)
    ellipse = draw_ellipse(ax, mean, cov, probability=probability, **style)
    drawn: list[Artist] = [ellipse]
    if "yaw" in {name.rpartition(".")[2] for name in known.space.names}:
        yaw = known.mean[known.space.find("yaw")]
        drawn.append(draw_pose(ax, (*mean, yaw), size, facecolor=ellipse.get_edgecolor()))
    return drawn


def draw_ellipse(ax: Axes, mean: ArrayLike, cov: ArrayLike, *, probability: float = 0.95, **style: Any) -> Ellipse:
    """The ellipse that holds `probability` of the normal density of mean ``(2,)`` and covariance ``(2, 2)``.

    Its half axes are ``sqrt(-2 log(1 - probability) lambda)`` with the eigenvalues lambda of the covariance.

    Example:
        >>> from pilotage.viz import map_figure
        >>> figure, ax = map_figure([[0, 0], [4, 3]])
        >>> round(draw_ellipse(ax, [2, 1], [[0.04, 0], [0, 0.01]]).width, 2)
        0.49
    """
    given = styled(Ellipse, style, facecolor="none", edgecolor=ESTIMATE, linewidth=1.2, zorder=6)
    patch = Ellipse((0.0, 0.0), 1.0, 1.0, **given)
    shape_ellipse(patch, mean, cov, probability)
    ax.add_patch(patch)
    return patch


def shape_ellipse(patch: Ellipse, mean: ArrayLike, cov: ArrayLike, probability: float = 0.95) -> None:
    """Set center, axes and angle of an ellipse to those of a normal density."""
    P, at = numbers(cov, "a covariance"), numbers(mean, "a mean")
    if P.shape != (2, 2) or at.shape != (2,) or not np.isfinite(P).all():
        raise ShapeError(
            f"an ellipse needs a mean (2,) and a finite covariance (2, 2), not {at.shape} and {P.tolist()}"
        )
    probability = setting(probability, Annotated[float, Interval(0.0, 1.0)], "probability")
    values, vectors = np.linalg.eigh(P)
    width, height = 2.0 * np.sqrt(np.maximum(values, 0.0) * -2.0 * np.log1p(-probability))
    patch.set_center(tuple(at))
    patch.set_width(float(width))
    patch.set_height(float(height))
    patch.set_angle(float(np.degrees(np.arctan2(vectors[1, 0], vectors[0, 0]))))


def draw_particles(ax: Axes, cloud: Particles | ArrayLike, **style: Any) -> PathCollection:
    """Particles, or points ``(N, 2)`` or more columns, as dots. Of more than 3000, an even selection is drawn.

    Example:
        >>> from pilotage.viz import map_figure
        >>> figure, ax = map_figure([[0, 0], [4, 3]])
        >>> len(draw_particles(ax, np.zeros((10_000, 3))).get_offsets())
        2500
    """
    if isinstance(cloud, Particles):
        xy = cloud.points[..., [cloud.space.find("x"), cloud.space.find("y")]].reshape(-1, 2)
    else:
        xy = rows(cloud, "particles")
    shown = xy[:: -(-len(xy) // MOST) or 1]
    given = styled(PathCollection, style, s=3.0, facecolor=PARTICLE, linewidth=0.0, alpha=0.55, zorder=3)
    return ax.scatter(*shown.T, **given)


def position(known: Gaussian) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean ``(2,)`` and covariance ``D P D'`` ``(2, 2)`` of x and y in the world, P in the tangent of the space.

    D is the Jacobian of (x, y). It rotates the tangent of an SE(2) or SE(3) pose, which is in the body frame.
    """
    if known.mean.ndim != 1:
        raise ShapeError(f"Gaussians of shape {known.mean.shape[:-1]} were given; one is drawn at a time, as belief[i]")
    stored = [known.space.find(name) for name in ("x", "y")]
    D = jacobian(lambda x: x[..., stored], known.mean, known.space, PLANE)
    return known.mean[stored], D @ known.cov @ D.T
