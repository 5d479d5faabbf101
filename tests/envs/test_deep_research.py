"""`deep_research`: facts that were read and are asked for count; guesses, copies and knowledge by heart do not."""

import functools
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random

import gymnasium
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_rl import Task, make
from agent_rl.core.errors import NotProvidedError, UserError
from agent_rl.core.message import Message, assistant, tool_call, user
from agent_rl.envs.checker import check_environment
from agent_rl.envs.deep_research.env import library
from agent_rl.envs.deep_research.questions import KINDS
from agent_rl.envs.deep_research.report import Judgement, judged, numbers, written
from agent_rl.envs.generation import played
from agent_rl.envs.search.env import passage_index, world
from agent_rl.envs.search.questions import NEIGHBOURS, split_of
from agent_rl.envs.section import EnvSection
from agent_rl.envs.tool_env import ToolEnv

SPLITS = ("train", "test")
PAGE = Path(__file__).parents[2] / "docs" / "environments" / "deep_research.md"
READ = {5: "The capital of Kenya is Nairobi.", 7: "The currency of Kenya is Kenyan Shilling.", 9: "The tea is hot."}


@functools.cache
def tasks(split: str) -> list[Task]:
    return list(make("deep_research").tasks(split))


def asked(task: Task) -> str:
    return str(task.messages[-1]["content"])


def call(name: str, **arguments: str) -> Message:
    return assistant("", [tool_call(name, arguments)])


def fingerprint() -> str:
    told = [
        [t.id, t.messages, t.answer, t.attributes, t.data]
        for name in ("deep_research", "search_rewrite")
        for t in make(name).tasks("test")
    ]
    return json.dumps(told)


def solved(task: Task) -> tuple[ToolEnv, str]:
    """An environment in which all pages of the task have been read, and the report that is yet to be given."""
    env = make("deep_research")
    assert isinstance(env, ToolEnv)
    env.reset(options={"task": task})
    *research, report = env.solution(task)
    for action in research:
        env.step(action)
    return env, report["content"]


@pytest.mark.slow
def test_every_check_passes_and_gymnasium_makes_it():
    findings = list(check_environment(EnvSection(name="deep_research")))
    assert [finding for finding in findings if finding.passed is False] == []
    assert {"test: pages", "test: by heart", "test: everything"} <= {finding.name for finding in findings}
    env = gymnasium.make("agent_rl/DeepResearch-v0")
    assert [tool["function"]["name"] for tool in env.reset(seed=0)[1]["tools"]] == ["search", "open"]


def test_the_solution_of_every_kind_gets_all_of_the_reward():
    for task in tasks("test")[:40]:
        env, report = solved(task)
        _, reward, over, _, info = env.step(assistant(report))
        assert (reward, over) == (1.0, True)
        assert info["components"] == {"coverage": 1.0, "unsupported": 0.0, "unneeded": 0.0}


def test_the_right_report_without_reading_is_worth_less_than_silence():
    env = make("deep_research")
    for task in tasks("test")[:20]:
        env.reset(options={"task": task})
        assert env.step(assistant(task.answer))[1:3] == (-1.0, True)
        env.reset(options={"task": task})
        assert env.step(assistant("I do not know."))[1:3] == (0.0, True)


def test_a_report_with_half_of_the_facts_gets_half():
    task = next(task for task in tasks("test") if task.attributes["facts"] == 4)
    env, report = solved(task)
    assert env.step(assistant("\n".join(report.splitlines()[:3])))[1] == 0.5


def test_what_was_read_in_the_episode_before_is_forgotten():
    task = tasks("test")[0]
    env, report = solved(task)
    env.reset(options={"task": task})
    assert env.step(assistant(report))[1] == -1.0


@pytest.mark.parametrize(
    ("line", "supported"),
    [
        ("The capital of Kenya is Nairobi. [5]", True),
        ("- the capital of  KENYA is Nairobi [5].", True),
        ("2. The capital of Kenya is Nairobi.[5]", True),
        ("* The capital of Kenya is Nairobi [5]", True),
        ("The capital of Kenya is Nairobi.", False),
        ("The capital of Kenya is Mombasa. [5]", False),
        ("The capital of Kenya is Nairobi. [7]", False),
        ("The capital of Kenya is Nairobi. [6]", False),
        ("The capital of Kenya is Nairobi. [5] [7]", False),
        ("The capital of Kenya is Nairobi. [5] I think.", False),
        ("Nairobi [5]", False),
        ("[5]", False),
        ("The capital of Kenya is Nairobi. [99999999999999999999]", False),
    ],
)
def test_a_line_counts_if_it_says_what_stands_under_its_number(line, supported):
    right, wrong = Judgement(1.0, 0.0, 0.0), Judgement(0.0, 1.0, 0.0)
    assert judged(f"So.\nReport:\n{line}\n", {5}, READ) == (right if supported else wrong)


def test_lines_are_covering_unneeded_or_unsupported():
    report = written(READ) + "\n\nThe capital of Kenya is Nairobi. [5]\nThe moon is cheese. [5]"
    assert judged(report, {5, 7}, READ) == Judgement(coverage=1.0, unsupported=0.2, unneeded=0.4)
    assert judged(report, {5, 11}, READ).coverage == 0.5


def test_what_stands_before_the_last_mark_is_no_report():
    assert judged(written(READ).removeprefix("Report:"), {5}, READ) == Judgement(0.0, 0.0, 0.0)
    assert judged(f"{written(READ)}\nReport:", {5}, READ) == Judgement(0.0, 0.0, 0.0)
    assert judged("Report:\nnothing\nReport: The capital of Kenya is Nairobi. [5]", {5}, READ).coverage == 1.0


