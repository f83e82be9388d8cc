"""`pilotage data`: lists, verifies and converts the data sets that are there; it downloads nothing."""

from __future__ import annotations

import hashlib
import json as jsonlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from tqdm import tqdm

from pilotage.core import MissingFile, PilotageError, TrackTable
from pilotage.core.arrays import Array
from pilotage.io import (
    Odometry,
    StampedPose,
    read_bag,
    read_commonroad,
    read_minari,
    read_ngsim,
    read_pedestrians,
    write_atomic,
    write_lerobot,
    write_minari,
    write_sequences,
    write_track_csv,
    write_tum,
)
from pilotage.io.minari import minari_facts
from pilotage.io.ros_values import NANO
from pilotage.io.sequences import Sequences

SUMS = "SHA256SUMS"
CHUNK = 1 << 20
ENDINGS = {
    ".bag": "ROS 1 bag", ".mcap": "ROS 2 bag", ".g2o": "pose graph (g2o)", ".bt": "octree (OctoMap)",
    ".ot": "octree (OctoMap)", ".pcd": "point cloud (PCD)", ".scen": "MovingAI scenarios", ".map": "MovingAI map",
    ".log": "laser log (CARMEN)", ".urdf": "robot (URDF)", ".csv": "table (csv)", ".xml": "XML", ".pgm": "image (PGM)",
    ".yaml": "yaml", ".parquet": "table (parquet)", ".txt": "text", ".json": "JSON",
}  # fmt: skip


def list_all(folder: Path | None = None, /, *, json: bool = False) -> None:
    """List the data sets of a folder: data sets of Minari and LeRobot, sequences, bags, and files by their kind.

    Args:
        folder: The folder. Default: that of the environment variable PILOTAGE_DATA.
        json: Print one JSON object instead of text.
    """
    rows = [(str(path.relative_to(_folder(folder))), *facts) for path, *facts in _found(_folder(folder))]
    if json:
        print(jsonlib.dumps([dict(zip(("name", "kind", "bytes"), row, strict=True)) for row in rows]))
        return
    width = max((len(name) for name, _, _ in rows), default=0)
    print("\n".join(f"{name:{width}}  {size:>13,}  {kind}" for name, kind, size in rows) or "nothing")


def verify(folder: Path | None = None, /, *, sums: Path | None = None, write: bool = False, json: bool = False) -> int:
    """Compare the files of a folder with their SHA-256 checksums; the exit code is 1 if any differs or is missing.

    Args:
        folder: The folder. Default: that of the environment variable PILOTAGE_DATA.
        sums: The list of checksums, as sha256sum writes it. Default: SHA256SUMS in the folder.
        write: Write the list instead, from the files as they are now.
        json: Print one JSON object instead of text.
    """
    place = _folder(folder)
    listed = place / SUMS if sums is None else sums
    if write:
        lines = [f"{_digest(file)}  {file.relative_to(place)}\n" for file in _progress(list(_files(place, listed)))]
        write_atomic(listed, "".join(lines))
        print(jsonlib.dumps({"written": len(lines)}) if json else f"{listed}: {len(lines)} checksums")
        return 0
    wrong = dict[str, str]()
    expected = _listed(listed)
    for name, digest in _progress(list(expected.items())):
        file = place / name
        found = _digest(file) if file.is_file() else "missing"
        if found != digest:
            wrong[name] = "missing" if found == "missing" else "differs"
    new = sorted({str(file.relative_to(place)) for file in _files(place, listed)} - set(expected))
    if json:
        print(jsonlib.dumps({"verified": len(expected) - len(wrong), "wrong": wrong, "unlisted": new}))
    else:
        lines = [f"{name}: {why}" for name, why in wrong.items()]
        print(
            "\n".join(
                [*lines, f"{len(expected) - len(wrong)} of {len(expected)} files are as listed, {len(new)} others"]
            )
        )
    return 1 if wrong else 0


def convert(
    source: Path, target: Path, /, *, id: str = "", fps: float = 10.0, units: Literal["feet", "metres"] = "feet"
) -> None:
    """Convert a data set; what it becomes depends on the two.

    Minari or sequences become sequences (a folder), Minari (with --id), or LeRobot (a folder that ends in .lerobot); a
    bag a trajectory (.txt, TUM); NGSIM (.csv), CommonRoad (.xml) and ETH/UCY (.txt) a table of tracks (.csv).

    Args:
        source: The data set.
        target: What to write; it must not exist.
        id: The name of the Minari data set to write, such as pendulum/swing-up-v0.
        fps: Frames a second, for LeRobot.
        units: Units of an NGSIM file: feet or metres.
    """
    if target.exists():
        raise PilotageError(f"{target} exists; give another name")
    if not source.exists():
        raise MissingFile(f"there is no {source}")
    if source.is_dir() and not (source / "metadata.yaml").is_file():
        _convert_episodes(source, target, id, fps)
    elif target.suffix == ".txt":
        write_tum(target, *_trajectory(source))
    elif target.suffix == ".csv":
        write_track_csv(target, _tracks(source, units))
    else:
        raise PilotageError(f"{source} cannot become {target.name}; see pilotage data convert --help")
    print(f"{source} -> {target}")


