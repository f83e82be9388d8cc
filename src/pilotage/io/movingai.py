"""Grid-planning benchmarks of MovingAI: `.map` and `.scen` files, plain or gzipped.

Format: Sturtevant, Benchmarks for Grid-Based Pathfinding, 2012, https://movingai.com/benchmarks/formats.html.
Moves are octile; a diagonal move requires both orthogonal neighbours to be free.
"""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pilotage.core.errors import FormatError, counted

from .contents import path_of, text_lines

PASSABLE = ".GS"
BLOCKED = "@OTW"
PathLike = str | os.PathLike[str]

_COUNT = re.compile("[1-9][0-9]{0,8}")


@dataclass(frozen=True)
class Scenario:
    """A query of a scenario file; cells are (column, row) with row 0 at the top, as in the file.

    Attributes:
        map_name: name of the map in the file.
        width, height: size of the map that the scenario belongs to [cells].
        start, goal: cells (x, y).
        optimal_length: published length of the shortest path [cells]; 0 between different cells means no path.
        bucket: difficulty class, the length divided by 4.

    Example:
        >>> Scenario("arena.map", 49, 49, start=(1, 11), goal=(1, 12), optimal_length=1.0).bucket
        0
    """

    map_name: str
    width: int
    height: int
    start: tuple[int, int]
    goal: tuple[int, int]
    optimal_length: float
    bucket: int = 0

    @property
    def solvable(self) -> bool:
        """Whether a path from start to goal exists, according to the published length."""
        return self.optimal_length > 0.0 or self.start == self.goal


def read_movingai_map(path: PathLike) -> NDArray[np.bool_]:
    """The passable cells of a map, bools ``(height, width)``, row 0 at the top as in the file.

    Raises:
        FormatError: if the file is not valid; the message names the wrong line.

    Example:
        >>> import tempfile, pathlib
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "door.map"
        >>> _ = file.write_text("type octile\\nheight 1\\nwidth 3\\nmap\\n.@.\\n")
        >>> read_movingai_map(file)
        array([[ True, False,  True]])
    """
    lines = text_lines(path, "MovingAI")
    if not lines or lines[0].split() != ["type", "octile"]:
        raise FormatError(f"{path}, line 1: a MovingAI map starts with `type octile`, not {_shown(lines, 0)}")
    size: dict[str, int] = {}
    for number in (1, 2):
        words = lines[number].split() if number < len(lines) else []
        if len(words) != 2 or words[0] not in ("height", "width") or not _COUNT.fullmatch(words[1]):
            raise FormatError(
                f"{path}, line {number + 1}: expected `height N` or `width N`, not {_shown(lines, number)}"
            )
        size[words[0]] = int(words[1])
    if len(size) != 2 or len(lines) < 4 or lines[3].strip() != "map":
        raise FormatError(f"{path}: the header must be `type octile`, `height N`, `width N`, `map`")
    return _cells(lines, size["height"], size["width"], path)


def _cells(lines: list[str], height: int, width: int, path: PathLike) -> NDArray[np.bool_]:
    rows = lines[4 : 4 + height]
    if len(rows) < height:
        raise FormatError(f"{path}: the header promises {height} rows, the file holds {len(rows)}: truncated")
    for number, row in enumerate(rows):
        if len(row) != width:
            raise FormatError(
                f"{path}, line {number + 5}: {counted(len(row), 'cell')}, but the header promises {width}"
            )
        if strange := set(row) - set(PASSABLE + BLOCKED):
            raise FormatError(
                f"{path}, line {number + 5}: unknown terrain {sorted(strange)}; "
                f"known are {PASSABLE} (passable) and {BLOCKED} (blocked)"
            )
    codes = np.frombuffer("".join(rows).encode("ascii"), dtype=np.uint8).reshape(height, width)
    return np.isin(codes, np.frombuffer(PASSABLE.encode("ascii"), dtype=np.uint8))


def read_movingai_scenarios(path: PathLike) -> list[Scenario]:
    """The queries of a `.scen` file, in the order of the file.

    Raises:
        FormatError: if the file is not valid; the message names the wrong line.

    Example:
        >>> import tempfile, pathlib
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "door.map.scen"
        >>> _ = file.write_text("version 1\\n0\\tdoor.map\\t3\\t1\\t0\\t0\\t2\\t0\\t2.0\\n")
        >>> read_movingai_scenarios(file)[0].goal
        (2, 0)
    """
    lines = text_lines(path, "MovingAI")
    # Most files of the benchmark begin with `version 1`, some with `version 1.0`.
    if not lines or lines[0].split() not in (["version", "1"], ["version", "1.0"]):
        raise FormatError(f"{path}, line 1: a scenario file starts with `version 1`, not {_shown(lines, 0)}")
    return [_scenario(line, f"{path}, line {n + 2}") for n, line in enumerate(lines[1:]) if line.strip()]


def _scenario(line: str, place: str) -> Scenario:
    words = line.split("\t") if line.count("\t") >= 8 else line.split()
    if len(words) != 9:
        raise FormatError(
            f"{place}: expected `bucket map width height start_x start_y goal_x goal_y length`, got {len(words)} fields"
        )
    try:
        bucket, width, height, sx, sy, gx, gy = (int(words[i]) for i in (0, 2, 3, 4, 5, 6, 7))
        length = float(words[8])
    except ValueError as error:
        raise FormatError(f"{place}: {str(error)[:100]}") from None
    if not math.isfinite(length) or length < 0:
        raise FormatError(f"{place}: the optimal length must be a finite number of cells, not {words[8][:40]}")
    return Scenario(words[1], width, height, (sx, sy), (gx, gy), length, bucket)


def find_movingai_map(scenarios: PathLike) -> Path:
    """The map of a scenario file: `NAME.map[.gz]` next to `NAME.map.scen[.gz]`, or else the map named in its lines.

    Raises:
        FormatError: if neither file exists.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in ("arena.map", "arena.map.scen"):
        ...     _ = (folder / name).write_text("version 1\\n")
        >>> find_movingai_map(folder / "arena.map.scen").name
        'arena.map'
    """
    path = path_of(scenarios)
    own = path.name.removesuffix(".gz").removesuffix(".scen")
    named = Path(next(iter(read_movingai_scenarios(path)), Scenario(own, 0, 0, (0, 0), (0, 0), 0.0)).map_name).name
    for name in (own, f"{own}.gz", named, f"{named}.gz"):
        candidate = path.parent / name
        if name and os.path.isfile(candidate) and candidate != path:
            return candidate
    known = " nor ".join(dict.fromkeys((f"{own}[.gz]", f"{named[:255]}[.gz]")))
    raise FormatError(
        f"{path}: its map was not found: there is no {known} in {path.parent.absolute()}; give the path of the map"
    )


def _shown(lines: list[str], number: int) -> str:
    return repr(lines[number][:40]) if number < len(lines) else "the end of the file"
