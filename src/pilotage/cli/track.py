"""`pilotage track`: tracks of the detections in a file, with scores where the truth is given, and a picture."""

from __future__ import annotations

import inspect
import json as jsonlib
import math
import time
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pilotage.core import Gaussian, Scans, TrackTable
from pilotage.core.errors import PilotageError, counted
from pilotage.core.settings import NonNegative, Positive, setting
from pilotage.estimators import EKF, KF
from pilotage.estimators.tracking import (
    CPHD,
    GMPHD,
    GNN,
    JIPDA,
    JPDA,
    LMB,
    MHT,
    PMBM,
    Detector,
    IndependentPDA,
    NearestNeighbor,
    Tracker,
)
from pilotage.estimators.tracking.boxes import (
    OCSORT,
    SORT,
    BoxMotion,
    BoxTracker,
    ByteTrack,
    CameraMotion,
    IMMBoxes,
)
from pilotage.estimators.tracking.scores import score as scored
from pilotage.io import (
    read_camera_motion,
    read_kitti_detections,
    read_kitti_labels,
    read_mot_detections,
    read_mot_truth,
    read_radar_csv,
    read_track_csv,
    write_kitti_tracks,
    write_mot_tracks,
    write_track_csv,
)
from pilotage.models import constant_velocity, position, range_azimuth

from .track_picture import save_tracks
from .wording import finite, rounded

Format = Literal["mot", "kitti", "csv"]
Recipe = Literal[
    "sort",
    "bytetrack",
    "ocsort",
    "imm",
    "nearest",
    "gnn",
    "pda",
    "jpda",
    "jipda",
    "mht",
    "pmbm",
    "lmb",
    "gmphd",
    "cphd",
]
BOXES: dict[str, Any] = {"sort": SORT, "bytetrack": ByteTrack, "ocsort": OCSORT, "imm": IMMBoxes}
POINTS: dict[str, Any] = {
    "nearest": NearestNeighbor,
    "gnn": GNN,
    "pda": IndependentPDA,
    "jpda": JPDA,
    "jipda": JIPDA,
    "mht": MHT,
    "pmbm": PMBM,
    "lmb": LMB,
    "gmphd": GMPHD,
    "cphd": CPHD,
}
EXACT = BoxMotion(reading=0.05, growth=0.5)
"""Of a detector whose boxes are exact; chosen on cars of KITTI tracking."""
FOR: dict[str, tuple[str, ...]] = {
    "rate": ("mot",),
    "kind": ("kitti",),
    **dict.fromkeys(("least_score", "begin_score", "patience", "camera", "exact"), ("mot", "kitti")),
    **dict.fromkeys(
        ("columns", "time_column", "std", "azimuth_std", "density", "speed", "clutter", "detection", "cutoff"), ("csv",)
    ),
}
"""The formats for which an option means something."""


