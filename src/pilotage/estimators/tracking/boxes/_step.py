"""A scan of boxes in compiled code, from prediction to management.

A row of a track holds, in ``rows``, from MEAN on centre, size and their velocities, from COV on for each coordinate the
variances of place, of place with velocity, and of velocity; then BORN, SEEN and SCORE; and, where tracks remember, the
mean and covariance at the last detection (KEPT), the last four detections, the latest first (PAST), and their number
(COUNT). In ``whole`` it holds its number, status, source, detections in a row, and misses in a row.
"""

from __future__ import annotations

import math

from ....models.trace import driver
from .._assignment import assign_pairs
from ..tracks import COASTING, CONFIRMED, TENTATIVE

COV, BORN, SEEN, SCORE, KEPT, PAST, COUNT = 8, 20, 21, 22, 23, 43, 59
NARROW, WIDE = 23, 60
ID, STATUS, SOURCE, STREAK, MISSES, WHOLE = 0, 1, 2, 3, 4, 5
READING, ACCEL, GROWTH, WANDER, SPEED, SURE, DOUBTFUL, BEGIN, PATIENCE, HITS, OBSERVED, RENEWED = range(12)
LARGEST = 1e9
"""Pixels at most, so that no product overflows."""
SMALLEST = 1e-3
"""Pixels at least, of the sides of a box that is predicted."""
REPEATS = 64
"""Steps at most in which a gap is filled."""


@driver(
    "i8(f8, f8, f8[::1], f8[:,::1], f8[:,::1], i8[:,::1], f8[:,::1], f8[::1], f8[:,::1], i8[:,::1], f8[:,::1], "
    "f8[:,::1], i8[:,::1], f8[::1], i8[:,::1], i8[::1])"
)
def step_boxes(t, dt, p, stages, rows, whole, boxes, scores, new, entire, z, room, places, costs, links, counts):
    """The tracks after a scan; how many, or -1 - j where box j is malformed.

    Args:
        t, dt: time, and time since the scan before [s].
        p, stages: the recipe.
        rows, whole: the tracks before, N.
        boxes, scores: detections ``(K, 4)`` as left, top, width, height, and their scores ``(K,)``.
        new, entire: the tracks after, room for N + K.
        z: room ``(K, 4)``.
        room, places: room ``(2, K)``, ``(4, K)``, for the assignment.
        costs: room for N K pairs, and N more.
        links: room ``(5, more than N K and N and K)``: columns of pairs, starts, choices, boxes of tracks, and grades
            of boxes.
        counts: number of the next track, and scans so far.
    """
    n, k = rows.shape[0], boxes.shape[0]
    match, grade = links[3], links[4]
    for j in range(k):
        grade[j] = graded(boxes[j], scores[j], p, z[j])
        if grade[j] < -1:
            return -1 - j
    for i in range(n):
        for c in range(rows.shape[1]):
            new[i, c] = rows[i, c]
        for c in range(WHOLE):
            entire[i, c] = whole[i, c]
        predict_box(new[i], dt, p)
        match[i] = -1
    for s in range(stages.shape[0]):
        pair_boxes(stages[s], new, entire, n, z, scores, grade, match, links, costs)
        none = costs[costs.shape[0] - n :]
        for i in range(n):
            none[i] = 0.0
        assign_pairs(links[1, : n + 1], links[0], costs, none, room, places, links[2, :n])
        for i in range(n):
            if links[2, i] >= 0:
                match[i] = links[0, links[2, i]]
                grade[match[i]] = -1
    for i in range(n):
        if match[i] >= 0:
            detected(new[i], entire[i], t, z[match[i]], scores[match[i]], match[i], p)
        else:
            entire[i, SOURCE], entire[i, STREAK] = -1, 0
            entire[i, MISSES] += 1
    left = 0
    for i in range(n):
        fickle = entire[i, STATUS] == TENTATIVE and p[RENEWED] == 0.0
        lost = match[i] < 0 and (fickle or t - new[i, SEEN] > p[PATIENCE] + 1e-9)
        if lost:
            continue
        if match[i] < 0 and entire[i, STATUS] != TENTATIVE:
            entire[i, STATUS] = COASTING
        if left < i:
            for c in range(rows.shape[1]):
                new[left, c] = new[i, c]
            for c in range(WHOLE):
                entire[left, c] = entire[i, c]
        left += 1
    early = counts[1] + 1 if p[HITS] <= 1.0 else (p[HITS] if p[RENEWED] > 0.0 else 1)
    for j in range(k):
        if grade[j] == 0 and scores[j] >= p[BEGIN]:
            begin_box(new[left], entire[left], t, z[j], scores[j], p)
            entire[left, ID], entire[left, SOURCE] = counts[0], j
            entire[left, STATUS] = CONFIRMED if counts[1] < early else TENTATIVE
            counts[0] += 1
            left += 1
    counts[1] += 1
    return left


