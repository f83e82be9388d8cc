"""Films of episodes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils import RecordConstructorArgs

from ...core import SettingError, require
from ...core.settings import Count, Positive, setting


class VideoRecorder(gymnasium.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """An environment whose episodes are written as films: ``folder/episode-0000.mp4``, ``episode-0001.mp4``, ...

    A film begins at a reset, and is complete when its episode ends, at the next reset, or at `close`; until then it has
    another name. Films that are in the folder stay, and numbers go on after theirs. `imageio` writes them in H.264; a
    row or column of pixels is cut off where a side is odd.

    Args:
        env: any environment with ``render_mode="rgb_array"``.
        folder: the folder of the films, which is made.
        every: films the first episode, and each one that is `every` later.
        fps: frames per second; default: those of the environment, in real time.

    Raises:
        MissingExtra: if imageio or its ffmpeg is not installed.
        SettingError: if the environment renders no pictures.

    Example:
        >>> import tempfile
        >>> import pilotage.envs
        >>> folder = tempfile.mkdtemp()
        >>> env = VideoRecorder(gymnasium.make("pilotage/Pendulum-v0", render_mode="rgb_array"), folder)
        >>> start, result = env.reset(seed=0), env.step([1.0])
        >>> env.close()
        >>> os.listdir(folder)
        ['episode-0000.mp4']
    """

    def __init__(
        self, env: gymnasium.Env[Any, Any], folder: str | os.PathLike[str], every: int = 1, fps: float | None = None
    ) -> None:
        RecordConstructorArgs.__init__(self, folder=folder, every=every, fps=fps)
        gymnasium.Wrapper.__init__(self, env)
        for package in ("imageio", "imageio_ffmpeg"):
            require(package, extra="video")
        if env.render_mode != "rgb_array":
            raise SettingError(f"render_mode is {env.render_mode!r}; make the environment with render_mode='rgb_array'")
        self._folder, self._every = Path(folder), setting(every, Count, "every")
        self._fps = setting(fps or env.metadata.get("render_fps", 30), Positive, "fps")
        self._folder.mkdir(parents=True, exist_ok=True)
        self._episodes, self._film = 0, None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start an episode, and its film if it has one."""
        self._finish()
        begun = self.env.reset(seed=seed, options=options)
        if self._episodes % self._every == 0:
            self._film = Film(free_name(self._folder), self._fps)
        self._episodes += 1
        self._add()
        return begun

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """A tick, which is filmed."""
        result = self.env.step(action)
        self._add()
        if result[2] or result[3]:
            self._finish()
        return result

    def close(self) -> None:
        """Complete the film, and close the environment."""
        self._finish()
        super().close()

    def __getstate__(self) -> dict[str, Any]:
        """A copy does not film the rest of this episode."""
        return {**vars(self), "_film": None}

    def _add(self) -> None:
        if self._film is not None:
            self._film.add(self.env.render())

    def _finish(self) -> None:
        film, self._film = self._film, None
        if film is not None:
            film.close()


class Film:
    """A film that is being written, beside the path at which it appears when it is complete."""

    def __init__(self, path: Path, fps: float) -> None:
        self._path, self._beside = path, path.with_name(f".{path.name}.{os.getpid()}.mp4")
        self._writer = require("imageio.v2", extra="video").get_writer(
            self._beside, format="FFMPEG", fps=fps, codec="libx264", macro_block_size=1, pixelformat="yuv420p"
        )

    def add(self, picture: Any) -> None:
        """Append a picture ``uint8 (height, width, 3)``."""
        frame = np.asarray(picture)
        height, width = (side - side % 2 for side in frame.shape[:2])
        self._writer.append_data(np.ascontiguousarray(frame[:height, :width]))

    def close(self) -> None:
        """Complete the film."""
        self._writer.close()
        os.replace(self._beside, self._path)


def free_name(folder: Path) -> Path:
    """The path of the next film of a folder.

    Example:
        >>> import tempfile
        >>> free_name(Path(tempfile.mkdtemp())).name
        'episode-0000.mp4'
    """
    taken = [int(n) for file in folder.glob("episode-*.mp4") if (n := file.stem.rpartition("-")[2]).isdigit()]
    return folder / f"episode-{max(taken, default=-1) + 1:04d}.mp4"
