"""The tasks that come with Pilotage, a family a file; importing them registers them in `pilotage.bench.tasks`."""

from . import arms, carts, linear, pendulums, people, quadrotors, simulators, tracks, vehicles  # noqa: F401

__all__: list[str] = []
