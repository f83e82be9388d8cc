"""The `pilotage` command: runs its subcommands, and turns errors into one sentence and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError, MissingArgumentError, Parameter

import pilotage
from pilotage.core.errors import MissingExtra, PilotageError

from .demo import demos_app
from .progress import progress
from .wording import spelled

EXAMPLES = """
```
pilotage demo                       list the demos
pilotage demo navigate --seed 3     localize, plan and drive on a real map
pilotage plan --map depot.yaml --start 2 3 --goal 12 3.5 --out path.png
pilotage map walk.log.gz            a ROS map from the log of a laser
pilotage slam raw.log.gz            a map from the raw log of a laser
pilotage track det.txt              tracks of the boxes or points of a detector
pilotage replay drive.mcap          the way of a robot from its ROS bag
pilotage data list                  the data sets you have
pilotage bench                      compare controllers on the stock tasks
pilotage train dynamics             learn how a model moves
pilotage info                       what is installed and what is compiled
pilotage warm                       compile everything now instead of later
pilotage COMMAND --help             the options of a command
```

Exit codes: 0 success; 1 no path was found, or the demo missed its goal; 2 wrong usage or an error.
"""

PLAN_EXAMPLES = """
```
pilotage plan --map depot.yaml --start 2 3 --goal 12 3.5
pilotage plan --map depot.yaml --start 2 3 --goal 12 3.5 --inflate 0.25
pilotage plan --map my_map.yaml --start 0 0 --goal 5 2 --out path.png
pilotage plan --map depot --start 5 1 --goal 24 9 --footprint 0.5 0.3 -0.3 0.3 -0.3 -0.3 0.5 -0.3
pilotage plan --map floor.png --resolution 0.05 --origin -1 -1 0 --mask forbidden.png --start 0 0 --goal 1 0.5
pilotage plan --map depot --start 5 1 --goal 24 9 --algorithm theta-star --unknown free
pilotage plan --scen my_map.map.scen
```
"""

MAP_EXAMPLES = """
```
pilotage map intel-corrected.log.gz
pilotage map intel-corrected.log.gz --resolution 0.1 --out intel.yaml
pilotage map walk.log.gz --origin 2 1 0.15 --mask glass.yaml
pilotage plan --map intel.yaml --start 0 0 --goal 5 2 --out path.png
```
"""

SLAM_EXAMPLES = """
```
pilotage slam walk.log
pilotage slam intel_raw_odometry_gfs.json.gz --relations intel.relations.gz --out intel
pilotage slam freiburg-079-corrected.log.gz --no-odometry
pilotage slam walk.log --truth walk.tum --json
pilotage slam drive.mcap --scans /scan --odometry /odom --animation drive.gif
pilotage slam drive.bag --mount 0.2 0 0 --state drive.npz
pilotage slam pilotage/Navigation-v0 --map depot --seed 1 --animation depot.gif
pilotage replay next.mcap --map drive.yaml --start 1.5 0.2 0.1
pilotage plan --map intel.yaml --start 0 0 --goal 5 2 --out path.png
```

The odometry must be that of the wheels. In logs that SLAM has corrected, it mostly is not: use --no-odometry there.

"""

TRACK_EXAMPLES = """
```
pilotage track det.txt --rate 25 --out tracks.txt
pilotage track det.txt --rate 25 --truth gt.txt
pilotage track det.txt --recipe ocsort --picture tracks.png
pilotage track det.txt --recipe bytetrack --least-score 0.6 --begin-score 0.7
pilotage track Car/0000.txt --truth label_02/0000.txt --kind Car --exact --camera boxes
pilotage track radar.csv --columns "x y" --std 5 --speed 20
pilotage track radar.csv --recipe gnn --clutter 20 --json
pilotage track radar.csv --recipe mht --clutter 20 --truth truth.csv
```

