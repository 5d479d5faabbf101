"""Answers of tools: cut to a length, kept in a cache."""

import asyncio
import functools
import hashlib
import json
import logging
import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from agent_rl.core.context import current
from agent_rl.core.deadlines import waiting_for
from agent_rl.core.files import StorageError, cache_folder, write_json_atomic
from agent_rl.core.threads import in_thread

logger = logging.getLogger(__name__)
_MOST = 16384  # answers that a process keeps


@dataclass(frozen=True)
class Answer:
    """What a tool said: its text, and how many characters were cut off it."""

    text: str
    left_out: int = 0

    @classmethod
    def of(cls, value: object, limit: int) -> "Answer":
        """Return `value` as text of at most `limit` characters; it may be of any size."""
        text = str(value)
        return cls(text[:limit], max(0, len(text) - limit))

    def within_tokens(self, limit: int) -> "Answer":
        """Return the longest beginning that has at most `limit` tokens as the policy counts them."""
        count = current().count_tokens
        if count(self.text) <= limit:
            return self
        fits, beyond = 0, len(self.text)
        while beyond - fits > 1:
            middle = (fits + beyond) // 2
            fits, beyond = (middle, beyond) if count(self.text[:middle]) <= limit else (fits, middle)
        return Answer(self.text[:fits], self.left_out + len(self.text) - fits)

    def __str__(self) -> str:
        """Return the text, with a mark where it was cut."""
        return f"{self.text} [cut: {self.left_out} more characters]" if self.left_out else self.text


@dataclass(frozen=True)
class Question:
    """One call as caches and records know it: the tool, the settings it hangs on, and the arguments, as JSON."""

    tool: str
    settings: str
    arguments: str


class Cache:
    """Answers that are kept, by question, in this process; with a folder there too."""

    def __init__(self, folder: Path | None = None) -> None:
        """Begin with what `folder` holds."""
        self._folder = folder
        self._kept: OrderedDict[Question, Answer] = OrderedDict()
        self._asked: dict[tuple[asyncio.AbstractEventLoop, Question], asyncio.Future[Answer]] = {}
        self._lock, self._storing = threading.Lock(), threading.Lock()

    async def answer(self, question: Question, ask: Callable[[], Awaitable[Answer]]) -> tuple[Answer, bool]:
        """Return an answer and whether it was there; of equal calls at the same time the first asks for all.

        No deadline counts the wait for it, as none of its own does: it may wait for a place, or try again.
        What it raises is not kept: whoever waited for it asks anew.
        """
        key = (asyncio.get_running_loop(), question)
        while key in self._asked:
            with waiting_for(f"another call of {question.tool}"), current().excuse.queueing():
                await asyncio.wait([self._asked[key]])
        asking = self._asked[key] = key[0].create_future()
        try:
            kept = self._find(question)  # here: in threads, equal runs would ask in different orders
            if kept is not None:
                return kept, True
            answer = await ask()
            self._remember(question, answer)
            if self._folder is not None:
                await in_thread(lambda: self._store(question, answer))
            return answer, False
        finally:
            del self._asked[key]
            asking.cancel()

    def _find(self, question: Question) -> Answer | None:
        with self._lock:
            if question in self._kept:
                self._kept.move_to_end(question)
                return self._kept[question]
        if self._folder is None:
            return None
        try:
            answer = Answer(**json.loads(self._file(question).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):  # not there, or damaged
            return None
        self._remember(question, answer)
        return answer

    def _store(self, question: Question, answer: Answer) -> None:
        """Write an answer down; where that is impossible the tool has answered all the same."""
        with self._storing:
            try:
                write_json_atomic(self._file(question), asdict(answer))
            except (StorageError, OSError) as error:
                logger.warning("an answer of %s is not kept: %s", question.tool, error)

    def _remember(self, question: Question, answer: Answer) -> None:
        with self._lock:
            self._kept[question] = answer
            if len(self._kept) > _MOST:
                self._kept.popitem(last=False)

    def _file(self, question: Question) -> Path:
        assert self._folder is not None
        name = hashlib.blake2b(json.dumps(asdict(question)).encode(), digest_size=16).hexdigest()
        return self._folder / name[:2] / f"{name}.json"


@functools.cache
def cache(kind: str) -> Cache:
    """Return the cache of this process, `memory` or `disk`."""
    return Cache(cache_folder() / "tools" if kind == "disk" else None)
