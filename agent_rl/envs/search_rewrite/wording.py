"""Conversations whose last question a search does not understand as it stands.

What is asked for is always in other words than the corpus has, or misspelt; of what, is mostly left to be gathered from
what was said before.
"""

from random import Random

from agent_rl.core.message import Message, assistant, user
from agent_rl.envs.search.questions import Hop

STYLES = ("chatty", "misspelt", "pronoun", "ellipsis", "answer", "return")
"""How a question is put."""
_ASKED: dict[str, tuple[str, ...]] = {
    "capital": (
        "where does the government of {of} sit",
        "from which town is {of} run",
        "where would I find the ministries of {of}",
    ),
    "continent": (
        "in which part of the globe does {of} lie",
        "which of the big landmasses does {of} belong to",
        "whereabouts on a map of the earth is {of}",
    ),
    "currency": (
        "what do people in {of} pay with",
        "which money will I need in {of}",
        "what are the coins and notes of {of} called",
    ),
    "language": (
        "what do they speak in {of}",
        "in which tongue are the laws of {of} written",
        "what will I hear spoken in the streets of {of}",
    ),
    "largest neighbour": (
        "which is the biggest of all the states that border {of}",
        "of the lands around {of}, which has the most area",
        "who is next door to {of} and takes up the most room",
    ),
    "smallest neighbour": (
        "which is the tiniest of all the states that border {of}",
        "of the lands around {of}, which has the least area",
        "who is next door to {of} and takes up the least room",
    ),
}
_CHAT = (
    "My sister has just moved to {of} and the whole family wants to visit her in spring.",
    "We lost a quiz last night because {of} came up twice and nobody knew a thing.",
    "I am reading a novel about a beekeeper who flees to {of}, it is rather good.",
    "At school I always slept through geography, and now they send me to {of} for work.",
    "A colleague of mine keeps talking about {of}, and I nod as if I knew the place.",
)
_TYPED = ("hi whats teh {what} of {of} pls", "{what} of {of}?? thx", "cn u tell me {what} {of}")
_SAME = ("And {of}?", "The same for {of}, please.", "What about {of}?")
_BACK = "Let us go back to the first country I asked about: {asked}?"


def conversation(style: str, earlier: tuple[Hop, ...], gold: Hop, rng: Random) -> list[Message]:
    """Return a conversation that ends with a question for `gold`.

    Args:
        style: One of `STYLES`.
        earlier: The facts talked of before. "pronoun" wants one about the same country as `gold`, and no neighbour;
            "ellipsis" one of the same relation; "answer" a neighbour, of which `gold` then tells; "return" one about
            the same country and one about another.
        gold: The fact that answers the last question.
        rng: Chooses the words.
    """
    messages: list[Message] = []
    for number, hop in enumerate(earlier):
        asked = _asked(hop, hop.of, rng)
        messages += [user(_sentence(asked if number == 0 else f"and {asked}")), assistant(f"{hop.value}.")]
    return [*messages, user(_last(style, gold, rng))]


def _last(style: str, gold: Hop, rng: Random) -> str:
    if style == "chatty":
        return f"{rng.choice(_CHAT).format(of=gold.of)} {_sentence(_asked(gold, 'that country', rng))}"
    if style == "misspelt":
        return rng.choice(_TYPED).format(what=misspelt(gold.relation, rng), of=gold.of.lower())
    if style == "ellipsis":
        return rng.choice(_SAME).format(of=gold.of)
    if style == "return":
        return _BACK.format(asked=_asked(gold, "it", rng))
    return _sentence(f"and {_asked(gold, 'that country', rng)}")


def _asked(hop: Hop, of: str, rng: Random) -> str:
    return rng.choice(_ASKED[hop.relation]).format(of=of)


def _sentence(asked: str) -> str:
    return f"{asked[0].upper()}{asked[1:]}?"


def misspelt(words: str, rng: Random) -> str:
    """Return `words` with two letters in the midst of each changed places."""
    return " ".join(_swapped(word, rng) for word in words.split())


def _swapped(word: str, rng: Random) -> str:
    places = [i for i in range(1, len(word) - 2) if word[i] != word[i + 1]]
    i = rng.choice(places)
    return word[:i] + word[i + 1] + word[i] + word[i + 2 :]
