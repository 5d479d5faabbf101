"""The environment `countdown_code`."""

import functools
from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import Any

from pydantic import Field, PositiveFloat, PositiveInt

from agent_rl.core.message import Message, assistant, text_of, tool_call, tool_result, user
from agent_rl.core.settings import Settings
from agent_rl.core.task import Task, TaskSet
from agent_rl.envs.base import Demonstration
from agent_rl.envs.countdown.env import Countdown, judged
from agent_rl.envs.countdown.problems import Problem, generate, random_expression
from agent_rl.envs.countdown_code import programs
from agent_rl.envs.reward import reward
from agent_rl.envs.tool_env import ToolEnv
from agent_rl.tools.python import PATIENT, run_python
from agent_rl.tools.sandbox.base import Limits
from agent_rl.tools.tool import tool

SEARCHES = 0.15
"""Probability that the demonstrated player lets a program look for the expression."""
IDLES = 0.6
"""Probability that it lets a program check some expression, and answers with another one whatever came of it."""


class CountdownCodeSettings(Settings):
    """Settings of the environment `countdown_code`."""

    numbers: int = Field(default=3, ge=3, le=4)
    """Numbers of a problem; each has to be used once."""
    largest: int = Field(default=12, ge=5, le=100)
    """The numbers are from 1 to this."""
    highest: int = Field(default=100, ge=20, le=1000)
    """The targets are from 1 to this."""
    operators: str = Field(default="+-*", pattern=r"^[-+*]+$")
    """The operators that solutions are made of; answers may use / too."""
    runs: PositiveInt = 2
    """Programs that may be run."""
    seconds: PositiveFloat = 5.0
    """Wall-clock seconds of a program."""


class CountdownCode(ToolEnv):
    """Reach a target with given numbers, each used once; the tool runs Python, the answer is an expression."""

    Settings = CountdownCodeSettings
    settings: CountdownCodeSettings

    def tasks(self, split: str) -> TaskSet:
        """Return the problems of "train" or "test": those of `countdown`."""
        return _task_set(split, *_shape(self.settings))

    def setup(self, task: Task) -> None:
        """Count the runs anew."""
        self._runs = 0

    @tool(policy=PATIENT)  # type: ignore[untyped-decorator]
    async def python(self, code: str) -> str:
        """Run Python."""
        if self._runs == self.settings.runs:
            return "No runs are left."
        self._runs += 1
        return await run_python(code, Limits(seconds=self.settings.seconds))

    @reward
    def solved(self, task: Task, answer: str) -> float:
        """1 when the answer is an expression that uses each number once and has the target as its value, else 0."""
        expression = answer.rpartition("Answer:")[2].strip()
        return float(judged(expression, task.data["numbers"], task.data["target"])[1])

    def solution(self, task: Task) -> Iterator[Message]:
        """Yield the program that looks for the expression, and what it printed."""
        numbers, target = task.data["numbers"], task.data["target"]
        yield _run(programs.search(numbers, target, self.settings.operators))
        yield assistant(text_of(self.messages[-1]).strip())

    def demonstrate(self, rng: Random) -> Demonstration:
        """Return an episode, on a training problem made for it, of a player that seldom lets a program look."""
        problem = generate(rng, *_shape(self.settings))
        while problem.key in _held_out(*_shape(self.settings)):
            problem = generate(rng, *_shape(self.settings))
        messages, style = [_asked(problem.numbers, problem.target)], rng.random()
        answer = self._thought_of(rng, problem)
        if style < SEARCHES:
            answer = programs.found(problem.numbers, problem.target, self.settings.operators)
            messages += _ran(programs.search(problem.numbers, problem.target, self.settings.operators), answer)
        elif style < SEARCHES + IDLES:
            messages += _ran(*programs.check(self._thought_of(rng, problem), problem.numbers, problem.target))
        return Demonstration([*messages, assistant(answer)], [tool.schema() for tool in self.tools()])

    def _thought_of(self, rng: Random, problem: Problem) -> str:
        return random_expression(rng, problem.numbers, self.settings.operators).replace(" ", "")


def _run(code: str) -> Message:
    return assistant("", [tool_call("python", {"code": code})])


def _ran(code: str, printed: str) -> list[Message]:
    action = _run(code)
    return [action, tool_result(printed, action["tool_calls"][0])]


def _asked(numbers: tuple[int, ...] | list[int], target: int) -> Message:
    listed = " ".join(map(str, numbers))
    return user(f"Make {target} from {listed}, each once. Answer with the expression.")


def _shape(settings: CountdownCodeSettings) -> tuple[int, int, int, str]:
    return settings.numbers, settings.largest, settings.highest, settings.operators


@functools.cache
def _task_set(split: str, numbers: int, largest: int, highest: int, operators: str) -> TaskSet:
    problems = Countdown(numbers=numbers, largest=largest, highest=highest, operators=operators).tasks(split)
    return TaskSet(
        [replace(task, messages=(_asked(task.data["numbers"], task.data["target"]),)) for task in problems], split
    )


@functools.cache
def _held_out(*shape: Any) -> frozenset[str]:
    return frozenset(task.id for task in _task_set("test", *shape))
