"""`agent-rl serve retriever`."""

import argparse
import hashlib
from pathlib import Path

from pydantic import Field

from agent_rl.cli.common import add_words
from agent_rl.cli.serve.listening import check_installed, serve
from agent_rl.config import compose, validate
from agent_rl.core.settings import Settings
from agent_rl.tools.search import Index, PassageIndex
from agent_rl.tools.search.dense import DenseIndex
from agent_rl.tools.search.settings import Bm25Settings, DenseSettings

SUMMARY = "passages, by Search-R1's protocol"


class RetrieverServerConfig(Settings):
    """Everything `agent-rl serve retriever` reads."""

    corpus: str = ""
    """A file with a passage a line, or `.jsonl` with `contents`; by default the passages of `env=search`."""
    retriever: Bm25Settings | DenseSettings = Field(default=Bm25Settings(), discriminator="name")
    """How passages are found."""
    results: int = Field(default=3, ge=1, le=1000)
    """Passages for each query when a request does not say how many."""
    host: str = "127.0.0.1"
    """The address to listen on; only this machine can reach the default."""
    port: int = Field(default=8000, ge=0, le=65535)
    """The port to listen on; 0 takes a free one."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command."""
    add_words(parser, RetrieverServerConfig, "agent-rl serve retriever corpus=wiki.jsonl retriever.name=dense")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until interrupted."""
    config = validate(RetrieverServerConfig, compose("serve_retriever", arguments.words))
    check_installed()
    from agent_rl.core.files import cache_folder
    from agent_rl.envs.search.env import world
    from agent_rl.tools.search.corpora import read_corpus
    from agent_rl.tools.search.server import application

    passages = read_corpus(Path(config.corpus)) if config.corpus else world().passages()
    index = _index(config, passages, cache_folder() / f"retriever-{_fingerprint(config, passages)}")
    print(f"{len(passages)} passages, {config.retriever.name}", flush=True)
    app = application(index, len(passages), config.results)
    serve(app, config.host, config.port, "POST /retrieve, GET /health")
    return 0


def _index(config: RetrieverServerConfig, passages: list[str], folder: Path) -> Index:
    if isinstance(config.retriever, DenseSettings):
        return DenseIndex.kept(lambda: passages, folder, config.retriever.model)
    return PassageIndex.kept(lambda: passages, folder)


def _fingerprint(config: RetrieverServerConfig, passages: list[str]) -> str:
    """Return what the index hangs on: how passages are found, and the passages."""
    digest = hashlib.sha256(config.retriever.model_dump_json().encode())
    for passage in passages:
        digest.update(passage.encode() + b"\0")
    return digest.hexdigest()[:16]
