"""The server: what it gives to whom, over real sockets."""

import gzip
import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent_rl.core.errors import UserError
from agent_rl.evaluation.viewer import server
from agent_rl.evaluation.viewer.library import Library
from agent_rl.evaluation.viewer.server import Viewer
from tests.evaluation.viewer.folders import training

Answer = tuple[int, dict[str, str], bytes]
FILE = "/api/runs/run/files/trajectories/step_000001"


@contextmanager
def serving(folder: Path, host: str = "127.0.0.1") -> Iterator[Viewer]:
    with Viewer(Library(folder), host, 0) as viewer:
        thread = threading.Thread(target=viewer.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield viewer
        finally:
            viewer.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def viewer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Viewer]:
    folder = tmp_path_factory.mktemp("served") / "run"
    training(folder, steps=1)
    with serving(folder) as made:
        yield made


def ask(viewer: Viewer, path: str, method: str = "GET", **headers: str) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", viewer.server_port, timeout=10)
    connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, dict(answer.getheaders()), body


def test_the_api_is_json(viewer: Viewer) -> None:
    status, headers, body = ask(viewer, "/api/runs")
    assert status == 200 and headers["Content-Type"].startswith("application/json")
    assert json.loads(body)["runs"][0]["id"] == "run"
    assert json.loads(ask(viewer, f"{FILE}/search?q=rome&x=")[2])["numbers"]
    assert json.loads(ask(viewer, f"{FILE}/5")[2])["row"]["number"] == 5


def test_no_answer_lets_anything_else_in(viewer: Viewer) -> None:
    for path in ("/api/runs", "/api/nothing", "/nothing"):
        headers = ask(viewer, path)[1]
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none';") and "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff" and headers["Referrer-Policy"] == "no-referrer"
        assert "Access-Control-Allow-Origin" not in headers