@settings(max_examples=60, deadline=None)
@given(st.text(st.sampled_from("Report:The tea is hot. [9]\n-*1")) | st.text(st.characters(max_codepoint=300)))
def test_whatever_is_written_is_judged_within_bounds(text):
    value = judged(f"Report:{text}", {5, 9}, READ)
    assert 0 <= value.coverage <= 1
    assert 0 <= value.unsupported + value.unneeded <= 1


@given(st.sets(st.sampled_from(sorted(READ)), min_size=1))
def test_a_written_report_is_read_back(chosen):
    report = written({number: READ[number] for number in chosen})
    assert numbers(report) == chosen
    assert judged(report, chosen, READ) == Judgement(1.0, 0.0, 0.0)


def test_pages_hold_every_passage_once_under_its_place_in_the_corpus():
    passages = world().passages()
    shelved = {number: passage for page in library().pages.values() for number, passage in page.facts.items()}
    assert shelved == dict(enumerate(passages))
    assert all(library().number(passage) == number for number, passage in Random(0).sample(sorted(shelved.items()), 50))
    page = library().with_passage("The capital of Kenya is Nairobi.")
    assert page.title == "Kenya"
    assert len(page.facts) == len(world().countries["Kenya"].facts)


def test_a_search_lists_pages_once_and_shows_no_fact():
    env = make("deep_research", results=10)
    env.reset(seed=0)
    (found,), *_ = env.step(call("search", query="the capital of Kenya"))
    lines = found["content"].splitlines()
    assert lines[0] == library().with_passage("The capital of Kenya is Nairobi.").line
    assert len(lines) == len(set(lines)) <= 10
    assert not any(" is " in line for line in lines)
    (nothing,), *_ = env.step(call("search", query="?!"))
    assert nothing["content"] == "Nothing found."


def test_a_page_that_is_not_there_is_an_error_and_case_does_not_matter():
    env = make("deep_research")
    env.reset(seed=0)
    (missing,), *_ = env.step(call("open", page="Kenya"))
    (shown,), *_ = env.step(call("open", page=" p0 "))
    assert missing["content"] == "Error: there is no page 'Kenya'"
    assert shown["content"] == library().pages["P0"].text


@pytest.mark.parametrize(("split", "size"), [("train", 2000), ("test", 400)])
def test_a_split_has_each_kind_equally_often_and_no_question_twice(split, size):
    assert Counter(task.attributes["kind"] for task in tasks(split)) == dict.fromkeys(KINDS, size // 4)
    assert len({task.messages[-1]["content"] for task in tasks(split)}) == size


def test_no_country_and_no_city_is_in_both_splits():
    cities: dict[str, set[str]] = {split: set() for split in SPLITS}
    for split in SPLITS:
        for task in tasks(split):
            for relation, of, value in task.data["read"]:
                assert split_of(value if relation == "country" else of) == split
                assert relation not in NEIGHBOURS or split_of(value) == split
                cities[split] |= {of} if relation == "country" else set()
    assert not cities["train"] & cities["test"]


def test_what_is_asked_for_is_true_and_needs_several_pages():
    for task in tasks("test"):
        stated = {library().number(f"The {r} of {of} is {value}.") for r, of, value in task.data["read"]}
        assert numbers(task.answer) <= stated
        assert len({of for _, of, _ in task.data["read"]}) >= 2
        assert 2 <= task.attributes["facts"] == len(numbers(task.answer)) <= 6


def test_those_chosen_are_all_that_share_the_value_and_the_others_have_another():
    choices = [task for task in tasks("test") if task.attributes["kind"] == "choice"]
    assert choices
    for task in choices:
        (relation, _, value), *_ = [hop for hop in task.data["read"] if f"whose {hop[0]} is {hop[2]}." in asked(task)]
        chosen = {f"The {relation} of {of} is {value}." for _, of, found in task.data["read"] if found == value}
        assert len(task.data["read"]) == 5
        assert {line.rpartition(" [")[0] for line in task.answer.splitlines()[1:]} == chosen


def test_every_page_that_has_to_be_read_is_the_first_that_is_found():
    for task in Random(3).sample(tasks("train"), 40):
        for relation, of, value in task.data["read"]:
            assert passage_index().search(f"the {relation} of {of}") == [f"The {relation} of {of} is {value}."]


def test_a_demonstration_is_a_training_task_solved():
    shown = make("deep_research").demonstrate(Random(2))
    assert shown.messages[1]["content"] in {task.messages[1]["content"] for task in tasks("train")}
    assert shown.messages[-1]["content"].startswith("Report:\n")


def test_the_page_shows_a_conversation_as_it_is_played():
    messages = played(make("deep_research"), tasks("test")[0]).messages
    for message in messages:
        for line in message["content"].splitlines():
            assert line in PAGE.read_text()


def test_what_is_not_there_is_said():
    env = make("deep_research")
    with pytest.raises(UserError, match=r"unknown split 'tset', did you mean 'test'\?"):
        env.tasks("tset")
    with pytest.raises(NotProvidedError, match="not one of the environment's own"):
        next(iter(env.solution(Task("foreign", (user("?"),)))))


@pytest.mark.slow
def test_the_tasks_on_the_corpus_of_search_are_the_same_in_another_process():
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); from test_deep_research import fingerprint\nprint(fingerprint())"
    )
    command = [sys.executable, "-c", script, str(Path(__file__).parent)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.stdout.strip() == fingerprint(), done.stderr
