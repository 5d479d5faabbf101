"""Questions of one, two and three hops whose answers follow from the corpus, split by country.

A question is a chain of facts. Its text nests the phrases of the chain, so the innermost is looked up first:
"What is the currency of the largest neighbour of the country of the city Gao?"
"""

import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from agent_rl.core.message import system, user
from agent_rl.core.seeds import derive
from agent_rl.core.task import Task
from agent_rl.envs.search.corpus import CITY_RELATION, World, fact, phrase, subject
from agent_rl.tools.search import PassageIndex

PROMPT = "Search one fact at a time. Then write Answer: and the answer."
SPLITS = {"train": 6000, "test": 600}
"""Questions per split; a third of each number of hops."""
TEST_SHARE = 0.4
"""Share of the countries that only test questions touch."""
SPREAD = 0.13
"""The largest share an answer may take of its type."""
NEIGHBOURS = ("largest neighbour", "smallest neighbour")
FINAL = ("capital", "continent", "currency", "language")
_PLAIN_NAME = re.compile(r"[^\W\d_]+(?:[ '’-][^\W\d_]+){0,3}")


@dataclass(frozen=True)
class Hop:
    """One fact of a chain: look up `relation` of `of` and find `value`."""

    relation: str
    of: str
    value: str

    @property
    def query(self) -> str:
        """The query that finds the fact."""
        return phrase(self.relation, self.of)

    @property
    def passage(self) -> str:
        """The passage that states the fact."""
        return fact(self.relation, self.of, self.value)


Chain = tuple[Hop, ...]
Pool = dict[str, dict[str, list[Chain]]]  # chains by type, then by answer


def question(chain: Chain) -> str:
    """Return the question whose answer is the last value of `chain`."""
    text = chain[0].query
    for hop in chain[1:]:
        text = phrase(hop.relation, text)
    return f"What is {text}?"


def kind(chain: Chain) -> str:
    """Return the question's type: its relations in the order of looking up."""
    return " > ".join(hop.relation for hop in chain)


def split_of(country: str) -> str:
    """Return the split a country belongs to, by a hash of its name."""
    return "test" if derive(0, "search/split", country) % 1000 < TEST_SHARE * 1000 else "train"


def countries_of(world: World, split: str) -> set[str]:
    """Return the countries that belong to a split."""
    return {name for name in world.countries if split_of(name) == split}


def attributes_of(world: World, country: str) -> list[Hop]:
    """Return the facts about a country alone."""
    facts = world.countries[country].facts
    return [Hop(relation, country, facts[relation]) for relation in FINAL if relation in facts]


def neighbours_of(world: World, country: str, inside: set[str]) -> list[Hop]:
    """Return the facts about a country's neighbours that are in `inside`."""
    facts = world.countries[country].facts
    return [Hop(relation, country, facts[relation]) for relation in NEIGHBOURS if facts.get(relation) in inside]


def cities_of(world: World, inside: set[str]) -> dict[str, list[Hop]]:
    """Return the facts about the cities of each country that is in `inside`; those with odd names are left out."""
    cities: dict[str, list[Hop]] = defaultdict(list)
    for city in world.cities:
        if city.country in inside and _PLAIN_NAME.fullmatch(city.name) and len(city.name) <= 24:
            cities[city.country].append(Hop(CITY_RELATION, subject(CITY_RELATION, city.name), city.country))
    return cities


class Answerable:
    """Says whether the index answers every hop of a chain with the right passage on top; asks once per hop."""

    def __init__(self, index: PassageIndex) -> None:
        """Ask `index`."""
        self._index = index
        self._known: dict[Hop, bool] = {}

    def __call__(self, chain: Chain) -> bool:
        """Return whether every hop is answered; countries are asked first, because many chains share them."""
        return all(self._hop(hop) for hop in reversed(chain))

    def _hop(self, hop: Hop) -> bool:
        if hop not in self._known:
            self._known[hop] = self._index.search(hop.query) == [hop.passage]
        return self._known[hop]


def task(chain: Chain, split: str, number: int) -> Task:
    """Return the task that asks for the end of `chain`."""
    return Task(
        id=f"{split}-{number:05d}",
        messages=(system(PROMPT), user(question(chain))),
        answer=chain[-1].value,
        attributes={"hops": len(chain)},
        data={"type": kind(chain), "chain": [[hop.relation, hop.of, hop.value] for hop in chain]},
    )


def chain_of(task: Task) -> Chain:
    """Return the chain a task was made from."""
    return tuple(Hop(*hop) for hop in task.data["chain"])


def questions(world: World, index: PassageIndex, split: str) -> Iterator[Task]:
    """Yield the tasks of a split: equally many of each number of hops and, within it, of each type.

    Answers are drawn evenly among those a type has in the split, so that no constant answer does well; a question that
    names its own answer, or whose chain the index does not answer hop by hop, is left out.
    """
    rng = random.Random(derive(0, "search/questions", split))
    per_hops, answerable = SPLITS[split] // 3, Answerable(index)
    drawn = [list(_draw(_candidates(world, split, hops), answerable, per_hops, rng)) for hops in (1, 2, 3)]
    chains = [chain for same_hops in drawn for chain in same_hops]
    rng.shuffle(chains)
    for number, chain in enumerate(chains):
        yield task(chain, split, number)


def _draw(pool: Pool, answerable: Answerable, count: int, rng: random.Random) -> Iterator[Chain]:
    """Yield up to `count` answerable chains, taking types in turn and, within a type, the answers used least so far.

    An answer may hold at most about `SPREAD` of its type: a type with too few answers for that stays small.
    """
    used: dict[str, Counter[str]] = {name: Counter() for name in pool}
    yielded = 0
    while pool and yielded < count:
        for name in list(pool):
            answers, uses = pool[name], used[name]
            limit = 1 + SPREAD * uses.total()
            least = min((uses[answer] for answer in answers), default=limit)
            if least >= limit:
                del pool[name]
                continue
            answer = rng.choice([answer for answer in sorted(answers) if uses[answer] == least])
            chain = answers[answer].pop(rng.randrange(len(answers[answer])))
            if not answers[answer]:
                del answers[answer]
            if yielded < count and answerable(chain):
                uses[answer] += 1
                yielded += 1
                yield chain


def _candidates(world: World, split: str, hops: int) -> Pool:
    """Return the chains of `hops` facts inside `split`, by type and by answer."""
    pool: Pool = defaultdict(lambda: defaultdict(list))
    inside = countries_of(world, split)
    cities = cities_of(world, inside)
    for country in sorted(inside):
        for chain in _chains_from(world, inside, country, cities[country], hops):
            if chain[-1].value.lower() not in question(chain).lower():
                pool[kind(chain)][chain[-1].value].append(chain)
    return {name: dict(answers) for name, answers in sorted(pool.items())}


def _chains_from(world: World, inside: set[str], country: str, cities: list[Hop], hops: int) -> Iterator[Chain]:
    """Yield the chains of `hops` facts that pass through `country` first and never leave `inside`."""
    near, attributes = neighbours_of(world, country, inside), attributes_of(world, country)
    beyond = [(hop, attribute) for hop in near for attribute in attributes_of(world, hop.value)]
    if hops == 1:
        yield from ((city,) for city in cities)
        yield from ((hop,) for hop in attributes + near)
    elif hops == 2:
        yield from ((city, hop) for city in cities for hop in attributes + near)
        yield from beyond
    else:
        yield from ((city, *pair) for city in cities for pair in beyond)
