"""Threads of torch for small batches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

SMALL = 2**26
"""Multiplications that one thread does in about 20 ms; below, waking the others may take longer than the work."""


@contextmanager
def threads_for(multiplications: int) -> Iterator[None]:
    """One thread of torch for the calling thread, where the work ahead is small.

    Threads of OpenMP spin while they wait for each other. Where other programs use the cores, a batch of a tenth of a
    millisecond then takes a hundred. The former number of threads comes back at the end. It belongs to each thread of
    Python, so others are not slowed, except one that calls torch for the first time meanwhile: it keeps the one thread
    until it sets a number of its own.

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
    if before == 1 or multiplications > SMALL:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def weights(network: torch.nn.Module) -> int:
    """The number of weights, which is that of multiplications for each row.

    Example:
        >>> weights(torch.nn.Linear(8, 4))
        36
    """
    return sum(values.numel() for values in network.parameters())
