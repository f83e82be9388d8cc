"""`pilotage demo [NAME]`: run a demo, or list them.

A demo is a file in `demos/`. The first line of its docstring says what it shows, and its function `main` runs it. The
parameters of `main` all have defaults and become the options of the command; its docstring explains them. Its result is
the exit code (None is 0). The folder `demos` lies beside `src` in a checkout, and inside the package in a wheel.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from types import ModuleType

from cyclopts import App

import pilotage
from pilotage.core.errors import PilotageError

PACKAGE = "pilotage.demos"


def demos_folder() -> Path | None:
    """The folder of the demos; None when this installation came without them."""
    package = Path(pilotage.__file__).parent
    folders = (package / "demos", package.parents[1] / "demos")
    return next((folder for folder in folders if folder.is_dir()), None)


def demo_lines() -> dict[str, str]:
    """The name of each demo and the first line of its docstring, without importing it."""
    folder = demos_folder()
    files = [] if folder is None else sorted(folder.glob("*.py"))
    return {file.stem: _first_line(file) for file in files if not file.stem.startswith("_")}


def demos_app() -> App:
    """The subcommand `demo`, with one subcommand for each demo, which is imported only when it is run."""
    app = App(name="demo", help="Run a demo, or list the demos.", help_epilogue="", default_command=_list)
    if PACKAGE not in sys.modules:
        home = ModuleType(PACKAGE)
        home.__path__ = [str(demos_folder() or "")]
        sys.modules[PACKAGE] = home
    for name, line in demo_lines().items():
        app.command(f"{PACKAGE}.{name}:main", name=name.replace("_", "-"), help=line)
    return app


def _list(name: str | None = None, /) -> None:
    """List the demos.

    Args:
        name: The demo to run. Without a name, the demos are listed.
    """
    lines = demo_lines()
    if not lines:
        raise PilotageError(
            "this installation came without demos; reinstall pilotage, or run the command in a checkout"
        )
    if name is not None:
        known = ", ".join(line.replace("_", "-") for line in lines)
        raise PilotageError(f"there is no demo named {name!r}; the demos are: {known}")
    width = max(map(len, lines))
    for name, line in lines.items():
        print(f"{name.replace('_', '-'):{width}}  {line}")
    print("\nRun one:          pilotage demo NAME\nSee its options:  pilotage demo NAME --help")


def _first_line(file: Path) -> str:
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0]
