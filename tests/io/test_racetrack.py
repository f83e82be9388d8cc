"""Race tracks: what is read, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pilotage.core.errors import FormatError, MissingFile
from pilotage.io import read_racetrack

CENTER = "# x_m, y_m, w_tr_right_m, w_tr_left_m\n0, 0, 1.1, 1.2\n4, 0, 1, 1\n4, 4, 1, 1\n"
LINE = (
    "# an id\n# s_m; x_m; y_m; psi_rad; kappa_radpm; vx_mps; ax_mps2\n"
    "0;0;0;0;0;2;1\n4;4;0;1.5;0.1;4;0\n8;4;4;3;0.2;4;-1\n"
)


def written(folder: Path, center: str = CENTER, line: str = LINE) -> Path:
    track = folder / "ring"
    track.mkdir()
    (track / "ring_centerline.csv").write_text(center)
    if line:
        (track / "ring_raceline.csv").write_text(line)
    return track


def test_a_track_is_read(tmp_path: Path) -> None:
    track = read_racetrack(written(tmp_path))
    assert track.name == "ring" and track.center.tolist() == [[0, 0], [4, 0], [4, 4]]
    assert track.right.tolist() == [1.1, 1, 1] and track.left.tolist() == [1.2, 1, 1]
    assert track.map == tmp_path / "ring" / "ring_map.yaml"
    line = track.raceline
    assert line is not None and line.points.tolist() == track.center.tolist()
    assert line.yaw.tolist() == [0, 1.5, 3] and line.curvature.tolist() == [0, 0.1, 0.2]
    assert line.speed.tolist() == [2, 4, 4] and line.accel.tolist() == [1, 0, -1]
    assert line.seconds == pytest.approx(4.0 / 3.0 + 1.0)


@pytest.mark.parametrize(
    ("center", "line"),
    [
        ("", ""),
        ("0, 0, 1, 1\n4, 0, 1, 1\n", ""),
        (CENTER.replace("1.2", "left"), ""),
        (CENTER.replace("1.2", "nan"), ""),
        (CENTER.replace("1.2", "-1"), ""),
        (CENTER.replace(", 1.2", ""), ""),
        (CENTER.replace(",", ";"), ""),
        (CENTER, LINE.replace("8;4;4", "3;4;4")),
        (CENTER, LINE.replace("0.1;4;0", "0.1;0;0")),
        (CENTER, LINE.replace("0.1;4;0", "0.1;4")),
    ],
)
def test_other_files_are_refused(tmp_path: Path, center: str, line: str) -> None:
    with pytest.raises(FormatError, match=r"ring_(centerline|raceline)\.csv"):
        read_racetrack(written(tmp_path, center, line))


def test_a_folder_without_a_centre_line_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match="ring_centerline"):
        read_racetrack(tmp_path / "ring")


def test_the_real_tracks_are_read(data: Path) -> None:
    folder = data / "racetracks"
    if not folder.is_dir():
        pytest.skip(f"there are no race tracks in {folder}")
    tracks = [read_racetrack(track) for track in sorted(folder.iterdir())]
    assert len(tracks) >= 11 and [t.name for t in tracks if t.raceline is None] == ["Montreal"]
    for track in tracks:
        assert track.map.exists() and len(track.center) > 700
        if (line := track.raceline) is not None:
            assert np.hypot(*(line.points[-1] - line.points[0])) < 1e-3, "a lap ends where it begins"
            steps = np.diff(line.points, axis=0)
            assert np.allclose(np.hypot(*steps.T), np.diff(line.s), atol=2e-3)
            along = np.cos(np.arctan2(steps[:, 1], steps[:, 0]) - 0.5 * (line.yaw[:-1] + line.yaw[1:]))
            assert np.median(along) > 0.999
            assert np.allclose(line.accel[:-1], np.diff(line.speed**2) / (2.0 * np.diff(line.s)), atol=0.2)
