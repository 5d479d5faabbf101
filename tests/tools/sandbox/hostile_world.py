"""A host with something to lose: a secret in every place where programs look for one, services, and a witness."""

import ctypes
import json
import os
import secrets
import selectors
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

VARIABLE = "AGENT_RL_TEST_SECRET"
REPOSITORY = Path(__file__).resolve().parents[3]
_SYSTEM_CALLS = {"x86_64": (248, 250), "aarch64": (217, 219)}  # add_key, keyctl
_JOIN_SESSION_KEYRING, _SESSION_KEYRING, _REMOVE = 1, -3, 0
_libc = ctypes.CDLL(None, use_errno=True)


class World:
    """Puts the secret of the environment everywhere, and notes who comes to the services. A context manager.

    Attributes:
        secret: What no program may know.
        marker: What hostile programs put into the names of all that they leave behind.
        known: What an attacker could know: ports, paths and process ids.
        visits: Who came to a service, a sentence each.
    """

    def __init__(self) -> None:
        self.secret = os.environ[VARIABLE]
        self.marker = f"hostile-{secrets.token_hex(6)}"
        self.visits: list[str] = []
        self._closing = threading.Event()
        self._folder = tempfile.TemporaryDirectory(prefix="hostile-world-")
        home = Path(self._folder.name)
        self.home = home
        number = secrets.randbelow(1 << 30) + 1
        self.known: dict[str, Any] = {
            "parent": os.getpid(), "marker": self.marker, "home": str(home), "secret_file": str(home / ".netrc"),
            "repository": str(REPOSITORY), "package": str(REPOSITORY / "agent_rl" / "tools" / "sandbox"),
            "shm_name": f"{self.marker}-shm", "shm_key": number, "queue": f"/{self.marker}",
            "key": f"{self.marker}-key", "abstract": f"{self.marker}-abstract", "unix": str(home / "socket"),
        }  # fmt: skip

    def __enter__(self) -> "World":
        (self.home / ".netrc").write_text(f"password root: {self.secret}\n")
        (self.home / ".netrc").chmod(0o600)
        Path("/dev/shm", self.known["shm_name"]).write_text(self.secret)
        self._segment = self._share()
        self._queue = self._post()
        self._keep_key()
        command = [sys.executable, "-c", "input()", self.secret]  # ends with this process
        quiet = subprocess.DEVNULL
        self.sentinel = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet)
        self.known["sentinel"] = self.sentinel.pid
        self._serve()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        for thread in self._threads:
            thread.join()
        self.sentinel.kill()
        self.sentinel.communicate()
        _libc.shmctl(self._segment, _REMOVE, None)
        _libc.mq_unlink(self.known["queue"].encode())
        os.close(self._queue)
        Path("/dev/shm", self.known["shm_name"]).unlink()
        self._folder.cleanup()

    def files(self) -> dict[str, bytes]:
        """Return what is known as files that Python, a shell and C read."""
        shell = "".join(f"{key}='{value}'\n" for key, value in self.known.items())
        header = f'#define SECRET_FILE "{self.known["secret_file"]}"\n'
        return {"world.json": json.dumps(self.known).encode(), "world.sh": shell.encode(), "world.h": header.encode()}

    def damage(self) -> list[str]:
        """Return what of the host is not as it was, a sentence each."""
        found = list(self.visits)
        state = Path(f"/proc/{self.sentinel.pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        if self.sentinel.poll() is not None or state in "TtZX":
            found.append(f"the neighbouring process is in state {state}")
        if (
            sorted(os.listdir(self.home)) != [".netrc", "socket"]
            or self.secret not in (self.home / ".netrc").read_text()
        ):
            found.append(f"the home has changed: {sorted(os.listdir(self.home))}")
        if self.marker in socket.gethostname():
            found.append("the machine has another name")
        for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]:
            if 0 < int(line.split()[0]) - self.known["shm_key"] < 20:
                found.append("a shared segment was left")
        return found + self._left_behind()

    def _left_behind(self) -> list[str]:
        """Return what has the marker in its name and is not the world's own."""
        found = []
        for top in {"/", "/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue", "/run", tempfile.gettempdir(), os.getcwd()}:
            for where, folders, names in os.walk(top):
                if len(Path(where).relative_to(top).parts) > (0 if top == "/" else 2):
                    folders.clear()
                    continue
                own = (self.known["shm_name"], self.known["queue"][1:])
                found += [f"{where}/{name} was left" for name in names if self.marker in name and name not in own]
        return found

    def _share(self) -> int:
        """Make a segment of System V with the secret in it."""
        _libc.shmat.restype = ctypes.c_void_p
        segment = _libc.shmget(self.known["shm_key"], ctypes.c_size_t(4096), 0o1600)
        address = ctypes.c_void_p(_libc.shmat(segment, None, 0))
        ctypes.memmove(address, self.secret.encode(), len(self.secret))
        _libc.shmdt(address)
        return int(segment)

    def _post(self) -> int:
        """Make a message queue."""
        queue = int(_libc.mq_open(self.known["queue"].encode(), os.O_CREAT | os.O_RDWR, 0o600, None))
        os.set_inheritable(queue, False)
        return queue

    def _keep_key(self) -> None:
        """Put the secret into a session keyring of this process's own, which its children inherit."""
        add_key, keyctl = _SYSTEM_CALLS[os.uname().machine]
        _libc.syscall(keyctl, _JOIN_SESSION_KEYRING, None)
        text = self.secret.encode()
        _libc.syscall(add_key, b"user", self.known["key"].encode(), text, ctypes.c_size_t(len(text)), _SESSION_KEYRING)

    def _serve(self) -> None:
        """Open the services, and knock at the door that a program may open."""
        selector = selectors.DefaultSelector()
        for name, server in {
            "tcp": socket.create_server(("127.0.0.1", 0)),
            "udp": socket.socket(type=socket.SOCK_DGRAM),
            "abstract": socket.socket(socket.AF_UNIX),
            "unix": socket.socket(socket.AF_UNIX),
        }.items():
            if name == "udp":
                server.bind(("127.0.0.1", 0))
            elif name != "tcp":
                server.bind(f"\0{self.known['abstract']}" if name == "abstract" else self.known["unix"])
                server.listen()
            if name in ("tcp", "udp"):
                self.known[name] = server.getsockname()[1]
            selector.register(server, selectors.EVENT_READ, name)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.known["listen"] = free.getsockname()[1]
        self._threads = [threading.Thread(target=self._answer, args=(selector,)), threading.Thread(target=self._knock)]
        for thread in self._threads:
            thread.start()

    def _answer(self, selector: selectors.BaseSelector) -> None:
        while not self._closing.is_set():
            for key, _ in selector.select(0.1):
                self.visits.append(f"somebody came to the service {key.data}")
                if key.data == "udp":
                    _, sender = key.fileobj.recvfrom(1000)  # type: ignore[union-attr]
                    key.fileobj.sendto(self.secret.encode(), sender)  # type: ignore[union-attr]
                else:
                    connection, _ = key.fileobj.accept()  # type: ignore[union-attr]
                    connection.sendall(self.secret.encode())
                    connection.close()
        for key in list(selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
        selector.close()

    def _knock(self) -> None:
        while not self._closing.wait(0.05):
            try:
                socket.create_connection(("127.0.0.1", self.known["listen"]), timeout=1).close()
            except OSError:
                continue
            self.visits.append("a program's own service answered")
