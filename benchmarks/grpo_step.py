"""A whole GRPO step beside TRL's: 16 tasks of 4 episodes, prompts of 300 tokens, three short tool turns and an answer.

Both play with the shipped model and its tokenizer, sample turns of the same length, get the same answers of the tool,
and take one optimizer step. Here it is the whole way, from the rollout to the weights in the engine.
"""

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random
from string import ascii_lowercase
from typing import Any

from agent_rl import Task, TaskSet, tool
from agent_rl.core.limits import Limits
from agent_rl.core.message import Message, tool_call, tool_result, user
from agent_rl.envs.base import AgentEnv, ResetResult, StepResult
from agent_rl.models.loading import SHIPPED, load_model
from agent_rl.models.settings import ModelSettings
from agent_rl.rollout.agents import Action, TokenAgent
from agent_rl.rollout.engines.base import Sampling
from agent_rl.rollout.engines.embedded import EmbeddedEngine
from agent_rl.rollout.manager import RolloutManager
from agent_rl.rollout.renderer import Renderer
from agent_rl.rollout.settings import PlaySettings
from agent_rl.trainer.algorithms import AlgorithmSettings, make_batch
from agent_rl.trainer.batches import samples
from agent_rl.trainer.optimizer import OptimizerSettings
from agent_rl.trainer.settings import TrainerSettings
from agent_rl.trainer.weights import PolicyWeights
from agent_rl.trainer.workers import PolicyWorker

TASKS, SAMPLES, CALLS, TURN_TOKENS = 16, 4, 3, 20
_PROMPT_TOKENS = 300
_ANSWER = "the city lies on the river, and its currency is the crown"
_LIMITS = Limits(turns=CALLS + 1, turn_tokens=TURN_TOKENS, episode_tokens=1024)


def lookup(query: str) -> str:
    """Look something up.

    Args:
        query: What to look for.
    """
    return _ANSWER


class _Calling(AgentEnv):
    """Answers three times as the tool would, whatever is said, and ends with a reward that is drawn."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> ResetResult:
        self._task, self._turn, self._reward = self.pick(options), 0, float(Random(seed).random() < 0.5)
        return list(self._task.messages), {"task_id": self._task.id, "tools": [_schema()]}

    def step(self, action: Message) -> StepResult:
        self._turn += 1
        if self._turn > CALLS:
            return [], self._reward, True, False, {}
        call = tool_call("lookup", {"query": "it"})
        return [tool_result(_ANSWER, call)], 0.0, False, False, {}


class _Going(TokenAgent):
    """Goes on behind turns that are as long as they may be."""

    async def act(self, number: int) -> Action | None:
        said = await super().act(number)
        return said and replace(said, cut=None)


class _Endless(Renderer):
    """Knows no token that ends a turn."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.stop_tokens = frozenset()


class OurStep:
    """Steps of this project."""

    def __init__(self) -> None:
        """Load the model and start an engine."""
        self._model, tokenizer = load_model(ModelSettings(device="cpu"))
        self.tasks = TaskSet(_tasks(Renderer(tokenizer)), "train")
        engine = EmbeddedEngine(self._model)
        agent = partial(_Going, engine, _Endless(tokenizer), _LIMITS)
        self._rollouts = RolloutManager(engine, agent, _Calling, PlaySettings(limits=_LIMITS))
        self._policy = PolicyWorker(self._model, OptimizerSettings(lr=1e-5), TrainerSettings().micro_tokens, 1.0)
        self._steps = 0

    def step(self) -> dict[str, float]:
        """Take one, and return the seconds of its phases."""
        algorithm, begun = AlgorithmSettings(samples=SAMPLES), time.process_time()
        self._rollouts.update_weights(PolicyWeights(self._steps, self._model))
        groups = self._rollouts.run(list(self.tasks), SAMPLES, Sampling(), self._steps)
        played = time.process_time()
        episodes = algorithm.settle(make_batch(groups), _LIMITS.episode_tokens)
        self._policy.update(samples(episodes, algorithm.advantage.advantages(episodes)), algorithm, 1000, measure=True)
        for group in groups:
            for trajectory in group.trajectories:
                assert sum(trajectory.loss_mask) == (CALLS + 1) * TURN_TOKENS, trajectory.failure
        self._steps += 1
        return {"rollout": played - begun, "update": time.process_time() - played}

    def close(self) -> None:
        """Stop the engine."""
        self._rollouts.close()


@contextmanager
def trl_steps(python: str, tasks: TaskSet) -> Iterator[subprocess.Popen[str]]:
    """Start TRL in the environment of the interpreter `python`; `trl_step` asks it for steps."""
    with tempfile.TemporaryDirectory() as folder:
        work = {
            "model": str(SHIPPED),
            "questions": [task.messages[0]["content"] for task in tasks],
            "samples": SAMPLES,
            "calls": CALLS,
            "turn_tokens": TURN_TOKENS,
            "answer": _ANSWER,
            "folder": folder,
        }
        path = Path(folder) / "work.json"
        path.write_text(json.dumps(work))
        words = [python, str(Path(__file__).with_name("trl_step.py")), str(path)]
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as peer:
            yield peer
            assert peer.stdin is not None
            peer.stdin.close()


def trl_step(peer: subprocess.Popen[str]) -> float:
    """Return the seconds of a step of TRL."""
    assert peer.stdin is not None and peer.stdout is not None
    peer.stdin.write("\n")
    peer.stdin.flush()
    for line in peer.stdout:
        if line.startswith("seconds "):
            return float(line.split()[1])
    raise SystemExit("TRL ended")


def _schema() -> dict[str, Any]:
    schema: dict[str, Any] = tool(lookup).schema()
    return schema


def _tasks(renderer: Renderer) -> list[Task]:
    """Return tasks with questions of random words, just as long as makes prompts of 300 tokens or a few more."""
    random, tasks = Random(0), []
    for number in range(TASKS):
        question = "Which is it:"
        while len(renderer.prompt([user(question)], [_schema()])) < _PROMPT_TOKENS:
            question += " " + "".join(random.choices(ascii_lowercase, k=3))
        tasks.append(Task(str(number), (user(question),)))
    return tasks
