"""The environment `lm_eval`: the tasks of lm-evaluation-harness that generate text, with their own metrics."""

import functools
from collections.abc import Iterator
from typing import Any

import gymnasium
from pydantic import NonNegativeInt

from agent_rl.core.errors import NotProvidedError
from agent_rl.core.message import Message, assistant, text_of
from agent_rl.core.outcome import BrokenEnvironmentError
from agent_rl.core.settings import Settings
from agent_rl.core.task import Task, TaskSet
from agent_rl.envs.adapters.lm_eval_bridge import chosen, load
from agent_rl.envs.adapters.rows import check_split
from agent_rl.envs.base import AgentEnv, ResetResult, StepResult


class LmEvalSettings(Settings):
    """Settings of the environment `lm_eval`."""

    task: str
    """A task, a group or a tag that lm_eval knows by name, or the YAML file of a task."""
    shots: NonNegativeInt | None = None
    """Examples in each prompt; null for as many as the task says. A task that says 0 keeps to it."""
    metric: str | None = None
    """The metric that is the reward; null for the task's first."""
    filter: str | None = None
    """The filter whose response is rewarded; null for the task's first."""


class LmEval(AgentEnv):
    """A task of lm-evaluation-harness that generates text (env.task=gsm8k or env.task=my.yaml)."""

    Settings = LmEvalSettings
    settings: LmEvalSettings

    def __init__(self, **settings: Any) -> None:
        """Load the task.

        Raises:
            UserError: It cannot be loaded or adapted, lacks the metric or the filter, or lm_eval is not installed.
        """
        super().__init__(**settings)
        self._tasks = load(self.settings.task)
        self._metric, self._filter = chosen(self.settings.task, self.settings.metric, self.settings.filter)

    def tasks(self, split: str) -> TaskSet:
        """Return the documents of the task's training split, or of the one that it is evaluated on."""
        return _task_set(self.settings.task, self.settings.shots, split)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> ResetResult:
        """Ask."""
        gymnasium.Env.reset(self, seed=seed)
        self._task = self.pick(options)
        return list(self._task.messages), {"task_id": self._task.id}

    def step(self, action: Message) -> StepResult:
        """Score what was said; all metrics of all filters are components."""
        reward, scores = self._scored(self._task, text_of(action))
        return [], reward, True, False, {"components": scores}

    def best_reward(self, task: Task) -> float:
        """Return what the task's own target gets, or 1 where its metric takes another answer than that."""
        return self._scored(task, task.answer)[0] or 1.0

    def solution(self, task: Task) -> Iterator[Message]:
        """Yield the task's own target.

        Raises:
            NotProvidedError: Its metric takes another answer than that.
        """
        if not self._scored(task, task.answer)[0]:
            raise NotProvidedError(f"the target of {task.id} is not what its metric looks for")
        yield assistant(task.answer)

    def _scored(self, task: Task, said: str) -> tuple[float, dict[str, float]]:
        """Return the reward of a response, and all scores by name."""
        loaded = self._tasks[task.data["task"]]
        scores = loaded.scores(task.data["doc"], said)
        for name, value in scores.items():
            metric, _, kind = name.rpartition(",")
            if metric == (self._metric or metric) and kind == (self._filter or kind):
                return -value if loaded.lower_is_better(metric) else value, scores
        raise BrokenEnvironmentError("lm_eval", f"the response to {task.id} has no score that the reward is made of")


@functools.cache
def _task_set(name: str, shots: int | None, split: str) -> TaskSet:
    check_split(split)
    loaded = load(name)
    tasks = []
    for leaf, task in loaded.items():
        attributes = {"task": leaf} if len(loaded) > 1 else {}
        for number, (doc, messages) in enumerate(task.prompts(split, shots)):
            data = {"task": leaf, "doc": doc}
            tasks.append(Task(f"{leaf}-{split}-{number}", tuple(messages), task.target(doc), attributes, data))
    return TaskSet(tasks, split)
