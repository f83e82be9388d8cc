"""The `pilotage` command: finds the verb, and turns errors into one sentence and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError, Parameter

import pilotage
from pilotage.core.errors import MissingExtra, PilotageError

from .demo import demos_app
from .progress import progress

EXAMPLES = """
```
pilotage demo                            list the demos
pilotage demo navigate --seed 3          localize, plan and drive on a real map
pilotage plan --map depot.yaml --start 2 3 --goal 12 3.5 --out path.png
pilotage plan --map arena.map --scen arena.map.scen --json
pilotage info                            versions, extras, compiled drivers, threads
pilotage warm                            compile the drivers once, for programs that may not wait
pilotage VERB --help                     everything a verb can do
```

Exit codes: 0 done; 1 the answer is no (no path, a demo that missed its goal); 2 the request could not be carried out.
"""

PLAN_EXAMPLES = """
```
pilotage plan --map depot.yaml --start 2 3 --goal 12 3.5
pilotage plan --map depot.yaml --start 2 3 --goal 12 3.5 --inflate 0.25 --out path.png
pilotage plan --map arena.map --scen arena.map.scen
```
"""


def application() -> App:
    """The command line as an object; a verb's own file is imported when the verb is used."""
    app = App(
        name="pilotage",
        help="Estimate, plan, control and learn with one model of the robot, written once.",
        help_epilogue=EXAMPLES,
        help_format="markdown",
        version=pilotage.__version__,
        default_parameter=Parameter(negative=()),
    )
    app.command(demos_app())
    app.command(
        "pilotage.cli.plan:plan",
        name="plan",
        help="Plan a path on a map, or solve a benchmark scenario.",
        help_epilogue=PLAN_EXAMPLES,
    )
    app.command(
        "pilotage.cli.info:info",
        name="info",
        help="Show versions, installed extras, compiled drivers and threads.",
        help_epilogue="",
    )
    app.command(
        "pilotage.cli.warm:warm",
        name="warm",
        help="Compile the drivers of all algorithms, once per machine.",
        help_epilogue="",
    )
    app.register_install_completion_command(
        help="Install completion for the shell in use (bash, zsh, fish).", help_epilogue=""
    )
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with `arguments` (None: those of the process); returns the exit code.

    Example:
        >>> main(["--version"])
        0.1.0
        0
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        with progress():
            code = application()(words, exit_on_error=False, print_error=False, result_action="return_value")
    except (CycloptsError, PilotageError, OSError) as error:
        print(f"pilotage: {_sentence(error)}", file=sys.stderr)
        return 2
    except ImportError as error:
        # A verb that could not be imported: an extra that is missing is the user's to install, all else is a defect.
        if not isinstance(error.__cause__, MissingExtra):
            raise
        print(f"pilotage: {_sentence(error.__cause__)}", file=sys.stderr)
        return 2
    return code if isinstance(code, int) else 0


def _sentence(error: Exception) -> str:
    """The error in one line."""
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, CycloptsError):
        error.verbose = False
        return f"{' '.join(str(error).split())} See: {' '.join(['pilotage', *(error.command_chain or ())])} --help"
    return " ".join(str(error).split())
