"""The conversations of `search_rewrite`: understood they are found at once, and not otherwise."""

import functools
import json
from collections import Counter
from random import Random

import gymnasium
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_rl import Task, make
from agent_rl.core.errors import NotProvidedError, UserError
from agent_rl.core.message import Message, assistant, tool_call, user
from agent_rl.envs.checker import check_environment
from agent_rl.envs.search.env import passage_index, world
from agent_rl.envs.search.questions import NEIGHBOURS, split_of
from agent_rl.envs.search_rewrite.check import QUERIES, mean_rank
from agent_rl.envs.search_rewrite.demonstrations import WRONG_RELATION, WRONG_SUBJECT, conversation, invented
from agent_rl.envs.search_rewrite.wording import STYLES, misspelt
from agent_rl.envs.section import EnvSection

SPLITS = ("train", "test")


@functools.cache
def tasks(split: str) -> list[Task]:
    return list(make("search_rewrite").tasks(split))


def said(task: Task) -> list[str]:
    return [message["content"] for message in task.messages[1:]]


def search(query: str, number: int = 0) -> Message:
    return assistant("", [tool_call("search", {"query": query}, number)])


def query_of(messages: list[Message]) -> str:
    (call,) = messages[-2]["tool_calls"]
    return str(json.loads(call["function"]["arguments"])["query"])


@pytest.mark.slow
def test_every_check_passes_and_gymnasium_makes_it():
    findings = list(check_environment(EnvSection(name="search_rewrite")))
    assert [finding for finding in findings if finding.passed is False] == []
    assert {"test: the fact's own words", "test: the last message"} <= {finding.name for finding in findings}
    env = gymnasium.make("agent_rl/SearchRewrite-v0")
    assert env.reset(seed=0)[0][0]["role"] == "system"


@pytest.mark.parametrize("split", SPLITS)
def test_a_query_in_the_facts_own_words_finds_the_passage_at_once(split):
    env = make("search_rewrite")
    for task in Random(0).sample(tasks(split), 60):
        env.reset(options={"task": task})
        _, reward, over, _, info = env.step(*env.solution(task))
        assert (reward, over, info["components"]) == (1.0, True, {"reciprocal_rank": 1.0, "recall": 1.0})


def test_queries_without_understanding_find_little():
    few = tasks("test")[300:480]
    rank = {name: mean_rank(few, passage_index(), 5, query) for name, (query, _) in QUERIES.items()}
    assert rank["constant query"] < 0.01
    assert rank["the relation alone"] < 0.02
    assert rank["the last message"] < 0.2
    assert rank["the whole conversation"] < 0.2
    assert rank["the country alone"] < 0.45


