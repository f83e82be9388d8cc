"""Data sets of Minari (Farama): a folder with `data/metadata.json` and `data/main_data.hdf5`.

They are read and written here without Minari or Gymnasium, and equal to the bit; images that were stored as JPEG are
read as they were stored. Nothing is downloaded: Minari keeps its data sets in ``~/.minari/datasets``.

Source: minari.farama.org, "Dataset Standards".
"""

from __future__ import annotations

import importlib
import io
import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pilotage.core.errors import FormatError, MissingFile, PilotageError, require

from ._datasets import building, fresh_folder, same_arrays
from .contents import missing, path_of
from .episodes import PER_STEP, Data, Episode

PathLike = str | os.PathLike[str]
VERSION = "0.5.4"
"""Version of Minari whose format is written."""
NAME = re.compile(r"([\w-]+/)*[\w-]+-v\d+")


def read_minari(folder: PathLike) -> Iterator[Episode]:
    """The episodes of a data set, one after another, so that it need not fit into memory.

    Spaces of numbers are read, and mappings of them by name; texts and infos are not.

    Raises:
        MissingFile: if there is no data set.
        FormatError: if it is damaged, is not in HDF5, or its spaces are not of numbers.
        MissingExtra: if h5py is not installed.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> one = Episode(np.zeros((3, 2)), np.ones((2, 1)), np.zeros(2), [False] * 2, [False, True])
        >>> with TemporaryDirectory() as folder:
        ...     write_minari(Path(folder, "walk"), [one], "walk-v0")
        ...     list(read_minari(Path(folder, "walk")))
        [Episode(2 steps)]
    """
    require("h5py", extra="data")
    place = path_of(folder)
    place = place / "data" if (place / "data").is_dir() else place
    if not (place / "metadata.json").is_file():
        raise MissingFile(f"there is no data set of Minari at {folder}: {missing(place / 'metadata.json')}")
    facts = minari_facts(folder)
    if facts.get("data_format", "hdf5") != "hdf5":
        raise FormatError(f"{folder} is in {facts['data_format']}; expected hdf5: convert it with Minari")
    return _episodes(place / "main_data.hdf5", facts)


def minari_facts(folder: PathLike) -> dict[str, Any]:
    """The metadata of a data set: its id, numbers of episodes and steps, spaces, and more.

    Raises:
        FormatError: if it is not JSON, or no data set of Minari.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     _ = Path(folder, "metadata.json").write_text('{"total_episodes": 2, "action_space": "{}"}')
        ...     minari_facts(folder)["total_episodes"]
        2
    """
    place = path_of(folder)
    file = next((f for f in (place / "data/metadata.json", place / "metadata.json") if f.is_file()), None)
    try:
        facts = json.loads(file.read_bytes()) if file else {}
    except ValueError as error:
        raise FormatError(f"{file}: not JSON: {error}") from None
    if not isinstance(facts, dict) or "total_episodes" not in facts:
        raise FormatError(f"{folder} is no data set of Minari: its metadata.json has no total_episodes")
    return facts