def test_only_the_pages_own_files_are_given(viewer: Viewer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    page = tmp_path / "page"
    page.mkdir()
    for name, text in (
        ("index.html", "<p>"),
        ("app.js", "1"),
        ("style.css", "p {}"),
        ("notes.txt", "no"),
        (".x.js", "no"),
    ):
        (page / name).write_text(text)
    (tmp_path / "secret.js").write_text("secret")
    monkeypatch.setattr(server, "PAGE", page)
    assert ask(viewer, "/")[2] == b"<p>"
    assert ask(viewer, "/app.js")[1]["Content-Type"].startswith("text/javascript")
    assert ask(viewer, "/style.css")[1]["Content-Type"].startswith("text/css")
    for path in (
        "/notes.txt",
        "/.x.js",
        "/../secret.js",
        "/%2e%2e/secret.js",
        "//secret.js",
        "/page/app.js",
        "/app.js/",
    ):
        assert ask(viewer, path)[0] == 404, path


@pytest.mark.parametrize(
    "path",
    [
        "/../run.json",
        "/api/runs/run/files/../run",
        "/api/runs/run/files/%2e%2e%2frun.json",
        "/api/runs/..%2f..",
        "/%00",
    ],
)
def test_nothing_outside_of_what_a_run_lists_is_given(viewer: Viewer, path: str) -> None:
    status, _, body = ask(viewer, path)
    assert status == 404 and "error" in json.loads(body)


def test_a_name_of_another_site_is_refused(viewer: Viewer) -> None:
    """A page of that site could point its name at this machine, and read what the viewer answers."""
    port = viewer.server_port
    for host in (
        "evil.example",
        f"evil.example:{port}",
        "127.0.0.1",
        f"127.0.0.1:{port + 1}",
        f"192.0.2.1:{port}",
        "",
        "[",
        "a:b",
    ):
        assert ask(viewer, "/api/runs", Host=host)[0] == 403, host
    for host in (f"localhost:{port}", f"127.0.0.1:{port}", f"LOCALHOST:{port}"):
        assert ask(viewer, "/api/runs", Host=host)[0] == 200, host


def test_served_to_all_it_may_be_called_by_numbers_but_not_by_foreign_names(tmp_path: Path) -> None:
    training(tmp_path / "run", steps=1)
    with serving(tmp_path / "run", "0.0.0.0") as viewer:
        port = viewer.server_port
        assert not viewer.local and viewer.url == f"http://127.0.0.1:{port}/"
        assert ask(viewer, "/api/runs", Host=f"192.0.2.1:{port}")[0] == 200
        assert ask(viewer, "/api/runs", Host=f"{socket.gethostname()}:{port}")[0] == 200
        assert ask(viewer, "/api/runs", Host=f"evil.example:{port}")[0] == 403


def test_what_is_large_is_compressed_where_that_is_understood(viewer: Viewer) -> None:
    rows = f"{FILE}/5"
    _, headers, packed = ask(viewer, rows, Accept_Encoding="gzip")
    plain = ask(viewer, rows)[2]
    assert "Content-Encoding" not in headers and packed == plain  # it is small
    server._LARGE, before = 100, server._LARGE
    try:
        _, headers, packed = ask(viewer, rows, Accept_Encoding="gzip, br")
        assert headers["Content-Encoding"] == "gzip" and gzip.decompress(packed) == plain
        assert len(packed) == int(headers["Content-Length"]) < len(plain)
    finally:
        server._LARGE = before


def test_what_has_not_changed_is_not_sent_again(viewer: Viewer) -> None:
    tag = ask(viewer, "/api/runs/run")[1]["ETag"]
    status, headers, body = ask(viewer, "/api/runs/run", If_None_Match=tag)
    assert (status, body, headers["ETag"]) == (304, b"", tag)
    assert ask(viewer, "/api/runs", If_None_Match=tag)[0] == 200


def test_only_reading_is_understood(viewer: Viewer) -> None:
    status, headers, body = ask(viewer, "/api/runs", "HEAD")
    assert status == 200 and body == b"" and int(headers["Content-Length"]) > 0
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert ask(viewer, "/api/runs", method)[0] == 501


def test_a_connection_answers_many_times_and_many_at_once(viewer: Viewer) -> None:
    def many() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", viewer.server_port, timeout=30)
        for number in range(13):
            connection.request("GET", f"{FILE}/{number}")
            answers.append(json.loads(connection.getresponse().read())["row"]["number"])
        connection.close()

    answers: list[int] = []
    threads = [threading.Thread(target=many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == sorted(list(range(13)) * 4)


def test_a_port_that_is_taken_is_said_and_without_one_the_next_is_used(tmp_path: Path) -> None:
    training(tmp_path / "run", steps=1)
    library = Library(tmp_path / "run")
    with Viewer(library) as one, Viewer(library) as other:
        assert server.FIRST_PORT <= one.server_port < other.server_port
        with pytest.raises(UserError, match=rf"cannot listen at 127.0.0.1:{one.server_port}: "):
            Viewer(library, port=one.server_port)
    for host, port in (("no.such.host.invalid", None), ("127.0.0.1", 70_000)):
        with pytest.raises(UserError, match="cannot listen at"):
            Viewer(library, host, port)


def command(*words: str) -> subprocess.Popen[str]:
    program = [sys.executable, "-m", "agent_rl.cli", "view", "--no-browser", *words]
    return subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_the_command_says_where_it_is_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    training(tmp_path / "run", steps=1)
    with command(str(tmp_path), "--port", "0") as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        host, _, port = url.removeprefix("http://").rstrip("/").partition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=10)
        connection.request("GET", "/api/runs")
        assert json.loads(connection.getresponse().read())["runs"][0]["name"] == "run"
        process.send_signal(signal.SIGINT)
        said, warned = process.communicate(timeout=20)
    assert (process.returncode, said, warned) == (0, "", "ended\n")


def test_the_viewer_imports_no_torch() -> None:
    program = "import sys, agent_rl.cli.view; print({'torch', 'transformers', 'ray', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
