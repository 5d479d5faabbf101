"""The tool my_tool: arithmetic with the four operations, for the agents of any environment."""

from typing import Annotated, Literal

from pydantic import Field

from agent_rl import ToolPolicy, tool

Number = Annotated[float, Field(allow_inf_nan=False)]


@tool(policy=ToolPolicy(timeout=5.0, max_chars=200))
def my_tool(left: Number, operation: Literal["+", "-", "*", "/"], right: Number) -> str:
    """Calculate with two numbers.

    The first paragraph is what the agent reads. The arguments are checked against the type hints before the call: what
    does not fit is answered with a message that says why, and the function never sees it.
    """
    if operation == "/" and right == 0:
        return "Error: division by zero"  # the agent's mistake: an answer that it can learn from, no exception
    results = {"+": left + right, "-": left - right, "*": left * right}
    return f"{results[operation] if operation in results else left / right:.15g}"
