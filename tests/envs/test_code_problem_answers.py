"""The references' answers to hard problems are those of programs that try everything."""

import json
from typing import Any

import pytest

import tests.envs.code_searches_plane  # noqa: F401  (fills SEARCHES)
from agent_rl.envs.code.problem import CodeProblem
from agent_rl.envs.code.problems import builtin_problems
from tests.envs.code_searches import SEARCHES

LARGE = 250
"""Characters of an input that is too large to try everything."""
MOST = 10**5
"""Numbers above it are too large, too."""
HARD = [problem for problem in builtin_problems() if problem.difficulty == "hard"]


def _small(given: Any) -> bool:
    text = json.dumps(given)
    numbers = [int(part) for part in "".join(sign if sign.isdigit() else " " for sign in text).split()]
    return len(text) <= LARGE and max(numbers, default=0) <= MOST


def test_nearly_all_hard_problems_are_searched() -> None:
    assert set(SEARCHES) <= {problem.id for problem in HARD}
    assert len(SEARCHES) >= 0.95 * len(HARD)


@pytest.mark.parametrize("problem", [p for p in HARD if p.id in SEARCHES], ids=lambda problem: problem.id)
def test_a_search_that_tries_everything_finds_the_same_answers(problem: CodeProblem) -> None:
    stdio, searched = problem.style == "stdio", 0
    for case in (*problem.public, *problem.hidden):
        found = SEARCHES[problem.id](*([case.input] if stdio else case.input)) if _small(case.input) else None
        if found is not None:
            searched += 1
            assert found == (case.expected.rstrip("\n") if stdio else case.expected), case.input
    assert searched >= 5