@driver
def graded(box, score, p, z):
    """0 for a sure box, 1 for a doubtful one, -1 for none, -2 for a malformed one; z is its centre and size."""
    lost = 0
    for c in range(4):
        if box[c] != box[c]:
            lost += 1
        elif not -LARGEST < box[c] < LARGEST:
            return -2
    if lost == 4:
        return -1
    if lost > 0 or score != score or not box[2] > 0.0 or not box[3] > 0.0:
        return -2
    z[0], z[1], z[2], z[3] = box[0] + 0.5 * box[2], box[1] + 0.5 * box[3], box[2], box[3]
    if score >= p[SURE]:
        return 0
    return 1 if score >= p[DOUBTFUL] else -1


@driver("void(f8[:,::1], f8, f8[::1])")
def predict_boxes(rows, dt, p):
    """`predict_box` of each row."""
    for i in range(rows.shape[0]):
        predict_box(rows[i], dt, p)


@driver
def predict_box(row, dt, p):
    """Move a box by `dt`: see `BoxMotion`. A side that would vanish stays as it is."""
    square = 0.5 * (row[2] * row[2] + row[3] * row[3])
    for c in range(4):
        at = COV + 3 * c
        if c > 1 and row[c] + row[4 + c] * dt < SMALLEST:
            row[4 + c] = 0.0
        row[c] += row[4 + c] * dt
        q = (p[ACCEL] if c < 2 else p[GROWTH]) * square * dt
        row[at] += dt * (2.0 * row[at + 1] + dt * row[at + 2]) + q * dt * dt / 3.0 + p[WANDER] * square * dt
        row[at + 1] += dt * row[at + 2] + 0.5 * q * dt
        row[at + 2] += q


@driver
def update_box(row, z, share, p):
    """Kalman update of each coordinate with the detection, ``last + share (z - last)`` where `share` is below 1."""
    R = p[READING] * 0.5 * (row[2] * row[2] + row[3] * row[3])
    for c in range(4):
        at = COV + 3 * c
        seen = z[c] if share == 1.0 else row[PAST + c] + share * (z[c] - row[PAST + c])
        S = row[at] + R
        y, a, b = seen - row[c], row[at] / S, row[at + 1] / S
        row[c] += a * y
        row[4 + c] += b * y
        row[at + 2] -= b * row[at + 1]
        row[at] *= R / S
        row[at + 1] *= R / S
    for c in range(2, 4):
        row[c] = max(row[c], SMALLEST)


@driver
def detected(row, entire, t, z, score, j, p):
    """A track after its detection: filtered, again along a straight line where it was hidden; its memory and status."""
    steps = min(entire[MISSES] + 1, REPEATS)
    if p[OBSERVED] > 0.0 and steps > 1:
        for c in range(COV + 12):
            row[c] = row[KEPT + c]
        for s in range(1, steps + 1):
            predict_box(row, (t - row[SEEN]) / steps, p)
            update_box(row, z, s / steps, p)
    else:
        update_box(row, z, 1.0, p)
    row[SEEN], row[SCORE] = t, score
    entire[SOURCE], entire[MISSES] = j, 0
    entire[STREAK] += 1
    if entire[STREAK] >= p[HITS] or (entire[STATUS] != TENTATIVE and p[RENEWED] == 0.0):
        entire[STATUS] = CONFIRMED
    elif entire[STATUS] == COASTING:
        entire[STATUS] = TENTATIVE
    remember(row, z)