Boxes are left, top, width and height in pixels. Their tracks are confirmed by detections in a row, or in the first
scan, and have rows where they are detected. Scores come first: look at those of the file, and set --least-score above
the false boxes. A camera on a car or in a hand wants --camera boxes, unless most of what it sees goes the same way.
Points are places in metres, of targets whose velocity changes slowly.

"""


REPLAY_EXAMPLES = """
```
pilotage replay nav2_turtlebot.mcap
pilotage replay nav2_turtlebot.mcap --map depot --out replayed
pilotage replay nav2_turtlebot.mcap --map depot --goal 12 3.5 --speed 0.4 --out replayed
pilotage replay drive.bag --map my_map.yaml --base base_footprint --json
```

With a map and scans, the robot is localized by its laser. Without scans, poses with covariance, such as those of AMCL,
are fused with odometry. ROS is not needed: pip install 'pilotage[ros]'.

"""

DATA_EXAMPLES = """
```
pilotage data list                                  the folder of PILOTAGE_DATA
pilotage data verify data --write                   write SHA256SUMS
pilotage data verify data                           compare with it
pilotage data convert ~/.minari/datasets/D4RL/door/human-v2 door
pilotage data convert door door.lerobot --fps 25
pilotage data convert drive.mcap drive.txt
pilotage data convert i80.csv tracks.csv --units feet
```

Nothing is downloaded.

"""

BENCH_EXAMPLES = """
```
pilotage bench                                          the quick suite
pilotage bench run my_suite.yaml --out results --jobs 8
pilotage bench run full --seeds 0-999 --cluster auto
pilotage bench list
pilotage bench compare before after
pilotage bench compare results:ilqr results:mppi
pilotage bench replay results 17
pilotage bench report results
```
"""


TRAIN_EXAMPLES = """
```
pilotage train                              list the worlds
pilotage train dynamics --help              the settings of a world
pilotage train dynamics --set model=bicycle --set steps=8000
pilotage train dynamics --model bicycle --folder runs/bicycle
pilotage train dynamics --model bicycle --folder runs/bicycle --resume
pilotage train dynamics --seed 3 --json     one JSON object, for scripts
pilotage train my_module:MyWorld            a world of your own
torchrun --nproc-per-node 2 -m pilotage train dynamics --folder runs/two
```

A run is kept in its folder with checkpoints; one that was killed goes on with --resume, to the same numbers. Processes
that torchrun starts average their gradients.

"""

EVAL_EXAMPLES = """
```
pilotage eval truck --distribution E2       the weights in the package
pilotage eval dynamics --folder runs/bicycle
pilotage eval dynamics --folder runs/bicycle --drives 1000 --seed 7 --json
pilotage eval dynamics --help               the options of a world
```

Success rates have Wilson intervals of 95 %, and the hash of their protocol; compare rates of one hash only.

