"""Masks of the command line: what they forbid lies on the map, or they are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pilotage.cli.mask import masked
from pilotage.core import FormatError
from pilotage.maps import OccupancyGrid


def test_a_mask_beside_the_map_is_refused(tmp_path: Path) -> None:
    floor, area = OccupancyGrid.from_occupied(np.zeros((4, 6), bool), 0.5), np.zeros((2, 2), bool)
    area[0, 0] = True
    for origin, fits in (((1.0, 0.5, 0.0), True), ((500.0, 500.0, 0.0), False)):
        OccupancyGrid.from_occupied(area, 0.5, origin).save(tmp_path / "area.yaml")
        if fits:
            guarded, cells = masked(floor, tmp_path / "area.yaml")
            assert guarded.occupied[1, 2] and cells is not None and cells.sum() == 1
        else:
            with pytest.raises(FormatError, match="forbids nothing"):
                masked(floor, tmp_path / "area.yaml")
