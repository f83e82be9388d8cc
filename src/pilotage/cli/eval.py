"""`pilotage eval`: the evaluation of what was learned in a world."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from .assign import assigned
from .train import listed, told, world_named


def evaluate(
    world: str | None = None,
    /,
    *,
    set: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    seed: int | None = None,
    folder: Path | None = None,
    json: bool = False,
    **options: str,
) -> None:
    """Evaluate what was learned in a world, under frozen conditions. Without a world, list the worlds.

    Args:
        world: Name of the world, or module:object for your own.
        set: An option of the world as key=value; may be repeated. --key value is the same.
        seed: Seed of the evaluation.
        folder: Folder of the run; the weights in the package by default.
        json: Print one JSON object instead of text.
        options: Options of the world.
    """
    if world is None:
        listed(json=json)
        return
    made = world_named(world)
    given = assigned(made.options, set, {"seed": seed, **options})
    found = made.evaluate(folder, given)
    place = None if folder is None else str(folder)
    told({"world": world, "folder": place, "options": asdict(given), **found}, json=json)
