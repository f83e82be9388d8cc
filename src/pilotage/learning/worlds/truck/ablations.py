"""The ablations of the truck: each part of the recipe is left out once. ``python -m`` this module prints the table."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ....core.settings import shown
from .evaluate import examined
from .policy import TruckPolicy
from .world import TruckSettings, TruckWorld

ABLATIONS: Mapping[str, Mapping[str, Any]] = {
    "all parts": {},
    "no recovery": {"rounds": 0},
    "through the true model": {"through": "truth"},
    "truth forward, emulator backward": {"through": "hybrid"},
    "emulator of absolute states": {"form": "absolute"},
    "no curriculum": {"lessons": 1},
    "no hitch barrier": {"barrier": 0.0},
    "adjoints without a limit": {"adjoint": None},
    "no limit of any gradient": {"adjoint": None, "clip": None},
    "steering without tanh": {"bounded": False},
    "no end at the dock": {"freeze": False},
    "squares as terminal loss": {"terminal": "squares"},
    "25 hidden units (1990)": {"hidden": (25,)},
    "two hidden layers of 25": {"hidden": (25, 25)},
    "two hidden units": {"hidden": (2,)},
}
"""What each ablation changes in `TruckSettings`."""


def ablation(name: str, settings: TruckSettings, folder: Path, starts: int) -> dict[str, float]:
    """The shares of docked and of jackknifed trucks without a part of the recipe; a run in the folder is resumed.

    Example:
        >>> import tempfile
        >>> quick = TruckSettings(steps=1, batch=4, horizon=4, emulator_steps=4, rounds=0)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     sorted(ablation("two hidden units", quick, Path(folder), 20))
        ['E1', 'E1 jackknifed', 'E1 strict', 'E2', 'wall']
    """
    place = folder / name.replace(" ", "-")
    TruckWorld().train(replace(settings, **ABLATIONS[name]), place, resume=True)
    told = examined(TruckPolicy.load(place), starts)
    shares = {label: each["success"]["share"] for label, each in told.items()}
    return {**shares, "E1 strict": told["E1"]["strict"], "E1 jackknifed": told["E1"]["jackknifed"]}


def table(names: Iterable[str], settings: TruckSettings, folder: Path, starts: int) -> Iterator[str]:
    """The lines of the table of ablations, as they come."""
    columns = ("E1", "E1 strict", "E1 jackknifed", "E2", "wall")
    yield "| | " + " | ".join((*columns, "changed")) + " |"
    yield "|---" * (len(columns) + 2) + "|"
    for name in names:
        told = ablation(name, settings, folder, starts)
        changed = ", ".join(f"{key}={shown(value)}" for key, value in ABLATIONS[name].items())
        yield f"| {name} | " + " | ".join(f"{100.0 * told[each]:.1f} %" for each in columns) + f" | {changed} |"


def main() -> None:
    """Train the truck without each part of the recipe, and write a table."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--folder", type=Path, default=Path("runs/truck-ablations"), help="folder of the runs")
    parser.add_argument("--steps", type=int, default=TruckSettings().steps, help="gradient steps of the lessons")
    parser.add_argument("--starts", type=int, default=4000, help="episodes of each evaluation")
    parser.add_argument("--seed", type=int, default=0, help="seed of training")
    parser.add_argument("--only", nargs="*", choices=list(ABLATIONS), default=list(ABLATIONS), help="these alone")
    given = parser.parse_args()
    for line in table(given.only, TruckSettings(steps=given.steps, seed=given.seed), given.folder, given.starts):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
