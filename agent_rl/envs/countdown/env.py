"""The environment `countdown`."""

import functools
from random import Random
from typing import Any

from pydantic import Field, PositiveInt

from agent_rl.core.errors import UserError, nearest
from agent_rl.core.message import Message, assistant, tool_call, tool_result, user
from agent_rl.core.seeds import derive
from agent_rl.core.settings import Settings
from agent_rl.core.task import Task, TaskSet
from agent_rl.envs.base import Demonstration
from agent_rl.envs.countdown.expressions import ExpressionError, evaluate
from agent_rl.envs.countdown.problems import Problem, generate, random_expression
from agent_rl.envs.reward import reward
from agent_rl.envs.tool_env import ToolEnv
from agent_rl.tools.policy import ToolPolicy
from agent_rl.tools.tool import tool

SPLITS = {"train": 2000, "test": 400}
"""Most problems per split; fewer where the settings allow fewer different ones."""
KNOWS = 0.3
"""Probability that a try of the demonstrated player is a solution on purpose."""
ADDS = 0.4
"""Probability that it adds all the numbers, whatever came of it before; else it tries any expression."""
_ATTEMPTS = 10  # problems that are made for each that is wanted, before it is taken that there are no more


class CountdownSettings(Settings):
    """Settings of the environment `countdown`."""

    numbers: int = Field(default=3, ge=2, le=6)
    """Numbers of a problem; each has to be used once."""
    largest: int = Field(default=12, ge=5, le=100)
    """The numbers are from 1 to this."""
    highest: int = Field(default=100, ge=20, le=1000)
    """The targets are from 1 to this."""
    operators: str = Field(default="+-*", pattern=r"^[-+*/]+$")
    """The operators that solutions are made of; the player may use all four."""
    tries: PositiveInt = 3
    """Expressions that may be evaluated; after the last one the episode ends."""


class Countdown(ToolEnv):
    """Reach a target with given numbers, each used once; the tool evaluates a few expressions."""

    Settings = CountdownSettings
    settings: CountdownSettings

    def tasks(self, split: str) -> TaskSet:
        """Return the problems of "train" or "test"; none is in both, whatever the order of its numbers."""
        if split not in SPLITS:
            raise UserError(f"unknown split '{split}'{nearest(split, SPLITS)} (there are: {', '.join(SPLITS)})")
        return _task_set(split, *_shape(self.settings))

    def setup(self, task: Task) -> None:
        """Count the tries anew."""
        self._tried = 0
        self._solved = False

    @tool(policy=ToolPolicy(replay=False))  # type: ignore[untyped-decorator]
    async def evaluate(self, expression: str) -> str:
        """Try an expression."""
        if self._solved or self._tried >= self.settings.tries:
            return "No tries are left."
        self._tried += 1
        said, self._solved = judged(expression, self.task.data["numbers"], self.task.data["target"])
        if self._solved or self._tried == self.settings.tries:
            self.finish()
        return said

    @reward
    def solved(self) -> float:
        """1 when an expression used each number once and had the target as its value, else 0."""
        return float(self._solved)

    def solution(self, task: Task) -> list[Message]:
        """Return the expression that the problem was made from."""
        return [_try(task.answer)[0]]

    def demonstrate(self, rng: Random) -> Demonstration:
        """Return an episode, on a problem that is not held out, of a player with more habits than knowledge."""
        problem = _generated(rng, _shape(self.settings))
        while _held_out(problem):
            problem = _generated(rng, _shape(self.settings))
        messages = list(_task(problem).messages)
        for _ in range(self.settings.tries):
            text = _habitual(rng, problem, self.settings.operators)
            said, solved = judged(text, problem.numbers, problem.target)
            action, call = _try(text)
            messages += [action, tool_result(said, call)]
            if solved:
                break
        return Demonstration(messages, [tool.schema() for tool in self.tools()])


def _habitual(rng: Random, problem: Problem, operators: str) -> str:
    """Return what the demonstrated player tries."""
    style = rng.random()
    if style < KNOWS:
        return problem.solution
    return (
        " + ".join(map(str, problem.numbers))
        if style < KNOWS + ADDS
        else random_expression(rng, problem.numbers, operators)
    )


def judged(expression: str, numbers: tuple[int, ...] | list[int], target: int) -> tuple[str, bool]:
    """Return what the tool says of an expression, and whether it solves the problem."""
    try:
        value, used = evaluate(expression)
    except ExpressionError as error:
        return f"Error: {error}", False
    if sorted(used) != sorted(numbers):
        return f"Error: use each of {_listed(numbers)} once", False
    return (f"{value}, correct", True) if value == target else (f"{value}, not {target}", False)


def _try(expression: str) -> tuple[Message, Any]:
    call = tool_call("evaluate", {"expression": expression})
    return assistant("", [call]), call


def _listed(numbers: tuple[int, ...] | list[int]) -> str:
    return " ".join(map(str, numbers))


def _shape(settings: CountdownSettings) -> tuple[int, int, int, str]:
    return settings.numbers, settings.largest, settings.highest, settings.operators


def _generated(rng: Random, shape: tuple[int, int, int, str]) -> Problem:
    count, largest, highest, operators = shape
    return generate(rng, count, largest, highest, operators)


def _held_out(problem: Problem) -> bool:
    """Return whether a problem belongs to the split "test", which its own key chooses."""
    return derive(0, "countdown/split", problem.key) % 4 == 0


@functools.cache
def _task_set(split: str, *shape: Any) -> TaskSet:
    """Return the problems of a split: a problem belongs to the split that its own key chooses."""
    rng = Random(derive(0, "countdown", split, *shape))
    problems: dict[str, Problem] = {}
    for _ in range(_ATTEMPTS * SPLITS[split]):
        if len(problems) == SPLITS[split]:
            break
        problem = _generated(rng, (shape[0], shape[1], shape[2], shape[3]))
        if _held_out(problem) == (split == "test"):
            problems.setdefault(problem.key, problem)
    return TaskSet([_task(problem) for problem in problems.values()], split)


def _task(problem: Problem) -> Task:
    return Task(
        id=problem.key,
        messages=(user(f"Make {problem.target} from {_listed(problem.numbers)}."),),
        answer=problem.solution,
        data={"numbers": list(problem.numbers), "target": problem.target},
    )
