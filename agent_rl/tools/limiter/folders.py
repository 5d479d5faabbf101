"""The folder of a limiter's socket; those of processes that were killed are cleared."""

import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SOCKET = "limiter"
"""The name of the socket in its folder."""
_PLACE = Path("/tmp")  # a socket's path must be short
_PREFIX = "agent_rl_limiter_"


@contextmanager
def socket_folder() -> Iterator[Path]:
    """Give a folder that only this user may enter while the block runs, after clearing what killed ones have left.

    Whoever runs a limiter holds a lock on its folder, which ends with the process. No socket lies in a folder before
    it is locked, so that one with a socket and without a lock is nobody's any more.
    """
    _clear()
    made = tempfile.TemporaryDirectory(prefix=_PREFIX, dir=_PLACE)
    held = os.open(made.name, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield Path(made.name)
    finally:
        made.cleanup()
        os.close(held)


def _clear() -> None:
    for path in _PLACE.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # it is locked, is no folder, or has gone meanwhile
            folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                _clear_one(path, folder)
            finally:
                os.close(folder)


def _clear_one(path: Path, folder: int) -> None:
    """Remove a folder of this user that nobody has locked, and that holds a socket alone."""
    if os.fstat(folder).st_uid != os.geteuid():
        return
    fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    if os.listdir(folder) != [SOCKET]:
        return
    if stat.S_ISSOCK(os.stat(SOCKET, dir_fd=folder, follow_symlinks=False).st_mode):
        os.unlink(SOCKET, dir_fd=folder)
        path.rmdir()
