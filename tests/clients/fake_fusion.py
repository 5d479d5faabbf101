"""A server that speaks Sandbox Fusion's contract and runs nothing: it answers what a test wants, in order."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


def ran(stdout: str = "", *, code: int | None = 0, status: str = "Finished", stderr: str = "", **more: Any) -> Any:
    """Return the body of an answer to a program that was run, as a Sandbox Fusion without our additions gives it."""
    command = {"status": status, "execution_time": 0.1, "return_code": code, "stdout": stdout, "stderr": stderr}
    success = status == "Finished" and code == 0
    return {"status": "Success" if success else "Failed", "message": "", "run_result": command, "files": {}, **more}


class FakeFusion:
    """What is answered, and what was asked.

    Attributes:
        replies: `(status, body)` or `(status, body, headers)` in order, the last for ever; a status of 0 closes the
            connection without an answer. A body that is no bytes is written as JSON.
        asked: The requests' bodies so far.
    """

    def __init__(self, *replies: Any) -> None:
        self.replies = list(replies)
        self.asked: list[dict[str, Any]] = []
        self.url = ""


@contextmanager
def fusion(*replies: Any) -> Iterator[FakeFusion]:
    """Serve the replies while the block runs."""
    fake = FakeFusion(*replies)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            fake.asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            status, body, *headers = fake.replies.pop(0) if len(fake.replies) > 1 else fake.replies[0]
            if not status:
                self.close_connection = True
                return
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in {"content-length": str(len(content)), **dict(*headers)}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        fake.url = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        try:
            yield fake
        finally:
            server.shutdown()
