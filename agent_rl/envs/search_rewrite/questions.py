"""The questions of `search_rewrite`, split by country as those of `search`."""

from collections.abc import Iterator, Sequence
from random import Random

from agent_rl.core.message import Message, system
from agent_rl.core.seeds import derive
from agent_rl.core.task import Task
from agent_rl.envs.search.corpus import World
from agent_rl.envs.search.facts import Facts
from agent_rl.envs.search.questions import NEIGHBOURS, Hop
from agent_rl.envs.search_rewrite.wording import STYLES, conversation
from agent_rl.tools.search import PassageIndex

PROMPT = "Search for what the last question asks. You have one search, and it knows nothing of the conversation."
SPLITS = {"train": 3000, "test": 600}
"""Questions per split, equally many of each style."""


def questions(world: World, index: PassageIndex, split: str) -> Iterator[Task]:
    """Yield the tasks of a split; no conversation is there twice."""
    facts = Facts(world, index, split)
    rng = Random(derive(0, "search_rewrite/questions", split))
    seen: set[str] = set()
    while len(seen) < SPLITS[split]:
        style = STYLES[len(seen) % len(STYLES)]
        drawn = draw(style, facts, rng)
        if drawn is None:
            continue
        earlier, gold = drawn
        messages = conversation(style, earlier, gold, rng)
        told = "\n".join(str(message["content"]) for message in messages)
        if told not in seen and gold.value not in {hop.value for hop in earlier}:
            yield task(style, messages, (*earlier, gold), f"{split}-{len(seen):05d}")
            seen.add(told)


def task(style: str, messages: Sequence[Message], facts: Sequence[Hop], name: str) -> Task:
    """Return the task to find the last of the facts talked of: its passage is the answer."""
    gold = facts[-1]
    return Task(
        id=name,
        messages=(system(PROMPT), *messages),
        answer=gold.passage,
        attributes={"style": style, "relation": gold.relation},
        data={"facts": [[hop.relation, hop.of, hop.value] for hop in facts]},
    )


def fact_of(task: Task) -> Hop:
    """Return the fact that a task asks for."""
    return Hop(*task.data["facts"][-1])


def draw(style: str, facts: Facts, rng: Random) -> tuple[tuple[Hop, ...], Hop] | None:
    """Return facts for a conversation of a style, earlier ones and the one asked for; None if what was drawn has none.

    Every relation is asked for equally often, whatever the corpus has most of.
    """
    gold = _any(facts, rng)
    same = [hop for hop in facts.about[gold.of].values() if hop != gold]
    if style == "answer":
        naming = [hop for relation in NEIGHBOURS for hop in facts.by_relation[relation] if hop.value == gold.of]
        return ((rng.choice(naming),), gold) if naming else None
    if style == "ellipsis":
        others = [hop for hop in facts.by_relation[gold.relation] if hop.of != gold.of]
        return (rng.choice(others),), gold
    if style == "pronoun":  # after a neighbour was named, "that country" would be either
        plain = [hop for hop in same if hop.relation not in NEIGHBOURS]
        return ((rng.choice(plain),), gold) if plain else None
    if style == "return":
        other = _any(facts, rng)
        return ((rng.choice(same), other), gold) if same and other.of != gold.of else None
    return (), gold


def _any(facts: Facts, rng: Random) -> Hop:
    return rng.choice(facts.by_relation[rng.choice(sorted(facts.by_relation))])
