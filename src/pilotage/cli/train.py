"""`pilotage train` and what it shares with `pilotage eval`: worlds, their settings, results."""

from __future__ import annotations

import json as jsonlib
import sys
import textwrap
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from tqdm import tqdm

from pilotage.core.errors import PilotageError, SettingError

from .assign import assigned, described
from .wording import finite

WIDTH = 76


def train(
    world: str | None = None,
    /,
    *,
    set: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    seed: int | None = None,
    folder: Path | None = None,
    resume: bool = False,
    tensorboard: bool = False,
    json: bool = False,
    quiet: bool = False,
    **settings: str,
) -> int:
    """Train what is learned in a world. Without a world, list the worlds.

    Args:
        world: Name of the world, or module:object for your own.
        set: A setting as key=value; may be repeated. --key value is the same.
        seed: Seed of what is random.
        folder: Folder of the run; a new one by default.
        resume: Continue the run in the folder, if there is one.
        tensorboard: Write curves for TensorBoard into the folder.
        json: Print one JSON object instead of text.
        quiet: Show no progress bar.
        settings: Settings of the world.
    """
    if world is None:
        listed(json=json)
        return 0
    if resume and folder is None:
        raise SettingError("resume=True needs the folder of the run; give folder=")
    made = world_named(world)
    given = assigned(made.settings, set, {"seed": seed, **settings})
    first = _first_process()  # the others that torchrun starts are silent
    quiet, tensorboard = quiet or not first, tensorboard and first
    name = f"train-{world.replace(':', '-')}-{datetime.now():%Y%m%d-%H%M%S}"
    place = Path(name) if folder is None else folder
    if not quiet:
        print(f"pilotage: the run is kept in {place}", file=sys.stderr)
    try:
        with ExitStack() as stack:
            found = made.train(given, place, resume=resume, progress=_progress(stack, place, quiet, tensorboard))
    except KeyboardInterrupt:
        raise PilotageError(
            f"interrupted; the last checkpoint is in {place}: continue with --folder {place} --resume"
        ) from None
    if first:
        told({"world": world, "folder": str(place), "settings": asdict(given), **found}, json=json)
    return 1 if found.get("end") == "diverged" else 0


def _first_process() -> bool:
    from pilotage.learning import first_process

    return first_process()


def _progress(stack: ExitStack, folder: Path, quiet: bool, tensorboard: bool) -> Callable[[Any], None]:
    """A function that shows each record on a bar and in TensorBoard, as far as they are wanted."""
    shown: list[Callable[[Any], None]] = [] if quiet else [stack.enter_context(Bar())]
    if tensorboard:
        from pilotage.learning import TensorBoard

        shown.append(stack.enter_context(TensorBoard(folder / "tensorboard")))

    def progress(record: Any) -> None:
        for each in shown:
            each(record)

    return progress


class Bar:
    """A progress bar on standard error, which begins again with each training of a world."""

    def __init__(self) -> None:
        self._bar: tqdm[Any] | None = None

    def __enter__(self) -> Bar:
        return self

    def __call__(self, record: Any) -> None:
        if self._bar is None or self._bar.total != record.of or record.step < self._bar.n:
            self.__exit__()
            self._bar = tqdm(total=record.of, unit="step", file=sys.stderr, dynamic_ncols=True)
        self._bar.set_postfix_str(f"loss {record.loss:.4g}, score {record.score:.4g}", refresh=False)
        self._bar.update(record.step - self._bar.n)

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.close()


def world_named(name: str) -> Any:
    """The world of a name."""
    from pilotage.learning.worlds import world_of

    return world_of(name)


def listed(*, json: bool) -> None:
    """Print the worlds."""
    from pilotage.learning.worlds import worlds

    lines = {name: worlds.summary(name) for name in worlds.names()}
    if json:
        print(jsonlib.dumps({"worlds": lines}))
        return
    for name, line in lines.items():
        print(f"{name:{max(map(len, lines))}}  {line}")
    print("\nTrain one:         pilotage train WORLD\nSee its settings:  pilotage train WORLD --help")


def worlds_text(words: list[str], kind: str) -> str:
    """The world in the words of a command, or all, with the fields of their `settings` or `options`, for --help."""
    try:
        from pilotage.learning.worlds import worlds
    except ImportError as error:  # torch is not installed
        return f"The worlds are not shown: {error}"
    asked = [word for word in words[1:2] if word[:1] != "-"]
    return "\n\n".join(f"```\n{_world_text(name, kind)}\n```" for name in asked or worlds.names())


def _world_text(name: str, kind: str) -> str:
    from pilotage.learning.worlds import worlds

    lines = textwrap.wrap(f"World {name}: {worlds.summary(name)}", WIDTH)
    try:
        made = world_named(name)
    except SettingError:  # the summary says it
        return "\n".join(lines)
    for field, default, meaning in described(getattr(made, kind)):
        beginning, rest = f"  {field:15} ", " " * 18
        lines += textwrap.wrap(f"{meaning} [{default}]", WIDTH, initial_indent=beginning, subsequent_indent=rest)
    return "\n".join(lines)


def told(facts: Mapping[str, Any], *, json: bool) -> None:
    """Print a result."""
    if json:
        print(jsonlib.dumps(finite(dict(facts))))
        return
    for name, value in facts.items():
        if name not in ("settings", "options"):
            for line in _lines(name, value):
                print(line)


def _lines(name: str, value: Any) -> list[str]:
    if isinstance(value, Mapping) and {"share", "interval", "episodes", "hash"} <= {*value}:
        share, low, high = (100.0 * number for number in (value["share"], *value["interval"]))
        return [f"{name}: {share:.1f} % of {value['episodes']} ({low:.1f} to {high:.1f}), protocol {value['hash']}"]
    if isinstance(value, Mapping):
        return [line for key, each in value.items() for line in _lines(f"{name} {key}", each)]
    return [] if value in ("", None) else [f"{name}: {f'{value:.4g}' if isinstance(value, float) else value}"]
