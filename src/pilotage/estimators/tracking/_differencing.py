"""Two detections made into the belief of a track."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core import Gaussian, Mixture, Space
from ...core.arrays import Array
from ._laplace import explained, mode, offsets, squares
from ._targets import Rows, Targets


class Differencing:
    """The beliefs of tracks from two detections each; see `TwoPoint`.

    Args:
        targets: the filter.
        birth: what the detections do not tell.
        rounds: of Gauss-Newton.
    """

    def __init__(self, targets: Targets, birth: Gaussian | Mixture, rounds: int) -> None:
        self._targets, self._rounds, self._birth = targets, rounds, birth
        parts = birth.components if isinstance(birth, Mixture) else (birth,)
        models = (model for _, model in targets.modes.components)
        self._parts = [(part.moments(), model) for part, model in zip(parts, models, strict=True)]

    def distances(self, first: Any, second: Any) -> tuple[Array, Array]:
        """How far each second detection is from each first one, and the standard deviation of that; ``(F, S)``."""
        birth, _ = self._parts[0]
        h, k = (self._targets.mounted(one.sensor)[0] for one in (first, second))
        a, b = (self._beliefs(one.rows)[0] for one in (first, second))
        place = places(birth.space, [(h, a.mean, first.context), (k, b.mean, second.context)])
        d = np.asarray(birth.space.minus(b.mean[None], a.mean[:, None]))[..., place]
        variances = [np.trace(belief.cov[:, place][..., place], axis1=-2, axis2=-1) for belief in (a, b)]
        return np.linalg.norm(d, axis=-1), np.sqrt(variances[0][:, None] + variances[1])

    def joined(self, first: Any, second: Any, speed: float, sigmas: float) -> tuple[Rows, Any]:
        """The belief of each pair of a first and a second detection, and which of them are not too fast."""
        if not len(first.z):
            return self._targets.none(), np.zeros(0, bool)
        found, fine = list[Gaussian](), np.ones(len(first.z), bool)
        for j, (birth, model) in enumerate(self._parts):
            mean, cov, good = self._pair(j, birth, model, first, second, speed, sigmas)
            found.append(Gaussian.trusted(birth.space, mean, cov))
            fine &= good
        belief: Any = found[0]
        if isinstance(self._birth, Mixture):
            logs = np.broadcast_to(self._birth.log_weights, (len(fine), len(found))).copy()
            belief = Mixture.trusted(tuple(found), logs)
        return self._targets.pack(belief), fine

    def _beliefs(self, rows: Rows) -> list[Gaussian]:
        """The beliefs in rows, one for each model."""
        belief = self._targets.unpack(rows)
        return [each.moments() for each in (belief.components if isinstance(belief, Mixture) else (belief,))]

    def _pair(
        self, j: int, birth: Gaussian, model: Any, first: Any, second: Any, speed: float, sigmas: float
    ) -> tuple[Array, Array, Any]:
        """Means and covariances under model j, and which of them are found and not too fast."""
        space, dt = birth.space, second.t - first.t
        h, k = (self._targets.mounted(one.sensor)[j] for one in (first, second))
        guess = self._beliefs(first.rows)[j].mean
        place = places(space, [(h, guess, first.context), (k, guess, second.context)])
        F = np.asarray(model.linearize(guess, np.zeros((len(guess), model.action.size)), dt)[0])
        rate = rates(space, place) & (np.broadcast_to(F, (len(guess), *F.shape[-2:]))[:, place] != 0.0).any((0, 1))
        rate &= rate.sum() <= place.sum()  # otherwise the difference does not tell which moves it
        information = rest(birth, place | rate)

        def later(x: Array) -> tuple[Array, Array, Array, Array, Array, Array]:
            """Where a state is at the second detection, F, Q, and what that says of it."""
            u = np.zeros((*x.shape[:-1], model.action.size))
            y = np.asarray(model.step(x, u, dt))
            return (
                y,
                np.asarray(model.linearize(x, u, dt)[0]),
                np.asarray(model.noise(x, u, dt)),
                *explained(k, y, second.z, second.context),
            )

        def cost(x: Array) -> tuple[Array, Array, Array]:
            _, F, Q, y, H, R = later(x)
            one = squares(*explained(h, x, first.z, first.context))
            two = squares(y, H @ F, R + H @ Q @ np.swapaxes(H, -1, -2))
            e = np.asarray(space.minus(x, birth.mean))
            own = np.einsum("...i,ij,...j", e, information, e), e @ information, information
            return one[0] + two[0] + own[0], one[1] + two[1] + own[1], one[2] + two[2] + own[2]

        exact = h.linear and k.linear and model.linear
        steps = offsets(birth)
        steps = steps[~(steps[:, place | rate] != 0.0).any(1)]  # along what is told there is one mode
        x, _, A, fine = mode(space, cost, np.asarray(space.plus(guess, steps[:, None])), self._rounds, exact)
        fine &= np.linalg.matrix_rank(A, hermitian=True) == space.dim
        A = np.where(fine[:, None, None], A, np.eye(space.dim))
        y, F, Q, d, H, R = later(x)
        S = R + H @ Q @ np.swapaxes(H, -1, -2)
        K = np.swapaxes(np.linalg.solve(S, H @ np.swapaxes(Q, -1, -2)), -1, -2)  # of the process noise
        T = np.eye(space.dim) - K @ H
        mean = np.asarray(space.plus(y, np.einsum("...ij,...j->...i", K, d)))
        cov = T @ (F @ np.linalg.inv(A) @ np.swapaxes(F, -1, -2) + Q) @ np.swapaxes(T, -1, -2)
        cov = cov + K @ R @ np.swapaxes(K, -1, -2)
        if rate.any():
            v = mean[:, components(space, rate)]
            most = np.linalg.eigvalsh(cov[:, rate][:, :, rate])[:, -1]
            fine &= np.linalg.norm(v, axis=-1) <= speed + sigmas * np.sqrt(np.maximum(most, 0.0))
        return mean, 0.5 * (cov + np.swapaxes(cov, -1, -2)), fine & np.isfinite(mean).all(-1)


def places(space: Space, sensors: list[tuple[Any, Array, Any]]) -> Any:
    """The components of the tangent that a detection of each sensor tells; none if they give no position.

    Args:
        space: of the states.
        sensors: of each detection the sensor, states where it is linearized, and the context.
    """
    seen, most = np.ones(space.dim, bool), space.dim
    for h, x, context in sensors:
        H = np.asarray(h.linearize(x, context))
        seen &= (np.broadcast_to(H, (len(x), *H.shape[-2:])) != 0.0).any((0, 1))
        most = min(most, h.reading.dim)
    seen &= ~rates(space, seen)
    return seen if seen.sum() <= most else np.zeros(space.dim, bool)


def rates(space: Space, place: Any) -> Any:
    """The components of the tangent whose unit is that of a rate of others."""
    units = space.tangent.units
    wanted = {f"{units[i]}/s" for i in np.flatnonzero(place)}
    return np.array([unit in wanted for unit in units])


def rest(birth: Gaussian, known: Any) -> Array:
    """The information of the birth on the components that are not known otherwise."""
    other = np.flatnonzero(~known)
    information = np.zeros((birth.space.dim, birth.space.dim))
    information[np.ix_(other, other)] = np.linalg.inv(np.asarray(birth.cov)[np.ix_(other, other)])
    return information


def components(space: Any, which: Any) -> list[int]:
    """Where components of the tangent, which are real numbers, are in a state."""
    names = [space.tangent.names[i] for i in np.flatnonzero(which)]
    return [list(space.names).index(name) for name in names]
