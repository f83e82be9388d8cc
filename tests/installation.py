"""Installation as a user has it: the wheel in clean environments, README's first screen in an empty folder.

    python -m tests.installation                                        # this interpreter, every extra
    python -m tests.installation --python python3.13 --extras bare envs
    python -m tests.installation --extras envs --with 'mujoco==3.3.*' --tests tests/envs/test_mujoco.py

Each environment takes the newest releases that pip finds, not those of constraints.txt, which `make test` proves. Torch
alone stays at the version there, because a bare `torch` brings gigabytes. The last lines are a table; the exit status
is the number of environments in which something failed.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
EXTRAS = ("bare", "demo", "envs", "learning", "train", "qp", "bench", "cluster", "viz", "ros", "video")
TORCH = next(line for line in (ROOT / "constraints.txt").read_text().splitlines() if line.startswith("torch=="))

IMPORTS = """
import importlib, pkgutil, pilotage
for module in pkgutil.iter_modules(pilotage.__path__):
    if module.name in ("__main__", "demos"):
        continue
    try:
        package = importlib.import_module(f"pilotage.{module.name}")
        for name in getattr(package, "__all__", ()):
            getattr(package, name)
    except ImportError as error:
        assert "pilotage[" in str(error), f"pilotage.{module.name}: {error!r}"
"""

WHERE = "import pilotage, pathlib; assert 'site-packages' in pilotage.__file__, pilotage.__file__"


@dataclass(frozen=True)
class Clean:
    """A virtual environment without a trace of the checkout, and an empty folder to work in."""

    python: str
    place: Path

    @property
    def folder(self) -> Path:
        return self.place / "empty"

    def made(self) -> Clean:
        run([self.python, "-m", "venv", str(self.place / "venv")], self.place)
        self.folder.mkdir()
        return self

    def command(self, name: str, *arguments: str) -> str:
        """What a program of the environment prints, run in the empty folder."""
        return run([str(self.place / "venv" / "bin" / name), *arguments], self.folder)


def run(command: list[str], folder: Path) -> str:
    """What a command prints; what it says when it fails is in the error."""
    known = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "NUMBA", "PILOTAGE"))}
    known["OMP_WAIT_POLICY"] = "passive"
    done = subprocess.run(command, cwd=folder, env=known, capture_output=True, text=True, timeout=1800.0, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)[:200]} failed:\n{(done.stdout + done.stderr)[-3000:]}")
    return done.stdout


def first_screen() -> str:
    """The first Python block of the README, as somebody pastes it."""
    block = re.search(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(encoding="utf-8"), re.M | re.S)
    assert block is not None
    return block[1]


def proven(clean: Clean, wheel: Path, extra: str, more: list[str], tests: list[str]) -> dict[str, float | str]:
    """Seconds and versions of one environment; an error where something does not work."""
    limits = clean.place / "limits.txt"
    limits.write_text(TORCH + "\n")
    target = str(wheel) if extra == "bare" else f"{wheel}[{extra}]"
    pip = ("python", "-m", "pip", "install", "-q", "-q", "-c", str(limits))
    began = time.perf_counter()
    clean.command(*pip, target, *more)
    installed = time.perf_counter()
    clean.command("python", "-c", WHERE)
    clean.command("python", "-W", "error", "-c", IMPORTS)
    pasted = time.perf_counter()
    clean.command("python", "-W", "error", "-c", first_screen())
    ran = time.perf_counter()
    clean.command("pilotage", "info")
    if extra == "demo":
        found = clean.command("pilotage", "demo", "navigate")
        assert found.count("5 of 5") == 2, found
    if tests:
        clean.command(*pip, "pytest", "hypothesis", "sympy")
        run(
            [str(clean.place / "venv" / "bin" / "python"), "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests], ROOT
        )
    size = sum(file.stat().st_size for file in (clean.place / "venv").rglob("*") if file.is_file()) / 1e6
    return {
        "python": clean.command("python", "-c", "import platform; print(platform.python_version())").strip(),
        "numpy": clean.command("python", "-c", "import numpy; print(numpy.__version__)").strip(),
        "MB": round(size),
        "install [s]": round(installed - began),
        "first screen [s]": round(ran - pasted, 1),
    }


def main() -> int:
    """Prove the environments that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=sys.executable, help="the interpreter of the environments")
    parser.add_argument("--extras", nargs="+", default=list(EXTRAS), help="extras, one environment each; bare is none")
    parser.add_argument("--with", dest="more", nargs="+", default=[], help="requirements to add, as for pip")
    parser.add_argument("--tests", nargs="+", default=[], help="test files to run against the installed wheel")
    asked = parser.parse_args()
    rows: list[dict[str, float | str]] = []
    with tempfile.TemporaryDirectory() as folder:
        run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, str(ROOT)], ROOT)
        wheel = next(Path(folder).glob("*.whl"))
        for extra in asked.extras:
            with tempfile.TemporaryDirectory() as place:
                try:
                    clean = Clean(asked.python, Path(place)).made()
                    found = proven(clean, wheel, extra, asked.more, asked.tests)
                    rows.append({"extra": extra, **found, "result": "works"})
                except (RuntimeError, AssertionError, subprocess.TimeoutExpired) as error:
                    print(f"--- {extra}: {error}", file=sys.stderr)
                    rows.append({"extra": extra, "result": "fails"})
            print(rows[-1], flush=True)
    heads = list(max(rows, key=len))
    print("\n| " + " | ".join(heads) + " |\n|" + "---|" * len(heads))
    for row in rows:
        print("| " + " | ".join(str(row.get(head, "")) for head in heads) + " |")
    return sum(row["result"] == "fails" for row in rows)


if __name__ == "__main__":
    sys.exit(main())
