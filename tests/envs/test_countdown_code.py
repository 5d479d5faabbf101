"""Countdown by programs: what the demonstrated player runs prints what is shown, and only the answer counts."""

import contextlib
import io
import json
from random import Random

import pytest

from agent_rl import make
from agent_rl.core.message import Message, assistant, tool_call
from agent_rl.core.task import Task
from agent_rl.envs.checker import check_environment
from agent_rl.envs.countdown.env import judged
from agent_rl.envs.countdown.problems import Problem, generate
from agent_rl.envs.countdown_code import env as countdown_code
from agent_rl.envs.countdown_code import programs
from agent_rl.envs.section import EnvSection

COUNT = 1000
PROBLEM = Task("made", (), "2 * 3 + 4", data={"numbers": [2, 3, 4], "target": 10})


@pytest.fixture(scope="module")
def shown() -> list[list[Message]]:
    env = make("countdown_code")
    return [env.demonstrate(Random(seed)).messages for seed in range(COUNT)]


def asked(messages: list[Message]) -> tuple[list[int], int]:
    words = messages[0]["content"].split(",")[0].split()
    return [int(word) for word in words[3:]], int(words[1])


def program(messages: list[Message]) -> str:
    calls = messages[1].get("tool_calls", [])
    return json.loads(calls[0]["function"]["arguments"])["code"] if calls else ""


def printed(code: str) -> str:
    """Return what a program of this project's own prints; in this process, for speed."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(code, {})
    return out.getvalue().strip()


@pytest.mark.parametrize(("count", "operators"), [(3, "+-*"), (3, "+-"), (4, "*+")])
def test_the_program_prints_a_solution_of_any_problem_and_what_it_prints_is_known(count, operators):
    for seed in range(20):
        problem = generate(Random(seed), count, 20, 500, operators)
        code = programs.search(problem.numbers, problem.target, operators)
        found = programs.found(problem.numbers, problem.target, operators)
        assert printed(code) == found
        assert judged(found, problem.numbers, problem.target)[1]


def test_demonstrations_show_what_their_programs_print(shown):
    for messages in shown[:200]:
        if code := program(messages):
            assert printed(code) == messages[2]["content"]


def test_the_player_searches_and_idles_as_often_as_is_stated_and_mostly_fails(shown):
    searches = [messages for messages in shown if "itertools" in program(messages)]
    idles = [messages for messages in shown if program(messages).endswith("==t)")]
    won = [judged(messages[-1]["content"], *asked(messages))[1] for messages in shown]
    assert len(searches) / COUNT == pytest.approx(countdown_code.SEARCHES, abs=0.04)
    assert len(idles) / COUNT == pytest.approx(countdown_code.IDLES, abs=0.05)
    assert 0.1 < sum(won) / COUNT < 0.25
    assert all(judged(messages[-1]["content"], *asked(messages))[1] for messages in searches)


def test_no_problem_of_the_test_split_is_demonstrated(shown):
    keys = {Problem(tuple(numbers), target, "").key for numbers, target in map(asked, shown)}
    env = make("countdown_code")
    assert keys & {task.id for task in env.tasks("train")}
    assert not keys & {task.id for task in env.tasks("test")}


def test_the_same_seed_gives_the_same_demonstration():
    env = make("countdown_code")
    assert env.demonstrate(Random(5)) == env.demonstrate(Random(5))
    assert env.demonstrate(Random(5)) != env.demonstrate(Random(6))


@pytest.mark.parametrize(
    ("answer", "score"),
    [
        ("2 * 3 + 4", 1.0),
        ("(3*2)+4", 1.0),
        ("I looked for it. Answer: 4+2*3", 1.0),
        ("2 * 3 + 4 = 10", 0.0),
        ("10", 0.0),
        ("2 + 4 + 4", 0.0),
        ("2 + 3 + 4", 0.0),
        ("", 0.0),
    ],
)
def test_only_an_expression_of_each_number_once_with_the_targets_value_counts(answer, score):
    env = make("countdown_code")
    env.reset(options={"task": PROBLEM})
    _, reward, over, *_ = env.step(assistant(answer))
    assert (reward, over) == (score, True)


def test_the_program_runs_in_the_sandbox_and_what_it_prints_is_an_answer():
    env = make("countdown_code")
    for task in list(env.tasks("test"))[:3]:
        env.reset(options={"task": task})
        actions = env.solution(task)
        ((printed_, *_), reward, over, *_) = env.step(next(actions))
        numbers = task.data["numbers"], task.data["target"]
        assert printed_["content"] == programs.found(*numbers, "+-*")
        assert (reward, over) == (0.0, False)
        assert env.step(next(actions))[1:3] == (1.0, True)


def test_runs_are_counted_and_errors_are_read():
    env = make("countdown_code", runs=1)
    env.reset(options={"task": PROBLEM})
    calls = [tool_call("python", {"code": code}, i) for i, code in enumerate(("1 / 0", "print(1)"))]
    observation, reward, over, *_ = env.step(assistant("", calls))
    assert observation[0]["content"].endswith("ZeroDivisionError: division by zero")
    assert (observation[1]["content"], reward, over) == ("No runs are left.", 0.0, False)


@pytest.mark.slow
def test_every_check_passes():
    findings = list(check_environment(EnvSection(name="countdown_code")))
    assert {"gymnasium", "splits", "solution", "wrong answer", "malformed calls"} <= {f.name for f in findings}
    assert [finding for finding in findings if not finding.passed] == []
