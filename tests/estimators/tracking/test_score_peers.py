"""Scores beside those of TrackEval, motrics, py-motmetrics and Stone Soup, and published values.

None of these packages is needed; tests with one that is not installed are skipped.
"""

from __future__ import annotations

import functools
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pilotage.core import BOX, Gaussian, Scans, TrackTable, iou
from pilotage.estimators import KF
from pilotage.estimators.tracking import GNN, Detector, Tracker
from pilotage.estimators.tracking.scores import (
    Comparison,
    clear,
    compare,
    gospa,
    hota,
    identity,
    ospa,
    score,
    siap,
)
from pilotage.estimators.tracking.scores.siap import nearest
from pilotage.io import read_adsb, read_mot_detections, read_mot_tracks, read_mot_truth
from pilotage.models import constant_velocity, position

from .tables import CUTOFF, boxes, instants, plane

SEQUENCES = ["ADL-Rundle-6", "ETH-Pedcross2", "ETH-Sunnyday", "KITTI-17", "PETS09-S2L1", "TUD-Campus"]
EXACT = 1e-9
Both = tuple[TrackTable, TrackTable]


@pytest.fixture
def mot(data: Path) -> Path:
    folder = data / "mot"
    if not folder.is_dir():
        pytest.skip(f"no data of tracking at {folder}")
    return folder


def file(folder: Path, name: str) -> Path:
    return folder / name if (folder / name).exists() else folder / f"{name}.gz"


@functools.cache
def sequence(folder: Path, name: str) -> Both:
    """Ground truth, and a simple tracker's result from the detections of the sequence."""
    at = folder / "mot15" / name
    return read_mot_truth(file(at, "gt.txt")), greedy(read_mot_detections(file(at, "det.txt")))


def greedy(scans: Scans, threshold: float = 0.3, patience: int = 3) -> TrackTable:
    """A tracker that joins each detection to the box of the last frames that it overlaps most."""
    rows, last = list[Any](), dict[int, tuple[Any, int]]()
    for k in range(len(scans)):
        z = scans[k]
        ids = [i for i, (_, seen) in last.items() if k - seen <= patience]
        overlap = iou([last[i][0] for i in ids], z)
        owners = dict[int, int]()
        for flat in np.argsort(-overlap, axis=None):
            r, j = divmod(int(flat), len(z))
            if overlap[r, j] >= threshold and j not in owners and ids[r] not in owners.values():
                owners[j] = ids[r]
        for j, box in enumerate(z):
            i = owners.get(j, len(last) + 1)
            last[i] = box, k
            rows.append((scans.ts[k], i, *box))
    columns = np.array(rows)
    return TrackTable(columns[:, 0], columns[:, 1], columns[:, 2:], space=BOX)


def known(folder: Path) -> Both:
    at = folder / "motmetrics" / "TUD-Campus"
    return read_mot_truth(at / "gt.txt"), read_mot_tracks(at / "test.txt")


# -- published values


def test_published_values_of_motmetrics(mot: Path) -> None:
    """TUD-Campus, from the tests of py-motmetrics, which give six digits."""
    scores = score(*known(mot), convention="motmetrics")
    c, i = scores.clear, scores.identity
    assert (i.idf1, i.idp, i.idr) == pytest.approx((0.557659, 0.729730, 0.451253), abs=1e-6)
    assert (c.recall, c.precision, c.mota, c.error) == pytest.approx((0.582173, 0.941441, 0.526462, 0.277201), abs=1e-6)
    assert (c.fp, c.fn, c.idsw, c.fm) == (13, 150, 7, 7)
    assert (len(scores.comparison.truth[0].ids), c.mt, c.pt, c.ml) == (8, 1, 6, 1)


# -- box trackers


def framed(truth: TrackTable, tracks: TrackTable) -> list[tuple[Any, Any, Any]]:
    """Numbers of the targets, numbers of the tracks, and IoU, of each instant."""
    targets, names = truth.ids.tolist(), tracks.ids.tolist()
    frames = list[Any]()
    for a, b in instants(truth, tracks):
        x, y = (np.array([row[1] for row in rows]).reshape(-1, 4) for rows in (a, b))
        i = np.array([targets.index(row[0]) for row in a], dtype=int)
        frames.append((i, np.array([names.index(row[0]) for row in b], dtype=int), iou(x, y)))
    return frames