"""


def application(words: Sequence[str] = ()) -> App:
    """The command line as an object; the file of a subcommand is imported when it is used.

    Help on `train` and `eval` lists the worlds, for which torch is imported, if the words of the command ask for it.
    """
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
        "pilotage.cli.map:map",
        name="map",
        help="Make a map from a laser log with corrected poses.",
        help_epilogue=MAP_EXAMPLES,
    )
    app.command(
        "pilotage.cli.slam:slam",
        name="slam",
        help="Make a map from the raw log of a laser, a ROS bag, or live in an environment.",
        help_epilogue=SLAM_EXAMPLES,
    )
    app.command(
        "pilotage.cli.track:track",
        name="track",
        help="Track what a detector found: boxes of a camera, or points.",
        help_epilogue=TRACK_EXAMPLES,
    )
    app.command(
        "pilotage.cli.replay:replay",
        name="replay",
        help="Run the program of a robot on a ROS bag.",
        help_epilogue=REPLAY_EXAMPLES,
    )
    app.command(
        "pilotage.cli.node:node",
        name="node",
        help="Run the same program as a ROS 2 node, on a robot.",
        help_epilogue="",
    )
    app.command(_data())
    app.command(_bench())
    app.command(
        "pilotage.cli.train:train",
        name="train",
        help="Train what is learned in a world.",
        help_epilogue=TRAIN_EXAMPLES + _worlds(words, "train", "settings"),
    )
    app.command(
        "pilotage.cli.eval:evaluate",
        name="eval",
        help="Evaluate what was learned in a world.",
        help_epilogue=EVAL_EXAMPLES + _worlds(words, "eval", "options"),
    )
    app.command(
        "pilotage.cli.info:info",
        name="info",
        help="Show what is installed: versions, extras, compiled code.",
        help_epilogue="",
    )
    app.command(
        "pilotage.cli.warm:warm",
        name="warm",
        help="Compile all algorithms now, so that no first call is slow.",
        help_epilogue="",
    )
    app.register_install_completion_command(
        help="Make the shell (bash, zsh or fish) complete commands and options.", help_epilogue=""
    )
    return app


def _worlds(words: Sequence[str], command: str, kind: str) -> str:
    """The worlds, if the words ask for help on this command."""
    if words[:1] != [command] or not {"--help", "-h"} & {*words}:
        return ""
    from .train import worlds_text

    return worlds_text(list(words), kind)


def _data() -> App:
    """The subcommand `data`."""
    app = App(name="data", help="List, verify and convert the data sets you have.", help_epilogue=DATA_EXAMPLES)
    for name, function, line in (
        ("list", "list_all", "List the data sets of a folder."),
        ("verify", "verify", "Compare files with their checksums."),
        ("convert", "convert", "Convert a data set."),
    ):
        app.command(f"pilotage.cli.data:{function}", name=name, help=line, help_epilogue="")
    return app


def _bench() -> App:
    """The subcommand `bench`."""

    def quick() -> int:
        """Compare controllers on tasks, over seeds. Without a command: run the quick suite."""
        from .bench import run

        return run()

    app = App(name="bench", help="Compare controllers on tasks, over seeds.", help_epilogue=BENCH_EXAMPLES)
    app.default(quick)
    for name, function, line in (
        ("run", "run", "Run a suite, or go on with one that was interrupted."),
        ("list", "list_all", "List the tasks, controllers and suites."),
        ("compare", "compare_two", "Compare two results, paired by seed."),
        ("report", "report", "Write the results as one HTML page."),
        ("replay", "replay_row", "Repeat a run bit for bit, and tell the first difference."),
    ):
        app.command(f"pilotage.cli.bench:{function}", name=name, help=line, help_epilogue="")
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with `arguments` (None: those of the process) and return the exit code: see `pilotage --help`.

    Example:
        >>> main(["--version"])
        0.1.0
        0
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        with progress():
            code = application(words)(words, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()  # here, where a reader that has left is no error
    except BrokenPipeError:  # the reader, such as `head`, has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing is left to be flushed at the end
        return 0
    except (CycloptsError, PilotageError, OSError) as error:
        print(f"pilotage: {_sentence(error, words)}", file=sys.stderr)
        return 2
    except ImportError as error:
        # A missing extra is the user's to install; any other import that fails is a defect.
        if not isinstance(error.__cause__, MissingExtra):
            raise
        print(f"pilotage: {_sentence(error.__cause__, words)}", file=sys.stderr)
        return 2
    return code if isinstance(code, int) else 0


def _sentence(error: Exception, words: Sequence[str]) -> str:
    """The error in one line, for the words of the command, and with its options in place of arguments."""
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, CycloptsError):
        error.verbose = False
        comma = isinstance(error, MissingArgumentError) and any("," in word for word in words)
        apart = " Separate numbers by a space, not a comma." if comma else ""
        return (
            f"{' '.join(str(error).split())}{apart} See: {' '.join(['pilotage', *(error.command_chain or ())])} --help"
        )
    sentence, (_, apps, _) = " ".join(str(error).split()), application().parse_commands(words)
    command = apps[-1].default_command
    return sentence if command is None else spelled(sentence, command, getattr(error, "setting", ""))
