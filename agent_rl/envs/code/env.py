"""The environment `code`."""

import functools
from collections.abc import Sequence
from dataclasses import replace
from random import Random

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, field_validator

from agent_rl.core.context import count
from agent_rl.core.deadlines import waiting_for
from agent_rl.core.errors import NotProvidedError, UserError, nearest
from agent_rl.core.message import Message, assistant, system, tool_call, user
from agent_rl.core.settings import Settings
from agent_rl.core.task import Task, TaskSet
from agent_rl.envs.base import Demonstration
from agent_rl.envs.code.answers import program_in, told
from agent_rl.envs.code.formats import Format
from agent_rl.envs.code.judge import judge, passed
from agent_rl.envs.code.loading import difficulties, problem_set
from agent_rl.envs.code.problem import Case, CodeProblem
from agent_rl.envs.code.prompts import prompt
from agent_rl.envs.code.styles import Judged, Verdict
from agent_rl.envs.generation import demonstration
from agent_rl.envs.reward import Reward, reward
from agent_rl.envs.tool_env import ToolEnv, ToolSettings
from agent_rl.tools.python import PATIENT
from agent_rl.tools.sandbox.base import Limits
from agent_rl.tools.sandbox.current import current_sandbox
from agent_rl.tools.tool import Tool, tool

_POLICY = PATIENT.model_copy(update={"replay": False})


class RewardWeights(Settings):
    """What the rewards are multiplied by; one of weight 0 is not computed, but `solved` always is."""

    solved: NonNegativeFloat = 1.0
    """1 when every hidden test passes, else 0."""
    share: NonNegativeFloat = 0.0
    """The share of the hidden tests that pass; with it all of them are run."""
    progress: NonNegativeFloat = 0.0
    """In several turns, each turn: the share of the public tests that pass and did not pass before."""


class CodeSettings(Settings):
    """Settings of the environment `code`."""

    problems: str = "builtin"
    """`builtin`, or a .jsonl, .json or .parquet file; with {split} in its name each split has a file of its own."""
    format: Format | None = None
    """How the file's rows are written; by default it is seen from their columns."""
    test_share: float = Field(default=0.2, ge=0.0, le=1.0)
    """Share of the problems that the split "test" has, where one file holds both; a hash of the id chooses."""
    difficulties: tuple[str, ...] = ()
    """Only problems of these difficulties, such as [easy,medium]; empty for all."""
    turns: PositiveInt = 1
    """1: the answer is the program. More: it may run the public tests before, in all but the last of so many turns."""
    seconds: PositiveFloat = 5.0
    """Wall-clock seconds of a program on each test."""
    memory_mb: PositiveInt = 512
    """MiB that it may use."""
    weights: RewardWeights = RewardWeights()
    """What the rewards are multiplied by."""


class CodeToolSettings(ToolSettings):
    """What every environment made of tools can be told, but for tasks of a file."""

    @field_validator("tasks")
    @classmethod
    def _no_tasks(cls, tasks: str | None) -> None:
        if tasks is not None:
            raise ValueError("a file of tasks has no tests; give a file of problems by env.problems")


