"""Drivers: compiled once for their signatures, kept on disk, announced, and safe from damage and interruption."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pilotage.models import bicycle, code_of, unicycle
from pilotage.models.trace import call, driver
from pilotage.models.trace.driver import ENTRIES, uninterrupted

GAIN = 2.0

MODULE = """
from pilotage.models.trace import call, driver

FACTOR = {factor}

@driver
def scaled(v):
    for i in range(v.shape[0]):
        v[i] *= FACTOR

@driver("void(f8[::1])")
def scale(v):
    scaled(v)
"""

USE = """
import logging, sys
logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
import numpy as np
import {name}
v = np.ones(2)
{name}.scale(v)
print(v[0])
"""


@driver
def twice(v):
    for i in range(v.shape[0]):
        v[i] *= GAIN


@driver("void(i8, f8[::1], f8[::1], f8[::1], f8[::1], i8)")
def roll(step, x, u, dt, p, T):
    """x after T steps, doubled."""
    for _ in range(T):
        call(step, x, u, dt, p, x)
    twice(x)


def test_models_by_address() -> None:
    """One compiled driver runs any model; results may be written over the state."""
    for model in (bicycle(), bicycle(wheelbase=1.0), unicycle()):
        x0, u = model.state.sample(rng=1), model.action.sample(rng=1)
        x = x0.copy()
        roll(code_of(model, "y").address, x, u, np.array([0.1]), model.vector(), 3)
        expected = model.rollout(x0, np.tile(u, (3, 1)), 0.1)[-1]
        np.testing.assert_allclose(x, 2.0 * expected, rtol=1e-13)


def test_helpers_can_be_called_from_python() -> None:
    v = np.ones(3)
    assert roll.compiled, "which compiles the helper for drivers"
    twice(v)
    assert v.tolist() == [2.0, 2.0, 2.0]


def test_other_layouts_are_refused() -> None:
    with pytest.raises(TypeError):
        roll(0, np.zeros(4)[::2], np.zeros(2), np.zeros(1), np.zeros(1), 0)


def test_entries_are_registered() -> None:
    assert roll in ENTRIES
    assert twice not in ENTRIES


def run(folder: Path, name: str, cache: Path) -> list[str]:
    """What a fresh process says that uses the module `name`."""
    paths = os.pathsep.join([str(folder), *sys.path])
    environment = {**os.environ, "PYTHONPATH": paths, "NUMBA_CACHE_DIR": str(cache)}
    command = [sys.executable, "-c", USE.format(name=name)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, cwd=folder)
    return done.stdout.split("\n")[:-1]


def test_compiled_code_is_kept_announced_and_never_stale(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    (tmp_path / "scaling.py").write_text(MODULE.format(factor=3.0))
    first = run(tmp_path, "scaling", cache)
    assert [line.split()[0] for line in first] == ["compiling", "compiled", "3.0"]
    assert run(tmp_path, "scaling", cache) == ["3.0"], "the second process loads it, and says nothing"
    (tmp_path / "scaling.py").write_text(MODULE.format(factor=5.0))
    assert run(tmp_path, "scaling", cache)[-1] == "5.0", "a helper that was edited is compiled anew"
    for file in cache.rglob("*.nb?"):
        file.write_bytes(b"damaged")
    assert run(tmp_path, "scaling", cache)[-1] == "5.0", "damaged files are compiled anew"


def test_ctrl_c_waits_for_an_import() -> None:
    """The interrupt comes after the block, not inside it."""
    reached = False
    with pytest.raises(KeyboardInterrupt), uninterrupted():
        signal.raise_signal(signal.SIGINT)
        time.sleep(0.01)
        reached = True
    assert reached


def test_other_peoples_kernels_are_not_announced(caplog: pytest.LogCaptureFixture) -> None:
    from numba import njit

    with caplog.at_level(logging.INFO):
        assert njit(lambda a: a + 1.0)(2.0) == 3.0
    assert not [record for record in caplog.records if record.name == "pilotage"]


def test_calls_outside_drivers_are_refused() -> None:
    stray: Any = call
    with pytest.raises(TypeError, match="inside drivers"):
        stray(0, 1, 2, 3, 4, 5)
