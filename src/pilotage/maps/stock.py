"""Map files by path, or by the name of a map that comes with the package."""

from __future__ import annotations

import os
from pathlib import Path

from pilotage.core.errors import FormatError, MissingFile
from pilotage.io.contents import missing, path_of

STOCK = Path(__file__).parents[1] / "envs" / "maps"


def find_map(path: str | os.PathLike[str]) -> Path:
    """The file of a map: that of the path where there is one, else the stock map of that name, with or without .yaml.

    Raises:
        MissingFile: when there is neither; the sentence lists the stock maps.
        FormatError: when the name is not that of a map, such as that of its image.

    Example:
        >>> find_map("depot").name
        'depot.yaml'
    """
    given = path_of(path)
    stock = {name: file for file in STOCK.glob("*.yaml") for name in (file.name, file.stem)}
    found = given if given.is_file() else stock.get(str(given), given if given.exists() else None)
    if found is None and given.suffix.lower() in ("", ".yaml", ".yml", ".map", ".gz"):
        names = ", ".join(sorted(file.name for file in set(stock.values())))
        raise MissingFile(f"there is no map {given}; {missing(given)}, and the stock maps are {names}")
    if found is None or not found.name.lower().removesuffix(".gz").endswith((".yaml", ".yml", ".map")):
        raise FormatError(f"{path}: a map is a ROS .yaml or a MovingAI .map[.gz] file; give the yaml, not the image")
    return found
