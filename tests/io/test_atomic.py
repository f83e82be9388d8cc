"""What was saved before survives a failed write."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pilotage.io import write_atomic


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "map.yaml"
    write_atomic(target, "old")

    def fail(source: object, destination: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_atomic(target, "new")
    assert target.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["map.yaml"]


def test_permissions_are_those_of_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "map.yaml"
    write_atomic(target, b"old")
    target.chmod(0o640)
    write_atomic(target, b"new")
    assert target.read_bytes() == b"new"
    assert target.stat().st_mode & 0o777 == 0o640
