"""Countdown: expressions are read strictly and exactly, problems are solvable, tries are counted."""

import string
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_rl import make
from agent_rl.core.errors import UserError
from agent_rl.core.message import assistant, tool_call
from agent_rl.core.task import Task
from agent_rl.envs.countdown.expressions import LONGEST, ExpressionError, evaluate
from agent_rl.envs.countdown.problems import generate

leaves = st.integers(0, 999).map(lambda n: (str(n), [n]))
trees = st.recursive(
    leaves,
    lambda inner: st.tuples(inner, st.sampled_from("+-*/"), inner).map(
        lambda t: (f"({t[0][0]} {t[1]} {t[2][0]})", [*t[0][1], *t[2][1]])
    ),
    max_leaves=8,
)


@given(trees)
def test_an_expression_has_the_value_that_python_gives_it(tree):
    text, numbers = tree
    exact = "".join(f"Fraction({c})" if c.isdigit() else c for c in _split(text))
    try:
        expected = eval(exact, {"Fraction": Fraction})
    except ZeroDivisionError:
        with pytest.raises(ExpressionError, match="division by zero"):
            evaluate(text)
        return
    assert evaluate(text) == (expected, numbers)


def _split(text: str) -> list[str]:
    return "".join(f" {c} " if c in "+-*/()" else c for c in text).split()


@given(st.text(alphabet="0123456789+-*/() ", max_size=60) | st.text(alphabet=string.printable, max_size=60))
def test_any_text_has_a_value_or_one_line_that_says_what_is_wrong(text):
    try:
        value, numbers = evaluate(text)
    except ExpressionError as error:
        assert str(error)
    else:
        assert isinstance(value, Fraction)
        assert numbers


@pytest.mark.parametrize(
    ("text", "value"),
    [("1+2*3", 7), ("(1+2)*3", 9), ("8-3-2", 3), ("12/4/3", 1), (" 7 ", 7), ("1/3*3", 1), ("2*(3+(4-1))", 12)],
)
def test_operators_bind_as_in_arithmetic(text, value):
    assert evaluate(text)[0] == value


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "a number is missing at the end"),
        ("1 +", "a number is missing at the end"),
        ("(1", "a bracket is not closed"),
        ("1)", "')' is not expected there"),
        ("1 2", "'2' is not expected there"),
        ("-1", "a number is missing before '-'"),
        ("2**3", "a number is missing before '*'"),
        ("1.5", "'.' is no part of an expression"),
        ("x", "'x' is no part of an expression"),
        ("1/(2-2)", "division by zero"),
        ("(" * (LONGEST + 1), f"the expression is longer than {LONGEST} characters"),
        ("(" * LONGEST, "a number is missing at the end"),
    ],
)
def test_what_is_wrong_with_an_expression_is_said(text, problem):
    with pytest.raises(ExpressionError) as caught:
        evaluate(text)
    assert str(caught.value) == problem


@pytest.mark.parametrize("operators", ["+-", "+-*", "+-*/"])
@pytest.mark.parametrize("count", [2, 4, 6])
def test_every_problem_is_solved_by_what_it_was_made_from(operators, count):
    for seed in range(40):
        problem = generate(Random(seed), count, 20, 500, operators)
        value, used = evaluate(problem.solution)
        assert (value, sorted(used)) == (problem.target, list(problem.numbers))
        assert 1 <= problem.target <= 500
        assert problem.target not in problem.numbers


def test_numbers_of_which_no_target_can_be_made_are_refused():
    with pytest.raises(UserError, match="no target up to 20 is made of 6 numbers up to 100 with '\\*'"):
        make("countdown", numbers=6, largest=100, highest=20, operators="*").tasks("train")


def test_settings_with_few_problems_give_few_tasks_and_none_in_both_splits():
    env = make("countdown", numbers=2, largest=5, highest=20, operators="+")
    ids = {split: {task.id for task in env.tasks(split)} for split in ("train", "test")}
    assert ids["train"]
    assert ids["test"]
    assert not ids["train"] & ids["test"]


PROBLEM = Task("made", (), "2 * 3 + 4", data={"numbers": [2, 3, 4], "target": 10})


def tried(*expressions: str) -> tuple[list[str], float, bool]:
    """Return what was said, the reward and whether the episode is over, of tries that share one turn."""
    env = make("countdown")
    env.reset(options={"task": PROBLEM})
    calls = [tool_call("evaluate", {"expression": text}, i) for i, text in enumerate(expressions)]
    observation, reward, over, *_ = env.step(assistant("", calls))
    return [message["content"] for message in observation], reward, over


def test_a_try_is_told_its_value_and_what_was_asked_for():
    assert tried("2 + 3 + 4") == (["9, not 10"], 0.0, False)
    assert tried("3 * 2 + 4") == (["10, correct"], 1.0, True)
    assert tried("3 / 2 + 4") == (["11/2, not 10"], 0.0, False)


@pytest.mark.parametrize("expression", ["10", "4 + 4 + 2", "2 + 4 + 4", "5 * 2", "2 + 3 + 4 + 1", "2 * 3 + 4 + 0"])
def test_what_does_not_use_each_number_once_solves_nothing(expression):
    assert tried(expression) == (["Error: use each of 2 3 4 once"], 0.0, False)


def test_the_third_try_is_the_last_also_when_tries_share_a_turn():
    said, reward, over = tried("2 + 3 + 4", "1", "(", "2 * 3 + 4")
    assert said == ["9, not 10", "Error: use each of 2 3 4 once", "Error: a number is missing at the end",
                    "No tries are left."]  # fmt: skip
    assert (reward, over) == (0.0, True)


def test_a_wrong_try_after_the_right_one_takes_nothing_away():
    said, reward, over = tried("2 * 3 + 4", "2 + 3 + 4")
    assert (said[1], reward, over) == ("No tries are left.", 1.0, True)
