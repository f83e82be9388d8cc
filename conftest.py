"""Examples of simulators that are not installed are left out: PyBullet has no wheels for every Python."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore = [] if find_spec("pybullet") else ["src/pilotage/envs/bullet.py"]
