"""How `guess` is played: by halving, which always succeeds, and by a player that seldom does."""

from collections.abc import Iterator
from random import Random

from agent_rl.core.message import Message, assistant, tool_call, tool_result, user
from agent_rl.core.task import Task
from agent_rl.envs.base import Demonstration
from agent_rl.envs.tool_env import ToolEnv

NUMBERS = 20
"""Numbers in a range."""
GUESSES = 5
"""Guesses that count; halving finds any of 31 numbers with 5."""
LOWEST = 0.55
"""Probability that the demonstrated player tries the lowest number that is possible."""
MIDDLE = 0.2
"""Probability that it tries the one in the middle; else it tries any that is possible."""


def task(low: int, number: int) -> Task:
    """Return the task to find `number` in the range that begins with `low`."""
    return Task(f"{low}-{number}", (user(f"Guess a number from {low} to {low + NUMBERS - 1}."),), str(number))


def verdict(number: int, hidden: int) -> str:
    """Return what the tool says of a guess."""
    return "correct" if number == hidden else "higher" if number < hidden else "lower"


class Demonstrated(ToolEnv):
    """What the tutorial does without: the solution of a task, and conversations to imitate."""

    def solution(self, task: Task) -> Iterator[Message]:
        """Yield guesses, each in the middle of what is possible."""
        low, high, hidden = *_bounds(task), int(task.answer)
        while low <= high:
            number = (low + high) // 2
            yield assistant("", [tool_call("guess", {"number": number})])
            low, high = narrowed(low, high, number, hidden)

    def demonstrate(self, rng: Random) -> Demonstration:
        """Return an episode of a player that is never wrong about what is possible, but seldom halves it."""
        low = rng.randint(1, 10)
        high = low + NUMBERS - 1
        hidden = rng.randint(low, high)
        messages = list(task(low, hidden).messages)
        for _ in range(GUESSES):
            number = _imperfect(rng, low, high)
            call = tool_call("guess", {"number": number})
            messages += [assistant("", [call]), tool_result(verdict(number, hidden), call)]
            if number == hidden:
                break
            low, high = narrowed(low, high, number, hidden)
        return Demonstration(messages, [tool.schema() for tool in self.tools()])


def narrowed(low: int, high: int, number: int, hidden: int) -> tuple[int, int]:
    """Return the lowest and the highest number that are possible after a guess; none when it was right."""
    return (max(low, number + 1) if number <= hidden else low), (min(high, number - 1) if number >= hidden else high)


def _bounds(task: Task) -> tuple[int, int]:
    low = int(task.id.partition("-")[0])
    return low, low + NUMBERS - 1


def _imperfect(rng: Random, low: int, high: int) -> int:
    style = rng.random()
    if style < LOWEST:
        return low
    return (low + high) // 2 if style < LOWEST + MIDDLE else rng.randint(low, high)
