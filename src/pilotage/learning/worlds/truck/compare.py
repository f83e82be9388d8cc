"""The comparison of controllers of the truck on the same starts. ``python -m`` this module prints the table."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch

from ....control import TrailerBacking
from ....core import SettingError
from ....core.arrays import Array
from ....models import truck
from ..._threads import threads_for
from ...evaluation import SuccessRate
from ._steering import Steering
from .evaluate import Ends, Name, TruckOptions, drive
from .line_regulator import LineRegulator
from .oracle import TruckOracle
from .policy import TruckPolicy
from .predictive import ilqr, mppi
from .trailer_pursuit import TrailerPursuit
from .walls import WallsPolicy


class Linearization(Steering):
    """Feedback linearisation, `TrailerBacking`; where that stops the truck, it goes on straight.

    Example:
        >>> float(Linearization().act([20.0, 0.0, 0.0, 0.0, 0.0]).u[0])
        0.0
    """

    def __init__(self, length: float = 1.3, approach: float = 1.3) -> None:
        super().__init__()
        self.law = TrailerBacking(truck(), [0.0, 0.0, 0.0], length=length, approach=approach, dt=self.dt)

    def decide(self, x: Array) -> Array:
        return self.law.act(relative(x)).u[1:]


class Oracle(Steering):
    """The greedy actions of `TruckOracle`, which show what is feasible.

    Example:
        >>> bool(abs(Oracle(shape=(12, 6, 12, 7)).act([20.0, 0.0, 0.0, 0.0, 0.0]).u[0]) < 0.8)
        True
    """

    def __init__(self, walls: bool = False, **settings: Any) -> None:
        super().__init__()
        self.walls, self.oracle = walls, TruckOracle(walls=walls, **settings)
        self.value = self.oracle.solve()

    def decide(self, x: Array) -> Array:
        if self.walls and x[4] != 0.0:
            raise SettingError(f"dock is {x[4]:g}; expected 0: between the walls, the oracle knows no other dock")
        return np.array([self.oracle.act(self.value, relative(x))[0]])


def relative(x: Array) -> Array:
    """The state ``(4,)`` whose y is relative to the dock, for a state ``(5,)`` of the environment.

    Example:
        >>> relative(np.array([20.0, 3.0, 0.1, 0.2, 1.0])).tolist()
        [20.0, 2.0, 0.1, 0.2]
    """
    return np.array([x[0], x[1] - x[4], x[2], x[3]])


def policy(walls: bool) -> Steering:
    """The policy of the package for these starts."""
    return WallsPolicy.load() if walls else TruckPolicy.load()


CONTROLLERS: Mapping[Name, Callable[[bool], Steering]] = {
    "policy": policy,
    "oracle": Oracle,
    "lqr": lambda walls: LineRegulator(limited=False, weight=0.02, effort=1.0),
    "limited-lqr": lambda walls: LineRegulator(),
    "feedback-linearization": lambda walls: Linearization(),
    "hybrid-astar": lambda walls: TrailerPursuit(walls=walls),
    "ilqr": ilqr,
    "mppi": mppi,
}
"""Controllers by name, from whether walls count."""


class Comparison(NamedTuple):
    """The result of a controller.

    Attributes:
        rate: success rate with its protocol.
        ends: ends of the episodes.
        seconds: processor time of the first decision of each episode, and the median of the others ``(N, 2)``.
    """

    rate: SuccessRate
    ends: Ends
    seconds: Array

    def to_json(self) -> dict[str, Any]:
        """The result for JSON."""
        won = self.ends.decisions[self.ends.docked]
        first, later = np.median(self.seconds, axis=0).tolist()
        return {
            "success": self.rate.to_json(),
            "strict": float(self.ends.docked_strictly.mean()),
            "jackknifed": float(self.ends.jackknifed.mean()),
            "outside": float(self.ends.outside.mean()),
            "median_decisions": float(np.median(won)) if won.size else None,
            "first_decision_seconds": first,
            "decision_seconds": later,
        }


def compared(name: Name, options: TruckOptions) -> Comparison:
    """The result of a controller of `CONTROLLERS` from the starts of the options, one truck after the other.

    Raises:
        SettingError: if the dock moves between walls.

    Example:
        >>> compared("limited-lqr", TruckOptions(starts=5)).rate.successes
        5
    """
    walls = options.distribution == "E3"
    if walls and options.goal != "dock":
        raise SettingError(f"goal is {options.goal!r}; expected 'dock': with E3, controllers know the walls around it")
    driver = CONTROLLERS[name](walls)
    ends, seconds = [], []
    with threads_for(0):
        for i, first in enumerate(options.draw()):
            driver.reset(seed=i)
            spent: list[float] = []
            ends.append(drive(timed(driver, spent), first[None], options.limit, walls=walls))
            seconds.append((spent[0], float(np.median(spent[1:] or spent))))
    joined = Ends(*(np.concatenate(parts) for parts in zip(*ends, strict=True)))
    return Comparison(options.protocol.rate(joined.docked), joined, np.array(seconds))


def timed(driver: Steering, spent: list[float]) -> Callable[[torch.Tensor], torch.Tensor]:
    """The steering angles of a controller for a state ``(1, 4)``; the processor time of each goes into a list."""

    def steer(x: torch.Tensor) -> torch.Tensor:
        state, begun = np.append(x[0].numpy(), 0.0), time.thread_time()
        u = driver.act(state).u
        spent.append(time.thread_time() - begun)
        return torch.as_tensor(u)

    return steer


def table(results: Iterable[tuple[str, Comparison]]) -> Iterator[str]:
    """The lines of the table, as the results come; differences are to the first controller, on the same starts."""
    yield "| controller | docked (95 %) | difference | strictly | jackknifed | walls | decisions | first | others |"
    yield "|---|---|---|---|---|---|---|---|---|"
    base = None
    for name, result in results:
        told, rate = result.to_json(), result.rate
        base = rate if base is None else base
        low, high = (100.0 * end for end in rate.interval()[::2])
        change = "" if base is rate else _difference(rate, base)
        rates = " | ".join(f"{100.0 * told[key]:.1f} %" for key in ("strict", "jackknifed", "outside"))
        times = " | ".join(shown(told[key]) for key in ("first_decision_seconds", "decision_seconds"))
        steps = "" if told["median_decisions"] is None else f"{told['median_decisions']:.0f}"
        docked = f"{100.0 * rate.share:.1f} % ({low:.1f} to {high:.1f})"
        yield f"| `{name}` | {docked} | {change} | {rates} | {steps} | {times} |"


def _difference(rate: SuccessRate, base: SuccessRate) -> str:
    low, value, high = (100.0 * each for each in rate.minus(base))
    return f"{value:+.1f} ({low:+.1f} to {high:+.1f})"


def shown(seconds: float) -> str:
    """A time in microseconds or milliseconds.

    Example:
        >>> shown(17e-6), shown(0.0123)
        ('17 us', '12.3 ms')
    """
    return f"{1e6 * seconds:.0f} us" if seconds < 1e-3 else f"{1e3 * seconds:.1f} ms"


def main() -> None:
    """Drive the controllers from the same starts, and write a table."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--distribution", choices=["E1", "E2", "E3"], default="E1", help="starts")
    parser.add_argument("--starts", type=int, default=400, help="episodes of each controller")
    parser.add_argument("--seed", type=int, default=7, help="seed of the starts")
    parser.add_argument("--only", nargs="*", choices=list(CONTROLLERS), default=list(CONTROLLERS), help="these alone")
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of a table")
    given = parser.parse_args()
    options = TruckOptions(distribution=given.distribution, starts=given.starts, seed=given.seed)
    results = ((name, compared(name, options)) for name in given.only)
    lines = (json.dumps({"controller": name, **each.to_json()}) for name, each in results)
    for line in lines if given.json else table(results):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
