"""The environment `verifiers`: the tasks of a taskset of verifiers, with its tools and its rewards."""

import asyncio
import inspect
import json
from typing import Any

import gymnasium
from pydantic import Field, PositiveInt

from agent_rl.core.errors import UserError
from agent_rl.core.message import Message, system, user
from agent_rl.core.outcome import BrokenEnvironmentError, told
from agent_rl.core.settings import Settings
from agent_rl.core.task import Task, TaskSet
from agent_rl.envs.adapters.rows import check_split
from agent_rl.envs.adapters.verifiers_bridge import load, new_trace, record, tools_of
from agent_rl.envs.base import ResetResult, StepResult
from agent_rl.envs.tool_env import ToolEnv
from agent_rl.tools.tool import Tool


class VerifiersSettings(Settings):
    """Settings of the environment `verifiers`."""

    id: str
    """The taskset: an installed one by its id, or `FILE.py:CLASS`."""
    config: dict[str, Any] = Field(default_factory=dict)
    """What its config is made of."""
    tasks: PositiveInt = 1000
    """How many of its tasks are used at most; a taskset may be endless."""
    held_out: float = Field(default=0.1, gt=0, lt=1)
    """The part of them, the last ones, that is the split "test"."""


class Verifiers(ToolEnv):
    """A taskset of verifiers with its tools and rewards (env.id=my_taskset or env.id=my.py:MyTaskset)."""

    Settings = VerifiersSettings
    settings: VerifiersSettings

    def __init__(self, **settings: Any) -> None:
        """Load the taskset.

        Raises:
            UserError: It cannot be loaded, needs what this adapter lacks, or verifiers is not installed.
        """
        super().__init__(**settings)
        self._loaded = load(self.settings.id, json.dumps(self.settings.config, sort_keys=True), self.settings.tasks)
        self._tools_now: list[Tool] = []
        self._theirs: Any = None
        self._trace: Any = None
        self._runtime: Any = None

    def tasks(self, split: str) -> TaskSet:
        """Return the first tasks of the taskset, or for "test" the last ones of those that are used."""
        check_split(split)
        size = len(self._loaded.tasks)
        held = max(1, round(self.settings.held_out * size))
        chosen = range(size - held) if split == "train" else range(size - held, size)
        return TaskSet([_task(number, self._loaded.tasks[number].data) for number in chosen], split)

    def tools(self) -> list[Tool]:
        """Return the tools of the task's toolsets."""
        return self._tools_now

    async def areset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> ResetResult:
        """Begin an episode: a runtime of processes on this machine, the task's own setup, its tools."""
        from verifiers.v1.runtimes import SubprocessConfig, make_runtime
        from verifiers.v1.utils.decorators import invoke

        gymnasium.Env.reset(self, seed=seed)
        task = self.pick(options)
        await self._stopped()
        self._theirs = self._loaded.tasks[task.data["number"]]
        self._trace = new_trace(self._theirs)
        self._runtime = make_runtime(SubprocessConfig(), name=self._trace.id)
        await self._runtime.start()
        await invoke(self._theirs.setup, {"trace": self._trace, "runtime": self._runtime})
        self._tools_now = await tools_of(self._loaded.taskset, self._theirs)
        record(self._trace, task.messages, sampled=False)
        return await super().areset(options={"task": task})

    async def astep(self, action: Message) -> StepResult:
        """Answer tool calls; a message without any, or a stop of the task, ends the episode with its rewards."""
        observation, _, terminated, _, _ = await super().astep(action)
        record(self._trace, [action], sampled=True)
        record(self._trace, observation, sampled=False)
        if not terminated and not await self._stops():
            return observation, 0.0, False, False, {"components": {}}
        components = await self._scored()
        return observation, float(self._trace.reward), True, False, {"components": components}

    def close(self) -> None:
        """Stop the runtime of an episode that was left."""
        if self._runtime is not None:
            asyncio.run(self._stopped())

    async def _stops(self) -> bool:
        from verifiers.v1.trace import Trace
        from verifiers.v1.utils.decorators import invoke

        for stop in self._theirs.hooks("stop"):
            verdict = invoke(stop, {Trace: self._trace})
            if await verdict if inspect.isawaitable(verdict) else verdict:
                self._trace.stop_condition = stop.__name__
                return True
        return False

    async def _scored(self) -> dict[str, float]:
        """Finish the task; return its rewards without their weights, and its metrics."""
        from verifiers.v1.utils.decorators import invoke

        given = {"trace": self._trace, "runtime": self._runtime}
        try:
            await invoke(self._theirs.finalize, given)
            await self._theirs.score(self._trace, self._runtime)
        except Exception as error:  # the task's own code runs here
            raise BrokenEnvironmentError("verifiers", told(error)) from error
        finally:
            await self._stopped()
        rewards = {name: reward.score for name, reward in self._trace.rewards.items() if reward is not None}
        return rewards | {name: value for name, value in self._trace.metrics.items() if value is not None}

    async def _stopped(self) -> None:
        runtime, self._runtime = self._runtime, None
        if runtime is not None:
            await runtime.stop()


def _task(number: int, data: Any) -> Task:
    """Return a task of verifiers as ours; its own behaviour stays with the taskset.

    Raises:
        UserError: It has no prompt to begin with.
    """
    from verifiers.v1.types import content_text

    if not data.prompt:
        raise UserError(f"env.id: task {number} has no prompt; the agent cannot begin")
    messages = [system(data.system_prompt)] if data.system_prompt else []
    if isinstance(data.prompt, str):
        messages.append(user(data.prompt))
    else:
        messages += [{"role": message.role, "content": content_text(message.content)} for message in data.prompt]
    return Task(f"task-{number}", tuple(messages), data={"number": number})
