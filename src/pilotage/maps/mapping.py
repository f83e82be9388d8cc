"""Mapping with known poses, compiled: marks of one scan on the cells of a map, and the update of their log-odds.

A scan is added in two steps. An inverse sensor model marks the cells that the scan says something about, with the
strongest evidence for an obstacle that any beam gives; so a scan changes a cell once. `add_marks` then adds the
evidence to the log-odds and wipes the marks. The update is that of a binary Bayes filter for a state that does not
change (Thrun, Burgard and Fox, Probabilistic Robotics, 2005, table 4.2).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pilotage.core.arrays import numbers
from pilotage.core.errors import ShapeError
from pilotage.core.settings import number, shown
from pilotage.models.trace import driver

from .cells import log_odds

Array = NDArray[np.float64]

UNSEEN = np.float32(-0.0)
"""The evidence of an unknown cell. Minus zero is left by sums of minus zeros only, so it costs no test: adding
nothing (-0.0) keeps it, and adding evidence, even of 0.0, makes the cell known."""


class Scan(NamedTuple):
    """A scan in the frame of a map, with lengths in cells.

    Attributes:
        x, y: position of the sensor.
        beams: direction of each beam, a unit vector, and its range, ``(3, B)``; the range is NaN if not measured, and
            `reach` or more if nothing was seen.
        reach: largest range of the sensor.
        resolution: side of a cell [m].
    """

    x: float
    y: float
    beams: Array
    reach: float
    resolution: float


class Marks(NamedTuple):
    """The marks of a scan on the cells of a map, with a ring of cells around the map.

    Attributes:
        cells: ``(ny + 2, W)``, zero where the scan says nothing; rows are whole words of 8 marks, W >= nx + 2.
        flat, words: the same one after another, and eight in a word, ``(ny + 2, W / 8)``.
        box: the first and last column and the first and last row of the map that hold marks.
        rows, columns: of the map, ny and nx.
    """

    cells: NDArray[np.uint8]
    flat: NDArray[np.uint8]
    words: NDArray[np.uint64]
    box: NDArray[np.int64]
    rows: int
    columns: int

    @classmethod
    def blank(cls, rows: int, columns: int) -> Marks:
        """Marks for a map of that size."""
        cells = np.zeros((rows + 2, -(-(columns + 2) // 8) * 8), dtype=np.uint8)
        return cls(cells, cells.reshape(-1), cells.view(np.uint64), np.zeros(4, dtype=np.int64), rows, columns)


class InverseModel(ABC):
    """An inverse sensor model: the probability that a cell is occupied, given a scan.

    Attributes:
        hit, miss: highest and lowest probability that one scan gives.
        levels: number of different marks, from 1 for `miss` up to this number for `hit`, evenly spaced in log-odds.
    """

    hit: float
    miss: float
    levels: int = 2

    def beyond(self, resolution: float) -> float:
        """The distance behind the end of a beam up to which cells may be marked [m]."""
        return 0.0

    def _check(self) -> None:
        check_evidence(self.hit, self.miss)

    @property
    def evidence(self) -> tuple[float, float]:
        """The numbers (a, b) so that a mark m is evidence of log-odds ``a + b m``."""
        hit, miss = (float(value) for value in log_odds([self.hit, self.miss]))
        gain = (hit - miss) / (self.levels - 1)
        return miss - gain, gain

    @abstractmethod
    def mark(self, marks: Marks, scan: Scan) -> None:
        """Mark the cells about which a scan says something, and set the box around them."""


def check_evidence(hit: float, miss: float) -> None:
    """Refuse probabilities of a hit and a miss that do not tell an obstacle from free space."""
    if not 0 < number(miss, "miss") <= 0.5 <= number(hit, "hit") < 1:
        raise ShapeError(f"evidence asks for 0 < miss <= 0.5 <= hit < 1, not {shown(miss)} and {shown(hit)}")


def clamp_of(clamp: tuple[float, float]) -> tuple[float, float]:
    """The lowest and highest probability that evidence can reach, checked."""
    limits = numbers(clamp, "clamp")
    if not (limits.shape == (2,) and 0 <= limits[0] < 0.5 < limits[1] <= 1):
        raise ShapeError(f"evidence asks for a clamp (low, high) around 0.5, not {shown(clamp)}")
    return float(limits[0]), float(limits[1])


@driver("void(f8[:,::1], f8, f8[::1], f8[::1], f8, f8)")
def set_beams(beams, heading, angles, ranges, least, resolution):
    """Fill the beams of a `Scan`.

    A surface is the face of an occupied cell, and a beam hits the cell behind the face; therefore ranges are extended
    slightly, as by `raycast.entered`.

    Args:
        beams: ``(3, B)``, overwritten.
        heading: of the sensor in the frame of the map [rad].
        angles, ranges: of the beams, ``(B,)`` [rad], [m].
        least: smallest range that counts as measured [m]; neither do 0 and what is negative.
        resolution: side of a cell [m].
    """
    for b in range(angles.shape[0]):
        beams[0, b], beams[1, b] = math.cos(heading + angles[b]), math.sin(heading + angles[b])
        seen = ranges[b] > 0.0 and ranges[b] >= least
        beams[2, b] = ranges[b] / resolution * (1.0 + 1e-7) + 1e-9 if seen else np.nan


@driver("void(f4[:,::1], u1[:,::1], u8[:,::1], i8[::1], i8, i8, f8, f8, f8, f8)")
def add_marks(cells, marks, words, box, row, column, base, gain, low, high):
    """Add the evidence of marks to the cells of a map, and wipe the marks.

    Cells may be stored cyclically: row 0 of the map is row `row` of the array, and rows wrap around; columns alike.

    Args:
        cells: ``(ny, nx)`` sums of evidence, `UNSEEN` if unknown; updated.
        marks, words, box: see `Marks`; zeroed.
        row, column: where the lower-left cell of the map is stored.
        base, gain: a mark m is evidence of ``base + gain m``.
        low, high: sums do not leave this interval, unless they lay outside before.
    """
    ny, nx = cells.shape
    base4, gain4, low4, high4 = np.float32(base), np.float32(gain), np.float32(low), np.float32(high)
    for j in range(box[2], box[3] + 1):
        begin, end = (box[0] + 1) >> 3, ((box[1] + 1) >> 3) + 1
        while begin < end and words[j + 1, np.uint64(begin)] == 0:
            begin += 1
        while begin < end and words[j + 1, np.uint64(end - 1)] == 0:
            end -= 1
        first, last = max(8 * begin - 1, 0), min(8 * end - 1, nx)
        if first < last:
            stored, seen, start = cells[(j + row) % ny], marks[j + 1, first + 1 : last + 1], (first + column) % nx
            fit = min(last - first, nx - start)
            add_row(stored[start : start + fit], seen[:fit], base4, gain4, low4, high4)
            add_row(stored[: last - first - fit], seen[fit:], base4, gain4, low4, high4)
        words[j + 1, begin:end] = 0


@driver
def add_row(cells, marks, base, gain, low, high):
    """Add marks to cells. Without branches, so that the compiler vectorises it."""
    for k in range(cells.shape[0]):
        l, m = cells[k], marks[k]
        new = l + (base + gain * np.float32(m) if m != 0 else np.float32(-0.0))
        top = l if l > high else high
        bottom = l if l < low else low
        new = new if new < top else top
        cells[k] = new if new > bottom else bottom


@driver
def cross_map(flat, width, rows, columns, bits, x, y, dx, dy):
    """Mark by 1 the cells of a map that a line from (x, y) crosses before its end."""
    begin, finish = 0.0, 1.0
    end_x, end_y = x + dx, y + dy
    if not (0.0 <= x < columns and 0.0 <= y < rows and 0.0 <= end_x < columns and 0.0 <= end_y < rows):
        begin, finish = clip_to_map(x, y, dx, dy, columns, rows)
        if begin >= finish:
            return
        x, y, end_x, end_y = x + begin * dx, y + begin * dy, x + finish * dx, y + finish * dy
    cross_cells(flat, width, bits, x + 1.0, y + 1.0, end_x + 1.0, end_y + 1.0, np.uint8(1))


@driver
def cross_cells(flat, width, bits, x, y, end_x, end_y, mark):
    """Mark the cells from a start up to, but not including, the cell of the end.

    These are the cell of the start, the cells entered through the side of a column, and those entered through the side
    of a row (Amanatides and Woo, 1987, with a loop for each kind instead of a choice at each step). Positions are
    whole numbers of ``2^-bits`` cells, so that a step is one addition, and cannot drift.

    Args:
        flat: the marks with their ring, ``flattened.
        width: of a row of marks.
        bits: of a fraction of a cell; the largest position must be below ``2^(63 - bits)``.
        x, y, end_x, end_y: start and end [cells from the corner of the ring], at most half a cell off the map.
        mark: for the cells that are crossed.
    """
    i, j, dx, dy = int(x), int(y), end_x - x, end_y - y
    columns, rows = abs(int(end_x) - i), abs(int(end_y) - j)
    step_i, step_j = (1 if dx > 0 else -1), (1 if dy > 0 else -1)
    to_side, to_row = i + (dx > 0) - x, j + (dy > 0) - y
    per_column, per_row = (dy / dx if columns else 0.0), (dx / dy if rows else 0.0)
    if columns + rows:
        flat[np.uint64(j * width + i)] = mark
    # The last side is that of the cell of the end.
    last_side, last_row = to_side + (columns - 1) * step_i, to_row + (rows - 1) * step_j
    if columns and (not rows or abs(last_side * dy) > abs(last_row * dx)):
        columns -= 1
    elif rows:
        rows -= 1
    one = float(1 << bits)
    at, height, step = i + step_i, int((y + to_side * per_column) * one), int(step_i * per_column * one)
    for _ in range(columns):
        flat[np.uint64(at + (height >> bits) * width)] = mark
        at, height = at + step_i, height + step
    place = int((x + to_row * per_row) * one) + (((j + step_j) * width) << bits)
    step = int(step_j * per_row * one) + ((step_j * width) << bits)
    for _ in range(rows):
        flat[np.uint64(place >> bits)] = mark
        place += step


@driver
def seen_whole(x, y, dx, dy, r, reach):
    """Whether the cell at a range r is one that a beam passes which goes on to the largest range.

    The cell in which the reach itself ends is never passed, so an obstacle there could not be taken back.
    """
    across = np.floor(x + r * dx) != np.floor(x + reach * dx)
    return across or np.floor(y + r * dy) != np.floor(y + reach * dy)


@driver
def fraction_bits(size):
    """Bits of a fraction of a cell that leave room for `size` cells in 63 bits, two spare."""
    bits = 60
    while size > 1:
        size >>= 1
        bits -= 1
    return bits


@driver
def clip_to_map(x, y, dx, dy, columns, rows):
    """The part (begin, finish) of a line that lies on the map or at most half a cell off it, as shares of its length.

    Lines that miss the map have begin >= finish. Coordinates have the lower-left corner of the map as their origin.
    """
    begin, finish = 0.0, 1.0
    for p, d, beyond in ((x, dx, columns + 0.5), (y, dy, rows + 0.5)):
        if d != 0.0:
            a, b = (-0.5 - p) / d, (beyond - p) / d
            begin, finish = max(begin, min(a, b)), min(finish, max(a, b))
        elif not -0.5 <= p <= beyond:
            finish = -1.0
    return begin, finish


@driver
def empty_box(box):
    """A box without cells."""
    box[0], box[1], box[2], box[3] = 1 << 62, -1, 1 << 62, -1


@driver
def widen(box, left, right, down, up, rows, columns):
    """Widen a box of cells of the map so that it holds the part of a rectangle [cells] that lies on the map."""
    if right >= 0.0 and up >= 0.0 and left < columns and down < rows:
        box[0], box[1] = min(box[0], int(max(left, 0.0))), max(box[1], int(min(right, columns - 1.0)))
        box[2], box[3] = min(box[2], int(max(down, 0.0))), max(box[3], int(min(up, rows - 1.0)))


@driver
def box_of_beams(box, rows, columns, x, y, beams, reach, beyond):
    """The box of the cells that beams may cross, and as far behind their ends as `beyond` [cells]."""
    left, right, down, up = x, x, y, y
    for b in range(beams.shape[1]):
        r = min(beams[2, b], reach) + beyond
        if r >= 0.0:
            end_x, end_y = x + r * beams[0, b], y + r * beams[1, b]
            left, right, down, up = min(left, end_x), max(right, end_x), min(down, end_y), max(up, end_y)
    empty_box(box)
    widen(box, left, right, down, up, rows, columns)
