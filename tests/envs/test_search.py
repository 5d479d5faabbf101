"""The questions of `search`: answered by searching hop by hop, and by nothing else."""

import functools
import hashlib
import json
import subprocess
import sys
from collections import Counter, defaultdict
from random import Random

import pytest

from agent_rl import Task, make
from agent_rl.core.errors import UserError
from agent_rl.core.message import assistant, tool_call
from agent_rl.envs.search.env import passage_index, world

SPLITS = ("train", "test")


@functools.cache
def tasks(split: str) -> list[Task]:
    return list(make("search").tasks(split))


def question(task: Task) -> str:
    return task.messages[-1]["content"]


def chain(task: Task) -> list[list[str]]:
    return task.data["chain"]


def fact(relation: str, of: str, value: str) -> str:
    return f"The {relation} of {of} is {value}."


def fingerprint(split: str) -> str:
    told = [[t.id, t.messages, t.answer, t.attributes, t.data] for t in make("search").tasks(split)]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


@pytest.mark.parametrize("split", SPLITS)
def test_every_chain_is_answered_hop_by_hop_and_ends_in_the_answer(split):
    for task in Random(0).sample(tasks(split), 500):
        for relation, of, value in chain(task):
            assert passage_index().search(f"the {relation} of {of}") == [fact(relation, of, value)]
        assert chain(task)[-1][2] == task.answer


@pytest.mark.parametrize("split", SPLITS)
def test_each_hop_asks_about_what_the_hop_before_found(split):
    for task in tasks(split):
        hops = chain(task)
        assert [of for _, of, _ in hops[1:]] == [value for _, _, value in hops[:-1]]
        nested = functools.reduce(lambda inner, hop: f"the {hop[0]} of {inner}", hops, hops[0][1])
        assert question(task) == f"What is {nested}?"


@pytest.mark.parametrize(("split", "size"), [("train", 6000), ("test", 600)])
def test_a_split_has_a_third_of_each_number_of_hops_and_no_question_twice(split, size):
    assert Counter(task.attributes["hops"] for task in tasks(split)) == {1: size // 3, 2: size // 3, 3: size // 3}
    assert all(len(chain(task)) == task.attributes["hops"] for task in tasks(split))
    assert len({question(task) for task in tasks(split)}) == size


def places(task: Task) -> set[str]:
    """Return the countries and cities that a chain passes through."""
    ends = {value for relation, _, value in chain(task) if relation == "country" or relation.endswith("neighbour")}
    return ends | {of for _, of, _ in chain(task)}


def test_no_country_and_no_city_is_on_chains_of_both_splits():
    train, test = (set().union(*map(places, tasks(split))) for split in SPLITS)
    assert len(train & set(world().countries)) > 50
    assert len(test & set(world().countries)) > 30
    assert not train & test


@pytest.mark.parametrize("split", SPLITS)
def test_no_constant_answer_per_type_of_question_does_well(split):
    answers: dict[str, Counter[str]] = defaultdict(Counter)
    for task in tasks(split):
        answers[" > ".join(relation for relation, _, _ in chain(task))][task.answer] += 1
    assert sum(max(counts.values()) for counts in answers.values()) / len(tasks(split)) < 0.15


@pytest.mark.parametrize("split", SPLITS)
def test_searching_for_a_question_of_two_hops_itself_finds_no_answer(split):
    two = [task for task in tasks(split) if task.attributes["hops"] == 2]
    asked = Random(2).sample(two, min(len(two), 600))
    found = sum(fact(*chain(task)[-1]) in passage_index().search(question(task), 3) for task in asked)
    assert found / len(asked) < 0.05


@pytest.mark.parametrize("split", SPLITS)
def test_no_question_names_its_answer(split):
    assert [task.id for task in tasks(split) if task.answer.casefold() in question(task).casefold()] == []


def test_the_solution_gets_the_whole_reward_by_its_searches_alone():
    env = make("search")
    for task in Random(1).sample(tasks("test"), 60):
        env.reset(options={"task": task})
        *searches, last = env.solution(task)
        passages = [env.step(search)[0][0]["content"] for search in searches]
        assert passages == [fact(*hop) for hop in chain(task)]
        assert env.step(last) == ([], 1.0, True, False, {"components": {"correct": 1.0}})


def test_a_wrong_answer_gets_nothing():
    env = make("search")
    for task, other in zip(tasks("test")[:50], tasks("test")[50:100], strict=True):
        if task.answer != other.answer:
            env.reset(options={"task": task})
            assert env.step(assistant(f"Answer: {other.answer}"))[1:3] == (0.0, True)


TASK = Task("made", (), answer="São Tomé and Príncipe")


@pytest.mark.parametrize(
    ("answer", "reward"),
    [
        ("Answer: São Tomé and Príncipe", 1.0),
        ("Answer:São Tomé and Príncipe", 1.0),
        ("Answer:  são   TOMÉ\nand\tpríncipe \n", 1.0),
        ("I know. Answer: Mali. No, Answer: São Tomé and Príncipe", 1.0),
        ("Answer: São Tomé and Príncipe.", 0.0),
        ("Answer: Sao Tome and Principe", 0.0),
        ("Answer: São Tomé & Príncipe", 0.0),
        ("Answer: São-Tomé and Príncipe", 0.0),
        ("Answer: São Tomé", 0.0),
        ("Answer: in São Tomé and Príncipe", 0.0),
        ("Answer: São Tomé and Príncipe Answer:", 0.0),
        ("Answer: SãoToméandPríncipe", 0.0),
        ("Answer:", 0.0),
        ("", 0.0),
    ],
)
def test_answers_are_compared_without_case_and_white_space_and_otherwise_letter_by_letter(answer, reward):
    env = make("search")
    env.reset(options={"task": TASK})
    assert env.step(assistant(answer))[1] == reward


def test_with_the_tool_switched_off_none_is_offered_and_a_call_is_told_so():
    env = make("search", tool=False)
    assert env.reset(seed=0)[1]["tools"] == []
    observation, reward, terminated, *_ = env.step(assistant("", [tool_call("search", {"query": "x"})]))
    assert [m["content"] for m in observation] == ["Error: there is no tool 'search' (there are: none)"]
    assert (reward, terminated) == (0.0, False)


@pytest.mark.parametrize("results", [1, 4])
def test_a_search_returns_as_many_passages_as_are_set(results):
    env = make("search", results=results)
    env.reset(seed=0)
    (found,), *_ = env.step(assistant("", [tool_call("search", {"query": "the capital of Kenya"})]))
    assert len(found["content"].splitlines()) == results
    assert found["content"].startswith("The capital of Kenya is Nairobi.")


def test_a_search_that_finds_nothing_says_so():
    env = make("search")
    env.reset(seed=0)
    (found,), *_ = env.step(assistant("", [tool_call("search", {"query": "?!"})]))
    assert found["content"] == "Nothing found."


def test_an_unknown_split_gets_the_nearest_right_one():
    with pytest.raises(UserError, match=r"unknown split 'tset', did you mean 'test'\?"):
        make("search").tasks("tset")


@pytest.mark.slow
def test_the_task_sets_are_the_same_in_another_process():
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); from test_search import SPLITS, fingerprint\n"
        "print(*map(fingerprint, SPLITS))"
    )
    command = [sys.executable, "-c", script, __file__.rpartition("/")[0]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.stdout.split() == [fingerprint(split) for split in SPLITS], done.stderr
