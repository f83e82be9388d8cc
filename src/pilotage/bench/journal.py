"""The journal of a sweep: one checked line a row, written so that neither a crash nor a full disk loses a finished row.

A line is ``CRC32 JSON``. Each line is on the disk before the next run is reported. A line that was cut off, by ``kill
-9`` or a full disk, fails its checksum and is skipped; its run is repeated.
"""

from __future__ import annotations

import base64
import fcntl
import json
import math
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import FormatError, PilotageError
from .outcome import RunStatus
from .run import Row, Run

JOURNAL, LOCK = "journal.jsonl", "lock"


def line_of(row: Row) -> bytes:
    """A row as a line."""
    plain = {f.name: _plain(getattr(row, f.name)) for f in fields(row)}
    text = json.dumps(plain, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def row_from(line: bytes) -> Row | None:
    """The row of a line; None if the line is damaged."""
    code, _, text = line.rstrip(b"\n").partition(b" ")
    if code != b"%08x" % zlib.crc32(text):
        return None
    given = {name: _restored(value) for name, value in json.loads(text).items()}
    return Row(**{**given, "run": Run(**given["run"]), "status": RunStatus(given["status"])})


def read_rows(folder: Path) -> list[Row]:
    """The rows of a folder, in the order in which they were finished, each run once."""
    return read_journal(folder)[0]


def read_journal(folder: Path) -> tuple[list[Row], int]:
    """The rows of a folder, as those of `read_rows`, and the number of lines that are damaged.

    Raises:
        FormatError: if a line holds no row of this version of Pilotage.
    """
    path = folder / JOURNAL
    if not path.is_file():
        return [], 0
    try:
        found = [row_from(line) for line in path.read_bytes().splitlines()]
    except (TypeError, KeyError, ValueError) as error:
        raise FormatError(f"{path} was written by another version of Pilotage: {error}") from error
    return list({row.run.key: row for row in found if row is not None}.values()), found.count(None)


class Journal:
    """A journal to which rows are appended.

    Args:
        folder: the folder of the sweep.

    Raises:
        PilotageError: if a row cannot be written; rows before it are safe.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / JOURNAL
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        size = os.fstat(self._file).st_size
        if size and os.pread(self._file, 1, size - 1) != b"\n":  # a line that was cut off stays alone
            self._write(b"\n")

    def append(self, row: Row) -> None:
        """Write a row, and wait until it is on the disk."""
        self._write(line_of(row))

    def _write(self, line: bytes) -> None:
        before = os.fstat(self._file).st_size
        try:
            left = memoryview(line)
            while left:
                left = left[os.write(self._file, left) :]
            os.fsync(self._file)
        except OSError as error:
            os.ftruncate(self._file, before)
            raise PilotageError(
                f"{self.path} cannot be written: {error.strerror}; the rows before are safe: make room, and start the "
                "same command again to go on"
            ) from error

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Context in which no other sweep can use the folder. The lock of a process that died is free.

    Raises:
        PilotageError: if another sweep uses it; the message has its process number.
    """
    file = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            other = os.pread(file, 64, 0).decode(errors="replace").strip() or "unknown"
            raise PilotageError(
                f"another sweep (process {other}) is writing into {folder}; wait for it, or choose another folder"
            ) from error
        os.ftruncate(file, 0)
        os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(file)


def _plain(value: Any) -> Any:
    """A field of a row as JSON; arrays are kept bit for bit."""
    if isinstance(value, Run):
        return asdict(value)
    if isinstance(value, RunStatus):
        return value.value
    if isinstance(value, np.ndarray):
        data = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
        return {"array": data, "dtype": value.dtype.str, "shape": list(value.shape)}
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(value)}
    return value


def _restored(value: Any) -> Any:
    if isinstance(value, dict) and "array" in value:
        found = np.frombuffer(base64.b64decode(value["array"]), dtype=value["dtype"])
        return found.reshape(value["shape"])
    return float(value["float"]) if isinstance(value, dict) and "float" in value else value
