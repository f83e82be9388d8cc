"""Suggestions from a run: the parts of the noise that are wrong, with their factors, and the biases of readings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..core import FilterRun
from ..core.arrays import Array
from ._deviations import Deviations, likelihoods

GRID = np.geomspace(1.0 / 8.0, 8.0, 13)
"""Factors of standard deviations that are tried; a part may be scaled again."""
COARSE = np.geomspace(1.0 / 3.0, 3.0, 7)
ROUNDS, ROWS = 6, 24
LEAST = 1e-3
"""Factor that is given where the truth shows no noise at all."""
NEAR, SMALL = 1.15, 0.1
"""Factor below which noise is left alone, and bias in standard deviations of the noise: nobody tunes finer."""


@dataclass(frozen=True)
class Suggestion:
    """A change of the model that explains a run better.

    Attributes:
        kind: "process noise", "measurement noise" or "bias".
        of: name of the component, of the sensor, or of both; empty for the whole state.
        factor: what the standard deviation is to be multiplied by; 1 for a bias.
        value: the bias; 0 for noise.
        unit: unit of the bias.
        gain: log-likelihood that it gains.

    Example:
        >>> print(Suggestion("process noise", "speed", factor=3.0, gain=40.0))
        process noise on speed looks 3x too small
        >>> print(Suggestion("bias", "gnss", component="x", value=1.2, unit="m", gain=40.0))
        readings of gnss come with a bias of 1.2 m in x
    """

    kind: str
    of: str
    component: str = ""
    factor: float = 1.0
    value: float = 0.0
    unit: str = ""
    gain: float = 0.0

    @property
    def about(self) -> str:
        """The part in words."""
        where = f" in {self.component}" * bool(self.component)
        if self.kind == "process noise":
            return f"process noise{f' on {self.of}' * bool(self.of)}"
        return f"{self.kind} of {self.of}{where}"

    def __str__(self) -> str:
        if self.kind == "bias":
            where = f" in {self.component}" * bool(self.component)
            return (
                f"readings of {self.of} come with a bias of {self.value:.2g}{f' {self.unit}' * bool(self.unit)}{where}"
            )
        size = f"{max(self.factor, 1.0 / self.factor):.2g}x too {'small' if self.factor > 1.0 else 'large'}"
        return f"{self.about} looks {size}"


@dataclass(frozen=True)
class Part:
    """A part of the noise that is scaled as one, with masks of process noise ``(d,)`` and readings ``(J, m)``."""

    what: Suggestion
    q: Any
    r: Any


def parts(run: FilterRun, model: Deviations, names: list[str]) -> list[Part]:
    """Parts of the noise: each component with noise, and all of Q and each R as a whole."""
    d, (J, m) = model.shift.shape[-1], (len(names), model.y.shape[-1])
    noisy = np.flatnonzero((model.Q[..., range(d), range(d)] > 0.0).any((0, 1)))
    rows = [("", noisy)] * (len(noisy) > 1)
    rows += [(run.predicted.moments().space.tangent.names[i], np.array([i])) for i in noisy]
    none_q, none_r = np.zeros(d, dtype=bool), np.zeros((J, m), dtype=bool)
    found = list[Part]()
    for name, at in rows:
        q = none_q.copy()
        q[at] = True
        found.append(Part(Suggestion("process noise", name), q, none_r))
    for j, (sensor, name) in enumerate(zip(run.sensors, names, strict=True)):
        k = sensor.reading.dim
        rows = [("", np.arange(k))] + [(sensor.reading.tangent.names[i], np.array([i])) for i in range(k)] * (k > 1)
        for component, at in rows:
            r = none_r.copy()
            r[j, at] = True
            found.append(Part(Suggestion("measurement noise", name, component), none_q, r))
    return found


def scales(run: FilterRun, model: Deviations, names: list[str]) -> list[tuple[Suggestion, float, float]]:
    """The factor of each part of the noise that fits best of a few, its gain, and the standard error of its logarithm.

    Twice the gain has at most a chi-square distribution of one degree under a consistent filter (Wilks 1938).
    """
    model, choices = _some(model.pieces()), parts(run, model, names)
    ones = np.ones(model.shift.shape[-1]), np.ones((len(names), model.y.shape[-1]))
    logs = _tried(model, choices, COARSE, *ones)
    middle, step = len(COARSE) // 2, float(np.log(COARSE[1] / COARSE[0]))
    gains = logs - logs[:, middle, None]
    bend = np.maximum(2.0 * gains[:, middle] - gains[:, middle - 1] - gains[:, middle + 1], 1e-12)
    best = gains.argmax(1)
    return [
        (replace(part.what, factor=float(COARSE[i]), gain=float(row[i])), float(row[i]), step / float(b) ** 0.5)
        for part, row, i, b in zip(choices, gains, best, bend, strict=True)
    ]


def from_readings(run: FilterRun, model: Deviations, names: list[str], level: float) -> tuple[Suggestion, ...]:
    """What raises the likelihood of the readings most, one part of the noise or bias after another."""
    model = _some(model.pieces())
    choices, (J, m) = parts(run, model, names), (len(names), model.y.shape[-1])
    q, r = np.ones(model.shift.shape[-1]), np.ones((J, m))
    found: dict[int, Suggestion] = {}
    least = _least(level, len(choices) + J * m)
    for _ in range(ROUNDS):
        log, A, c = likelihoods(model, q[None], r[None], biases=True)
        strength = np.diagonal(A[0])
        b = np.where(strength > 0.0, c[0] / np.maximum(strength, 1e-300), 0.0)
        factors, gains = _best_factors(model, choices, q, r, float(log[0]))
        gains = np.concatenate([gains, 0.5 * b * c[0]])
        best = int(gains.argmax())
        if gains[best] < least:
            break
        if best < len(choices):
            part, factor = choices[best], factors[best]
            q, r = np.where(part.q, factor * q, q), np.where(part.r, factor * r, r)
            old = found.get(best, part.what)
            found[best] = replace(old, factor=float(old.factor * factor), gain=old.gain + float(gains[best]))
        else:
            (j, i), value = divmod(best - len(choices), m), float(b[best - len(choices)])
            if abs(value) < SMALL * r[j, i] * _std(model, j, i):
                break
            model = replace(
                model, y=model.y - value * (model.seen & (model.which == j)[..., None] & (np.arange(m) == i))
            )
            old = found.get(best, _bias(run, names, j, i))
            found[best] = replace(old, value=old.value + value, gain=old.gain + float(gains[best]))
    return _ordered(list(found.values()))


def _some(model: Deviations) -> Deviations:
    """At most `ROWS` rows, evenly: enough to tell, and soon done."""
    chosen = np.unique(np.linspace(0, len(model.y) - 1, ROWS).astype(int))
    return Deviations(**{name: a[chosen] for name, a in vars(model).items()})


def _best_factors(model: Deviations, choices: list[Part], q: Array, r: Array, now: float) -> tuple[Array, Array]:
    """The best factor of each part, and the log-likelihood that it gains; between those tried, by a parabola."""
    logs = _tried(model, choices, GRID, q, r) - now
    i = np.clip(logs.argmax(1), 1, len(GRID) - 2)
    a, b, c = (logs[range(len(logs)), i + s] for s in (-1, 0, 1))
    bend = a - 2.0 * b + c
    step = np.where(bend < 0.0, np.clip(0.5 * (a - c) / np.where(bend < 0.0, bend, 1.0), -1.0, 1.0), np.sign(c - a))
    factors = GRID[i] * (GRID[1] / GRID[0]) ** step
    return factors, b - 0.25 * (a - c) * step


def _tried(model: Deviations, choices: list[Part], factors: Array, q: Array, r: Array) -> Array:
    """Log-likelihoods of each part scaled by each factor, ``(parts, factors)``."""
    qs = np.concatenate([np.where(part.q, factors[:, None] * q, q) for part in choices])
    rs = np.concatenate([np.where(part.r, factors[:, None, None] * r, r) for part in choices])
    return likelihoods(model, qs, rs)[0].reshape(len(choices), len(factors))


def from_truth(run: FilterRun, truth: Any, model: Deviations, names: list[str], level: float) -> tuple[Suggestion, ...]:
    """What the truth says of each part: ``w = x' (-) f(x, u)`` against Q, ``v = y - H e`` against R."""
    before = run.predicted.moments()
    space = before.space
    x = np.broadcast_to(space.check(truth, "true states"), before.mean.shape).reshape(*model.shift.shape[:2], -1)
    e = np.asarray(space.minus(x, before.mean.reshape(x.shape)))
    v = model.y - (model.H @ e[..., None])[..., 0]
    plus = e - model.shift
    w = e[:, 1:] - (model.F[:, 1:] @ plus[:, :-1, :, None])[..., 0]
    found = list[Suggestion]()
    choices = parts(run, model, names)
    least = _least(level, len(choices) + v.shape[-1] * len(names))
    for part in choices:
        if part.q.sum() + part.r.sum() > 1:
            continue
        if part.q.any():
            i = int(part.q.argmax())
            Q = model.Q[:, 1:, i, i]
            z = w[..., i][Q > 0.0] / np.sqrt(Q[Q > 0.0])
        else:
            j, i = np.unravel_index(int(part.r.argmax()), part.r.shape)
            use = model.seen[..., i] & (model.which == j)
            std = np.sqrt(model.R[..., i, i][use])
            mean = float(np.mean(v[..., i][use])) if use.any() else 0.0
            gain = 0.5 * float(((mean / std) ** 2).sum()) if abs(mean) > SMALL * _std(model, int(j), int(i)) else 0.0
            if gain > least:
                found.append(replace(_bias(run, names, int(j), int(i)), value=mean, gain=gain))
            z = (v[..., i][use] - (mean if gain > least else 0.0)) / std
        factor = max(float(np.sqrt(np.mean(z**2))), LEAST) if z.size else 1.0
        gain = z.size * (0.5 * (factor**2 - 1.0) - np.log(factor))
        if gain > least:
            found.append(replace(part.what, factor=factor, gain=gain))
    return _ordered(_joined(found, choices))


