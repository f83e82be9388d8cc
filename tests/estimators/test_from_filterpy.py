"""The page for users of filterpy: its pairs of programs give the same numbers."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "from-filterpy.md"
BLOCK = re.compile(r"^```(python|py)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

DATA = ("np", "zs", "readings", "F", "Q", "H", "F4", "Q4", "M", "Q_pushed")


@pytest.fixture(scope="module")
def sides() -> tuple[SimpleNamespace, SimpleNamespace]:
    """The names that the page leaves behind: those of filterpy's programs, and of ours; both see the data of ours."""
    pytest.importorskip("filterpy.kalman")
    theirs: dict[str, Any] = {}
    ours: dict[str, Any] = {"__name__": "page"}
    for language, text in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        if language == "py":
            exec(text, theirs)
        else:
            exec(text, ours)
            theirs.update({name: ours[name] for name in DATA if name in ours})
    return SimpleNamespace(**theirs), SimpleNamespace(**ours)


@pytest.mark.parametrize("name", ["kf", "ekf", "ukf"])
def test_filters_agree(name: str, sides: tuple[SimpleNamespace, SimpleNamespace]) -> None:
    peer, mine = (getattr(side, name) for side in sides)
    np.testing.assert_allclose(mine.belief.mean, peer.x, rtol=1e-8)
    np.testing.assert_allclose(mine.belief.cov, peer.P, rtol=1e-7, atol=1e-10)


def test_smoothers_agree(sides: tuple[SimpleNamespace, SimpleNamespace]) -> None:
    theirs, ours = sides
    np.testing.assert_allclose(ours.run.beliefs.mean, theirs.means, rtol=1e-8)
    np.testing.assert_allclose(ours.smoothed.mean, theirs.smoothed, rtol=1e-8)
    np.testing.assert_allclose(ours.smoothed.cov, theirs.smoothed_covs, rtol=1e-7, atol=1e-10)


def test_interacting_models_agree(sides: tuple[SimpleNamespace, SimpleNamespace]) -> None:
    peer, mine = (side.imm for side in sides)
    np.testing.assert_allclose(np.exp(mine.belief.log_weights), peer.mu, rtol=1e-8)
    np.testing.assert_allclose(mine.belief.moments().mean, peer.x, rtol=1e-8)
    np.testing.assert_allclose(mine.belief.moments().cov, peer.P, rtol=1e-7)
