"""The problems of the environment `code` that are ours: their solutions, their tests, and how strong the tests are."""

import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from agent_rl.envs.code.problem import CodeProblem
from agent_rl.envs.code.problems import builtin_problems
from tests.envs.code_mutants import passes

PROBLEMS = builtin_problems()
each_problem = pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.id)


def _script(*arguments: str, **environment: str) -> str:
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        cwd=Path(__file__).parents[2],
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def test_there_are_at_least_150_problems_and_50_of_each_difficulty() -> None:
    difficulties = Counter(problem.difficulty for problem in PROBLEMS)
    assert len(PROBLEMS) >= 150
    assert set(difficulties) == {"easy", "medium", "hard"}
    assert min(difficulties.values()) >= 50


def test_both_styles_are_there() -> None:
    styles = Counter(problem.style for problem in PROBLEMS)
    assert set(styles) == {"function", "stdio"}
    assert styles["stdio"] >= len(PROBLEMS) * 0.3


def test_no_two_problems_have_the_same_id_name_or_tests() -> None:
    assert len({problem.id for problem in PROBLEMS}) == len(PROBLEMS)
    assert len({problem.id.partition("/")[2] for problem in PROBLEMS}) == len(PROBLEMS)
    assert len({json.dumps([(case.input, case.expected) for case in p.hidden]) for p in PROBLEMS}) == len(PROBLEMS)
    assert len({json.dumps([case.input for case in p.hidden]) for p in PROBLEMS}) == len(PROBLEMS)


@each_problem
def test_a_solution_passes_all_tests_by_its_text_alone(problem: CodeProblem) -> None:
    assert passes(problem, problem.solution)
    assert "@problem" not in problem.solution and '"""' not in problem.solution.split("\n")[1]


@each_problem
def test_cases_are_different_json_values_of_a_small_size(problem: CodeProblem) -> None:
    cases = (*problem.public, *problem.hidden)
    assert len({json.dumps(case.input) for case in cases}) == len(cases)
    assert len(problem.public) == 2 and 10 <= len(problem.hidden) <= 20
    for case in cases:
        assert json.loads(json.dumps([case.input, case.expected])) == [case.input, case.expected]
        assert len(json.dumps(case.input)) <= 20_000
        assert isinstance(case.input, list if problem.style == "function" else str)


@each_problem
def test_a_constant_or_what_came_in_is_no_solution(problem: CodeProblem) -> None:
    expected = Counter(json.dumps(case.expected) for case in problem.hidden)
    came_in = [case.input if problem.style == "stdio" else case.input[0] for case in problem.hidden]
    unchanged = sum(case.expected == value for case, value in zip(problem.hidden, came_in, strict=True))
    assert max(*expected.values(), unchanged) <= 0.75 * len(problem.hidden)


@each_problem
def test_a_statement_says_what_to_write_and_shows_the_public_cases(problem: CodeProblem) -> None:
    assert problem.statement.startswith(
        "Write a program" if problem.style == "stdio" else f"Write a function `{problem.entry}("
    )
    for case in problem.public:
        shown = case.input if problem.style == "stdio" else f"{problem.entry}({', '.join(map(repr, case.input))})"
        assert shown in problem.statement and str(case.expected).rstrip() in problem.statement


def test_problems_are_the_same_in_every_process() -> None:
    digest = "import hashlib; from agent_rl.envs.code.problems import builtin_problems as b; "
    there = _script("-c", digest + "print(hashlib.sha256(repr(b()).encode()).hexdigest())", PYTHONHASHSEED="1")
    assert there.strip() == hashlib.sha256(repr(PROBLEMS).encode()).hexdigest()


@pytest.mark.slow
def test_small_changes_of_solutions_are_noticed() -> None:
    counts = json.loads(_script("-m", "tests.envs.code_mutants", "20"))
    assert [name for name, (killed, _) in counts.items() if not killed] == []
    killed, tried = (sum(column) for column in zip(*counts.values(), strict=True))
    assert killed >= 0.85 * tried
