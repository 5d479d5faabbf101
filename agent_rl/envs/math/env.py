"""The environment `math`."""

import functools
import re
from random import Random
from typing import Any

from pydantic import Field

from agent_rl.core.context import current
from agent_rl.core.deadlines import waiting_for
from agent_rl.core.message import Message, assistant, system, user
from agent_rl.core.task import Task, TaskSet
from agent_rl.core.threads import in_thread
from agent_rl.envs.base import Demonstration
from agent_rl.envs.generation import GeneratedSettings, demonstration, generate
from agent_rl.envs.math.judge import require_math_verify, same
from agent_rl.envs.math.problems import KINDS, Kind, problem
from agent_rl.envs.reward import reward
from agent_rl.envs.tool_env import ToolEnv
from agent_rl.tools.python import PythonSession

PROMPT = "Solve the problem step by step. Write the final answer within \\boxed{}."


class MathSettings(GeneratedSettings):
    """Settings of the environment `math`."""

    kinds: tuple[Kind, ...] = Field(default=KINDS, min_length=1)
    """Kinds of problems: arithmetic, fractions, equation, system, modular, counting, sequence, geometry."""
    levels: tuple[int, ...] = Field(default=(1, 2, 3), min_length=1)
    """Levels of difficulty, from 1 to 3."""
    python: bool = False
    """Whether the policy may run Python, in a sandboxed session of the episode, before it answers."""


class Math(ToolEnv):
    """Mathematical problems in one turn, or with Python at hand; an answer counts in whatever form it is written."""

    Settings = MathSettings
    settings: MathSettings

    def __init__(self, **settings: Any) -> None:
        """Validate the settings; raise `UserError` when math-verify is missing."""
        super().__init__(**settings)
        require_math_verify()
        if self.settings.python:
            self.toolsets = (PythonSession,)

    @reward
    async def correct(self, task: Task, answer: str) -> float:
        r"""1 when the last `\boxed{}`, or what follows `Answer:`, equals the gold answer, else 0."""
        # In a thread: the event loop would wait for the comparison otherwise. No deadline counts it: comparisons, each
        # bounded, queue for one process, and those of slow expressions must not fail the episodes behind them.
        with waiting_for("math-verify"), current().excuse.queueing():
            return float(await in_thread(lambda: same(gold_of(task.answer), final_answer(answer))))

    def tasks(self, split: str) -> TaskSet:
        """Return the problems of "train" or "test"."""
        return task_set(self.settings, split)

    def solution(self, task: Task) -> list[Message]:
        """Return the answer."""
        return [assistant(f"\\boxed{{{gold_of(task.answer)}}}")]

    def demonstrate(self, rng: Random) -> Demonstration:
        """Return a training problem and its answer."""
        return demonstration(self, rng)


def final_answer(text: str) -> str:
    r"""Return what stands in the last complete `\boxed{}`, else what follows the last `Answer:`, else ""."""
    for match in reversed(list(re.finditer(r"\\(?:boxed|fbox)\s*\{", text))):
        depth = 1
        for place in range(match.end(), len(text)):
            depth += {"{": 1, "}": -1}.get(text[place], 0)
            if depth == 0:
                return text[match.end() : place]
    _, found, after = text.rpartition("Answer:")
    return after.strip() if found else ""


def gold_of(answer: str) -> str:
    """Return the final answer of a solution as data sets write it: boxed, after `####`, or bare."""
    return final_answer(answer) or answer.rpartition("####")[2].strip()


@functools.cache
def task_set(settings: MathSettings, split: str) -> TaskSet:
    """Return the tasks of a split, the same ones at every call."""
    return generate(functools.partial(_draw, settings), split, settings, "math")


def _draw(settings: MathSettings, rng: Random, name: str) -> Task:
    kind, level = rng.choice(settings.kinds), rng.choice(settings.levels)
    text, answer = problem(kind, level, rng)
    messages = (system(PROMPT), user(text))
    return Task(name, messages, answer, {"kind": kind, "difficulty": level})
