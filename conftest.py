"""Examples of packages that are not installed are left out: PyBullet has no wheels for every Python."""

from __future__ import annotations

from importlib.util import find_spec

FILES = {
    "pybullet": ["src/pilotage/envs/bullet.py"],
    "h5py": ["src/pilotage/io/minari.py"],
    "pyarrow": ["src/pilotage/io/lerobot.py"],
    "imageio_ffmpeg": ["src/pilotage/envs/wrappers/video.py"],
    "rosbags": ["src/pilotage/io/bags.py"],
    "stable_baselines3": ["src/pilotage/envs/stable_baselines.py", "src/pilotage/envs/_sb3.py"],
}
collect_ignore = [file for package, files in FILES.items() if not find_spec(package) for file in files]