def _joined(found: list[Suggestion], choices: list[Part]) -> list[Suggestion]:
    """Components of one sensor, or of the state, whose factors agree within a fifth, as one suggestion."""
    for part in choices:
        size, what = int(part.q.sum() + part.r.sum()), part.what
        mine = [s for s in found if s.kind == what.kind and (s.of == what.of or s.kind == "process noise")]
        logs = np.log([s.factor for s in mine])
        if size > 1 and len(mine) == size and np.ptp(logs) < 0.2:
            rest = [s for s in found if s not in mine]
            found = [*rest, replace(what, factor=float(np.exp(logs.mean())), gain=sum(s.gain for s in mine))]
    return found


def _bias(run: FilterRun, names: list[str], j: int, i: int) -> Suggestion:
    reading = run.sensors[j].reading
    component = reading.tangent.names[i] if reading.dim > 1 or reading.tangent.names[i] != names[j] else ""
    return Suggestion("bias", names[j], component, unit=reading.tangent.units[i])


def _std(model: Deviations, j: int, i: int) -> float:
    """Standard deviation of a component of a sensor's noise, over its readings."""
    use = model.seen[..., i] & (model.which == j)
    return float(np.sqrt(model.R[..., i, i][use].mean())) if use.any() else 0.0


def _least(level: float, count: int) -> float:
    """Log-likelihood that one of so many parts gains by chance at that level (Wilks 1938)."""
    from scipy.special import gammaincinv

    return float(gammaincinv(0.5, 1.0 - level / count))


def _ordered(found: list[Suggestion]) -> tuple[Suggestion, ...]:
    """Suggestions that matter, the most telling first."""
    kept = [s for s in found if s.kind == "bias" or abs(np.log(s.factor)) > np.log(NEAR)]
    return tuple(sorted(kept, key=lambda s: -s.gain))
