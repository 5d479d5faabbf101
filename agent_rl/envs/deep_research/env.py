"""The environment `deep_research`."""

import functools
from collections.abc import Iterator
from random import Random

from pydantic import Field

from agent_rl.core.errors import NotProvidedError, UserError, nearest
from agent_rl.core.message import Message, assistant, tool_call
from agent_rl.core.settings import Settings
from agent_rl.core.task import Task, TaskSet
from agent_rl.envs.base import Demonstration, Finding
from agent_rl.envs.deep_research.check import check_reports
from agent_rl.envs.deep_research.library import Library
from agent_rl.envs.deep_research.questions import SPLITS, questions
from agent_rl.envs.deep_research.report import Judgement, judged, numbers
from agent_rl.envs.generation import demonstration
from agent_rl.envs.reward import reward
from agent_rl.envs.search.env import passage_index, retriever, world
from agent_rl.envs.search.questions import Hop
from agent_rl.envs.tool_env import ToolEnv
from agent_rl.tools.policy import ToolPolicy
from agent_rl.tools.search.settings import Bm25Settings, RetrieverSettings
from agent_rl.tools.tool import tool


class DeepResearchSettings(Settings):
    """Settings of the environment `deep_research`."""

    results: int = Field(default=5, ge=1, le=50)
    """Passages that a search finds; it lists the pages on which they stand."""
    retriever: RetrieverSettings = Bm25Settings()
    """What finds the passages."""


class DeepResearch(ToolEnv):
    """Questions whose answers are facts on several pages: search, open, and report each with its number.

    What was not read in the episode cannot be cited: neither guessed numbers nor what a model knows by heart count.
    """

    Settings = DeepResearchSettings
    settings: DeepResearchSettings

    def setup(self, task: Task) -> None:
        """Begin with nothing read."""
        self._read: dict[int, str] = {}

    @tool
    async def search(self, query: str) -> str:
        """Find pages."""
        hits = await retriever(self.settings.retriever).search(query, self.settings.results)
        pages = library().with_any(hit.text for hit in hits)
        return "\n".join(page.line for page in pages) or "Nothing found."

    @tool(policy=ToolPolicy(replay=False))  # type: ignore[untyped-decorator]
    async def open(self, page: str) -> str:
        """Read a page by its id, such as P12."""
        found = library().pages.get(page.strip().upper())
        if found is None:
            return f"Error: there is no page '{page[:40]}'"
        self._read |= found.facts
        return found.text

    @reward
    def coverage(self, task: Task, answer: str) -> float:
        """The share of the facts asked for that the report states with their numbers."""
        return self._judged(task, answer).coverage

    @reward(weight=-1.0)
    def unsupported(self, task: Task, answer: str) -> float:
        """The share of the report's lines that cite nothing, or not what was read under that number."""
        return self._judged(task, answer).unsupported

    @reward(weight=-0.5)
    def unneeded(self, task: Task, answer: str) -> float:
        """The share of the report's lines that are right but were not asked for, or are there twice."""
        return self._judged(task, answer).unneeded

    def _judged(self, task: Task, answer: str) -> Judgement:
        return judged(answer, numbers(task.answer), self._read)

    def tasks(self, split: str) -> TaskSet:
        """Return the questions of "train" or "test"; no country is in both."""
        if split not in SPLITS:
            raise UserError(f"unknown split '{split}'{nearest(split, SPLITS)} (there are: {', '.join(SPLITS)})")
        return task_set(split)

    def check(self) -> Iterator[Finding]:
        """Prove that every page can be found, and print how far reports without research get."""
        for split in SPLITS:
            yield from check_reports(list(task_set(split)), passage_index(), library(), split)

    def solution(self, task: Task) -> Iterator[Message]:
        """Yield a search and an opening for every page that has to be read, and the report."""
        if "read" not in task.data:
            raise NotProvidedError(f"task '{task.id}' is not one of the environment's own: its pages are not known")
        first: dict[str, Hop] = {}
        for read in task.data["read"]:
            first.setdefault(read[1], Hop(*read))
        for hop in first.values():
            yield assistant("", [tool_call("search", {"query": hop.query})])
            yield assistant("", [tool_call("open", {"page": library().with_passage(hop.passage).id})])
        yield assistant(task.answer)

    def demonstrate(self, rng: Random) -> Demonstration:
        """Return the solution of a training task, played."""
        return demonstration(self, rng)


@functools.cache
def library() -> Library:
    """Return the pages, sorted once."""
    return Library(world())


@functools.cache
def task_set(split: str) -> TaskSet:
    """Return the tasks of a split, the same ones at every call."""
    return TaskSet(list(questions(world(), passage_index(), library(), split)), split)
