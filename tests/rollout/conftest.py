"""A renderer and a small environment that need no corpus."""

import pytest

from agent_rl import Task, TaskSet, ToolEnv, reward, tool
from agent_rl.core.message import user
from agent_rl.core.outcome import InfrastructureError


class Adder(ToolEnv):
    """Add two numbers with a tool."""

    broken_calls: int = 0  # calls of the tool that fail for want of infrastructure; counted down over all instances

    def tasks(self, split: str) -> TaskSet:
        """Return ten sums."""
        pairs = [(i, i + 1) for i in range(10)]
        return TaskSet(
            [Task(f"{split}-{a}", (user(f"{a}+{b}?"),), str(a + b), {"odd": bool(a % 2)}) for a, b in pairs], split
        )

    @tool
    def add(self, a: int, b: int) -> int:
        """Add."""
        if type(self).broken_calls:
            type(self).broken_calls -= 1
            raise InfrastructureError("adder", "out of order")
        return a + b

    @reward
    def correct(self, task: Task, answer: str) -> float:
        """1 for the sum."""
        return float(answer.strip() == task.answer)


@pytest.fixture
def adder() -> type[Adder]:
    Adder.broken_calls = 0
    return Adder
