"""Octrees in the formats of OctoMap: `.bt`, free and occupied leaves in two bits, and `.ot`, with their log-odds.

Format: OctoMap 1.10, `OcTree::writeBinary` and `OcTree::write`, https://github.com/OctoMap/octomap. A header in text,

    # Octomap OcTree binary file      (without "binary" in a .ot file)
    id OcTree
    size 5                            nodes, inner ones included
    res 0.1
    data

is followed by the nodes in depth-first order, children by number, with x in its lowest bit. In a .bt file an inner node
is 16 bits, two for each child, from the lowest: 0 unknown, 1 free leaf, 2 occupied leaf, 3 inner node. In a .ot file
every node is the log-odds as a float of 32 bits and a byte with a bit for each child.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotage.core.errors import FormatError, ShapeError, counted
from pilotage.core.settings import instance, positive
from pilotage.models.trace import driver

from .atomic import write_atomic
from .contents import contents, path_of

PathLike = str | os.PathLike[str]
Codes = NDArray[np.int64]
Levels = NDArray[np.int8]

DEPTH = 16
BINARY, FULL = b"# Octomap OcTree binary file", b"# Octomap OcTree file"
LONGEST_HEADER = 1 << 16
FREE, OCCUPIED, INNER = 1, 2, 3
NODE = np.dtype([("log_odds", "<f4"), ("children", "u1")])
UNFINISHED, TOO_DEEP = -1, -2
"""The value that `walk` returns for damaged files."""


@dataclass(frozen=True, eq=False, repr=False)
class OctoMapFile:
    """The leaves of an octree in a file.

    Attributes:
        resolution: side of a leaf at level 0 [m].
        codes: Morton codes of the first voxels of the leaves ``(N,)``, ascending: the bits of the three keys of 16 bits
            interleaved, x lowest. Key 32768 begins at the origin of the world.
        levels: levels of the leaves ``(N,)``, 0 to 16; their sides are ``2^level`` voxels.
        log_odds: of the leaves ``(N,)``; in a `.bt` file -inf is free and inf occupied.

    Raises:
        SettingError: if the resolution is not positive.
        ShapeError: if the arrays have different lengths.

    Example:
        >>> OctoMapFile(0.1, np.array([0]), np.array([16], dtype=np.int8), np.array([np.inf], dtype=np.float32))
        OctoMapFile(1 leaf of 0.1 m and more)
    """

    resolution: float
    codes: Codes
    levels: Levels
    log_odds: NDArray[np.float32]

    def __post_init__(self) -> None:
        object.__setattr__(self, "resolution", positive(self.resolution, "resolution"))
        shapes = self.codes.shape, self.levels.shape, self.log_odds.shape
        if len(set(shapes)) != 1 or self.codes.ndim != 1:
            raise ShapeError(f"codes, levels and log_odds of an octree have shapes {shapes}; expected one length (N,)")

    def __repr__(self) -> str:
        leaves = f"{len(self.codes):,} lea{'f' if len(self.codes) == 1 else 'ves'}"
        return f"OctoMapFile({leaves} of {self.resolution:g} m and more)"


def read_octomap(path: PathLike) -> OctoMapFile:
    """The leaves of a `.bt` or `.ot` file, which of the two its first line says.

    Time and memory are proportional to the size of the file, whatever its header promises.

    Raises:
        MissingFile: if the file does not exist.
        FormatError: if it is not valid; the message says what is wrong.

    Example:
        >>> import tempfile, pathlib
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "one.bt"
        >>> _ = file.write_bytes(BINARY + b"\\nid OcTree\\nsize 3\\nres 0.1\\ndata\\n" + bytes([0b1001, 0]))
        >>> found = read_octomap(file)
        >>> found.levels.tolist(), found.log_odds.tolist()
        ([15, 15], [-inf, inf])
    """
    data = contents(path)
    binary, size, resolution, start = _header(data, path)
    leaves = (_binary_leaves if binary else _full_leaves)(data, start, size, path)
    return OctoMapFile(resolution, *leaves)


def write_octomap(path: PathLike, tree: OctoMapFile) -> None:
    """Write an octree: a `.bt` file, for which log-odds of 0 and more are occupied, or a `.ot` file.

    Raises:
        FormatError: if `path` ends in neither .bt nor .ot.
        MissingFile: if the folder does not exist.
        SettingError: if `tree` is not an `OctoMapFile`.

    Example:
        >>> import tempfile, pathlib
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "one.bt"
        >>> one = OctoMapFile(0.1, np.array([0]), np.array([15], dtype=np.int8), np.array([np.inf], dtype=np.float32))
        >>> write_octomap(file, one)
        >>> file.read_bytes().split(b"data\\n")
        [b'# Octomap OcTree binary file\\nid OcTree\\nsize 2\\nres 0.1\\n', b'\\x02\\x00']
    """
    suffix = path_of(path).suffix.lower()
    if suffix not in (".bt", ".ot"):
        raise FormatError(f"{path}: a file of OctoMap ends in .bt or .ot, not in {suffix or 'nothing'}")
    tree = instance(tree, OctoMapFile, "write_octomap")
    codes, levels, values = tree.codes, tree.levels, tree.log_odds
    if suffix == ".bt" and len(codes) == 1 and levels[0] == DEPTH:  # the root cannot be a leaf there
        codes, levels, values = np.arange(8) << (3 * (DEPTH - 1)), np.full(8, DEPTH - 1, np.int8), np.repeat(values, 8)
    inner = [inner_nodes(codes, levels, level) for level in range(DEPTH + 1)]
    size = len(codes) + sum(len(each) for each in inner)
    body = (_words if suffix == ".bt" else _records)(codes, levels, values, inner)
    first = BINARY if suffix == ".bt" else FULL
    write_atomic(path, first + f"\nid OcTree\nsize {size}\nres {tree.resolution!r}\ndata\n".encode() + body)


def inner_nodes(codes: Codes, levels: Levels, level: int) -> Codes:
    """The inner nodes at a level, ascending: codes of the leaves below them, shifted to the level."""
    below = codes[levels < level] >> (3 * level)
    return below[_first(below)]


def _first(groups: Codes) -> NDArray[np.intp]:
    """The indices at which groups of equal numbers begin."""
    return np.flatnonzero(np.concatenate((np.ones(min(len(groups), 1), np.bool_), groups[1:] != groups[:-1])))


# --- reading ---


def _header(data: bytes, path: PathLike) -> tuple[bool, int, float, int]:
    """Whether the file is a .bt, its number of nodes, its resolution, and where the nodes begin."""
    end = data.find(b"\ndata\n", 0, LONGEST_HEADER)
    lines = data[: max(end, 0)].split(b"\n")
    if lines[0].strip() not in (BINARY, FULL):
        raise FormatError(
            f"{path}: a file of OctoMap begins with {BINARY.decode()!r} or {FULL.decode()!r}, or lacks data"
        )
    fields: dict[bytes, bytes] = {}
    for line in lines[1:]:
        if not line.startswith(b"#") and line.strip():
            name, _, value = line.partition(b" ")
            fields[name] = value.strip()
    if fields.get(b"id") != b"OcTree":
        raise FormatError(f"{path}: the id of the tree is {fields.get(b'id', b'missing')[:40]!r}; expected OcTree")
    size, resolution = fields.get(b"size", b""), fields.get(b"res", b"")
    if not size.isdigit() or len(size) > 18:
        raise FormatError(f"{path}: the size of the tree is {size[:40]!r}; expected a number of nodes")
    try:
        side = float(resolution)
    except ValueError:
        side = 0.0
    if not 0.0 < side < np.inf:
        raise FormatError(f"{path}: the resolution (res) is {resolution[:40]!r}; expected metres above zero")
    return lines[0].strip() == BINARY, int(size), side, end + len(b"\ndata\n")


def _binary_leaves(data: bytes, start: int, size: int, path: PathLike) -> tuple[Codes, Levels, NDArray[np.float32]]:
    words = _nodes(data, start, np.dtype("<u2"), size, path)
    codes, levels = _walked(words, path)
    if len(levels) and levels.min() < 1:
        raise FormatError(f"{path}: a node has children more than {DEPTH} levels below the root")
    children = (words[:, None] >> (2 * np.arange(8, dtype=np.uint16))) & 3
    _same_size(len(words) and 1 + int((children != 0).sum()), size, path)
    node, child = np.nonzero((children == FREE) | (children == OCCUPIED))
    below = levels[node] - 1
    found = codes[node] + (child << (3 * below.astype(np.int64)))
    order = np.argsort(found)
    values = np.where(children[node, child] == FREE, -np.inf, np.inf).astype(np.float32)
    return found[order], below[order], values[order]


def _full_leaves(data: bytes, start: int, size: int, path: PathLike) -> tuple[Codes, Levels, NDArray[np.float32]]:
    records = _nodes(data, start, NODE, size, path)
    bits = np.unpackbits(records["children"][:, None], axis=1, bitorder="little").astype(np.uint16)
    codes, levels = _walked((bits << (2 * np.arange(8, dtype=np.uint16))).sum(axis=1, dtype=np.uint16) * INNER, path)
    _same_size(len(records), size, path)
    leaf = records["children"] == 0
    values = records["log_odds"][leaf].astype(np.float32)
    if not np.isfinite(values).all():
        raise FormatError(f"{path}: the log-odds of a leaf are NaN or infinite; expected finite numbers")
    return codes[leaf], levels[leaf], values


def _nodes(data: bytes, start: int, kind: np.dtype[Any], size: int, path: PathLike) -> NDArray[Any]:
    """The nodes in a file, all that follows the header."""
    held, rest = divmod(len(data) - start, kind.itemsize)
    if rest or (held == 0) != (size == 0):
        raise FormatError(f"{path}: the header promises {size} nodes, but {len(data) - start} bytes follow: truncated")
    return np.frombuffer(data, kind, held, start)


def _walked(words: NDArray[np.uint16], path: PathLike) -> tuple[Codes, Levels]:
    """Codes and levels of the nodes in a file, from the root on."""
    codes, levels = np.empty(len(words), np.int64), np.empty(len(words), np.int8)
    done = walk(np.array(words, np.uint16), codes, levels, np.empty((2, DEPTH + 2), np.int64))
    if done == UNFINISHED:
        raise FormatError(f"{path}: the file ends within the tree, after {len(words)} nodes: truncated")
    if done == TOO_DEEP:
        raise FormatError(f"{path}: a node has children more than {DEPTH} levels below the root")
    if done < len(words):
        raise FormatError(f"{path}: the tree ends after {done} nodes, but the file holds {len(words)}")
    return codes, levels


def _same_size(nodes: int, size: int, path: PathLike) -> None:
    if nodes != size:
        raise FormatError(f"{path}: the header promises {counted(size, 'node')}, the file holds {nodes}")


@driver("i8(u2[::1], i8[::1], i1[::1], i8[:,::1])")
def walk(words, codes, levels, work):
    """Code and level of each node in depth-first order, from its word of children.

    Args:
        words: two bits for each child, 3 for one that follows as a node.
        codes, levels: ``(N,)``, overwritten.
        work: memory, ``(2, DEPTH + 2)``.

    Returns:
        How many nodes the tree has, UNFINISHED if it has more than N, or TOO_DEEP.
    """
    left, first = work
    level, code = DEPTH, 0
    for n in range(words.shape[0]):
        codes[n], levels[n] = code, level
        left[level], first[level] = words[n], code
        child = 8
        while level <= DEPTH and child == 8:
            child = 0
            while child < 8 and (left[level] >> (2 * child)) & 3 != INNER:
                child += 1
            if child == 8:
                level += 1
        if level > DEPTH:
            return n + 1
        if level == 0:
            return TOO_DEEP
        left[level] &= ~(3 << (2 * child))
        code = first[level] + (child << (3 * (level - 1)))
        level -= 1
    return UNFINISHED if words.shape[0] else 0


# --- writing ---


def _words(codes: Codes, levels: Levels, values: NDArray[np.float32], inner: list[Codes]) -> bytes:
    """The inner nodes of a .bt file."""
    parts: list[tuple[Codes, Levels, NDArray[np.uint16]]] = []
    for level in range(1, DEPTH + 1):
        leaves = levels == level - 1
        nodes = codes[leaves] >> (3 * (level - 1)), inner[level - 1]
        kinds = np.where(values[leaves] >= 0.0, OCCUPIED, FREE), np.full(len(nodes[1]), INNER)
        child, kind = np.concatenate(nodes), np.concatenate(kinds)
        words = np.zeros(len(inner[level]), dtype=np.uint16)
        np.bitwise_or.at(
            words, np.searchsorted(inner[level], child >> 3), (kind << (2 * (child & 7))).astype(np.uint16)
        )
        parts.append((inner[level] << (3 * level), np.full(len(words), level, np.int8), words))
    return _depth_first(*parts).astype("<u2").tobytes()


def _records(codes: Codes, levels: Levels, values: NDArray[np.float32], inner: list[Codes]) -> bytes:
    """All nodes of a .ot file; an inner node has the largest value of its leaves."""
    leaves = np.zeros(len(codes), NODE)
    leaves["log_odds"] = values
    parts = [(codes, levels, leaves)]
    for level in range(1, DEPTH + 1):
        records, below = np.zeros(len(inner[level]), NODE), levels < level
        if len(records):
            records["log_odds"] = np.maximum.reduceat(values[below], _first(codes[below] >> (3 * level)))
        child = np.concatenate((codes[levels == level - 1] >> (3 * (level - 1)), inner[level - 1]))
        bits = np.zeros(len(records), np.uint8)
        np.bitwise_or.at(bits, np.searchsorted(inner[level], child >> 3), (1 << (child & 7)).astype(np.uint8))
        records["children"] = bits
        parts.append((inner[level] << (3 * level), np.full(len(records), level, np.int8), records))
    return _depth_first(*parts).tobytes()


def _depth_first(*parts: tuple[Codes, Levels, NDArray[Any]]) -> NDArray[Any]:
    """Nodes in the order of a file: parents before children, which share the code of the first."""
    codes, levels, nodes = (np.concatenate(each) for each in zip(*parts, strict=True))
    return nodes[np.lexsort((-levels, codes))]
