"""Drivers: compiled once for their signatures, kept on disk, announced, and safe from damage and interruption."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numba.core import config
from numba.core.codegen import CPUCodeLibrary

import pilotage
from pilotage.estimators._drivers import predict_one
from pilotage.models import bicycle, code_of, unicycle
from pilotage.models.trace import call, driver
from pilotage.models.trace.driver import ENTRIES, uninterrupted
from pilotage.models.trace.dynamics import rollout_batch

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
import scaling
v = np.ones(2)
scaling.scale(v)
print(v[0])
"""

INTERRUPTED = """
import signal, sys, traceback
import numpy as np
from pilotage.estimators._memory import absolute
from pilotage.models import unicycle
from pilotage.models.trace import driver

@driver("void(f8[::1])")
def scale(v):
    v[0] *= absolute(-3.0)

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name.startswith(("numba", "llvmlite", "pilotage.estimators._intrinsics")):
            signal.raise_signal(signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)  # a process in the background may ignore it
sys.meta_path.insert(0, Interrupt())
v = np.ones(1)
for _ in range(9):
    try:
        unicycle().code("y")
        scale(v)
    except KeyboardInterrupt as error:
        cut_off = any("importlib" in frame.filename for frame in traceback.extract_tb(error.__traceback__))
        print("an import was cut off" if cut_off else "imports were finished")
    else:
        print(v[0])
        break
"""

STAMPS = """
from pilotage.estimators._drivers import predict_one
from pilotage.models.trace.dynamics import rollout_batch
print(predict_one.stamp)
print(rollout_batch.stamp)
"""


@driver
def twice(v):
    for i in range(v.shape[0]):
        v[i] *= GAIN


@driver
def again(v):
    for i in range(v.shape[0]):
        v[i] *= 2.0


@driver
def double(v):
    again(v)
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


def test_a_helper_is_optimised_within_what_calls_it_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path))  # empty, so that all is compiled
    optimised: list[str] = []
    whole = CPUCodeLibrary._optimize_final_module
    monkeypatch.setattr(
        CPUCodeLibrary, "_optimize_final_module", lambda self: (optimised.append(self.name), whole(self))
    )
    v = np.ones(2)
    double.entry("double_again", "void(f8[::1])", GAIN=3.0)(v)
    assert v.tolist() == [6.0, 6.0]
    assert {name for name in optimised if "again" in name} == {"double_again"}


def test_other_layouts_are_refused() -> None:
    with pytest.raises(TypeError):
        roll(0, np.zeros(4)[::2], np.zeros(2), np.zeros(1), np.zeros(1), 0)


def test_entries_are_registered() -> None:
    assert roll in ENTRIES
    assert twice not in ENTRIES


def run(folder: Path, text: str, cache: Path) -> list[str]:
    """The output of a fresh process that runs `text`, with the modules in `folder` before all others."""
    paths = os.pathsep.join([str(folder), *sys.path])
    environment = {**os.environ, "PYTHONPATH": paths, "NUMBA_CACHE_DIR": str(cache)}
    command = [sys.executable, "-c", text]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, cwd=folder)
    return done.stdout.split("\n")[:-1]


def test_compiled_code_is_kept_announced_and_never_stale(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    (tmp_path / "scaling.py").write_text(MODULE.format(factor=3.0))
    first = run(tmp_path, USE, cache)
    assert [line.split()[0] for line in first] == ["compiling", "compiled", "3.0"]
    assert run(tmp_path, USE, cache) == ["3.0"], "the second process loads it, and says nothing"
    (tmp_path / "scaling.py").write_text(MODULE.format(factor=5.0))
    assert run(tmp_path, USE, cache)[-1] == "5.0", "a helper that was edited is compiled again"
    for file in cache.rglob("*.nb?"):
        file.write_bytes(b"damaged")
    assert run(tmp_path, USE, cache)[-1] == "5.0", "damaged files are compiled again"


def test_a_stamp_covers_all_that_writes_the_code(tmp_path: Path) -> None:
    """Layouts of records, intrinsics, lanes and the compiler's options; the stamp does not depend on the place."""
    root = Path(pilotage.__file__).parent
    shutil.copytree(root, tmp_path / "pilotage", ignore=shutil.ignore_patterns("__pycache__"))

    def changed(file: str, old: str, new: str) -> tuple[bool, bool]:
        """Whether the stamps of a driver with intrinsics and of one without change with a text in a file."""
        copy, text = tmp_path / "pilotage" / file, (root / file).read_text()
        assert text.count(old) == 1
        copy.write_text(text.replace(old, new))
        filtering, rollout = run(tmp_path, STAMPS, tmp_path)
        copy.write_text(text)
        return filtering != predict_one.stamp, rollout != rollout_batch.stamp

    assert changed("estimators/_memory.py", '"predict",', '"unused", "predict",') == (True, False)
    assert changed("models/trace/llvm.py", "LANES = 32", "LANES = 64") == (True, False)
    assert changed("models/trace/_compiler.py", 'STRICT = {"contract", "nsz"}', 'STRICT = {"nsz"}') == (True, True)


def test_ctrl_c_waits_for_an_import() -> None:
    """The interrupt comes after the block, not inside it."""
    reached, before = False, signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), uninterrupted():
            signal.raise_signal(signal.SIGINT)
            time.sleep(0.01)
            reached = True
    finally:
        signal.signal(signal.SIGINT, before)
    assert reached


def test_an_interrupted_first_use_can_be_repeated(tmp_path: Path) -> None:
    """Ctrl-C at every import of llvmlite, numba and intrinsics waits for its end, and ends the use after it."""
    assert run(tmp_path, INTERRUPTED, tmp_path) == ["imports were finished"] * 3 + ["3.0"]


def test_other_peoples_kernels_are_not_announced(caplog: pytest.LogCaptureFixture) -> None:
    from numba import njit

    with caplog.at_level(logging.INFO):
        assert njit(lambda a: a + 1.0)(2.0) == 3.0
    assert not [record for record in caplog.records if record.name == "pilotage"]


def test_calls_outside_drivers_are_refused() -> None:
    stray: Any = call
    with pytest.raises(TypeError, match="inside drivers"):
        stray(0, 1, 2, 3, 4, 5)