def track(
    file: Path,
    *,
    format: Format | None = None,
    recipe: Recipe | None = None,
    rate: float | None = None,
    least_score: float = -math.inf,
    begin_score: float | None = None,
    patience: float | None = None,
    camera: str = "still",
    exact: bool = False,
    columns: str = "x y",
    time_column: str = "time",
    std: float = 1.0,
    azimuth_std: float | None = None,
    density: float = 1.0,
    speed: float = 10.0,
    clutter: float | None = None,
    detection: float = 0.9,
    truth: Path | None = None,
    kind: str = "Car",
    cutoff: float | None = None,
    out: Path | None = None,
    picture: Path | None = None,
    faulty: Literal["refuse", "drop"] = "refuse",
    json: bool = False,
) -> None:
    """Track what a detector found.

    Args:
        file: Detections: MOTChallenge (det.txt), KITTI (frame, x1, y1, x2, y2, score), or a csv file with a header;
            plain or gzipped.
        format: By default csv for a name with .csv, kitti for lines of six numbers, else mot.
        recipe: Of boxes: sort (the default), bytetrack for detectors that report doubtful boxes too, ocsort for
            occlusions, imm for manoeuvres, which is slow. Of points: nearest or gnn for little clutter, pda, jpda (the
            default) or jipda for more, mht or pmbm to decide later, lmb, gmphd or cphd for filters on sets.
        rate: Frames a second of a MOTChallenge file; 30 by default. KITTI has 10.
        least_score: Boxes with lower scores do not count; of bytetrack, they are doubtful. Set it first: it depends on
            the detector.
        begin_score: Boxes with lower scores begin no tracks.
        patience: Seconds after which a box that is not seen is given up; 1 by default.
        camera: Motion of the camera: still; boxes, to estimate it from the boxes themselves; or a file with a line for
            each frame: its number, and the six numbers of the affine motion from the frame before, row by row.
        exact: The detector is exact: boxes are written as detected, not as filtered, and noise is small.
        columns: Columns of a csv file that hold the place [m], two or three.
        time_column: Column of its times: seconds, or dates in UTC.
        std: Standard deviation of a detection in a csv file [m].
        azimuth_std: Standard deviation of the azimuth [deg] of a radar at the origin, whose columns are range [m] and
            azimuth [deg], counter-clockwise from the x axis. Leave it out if the columns are x and y.
        density: Root of the density of the acceleration of its targets [m/s^2/sqrt(Hz)]: by so much does the velocity
            change in a second.
        speed: Standard deviation of their velocity when they appear [m/s].
        clutter: False detections in a scan; one by default.
        detection: Probability that a target is detected.
        truth: Print scores against these labels: gt.txt, KITTI labels, or a csv file with columns time, id and the
            place (x y for a radar). It has the clock of the detections, and is interpolated to their times.
        kind: Type of the targets in KITTI labels and results.
        cutoff: Distance at which a track has nothing to do with a target, of points [m]; 10 std by default.
        out: Write the tracks: in the format of the detections.
        picture: Draw detections and the paths of all tracks into this image.
        faulty: Refuse files with faulty lines, or drop these lines with a warning.
        json: Print one JSON object instead of text.
    """
    form = format or _format(file)
    choices = POINTS if form == "csv" else BOXES
    chosen = recipe or ("jpda" if form == "csv" else "sort")
    if chosen not in choices:
        raise PilotageError(f"--recipe {chosen} is not for {form} files; use one of {', '.join(choices)}")
    _refuse_idle(form, locals())
    given = 10.0 if form == "kitti" else setting(30.0 if rate is None else rate, Positive, "rate")
    began = time.perf_counter()
    if form == "csv":
        degrees = "" if azimuth_std is None else columns.split()[-1]
        scans = read_radar_csv(file, columns, time=time_column, degrees=degrees, faulty=faulty)
        tracker: Any = _points(scans, chosen, columns, std, azimuth_std, density, speed, clutter, detection)
    else:
        low = -math.inf if chosen == "bytetrack" else least_score
        scans = _scans(file, form, given, low, faulty)
        tracker = _boxes(chosen, patience, least_score, begin_score, exact)
    more = {} if form == "csv" else {"cameras": _cameras(camera, scans, form), "filtered": not exact}
    found = tracker.run(scans, **more)
    facts: dict[str, Any] = {
        "file": str(file), "format": form, "recipe": chosen, "scans": len(scans.ts), "detections": len(scans.z),
        "tracks": len(found.ids), "rows": len(found), "seconds": time.perf_counter() - began,
    }  # fmt: skip
    report = None
    if truth is not None:
        wide = cutoff or 10.0 * std
        places = columns if azimuth_std is None else "x y"
        report = _scores(truth, found, form, given, kind, places, time_column, wide, scans.ts)
        facts["scores"] = report.rows()
    if out is not None:
        _write(out, found, form, given, kind)
    if picture is not None:
        save_tracks(found, scans.z if azimuth_std is None else _plane(scans.z), picture)
    facts |= {"out": out and str(out), "picture": picture and str(picture)}
    print(jsonlib.dumps(finite(rounded(facts))) if json else _text(facts, report))


def _format(file: Path) -> Format:
    """The format of a file, by its name and its first line."""
    if ".csv" in file.suffixes:
        return "csv"
    from pilotage.io.contents import text_lines

    first = next((line for line in text_lines(file, "MOTChallenge") if line.strip()), "")
    return "kitti" if len(first.split(",")) == 6 else "mot"


def _refuse_idle(form: Format, given: dict[str, Any]) -> None:
    """Refuse options that mean nothing for a format; those at their defaults are not seen."""
    usual = inspect.signature(track).parameters
    for name, forms in FOR.items():
        if form not in forms and given[name] != usual[name].default:
            option = name.replace("_", "-")
            raise PilotageError(f"--{option} is not for {form} files, but for {' and '.join(forms)}; leave it out")


def _scans(file: Path, form: Format, rate: float, least: float, faulty: Literal["refuse", "drop"]) -> Scans:
    if form == "kitti":
        return read_kitti_detections(file, least=least, faulty=faulty)
    return read_mot_detections(file, rate=rate, least=least, faulty=faulty)


def _boxes(recipe: str, patience: float | None, least: float, begin: float | None, exact: bool) -> Any:
    """A tracker of boxes."""
    given: dict[str, Any] = {} if begin is None else {"begin": begin}
    if exact:
        given["motion"] = EXACT
    if recipe == "imm":
        if patience is not None:
            raise PilotageError("--patience is not for --recipe imm, which counts misses; leave it out")
        return IMMBoxes(**given)
    if recipe == "bytetrack" and math.isfinite(least):
        given |= {"sure": least, "doubtful": min(ByteTrack().doubtful, least)}
    return BoxTracker(BOXES[recipe](**given, **({} if patience is None else {"patience": patience})))


