"""Questions that were drawn once and are kept: drawing those of a split asks the index thousands of times."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from agent_rl.core.files import StorageError, write_text_atomic
from agent_rl.core.task import Task
from agent_rl.envs.search import questions as drawing
from agent_rl.envs.search.corpus import World
from agent_rl.envs.search.questions import Chain, Hop, chain_of, questions, task
from agent_rl.tools.search import PassageIndex
from agent_rl.tools.search import index as searching


def kept_questions(world: World, index: Callable[[], PassageIndex], split: str, folder: Path) -> Iterator[Task]:
    """Yield what `questions` yields; their chains are kept in `folder`, where it can be written.

    The file's name has the world's content in it and the code that draws, so that no other questions are taken for it.
    """
    file = folder / f"search-{world.fingerprint()}-questions-{_code()}-{split}.json"
    chains = _read(file)
    if chains is None:
        chains = [chain_of(drawn) for drawn in questions(world, index(), split)]
        with suppress(StorageError):  # they are drawn again the next time
            write_text_atomic(file, json.dumps([[vars(hop) for hop in chain] for chain in chains], ensure_ascii=False))
    for number, chain in enumerate(chains):
        yield task(chain, split, number)


def _read(file: Path) -> list[Chain] | None:
    """Return the chains in a file; None when it is not there, or damaged."""
    try:
        return [tuple(Hop(**hop) for hop in chain) for chain in json.loads(file.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        return None


def _code() -> str:
    """Return a name for the code on which the questions hang."""
    sources = (Path(str(module.__file__)).read_bytes() for module in (drawing, searching))
    return hashlib.blake2b(b"".join(sources), digest_size=6).hexdigest()
