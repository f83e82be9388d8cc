"""Laws between the rooms: their exports, their imports, and the cost of an import.

Run as a script (`python -m tests.test_architecture`) it rewrites the pinned names and the tables of the API pages; read
the diff.
"""

from __future__ import annotations

import ast
import enum
import importlib
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest

import pilotage
from pilotage.core.errors import MissingExtra
from pilotage.core.names import ELSEWHERE

from . import api_pages

SOURCE = Path(pilotage.__file__).parent
PINNED = Path(__file__).parent / "public_names.txt"
# The command line is for people to run, not for code to import.
ROOMS = sorted(
    module.name for module in pkgutil.iter_modules(pilotage.__path__) if module.ispkg and module.name != "cli"
)

# The rooms, and the rooms within them.
OPEN = ROOMS + [
    f"{room}.{module.name}" for room in ROOMS for module in pkgutil.iter_modules([str(SOURCE / room)]) if module.ispkg
]

# Rooms within one of those.
for _room in ("boxes", "scores", "fusion", "extended"):
    OPEN.insert(OPEN.index("estimators.tracking") + 1, f"estimators.tracking.{_room}")
OPEN.insert(OPEN.index("envs.wrappers") + 1, "envs.wrappers.vector")
for _room in ("vision", "scores", "scans", "particles", "matching", "landmarks", "closures"):
    OPEN.insert(OPEN.index("estimators.slam") + 1, f"estimators.slam.{_room}")

# Each heavy library, and the only rooms whose files may import it.
HOMES = {
    "torch": {"learning"},
    "safetensors": {"learning", "io"},
    "tensorboard": {"learning"},
    "gymnasium": {"envs", "learning", "bench", "cli"},
    "pygame": {"envs"},
    "mujoco": {"envs"},
    "pybullet": {"envs"},
    "stable_baselines3": {"envs"},
    "imageio": {"envs"},
    "matplotlib": {"viz"},
    "rerun": {"viz"},
    "cyclopts": {"cli"},
    "sympy": set[str](),
    "filterpy": {"compat"},
}
# Protocols and abstract parts, of which there is nothing to run; what decorators and `code_of` make, which show it.
NOT_RUN = {
    *(
        "Belief",
        "Controller",
        "Disturbance",
        "Estimator",
        "Filter",
        "Graph",
        "Mathematics",
        "Part",
        "Perception",
        "Planner",
        "World",
        "WorldModel",
    ),
    *("Association", "GaussianSLAM", "LandmarkEngine"),
    *("Code", "Compiled", "Driver", "Function", "Intrinsic", "MachineCode"),
    *("TracedDynamics", "TracedSensor", "TracedTask"),
}
# Rooms that meet through core's types and otherwise do not know each other.
STRANGERS = [("control", "estimators"), ("estimators", "planners"), ("planners", "estimators"), ("planners", "control")]


def exported(room: str) -> list[str]:
    """The public names of a room; skips when an extra it needs is not installed."""
    try:
        return list(importlib.import_module(f"pilotage.{room}").__all__)
    except MissingExtra as error:
        pytest.skip(str(error))


def imported(file: Path) -> Iterator[str]:
    """Dotted names of every module that a file imports, wherever in the file; relative imports made absolute."""
    package = ["pilotage", *file.relative_to(SOURCE).parent.parts]
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, node.module] if node.module else base)
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def files(room: str | None = None) -> list[Path]:
    """The source files of a room, or of the whole package."""
    return sorted((SOURCE / room if room else SOURCE).rglob("*.py"))


def loaded_by(statement: str) -> set[str]:
    """Top-level modules in memory of a fresh process that ran `statement`."""
    code = f"{statement}\nimport sys\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_rooms_listed() -> None:
    assert sorted(set(pilotage.__all__) - {"__version__"}) == ROOMS


@pytest.mark.parametrize("room", OPEN)
def test_public_names_pinned(room: str) -> None:
    pinned = [name.rpartition(".")[2] for name in PINNED.read_text().split() if name.rpartition(".")[0] == room]
    assert sorted(exported(room)) == pinned, "after a deliberate change run: python -m tests.test_architecture"


@pytest.mark.parametrize("room", OPEN)
def test_exports_exist_and_are_documented(room: str) -> None:
    names, module = exported(room), importlib.import_module(f"pilotage.{room}")
    assert len(set(names)) == len(names)
    assert set(names) <= set(dir(module))
    silent = [name for name in names if callable(getattr(module, name)) and not getattr(module, name).__doc__]
    assert not silent, f"public names without a docstring: {silent}"


@pytest.mark.parametrize("room", OPEN)
def test_exports_have_examples_that_run(room: str) -> None:
    module = importlib.import_module(f"pilotage.{room}") if exported(room) else None
    shown = {name: getattr(module, name) for name in exported(room) if name not in NOT_RUN}
    silent = [name for name, value in shown.items() if isinstance(value, type | FunctionType) and not example(value)]
    assert not silent, f"public names without an example in their docstring: {silent}"


