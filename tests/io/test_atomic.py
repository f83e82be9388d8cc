"""An earlier file survives a failed write."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pilotage.core import MissingFile
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


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match=r"map.yaml cannot be written: its folder .*away does not exist"):
        write_atomic(tmp_path / "away" / "map.yaml", "new")


def test_permissions_are_those_of_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "map.yaml"
    write_atomic(target, b"old")
    target.chmod(0o640)
    write_atomic(target, b"new")
    assert target.read_bytes() == b"new"
    assert target.stat().st_mode & 0o777 == 0o640


def test_new_files_have_the_permissions_that_the_system_gives(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"")
    write_atomic(tmp_path / "ours", b"")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_atomic(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_long_names(tmp_path: Path) -> None:
    """As long as a name may be, in letters of three bytes each."""
    target = tmp_path / (85 * "\u5730")
    write_atomic(target, "kept")
    assert target.read_text() == "kept"


def test_two_writers_at_once_leave_one_whole_file(tmp_path: Path) -> None:
    target = tmp_path / "map.yaml"
    contents = [bytes([65 + n]) * 100_000 for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda content: write_atomic(target, content), contents * 5))
    assert target.read_bytes() in contents
    assert [file.name for file in tmp_path.iterdir()] == ["map.yaml"]
