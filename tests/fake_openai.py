"""A fake of an OpenAI-compatible endpoint: it says what a script tells it, and is as strict as the strictest real one.

`evaluate_hosted` measures any endpoint, real ones too, with `agent-rl eval` in a process of its own.
"""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from agent_rl import make
from agent_rl.core.message import Message

FIELDS = {"model", "messages", "tools", "temperature", "top_p", "seed", "max_tokens", "max_completion_tokens"}
NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


@dataclass(frozen=True)
class Reply:
    """What the endpoint answers; with `drop` it closes the connection instead, and with `hang` it never answers."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False
    hang: bool = False


Script = Callable[[dict[str, Any], int], Reply]
"""Gives the reply to a request, from its body and its number, from 0."""


def say(
    content: Any = None,
    *calls: tuple[Any, Any],
    finish: str | None = None,
    usage: tuple[int, int] | None = (10, 5),
    ids: Iterable[Any] = (),
    **more: Any,
) -> Reply:
    """Return a completion: a content, and calls given as name and written arguments."""
    ids = list(ids) or [f"id-{number}" for number in range(len(calls))]
    written = [
        {"id": name, "type": "function", "function": {"name": call[0], "arguments": call[1]}}
        for name, call in zip(ids, calls, strict=True)
    ]
    message = {"role": "assistant", "content": content, "tool_calls": written or None, **more}
    value = {
        "choices": [{"index": 0, "message": message, "finish_reason": finish or ("tool_calls" if calls else "stop")}]
    }
    if usage:
        value["usage"] = {"prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": sum(usage)}
    return Reply(body=json.dumps(value).encode())


def refuse(status: int, message: str, headers: dict[str, str] | None = None, **more: Any) -> Reply:
    """Return an error in OpenAI's form."""
    return Reply(status, json.dumps({"error": {"message": message, **more}}).encode(), headers or {})


def problem(body: dict[str, Any]) -> str | None:
    """Return what a strict endpoint has against a request."""
    if unknown := body.keys() - FIELDS:
        return f"unknown fields {sorted(unknown)}"
    waiting: list[str] = []
    for message in body["messages"]:
        if message["role"] == "tool":
            if message.keys() != {"role", "content", "tool_call_id"} or message["tool_call_id"] not in waiting:
                return f"{message} answers no call"
            waiting.remove(message["tool_call_id"])
            continue
        if waiting:
            return f"calls without an answer: {waiting}"
        calls = message.get("tool_calls", [])
        if message["content"] is None and not calls:
            return "a message without content"
        waiting = [call["id"] for call in calls]
        if len(set(waiting)) != len(waiting):
            return f"calls with one id: {waiting}"
        for call in calls:
            if not NAME.fullmatch(call["function"]["name"]):
                return f"{call['function']['name']} is no name"
            if not isinstance(json.loads(call["function"]["arguments"]), dict):
                return "arguments that are no object"
    return f"calls without an answer: {waiting}" if waiting else None


class FakeOpenAI:
    """Listens on a free port of this machine; use `serving`."""

    def __init__(self, script: Script) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.at_once = self.most_at_once = 0
        self.released = threading.Event()  # what hangs goes on when the fake ends
        self._lock = threading.Lock()
        self._script = script
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                fake._answer(self)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        with self._lock:
            number = len(self.bodies)
            self.bodies.append(body)
            self.keys.append(handler.headers.get("Authorization"))
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        if handler.path == "/v1/chat/completions":
            wrong = problem(body)
            reply = refuse(400, wrong, code="invalid_request") if wrong else self._script(body, number)
        else:
            reply = refuse(404, f"there is no {handler.path}")
        if reply.hang:
            self.released.wait()
        with self._lock:
            self.at_once -= 1
        if reply.drop or reply.hang:
            handler.close_connection = True
            return
        handler.send_response(reply.status)
        for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(reply.body)


@contextmanager
def serving(script: Script) -> Iterator[FakeOpenAI]:
    """Serve while the block runs."""
    fake = FakeOpenAI(script)
    thread = threading.Thread(target=fake.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        fake.released.set()
        fake.server.shutdown()
        fake.server.server_close()
        thread.join()


def searcher(split: str = "test", tasks: int = 20) -> Script:
    """Return a script that solves the first `tasks` questions of the environment `search` by calling its tool."""
    env = make("search")
    first = [env.tasks(split)[number] for number in range(tasks)]
    solutions: dict[str, list[Message]] = {task.messages[-1]["content"]: env.solution(task) for task in first}

    def script(body: dict[str, Any], _: int) -> Reply:
        question = next(message["content"] for message in body["messages"] if message["role"] == "user")
        turn = sum(message["role"] == "assistant" for message in body["messages"])
        said = solutions[question][turn]
        calls = [(call["function"]["name"], call["function"]["arguments"]) for call in said.get("tool_calls", [])]
        return say(said["content"] or None, *calls)

    return script


def evaluate_hosted(url: str, model: str, *words: str, key: str | None = None) -> tuple[int, str, str]:
    """Run `agent-rl eval engine=openai` against an endpoint; return its status, and what it wrote to stdout and stderr.

    The last line of stdout is the figures as JSON; that of stderr says whether torch was loaded.
    """
    script = "import sys\nfrom agent_rl.cli.main import main\nstatus = main(sys.argv[1:])\n"
    script += "print('torch' in sys.modules, file=sys.stderr)\nsys.exit(status)\n"
    arguments = ["eval", "engine=openai", f"engine.url={url}", f"engine.model={model}", *words, "--json"]
    given = {name: value for name, value in os.environ.items() if name != "OPENAI_API_KEY"}
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        env=given | ({"OPENAI_API_KEY": key} if key else {}),
        check=False,
    )
    return done.returncode, done.stdout, done.stderr
