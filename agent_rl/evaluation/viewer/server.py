"""The viewer's server: the page and its data over HTTP, for this machine alone unless the user says otherwise."""

import errno
import gzip
import ipaddress
import json
import socket
import sys
from collections.abc import Sequence
from hashlib import blake2b
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from agent_rl.core.errors import UserError
from agent_rl.evaluation.viewer.library import Library, NotThereError, to_json

PAGE = Path(__file__).parent / "page"
FIRST_PORT, _PORTS = 7710, 100
LOCAL = "127.0.0.1"
_LOCAL_NAMES = (LOCAL, "::1", "localhost")

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
}
_JSON = "application/json; charset=utf-8"
_LARGE = 1 << 14  # bytes from which an answer is compressed
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",  # ask each time whether it has changed
    "Vary": "Accept-Encoding",
}


class Viewer(ThreadingHTTPServer):
    """Serves a library."""

    daemon_threads = True

    def __init__(self, library: Library, host: str = LOCAL, port: int | None = None) -> None:
        """Listen at `port` of `host`, or at the first port from 7710 on that is free.

        Raises:
            UserError: The port is taken, or there is no such host.
        """
        self.library = library
        self._host = host
        try:
            self.address_family = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][0]
            super().__init__((host, port or FIRST_PORT), _Handler, bind_and_activate=False)
            self._listen([port] if port is not None else range(FIRST_PORT, FIRST_PORT + _PORTS))
        except (OSError, OverflowError) as error:
            raise UserError(f"cannot listen at {host}:{port or FIRST_PORT}: {error}") from error

    @property
    def url(self) -> str:
        """Where it is, as this machine calls it."""
        host = LOCAL if self._host in ("0.0.0.0", "::") else self._host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.server_port}/"

    @property
    def local(self) -> bool:
        """Whether only this machine reaches it."""
        return ipaddress.ip_address(str(self.server_address[0])).is_loopback

    def called(self, name: str, port: int) -> bool:
        """Whether it is served under a name: that of another site may point here too, and its page ask for our data.

        Where other machines reach it they may call it by its numbers, which no site has for a name.
        """
        if port != self.server_port:
            return False
        if name in (self._host, *_LOCAL_NAMES):
            return True
        return not self.local and (name == socket.gethostname().lower() or _is_number(name))

    def server_bind(self) -> None:
        """Bind, without the name server's opinion of what we are called, which may take long."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self._host, self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a browser that went away."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)

    def _listen(self, ports: Sequence[int]) -> None:
        for port in ports:
            self.server_address = (self._host, port)
            try:
                self.server_bind()
                return self.server_activate()
            except OSError as error:
                self.server_close()
                if error.errno != errno.EADDRINUSE or port == ports[-1]:
                    raise
                self.socket = socket.socket(self.address_family, self.socket_type)


class _Handler(BaseHTTPRequestHandler):
    server: Viewer
    server_version, sys_version = "agent_rl", ""
    protocol_version = "HTTP/1.1"
    timeout = 60.0  # seconds that a connection may say nothing

    def do_GET(self) -> None:
        """Answer."""
        if not self._allowed():
            return self._send(_json_error("this viewer is not served under that name"), HTTPStatus.FORBIDDEN)
        address = urlsplit(self.path)
        try:
            if address.path.startswith("/api/"):
                query = dict(parse_qsl(address.query, keep_blank_values=True))
                return self._send(to_json(self.server.library.answer(address.path, query)))
            file = PAGE / _page_file(address.path)
            self._send(file.read_bytes(), kind=_TYPES[file.suffix])
        except NotThereError as error:
            self._send(_json_error(str(error)), HTTPStatus.NOT_FOUND)
        except UserError as error:
            self._send(_json_error(str(error)), HTTPStatus.INTERNAL_SERVER_ERROR)

    do_HEAD = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing of requests."""

    def _allowed(self) -> bool:
        """Whether it was asked for under a name that it is served at."""
        host = self.headers.get("Host", "")
        try:
            asked = urlsplit(f"//{host}")
            return self.server.called(asked.hostname or "", asked.port or 80)
        except ValueError:
            return False

    def _send(self, body: bytes, status: HTTPStatus = HTTPStatus.OK, kind: str = _JSON) -> None:
        tag = f'"{blake2b(body, digest_size=12).hexdigest()}"'
        known = status is HTTPStatus.OK and self.headers.get("If-None-Match") == tag
        self.send_response(HTTPStatus.NOT_MODIFIED if known else status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("ETag", tag)
        if known:
            return self.end_headers()
        if len(body) >= _LARGE and "gzip" in self.headers.get("Accept-Encoding", ""):
            body = gzip.compress(body, compresslevel=1, mtime=0)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def page_files() -> list[str]:
    """Return the names of the page's files."""
    return sorted(file.name for file in PAGE.glob("[!.]*") if file.suffix in _TYPES)


def _page_file(path: str) -> str:
    """Return the name of the page's file at an address.

    Raises:
        NotThereError: There is none.
    """
    name = path.removeprefix("/") or "index.html"
    if name not in page_files():
        raise NotThereError(f"there is nothing under {path}")
    return name


def _is_number(name: str) -> bool:
    try:
        return bool(ipaddress.ip_address(name))
    except ValueError:
        return False


def _json_error(text: str) -> bytes:
    return json.dumps({"error": " ".join(text.split())}).encode()
