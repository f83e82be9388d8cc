"""Threads of torch for small batches."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

SMALL = 2**26
"""Multiplications that one thread does in about 20 ms; for less, waking the others may take longer than the work."""
HERE = os.getpid()
"""The process that has imported this; another one is a fork of it."""


@contextmanager
def threads_for(multiplications: int) -> Iterator[None]:
    """A context in which torch uses one thread, if the work is small, or in a fork, where other threads do not exist.

    OpenMP threads spin while they wait for each other; if other programs use the cores, a batch of a tenth of a
    millisecond may take a hundred milliseconds. The previous number of threads is restored at the end. The setting
    belongs to the calling Python thread, so others are not slowed, except one that first calls torch meanwhile: it
    keeps a single thread until it sets its own number.

    Source: OpenMP 5.2, section 2.4, on ``nthreads-var``; torch's ParallelOpenMP.cpp.

    Example:
        >>> before = torch.get_num_threads()
        >>> with threads_for(100):
        ...     torch.get_num_threads()
        1
        >>> torch.get_num_threads() == before
        True
    """
    before = torch.get_num_threads()
    if before == 1 or (multiplications > SMALL and os.getpid() == HERE):
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def weights(network: torch.nn.Module) -> int:
    """The number of weights, which equals the multiplications per row.

    Example:
        >>> weights(torch.nn.Linear(8, 4))
        36
    """
    return sum(values.numel() for values in network.parameters())