@pytest.mark.parametrize(("split", "size"), [("train", 3000), ("test", 600)])
def test_a_split_has_each_style_equally_often_and_no_conversation_twice(split, size):
    assert Counter(task.attributes["style"] for task in tasks(split)) == dict.fromkeys(STYLES, size // 6)
    assert len({json.dumps(task.messages) for task in tasks(split)}) == size


def test_no_country_is_talked_of_in_both_splits():
    for split in SPLITS:
        for task in tasks(split):
            for relation, of, value in task.data["facts"]:
                assert split_of(of) == split
                assert relation not in NEIGHBOURS or split_of(value) == split


def test_every_fact_that_is_told_is_true():
    for task in Random(1).sample(tasks("test"), 200):
        *earlier, (relation, of, value) = task.data["facts"]
        assert task.answer == f"The {relation} of {of} is {value}."
        assert world().countries[of].facts[relation] == value
        assert said(task)[1::2] == [f"{told}." for _, _, told in earlier]
        assert all(world().countries[of].facts[relation] == value for relation, of, value in earlier)
        assert value not in {told for _, _, told in earlier}


def test_the_last_message_leaves_out_what_its_style_says():
    for task in tasks("test"):
        style, (relation, of, _) = task.attributes["style"], task.data["facts"][-1]
        last, before = said(task)[-1].lower(), " ".join(said(task)[:-1])
        assert (of.lower() in last) == (style in ("chatty", "misspelt", "ellipsis"))
        assert style in ("chatty", "misspelt", "ellipsis") or of in before
        assert f"{relation} of" not in last
        if style == "ellipsis":
            assert task.data["facts"][0][0] == relation
        if style == "answer":
            assert task.data["facts"][0][2] == of


def test_that_country_is_never_one_of_two():
    for task in tasks("train"):
        if task.attributes["style"] == "pronoun":
            (relation, of, _), (_, asked, _) = task.data["facts"]
            assert of == asked
            assert relation not in NEIGHBOURS


@pytest.mark.parametrize(("score", "rewards"), [("reciprocal_rank", [1.0, 0.5, 0.0]), ("recall", [1.0, 1.0, 0.0])])
def test_the_reward_is_the_rank_or_whether_it_was_found(score, rewards):
    env = make("search_rewrite", score=score, results=2)
    first, second, third = passage_index().search("the capital of Kenya", 3)
    for answer, expected in zip((first, second, third), rewards, strict=True):
        task = Task("made", (user("?"),), answer)
        env.reset(options={"task": task})
        (found,), reward, over, *_ = env.step(search("the capital of Kenya"))
        assert (found["content"], reward, over) == (f"{first}\n{second}", expected, True)
        assert env.best_reward(task) == 1.0


def test_there_is_one_search_and_words_find_nothing():
    env = make("search_rewrite")
    env.reset(options={"task": Task("made", (user("?"),), "The capital of Kenya is Nairobi.")})
    calls = [tool_call("search", {"query": query}, i) for i, query in enumerate(("Mali", "the capital of Kenya"))]
    answers, reward, over, *_ = env.step(assistant("", calls))
    assert (answers[1]["content"], reward, over) == ("Error: you have one search", 0.0, True)
    env.reset(seed=0)
    assert env.step(assistant(env.task.answer))[1:3] == (0.0, True)


def test_a_search_that_finds_nothing_says_so():
    env = make("search_rewrite")
    env.reset(seed=0)
    (found,), reward, *_ = env.step(search("?!"))
    assert (found["content"], reward) == ("Nothing found.", 0.0)


def test_the_demonstrated_rewriter_errs_as_often_as_is_stated():
    right = relation = subject = subjects = 0
    for seed in range(2000):
        earlier, gold, style = invented(Random(seed))
        query = query_of(conversation(Random(seed)))
        right += query == gold.query
        relation += f"the {gold.relation} of" not in query
        if style not in ("chatty", "misspelt"):
            assert earlier
            subjects += 1
            subject += not query.endswith(gold.of)
    assert 0.4 < right / 2000 < 0.7
    assert relation / 2000 == pytest.approx(WRONG_RELATION, abs=0.03)
    assert subject / subjects == pytest.approx(WRONG_SUBJECT, abs=0.04)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32))
def test_a_demonstration_asks_for_a_name_that_was_said_and_is_told_a_fact(seed):
    messages = conversation(Random(seed))
    of = query_of(messages).partition(" of ")[2]
    assert of.lower() in " ".join(message["content"] for message in messages[1:-2]).lower()
    assert messages[-1]["content"].startswith(f"The {query_of(messages)[4:]} is ")
    assert messages == conversation(Random(seed))


@settings(max_examples=50)
@given(st.sampled_from(["capital", "currency", "largest neighbour"]), st.integers())
def test_what_is_misspelt_has_the_same_letters_and_is_another_word(word, seed):
    wrong = misspelt(word, Random(seed))
    assert sorted(wrong) == sorted(word)
    assert all(a != b and (a[0], a[-1]) == (b[0], b[-1]) for a, b in zip(wrong.split(), word.split(), strict=True))


def test_what_is_not_there_is_said():
    env = make("search_rewrite")
    with pytest.raises(UserError, match=r"unknown split 'tset', did you mean 'test'\?"):
        env.tasks("tset")
    with pytest.raises(NotProvidedError, match="not one of the environment's own"):
        env.solution(Task("foreign", (user("?"),)))
