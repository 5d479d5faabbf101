"""Serving HTTP until interrupted."""

import socket
from collections.abc import Callable
from importlib.util import find_spec
from types import FrameType
from typing import Any

from agent_rl.core.errors import UserError


def check_installed() -> None:
    """Raise `UserError` when what a server needs is not installed."""
    missing = [name for name in ("fastapi", "uvicorn") if find_spec(name) is None]
    if missing:
        raise UserError(f"a server needs {' and '.join(missing)}: pip install 'agent-rl[serve]'")


def serve(app: Any, host: str, port: int, routes: str, stopping: Callable[[], None] = lambda: None) -> None:
    """Serve an ASGI application until SIGTERM or Ctrl-C: requests that are being answered still are, new ones refused.

    Args:
        app: The application.
        host: The address to listen on.
        port: The port; 0 takes a free one, which is printed.
        routes: What to print behind the address.
        stopping: Called when the server begins to stop.
    """
    import uvicorn

    class Server(uvicorn.Server):  # type: ignore[misc]  # uvicorn is not checked
        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            stopping()
            super().handle_exit(sig, frame)

    with _listening(host, port) as listener:
        at, port = listener.getsockname()[:2]
        print(f"listening on http://{at}:{port} ({routes}, /docs)", flush=True)
        Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])


def _listening(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), backlog=1024)
    except OSError as error:
        raise UserError(f"cannot listen on {host}:{port}: {error}") from error
