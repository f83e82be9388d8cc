"""Imported before all else: one thread for every pool, read from the environment when the libraries load."""

from __future__ import annotations

import os

for variable in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "NUMBA"):
    os.environ[f"{variable}_NUM_THREADS"] = "1"
# A waiting thread that spins would slow down whatever shares the core.
os.environ["OMP_WAIT_POLICY"] = "passive"
