"""Demonstrations: an imperfect rewriter of questions about names invented afresh, as those of `search`."""

from random import Random

from agent_rl.core.message import Message, assistant, system, tool_call, tool_result
from agent_rl.envs.search.demonstrations import invent_name
from agent_rl.envs.search.questions import FINAL, NEIGHBOURS, Hop
from agent_rl.envs.search_rewrite.questions import PROMPT
from agent_rl.envs.search_rewrite.wording import STYLES
from agent_rl.envs.search_rewrite.wording import conversation as put

WRONG_RELATION = 0.3
"""Probability of asking for another relation than the question does."""
WRONG_SUBJECT = 0.3
"""Probability of asking about another name of the conversation, where there is one."""
_RELATIONS = (*FINAL, *NEIGHBOURS)


def conversation(rng: Random) -> list[Message]:
    """Return one conversation with the query that is made of it and the passage that this finds."""
    earlier, gold, style = invented(rng)
    relation, of = gold.relation, gold.of
    if rng.random() < WRONG_RELATION:
        relation = rng.choice([other for other in _RELATIONS if other != relation])
    others = sorted({name for hop in earlier for name in (hop.of, hop.value)} - {of})
    if others and rng.random() < WRONG_SUBJECT:
        of = rng.choice(others)
    asked = Hop(relation, of, gold.value if (relation, of) == (gold.relation, gold.of) else invent_name(rng))
    call = tool_call("search", {"query": asked.query})
    return [
        system(PROMPT),
        *put(style, earlier, gold, rng),
        assistant("", [call]),
        tool_result(asked.passage, call),
    ]


def invented(rng: Random) -> tuple[tuple[Hop, ...], Hop, str]:
    """Return the earlier facts, the one asked for, and the style of a conversation about invented names."""
    style = rng.choice(STYLES)
    country, other, value, *more = (invent_name(rng) for _ in range(5))
    relation, second, third = rng.sample(_RELATIONS, 3)
    plain = rng.choice([other for other in FINAL if other != relation])
    earlier: dict[str, tuple[Hop, ...]] = {
        "pronoun": (Hop(plain, country, more[0]),),
        "ellipsis": (Hop(relation, other, more[0]),),
        "answer": (Hop(rng.choice(NEIGHBOURS), other, country),),
        "return": (Hop(second, country, more[0]), Hop(third, other, more[1])),
    }
    return earlier.get(style, ()), Hop(relation, country, value), style
