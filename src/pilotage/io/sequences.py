"""Episodes in flat files that are memory-mapped: of any size, and read only where a window lies.

A folder holds `index.json` with the lengths of the episodes and the types of the arrays, and one file of raw numbers
for each array, its episodes one after another.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from pilotage.core.errors import FormatError, MissingFile
from pilotage.core.settings import shown

from ._datasets import building, fresh_folder, same_arrays
from .contents import missing, path_of
from .episodes import Data, Episode

PathLike = str | os.PathLike[str]
VERSION = 1


class Sequences:
    """Episodes in memory-mapped files, of which only those parts are read that are used.

    Args:
        folder: a folder that `write_sequences` wrote.

    Attributes:
        lengths: steps T of each episode ``(E,)``.
        arrays: memory maps by name: ``observations`` or ``observations/NAME`` with ``sum(T+1)`` rows, and ``actions``,
            ``rewards``, ``terminations``, ``truncations`` with ``sum(T)``.

    Raises:
        MissingFile: if there is none.
        FormatError: if the index or a file is damaged or cut off.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> walk = Episode(np.arange(8.0).reshape(4, 2), np.zeros((3, 1)), np.zeros(3), [False] * 3, [False] * 3)
        >>> with TemporaryDirectory() as place:
        ...     write_sequences(Path(place, "walks"), [walk, walk])
        ...     walks = Sequences(Path(place, "walks"))
        ...     print(walks, walks.window(1, 1, 2)["observations"].tolist())
        Sequences(2 episodes, 6 steps) [[2.0, 3.0], [4.0, 5.0], [6.0, 7.0]]
    """

    def __init__(self, folder: PathLike) -> None:
        self.folder = path_of(folder)
        index = _index(self.folder)
        self.lengths = np.array(index["lengths"], dtype=np.int64)
        self.arrays: Mapping[str, Data] = {
            name: _mapped(self.folder, name, int(self.lengths.sum()) + self._extra(name), kind)
            for name, kind in index["arrays"].items()
        }
        self._steps = np.concatenate([[0], np.cumsum(self.lengths)])

    def _extra(self, name: str) -> int:
        return len(self.lengths) if name.startswith("observations") else 0

    def window(self, episode: int, start: int, length: int) -> dict[str, Data]:
        """`length` steps of an episode from step `start` on: ``length + 1`` observations, and of the rest `length`.

        Raises:
            FormatError: if the episode is shorter.
        """
        steps = int(self.lengths[episode])
        if not 0 <= start <= start + length <= steps:
            raise FormatError(f"steps {start} to {start + length} are not in episode {episode}, which has {steps}")
        first, found = int(self._steps[episode]) + start, dict[str, Data]()
        for name, array in self.arrays.items():
            seen = name.startswith("observations")
            begin = first + episode if seen else first
            found[name] = array[begin : begin + length + seen]
        return found

    def episode(self, k: int) -> Episode:
        """Episode k as a copy in memory."""
        return Episode.of({name: np.array(a) for name, a in self.window(k, 0, int(self.lengths[k])).items()})

    def __len__(self) -> int:
        return len(self.lengths)

    def __repr__(self) -> str:
        return f"Sequences({len(self)} episodes, {int(self.lengths.sum())} steps)"


def write_sequences(folder: PathLike, episodes: Iterable[Episode]) -> None:
    """Write episodes one by one into a new folder, which appears when it is complete.

    Raises:
        FormatError: if the folder exists, there are no episodes, or they differ in their arrays.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> walk = Episode(np.zeros((4, 2)), np.zeros((3, 1)), np.zeros(3), [False] * 3, [False] * 3)
        >>> with TemporaryDirectory() as place:
        ...     write_sequences(Path(place, "walks"), (walk for _ in range(3)))
        ...     sorted(file.name for file in Path(place, "walks").iterdir())[:2]
        ['actions.bin', 'index.json']
    """
    kinds: dict[str, tuple[Any, tuple[int, ...]]] = {}
    with building(fresh_folder(folder)) as beside, ExitStack() as opened:
        beside.mkdir()
        files, lengths = dict[str, Any](), list[int]()
        for each in same_arrays(episodes, kinds):
            for name, array in each.arrays().items():
                if name not in files:
                    files[name] = opened.enter_context(open(beside / _file(name), "wb"))
                files[name].write(np.ascontiguousarray(array).tobytes())
            lengths.append(len(each))
        index = {name: {"dtype": dtype.str, "shape": list(shape)} for name, (dtype, shape) in kinds.items()}
        (beside / "index.json").write_text(json.dumps({"version": VERSION, "lengths": lengths, "arrays": index}))


def _file(name: str) -> str:
    """The name of the file of an array."""
    if not name.replace("/", "").replace("_", "").replace("-", "").replace(".", "").isalnum() or ".." in name:
        raise FormatError(f"{name!r} cannot be the name of a file; use letters, digits, _ and -")
    return name.replace("/", "@") + ".bin"


def _index(folder: Path) -> dict[str, Any]:
    file = folder / "index.json"
    if not file.is_file():
        raise MissingFile(missing(file))
    try:
        index = json.loads(file.read_bytes())
        good = index["version"] == VERSION and all(type(n) is int and 0 <= n < 2**40 for n in index["lengths"])
        good = good and {"actions", "rewards"} <= set(index["arrays"])
    except (ValueError, KeyError, TypeError) as error:
        raise FormatError(f"{file} is damaged: {error}") from error
    if not good:
        raise FormatError(f"{file} is no index of version {VERSION}: {shown(index)}")
    return index


def _mapped(folder: Path, name: str, rows: int, kind: Any) -> Data:
    file = folder / _file(name)
    try:
        dtype, shape = np.dtype(kind["dtype"]), tuple(int(n) for n in kind["shape"])
    except (TypeError, KeyError, ValueError) as error:
        raise FormatError(f"the index of {folder} is damaged at {name!r}: {error}") from error
    if dtype.kind not in "fiub" or any(n < 0 for n in shape):
        raise FormatError(f"the index of {folder} is damaged at {name!r}: {kind}")
    if not file.is_file():
        raise MissingFile(missing(file))
    expected = rows * int(np.prod(shape, dtype=object)) * dtype.itemsize
    if file.stat().st_size != expected:
        raise FormatError(f"{file} has {file.stat().st_size} bytes; expected {expected}: it is cut off, or not its own")
    if expected == 0:
        return np.zeros((rows, *shape), dtype)
    return np.memmap(file, dtype=dtype, mode="r", shape=(rows, *shape))
