"""Plans: what they refuse."""

from __future__ import annotations

from typing import Any

import pytest

from pilotage.core import Plan, ShapeError, Space


def test_a_status_is_one() -> None:
    status: Any = "solved"
    with pytest.raises(ShapeError, match="'solved'"):
        Plan(status, Space("x"), [[0.0]])
