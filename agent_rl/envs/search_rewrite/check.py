"""What `agent-rl check env=search_rewrite` proves of the questions."""

from collections import Counter
from collections.abc import Callable, Iterator

from agent_rl.core.message import text_of
from agent_rl.core.task import Task
from agent_rl.envs.base import Finding
from agent_rl.envs.search_rewrite.questions import fact_of
from agent_rl.tools.search import PassageIndex

TRIED = 300
"""Tasks that each kind of query is tried on: the first ones, which have every style equally often."""


def check_queries(tasks: list[Task], index: PassageIndex, results: int, split: str) -> Iterator[Finding]:
    """Yield the mean reciprocal rank of the right queries, and of `QUERIES`."""
    styles = Counter(task.attributes["style"] for task in tasks)
    yield Finding(f"{split}: styles", None, ", ".join(f"{count} {style}" for style, count in sorted(styles.items())))
    tried = tasks[:TRIED]
    right = mean_rank(tried, index, results, lambda task: fact_of(task).query)
    yield Finding(f"{split}: the fact's own words", right == 1, f"{right:.3f} mean reciprocal rank of {len(tried)}")
    for name, (query, limit) in QUERIES.items():
        score = mean_rank(tried, index, results, query)
        yield Finding(f"{split}: {name}", score < limit, f"{score:.3f} mean reciprocal rank")


def mean_rank(tasks: list[Task], index: PassageIndex, results: int, query: Callable[[Task], str]) -> float:
    """Return the mean over `tasks` of 1 / the rank of the passage that answers, 0 where it is not found."""
    found = (index.search(query(task), results) for task in tasks)
    pairs = zip(tasks, found, strict=True)
    return sum(1 / (hits.index(task.answer) + 1) for task, hits in pairs if task.answer in hits) / len(tasks)


def _last(task: Task) -> str:
    return text_of(task.messages[-1])


def _whole(task: Task) -> str:
    return "\n".join(text_of(message) for message in task.messages[1:])


QUERIES: dict[str, tuple[Callable[[Task], str], float]] = {
    "constant query": (lambda task: "the capital of Kenya", 0.02),
    "the relation alone": (lambda task: f"the {fact_of(task).relation} of", 0.05),
    "the country alone": (lambda task: fact_of(task).of, 0.5),
    "the last message": (_last, 0.25),
    "the whole conversation": (_whole, 0.25),
}
"""Queries that need less than the question does, and the mean reciprocal rank that each may reach."""
