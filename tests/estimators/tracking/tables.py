"""Random tables of tracks, and the scores of them by definition: slow, with all assignments enumerated."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from pilotage.core import BOX, Space, TrackTable, iou

PLANE = Space("x y [m]")
CUTOFF = 4.0
Row = tuple[int, Any]
Instant = tuple[list[Row], list[Row]]


def plane(seed: int, targets: int = 3, steps: int = 6, spread: float = 3.0) -> tuple[TrackTable, TrackTable]:
    """Targets with gaps, and tracks that miss them, switch between them, and are false now and then."""
    rng = np.random.default_rng(seed)
    truth, tracks = list[Any](), list[Any]()
    places = rng.normal(size=(targets, 2)) * spread
    names = rng.permutation(20)[:targets]
    for k in range(steps):
        places += rng.normal(size=places.shape)
        if rng.random() < 0.15:
            names = rng.permutation(20)[:targets]
        for i in range(targets):
            if rng.random() < 0.85:
                truth.append((0.5 * k, 10 * i + 3, *places[i]))
            if rng.random() < 0.8:
                tracks.append((0.5 * k, int(names[i]), *(places[i] + rng.normal(size=2))))
        if rng.random() < 0.4:
            tracks.append((0.5 * k, 50 + k // 2, *(rng.normal(size=2) * spread)))
    return made(truth, PLANE), made(tracks, PLANE)


def boxes(seed: int, **settings: int) -> tuple[TrackTable, TrackTable]:
    """The same targets as boxes in an image."""
    return tuple(
        TrackTable(table.t, table.id, np.column_stack([table.x, np.full((len(table), 2), 4.0)]), space=BOX)
        for table in plane(seed, **settings)
    )  # type: ignore[return-value]


def made(rows: list[Any], space: Space) -> TrackTable:
    columns = np.array(rows, dtype=float).reshape(-1, 2 + space.size)
    return TrackTable(columns[:, 0], columns[:, 1], columns[:, 2:], space=space)


def instants(truth: TrackTable, tracks: TrackTable) -> Iterator[Instant]:
    """Ids and states of both at each time."""
    for t in sorted({*truth.t.tolist(), *tracks.t.tolist()}):
        a, b = (
            [(int(i), x) for i, x in zip(each.id, each.x, strict=True)]
            for each in (table.at(t) for table in (truth, tracks))
        )
        yield a, b


def gap(x: Any, y: Any) -> float:
    return float(np.hypot(*(np.asarray(x)[:2] - np.asarray(y)[:2])))


def nearness(truth: TrackTable) -> Callable[[Any, Any], float]:
    """The similarity of two states: IoU, or ``1 - d / c``."""
    if truth.space == BOX:
        return lambda x, y: float(iou([x], [y])[0, 0])
    return lambda x, y: max(0.0, 1.0 - gap(x, y) / CUTOFF)


def assignments(n: int, m: int) -> Iterator[list[tuple[int, int]]]:
    """All matchings of n rows and m columns, whole or in part."""
    for size in range(min(n, m) + 1):
        for rows in itertools.combinations(range(n), size):
            for columns in itertools.permutations(range(m), size):
                yield list(zip(rows, columns, strict=True))


def best(weights: Any) -> list[tuple[int, int]]:
    """The matching of largest total weight, of those with positive weights only."""
    n, m = np.shape(weights)
    positive = (each for each in assignments(n, m) if all(weights[i][j] > 0.0 for i, j in each))
    return max(positive, key=lambda each: sum(weights[i][j] for i, j in each))


# -- scores by definition


def gospa_of(a: list[Any], b: list[Any], p: float, c: float = CUTOFF) -> tuple[float, float, int, int]:
    """GOSPA of two sets of points, and its parts: localisation, missed, false."""
    found = list[tuple[float, float, int, int]]()
    for each in assignments(len(a), len(b)):
        if all(gap(a[i], b[j]) < c for i, j in each):
            near = sum(gap(a[i], b[j]) ** p for i, j in each)
            missed, false = len(a) - len(each), len(b) - len(each)
            found.append(((near + 0.5 * c**p * (missed + false)) ** (1 / p), near, missed, false))
    return min(found)


def ospa_of(a: list[Any], b: list[Any], p: float, distance: Any = gap, c: float = CUTOFF) -> float:
    """OSPA of two sets, by all injections of the smaller one."""
    a, b = sorted((a, b), key=len)
    if not b:
        return 0.0
    costs = (
        sum(min(c, distance(x, b[j])) ** p for x, j in zip(a, columns, strict=True))
        for columns in itertools.permutations(range(len(b)), len(a))
    )
    return ((min(costs) + c**p * (len(b) - len(a))) / len(b)) ** (1 / p)


def ospa2_of(truth: TrackTable, tracks: TrackTable, p: float, q: float, c: float = CUTOFF) -> float:
    """OSPA(2) of two sets of tracks."""

    def paths(table: TrackTable) -> list[dict[float, Any]]:
        return [dict(zip(own.t.tolist(), own.x, strict=True)) for own in map(table.of, table.ids.tolist())]

    def apart(f: dict[float, Any], g: dict[float, Any]) -> float:
        either = {*f} | {*g}
        each = [min(c, gap(f[t], g[t])) if t in f and t in g else c for t in either]
        return float(np.mean([d**q for d in each]) ** (1 / q))

    return ospa_of(paths(truth), paths(tracks), p, apart)


def identity_of(truth: TrackTable, tracks: TrackTable, threshold: float) -> int:
    """IDTP, by all maps of targets to tracks."""
    near = nearness(truth)
    targets, names = truth.ids.tolist(), tracks.ids.tolist()
    both = np.zeros((len(targets), len(names)))
    for a, b in instants(truth, tracks):
        for (i, x), (j, y) in itertools.product(a, b):
            both[targets.index(i), names.index(j)] += near(x, y) >= threshold and near(x, y) > 0.0
    return int(max(sum(both[i, j] for i, j in each) for each in assignments(*both.shape)))


def clear_of(truth: TrackTable, tracks: TrackTable, threshold: float) -> dict[str, float]:
    """CLEAR scores by the rules of TrackEval."""
    near = nearness(truth)
    last, before = dict[int, int](), dict[int, int]()
    tp = idsw = 0
    similar = 0.0
    life, tracked = dict[int, int](), dict[int, int]()
    begun = dict[int, int]()
    for a, b in instants(truth, tracks):
        for i, _ in a:
            life[i] = life.get(i, 0) + 1
        if not a or not b:
            continue
        s = [[near(x, y) for _, y in b] for _, x in a]
        w = [
            [
                0.0 if v < threshold or v <= 0 else v + 1000.0 * (before.get(i) == j)
                for v, (j, _) in zip(row, b, strict=True)
            ]
            for row, (i, _) in zip(s, a, strict=True)
        ]
        now = dict[int, int]()
        for r, k in best(w):
            i, j = a[r][0], b[k][0]
            tp, similar, now[i] = tp + 1, similar + s[r][k], j
            idsw += last.get(i, j) != j
            tracked[i] = tracked.get(i, 0) + 1
            begun[i] = begun.get(i, 0) + (i not in before)
        last, before = {**last, **now}, now
    share = [tracked.get(i, 0) / n for i, n in life.items()]
    return {
        "tp": tp,
        "fp": len(tracks) - tp,
        "fn": len(truth) - tp,
        "idsw": idsw,
        "fm": sum(n - 1 for n in begun.values()),
        "mt": sum(v > 0.8 for v in share),
        "ml": sum(v < 0.2 for v in share),
        "motp": similar / max(tp, 1),
    }


def hota_of(truth: TrackTable, tracks: TrackTable, alpha: float) -> tuple[float, float, float, float]:
    """HOTA, DetA, AssA and LocA at one alpha, by the equations of the paper, one true positive after another."""
    near = nearness(truth)
    agree: dict[tuple[int, int], float] = {}
    for a, b in instants(truth, tracks):
        s = np.array([[near(x, y) for _, y in b] for _, x in a]).reshape(len(a), len(b))
        for (r, (i, _)), (k, (j, _)) in itertools.product(enumerate(a), enumerate(b)):
            total = s[r].sum() + s[:, k].sum() - s[r, k]
            agree[i, j] = agree.get((i, j), 0.0) + (s[r, k] / total if total else 0.0)
    rows = lambda table, i: int((table.id == i).sum())
    hits = list[tuple[int, int, float]]()
    for a, b in instants(truth, tracks):
        w = [[near(x, y) * agree[i, j] / (rows(truth, i) + rows(tracks, j) - agree[i, j]) for j, y in b] for i, x in a]
        if a and b:
            found = [(a[r][0], b[k][0], near(a[r][1], b[k][1])) for r, k in best(w)]
            hits += [each for each in found if each[2] >= alpha]
    tp = len(hits)
    deta = tp / max(1, len(truth) + len(tracks) - tp)
    shares = list[float]()
    for i, j, _ in hits:
        tpa = sum((i, j) == each[:2] for each in hits)
        shares.append(tpa / (rows(truth, i) + rows(tracks, j) - tpa))
    assa = sum(shares) / max(1, tp)
    return (deta * assa) ** 0.5, deta, assa, float(np.mean([s for *_, s in hits])) if hits else 1.0