def _cameras(camera: str, scans: Scans, form: Format) -> Any:
    """The motion of the camera before each scan; None for a camera that stands still."""
    if camera in ("still", "boxes"):
        return None if camera == "still" else CameraMotion().of(scans)
    return read_camera_motion(camera, frames=len(scans.ts), first=0 if form == "kitti" else 1)


def _points(
    scans: Scans,
    recipe: str,
    columns: str,
    std: float,
    azimuth_std: float | None,
    density: float,
    speed: float,
    clutter: float | None,
    P: float,
) -> Tracker:
    """A tracker of points, over the box in which all detections lie."""
    axes = len(columns.split())
    if axes not in (2, 3) or (axes == 3 and azimuth_std is not None):
        raise PilotageError(f"--columns are {columns!r}; expected two or three, such as 'x y', or 'range azimuth'")
    turn = 1.0 if azimuth_std is None else math.radians(setting(azimuth_std, Positive, "azimuth-std"))
    for name, value in (("std", std), ("density", density), ("speed", speed)):
        setting(value, Positive, name)
    read = scans.z if len(scans.z) else np.zeros((1, axes))
    z = read if azimuth_std is None else _plane(read)
    sides = np.maximum(np.ptp(z, axis=0), 10.0 * std)
    false = 1.0 if clutter is None else max(setting(clutter, NonNegative, "clutter"), 1e-3)
    car, sensor, field = constant_velocity(axes, density=density), position(axes, std=std), sides
    if azimuth_std is not None:
        sensor, field = range_azimuth(std=(std, turn)), np.maximum(np.ptp(read, axis=0), [10.0 * std, 10.0 * turn])
    detector = Detector(sensor, detection=P, clutter=false / float(np.prod(field)))
    filter = KF(car, dt=1.0) if azimuth_std is None else EKF(car, dt=1.0)
    middle = (z.min(0) + z.max(0)) / 2.0
    birth = Gaussian.of(car.state, np.append(middle, np.zeros(axes)), std=np.append(sides, np.full(axes, speed)))
    return Tracker(filter, {"radar": detector}, birth, POINTS[recipe]())


def _plane(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Places ``(N, 2)`` of ranges and azimuths."""
    return z[:, :1] * np.column_stack([np.cos(z[:, 1]), np.sin(z[:, 1])])


def _scores(
    truth: Path,
    found: TrackTable,
    form: Format,
    rate: float,
    kind: str,
    columns: str,
    time_column: str,
    cutoff: float,
    ts: NDArray[np.float64],
) -> Any:
    """All scores against the truth."""
    if form == "mot":
        return scored(read_mot_truth(truth, rate=rate), found)
    if form == "kitti":
        return scored(read_kitti_labels(truth, kinds=[kind]).boxes, found)
    space = position(len(columns.split())).reading
    true = read_track_csv(truth, space, columns, time=time_column)
    return scored(_at_times(true, ts), found, cutoff=cutoff)


def _at_times(truth: TrackTable, ts: NDArray[np.float64]) -> TrackTable:
    """The truth at the times of the scans: its own rows where it has them all, else between them, but not over gaps."""
    within = ts[(ts >= truth.times[0]) & (ts <= truth.times[-1])] if len(truth) else ts[:0]
    near = np.searchsorted(truth.times, within - 1e-6)
    if not len(within) or (truth.times[np.minimum(near, len(truth.times) - 1)] <= within + 1e-6).all():
        return truth
    steps = np.concatenate([np.diff(truth.of(int(id)).t) for id in truth.ids])
    return truth.interpolated(ts, longest=3.0 * float(np.median(steps)) if len(steps) else 0.0)


def _write(out: Path, found: TrackTable, form: Format, rate: float, kind: str) -> None:
    if form == "mot":
        write_mot_tracks(out, found, rate=rate)
    elif form == "kitti":
        write_kitti_tracks(out, found, kind=kind)
    else:
        write_track_csv(out, found)


def _text(facts: dict[str, Any], report: Any) -> str:
    scans, ms = facts["scans"], 1e3 * facts["seconds"]
    lines = [
        f"{facts['recipe']} on {facts['file']} ({facts['format']}): {counted(scans, 'scan')}, "
        f"{counted(facts['detections'], 'detection')}",
        f"{counted(facts['tracks'], 'track')} with {counted(facts['rows'], 'row')} in {ms:.0f} ms",
    ]
    if scans and not facts["tracks"]:
        lines.append(
            "no track was confirmed: are --std, --speed and --clutter those of the detections?"
            if facts["format"] == "csv"
            else "no track was confirmed: are --rate, --least-score and --begin-score those of the detector?"
        )
    lines += [f"wrote {facts[name]}" for name in ("out", "picture") if facts[name]]
    return "\n".join([*lines, *([] if report is None else ["", repr(report)])])
