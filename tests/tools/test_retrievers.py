"""Retrievers: a server of ours and the index in this process say the same; a broken server is infrastructure."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest

from agent_rl.clients.retriever import RetrieverClient
from agent_rl.core.errors import UserError
from agent_rl.core.message import assistant, tool_call
from agent_rl.core.outcome import InfrastructureError
from agent_rl.envs import make
from agent_rl.envs.search.env import passage_index
from agent_rl.tools.search.corpora import read_corpus
from agent_rl.tools.search.dense import DenseIndex

QUERIES = ["capital of Kenya", "country of the city Gao", "", "?!"]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A server of the passages of `search`, in a process of its own."""
    command = [sys.executable, "-m", "agent_rl.cli", "serve", "retriever", "port=0", "results=2"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        lines = [server.stdout.readline() for _ in range(2)]
        yield lines[1].split()[2]
    finally:
        server.terminate()
        assert server.wait(timeout=120) in (0, 143)


def test_the_server_speaks_search_r1s_protocol(url):
    expected = passage_index().find(QUERIES, 3)
    said = httpx.post(f"{url}/retrieve", json={"queries": QUERIES, "topk": 3, "return_scores": True}).json()["result"]
    assert [[found["document"]["contents"] for found in row] for row in said] == [[h.text for h in r] for r in expected]
    assert said[0][0]["score"] == pytest.approx(expected[0][0].score)
    plain = httpx.post(f"{url}/retrieve", json={"queries": QUERIES[:1], "topk": None}).json()["result"]
    assert [document["contents"] for document in plain[0]] == [hit.text for hit in expected[0][:2]]
    assert httpx.post(f"{url}/retrieve", json={"queries": "capital"}).status_code == 422
    assert httpx.get(f"{url}/health").json() == {"status": "ok", "passages": len(passage_index())}


def test_an_agent_finds_the_same_on_the_server_as_in_its_own_process(url):
    def found(**settings) -> str:
        env = make("search", results=2, **settings)
        env.reset(seed=0)
        observation, *_ = env.step(assistant("", [tool_call("search", {"query": "capital of Kenya"})]))
        return observation[0]["content"]

    assert found(retriever={"name": "http", "url": url}) == found() != "Nothing found."


class _Broken(BaseHTTPRequestHandler):
    answer = b""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", str(len(self.answer)))
        self.end_headers()
        self.wfile.write(self.answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize("answer", [b"", b"<html>", b"{}", b'{"result": []}', b'{"result": [[{"document": {}}]]}'])
def test_what_is_no_result_is_a_failure_of_infrastructure(answer, monkeypatch):
    monkeypatch.setattr(_Broken, "answer", answer)
    with ThreadingHTTPServer(("127.0.0.1", 0), _Broken) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        client = RetrieverClient(f"http://127.0.0.1:{server.server_port}", 4)
        with pytest.raises(InfrastructureError, match="retriever"):
            asyncio.run(client.retrieve(["x"], 1, 5.0))
        server.shutdown()


def test_a_proxy_of_the_web_gives_no_scores(monkeypatch):
    answer = {"result": [[{"document": {"contents": '"Gao"\nA city.'}}]]}
    monkeypatch.setattr(_Broken, "answer", json.dumps(answer).encode())
    with ThreadingHTTPServer(("127.0.0.1", 0), _Broken) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        client = RetrieverClient(f"http://127.0.0.1:{server.server_port}", 4)
        (((document, score),),) = asyncio.run(client.retrieve(["x"], 1, 5.0))
        server.shutdown()
    assert (document.contents, score) == ('"Gao"\nA city.', 0.0)


def test_a_corpus_is_read_line_by_line_and_a_wrong_line_is_named(tmp_path: Path):
    (tmp_path / "a.jsonl").write_text('{"id": "0", "contents": "\\"T\\"\\none"}\n\n{"text": "two"}\n')
    assert read_corpus(tmp_path / "a.jsonl") == ['"T"\none', "two"]
    (tmp_path / "b.txt").write_text("one\ntwo\n")
    assert read_corpus(tmp_path / "b.txt") == ["one", "two"]
    for name, text, problem in (
        ("c.jsonl", '{"contents": "x"}\n[]\n', "c.jsonl:2 has no text"),
        ("d.txt", "", "no pas"),
    ):
        (tmp_path / name).write_text(text)
        with pytest.raises(UserError, match=problem):
            read_corpus(tmp_path / name)
    with pytest.raises(UserError, match="cannot be read"):
        read_corpus(tmp_path / "nowhere")


@pytest.mark.slow
def test_a_dense_index_finds_by_meaning_and_is_kept(tmp_path: Path):
    passages = ["Oslo is the capital of Norway.", "Bread is baked from flour.", "The yen is Japan's money."]
    index = DenseIndex.build(passages, tmp_path / "dense")
    for again in (index, DenseIndex.kept(lambda: pytest.fail("built again"), tmp_path / "dense")):
        rows = again.find(["a bakery's main ingredient", "currency in Tokyo"], 2)
        assert [row[0].text for row in rows] == [passages[1], passages[2]]
        assert all(1.001 > row[0].score > row[1].score for row in rows)
    assert len(index.find(["anything"], 10)[0]) == 3
    (tmp_path / "dense" / "faiss").write_bytes(b"damaged")
    assert len(DenseIndex.kept(lambda: passages[:2], tmp_path / "dense")) == 2
