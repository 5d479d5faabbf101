"""What `agent-rl check env=deep_research` proves of the questions."""

from collections import Counter
from collections.abc import Iterator, Mapping

from agent_rl.core.message import text_of
from agent_rl.core.task import Task
from agent_rl.envs.base import Finding
from agent_rl.envs.deep_research.library import Library
from agent_rl.envs.deep_research.report import judged, numbers, written
from agent_rl.envs.search.questions import Hop
from agent_rl.tools.search import PassageIndex

EVERYTHING_LIMIT = 0.75
"""What copying every page that the question names may reach."""
TRIED = 400
"""Tasks whose pages are looked for: the first ones, which have every kind equally often."""


def check_reports(tasks: list[Task], index: PassageIndex, library: Library, split: str) -> Iterator[Finding]:
    """Yield whether the pages are found, and the rewards of reports that need no research or no thought."""
    counts = Counter(task.attributes["kind"] for task in tasks)
    yield Finding(f"{split}: kinds", None, ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items())))
    read = {Hop(*hop) for task in tasks[:TRIED] for hop in task.data["read"]}
    found = sum(index.search(hop.query) == [hop.passage] for hop in read)
    yield Finding(f"{split}: pages", found == len(read), f"{found} of {len(read)} facts lead to their pages at once")
    memory = max(_value(task, task.answer, {}) for task in tasks)
    yield Finding(f"{split}: by heart", memory <= 0, f"{memory:.3f} at best for the right report without reading")
    everything = sum(_everything(task, library) for task in tasks) / len(tasks)
    what = f"{everything:.3f} for all that stands on the pages that the question names"
    yield Finding(f"{split}: everything", everything < EVERYTHING_LIMIT, what)


def _everything(task: Task, library: Library) -> float:
    """Return the reward of copying the pages of all whom the question names."""
    return _value(task, written(read := named(task, library)), read)


def named(task: Task, library: Library) -> dict[int, str]:
    """Return the facts on the pages of the countries and cities that stand in the question."""
    asked = text_of(task.messages[-1])
    hops = [Hop(*hop) for hop in task.data["read"]]
    pages = [library.with_passage(hop.passage) for hop in hops if hop.of.removeprefix("the city ") in asked]
    return {number: passage for page in pages for number, passage in page.facts.items()}


def _value(task: Task, report: str, read: Mapping[int, str]) -> float:
    value = judged(report, numbers(task.answer), read)
    return value.coverage - value.unsupported - value.unneeded / 2