def example(value: Any) -> bool:
    """Whether something public shows how it is used; errors and kinds of outcome are not used, but met."""
    return ">>>" in (value.__doc__ or "") or (isinstance(value, type) and issubclass(value, Exception | enum.Enum))


@pytest.mark.parametrize("library", sorted(HOMES))
def test_heavy_libraries_stay_at_home(library: str) -> None:
    # `errors.require("torch", ...)` is an import in other words.
    spelled = re.compile(rf"""(?:require|import_module)\(\s*["']{library}\b""")
    for file in files():
        room = file.relative_to(SOURCE).parts[0]
        found = any(name.partition(".")[0] == library for name in imported(file)) or spelled.search(file.read_text())
        assert not found or room in HOMES[library], f"{file.relative_to(SOURCE)} imports {library}"


@pytest.mark.parametrize(("room", "stranger"), STRANGERS)
def test_strangers(room: str, stranger: str) -> None:
    for file in files(room):
        assert not any(f"{name}.".startswith(f"pilotage.{stranger}.") for name in imported(file)), file


def test_import_pilotage_is_light() -> None:
    assert not loaded_by("import pilotage") & {"numpy", "scipy", "numba", "torch", "gymnasium", "matplotlib", "yaml"}


def test_import_of_a_filter_is_light() -> None:
    heavy = {"scipy", "torch", "gymnasium", "matplotlib", "mujoco", "pybullet", "pygame", "sympy", "cyclopts", "rich"}
    assert not loaded_by("from pilotage.estimators import EKF") & heavy


def test_lazy_rooms() -> None:
    assert "pilotage" in loaded_by("import pilotage; pilotage.core.Space; assert 'maps' in dir(pilotage)")
    with pytest.raises(AttributeError, match="pilotage has no 'kitchen'; it has .*core"):
        pilotage.__getattr__("kitchen")


@pytest.mark.parametrize(
    ("room", "name", "meant"),
    [
        ("estimators", "KalmanFilter", "estimators.KF"),
        ("estimators", "PDA", "estimators.tracking.PDA"),
        ("planners", "BiRRT", "planners.RRTConnect"),
        ("planners", "rrt_star", "planners.RRTStar"),
        ("planners", "a_star", "planners.AStar"),
        ("maps", "GridMap", "maps.OccupancyGrid"),
        ("maps", "Costmap2D", "maps.Costmap"),
        ("models", "gps", "models.gnss"),
        ("models", "Bicycle", "models.bicycle"),
        ("control", "iLQR", "control.ILQR"),
        ("core", "EKF", "estimators.EKF"),
        ("", "EKF", "estimators.EKF"),
    ],
)
def test_names_of_the_field_lead_to_those_of_pilotage(room: str, name: str, meant: str) -> None:
    with pytest.raises(ImportError, match=rf"has no {name}; there is pilotage\.{meant}$"):
        exec(f"from pilotage{room and '.'}{room} import {name}")


@pytest.mark.parametrize(("room", "name"), [("estimators", "KalmanFilter"), ("planners", "BiRRT"), ("", "EKF")])
def test_an_absent_name_is_an_attribute_that_is_absent(room: str, name: str) -> None:
    module = importlib.import_module(f"pilotage{room and '.'}{room}")
    assert not hasattr(module, name) and getattr(module, name, 3) == 3
    with pytest.raises(AttributeError, match=rf"has no {name}; there is pilotage\."):
        getattr(module, name)


@pytest.mark.parametrize("where", ELSEWHERE)
def test_names_that_are_pointed_to_exist(where: str) -> None:
    room, _, name = where.rpartition(".")
    assert name in exported(room)
    assert not hasattr(importlib.import_module(f"pilotage.{room}"), "no_such_name")


def test_modules_that_are_not_loaded_are_still_found() -> None:
    code = "from pilotage.envs import navigation; from pilotage.estimators import particle; print(navigation.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "pilotage.envs.navigation"


def test_typed() -> None:
    assert (SOURCE / "py.typed").is_file()


def test_one_version() -> None:
    stated = re.findall(r"^## \[(\d+\.\d+\.\d+)\]", (SOURCE.parents[1] / "CHANGELOG.md").read_text(), re.MULTILINE)
    cited = re.search(r"^version: (.+)$", (SOURCE.parents[1] / "CITATION.cff").read_text(), re.MULTILINE)
    assert stated[0] == pilotage.__version__
    assert cited is not None
    assert cited[1] == pilotage.__version__


if __name__ == "__main__":
    PINNED.write_text("".join(f"{room}.{name}\n" for room in OPEN for name in sorted(exported(room))))
    api_pages.write(OPEN)
