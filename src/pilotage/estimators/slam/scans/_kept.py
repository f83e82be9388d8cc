"""Scan mappers in files: what a mapper cannot compute again, as arrays in an npz archive."""

from __future__ import annotations

import io
import os
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pilotage.core.errors import FormatError, MissingFile, PilotageError
from pilotage.io.contents import contents

from ..closures import Closure

if TYPE_CHECKING:
    from .scan_slam import ScanMapper, ScanSLAM

Array = NDArray[np.float64]
VERSION = "pilotage scan mapper 1"
DAMAGE = (
    *(PilotageError, ValueError, KeyError, IndexError, TypeError, AttributeError, NotImplementedError),
    *(EOFError, OSError, MemoryError, zipfile.BadZipFile, zlib.error),
)
"""The errors that numpy and ours raise for an archive that is damaged, or of something else."""


def saved(mapper: ScanMapper) -> bytes:
    """The content of the file of a mapper. Surfaces and descriptors are left out: scans give them again, to the bit."""
    frames, state = mapper.keyframes, mapper.state()
    steps = [z for z, _ in frames.steps], [cov for _, cov in frames.steps]
    arrays: dict[str, Any] = {
        "version": VERSION,
        "settings": [f"{f.name}={getattr(mapper.settings, f.name)!r}" for f in fields(mapper.settings)],
        "angles": mapper.angles, "mount": mapper.mount,
        "scans": _rows(frames.scans, len(mapper.angles)), "poses": _rows(frames.poses, 3),
        "step_z": _rows(steps[0], 3), "step_cov": _rows(steps[1], 9), "solved": frames.solved,
        **{f"{name}_{part}": array for name, kept in _lists(mapper).items() for part, array in _packed(kept).items()},
        **{f"state_{name}": value for name, value in state.items()},
    }  # fmt: skip
    content = io.BytesIO()
    np.savez(content, **arrays)
    return content.getvalue()


def restored(settings: ScanSLAM, path: str | os.PathLike[str]) -> ScanMapper:
    """The mapper of a file."""
    try:
        with np.load(io.BytesIO(contents(path)), allow_pickle=False) as archive:
            arrays = {name: np.array(archive[name]) for name in archive.files}
        if str(arrays["version"]) != VERSION:
            raise ValueError(f"version {arrays['version']}")
        _refuse_others(settings, arrays["settings"].tolist(), path)
        return _mapper(settings, arrays)
    except (FormatError, MissingFile):
        raise
    except DAMAGE as error:
        raise FormatError(f"{path} is no file of ScanMapper.save, or is damaged: {error!r:.100}") from error


def _refuse_others(settings: ScanSLAM, kept: list[str], path: Any) -> None:
    """Refuse a file of a mapper with other settings."""
    here = {f"{f.name}={getattr(settings, f.name)!r}" for f in fields(settings)}
    if others := [each for each in kept if each not in here]:
        raise FormatError(f"{path} was kept by a mapper with {', '.join(others)}; resume with the same settings")


def _mapper(settings: ScanSLAM, arrays: Mapping[str, Any]) -> ScanMapper:
    if not all(np.isfinite(arrays[name]).all() for name in ("poses", "step_z", "step_cov")):
        raise ValueError("poses or steps are not finite")
    mapper = settings.start(arrays["angles"], arrays["state_start"], mount=arrays["mount"])
    z, covs = arrays["step_z"], arrays["step_cov"].reshape(-1, 3, 3)
    if len(arrays["poses"]) != len(arrays["scans"]) or len(z) != max(len(arrays["scans"]) - 1, 0):
        raise ValueError("scans, poses and steps differ in number")
    z, covs = [arrays["state_start"], *z], [np.zeros((3, 3)), *covs]
    for scan, pose, cov in zip(arrays["scans"], z, covs, strict=False):
        mapper.keyframes.append(mapper.surface(scan), scan, pose, cov)
    mapper.keyframes.poses, mapper.keyframes.solved = list(arrays["poses"]), float(arrays["solved"])
    for name, kept in _lists(mapper).items():
        ends, z, covs = (arrays[f"{name}_{part}"] for part in ("ends", "z", "cov"))
        kept += _unpacked(ends, z, covs, len(mapper.keyframes))
    mapper.restore({name[6:]: value for name, value in arrays.items() if name.startswith("state_")})
    return mapper


def _lists(mapper: ScanMapper) -> dict[str, list[Closure]]:
    return {"closures": mapper.keyframes.closures, "pending": mapper.pending, "rejected": mapper.rejected}


def _packed(closures: list[Closure]) -> dict[str, Any]:
    ends = np.array([(c.first, c.second) for c in closures], np.int64).reshape(-1, 2)
    return {"ends": ends, "z": _rows([c.z for c in closures], 3), "cov": _rows([c.cov for c in closures], 9)}


def _unpacked(ends: Any, z: Any, covs: Any, count: int) -> list[Closure]:
    if not (np.isfinite(z).all() and np.isfinite(covs).all() and ((ends >= 0) & (ends < count)).all()):
        raise ValueError("closures are not finite, or of keyframes that are not there")
    rows = zip(ends.tolist(), z, covs.reshape(-1, 3, 3), strict=True)
    return [Closure(i, j, pose, cov) for (i, j), pose, cov in rows]


def _rows(values: list[Any], width: int) -> Array:
    """Arrays as rows of a table."""
    return np.array(values, dtype=np.float64).reshape(-1, width)
