"""Demonstrations for supervised training: an imperfect searcher in worlds invented afresh for each example.

Every name is new, so that a model can only learn to copy names, never to know them; a model that was shown a fixed set
of names memorises them and fails on others. The spelling is clean; the imperfection lies in the decisions: the searcher
guesses without searching, answers after too few hops, or asks for the wrong relation.
"""

from random import Random

from agent_rl.core.message import Message, assistant, system, tool_call, tool_result, user
from agent_rl.envs.search.corpus import CITY_RELATION, subject
from agent_rl.envs.search.questions import FINAL, NEIGHBOURS, PROMPT, Chain, Hop, question

GUESSES = 0.25
"""Probability of answering without any search."""
TOO_EARLY = 0.55
"""Probability, at each later hop that is still missing, of answering with what was found so far."""
WRONG_RELATION = 0.1
"""Probability, at each search, of asking for another relation than the one the question needs."""
INVENTED_RELATIONS = 0.3
"""Share of examples whose relations are invented too, so that other facts than geography can be asked for."""


def _pieces(text: str) -> list[str]:
    return text.split()


_ONSETS = _pieces("b c d f g h j k l m n p r s t v w y z br ch dr gr kh kr ll mb nd ng ny pr sh st th tr ts zh")
_VOWELS = _pieces("a a a a e e e i i i o o o u u ai ao au ea ei ia ie io oa ou ui y")
_CODAS = [""] * 24 + _pieces("n n n r r s s l l m t k d g h b ng rt nd st ck ns rg")
_ACCENTED = "àáâãäåæçèéêëìíîïðñòóôõöøùúûüýÿāăąćčđēėęěğģīıķļłńňōőœřśşšţťūůűųźżžơưạảấầẩậắằặẻẽếềểễệỉịọỏốồổộớờởợụủứừửựỳỹṣṭḩ"
_CAPITALS = "ÁÂÅÇÉÍÎÓÖØÚÜČĐĪĽŁŌŘŚŞŠŪŻŽẤḨṢẔ"
_JOINTS = [" ", " ", " ", " ", " ", "-", "-", " of ", " and ", " al ", " de ", "'"]


def invent_name(rng: Random) -> str:
    """Return a name of one to four words that looks like a place's and most likely never was one."""
    name = _word(rng)
    for _ in range(rng.choices((0, 1, 2, 3), (60, 26, 11, 3))[0]):
        name += rng.choice(_JOINTS) + _word(rng)
    return name if len(name) <= 30 else invent_name(rng)


def _word(rng: Random) -> str:
    syllables = rng.choices((1, 2, 3, 4, 5), (22, 44, 26, 7, 1))[0]
    parts = [rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_CODAS) for _ in range(syllables)]
    word = "".join(parts)[rng.random() < 0.25 :]
    letters = [rng.choice("abcdefghijklmnopqrstuvwxyz") if rng.random() < 0.06 else letter for letter in word]
    if rng.random() < 0.2:
        for _ in range(rng.choice((1, 1, 2))):
            letters[rng.randrange(len(letters))] = rng.choice(_ACCENTED)
    first = rng.choice(_CAPITALS) if rng.random() < 0.03 else letters[0].upper()
    return first + "".join(letters[1:])


def invent_chain(rng: Random) -> Chain:
    """Return a chain of one to three facts about names invented for it."""
    names = [invent_name(rng) for _ in range(4)]
    hops = rng.choice((1, 2, 2, 3, 3))
    if rng.random() < INVENTED_RELATIONS:
        relations = [_word(rng).lower() for _ in range(hops)]
        return tuple(Hop(relation, names[i], names[i + 1]) for i, relation in enumerate(relations))
    relations = list(rng.choice(_SHAPES[hops]))
    relations = [rng.choice(_CHOICES[relation]) if relation in _CHOICES else relation for relation in relations]
    starts = [subject(relations[0], names[0]), *names[1:]]
    return tuple(Hop(relation, starts[i], names[i + 1]) for i, relation in enumerate(relations))


_CHOICES: dict[str, tuple[str, ...]] = {"final": FINAL, "neighbour": NEIGHBOURS}
_SHAPES: dict[int, list[tuple[str, ...]]] = {
    1: [(CITY_RELATION,), ("final",), ("neighbour",)],
    2: [(CITY_RELATION, "final"), (CITY_RELATION, "neighbour"), ("neighbour", "final")],
    3: [(CITY_RELATION, "neighbour", "final")],
}


def conversation(rng: Random) -> list[Message]:
    """Return one conversation of the imperfect searcher, from the system message to its answer."""
    chain = invent_chain(rng)
    messages = [system(PROMPT), user(question(chain))]
    known = chain[0].of.removeprefix("the city ")
    if rng.random() < GUESSES:
        return [*messages, assistant(f"Answer: {known}")]
    for number, hop in enumerate(chain):
        if number and rng.random() < TOO_EARLY:
            break
        if rng.random() < WRONG_RELATION:
            wrong = Hop(_other_relation(rng, hop.relation), hop.of, invent_name(rng))
            messages += _search(wrong)
            if rng.random() < 0.5:
                known = wrong.value
                break
        messages += _search(hop)
        known = hop.value
    return [*messages, assistant(f"Answer: {known}")]


def _other_relation(rng: Random, relation: str) -> str:
    return rng.choice([other for other in (*FINAL, *NEIGHBOURS) if other != relation])


def _search(hop: Hop) -> list[Message]:
    call = tool_call("search", {"query": hop.query})
    return [assistant("", [call]), tool_result(hop.passage, call)]
