"""Map files by path, or by the name of a stock map, which comes with the package."""

from __future__ import annotations

import os
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from pilotage.core.errors import FormatError, MissingFile
from pilotage.io.contents import missing, path_of

STOCK = Path(__file__).parents[1] / "envs" / "maps"
ENDINGS: dict[str, Literal["ros", "movingai", "image"]] = {
    ".yaml": "ros",
    ".yml": "ros",
    ".map": "movingai",
    ".map.gz": "movingai",
    ".pgm": "image",
    ".png": "image",
}


def find_map(path: str | os.PathLike[str]) -> Path:
    """The file at a path or, if a bare name is no file, the stock map of that name, with or without .yaml.

    Raises:
        MissingFile: if neither exists; the message lists the stock maps.
        FormatError: if the file is not a map.

    Example:
        >>> find_map("depot").name
        'depot.yaml'
    """
    given = path_of(path)
    stock = {name: file for file in STOCK.glob("*.yaml") for name in (file.name, file.stem)}
    found = given if os.path.isfile(given) else stock.get(os.fspath(path), given if os.path.exists(given) else None)
    if found is None:
        names, said = ", ".join(sorted(file.name for file in set(stock.values()))), missing(given)
        if near := get_close_matches(str(given), stock, n=1):
            said = f"there is no file {given}; did you mean the stock map {near[0]}?"
        raise MissingFile(f"{said}{' The' if said.endswith('?') else '; the'} stock maps are {names}")
    if kind_of(found) is None:
        raise FormatError(f"{path}: a map is a ROS .yaml, a MovingAI .map[.gz], or a .pgm or .png with resolution=")
    return found


def kind_of(file: Path) -> Literal["ros", "movingai", "image"] | None:
    """The kind of a map file by its extension; None for other files."""
    return next((kind for ending, kind in ENDINGS.items() if file.name.lower().endswith(ending)), None)
