"""One rank: the workers of a process, and how they are called from another one. It runs in an actor."""

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch._C._distributed_c10d import TCPStore
from torch.distributed import init_process_group

from agent_rl.rollout.engines.base import Weights
from agent_rl.trainer.algorithms import Batch

Make = Callable[[], Mapping[str, Any]]
"""Returns the workers of a rank by name; called when all ranks have met."""
_MEETING = timedelta(minutes=10)


@dataclass(frozen=True)
class Reply:
    """What a call returned.

    Attributes:
        value: Of rank 0; None of others.
        updates: What the worker counts, if it counts.
        skipped: Likewise.
        warned: What the rank has warned of since its last reply: the logger, the level and the message.
    """

    value: Any
    updates: int | None = None
    skipped: int | None = None
    warned: tuple[tuple[str, int, str], ...] = ()


@dataclass(frozen=True)
class Bucket:
    """Some weights as the bytes of one array.

    Attributes:
        names: Of the tensors.
        shapes: Of each.
        dtypes: Of each.
        content: The tensors one behind the other.
    """

    names: list[str]
    shapes: list[torch.Size]
    dtypes: list[torch.dtype]
    content: NDArray[np.uint8]

    @classmethod
    def of(cls, tensors: list[tuple[str, Tensor]]) -> "Bucket":
        """Return a copy of tensors on any device."""
        flat = [tensor.detach().contiguous().view(-1).view(torch.uint8).cpu() for _, tensor in tensors]
        content: NDArray[np.uint8] = torch.cat(flat).numpy()
        return cls([name for name, _ in tensors], [t.shape for _, t in tensors], [t.dtype for _, t in tensors], content)

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Yield the tensors, each a copy in the memory of this process."""
        place = 0
        for name, shape, dtype in zip(self.names, self.shapes, self.dtypes, strict=True):
            size = shape.numel() * dtype.itemsize
            tensor = torch.empty(shape, dtype=dtype)
            if size:  # an empty tensor cannot be seen as bytes
                tensor.view(-1).view(torch.uint8).numpy()[:] = self.content[place : place + size]
            yield name, tensor
            place += size


class Rank:
    """Holds the same workers as the other ranks, and makes every call that they make."""

    def __init__(self, folder: str, threads: int) -> None:
        """Work in `folder`, where relative paths begin, and compute with `threads` threads."""
        if Path(folder).is_dir():
            os.chdir(folder)
        torch.set_num_threads(threads)
        self.rank = 0
        self._warnings = _Warnings()
        self._store: TCPStore | None = None
        self._workers: dict[str, Any] = {}
        self._weights: Iterator[tuple[str, Tensor]] = iter(())

    def place(self) -> tuple[str, int]:
        """Return what Ray calls its machine, and its process."""
        from ray import get_runtime_context

        return get_runtime_context().get_node_id(), os.getpid()

    def invite(self, host: str, world: int) -> int:
        """Let `world` ranks meet here, as rank 0; return the port of `host` at which it listens already."""
        self._store = TCPStore(host, 0, world, is_master=True, wait_for_workers=False, timeout=_MEETING)
        return self._store.port

    def meet(self, host: str, port: int, rank: int, world: int, backend: str) -> None:
        """Be rank `rank` of the `world` ranks that meet at rank 0."""
        self.rank = rank
        store = self._store or TCPStore(host, port, world, is_master=False, timeout=_MEETING)
        init_process_group(backend, store=store, rank=rank, world_size=world)

    def make(self, make: Make) -> dict[str, Reply]:
        """Make the workers; return what each counts by now."""
        self._workers = dict(make())
        return {name: self._counted(worker, None) for name, worker in self._workers.items()}

    def call(self, worker: str, method: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> Reply:
        """Call a method of a worker; rank 0 alone returns what it does."""
        held = self._workers[worker]
        value = getattr(held, method)(*arguments, **options)
        return self._counted(held, self._told(arguments, value))

    def begin_weights(self, worker: str) -> None:
        """Let `next_weights` begin with the first of a worker's weights as they are now."""
        weights: Weights = self._workers[worker].weights(0)
        self._weights = iter(weights.tensors())

    def next_weights(self, most: int) -> Bucket | None:
        """Return the next weights, until they are `most` bytes or more; None behind the last.

        All ranks go on alike, as those that hold a part of each tensor must, but rank 0 alone returns any.
        """
        taken: list[tuple[str, Tensor]] = []
        held = 0
        for name, tensor in self._weights:
            held += tensor.numel() * tensor.element_size()
            taken.append((name, tensor if self.rank == 0 else tensor.new_empty(0)))
            if held >= most:
                break
        return Bucket.of(taken) if taken and self.rank == 0 else None

    def save_weights(self, worker: str, folder: Path) -> None:
        """Write a worker's model in Hugging Face format."""
        self._workers[worker].weights(0).save(folder)

    def _told(self, arguments: tuple[Any, ...], value: Any) -> Any:
        """Return what is worth sending: of a batch that was annotated, the new notes alone."""
        if self.rank:
            return None
        if isinstance(value, Batch):
            before = arguments[0].notes
            return {name: note.cpu() for name, note in value.notes.items() if name not in before}
        return value

    def _counted(self, worker: Any, value: Any) -> Reply:
        counts = getattr(worker, "updates", None), getattr(worker, "skipped", None)
        return Reply(value, *counts, self._warnings.taken())


class _Warnings(logging.Handler):
    """Keeps what is warned of in this process, whose own output nobody reads."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._kept: list[tuple[str, int, str]] = []
        logging.getLogger("agent_rl").addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self._kept.append((record.name, record.levelno, record.getMessage()))

    def taken(self) -> tuple[tuple[str, int, str], ...]:
        """Return what was kept, and keep it no longer."""
        kept, self._kept = tuple(self._kept), []
        return kept
