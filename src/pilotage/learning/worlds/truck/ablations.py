"""The ablations of the truck: each part of the recipe is left out once. ``python -m`` this module prints the table."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ....core.settings import shown
from ...runs import plain
from .evaluate import BUDGET, examined
from .policy import TruckPolicy
from .world import WEIGHTS, TruckSettings, TruckWorld

ABLATIONS: Mapping[str, Mapping[str, Any]] = {
    "all lessons": {},
    "no curriculum": {"lessons": 1},
    "no limit of adjoints": {"adjoint": None},
    "no barrier": {"barrier": 0.0},
    "the network of 1990": {"hidden": (25,), "inputs": "state"},
    "two hidden units": {"hidden": (2,)},
    "emulator of absolute states": {"form": "absolute"},
    "truth forward, emulator backward": {"through": "hybrid"},
    "through the true model": {"through": "truth"},
    "lessons and recovery": {"rounds": 6, "horizon": BUDGET},
    "all of 1990": {
        "hidden": (25,), "inputs": "state", "form": "absolute", "barrier": 0.0, "adjoint": None, "clip": None,
        "terminal": "squares",
    },
    "barrier from 80 degrees": {"bent": 1.4},
    "25 hidden units, our inputs": {"hidden": (25,)},
    "steering without tanh": {"bounded": False},
    "squares as terminal loss": {"terminal": "squares"},
    "no limit of any gradient": {"adjoint": None, "clip": None},
    "no end at the dock": {"freeze": False},
}  # fmt: skip
"""What each ablation changes in `AFFORDABLE`."""
AFFORDABLE = TruckSettings(
    steps=300, batch=128, horizon=120, emulator_steps=1500, rounds=0, bent=math.radians(60.0), near=0.0, collapse=None
)
"""Settings of the table in the package: fewer steps and trucks than by default, a barrier from 60 degrees, which so few
steps need, and the lessons alone."""
COLUMNS = ("E1", "E1 strict", "E1 jackknifed", "E2", "wall")
STORED = WEIGHTS / "ablations.json"
"""The results in the package."""


def ablation(name: str, settings: TruckSettings, folder: Path, starts: int) -> dict[str, float]:
    """The shares of docked and of jackknifed trucks without a part of the recipe; a run in the folder is resumed.

    Example:
        >>> import tempfile
        >>> quick = TruckSettings(steps=1, batch=4, horizon=4, emulator_steps=4, rounds=0)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     sorted(ablation("two hidden units", quick, Path(folder), 20))
        ['E1', 'E1 jackknifed', 'E1 strict', 'E2', 'wall']
    """
    place = folder / name.replace(" ", "-").replace(",", "")
    TruckWorld().train(replace(settings, **ABLATIONS[name]), place, resume=True)
    told = examined(TruckPolicy.load(place), starts)
    shares = {label: each["success"]["share"] for label, each in told.items()}
    return {**shares, "E1 strict": told["E1"]["strict"], "E1 jackknifed": told["E1"]["jackknifed"]}


def measured(
    names: Iterable[str], settings: TruckSettings, folder: Path, starts: int
) -> Iterator[tuple[str, dict[str, float]]]:
    """The results of ablations as they come; ``ablations.json`` in the folder has all until then.

    Example:
        >>> import tempfile
        >>> quick = TruckSettings(steps=1, batch=4, horizon=4, emulator_steps=4, rounds=0)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     results = dict(measured(["no barrier"], quick, Path(folder), 20))
        ...     json.loads((Path(folder) / "ablations.json").read_text())["results"] == results
        True
    """
    results: dict[str, dict[str, float]] = {}
    for name in names:
        results[name] = ablation(name, settings, folder, starts)
        kept = {"settings": plain(settings), "starts": starts, "results": results}
        (folder / "ablations.json").write_text(json.dumps(kept, indent=2) + "\n")
        yield name, results[name]


def table(results: Iterable[tuple[str, Mapping[str, float]]]) -> Iterator[str]:
    """The lines of the table of results.

    Example:
        >>> *_, row = table([("no barrier", dict.fromkeys(COLUMNS, 0.5))])
        >>> row
        '| no barrier | 50.0 % | 50.0 % | 50.0 % | 50.0 % | 50.0 % | barrier=0.0 |'
    """
    yield "| | " + " | ".join((*COLUMNS, "changed")) + " |"
    yield "|---" * (len(COLUMNS) + 2) + "|"
    for name, told in results:
        changed = ", ".join(f"{key}={shown(value)}" for key, value in ABLATIONS[name].items())
        yield f"| {name} | " + " | ".join(f"{100.0 * told[each]:.1f} %" for each in COLUMNS) + f" | {changed} |"


def main() -> None:
    """Train the truck without each part of the recipe, and write a table."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--folder", type=Path, default=Path("runs/truck-ablations"), help="folder of the runs")
    parser.add_argument("--steps", type=int, default=AFFORDABLE.steps, help="gradient steps of the lessons")
    parser.add_argument("--batch", type=int, default=AFFORDABLE.batch, help="trucks per gradient step")
    parser.add_argument("--starts", type=int, default=1000, help="episodes of each evaluation")
    parser.add_argument("--seed", type=int, default=0, help="seed of training")
    parser.add_argument("--only", nargs="*", choices=list(ABLATIONS), default=list(ABLATIONS), help="these alone")
    parser.add_argument("--stored", action="store_true", help="print the results in the package; train nothing")
    given = parser.parse_args()
    settings = replace(AFFORDABLE, steps=given.steps, batch=given.batch, seed=given.seed)
    stored = json.loads(STORED.read_text())["results"].items() if given.stored else None
    for line in table(stored or measured(given.only, settings, given.folder, given.starts)):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
