"""The cache of generated code: one file for all parameter values, and nothing that is lost or damaged does harm."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from pilotage.models import bicycle, bind, cache_folder, clear_cache, parameters
from pilotage.models.binding.cache import forgive, load_source
from pilotage.models.binding.slots import step

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


def start(folder: Path | str, gain: float = 2.0, largest_file: int | None = None) -> subprocess.Popen[str]:
    """A process that binds; one that may write no file larger than that meets the errors of a full disk."""
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
        preexec_fn=None if largest_file is None else lambda: limit_files(largest_file),
    )


def limit_files(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


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
    assert sorted({f.suffix for f in before}) == [".nbc", ".nbi", ".py"]
    assert finish(start(tmp_path, gain=7.0)) == (filled, 1, 0)
    assert generated(tmp_path) == before


DAMAGES = {"empty": b"", "garbage": b"\x80garbage\xff\xfe\x00", "cut": None}


@pytest.mark.parametrize(
    ("pattern", "damage"),
    [
        pytest.param(pattern, damage, marks=() if quick else pytest.mark.slow, id=f"{damage} {pattern}")
        for pattern, usual in (("*.py", "cut"), ("*.nbi", "garbage"), ("*.nbc", "cut"))
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


@pytest.mark.parametrize("room", [0, 5000], ids=["for nothing", "for source only"])
def test_full_disk(tmp_path: Path, room: int) -> None:
    """No half-written file stays behind, and the next process with more room starts afresh."""
    assert finish(start(tmp_path, largest_file=room))[2] == 1
    assert {f.suffix for f in tmp_path.rglob("*") if f.is_file() and f.stat().st_size} <= {".py", ".nbi"}
    assert finish(start(tmp_path))[2] == 1
    assert finish(start(tmp_path))[1:] == (1, 0)


def test_writer_that_was_killed(tmp_path: Path, filled: Path) -> None:
    """Half a file beside the target is nobody's; half a target is no target."""
    source = next(filled.glob("single_step_*.py"))
    whole = source.read_text()
    source.with_name(f"{source.stem}-0123456789ab.tmp").write_text(whole[:100])
    source.unlink()
    finish(start(tmp_path))
    assert source.read_text() == whole


def test_code_of_other_types_is_not_run() -> None:
    """Two processes that keep their first code at once may give it one name: numba then finds the other's."""
    flushed: list[bool] = []
    kept = SimpleNamespace(signature=SimpleNamespace(args=("int64",)))
    cache = SimpleNamespace(
        load_overload=lambda signature, context: kept,
        save_overload=lambda signature, data: None,
        flush=lambda: flushed.append(True),
    )
    forgive(SimpleNamespace(_cache=cache))
    assert cache.load_overload(("int64",), None) is kept
    assert not flushed
    assert cache.load_overload(("float64",), None) is None
    assert flushed


def test_folder_that_goes_while_the_process_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PILOTAGE_CACHE_DIR", str(tmp_path))
    shutil.rmtree(cache_folder())
    module = load_source("value = 7\n", "gone")
    assert module.value == 7
    assert (cache_folder() / f"{module.__name__.split('.')[1]}.py").read_text() == "value = 7\n"


def test_threads_share_one_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PILOTAGE_CACHE_DIR", str(tmp_path))
    gate, found = threading.Barrier(4), list[object]()

    def load() -> None:
        gate.wait()
        found.append(load_source("import time\ntime.sleep(0.05)\n", "slow"))

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(map(id, found))) == 1


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
