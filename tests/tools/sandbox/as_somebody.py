"""Run a command as an ordinary user: `as_somebody.py COMMAND …`, by the superuser.

A folder of the superuser that is closed to others, and holds the interpreter, is empty but for that in the view of this
user, who may then run it.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from agent_rl.tools.sandbox.local.forked import kernel

SOMEBODY = 12345


def _open_the_way_to(folder: Path) -> None:
    """Let everybody reach a folder, whatever the folders above it allow."""
    closed = next((above for above in reversed(folder.parents) if not above.stat().st_mode & 0o001), None)
    if closed is None:
        return
    descriptor = os.open(folder, os.O_PATH)
    kernel.mount("none", "/", None, kernel.RECURSIVE | kernel.PRIVATE)
    kernel.mount("tmpfs", str(closed), "tmpfs", 0, "mode=0755")
    folder.mkdir(parents=True)
    kernel.mount(f"/proc/self/fd/{descriptor}", str(folder), None, kernel.BIND | kernel.RECURSIVE)
    os.close(descriptor)


if __name__ == "__main__":
    kernel.unshare(kernel.NEW_NS)
    _open_the_way_to(Path(sys.base_prefix))
    os.setgroups([])
    os.setresgid(SOMEBODY, SOMEBODY, SOMEBODY)
    os.setresuid(SOMEBODY, SOMEBODY, SOMEBODY)
    os.environ["HOME"] = "/nonexistent"
    os.execvp(sys.argv[1], sys.argv[1:])