def _convert_episodes(source: Path, target: Path, id: str, fps: float) -> None:
    stored = (source / "index.json").is_file()
    if stored:
        sequences = Sequences(source)
        episodes = (sequences.episode(k) for k in range(len(sequences)))
    else:
        episodes = read_minari(source)
    if id:
        write_minari(target, episodes, id)
    elif target.suffix == ".lerobot":
        write_lerobot(target, episodes, fps)
    else:
        write_sequences(target, episodes)


def _trajectory(source: Path) -> tuple[Array, Array]:
    """The way of a bag: its poses with covariance, or else its odometry."""
    bag = read_bag(source)
    found: Any = bag.of(StampedPose, bag.topic_of(StampedPose)) or bag.of(Odometry, bag.topic_of(Odometry))
    if not found:
        raise PilotageError(f"the bag holds neither poses nor odometry: {bag!r}; pilotage replay reads TF")
    start = bag.start / NANO
    return np.array([start + t for t, _ in found]), np.array([value.pose for _, value in found])


def _tracks(source: Path, units: Literal["feet", "metres"]) -> TrackTable:
    names = source.name.removesuffix(".gz")
    if names.endswith(".xml"):
        return read_commonroad(source).tracks
    if names.endswith(".csv"):
        return read_ngsim(source, units).tracks
    return read_pedestrians(source).tracks()


def _folder(folder: Path | None) -> Path:
    named = os.environ.get("PILOTAGE_DATA")
    if folder is None and named is None:
        raise PilotageError("no folder is given; name one, or set PILOTAGE_DATA to the folder of your data")
    place = Path(named or ".") if folder is None else folder
    if not place.is_dir():
        raise MissingFile(f"there is no folder {place}")
    return place


def _found(folder: Path) -> Iterator[tuple[Path, str, int]]:
    """The data sets below a folder, each with its kind and size [bytes]; files inside of one are not listed."""
    for each in sorted(folder.iterdir()):
        if each.name.startswith("."):
            continue
        kind = _kind(each)
        if each.is_dir() and not kind:
            yield from _found(each)
        elif kind:
            files = [file for file in each.rglob("*") if file.is_file()] if each.is_dir() else [each]
            yield each, kind, sum(file.stat().st_size for file in files)


def _kind(each: Path) -> str:
    """The kind of a folder or file; empty for a folder that only holds others."""
    if each.is_file():
        name = each.name.removesuffix(".gz")
        return next((kind for ending, kind in ENDINGS.items() if name.endswith(ending)), "file")
    marks: dict[str, Callable[[], str]] = {
        "data/metadata.json": lambda: "Minari, {total_episodes} episodes, {total_steps} steps".format(
            **{"total_steps": "?"} | minari_facts(each)
        ),
        "meta/info.json": lambda: "LeRobot",
        "index.json": lambda: repr(Sequences(each)),
        "metadata.yaml": lambda: "ROS 2 bag",
    }
    for mark, described in marks.items():
        if (each / mark).is_file():
            try:
                return described()
            except PilotageError as error:
                return f"damaged: {error}"
    return ""


def _files(folder: Path, listed: Path) -> Iterator[Path]:
    return (file for file in sorted(folder.rglob("*")) if file.is_file() and file.resolve() != listed.resolve())


def _progress(items: list[Any]) -> Any:
    return tqdm(items, unit="file", disable=None, leave=False)


def _digest(file: Path) -> str:
    found = hashlib.sha256()
    with open(file, "rb") as opened:
        while chunk := opened.read(CHUNK):
            found.update(chunk)
    return found.hexdigest()


def _listed(file: Path) -> dict[str, str]:
    """The checksums of a list, by name."""
    if not file.is_file():
        raise MissingFile(f"there is no list of checksums {file}; give --sums, or make one by --write")
    found = dict[str, str]()
    for i, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        digest, _, name = line.partition(" ")
        name = name.lstrip(" *")
        inside = name and not Path(name).is_absolute() and ".." not in Path(name).parts
        if len(digest) != 64 or not inside or set(digest.lower()) - set("0123456789abcdef"):
            raise PilotageError(f"{file}, line {i}: {line[:60]!r} is no SHA-256 checksum and file below the folder")
        found[name.removeprefix("./")] = digest.lower()
    return found
