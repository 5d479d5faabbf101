"""What `agent-rl check env=search` proves of the questions."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from agent_rl.core.message import text_of
from agent_rl.core.task import Task
from agent_rl.envs.base import Finding
from agent_rl.envs.search.questions import Answerable, chain_of
from agent_rl.tools.search import PassageIndex

CONSTANT_LIMIT = 0.15
ONE_SHOT_LIMIT = 0.05


def check_questions(tasks: list[Task], index: PassageIndex, split: str) -> Iterator[Finding]:
    """Yield what holds of the questions of a split."""
    hops = Counter(task.attributes["hops"] for task in tasks)
    yield Finding(f"{split}: hops", None, ", ".join(f"{count} of {n}" for n, count in sorted(hops.items())))
    answerable = Answerable(index)
    found = sum(answerable(chain_of(task)) for task in tasks)
    yield Finding(f"{split}: chains", found == len(tasks), f"{found / len(tasks):.1%} are answered hop by hop")
    constant = best_constant(tasks)
    yield Finding(
        f"{split}: best constant", constant < CONSTANT_LIMIT, f"{constant:.3f} with the best constant answer per type"
    )
    two = [task for task in tasks if task.attributes["hops"] == 2]
    for results in (1, 3):
        share = one_shot(two, index, results)
        what = f"{share:.3f} of the two-hop answers are in the top {results} when the question is the query"
        yield Finding(f"{split}: one shot", share < ONE_SHOT_LIMIT, what)


def check_splits(train: list[Task], test: list[Task]) -> Finding:
    """Say whether a country, or a city, is on chains of both splits."""
    shared = _entities(train) & _entities(test)
    return Finding("countries apart", not shared, f"{len(shared)} countries and cities are on chains of both splits")


def best_constant(tasks: list[Task]) -> float:
    """Return the success of answering every type of question with its most frequent answer."""
    answers: dict[str, Counter[str]] = defaultdict(Counter)
    for task in tasks:
        answers[task.data["type"]][task.answer] += 1
    return sum(counts.most_common(1)[0][1] for counts in answers.values()) / len(tasks)


def one_shot(tasks: list[Task], index: PassageIndex, results: int) -> float:
    """Return how often searching for the question itself finds the passage with the answer."""
    found = [chain_of(task)[-1].passage in index.search(text_of(task.messages[-1]), results) for task in tasks]
    return sum(found) / len(found)


def _entities(tasks: list[Task]) -> set[str]:
    """Return what the chains pass through: every subject, and the last value where it is a country."""
    chains = [chain_of(task) for task in tasks]
    subjects = {hop.of for chain in chains for hop in chain}
    return subjects | {
        c[-1].value for c in chains if c[-1].relation == "country" or c[-1].relation.endswith("neighbour")
    }
