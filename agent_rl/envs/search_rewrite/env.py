"""The environment `search_rewrite`."""

import functools
from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import Literal

from pydantic import Field

from agent_rl.core.errors import NotProvidedError, UserError, nearest
from agent_rl.core.message import Message, assistant, tool_call
from agent_rl.core.settings import Settings
from agent_rl.core.task import Task, TaskSet
from agent_rl.envs.base import Demonstration, Finding
from agent_rl.envs.reward import Reward, reward
from agent_rl.envs.search.env import passage_index, retriever, world
from agent_rl.envs.search_rewrite import demonstrations
from agent_rl.envs.search_rewrite.check import check_queries
from agent_rl.envs.search_rewrite.questions import SPLITS, fact_of, questions
from agent_rl.envs.tool_env import ToolEnv
from agent_rl.tools.policy import ToolPolicy
from agent_rl.tools.search.settings import Bm25Settings, RetrieverSettings
from agent_rl.tools.tool import tool


class SearchRewriteSettings(Settings):
    """Settings of the environment `search_rewrite`."""

    results: int = Field(default=5, ge=1, le=100)
    """Passages that the search returns; the one that answers counts if it is among them."""
    score: Literal["reciprocal_rank", "recall"] = "reciprocal_rank"
    """The reward: 1 / the rank of the passage that answers, or 1 wherever it was found; the other one is logged."""
    retriever: RetrieverSettings = Bm25Settings()
    """What finds the passages."""


class SearchRewrite(ToolEnv):
    """One search for the last question of a conversation; the reward is how well it found the passage that answers."""

    Settings = SearchRewriteSettings
    settings: SearchRewriteSettings

    def setup(self, task: Task) -> None:
        """Begin without a search."""
        self._found: list[str] | None = None

    @tool(policy=ToolPolicy(replay=False))  # type: ignore[untyped-decorator]
    async def search(self, query: str) -> str:
        """Find passages. This ends the episode."""
        if self._found is not None:
            return "Error: you have one search"
        self._found = []  # before waiting: calls of one turn are answered side by side
        self.finish()
        hits = await retriever(self.settings.retriever).search(query, self.settings.results)
        self._found = [hit.text for hit in hits]
        return "\n".join(self._found) or "Nothing found."

    @reward
    def reciprocal_rank(self, task: Task) -> float:
        """1 / the rank of the passage that answers, 0 if it was not found."""
        found = self._found or []
        return 1 / (found.index(task.answer) + 1) if task.answer in found else 0.0

    @reward
    def recall(self, task: Task) -> float:
        """1 if the passage that answers was found, else 0."""
        return float(task.answer in (self._found or []))

    def rewards(self) -> list[Reward]:
        """Return both figures; the one that is not chosen weighs nothing."""
        return [replace(part, weight=float(part.name == self.settings.score)) for part in super().rewards()]

    def tasks(self, split: str) -> TaskSet:
        """Return the conversations of "train" or "test"; no country is in both."""
        if split not in SPLITS:
            raise UserError(f"unknown split '{split}'{nearest(split, SPLITS)} (there are: {', '.join(SPLITS)})")
        return task_set(split)

    def check(self) -> Iterator[Finding]:
        """Prove that every question can be found, and print how far queries without a rewriter get."""
        for split in SPLITS:
            yield from check_queries(list(task_set(split)), passage_index(), self.settings.results, split)

    def demonstrate(self, rng: Random) -> Demonstration:
        """Return a conversation and the query of a deliberately imperfect rewriter, in a world invented for it."""
        return Demonstration(demonstrations.conversation(rng), [tool.schema() for tool in self.tools()])

    def solution(self, task: Task) -> list[Message]:
        """Return the search for the fact in the words of the corpus."""
        if "facts" not in task.data:
            raise NotProvidedError(
                f"task '{task.id}' is not one of the environment's own: what it asks for is not known"
            )
        return [assistant("", [tool_call("search", {"query": fact_of(task).query})])]


@functools.cache
def task_set(split: str) -> TaskSet:
    """Return the tasks of a split, the same ones at every call."""
    return TaskSet(list(questions(world(), passage_index(), split)), split)
