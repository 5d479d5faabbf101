"""What was made of a file, kept until the file changes."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")
Stamp = tuple[int, int] | None


def stamp(path: Path) -> Stamp:
    """Return what changes when a file does, its time and size; None when there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


class FileCache(Generic[T]):
    """Makes things of files, each once, and keeps those that were used last, up to a size together."""

    def __init__(self, make: Callable[[Path], T], size: Callable[[T], int], most: int) -> None:
        """Keep what `make` returns, as long as the sizes together are at most `most`; the last one always."""
        self._make, self._size, self._most = make, size, most
        self._kept: OrderedDict[Path, tuple[Stamp, T]] = OrderedDict()
        self._lock = threading.Lock()
        self._making: dict[Path, threading.Lock] = {}

    def get(self, path: Path) -> T:
        """Return what belongs to the file as it is now; several threads that ask for the same wait for one of them."""
        with self._lock:
            making = self._making.setdefault(path, threading.Lock())
        with making:
            kept = self._kept_as_is(path)
            return self._make_anew(path) if kept is None else kept

    def peek(self, path: Path) -> T | None:
        """Return what belongs to the file as it is now if it was made already."""
        return self._kept_as_is(path)

    def _kept_as_is(self, path: Path) -> T | None:
        with self._lock:
            before, thing = self._kept.get(path, (None, None))
            if thing is None or before != stamp(path):
                return None
            self._kept.move_to_end(path)
            return thing

    def _make_anew(self, path: Path) -> T:
        before = stamp(path)  # before it is read: what is written meanwhile makes it old
        made = self._make(path)
        with self._lock:
            self._kept[path] = before, made
            self._kept.move_to_end(path)
            while len(self._kept) > 1 and sum(self._size(thing) for _, thing in self._kept.values()) > self._most:
                self._kept.popitem(last=False)
        return made
