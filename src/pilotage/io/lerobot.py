"""Data sets of LeRobot, version 3: parquet files of frames, with metadata in JSON and parquet.

A frame has the observation at a time, the action that was taken there, and the reward after it; the observation after
the last action has no frame. Pictures would be videos, which are not written.

Source: huggingface/lerobot, LeRobotDataset v3.0 (src/lerobot/datasets).
"""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pilotage.core.errors import FormatError, require
from pilotage.core.settings import Positive, setting

from ._datasets import building, fresh_folder, same_arrays
from .episodes import Data, Episode

LARGEST = 100_000_000
"""Bytes of numbers in a file of frames."""
FILES = 1000
"""Files in a folder."""
PLACE = "chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
OWN = {"timestamp": "float32", "frame_index": "int64", "episode_index": "int64", "index": "int64",
       "task_index": "int64"}  # fmt: skip


def write_lerobot(
    folder: str | os.PathLike[str],
    episodes: Iterable[Episode],
    fps: float,
    *,
    task: str = "drive",
    robot: str | None = None,
    names: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Write a data set, a new folder, which appears when it is complete; episodes are taken one by one.

    Observations become ``observation.state``, or ``observation.NAME``; actions ``action``; rewards ``next.reward``;
    ends ``next.done`` and ``next.truncated``. Types stay as they are.

    Args:
        folder: the folder; it must not exist.
        episodes: the episodes; all have arrays of the same names, types and shapes.
        fps: frames a second.
        task: the task in words.
        robot: the type of the robot, or None.
        names: names of the components, by feature, such as ``{"action": ["accel", "steer"]}``.

    Raises:
        FormatError: if the folder exists, there are no episodes, they differ, or an array has pictures.
        MissingExtra: if pyarrow is not installed.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> walk = Episode(np.zeros((4, 2)), np.zeros((3, 1)), np.zeros(3), [False] * 3, [False] * 3)
        >>> with TemporaryDirectory() as place:
        ...     write_lerobot(Path(place, "walks"), [walk, walk], fps=10)
        ...     json.loads(Path(place, "walks/meta/info.json").read_text())["total_frames"]
        6
    """
    require("pyarrow", extra="data")
    setting(fps, Positive, "fps")
    with building(fresh_folder(folder)) as beside:
        writer = _Frames(beside, float(fps))
        for each in same_arrays(episodes, {}):
            writer.add(each)
        writer.flush()
        writer.finish(task, robot, dict(names or {}))


def feature_of(name: str) -> str:
    """The name of the feature of an array of an `Episode`.

    Example:
        >>> feature_of("observations"), feature_of("observations/eye"), feature_of("rewards")
        ('observation.state', 'observation.eye', 'next.reward')
    """
    own = {"observations": "observation.state", "actions": "action", "rewards": "next.reward",
           "terminations": "next.done", "truncations": "next.truncated"}  # fmt: skip
    return own.get(name) or f"observation.{name.partition('/')[2].replace('/', '.')}"


class _Frames:
    """Frames that are collected, and written file by file."""

    def __init__(self, folder: Path, fps: float) -> None:
        self.folder, self.fps = folder, fps
        self.arrow, self.parquet = (importlib.import_module(name) for name in ("pyarrow", "pyarrow.parquet"))
        self.waiting: list[dict[str, Data]] = []
        self.bytes, self.file, self.frames = 0, 0, 0
        self.rows: list[dict[str, Any]] = []
        self.features: dict[str, dict[str, Any]] = {}
        self.moments: dict[str, dict[str, Any]] = {}

    def add(self, episode: Episode) -> None:
        """Take an episode."""
        count, k = len(episode), len(self.rows)
        columns = {feature_of(name): array[:count] for name, array in episode.arrays().items()}
        for name, array in columns.items():
            if array.ndim > 2:
                raise FormatError(f"{name} has frames of shape {array.shape[1:]}; leave out pictures")
        number = np.arange(count, dtype=np.int64)
        columns["timestamp"] = (number / self.fps).astype(np.float32)
        columns |= {"frame_index": number, "episode_index": np.full(count, k), "index": self.frames + number,
                    "task_index": np.zeros(count, np.int64)}  # fmt: skip
        self._remember(columns)
        size = sum(array.nbytes for array in columns.values())
        if self.waiting and self.bytes + size > LARGEST:
            self.flush()
        self.waiting.append(columns)
        self.bytes += size
        chunk, file = divmod(self.file, FILES)
        self.rows.append({
            "episode_index": k, "tasks": [0], "length": count, "data/chunk_index": chunk, "data/file_index": file,
            "dataset_from_index": self.frames, "dataset_to_index": self.frames + count,
            "meta/episodes/chunk_index": 0, "meta/episodes/file_index": 0,
        })  # fmt: skip
        self.frames += count

    def _remember(self, columns: dict[str, Data]) -> None:
        """Features, and sums for their statistics."""
        for name, array in columns.items():
            shape = list(array.shape[1:]) or [1]
            self.features.setdefault(name, {"dtype": str(array.dtype), "shape": shape, "names": None})
            if not len(array):
                continue
            rows = array.reshape(len(array), -1).astype(np.float64)
            new = {"min": rows.min(0), "max": rows.max(0), "count": len(rows), "mean": rows.mean(0),
                   "m2": ((rows - rows.mean(0)) ** 2).sum(0)}  # fmt: skip
            self.moments[name] = _merged(self.moments[name], new) if name in self.moments else new

    def flush(self) -> None:
        """Write the frames that wait into a file."""
        if not self.waiting:
            return
        whole = {name: np.concatenate([part[name] for part in self.waiting]) for name in self.waiting[0]}
        table = self.arrow.table({name: self._column(array) for name, array in whole.items()})
        self._save(table, f"data/{self._place(self.file)}")
        self.waiting, self.bytes, self.file = [], 0, self.file + 1

    def _place(self, file: int) -> str:
        chunk, number = divmod(file, FILES)
        return PLACE.format(chunk_index=chunk, file_index=number)

    def _column(self, array: Data) -> Any:
        if array.ndim == 1:
            return self.arrow.array(array)
        values = self.arrow.array(np.ascontiguousarray(array).reshape(-1))
        return self.arrow.FixedSizeListArray.from_arrays(values, array.shape[1])

    def _save(self, table: Any, place: str) -> None:
        target = self.folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        self.parquet.write_table(table, target)

    def finish(self, task: str, robot: str | None, names: dict[str, Sequence[str]]) -> None:
        """Write the metadata."""
        for feature, given in names.items():
            if feature not in self.features or len(given) != self.features[feature]["shape"][0]:
                raise FormatError(f"names has {feature!r} with {len(given)} names; there are {list(self.features)}")
            self.features[feature]["names"] = list(given)
        for row in self.rows:
            row["tasks"] = [task]
        self._save(self.arrow.Table.from_pylist(self.rows), "meta/episodes/" + self._place(0))
        # As pandas writes a table whose index is the task.
        kinds = {"task_index": ("int64", "int64"), "task": ("unicode", "object")}
        index = [
            {"name": name, "field_name": name, "pandas_type": a, "numpy_type": b, "metadata": None}
            for name, (a, b) in kinds.items()
        ]
        tasks = self.arrow.table({"task_index": [0], "task": [task]}).replace_schema_metadata(
            {"pandas": json.dumps({"index_columns": ["task"], "column_indexes": [], "columns": index})}
        )
        self._save(tasks, "meta/tasks.parquet")
        self._json("stats", {name: _statistics(sums) for name, sums in self.moments.items()})
        self._json("info", {
            "codebase_version": "v3.0", "robot_type": robot, "total_episodes": len(self.rows),
            "total_frames": self.frames, "total_tasks": 1, "chunks_size": FILES, "data_files_size_in_mb": 100,
            "video_files_size_in_mb": 200, "fps": int(self.fps) if self.fps.is_integer() else self.fps,
            "splits": {"train": f"0:{len(self.rows)}"}, "data_path": f"data/{PLACE}", "video_path": None,
            "features": self.features,
        })  # fmt: skip

    def _json(self, name: str, value: Any) -> None:
        (self.folder / f"meta/{name}.json").write_text(json.dumps(value, indent=4))


def _merged(a: dict[str, Any], b: dict[str, Any]) -> dict[str, Any]:
    """The moments of two parts together (Chan, Golub and LeVeque 1983)."""
    count, gap = a["count"] + b["count"], b["mean"] - a["mean"]
    return {
        "min": np.minimum(a["min"], b["min"]), "max": np.maximum(a["max"], b["max"]), "count": count,
        "mean": a["mean"] + gap * b["count"] / count,
        "m2": a["m2"] + b["m2"] + gap * gap * a["count"] * b["count"] / count,
    }  # fmt: skip


def _statistics(sums: dict[str, Any]) -> dict[str, Any]:
    found = {name: sums[name].tolist() for name in ("min", "max", "mean")}
    return {**found, "std": np.sqrt(sums["m2"] / sums["count"]).tolist(), "count": [sums["count"]]}
