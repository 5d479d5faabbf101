"""The environment `search`."""

import functools
import hashlib
from collections.abc import Iterator
from random import Random

from pydantic import Field

from agent_rl.core.errors import NotProvidedError, UserError, nearest
from agent_rl.core.files import cache_folder
from agent_rl.core.message import Message, assistant, tool_call
from agent_rl.core.settings import Settings
from agent_rl.core.task import Task, TaskSet
from agent_rl.envs.base import Demonstration, Finding
from agent_rl.envs.reward import reward
from agent_rl.envs.search import demonstrations
from agent_rl.envs.search.check import check_questions, check_splits
from agent_rl.envs.search.corpus import World, load_world
from agent_rl.envs.search.kept import kept_questions
from agent_rl.envs.search.questions import SPLITS, chain_of
from agent_rl.envs.tool_env import ToolEnv
from agent_rl.tools.search import PassageIndex, Retriever
from agent_rl.tools.search.dense import DenseIndex
from agent_rl.tools.search.retrievers import HttpRetriever, LocalRetriever
from agent_rl.tools.search.settings import Bm25Settings, DenseSettings, HttpSettings, RetrieverSettings
from agent_rl.tools.tool import Tool, tool


class SearchSettings(Settings):
    """Settings of the environment `search`."""

    results: int = Field(default=1, ge=1, le=10)
    """Passages that one search returns."""
    tool: bool = True
    """Whether the search tool is offered; without it the questions must be answered from memory."""
    retriever: RetrieverSettings = Bm25Settings()
    """What finds the passages."""


class Search(ToolEnv):
    """Questions on world geography of one, two or three hops; the tool finds one fact at a time."""

    Settings = SearchSettings
    settings: SearchSettings

    @tool
    async def search(self, query: str) -> str:
        """Find a fact."""
        found = await retriever(self.settings.retriever).search(query, self.settings.results)
        return "\n".join(hit.text for hit in found) or "Nothing found."

    @reward
    def correct(self, task: Task, answer: str) -> float:
        """1 when what follows `Answer:` is the answer, letter case and white space aside, else 0."""
        return float(_normal(answer.rpartition("Answer:")[2]) == _normal(task.answer))

    def tools(self) -> list[Tool]:
        """Return the search tool, unless it is switched off."""
        return super().tools() if self.settings.tool else []

    def tasks(self, split: str) -> TaskSet:
        """Return the questions of "train" or "test"; no country is on a chain of both."""
        if split not in SPLITS:
            raise UserError(f"unknown split '{split}'{nearest(split, SPLITS)} (there are: {', '.join(SPLITS)})")
        return task_set(split)

    def check(self) -> Iterator[Finding]:
        """Prove the questions: every chain answered hop by hop, no constant answer, no answer in one shot."""
        for split in SPLITS:
            yield from check_questions(list(task_set(split)), passage_index(), split)
        yield check_splits(list(task_set("train")), list(task_set("test")))

    def demonstrate(self, rng: Random) -> Demonstration:
        """Return a conversation of a deliberately imperfect searcher in a world invented for it."""
        return Demonstration(demonstrations.conversation(rng), [tool.schema() for tool in self.tools()])

    def solution(self, task: Task) -> list[Message]:
        """Return the searches of the task's chain and its answer."""
        if "chain" not in task.data:
            raise NotProvidedError(f"task '{task.id}' is not one of the environment's own: its chain is not known")
        searches = [assistant("", [tool_call("search", {"query": hop.query})]) for hop in chain_of(task)]
        return [*searches, assistant(f"Answer: {task.answer}")]


@functools.cache
def world() -> World:
    """Return the world, read once."""
    return load_world()


@functools.cache
def passage_index() -> PassageIndex:
    """Return the index over the world's passages, built once and kept in the cache folder."""
    return PassageIndex.kept(world().passages, cache_folder() / f"search-{world().fingerprint()}")


@functools.cache
def retriever(settings: RetrieverSettings) -> Retriever:
    """Return what finds the passages; all episodes share it."""
    if isinstance(settings, HttpSettings):
        return HttpRetriever(settings)
    if isinstance(settings, DenseSettings):
        name = hashlib.sha256(settings.model.encode()).hexdigest()[:8]
        folder = cache_folder() / f"search-{world().fingerprint()}-dense-{name}"
        return LocalRetriever(DenseIndex.kept(world().passages, folder, settings.model))
    return LocalRetriever(passage_index())


@functools.cache
def task_set(split: str) -> TaskSet:
    """Return the tasks of a split, the same ones at every call."""
    return TaskSet(list(kept_questions(world(), passage_index, split, cache_folder())), split)


def _normal(text: str) -> str:
    return " ".join(text.split()).casefold()