def check_trackeval(tables: Both) -> None:
    metrics = pytest.importorskip("trackeval").metrics
    frames = framed(*tables)
    data = {
        "num_timesteps": len(frames),
        "num_gt_ids": len(tables[0].ids),
        "num_tracker_ids": len(tables[1].ids),
        "num_gt_dets": len(tables[0]),
        "num_tracker_dets": len(tables[1]),
        "gt_ids": [frame[0] for frame in frames],
        "tracker_ids": [frame[1] for frame in frames],
        "similarity_scores": [frame[2] for frame in frames],
    }
    h = metrics.HOTA().eval_sequence(data)
    c = metrics.CLEAR({"PRINT_CONFIG": False}).eval_sequence(data)
    i = metrics.Identity({"PRINT_CONFIG": False}).eval_sequence(data)
    ours = score(*tables)
    both = [
        *(
            (getattr(ours.hota, f"{name.lower()}_alpha"), h[name])
            for name in ("HOTA", "DetA", "AssA", "AssRe", "AssPr")
        ),
        (ours.hota.loca_alpha, h["LocA"]),
        *((getattr(ours.hota, name), h[f"HOTA_{name.upper()}"]) for name in ("tp", "fp", "fn")),
        ((ours.hota.detre, ours.hota.detpr), (h["DetRe"].mean(), h["DetPr"].mean())),
        *((getattr(ours.clear, name), c[f"CLR_{name.upper()}"]) for name in ("tp", "fp", "fn")),
        *((getattr(ours.clear, name.lower()), c[name]) for name in ("IDSW", "MT", "PT", "ML", "MOTA", "MOTP")),
        (ours.clear.fm, c["Frag"]),
        *((getattr(ours.identity, name.lower()), i[name]) for name in ("IDTP", "IDFP", "IDFN", "IDF1", "IDP", "IDR")),
    ]
    for mine, theirs in both:
        np.testing.assert_allclose(mine, theirs, atol=EXACT)


@pytest.mark.parametrize("name", SEQUENCES)
def test_trackeval_on_mot15(mot: Path, name: str) -> None:
    check_trackeval(sequence(mot, name))


@pytest.mark.parametrize("seed", range(30))
def test_trackeval_on_random_tables(seed: int) -> None:
    check_trackeval(boxes(seed))


@pytest.mark.parametrize("name", SEQUENCES)
def test_motrics_on_mot15(mot: Path, name: str) -> None:
    """HOTA and identity scores; the matching of CLEAR in motrics 0.3.0 is not that of TrackEval, which we follow."""
    motrics = pytest.importorskip("motrics")
    tables = sequence(mot, name)
    given = [[frame[k] for frame in framed(*tables)] for k in range(3)]
    c = compare(*tables)
    mine, theirs = hota(c), motrics.compute_hota_from_similarity(*given)
    for part in ("hota", "deta", "assa", "loca"):
        assert getattr(mine, part) == pytest.approx(getattr(theirs, part), abs=EXACT)
    own, other = identity(c), motrics.compute_identity_from_similarity(*given)
    assert (own.idf1, own.idp, own.idr) == pytest.approx((other.idf1, other.idp, other.idr), abs=EXACT)


def check_motmetrics(tables: Both) -> None:
    mm = pytest.importorskip("motmetrics")
    log = mm.MOTAccumulator(auto_id=True)
    for i, j, overlap in framed(*tables):
        log.update(i, j, np.where(overlap >= 0.5, 1.0 - overlap, np.nan))
    fields = {
        "mota": "mota",
        "motp": "error",
        "recall": "recall",
        "precision": "precision",
        "num_false_positives": "fp",
        "num_misses": "fn",
        "num_switches": "idsw",
        "num_fragmentations": "fm",
        "mostly_tracked": "mt",
        "partially_tracked": "pt",
        "mostly_lost": "ml",
    }
    found = mm.metrics.create().compute(log, metrics=[*fields, "idf1", "idp", "idr"], name="all").iloc[0]
    c = compare(*tables)
    own, ids = clear(c, convention="motmetrics"), identity(c)
    theirs = [found[name] for name in fields]
    np.testing.assert_allclose([getattr(own, name) for name in fields.values()], theirs, atol=EXACT)
    np.testing.assert_allclose([ids.idf1, ids.idp, ids.idr], [found.idf1, found.idp, found.idr], atol=EXACT)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "name", ["known", "KITTI-17", "TUD-Campus", pytest.param("PETS09-S2L1", marks=pytest.mark.slow)]
)
def test_motmetrics_on_mot15(mot: Path, name: str) -> None:
    check_motmetrics(known(mot) if name == "known" else sequence(mot, name))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(10))
