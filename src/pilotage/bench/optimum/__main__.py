"""The program that computes the stored optima: ``python -m pilotage.bench.optimum pendulum_v1``."""

from __future__ import annotations

import argparse

from .recipes import GRIDS, STARTS, compute

parser = argparse.ArgumentParser(prog="python -m pilotage.bench.optimum", description=__doc__)
parser.add_argument("tasks", nargs="+", choices=sorted({*GRIDS, *STARTS}), help="the tasks")
parser.add_argument("--seeds", type=int, default=100, help="seeds 0 to N - 1 (default: 100)")

if __name__ == "__main__":
    given = parser.parse_args()
    for name in given.tasks:
        compute(name, given.seeds)
