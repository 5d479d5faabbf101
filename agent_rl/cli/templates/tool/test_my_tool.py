"""What holds of the tool my_tool, called as an agent calls it."""

import asyncio
from typing import Any

import pytest
from my_tool import my_tool

from agent_rl.core.message import tool_call


def answer(**arguments: Any) -> str:
    """Return what the agent reads when it calls the tool."""
    return asyncio.run(my_tool.call(tool_call("my_tool", arguments)))["content"]


@pytest.mark.parametrize(
    ("left", "operation", "right", "result"),
    [(2, "+", 2, "4"), (2, "-", 5, "-3"), (0.1, "*", 3, "0.3"), (1, "/", 8, "0.125"), (1e6, "*", 1e6, "1000000000000")],
)
def test_it_calculates(left: float, operation: str, right: float, result: str) -> None:
    assert answer(left=left, operation=operation, right=right) == result


def test_a_division_by_zero_is_answered() -> None:
    assert answer(left=1, operation="/", right=0) == "Error: division by zero"


@pytest.mark.parametrize(
    "wrong",
    [{}, {"left": 1, "operation": "^", "right": 2}, {"left": "one", "operation": "+", "right": 2}],
    ids=["nothing given", "unknown operation", "no number"],
)
def test_wrong_arguments_are_answered_with_what_is_wrong(wrong: dict[str, Any]) -> None:
    assert answer(**wrong).startswith("Error: ")


def test_the_agent_is_told_what_the_tool_is_for() -> None:
    function = my_tool.schema()["function"]
    assert (function["name"], function["description"]) == ("my_tool", "Calculate with two numbers.")
    assert set(function["parameters"]["properties"]) == {"left", "operation", "right"}
