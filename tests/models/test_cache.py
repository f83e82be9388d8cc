"""The cache of generated code: one file for all parameter values, and nothing that is lost or damaged does harm."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pilotage.models import bicycle, bind, cache_folder, clear_cache, parameters
from pilotage.models.slots import step

SCRIPT = """
import sys
import numpy as np
from pilotage.models import cache_folder, discrete_dynamics, bind, parameters
from pilotage.core import Space
from tests.models.test_cache import single_step

@discrete_dynamics(state=Space("a b"), action=Space("u"), params={"gain": 2.0})
def small(x, u, dt, p, m):
    return p.gain * x[0] + u[0], m.sin(x[1]) * dt

model = small(gain=float(sys.argv[1]))
y = np.empty(2)
run = bind(single_step, dynamics=model)
run(np.array([1.0, 2.0]), np.array([3.0]), 0.5, parameters(model), y)
assert np.allclose(y, [float(sys.argv[1]) + 3.0, 0.5 * np.sin(2.0)]), y
print(cache_folder(), sum(run.stats.cache_hits.values()), sum(run.stats.cache_misses.values()))
"""


def single_step(x: object, u: object, dt: float, p: object, y: object) -> None:
    step(x, u, dt, p, y)


def start(folder: Path | str, gain: float = 2.0) -> subprocess.Popen[str]:
    environment = {**os.environ, "PILOTAGE_CACHE_DIR": str(folder)}
    for switch in ("NUMBA_CACHE_DIR", "PYTHONDONTWRITEBYTECODE"):
        environment.pop(switch, None)
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", SCRIPT, str(gain)],
        env=environment,
        cwd=Path(__file__).resolve().parents[2],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def finish(process: subprocess.Popen[str]) -> tuple[Path, int, int]:
    """Folder used, kernels loaded, kernels compiled."""
    out, error = process.communicate(timeout=300)
    assert process.returncode == 0, error
    folder, hits, misses = out.split()
    return Path(folder), int(hits), int(misses)


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that one process has filled."""
    folder = tmp_path_factory.mktemp("warm")
    assert finish(start(folder))[1:] == (0, 1)
    return folder


@pytest.fixture
def filled(warm: Path, tmp_path: Path) -> Path:
    """The folder of generated files in a copy of that cache, in `tmp_path`; times of files are kept."""
    shutil.copytree(warm, tmp_path, dirs_exist_ok=True)
    return next(tmp_path.rglob("single_step_*.py")).parent


def generated(folder: Path) -> list[Path]:
    return sorted(folder.rglob("single_step_*"))


def test_second_process_compiles_nothing_even_with_other_parameters(tmp_path: Path, filled: Path) -> None:
    before = generated(tmp_path)
    assert sorted({f.suffix for f in before}) == [".nbc", ".nbi", ".py", ".pyc"]
    assert finish(start(tmp_path, gain=7.0)) == (filled, 1, 0)
    assert generated(tmp_path) == before


DAMAGES = {"empty": b"", "garbage": b"\x80garbage\xff\xfe\x00", "cut": None}


@pytest.mark.parametrize(
    ("pattern", "damage"),
    [
        pytest.param(pattern, damage, marks=() if quick else pytest.mark.slow, id=f"{damage} {pattern}")
        for pattern, usual in (("*.py", "cut"), ("*.pyc", "cut"), ("*.nbi", "garbage"), ("*.nbc", "cut"))
        for damage in DAMAGES
        for quick in (damage == usual,)
    ],
)
def test_damage_is_repaired(tmp_path: Path, filled: Path, pattern: str, damage: str) -> None:
    source = next(filled.glob("single_step_*.py"))
    whole = source.read_text()
    files = list(filled.rglob("single_step_" + pattern))
    assert files
    for file in files:
        rest = DAMAGES[damage]
        file.write_bytes(file.read_bytes()[:25] if rest is None else rest)
    finish(start(tmp_path))
    assert source.read_text() == whole
    assert finish(start(tmp_path))[1:] == (1, 0), "the damage was not mended"


def test_edited_source_is_made_anew(tmp_path: Path, filled: Path) -> None:
    """A file that was edited is not what its name promises."""
    source = next(filled.glob("single_step_*.py"))
    source.write_text(source.read_text().replace("math.sin", "math.cos"))
    finish(start(tmp_path))
    assert "math.sin" in source.read_text()


@pytest.mark.parametrize("obstacle", ["file in the way", "not a folder"])
def test_folder_that_cannot_be_written(tmp_path: Path, obstacle: str) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    folder, _, misses = finish(start(blocked if obstacle == "file in the way" else blocked / "deeper"))
    assert misses == 1
    assert tmp_path not in folder.parents
    assert not folder.exists(), "the folder of the process should go with it"
    assert blocked.read_text() == "not a folder"


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_read_only_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        folder, _, misses = finish(start(tmp_path))
    finally:
        tmp_path.chmod(0o700)
    assert misses == 1
    assert tmp_path not in folder.parents


def test_processes_that_generate_at_once(tmp_path: Path) -> None:
    crowd = [start(tmp_path, gain) for gain in (1.0, 2.0, 3.0)]
    folders = {finish(process)[0] for process in crowd}
    assert len(folders) == 1
    assert len(list(folders.pop().glob("single_step_*.py"))) == 1
    assert not list(tmp_path.rglob("*.tmp"))
    assert finish(start(tmp_path))[1:] == (1, 0)


def test_same_kernel_for_all_parameters_in_one_process() -> None:
    car, truck = bicycle(wheelbase=2.7), bicycle(wheelbase=5.0)
    assert car.kernel_key == truck.kernel_key == car.replace(wheelbase=1.0).kernel_key
    assert bind(single_step, dynamics=car) is bind(single_step, dynamics=truck)
    y = np.empty(4)
    for model in (car, truck):
        x, u = np.array([0.0, 0.0, 0.2, 3.0]), np.array([0.5, 0.3])
        bind(single_step, dynamics=model)(x, u, 0.1, parameters(model), y)
        np.testing.assert_allclose(y, model.step(x, u, 0.1), atol=1e-14)


def test_clearing_counts_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PILOTAGE_CACHE_DIR", str(tmp_path))
    assert tmp_path in cache_folder().parents
    (cache_folder() / "a.py").write_text("")
    (cache_folder() / "__pycache__").mkdir()
    (cache_folder() / "__pycache__" / "a.nbi").write_text("")
    assert clear_cache() == 2
    assert clear_cache() == 0
