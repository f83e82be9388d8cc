"""Animations: the background is drawn once and only moving artists are redrawn, so a frame takes milliseconds."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from ..core import PilotageError, SettingError

COLORS = 96
"""Number of colours in the palette of a GIF: enough for drawings, and the file stays small."""


def write_animation(
    file: str | os.PathLike[str],
    figure: Figure,
    moving: Sequence[Artist],
    update: Callable[[int], object],
    frames: int,
    *,
    fps: float = 15.0,
) -> Path:
    """Write an animation of a figure: a GIF, or an mp4 if ffmpeg is installed.

    Args:
        file: path that ends in ``.gif`` or ``.mp4``; an existing file is replaced when the new one is complete.
        figure: the figure to animate.
        moving: the artists that `update` changes, in drawing order. All others are drawn once.
        update: function that changes the artists for frame ``i``.
        frames: number of frames, 1 or more.
        fps: frames per second.

    Raises:
        PilotageError: if the file ends otherwise, or ffmpeg is missing or fails.
        SettingError: if `frames` or `fps` is not positive.

    Example:
        >>> import tempfile
        >>> from pilotage.viz import draw_path, map_figure
        >>> figure, ax = map_figure([[0, 0], [2, 1]], width=2.0, dpi=50)
        >>> line = draw_path(ax, [[0, 0], [2, 1]])
        >>> film = tempfile.mkdtemp() + "/film.gif"
        >>> write_animation(film, figure, [line], lambda i: line.set_alpha(i / 4), 5).name
        'film.gif'
    """
    path = Path(file)
    if path.suffix not in (".gif", ".mp4"):
        raise PilotageError(f"{path.name} is no name for an animation; expected one that ends in .gif or .mp4")
    if frames < 1:
        raise SettingError(f"frames is {frames}; an animation has at least one frame")
    if not fps > 0.0:
        raise SettingError(f"fps is {fps}; expected more than 0 frames per second")
    pictures = (picture for picture in _pictures(figure, moving, update, frames))
    beside = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        (_write_gif if path.suffix == ".gif" else _write_mp4)(beside, pictures, fps)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
    return path


def _pictures(figure: Figure, moving: Sequence[Artist], update: Callable[[int], object], frames: int) -> Any:
    """The frames, ``(height, width, 3)`` each."""
    canvas = figure.canvas if isinstance(figure.canvas, FigureCanvasAgg) else FigureCanvasAgg(figure)
    for artist in moving:
        artist.set_animated(True)  # left out of the background
    canvas.draw()
    still = canvas.copy_from_bbox(figure.bbox)
    for i in range(frames):
        update(i)
        canvas.restore_region(still)
        for artist in moving:
            figure.draw_artist(artist)
        # A copy: the buffer is drawn over for the next frame.
        yield np.array(canvas.buffer_rgba())[..., :3]


def _write_gif(path: Path, pictures: Any, fps: float) -> None:
    """One palette for all frames, so that equal pixels stay equal and only what changed is stored."""
    kept = [Image.fromarray(np.ascontiguousarray(picture)) for picture in pictures]
    sample = np.concatenate([np.asarray(kept[i]) for i in sorted({0, len(kept) // 8, len(kept) // 2, len(kept) - 1})])
    palette = _palette(Image.fromarray(sample))
    indexed = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in kept]
    indexed[0].save(
        path,
        save_all=True,
        append_images=indexed[1:],
        duration=10 * max(1, round(100.0 / fps)),
        loop=0,
        optimize=False,
        disposal=1,
    )


def _palette(sample: Image.Image) -> Image.Image:
    """A palette with the most frequent colours exactly and colours that cover the rest: rare colours matter too."""
    pixels, counts = np.unique(np.asarray(sample).reshape(-1, 3), axis=0, return_counts=True)
    common = pixels[np.argsort(-counts)[: COLORS // 4]].tolist()
    covering = sample.quantize(COLORS - len(common), method=Image.Quantize.MAXCOVERAGE).getpalette() or []
    flat = [part for color in common for part in color] + covering[: 3 * (COLORS - len(common))]
    palette = Image.new("P", (1, 1))
    palette.putpalette(flat)
    return palette


def _write_mp4(path: Path, pictures: Any, fps: float) -> None:
    program = shutil.which("ffmpeg")
    if program is None:
        raise PilotageError("an mp4 needs the program ffmpeg, which is not installed; name the file .gif instead")
    first: NDArray[np.uint8] = next(pictures)
    # The codec wants even sides.
    height, width = (side - side % 2 for side in first.shape[:2])
    command = [program, "-y", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}"]
    command += ["-r", f"{fps:g}", "-i", "-", "-pix_fmt", "yuv420p", str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # ffmpeg has stopped; its own error says why
            for picture in chain((first,), pictures):
                process.stdin.write(np.ascontiguousarray(picture[:height, :width]).tobytes())
        _, error = process.communicate()
    if process.returncode:
        raise PilotageError(f"ffmpeg could not write {path.name}: {error.decode().strip()}")
