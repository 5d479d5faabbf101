"""The questions of `deep_research`: several facts from several pages, split by country as those of `search`."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

from agent_rl.core.message import system, user
from agent_rl.core.seeds import derive
from agent_rl.core.task import Task
from agent_rl.envs.deep_research.library import Library
from agent_rl.envs.deep_research.report import written
from agent_rl.envs.search.corpus import World
from agent_rl.envs.search.facts import Facts
from agent_rl.envs.search.questions import FINAL, NEIGHBOURS, Hop
from agent_rl.tools.search import PassageIndex

PROMPT = (
    "Gather what is asked for, and nothing else. search lists pages, open shows the facts on one, with their numbers. "
    "Then write Report: and below it a line for each fact, in the words of its page and with its number, such as: "
    "The capital of Utopia is Amaurot. [12]"
)
SPLITS = {"train": 2000, "test": 400}
"""Questions per split, equally many of each kind."""
CHOSEN = ("continent", "currency", "language")
"""What countries are chosen by: what several of them share."""


@dataclass(frozen=True)
class Question:
    """A question, the facts that its report needs, and those whose pages one has to read to know that."""

    text: str
    required: tuple[Hop, ...]
    read: tuple[Hop, ...]


def questions(world: World, index: PassageIndex, library: Library, split: str) -> Iterator[Task]:
    """Yield the tasks of a split; no question is there twice."""
    facts = Facts(world, index, split)
    rng = Random(derive(0, "deep_research/questions", split))
    seen: set[str] = set()
    while len(seen) < SPLITS[split]:
        kind = list(KINDS)[len(seen) % len(KINDS)]
        question = KINDS[kind](facts, rng)
        if question and question.text not in seen and facts.known(question.required):
            yield _task(question, kind, library, f"{split}-{len(seen):05d}")
            seen.add(question.text)


def _task(question: Question, kind: str, library: Library, name: str) -> Task:
    passages = {library.number(hop.passage): hop.passage for hop in question.required}
    return Task(
        id=name,
        messages=(system(PROMPT), user(question.text)),
        answer=written(passages),
        attributes={"kind": kind, "facts": len(passages)},
        data={"read": [[hop.relation, hop.of, hop.value] for hop in question.read]},
    )


def _table(facts: Facts, rng: Random) -> Question:
    """Two facts about each of some countries."""
    relations = rng.sample(FINAL, 2)
    having = [country for country, known in facts.about.items() if all(relation in known for relation in relations)]
    countries = rng.sample(having, rng.choice((2, 3)))
    required = tuple(facts.about[country][relation] for country in countries for relation in relations)
    return Question(f"Report {_the(relations)} of {_and(countries)}.", required, required)


def _cities(facts: Facts, rng: Random) -> Question | None:
    """The countries of some cities, and a fact about those."""
    relation = rng.choice(FINAL)
    cities = rng.sample(facts.cities, rng.choice((2, 3)))
    countries = dict.fromkeys(city.value for city in cities)
    if not all(relation in facts.about[country] for country in countries):
        return None
    required = (*cities, *(facts.about[country][relation] for country in countries))
    names = _and([city.of.removeprefix("the city ") for city in cities])
    text = f"Report the countries of the cities {names}, and the {relation} of each of these countries."
    return Question(text, required, required)


def _neighbours(facts: Facts, rng: Random) -> Question | None:
    """The country of a city, both its neighbours, and a fact about each of them."""
    city, relation = rng.choice(facts.cities), rng.choice(FINAL)
    near = [facts.about[city.value][name] for name in NEIGHBOURS if name in facts.about[city.value]]
    if len({hop.value for hop in near}) < len(NEIGHBOURS) or not all(relation in facts.about[n.value] for n in near):
        return None
    required = (city, *near, *(facts.about[hop.value][relation] for hop in near))
    name = city.of.removeprefix("the city ")
    text = f"Report the country of the city {name}, {_the(NEIGHBOURS)} of it, and the {relation} of these two."
    return Question(text, required, required)


def _choice(facts: Facts, rng: Random) -> Question | None:
    """Those of five countries that have something in common; one has to read of all five to know which."""
    relation = rng.choice(CHOSEN)
    offered = rng.sample(facts.by_relation[relation], 5)
    value = offered[0].value
    rng.shuffle(offered)
    required = tuple(hop for hop in offered if hop.value == value)
    names = _and([hop.of for hop in offered])
    text = f"Of {names}, report the {relation} of those whose {relation} is {value}."
    return Question(text, required, tuple(offered)) if 2 <= len(required) <= 3 else None


KINDS: dict[str, Callable[[Facts, Random], Question | None]] = {
    "table": _table,
    "cities": _cities,
    "neighbours": _neighbours,
    "choice": _choice,
}
"""What questions there are; a kind may find that what it drew makes none."""


def _the(relations: Sequence[str]) -> str:
    return " and ".join(f"the {relation}" for relation in relations)


def _and(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"
