"""Compiling takes seconds, and says so; loading what was compiled is silent."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pilotage.core import Space
from pilotage.models import dynamics
from pilotage.models.binding import cache
from pilotage.models.binding.bind import bind


def test_compiling_is_announced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    @dynamics(state=Space("x [m]"), action=Space("speed [m/s]"))
    def crawler(x: Any, u: Any, p: Any, m: Any) -> Any:
        return (0.123456789 * u[0],)

    monkeypatch.setenv("PILOTAGE_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(cache, "_loaded", {})
    caplog.set_level(logging.INFO, "pilotage")
    crawler().rollout([0.0], np.ones((3, 1)), 0.1)
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert said[0] == "compiling rollout_batch for crawler; the first time takes some seconds"
    assert said[1].startswith("compiled rollout_batch for crawler in ")
    caplog.clear()
    crawler().rollout([1.0], np.ones((5, 1)), 0.2)
    monkeypatch.setattr(cache, "_loaded", {})  # as in a new process
    crawler().rollout([1.0], np.ones((5, 1)), 0.2)
    assert not caplog.records


def lonely(a):
    a[0] = 1.0


def test_a_purpose_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("PILOTAGE_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(cache, "_loaded", {})
    with caplog.at_level(logging.INFO, "pilotage"):
        bind(lonely, purpose="this test")(np.zeros(1))
    assert caplog.records[0].getMessage().startswith("compiling lonely of this test; ")


def test_other_peoples_kernels_are_their_own_business(caplog: pytest.LogCaptureFixture) -> None:
    from numba import njit

    with caplog.at_level(logging.INFO):
        assert njit(lambda a: a + 1.0)(2.0) == 3.0
    assert not [record for record in caplog.records if record.name == "pilotage"]
