"""PID control of one or several components."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from ...core.arrays import Array
from ...core.errors import SettingError
from ...core.results import Action, ActionStatus
from ...core.settings import Finite, NonNegative, Positive, by_name, instance, setting, shown
from ...core.space import Space
from ...core.states import state_of
from ...core.streams import checked
from ..reach import weights_of

Gain = float | Mapping[str, float]
INSTANT = 1e-9
"""Two ticks nearer than this count as one for the derivative [s]."""


class PID:
    """PID control: proportional, integral and derivative action on components of a state or a reading.

    ::

        e = r (-) y                                        y the component, r its goal; angles wrap
        P = kp (e - (1 - b) (r (-) r_0))                   r_0: the goal when the episode began
        I <- I + ki e h                                    h: seconds since the last tick
        D <- (lag D + kd (c dr - dy)) / (lag + h)          dr, dy: changes since the last tick
        v = feedforward + P + I + D,    u = v within the bounds, and within rate h of the last u
        I <- I + (1 - exp(-h / tracking)) (u - v)          back-calculation if ki is not 0; clamping: I keeps its value
                                                           while v is beyond u and e would take it further

    I never takes ``feedforward + I`` out of the bounds of the action. Ticks may be irregular. A component that is NaN
    holds the action of its loop, and its changes are taken over the gap later; the status is then FALLBACK. The first
    action can continue that of another controller, ``reset(action=u)``, and `retune` changes gains without a step of
    the action. For a cascade, the action of an outer PID is the goal of an inner one; see `retarget`.

    Args:
        measured: the space of the states or readings that `act` receives.
        action: the space of the actions, with their bounds.
        loops: for each controlled component, the action that controls it.
        goal: the goals of the components; default: zero.
        kp, ki, kd: gains [action, per second, times second]: numbers, or one for each component by name; negative if
            the action lowers the component.
        b, c: weights of the goal in the proportional and the derivative action, from 0 to 1.
        lag: time constant of the derivative's filter [s].
        windup: "back-calculation" or "clamping".
        tracking: time constant of the back-calculation [s]; default: 1.
        rate: largest rate of each action [1/s]; default: no limit.
        feedforward: actions ``(m,)`` that are added, or a function of y and t that returns them; default: zero, or the
            nearest within the bounds.
        dt: seconds between ticks without a time.

    Attributes:
        integral: I of each loop.
        saturated: which actions of the last tick were limited ``(m,)``.

    Raises:
        SettingError: if a name is unknown, two loops share an action, a loop has no gain, or a number is out of range.

    Source: Aström and Hägglund, *PID Controllers: Theory, Design, and Tuning*, 2nd ed. 1995, chapters 3 and 8.

    Example:
        >>> from pilotage.models import quadrotor
        >>> drone = quadrotor(mass=0.5)
        >>> height = PID(drone.state, drone.action, {"z": "thrust"}, {"z": 1.0}, kp=4.0, ki=1.0, kd=3.0,
        ...              feedforward=[0.5 * 9.81, 0.0, 0.0, 0.0])
        >>> height.act(drone.state.identity(), t=0.0).u.round(3).tolist()
        [8.905, 0.0, 0.0, 0.0]
    """

    @by_name
    def __init__(
        self,
        measured: Space,
        action: Space,
        loops: Mapping[str, str],
        goal: Mapping[str, float] | None = None,
        *,
        kp: Gain = 0.0,
        ki: Gain = 0.0,
        kd: Gain = 0.0,
        b: float = 1.0,
        c: float = 0.0,
        lag: float = 0.0,
        windup: Literal["back-calculation", "clamping"] = "back-calculation",
        tracking: float | None = None,
        rate: float | Mapping[str, float] = math.inf,
        feedforward: ArrayLike | Callable[[Array, float], ArrayLike] | None = None,
        dt: float = 0.1,
    ) -> None:
        self.measured, self.action = instance(measured, Space, "PID"), instance(action, Space, "PID")
        self.loops, names = dict(loops), list(loops)
        if not names or len(set(loops.values())) < len(names):
            raise SettingError(f"loops is {loops}; expected one action for each component, and each action once")
        for name in names:
            if name not in set(measured.names) & set(measured.tangent_names):
                raise SettingError(f"loops names {name!r}; expected a real or an angle of {measured}")
        self._in = [measured.names.index(name) for name in names]
        self._at = [measured.tangent_names.index(name) for name in names]
        self._to = [action.index(name) for name in loops.values()]
        self.kp, self.ki, self.kd = (self._by_loop(g, n) for g, n in ((kp, "kp"), (ki, "ki"), (kd, "kd")))
        self.b, self.c = setting(b, Finite, "b"), setting(c, Finite, "c")
        self.lag = setting(lag, NonNegative, "lag")
        self.windup = setting(windup, Literal["back-calculation", "clamping"], "windup")
        if tracking is not None and windup == "clamping":
            raise SettingError("tracking is the time constant of the back-calculation; windup is 'clamping'")
        self.tracking, self.dt = (
            setting(1.0 if tracking is None else tracking, Positive, "tracking"),
            setting(dt, Positive, "dt"),
        )
        self.rate = weights_of(rate, action, math.inf, "rate")
        if not (self.rate > 0.0).all():
            raise SettingError(f"rate is {rate}; expected positive rates")
        given = action.clip(np.zeros(action.size)) if feedforward is None else feedforward
        self._ahead = given if callable(given) else action.check(given, "feedforward").copy()
        self.goal = np.zeros(len(names))
        self.retarget({} if goal is None else goal)
        for name, *gains in zip(names, self.kp, self.ki, self.kd, strict=True):
            if not any(gains):
                raise SettingError(f"kp, ki and kd of {name} are all 0, so that nothing controls it; give one of them")
        self.reset()

    def __repr__(self) -> str:
        return f"PID({', '.join(f'{y} by {u}' for y, u in self.loops.items())})"

    def reset(self, *, seed: int | None = None, action: ArrayLike | None = None) -> None:
        """Start an episode, without a step of the action if the last one ``(m,)`` of another controller is given."""
        checked(seed)
        k = len(self._to)
        self.integral, self._P, self._D = np.zeros(k), np.zeros(k), np.zeros(k)
        self.saturated = np.zeros(self.action.size, dtype=bool)
        self._u = None if action is None else self.action.clip(self.action.check(action, "action"))
        self._takes_over = action is not None
        self._t: float | None = None
        self._seen, self._y = np.full(k, math.nan), self.measured.identity()  # when, and what was measured last
        self._r, self._first = self.goal, self.goal

    def retarget(self, goal: Mapping[str, float]) -> None:
        """Change the goals of these components; for an inner loop of a cascade, at every tick."""
        names, new = list(self.loops), self.goal.copy()
        if not isinstance(goal, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise SettingError(f"goal is {shown(goal)}; expected values by name, of {', '.join(names)}")
        for name, value in goal.items():
            if name not in names:
                raise SettingError(f"goal names {name!r}; the components of this PID are {', '.join(names)}")
            new[names.index(name)] = setting(value, Finite, f"goal of {name}")
        self.goal = new

    @by_name
    def retune(self, *, kp: Gain | None = None, ki: Gain | None = None, kd: Gain | None = None) -> None:
        """Change gains; the integral takes over what the others lose, so that the action does not step."""
        P, D, old = self._P, self._D, (self.kp, self.kd)
        self.kp = old[0] if kp is None else self._by_loop(kp, "kp")
        self.ki = self.ki if ki is None else self._by_loop(ki, "ki")
        self.kd = old[1] if kd is None else self._by_loop(kd, "kd")
        self._P, self._D = _scaled(P, self.kp, old[0]), _scaled(D, self.kd, old[1])
        self.integral = self.integral + P + D - self._P - self._D

    def act(self, belief_or_state: Any, t: float | None = None) -> Action:
        """The action at time `t` [s]; default: `dt` after the last tick.

        Raises:
            ShapeError: if the state has the wrong length.
            SettingError: if the time is not finite.
        """
        begun = time.perf_counter()
        y = state_of(belief_or_state, self.measured, finite=False)
        later = 0.0 if self._t is None else self._t + self.dt
        now: float = later if t is None else setting(t, Finite, "t")
        if self._t is not None and now < self._t:  # the clock went back
            self.reset()
        seen = np.isfinite(y[self._in])
        y = np.where(np.isfinite(y), y, self._y)
        ahead = self._ahead(y, now) if callable(self._ahead) else self._ahead
        v = np.array(self.action.check(ahead, "feedforward"), dtype=np.float64)
        low, high = self._limits(0.0 if self._t is None else now - self._t)
        held = np.clip(v if self._u is None else self._u, low, high)[self._to]
        v[self._to] = np.where(seen, self._update(y, now, seen, v[self._to], held, low, high), held)
        u = np.clip(v, low, high)
        self._t, self._u, self._y, self.saturated = now, u, y, u != v
        lost = ", ".join(name for name, known in zip(self.loops, seen, strict=True) if not known)
        status = ActionStatus.FALLBACK if lost else ActionStatus.SOLVED
        reason = f"not measured: {lost}; fell back to hold" if lost else ""
        return Action(u.copy(), status, solve_time=time.perf_counter() - begun, reason=reason)

    def _update(self, y: Array, now: float, seen: Any, ahead: Array, held: Array, low: Array, high: Array) -> Array:
        """The actions v of the loops; the terms of those that were measured move on."""
        if self._t is None:
            self._r = self._first = self.goal
        new = np.isnan(self._seen)
        h = np.where(new, 0.0, now - self._seen)
        target = self._placed(y, self.goal)
        e = self._change(target, y)
        P = self.kp * (e - (1.0 - self.b) * self._change(target, self._placed(y, self._first)))
        moved = self.c * self._change(target, self._placed(y, self._r)) - np.where(new, 0.0, self._change(y, self._y))
        D = (self.lag * self._D + self.kd * moved) / np.where(h > INSTANT, self.lag + h, math.inf)
        D = np.where(h > INSTANT, D, self._D)
        I = self._wound(self.integral, self.ki * e * h, ahead)
        if self._takes_over:
            I = np.where(new, held - ahead - P - D, I)
        v, (low, high) = ahead + P + I + D, (low[self._to], high[self._to])
        excess = np.clip(v, low, high) - v
        if self.windup == "clamping":
            I = np.where(excess * self.ki * e < 0.0, self.integral, I)
        else:
            I = self._wound(I, np.where(self.ki == 0.0, 0.0, -np.expm1(-h / self.tracking)) * excess, ahead)
        self.integral, self._P, self._D = (
            np.where(seen, a, b) for a, b in ((I, self.integral), (P, self._P), (D, self._D))
        )
        self._seen, self._r = np.where(seen, now, self._seen), np.where(seen, self.goal, self._r)
        return ahead + P + I + D if self.windup == "clamping" else v

    def _wound(self, I: Array, step: Array, ahead: Array) -> Array:
        """The integral after a step that does not take ``feedforward + I`` out of the bounds, or further out."""
        low, high = (bound[self._to] - ahead for bound in (self.action.low, self.action.high))
        return np.clip(I + step, np.minimum(low, I), np.maximum(high, I))

    def _limits(self, passed: float) -> tuple[Array, Array]:
        """The lowest and highest actions, by their bounds and rates."""
        low, high = self.action.low, self.action.high
        if self._u is None:
            return low, high
        reach = np.multiply(self.rate, passed, out=np.full(len(low), math.inf), where=np.isfinite(self.rate))
        return np.maximum(low, self._u - reach), np.minimum(high, self._u + reach)

    def _placed(self, y: Array, goal: Array) -> Array:
        z = y.copy()
        z[self._in] = goal
        return z

    def _change(self, after: Array, before: Array) -> Array:
        return np.asarray(self.measured.minus(after, before))[self._at]

    def _by_loop(self, gain: Gain, what: str) -> Array:
        """A gain for each loop, from a number or by name."""
        given = gain if isinstance(gain, Mapping) else dict.fromkeys(self.loops, gain)
        if not set(given) <= set(self.loops):
            raise SettingError(f"{what} is {gain}; the components of this PID are {', '.join(self.loops)}")
        return np.array([setting(given.get(name, 0.0), Finite, f"{what} of {name}") for name in self.loops])


def _scaled(term: Array, new: Array, old: Array) -> Array:
    """A term as it is with the new gain; zero where the old one did not tell."""
    return np.where(old == 0.0, 0.0, term * new / np.where(old == 0.0, 1.0, old))
