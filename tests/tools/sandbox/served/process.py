"""`agent-rl serve sandbox` in a process of its own."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def serving(*words: str) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """Give the address and the process of a server, which is asked to stop when the block ends."""
    command = [sys.executable, "-m", "agent_rl.cli", "serve", "sandbox", "port=0", *words]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        lines = [server.stdout.readline() for _ in range(2)]
        assert "listening on" in lines[1], lines
        yield lines[1].split()[2], server
    finally:
        server.terminate()
        try:
            assert server.wait(timeout=120) in (0, 143)
        finally:
            server.kill()
            server.stdout.close()
