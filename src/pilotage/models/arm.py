"""Planar arms with any number of links, under gravity."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.errors import ModelError
from ..core.mathematics import Mathematics
from ..core.parts import Components
from ..core.settings import whole
from ..core.space import Space
from .trace.dynamics import DynamicsFamily, TracedDynamics, dynamics
from .trace.params import Values
from .trace.portable import variants


def planar_arm(links: int = 2, **settings: Any) -> TracedDynamics:
    """A robot arm in a vertical plane, with a motor at every joint.

    ::

                     o tip           M(q) q'' + c(q, q') + g(q) = torque - damping q'
             q2 .   /
               .   /  link 2         link i points along  s_i = q_1 + ... + q_i,  counter-clockwise from +x
                (o)                  M_ab = sum over links i, j after joints a and b of H_ij cos(s_i - s_j)
               / q1                  c_a  = sum of H_ij sin(s_i - s_j) s_j'^2,   g_a = sum of G_i cos s_i
              /  link 1
            (o)- - - - - x           gravity points along -y

    Links are uniform rods of lengths L and masses m: H_ii = L_i^2 (m_i / 3 + mass beyond i),
    H_ij = H_ji = L_i L_j (m_j / 2 + mass beyond j) for i < j, and G_i = gravity L_i (m_i / 2 + mass beyond i). The
    system of equations is solved by Cholesky's method, written out.

    State ``(joint1, ..., rate1, ...)`` [rad, rad/s], with joint angles relative to the previous link; action
    ``(torque1, ...)`` [N m]. Parameters: `masses` [kg] and `lengths` [m], one per link, `gravity` [m/s^2], `damping` of
    every joint [N m s/rad]. Default noise: a random walk that reaches 1 mrad and 0.01 rad/s after a second.

    Args:
        links: 1 to 8.
        settings: parameters, `noise`, `action_noise`, `integrator`, `limits`, as for all dynamics.

    Source: Siciliano, Sciavicco, Villani and Oriolo, "Robotics: Modelling, Planning and Control" (2009), section 7.3,
    in absolute link angles.

    Example:
        >>> arm = planar_arm(2, lengths=(0.5, 0.4))
        >>> import math
        >>> arm.step([-math.pi / 2, 0.0, 0.0, 0.0], [0.0, 0.0], 0.1)[:2].round(6).tolist()  # it hangs, and stays
        [-1.570796, 0.0]
    """
    links = whole(links, "the number of links", 1, 8)
    family = _planar_arm(links)
    for name in ("masses", "lengths"):
        if np.shape(settings.get(name, (1.0,) * links)) != (links,):
            raise ModelError(
                f"an arm of {links} links needs {links} {name}, one per link; {settings[name]!r} was given"
            )
    return family(**settings)


@variants
def _planar_arm(links: int) -> DynamicsFamily:
    numbers = range(1, links + 1)
    state = Space(*(f"joint{i}: angle" for i in numbers), " ".join(f"rate{i}" for i in numbers) + " [rad/s]")
    action = Space(" ".join(f"torque{i}" for i in numbers) + " [N m] in [-10, 10]")
    params = {"masses": (1.0,) * links, "lengths": (1.0,) * links, "gravity": 9.81, "damping": 0.0}

    @dynamics(
        state=state, action=action, params=params, positive="masses lengths", noise=(1e-3,) * links + (1e-2,) * links
    )
    def planar_arm(x: Components, u: Components, p: Values, m: Mathematics) -> Components:
        rates = x[links:]
        angle, spin = _running(x[:links]), _running(rates)
        H, G = _constants(links, p)
        # Forces on absolute link angles; the torque of a joint acts on all links beyond it.
        force = [
            -G[i] * m.cos(angle[i])
            - sum(H[i][j] * m.sin(angle[i] - angle[j]) * spin[j] * spin[j] for j in range(links) if j != i)
            for i in range(links)
        ]
        A = [[H[i][j] * m.cos(angle[i] - angle[j]) if i != j else H[i][i] for j in range(links)] for i in range(links)]
        M = [_beyond(column) for column in zip(*(_beyond(row) for row in A), strict=True)]
        torque = [a - p.damping * r + f for a, r, f in zip(u, rates, _beyond(force), strict=True)]
        return [*rates, *solve_positive(M, torque, m)]

    return planar_arm


def _running(values: Components) -> list[Any]:
    """Running sums."""
    total, out = values[0], [values[0]]
    for value in values[1:]:
        total = total + value
        out.append(total)
    return out


def _beyond(values: Components) -> list[Any]:
    """Sums from each entry to the last."""
    return _running(values[::-1])[::-1]


def _constants(links: int, p: Values) -> tuple[list[list[Any]], list[Any]]:
    """Inertia between links and weight of each, of uniform rods."""
    after = [sum(p.masses[j] for j in range(i + 1, links)) for i in range(links)]
    first = [p.lengths[i] * (0.5 * p.masses[i] + after[i]) for i in range(links)]
    second = [p.lengths[i] * p.lengths[i] * (p.masses[i] / 3.0 + after[i]) for i in range(links)]
    H = [[second[i] if i == j else p.lengths[min(i, j)] * first[max(i, j)] for j in range(links)] for i in range(links)]
    return H, [p.gravity * first[i] for i in range(links)]


def solve_positive(M: list[list[Any]], b: list[Any], m: Mathematics) -> list[Any]:
    """Solve ``M y = b`` for a symmetric positive definite M of scalar components, by ``M = L D L'``.

    Example:
        >>> from pilotage.core import numpy_math
        >>> solve_positive([[4.0, 2.0], [2.0, 3.0]], [8.0, 8.0], numpy_math)
        [1.0, 2.0]
    """
    n = len(b)
    L = [[0.0] * n for _ in range(n)]
    D: list[Any] = [0.0] * n
    for j in range(n):
        D[j] = M[j][j] - sum(L[j][k] * L[j][k] * D[k] for k in range(j))
        for i in range(j + 1, n):
            L[i][j] = (M[i][j] - sum(L[i][k] * L[j][k] * D[k] for k in range(j))) / D[j]
    y = list(b)
    for i in range(n):
        y[i] = y[i] - sum(L[i][k] * y[k] for k in range(i))
    y = [y[i] / D[i] for i in range(n)]
    for i in reversed(range(n)):
        y[i] = y[i] - sum(L[k][i] * y[k] for k in range(i + 1, n))
    return y
