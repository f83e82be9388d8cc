"""Processes that train together: torchrun starts them, each has its own batches, and they average their gradients."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import distributed


@dataclass(frozen=True)
class Processes:
    """The number of this process, and of all."""

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this process validates and writes the files."""
        return self.rank == 0

    def same(self, tensors: Iterable[torch.Tensor]) -> None:
        """Give all processes the tensors of the first one."""
        if self.count > 1:
            for tensor in tensors:
                distributed.broadcast(tensor.data, src=0)

    def told(self, value: Any) -> Any:
        """The value of the first process."""
        if self.count == 1:
            return value
        box = [value]
        distributed.broadcast_object_list(box, src=0)
        return box[0]

    def mean(self, loss: torch.Tensor, parameters: Sequence[torch.nn.Parameter]) -> float:
        """The mean of the loss over the processes; the gradients become their means, too.

        A parameter without a gradient in any process keeps none, so that the optimiser passes over it.
        """
        if self.count == 1:
            return float(loss.detach())
        there = [float(p.grad is not None) for p in parameters]
        grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        kind = torch.promote_types(loss.dtype, max((g.dtype for g in grads), key=lambda d: d.itemsize))
        head = torch.tensor([float(loss.detach()), *there], dtype=kind, device=grads[0].device)
        flat = torch.cat([head, *(g.detach().reshape(-1).to(kind) for g in grads)])
        distributed.all_reduce(flat)
        sums = flat.split([len(head), *(g.numel() for g in grads)])
        for p, seen, total in zip(parameters, sums[0][1:].tolist(), sums[1:], strict=True):
            p.grad = (total / self.count).reshape(p.shape).to(p.dtype) if seen else None
        return float(sums[0][0]) / self.count


@contextmanager
def joined(device: torch.device) -> Iterator[Processes]:
    """The processes that torchrun started, or this one alone. A process group that exists is used, and left open."""
    if not distributed.is_available() or not (launched() or distributed.is_initialized()):
        yield Processes()
        return
    mine = not distributed.is_initialized()
    if device.type == "cuda":
        torch.cuda.set_device(device)  # NCCL talks through the current GPU
    if mine:
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Processes(distributed.get_rank(), distributed.get_world_size())
    finally:
        if mine:
            distributed.destroy_process_group()


def rank() -> int:
    """The number of this process among those that torchrun started; 0 without it."""
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank()
    return int(os.environ["RANK"]) if launched() else 0


def launched() -> bool:
    """Whether torchrun started this process, with others. Other launchers set some of these variables, but not all."""
    there = {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"} <= os.environ.keys()
    return there and int(os.environ["WORLD_SIZE"]) > 1


def first_process() -> bool:
    """Whether this process is the one that writes files and prints: under torchrun, the first one; else always.

    Example:
        >>> first_process()
        True
    """
    return rank() == 0