def test_motmetrics_on_random_tables(seed: int) -> None:
    check_motmetrics(boxes(seed))


# -- Stone Soup

ZERO = datetime(2026, 1, 1)


def paths(table: TrackTable, kind: Any) -> dict[int, Any]:
    """Stone Soup's tracks or true paths."""
    State = pytest.importorskip("stonesoup.types.state").State
    when = lambda t: ZERO + timedelta(seconds=float(t))
    return {
        int(i): kind([State(x[:, None], timestamp=when(t)) for t, x in zip(own.t, own.x, strict=True)])
        for i, own in ((i, table.of(i)) for i in table.ids.tolist())
    }


def both_paths(truth: TrackTable, tracks: TrackTable) -> tuple[Any, Any]:
    true = pytest.importorskip("stonesoup.types.groundtruth").GroundTruthPath
    return paths(truth, true), paths(tracks, pytest.importorskip("stonesoup.types.track").Track)


@pytest.mark.parametrize("p", [1.0, 2.0])
@pytest.mark.parametrize("seed", range(10))
def test_stone_soup_gospa(seed: int, p: float) -> None:
    metrics = pytest.importorskip("stonesoup.metricgenerator.ospametric")
    tables = plane(seed)
    true, tracked = both_paths(*tables)
    metric = metrics.GOSPAMetric(p=p, c=CUTOFF)
    states = [metric.extract_states(list(each.values()), True) for each in (tracked, true)]
    theirs = [m.value for m in metric.compute_over_time(*states[0], *states[1]).value]
    mine = gospa(compare(*tables, cutoff=CUTOFF), p=p)
    half = CUTOFF**p / 2.0
    parts = {
        "distance": mine.values,
        "localisation": mine.localisations,
        "missed": half * mine.misses,
        "false": half * mine.falses,
    }
    for name, values in parts.items():
        np.testing.assert_allclose(values, [each[name] for each in theirs], atol=EXACT)


@pytest.mark.parametrize("seed", range(10))
def test_stone_soup_ospa(seed: int) -> None:
    metrics = pytest.importorskip("stonesoup.metricgenerator.ospametric")
    tables = plane(seed)
    true, tracked = both_paths(*tables)
    metric = metrics.OSPAMetric(p=1, c=CUTOFF)
    states = [metric.extract_states(list(each.values()), True) for each in (tracked, true)]
    theirs = [m.value for m in metric.compute_over_time(*states[0], *states[1]).value]
    np.testing.assert_allclose(ospa(compare(*tables, cutoff=CUTOFF)).values, theirs, atol=EXACT)


def associations(c: Comparison, true: Any, tracked: Any) -> Any:
    """Our association as Stone Soup's: a range of times for each unbroken run of instants with a target."""
    kinds = pytest.importorskip("stonesoup.types.association")
    ranges = pytest.importorskip("stonesoup.types.time").TimeRange
    OrderedSet = pytest.importorskip("ordered_set").OrderedSet
    truth, tracks = c.truth[0], c.tracks[0]
    order = {int(i): truth.of(int(i)).t.tolist() for i in truth.ids}
    runs = dict[tuple[int, int], list[list[float]]]()
    for e in nearest(c):
        i, j, t = int(truth.id[c.row[e]]), int(tracks.id[c.column[e]]), float(truth.t[c.row[e]])
        own = runs.setdefault((i, j), [])
        if own and order[i].index(t) == order[i].index(own[-1][-1]) + 1:
            own[-1].append(t)
        else:
            own.append([t])
    when = lambda t: ZERO + timedelta(seconds=t)
    return kinds.AssociationSet(
        {
            kinds.TimeRangeAssociation(OrderedSet((tracked[j], true[i])), ranges(when(run[0]), when(run[-1])))
            for (i, j), own in runs.items()
            for run in own
            if len(run) > 1 or pytest.skip("Stone Soup does not count associations of one instant")
        }
    )


def smooth(seed: int) -> Both:
    """Targets and tracks without gaps shorter than two instants."""
    rng = np.random.default_rng(seed)
    x = np.cumsum(rng.normal(size=(20, 3, 2)), axis=0) + rng.normal(size=(3, 2)) * 20.0
    k, i = np.divmod(np.arange(60), 3)
    names = np.where(k < 5 + i, i, 10 + i)
    there = (k % 10) > 1
    plane_ = plane(0)[0].space
    truth = TrackTable(0.5 * k, i, x[k, i], space=plane_)
    return truth, TrackTable(0.5 * k[there], names[there], (x[k, i] + 0.3)[there], space=plane_)


