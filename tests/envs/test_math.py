"""The environment `math`: right answers in any form are right, wrong ones are not, hostile ones end."""

import asyncio
import threading
import time
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_rl import Task, make
from agent_rl.core.message import assistant, user
from agent_rl.envs.math import judge
from agent_rl.envs.math.env import final_answer
from agent_rl.envs.math.judge import same
from agent_rl.envs.math.problems import KINDS
from tests.tools.talkers import play, run

HALF, ROOT, PAIR, SET, CONE = "\\frac{1}{2}", "2\\sqrt{5}", "(1, -2)", "\\{-1, 4\\}", "\\frac{4}{3}\\pi"


@pytest.mark.parametrize(
    ("gold", "answers"),
    [
        (HALF, ["0.5", ".5", "1/2", "\\dfrac12", "x = \\frac{1}{2}", "\\frac{2}{4}", "$\\tfrac{1}{2}$", "0.50"]),
        ("-\\frac{7}{3}", ["-7/3", "\\frac{-7}{3}", "\\frac{7}{-3}", "-2\\frac{1}{3}", "-2 1/3", "−7/3"]),
        (ROOT, ["\\sqrt{20}", "2*sqrt(5)", "2 \\sqrt 5", "$2\\sqrt{5}$", "20^{1/2}"]),
        (PAIR, ["(1,-2)", "\\left(1,-2\\right)", "x=1, y=-2", "(1.0, -2.0)"]),
        (SET, ["\\{4,-1\\}", "-1, 4", "4 and -1", "x=-1 \\text{ or } x=4", "\\left\\{-1, 4\\right\\}"]),
        (CONE, ["4\\pi/3", "\\frac{4\\pi}{3}", "\\frac43 \\pi", "\\pi \\cdot \\frac{4}{3}"]),
        ("1000", ["1,000", "1{,}000", "1\\,000", "10^3", "1000.", "1000 \\text{ cm}", "n = 1000", "**1000**"]),
        ("12", ["\\text{12}", "12.0", "+12", "24/2", "\\(12\\)", "12^\\circ"]),
    ],
)
def test_the_same_value_in_another_form_is_right(gold, answers):
    assert [answer for answer in answers if not same(gold, answer)] == []


@pytest.mark.parametrize(
    ("gold", "answers"),
    [
        (HALF, ["2", "0.51", "1/3", "", "\\frac{1}{0}", "no idea", "{", "\\frac{"]),
        ("-\\frac{7}{3}", ["-7", "7/3", "-2\\frac{2}{3}"]),
        (ROOT, ["\\sqrt{10}", "4.47", "2"]),
        (PAIR, ["(-2,1)", "(1,2)", "1"]),
        (SET, ["-1", "4, 1", "\\{-1, 4, 5\\}"]),
        ("3", ["9**9**9**9", "4", "3, 4", "9" * 5000]),
    ],
)
def test_another_value_is_wrong(gold, answers):
    assert [answer for answer in answers if same(gold, answer)] == []


@pytest.mark.slow
def test_an_answer_that_is_endless_to_compute_is_wrong_and_the_next_is_judged(monkeypatch):
    monkeypatch.setattr(judge, "_JUDGE", judge._Judge(seconds=1))
    assert same(HALF, "10^{10^{10}}") is False
    assert same(ROOT, "\\sqrt{20}") is True
    judge._JUDGE.close()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_problem_is_right_by_its_answer_alone(kind):
    env = make("math", kinds=[kind], train_tasks=10, test_tasks=12)
    tasks = list(env.tasks("test"))
    for task, other in zip(tasks, tasks[1:] + tasks[:1], strict=True):
        assert played(env, task, f"so it is \\boxed{{{task.answer}}}") == 1.0
        assert played(env, task, f"Answer: ${task.answer}$") == 1.0
        if task.answer != other.answer:
            assert played(env, task, f"\\boxed{{{other.answer}}}") == 0.0


def played(env, task: Task, text: str) -> float:
    env.reset(options={"task": task})
    return env.step(assistant(text))[1]


@pytest.mark.parametrize("gold", ["42", "He has 6 * 7 = 42 apples.\n#### 42", "so $n$ is \\boxed{42}", "\\boxed{42}."])
def test_gold_answers_are_read_as_data_sets_write_them(gold):
    task = Task("t", (user("?"),), gold)
    assert played(make("math"), task, "\\boxed{42}") == 1.0
    assert played(make("math"), task, "\\boxed{43}") == 0.0


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("\\boxed{1} then \\boxed{\\frac{1}{2}}", "\\frac{1}{2}"),
        ("\\boxed{\\{1, 2\\}}.", "\\{1, 2\\}"),
        ("\\boxed{7} and \\boxed{8", "7"),
        ("\\boxed {3}", "3"),
        ("Answer: 1\nAnswer: 2 ", "2"),
        ("it is 5", ""),
    ],
)
def test_the_last_complete_answer_counts(text, answer):
    assert final_answer(text) == answer


@given(st.text(alphabet="\\boxed{}1 Answer:", max_size=80))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_a_final_answer_is_part_of_any_text(text):
    assert final_answer(text) in text


def test_episodes_side_by_side_get_each_their_own_verdict():
    async def play(env, answer: str) -> float:
        await env.areset(options={"task": Task("t", (user("?"),), ROOT)})
        return (await env.astep(assistant(f"\\boxed{{{answer}}}")))[1]

    async def together() -> list[float]:
        return await asyncio.gather(*[play(make("math"), a) for a in ["\\sqrt{20}", "\\sqrt{21}"] * 10])

    assert asyncio.run(together()) == [1.0, 0.0] * 10


def test_an_episode_does_not_fail_because_those_before_it_wrote_what_is_slow_to_compare(monkeypatch):
    one_at_a_time = threading.Lock()

    def slow(gold: str, answer: str) -> bool:
        with one_at_a_time:
            time.sleep(0.5)
            return gold == answer

    monkeypatch.setattr("agent_rl.envs.math.env.same", slow)
    env = partial(make, "math")
    task, said = Task("t", (user("1+1?"),), "2"), assistant("Answer: 2")
    for played in run(*(play(env, said, name=f"e/{i}", task=task, tool_seconds=1.0) for i in range(3))):
        assert played.failure is None
        assert played.components["correct"] == 1.0
