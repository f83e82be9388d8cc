"""Two crossing targets in clutter, by every method of tracking: GOSPA and swaps of numbers, with intervals.

`python -m benchmarks crossing` prints that table and the one of other courses, clutter and detection.
`python -m benchmarks.crossing [SEEDS [PICTURE]]` prints the first for another number of seeds, and writes a picture of
the tracks of each method in one of them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy import Figures
from benchmarks.accuracy import table as registered
from demos.crossing_targets import METHODS, SCORES, follow, judge, picture, scene
from pilotage.core.confidence import wilson
from pilotage.estimators.tracking import Scenario, crossing, parallel

NAMES = (*SCORES, "seeds with swaps")
DRAWS = 2000


OTHER: dict[str, Callable[[int], Scenario]] = {
    "three that cross": lambda seed: crossing(3, angle=0.2, clutter=10.0, rng=seed),
    "side by side, 10 m apart": lambda seed: parallel(2, gap=10.0, clutter=10.0, rng=seed),
    "clutter 2": lambda seed: crossing(angle=0.2, clutter=2.0, rng=seed),
    "at 34 degrees, clutter 30": lambda seed: crossing(angle=0.6, clutter=30.0, rng=seed),
    "P_D 0.7, clutter 5": lambda seed: crossing(angle=0.2, detection=0.7, clutter=5.0, rng=seed),
}
FEW = ("GNN", "JPDA", "MHT", "PMBM")


def table(seeds: int, make: Callable[[int], Scenario] = scene, names: Sequence[str] = tuple(METHODS)) -> dict[str, Any]:
    """The scores of each method, ``(seeds, 5)``."""
    scenes = [make(seed) for seed in range(seeds)]
    return {name: np.array([judge(follow(METHODS[name], one), one) for one in scenes]) for name in names}


def bootstrap(values: Any) -> Any:
    """Bounds of the 95 % intervals of the means of columns, by drawing rows again."""
    rows = np.random.default_rng(0).integers(0, len(values), (DRAWS, len(values)))
    return np.quantile(values[rows].mean(1), (0.025, 0.975), axis=0)


def cells(values: Any) -> list[str]:
    """The mean of each column with its interval."""
    bounds = zip(values.mean(0), *bootstrap(values), strict=True)
    return [f"{mean:.2f} [{low:.2f}, {high:.2f}]" for mean, low, high in bounds]


def swapped(swaps: Any) -> str:
    """The share of seeds in which numbers change, with its Wilson interval."""
    share = wilson(int((swaps > 0.0).sum()), len(swaps))
    return f"{100.0 * share.value:.0f} % [{100.0 * share.low:.0f}, {100.0 * share.high:.0f}]"


def lines(rows: dict[str, Any]) -> list[list[str]]:
    """The lines of the table of crossing targets."""
    return [[name, *cells(found), swapped(found[:, SCORES.index("swaps")])] for name, found in rows.items()]


@registered("crossing", note="two crossing targets in clutter, every method; means and 95 % intervals")
def two_crossing(quick: bool) -> Figures:
    rows = table(10 if quick else 100)
    gospa, swaps = ({name: found[:, i].mean() for name, found in rows.items()} for i in (0, 3))
    bars = [
        (
            "JPDA, MHT and PMBM nearer to the truth than GNN",
            max(gospa[n] for n in ("JPDA", "MHT", "PMBM")) < gospa["GNN"],
        ),
        ("PMBM nearer to the truth than MHT, MHT than JPDA", gospa["PMBM"] < gospa["MHT"] < gospa["JPDA"]),
        ("JPDA, MHT and PMBM swap less than GNN", max(swaps[n] for n in ("JPDA", "MHT", "PMBM")) < swaps["GNN"]),
    ]
    return Figures(("method", *NAMES), lines(rows), bars)


@registered("other_courses", note="targets on other courses, in other clutter; means and 95 % intervals")
def other_courses(quick: bool) -> Figures:
    rows = {name: table(5 if quick else 40, make, FEW) for name, make in OTHER.items()}
    cell = lambda found, i: cells(found[:, i : i + 1])[0]
    body = [
        [name, what, *(cell(rows[name][method], i) for method in FEW)]
        for name in OTHER
        for what, i in (("GOSPA", 0), ("swaps", 3))
    ]
    near = all(each["PMBM"][:, 0].mean() < each["GNN"][:, 0].mean() for each in rows.values())
    return Figures(("targets", "score", *FEW), body, [("PMBM nearer to the truth than GNN on all", near)])


def show(seeds: int, names: tuple[str, ...], rows: dict[str, Any]) -> None:
    """Print means and 95 % intervals of the scores of each method."""
    print(Figures(("method", *names), [[name, *cells(found)] for name, found in rows.items()]).markdown())
    print(f"\n{seeds} seeds, means and 95 % intervals")


def main(seeds: int = 100, to: str | None = None) -> None:
    rows = table(seeds)
    print(f"{seeds} seeds, means and 95 % intervals\n\n{Figures(('method', *NAMES), lines(rows)).markdown()}")
    if to is not None:
        Path(to).write_bytes(picture(scene(int(rows["GNN"][:, 0].argmax()))))


if __name__ == "__main__":
    main(*(int(word) if word.isdigit() else word for word in sys.argv[1:]))  # type: ignore[arg-type]