@pytest.mark.parametrize("seed", range(5))
def test_stone_soup_siap(seed: int) -> None:
    assert_same_siap(smooth(seed), CUTOFF)


def assert_same_siap(tables: Both, far: float) -> None:
    """SIAP of both, for the same association."""
    metrics = pytest.importorskip("stonesoup.metricgenerator.tracktotruthmetrics")
    manager = pytest.importorskip("stonesoup.metricgenerator.manager")
    measures = pytest.importorskip("stonesoup.measures")
    true, tracked = both_paths(*tables)
    c = compare(*tables, cutoff=far)
    generator = metrics.SIAPMetrics(
        position_measure=measures.Euclidean(), velocity_measure=measures.Euclidean(), generator_name="siap"
    )
    run = manager.MultiManager([generator])
    run.add_data({"groundtruth_paths": {*true.values()}, "tracks": {*tracked.values()}}, overwrite=False)
    run.association_set = associations(c, true, tracked)
    theirs = {metric.title: metric.value for metric in generator.compute_metric(run)}
    mine = siap(c)
    names = {
        "SIAP Completeness": mine.completeness,
        "SIAP Ambiguity": mine.ambiguity,
        "SIAP Spuriousness": mine.spuriousness,
        "SIAP Position Accuracy": mine.accuracy,
        "SIAP Rate of Track Number Change": mine.rate,
        "SIAP Longest Track Segment": mine.longest,
    }
    for name, value in names.items():
        assert value == pytest.approx(theirs[name], rel=EXACT, abs=EXACT), name


@functools.cache
def aircraft(folder: Path) -> Both:
    """Stone Soup's aircraft over England in three minutes, and a tracker's result from their places with an error."""
    table = read_adsb(file(folder, "stonesoup/OpenSky_Plane_States.csv"), ground=False).tracks
    table = table[table.t < 180.0]
    space, rng = position(2).reading, np.random.default_rng(0)
    seen = rng.random(len(table)) < 0.95
    z = table.x[:, :2] + 30.0 * rng.normal(size=(len(table), 2))
    scans = Scans("radar", [z[seen & (table.t == t)] for t in table.times], table.times)
    plane_ = constant_velocity(2, density=3.0)
    birth = Gaussian.of(plane_.state, std=[2e5, 2e5, 200.0, 200.0])
    detector = Detector(position(2, std=30.0), detection=0.95, clutter=1e-12)
    found = Tracker(KF(plane_, dt=10.0), detector, birth, GNN(), gate=0.999).run(scans)
    return TrackTable(table.t, table.id, table.x[:, :2], space=space), TrackTable(
        found.t, found.id, found.x[:, :2], space=space
    )


def test_stone_soup_scores_on_its_own_aircraft(mot: Path) -> None:
    """GOSPA with its parts, and OSPA, at each instant, in metres."""
    metrics = pytest.importorskip("stonesoup.metricgenerator.ospametric")
    far, tables = 500.0, aircraft(mot)
    assert len(tables[1].ids) > 30
    true, tracked = both_paths(*tables)
    c = compare(*tables, cutoff=far)

    def theirs(metric: Any) -> list[Any]:
        states = [metric.extract_states(list(each.values()), True) for each in (tracked, true)]
        return [m.value for m in metric.compute_over_time(*states[0], *states[1]).value]

    np.testing.assert_allclose(ospa(c).values, theirs(metrics.OSPAMetric(p=1, c=far)), rtol=1e-9, atol=1e-6)
    mine, parts = gospa(c, p=2.0), theirs(metrics.GOSPAMetric(p=2.0, c=far))
    half = far**2 / 2.0
    values = {"distance": mine.values, "localisation": mine.localisations, "missed": half * mine.misses,
              "false": half * mine.falses}  # fmt: skip
    for name, each in values.items():
        np.testing.assert_allclose(each, [one[name] for one in parts], rtol=1e-9, atol=1e-6)


def test_stone_soup_siap_on_its_own_aircraft(mot: Path) -> None:
    """Of aircraft that are there all the time, since Stone Soup does not count what lasts for one instant."""
    truth, found = aircraft(mot)
    whole = [i for i in truth.ids.tolist() if (truth.id == i).sum() == len(truth.times)]
    assert_same_siap((truth[np.isin(truth.id, whole)], found[found.t < truth.times[-1]]), 500.0)
