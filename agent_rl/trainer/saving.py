"""How workers get what they hold onto the disk: at once, or copied at once and written by a thread beside them."""

import threading
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import torch
from torch import Tensor, distributed

from agent_rl.trainer.ranks import Ranks

Write = Callable[[], object]
"""Writes something; on several ranks all call it together."""


class Errand:
    """Something that a thread does, once."""

    def __init__(self, act: Callable[[], object]) -> None:
        """Begin it."""
        self._act = act
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="agent_rl-errand")
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether it goes on."""
        return self._thread.is_alive()

    def wait(self) -> None:
        """Wait for its end.

        Raises:
            Exception: What it raised.
        """
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            self._act()
        except Exception as error:
            self._failure = error


class Saving(Protocol):
    """A way to write."""

    @property
    def group(self) -> Any:
        """The process group by which ranks agree on what each writes; None for the default one."""
        ...

    def keep(self, thing: Any) -> Any:
        """Return tensors, or dicts and lists with tensors in them, as they will be written."""
        ...

    def first(self, act: Write) -> object:
        """Let rank 0 alone write something."""
        ...

    def write(self, writes: Iterable[Write]) -> None:
        """Write."""
        ...


class AtOnce:
    """Writes what is there, and returns when it is written."""

    group = None

    def __init__(self, ranks: Ranks) -> None:
        """Write on `ranks`."""
        self._ranks = ranks

    def keep(self, thing: Any) -> Any:
        """Return it itself: it does not change meanwhile."""
        return thing

    def first(self, act: Write) -> object:
        """Let rank 0 alone write something while the others wait."""
        return self._ranks.first(act)

    def write(self, writes: Iterable[Write]) -> None:
        """Write one after the other."""
        for write in writes:
            write()


class Behind:
    """Copies what is there into main memory, and lets a thread write it; one checkpoint at a time."""

    def __init__(self, ranks: Ranks) -> None:
        """Write on `ranks`."""
        self._ranks = ranks
        self._group: Any = None
        self._errand: Errand | None = None

    @property
    def group(self) -> Any:
        """A group of its own: in the others, the ranks go on computing meanwhile. All ask for it together."""
        if self._group is None:
            self._group = distributed.new_group(backend="gloo")
        return self._group

    def keep(self, thing: Any) -> Any:
        """Return a copy."""
        if not self._ranks.sharded:
            return _copied(thing)
        from torch.distributed.checkpoint.staging import BlockingAsyncStager

        return BlockingAsyncStager().stage(thing)

    def first(self, act: Write) -> object:
        """Let rank 0 alone write something; nobody waits."""
        return act() if self._ranks.rank == 0 else None

    def write(self, writes: Iterable[Write]) -> None:
        """Let the thread write one after the other; `done` says when.

        Raises:
            Exception: What kept it from writing the checkpoint before.
        """
        if self._errand is not None:
            self._errand.wait()
        writes = list(writes)
        self._errand = Errand(lambda: [write() for write in writes])

    def done(self) -> bool:
        """Return whether all is written.

        Raises:
            Exception: What kept it from being written.
        """
        if self._errand is None:
            return True
        if self._errand.running:
            return False
        self._errand.wait()
        return True


def _copied(thing: Any) -> Any:
    if isinstance(thing, Tensor):
        return thing.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
    if isinstance(thing, dict):
        return {key: _copied(value) for key, value in thing.items()}
    return [_copied(value) for value in thing] if isinstance(thing, list) else thing