class Code(ToolEnv):
    """Write programs that pass tests; in one turn, or in several with the public tests at hand."""

    Settings = CodeSettings
    settings: CodeSettings
    Common = CodeToolSettings

    def tasks(self, split: str) -> TaskSet:
        """Return the problems of "train" or "test".

        Raises:
            UserError: There are none, their file cannot be read, or the sandbox does not have a language of theirs.
        """
        tasks = _task_set(self.settings, split)
        for language, name in _languages(self.settings, split).items():
            if language not in (there := current_sandbox().languages):
                raise UserError(
                    f"problem '{name}' is in '{language}', which the sandbox does not have{nearest(language, there)} "
                    f"(it has: {', '.join(there)})"
                )
        return tasks

    def setup(self, task: Task) -> None:
        """Begin with no program."""
        self._problem = _problem_of(self.settings, task)
        self._limits = Limits(seconds=self.settings.seconds, memory_mb=self.settings.memory_mb)
        self._runs = 0
        self._submitted: str | None = None
        self._tested = ""
        self._passed: set[int] = set()
        self._new = 0
        self._judged: list[Judged] | None = None

    @tool(policy=_POLICY)  # type: ignore[untyped-decorator]
    async def run_tests(self, code: str) -> str:
        """Run a program on the public tests."""
        self._runs += 1
        if self._runs >= self.settings.turns:
            return f"No runs are left. {self._hand_in(code)}"
        self._tested = code
        judged = await self._judge(code, self._problem.public, True)
        good = {i for i, one in enumerate(judged) if one.verdict is Verdict.ACCEPTED}
        self._new += len(good - self._passed)
        self._passed |= good
        return told(self._problem, self._problem.public, judged)

    @tool(policy=_POLICY)  # type: ignore[untyped-decorator]
    async def submit(self, code: str) -> str:  # async: calls of one turn take effect in their order
        """Hand in a program. This ends the work on it."""
        return self._hand_in(code)

    def _hand_in(self, code: str) -> str:
        self._submitted = code
        self.finish()
        return "Handed in."

    def tools(self) -> list[Tool]:
        """Return the tools, where there are turns to use them."""
        return super().tools() if self.settings.turns > 1 else []

    def rewards(self) -> list[Reward]:
        """Return the rewards that have a weight, and `solved`."""
        weights = self.settings.weights.model_dump()
        parts = [replace(part, weight=weights[part.name]) for part in super().rewards()]
        return [part for part in parts if part.weight or part.name == "solved"]

    def best_reward(self, task: Task) -> float:
        """Return what a program gives that passes all tests, after it passed the public ones where that counts."""
        weights = self.settings.weights
        progress = weights.progress if self.settings.turns > 1 and _problem_of(self.settings, task).public else 0.0
        return weights.solved + weights.share + progress

    @reward
    async def solved(self, answer: str) -> float:
        """1 when the program passes every hidden test, else 0."""
        judged = await self._verdicts(answer)
        return float(passed(judged) == len(judged))

    @reward
    async def share(self, answer: str) -> float:
        """Return the share of the hidden tests that the program passes."""
        judged = await self._verdicts(answer)
        return passed(judged) / len(judged)

    @reward(per="turn")
    def progress(self) -> float:
        """Return the share of the public tests that passed in this turn for the first time."""
        new, self._new = self._new, 0
        return new / len(self._problem.public) if new else 0.0

    async def _verdicts(self, answer: str) -> list[Judged]:
        """Judge, once, what was handed in, else the program in the answer, else the one that was tested last."""
        if self._judged is None:
            code = program_in(answer) or self._tested if self._submitted is None else self._submitted
            self._judged = await self._judge(code, self._problem.hidden, self.settings.weights.share > 0)
            for one in self._judged:
                count(f"code/{one.verdict}")
        return self._judged

    async def _judge(self, code: str, cases: Sequence[Case], every: bool) -> list[Judged]:
        if not code.strip():
            count("code/no_program")
            return [Judged(Verdict.SKIPPED)] * len(cases)
        with waiting_for("sandbox"):
            return await judge(current_sandbox(), self._problem, code, cases, self._limits, every)

    def solution(self, task: Task) -> list[Message]:
        """Return the problem's own solution: tried and handed in, or in a fenced block."""
        problem = _problem_of(self.settings, task)
        if not problem.solution:
            raise NotProvidedError(f"problem '{problem.id}' has no solution")
        if self.settings.turns == 1:
            return [assistant(_fenced(problem))]
        return [assistant("", [tool_call(name, {"code": problem.solution})]) for name in ("run_tests", "submit")]

    def demonstrate(self, rng: Random) -> Demonstration:
        """Return a training problem and its solution, as it is played."""
        return demonstration(self, rng)


def _fenced(problem: CodeProblem) -> str:
    return f"```{problem.language}\n{problem.solution.rstrip()}\n```"


def _problem_of(settings: CodeSettings, task: Task) -> CodeProblem:
    split = task.data.get("split")
    problem = _problems(settings, split).get(task.id) if split else None
    if problem is None:
        raise UserError(f"task '{task.id}' is no problem of env.problems={settings.problems}")
    return problem


@functools.cache
def _languages(settings: CodeSettings, split: str) -> dict[str, str]:
    """Return the id of the first problem in each language but Python, which every sandbox has."""
    problems = reversed(_problems(settings, split).values())
    return {problem.language: problem.id for problem in problems if problem.language != "python"}


@functools.cache
def _task_set(settings: CodeSettings, split: str) -> TaskSet:
    several = settings.turns > 1
    problems = _problems(settings, split)
    if not problems:
        wanted = f"env.difficulties=[{','.join(settings.difficulties)}]"
        why = wanted if settings.difficulties else f"env.test_share={settings.test_share:g}"
        raise UserError(f"{why} leaves split '{split}' without a problem")
    return TaskSet([_task(problem, several, split) for problem in problems.values()], split)


def _task(problem: CodeProblem, several: bool, split: str) -> Task:
    return Task(
        id=problem.id,
        messages=(system(prompt(problem, several)), user(problem.statement)),
        attributes={"difficulty": problem.difficulty, "style": problem.style},
        data={"split": split},
    )


@functools.cache
def _problems(settings: CodeSettings, split: str) -> dict[str, CodeProblem]:
    there = problem_set(settings.problems, split, settings.format, settings.test_share)
    wanted = settings.difficulties
    known = difficulties(settings.problems, settings.format) if wanted else ()
    for unknown in wanted:
        if unknown not in known:
            raise UserError(
                f"env.difficulties: no problem is '{unknown}'{nearest(unknown, known)} (there are: {', '.join(known)})"
            )
    return {name: problem for name, problem in there.items() if not wanted or problem.difficulty in wanted}
