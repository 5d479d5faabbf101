"""Demonstrations of `search`: invented names, clean copies, and imperfect decisions as often as is stated."""

import json
import re
from random import Random

import pytest

from agent_rl import make
from agent_rl.core.message import Message
from agent_rl.envs.search import demonstrations
from agent_rl.envs.search.demonstrations import conversation, invent_chain, invent_name
from agent_rl.envs.search.env import world

COUNT = 4000


def answer(messages: list[Message]) -> str:
    return messages[-1]["content"].removeprefix("Answer: ")


def queries(messages: list[Message]) -> list[str]:
    calls = [call for message in messages for call in message.get("tool_calls", [])]
    return [json.loads(call["function"]["arguments"])["query"] for call in calls]


@pytest.fixture(scope="module")
def shown() -> list[list[Message]]:
    return [conversation(Random(seed)) for seed in range(COUNT)]


@pytest.fixture(scope="module")
def chains() -> list[tuple[demonstrations.Hop, ...]]:
    """Return the chains of the same conversations: the first thing that each draws."""
    return [invent_chain(Random(seed)) for seed in range(COUNT)]


def test_invented_names_are_many_and_almost_never_real():
    rng = Random(0)
    names = [invent_name(rng) for _ in range(2500)]
    facts = (value for country in world().countries.values() for value in country.facts.values())
    real = {name.casefold() for name in (*world().countries, *(city.name for city in world().cities), *facts)}
    assert len(real) > 20_000
    assert len(set(names)) > 0.98 * len(names)
    known = [name for name in names if name.casefold() in real]
    # Short syllables are bound to be a town somewhere; nothing longer may be a name that a model could know.
    assert len(known) < 0.005 * len(names)
    assert max(map(len, known), default=0) <= 5
    assert all(1 <= len(name) <= 30 and name == name.strip() for name in names)


def test_a_conversation_is_searches_with_their_results_and_an_answer(shown):
    for messages in shown:
        roles = [message["role"] for message in messages]
        assert roles == ["system", "user", *["assistant", "tool"] * len(queries(messages)), "assistant"]
        assert messages[-1]["content"].startswith("Answer: ")
        for said, told in zip(messages[2:-1:2], messages[3::2], strict=True):
            (call,) = said["tool_calls"]
            assert (said["content"], told["tool_call_id"]) == ("", call["id"])
            assert call["function"]["name"] == "search"


def test_every_query_and_every_answer_copies_letter_by_letter_what_is_known_by_then(shown):
    for messages in shown:
        known = messages[1]["content"]
        for number, query in enumerate(queries(messages)):
            of = re.fullmatch(r"the ([^ ]+|largest neighbour|smallest neighbour) of (.+)", query)[2]
            passage = messages[3 + 2 * number]["content"]
            assert of in known
            assert passage.casefold().startswith(f"{query.casefold()} is ")
            assert passage[1:].startswith(query[1:])
            known += "\n" + passage
        assert answer(messages) in known


def test_the_answer_is_the_last_thing_that_was_found_or_the_subject_of_the_question(shown):
    for messages in shown:
        if found := queries(messages):
            assert messages[-2]["content"] == f"T{found[-1][1:]} is {answer(messages)}."
        else:
            assert messages[1]["content"].endswith(f" {answer(messages)}?")


def test_the_right_answer_is_among_those_given_and_never_in_the_question(shown, chains):
    right = [answer(messages) == chain[-1].value for messages, chain in zip(shown, chains, strict=True)]
    assert 0.2 < sum(right) / COUNT < 0.5


def test_the_searcher_guesses_as_often_as_is_stated(shown):
    guesses = sum(not queries(messages) for messages in shown)
    assert guesses / COUNT == pytest.approx(demonstrations.GUESSES, abs=0.02)


def test_the_searcher_asks_for_a_wrong_relation_and_stops_too_early_as_often_as_is_stated(shown, chains):
    tried = wrong = later = early = 0
    for messages, chain in zip(shown, chains, strict=True):
        right = {hop.query for hop in chain}
        asked = queries(messages)
        if not asked:
            continue
        stopped_by_a_wrong_one = asked[-1] not in right
        reached = sum(query in right for query in asked) + stopped_by_a_wrong_one
        tried += reached
        wrong += sum(query not in right for query in asked)
        stopped_early = not stopped_by_a_wrong_one and reached < len(chain)
        later += reached - 1 + stopped_early
        early += stopped_early
    assert wrong / tried == pytest.approx(demonstrations.WRONG_RELATION, abs=0.015)
    assert early / later == pytest.approx(demonstrations.TOO_EARLY, abs=0.025)


def test_as_many_examples_as_is_stated_are_about_invented_relations(chains):
    geography = {*demonstrations.FINAL, *demonstrations.NEIGHBOURS, "country"}
    invented = sum(chain[0].relation not in geography for chain in chains)
    assert invented / COUNT == pytest.approx(demonstrations.INVENTED_RELATIONS, abs=0.025)


def test_the_same_seed_gives_the_same_demonstration_and_another_seed_another():
    env = make("search")
    assert [env.demonstrate(Random(seed)) for seed in range(50)] == [
        env.demonstrate(Random(seed)) for seed in range(50)
    ]
    assert len({json.dumps(env.demonstrate(Random(seed)).messages) for seed in range(50)}) == 50


def test_a_demonstration_offers_the_tools_of_its_environment():
    on, off = make("search").demonstrate(Random(0)), make("search", tool=False).demonstrate(Random(0))
    assert [schema["function"]["name"] for schema in on.tools] == ["search"]
    assert off.tools == []