def _episodes(file: Path, facts: dict[str, Any]) -> Iterator[Episode]:
    h5py = importlib.import_module("h5py")
    try:
        space = json.loads(facts.get("observation_space", "{}")) if facts.get("jpeg_encoding", True) else {}
        with h5py.File(file, "r") as whole:
            for k in range(int(facts["total_episodes"])):
                group = whole[f"episode_{k}"]
                arrays = {name: group[name][()] for name in PER_STEP}
                arrays |= dict(_observations(group["observations"], "observations", space))
                seed = group.attrs.get("seed")
                yield Episode.of(arrays, None if seed is None else int(seed))
    except PilotageError as error:
        raise FormatError(f"{file}: {error}") from error
    except (OSError, KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise FormatError(f"{file} is damaged, or holds other spaces than numbers: {error}") from error


def _observations(found: Any, name: str, space: dict[str, Any]) -> Iterator[tuple[str, Data]]:
    """The arrays of observations by name; `space` is what may be pictures, which Minari encodes as JPEG."""
    if hasattr(found, "keys"):
        for key in found:
            if hasattr(found[key], "keys"):
                raise FormatError(f"{name}/{key} is a mapping in a mapping; expected arrays by name")
            yield from _observations(found[key], f"{name}/{key}", space.get("subspaces", {}).get(key, {}))
    elif found.dtype.kind == "O" or (_is_picture(space) and found.ndim == 2):
        yield name, np.stack([np.asarray(Image.open(io.BytesIO(each.tobytes()))) for each in found[()]])
    else:
        yield name, found[()]


def _is_picture(space: dict[str, Any]) -> bool:
    return np.dtype(space.get("dtype", "f8")) == np.uint8 and len(space.get("shape", ())) in (2, 3)


def write_minari(folder: PathLike, episodes: Iterable[Episode], id: str, *, env_spec: str | None = None) -> None:
    """Write a data set, a new folder, which appears when it is complete; episodes are taken one by one.

    `minari.load_dataset(id)` finds it if the folder is ``~/.minari/datasets/ID``. Spaces are boxes of the shapes and
    types of the first episode, or `Discrete` for actions that are whole numbers.

    Args:
        folder: the folder; it must not exist.
        episodes: the episodes; all have arrays of the same names, types and shapes.
        id: name of the data set, such as "pendulum/swing-up-v0".
        env_spec: the environment, ``gymnasium.make(...).spec.to_json()``, for `recover_environment`.

    Raises:
        FormatError: if the folder exists, the id is none, there are no episodes, or they differ in their arrays.
        MissingExtra: if h5py is not installed.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> one = Episode(np.zeros((3, 2)), np.array([0, 1]), np.zeros(2), [False] * 2, [False, True])
        >>> with TemporaryDirectory() as place:
        ...     write_minari(Path(place, "walk"), [one], "walk-v0")
        ...     minari_facts(Path(place, "walk"))["total_steps"]
        2
    """
    require("h5py", extra="data")
    if not NAME.fullmatch(id):
        raise FormatError(f"id is {id!r}; expected a name with a version, such as pendulum/swing-up-v0")
    target = fresh_folder(folder)
    with building(target) as beside:
        (beside / "data").mkdir(parents=True)
        facts = _write(beside / "data/main_data.hdf5", episodes)
        facts |= {"dataset_id": id, "minari_version": VERSION, "data_format": "hdf5", "jpeg_encoding": False}
        if env_spec is not None:
            facts["env_spec"] = env_spec
        (beside / "data/metadata.json").write_text(json.dumps(facts))


def _write(file: Path, episodes: Iterable[Episode]) -> dict[str, Any]:
    h5py, count, steps, kinds = importlib.import_module("h5py"), 0, 0, dict[str, tuple[Any, tuple[int, ...]]]()
    least, largest = 0, 0
    with h5py.File(file, "w", track_order=True) as whole:
        for count, each in enumerate(same_arrays(episodes, kinds), 1):
            group = whole.create_group(f"episode_{count - 1}")
            group.attrs.update({"id": count - 1, "total_steps": len(each)})
            if each.seed is not None:
                group.attrs["seed"] = each.seed
            for name, array in each.arrays().items():
                group.create_dataset(name, data=array, chunks=True, maxshape=(None, *array.shape[1:]))
            steps += len(each)
            if each.actions.ndim == 1 and each.actions.dtype.kind in "iu":
                least, largest = (int(f(each.actions, initial=e)) for f, e in ((np.min, least), (np.max, largest)))
    seen = {name.partition("/")[2]: _box(*kind) for name, kind in kinds.items() if name.startswith("observations")}
    space = seen[""] if set(seen) == {""} else {"type": "Dict", "subspaces": seen}
    discrete = kinds["actions"][0].kind in "iu" and kinds["actions"][1] == ()
    actions = (
        {"type": "Discrete", "dtype": "int64", "start": least, "n": largest - least + 1}
        if discrete
        else _box(*kinds["actions"])
    )
    return {
        "total_episodes": count, "total_steps": steps, "observation_space": json.dumps(space),
        "action_space": json.dumps(actions), "dataset_size": round(file.stat().st_size / 1e6, 1),
    }  # fmt: skip


def _box(dtype: Any, shape: tuple[int, ...]) -> dict[str, Any]:
    """A box without bounds, or with those of its type."""
    whole = dtype.kind in "iu"
    low, high = (np.iinfo(dtype).min, np.iinfo(dtype).max) if whole else (0, 1) if dtype.kind == "b" else (
        -np.inf, np.inf
    )  # fmt: skip
    bounds = [np.full(shape, value).tolist() for value in (low, high)]
    return {"type": "Box", "dtype": str(dtype), "shape": list(shape), "low": bounds[0], "high": bounds[1]}