@driver
def begin_box(row, entire, t, z, score, p):
    """A track that begins at a detection."""
    square = 0.5 * (z[2] * z[2] + z[3] * z[3])
    for c in range(4):
        at = COV + 3 * c
        row[c], row[4 + c] = z[c], 0.0
        row[at], row[at + 1], row[at + 2] = p[READING] * square, 0.0, p[SPEED] * square
    row[BORN], row[SEEN], row[SCORE] = t, t, score
    entire[STREAK], entire[MISSES] = 1, 0
    if row.shape[0] > NARROW:
        row[COUNT] = 0.0
    remember(row, z)


@driver
def remember(row, z):
    """Put the detection before those of the past, and keep what the filter says."""
    if row.shape[0] <= NARROW:
        return
    for c in range(COV + 12):
        row[KEPT + c] = row[c]
    for c in range(11, -1, -1):
        row[PAST + 4 + c] = row[PAST + c]
    for c in range(4):
        row[PAST + c] = z[c]
    row[COUNT] = min(row[COUNT] + 1.0, 4.0)


@driver
def pair_boxes(stage, new, entire, n, z, scores, grade, match, links, costs):
    """The pairs of a stage, track by track, with the costs of the assignment."""
    least, who, which, wide, scored = stage[0], stage[1], stage[2], stage[3], stage[4] > 0.0
    columns, starts = links[0], links[1]
    at = PAST if stage[6] > 0.0 else 0
    floor = -1.0 if wide > 0.0 else 0.0
    count = 0
    for i in range(n):
        starts[i] = count
        status = entire[i, STATUS]
        if match[i] >= 0 or not takes_part(who, status):
            continue
        x, y, w, h = new[i, at], new[i, at + 1], new[i, at + 2], new[i, at + 3]
        for j in range(z.shape[0]):
            dx, dy = abs(x - z[j, 0]), abs(y - z[j, 1])
            if wide == 0.0 and (2.0 * dx >= w + z[j, 2] or 2.0 * dy >= h + z[j, 3]):
                continue
            if grade[j] != which:
                continue
            o = overlap(dx, dy, w, h, z[j, 2], z[j, 3], wide > 0.0)
            if scored:
                o *= scores[j]
            if o < least:
                continue
            gain = o - floor
            if stage[5] > 0.0:
                gain += stage[5] * scores[j] * agreement(new[i], z[j])
            columns[count], costs[count] = j, -gain
            count += 1
    starts[n] = count


@driver
def takes_part(who, status):
    """Whether a track of that status takes part in a stage for "all", "confirmed", "seen" or "tentative" tracks."""
    if who == 0.0:
        return True
    if who == 1.0:
        return status != TENTATIVE
    return status == CONFIRMED if who == 2.0 else status == TENTATIVE


@driver
def overlap(dx, dy, w, h, v, g, wide):
    """IoU, or GIoU if `wide`, of boxes w by h and v by g whose centres are dx and dy apart."""
    across, along = 0.5 * (w + v), 0.5 * (h + g)
    a, b = max(min(across - dx, w, v), 0.0), max(min(along - dy, h, g), 0.0)
    union = w * h + v * g - a * b
    o = a * b / union
    if wide:
        around = max(across + dx, w, v) * max(along + dy, h, g)
        o -= (around - union) / around
    return o


@driver
def agreement(row, z):
    """1/2 for a detection straight ahead of the last ones, -1/2 for one straight back; 0 if there is one only."""
    last = int(row[COUNT]) - 1
    if last < 1:
        return 0.0
    from_, to = PAST + 4 * last, PAST + 4 * min(last, 2)
    ax, ay = row[PAST] - row[from_], row[PAST + 1] - row[from_ + 1]
    bx, by = z[0] - row[to], z[1] - row[to + 1]
    size = math.sqrt((ax * ax + ay * ay) * (bx * bx + by * by))
    if size == 0.0:
        return 0.0
    return 0.5 - math.acos(min(max((ax * bx + ay * by) / size, -1.0), 1.0)) / math.pi
