"""Two crossing targets in clutter, by every method of tracking: GOSPA and swaps of numbers, with intervals.

`python -m benchmarks crossing` prints the table; `python -m benchmarks.crossing [SEEDS [PICTURE]]` takes another number
of seeds, and writes the picture of the tracks of each method in one of them.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy import Figures
from benchmarks.accuracy import table as registered
from demos.crossing_targets import METHODS, SCORES, follow, judge, picture, scene
from pilotage.core.confidence import wilson

NAMES = (*SCORES, "seeds with swaps")
DRAWS = 2000


def table(seeds: int) -> dict[str, Any]:
    """The scores of each method, ``(seeds, 5)``."""
    scenes = [scene(seed) for seed in range(seeds)]
    return {name: np.array([judge(follow(rule, one), one) for one in scenes]) for name, rule in METHODS.items()}


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
def crossing(quick: bool) -> Figures:
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
