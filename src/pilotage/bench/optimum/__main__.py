"""The program that computes the stored optima: ``python -m pilotage.bench.optimum pendulum_v1``."""

from __future__ import annotations

import argparse

from ..suite import seeds_of
from .recipes import GRIDS, STARTS, compute, improve

parser = argparse.ArgumentParser(prog="python -m pilotage.bench.optimum", description=__doc__)
parser.add_argument("tasks", nargs="+", choices=sorted({*GRIDS, *STARTS}), help="the tasks")
parser.add_argument("--seeds", type=int, default=100, help="seeds 0 to N - 1 (default: 100)")
parser.add_argument("--again", help="seeds, as 3, 10-19, to search again with more effort; lower costs are kept")

if __name__ == "__main__":
    given = parser.parse_args()
    for name in given.tasks:
        improve(name, seeds_of(given.again)) if given.again else compute(name, given.seeds)
