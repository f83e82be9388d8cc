"""The random numbers of training: those of a step depend on the seed, the step and the process alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch


def stream(seed: int, step: int, rank: int = 0) -> np.random.Generator:
    """The random numbers of a step, by a counter-based generator: nothing has to be kept between steps.

    Source: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.

    Example:
        >>> stream(3, 5).random() == stream(3, 5).random(), stream(3, 5).random() == stream(3, 6).random()
        (True, False)
    """
    return np.random.Generator(np.random.Philox(key=seed % 2**128, counter=[0, 0, step, rank]))


@contextmanager
def torch_streams(device: torch.device) -> Iterator[Callable[[int], None]]:
    """A function that seeds torch's own streams; the caller finds them unchanged afterwards."""
    gpus = [device] if device.type == "cuda" else []
    streams = [torch.default_generator, *(torch.cuda.default_generators[gpu.index or 0] for gpu in gpus)]

    def seed(number: int) -> None:
        for each in streams:  # torch.manual_seed does the same in 90 us instead of 1
            each.manual_seed(number)

    with torch.random.fork_rng(devices=gpus):
        yield seed
