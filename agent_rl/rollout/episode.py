"""One episode: the environment and the policy in turns, as exact tokens."""

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, TypeVar

from agent_rl.core.limits import Limits
from agent_rl.core.message import Message
from agent_rl.core.outcome import BrokenEnvironmentError, EpisodeError, InfrastructureError, StopReason
from agent_rl.core.seeds import derive
from agent_rl.core.task import Task
from agent_rl.core.trajectory import Origin, Segment, Trajectory, Turn
from agent_rl.envs.base import AgentEnv
from agent_rl.rollout.engines.base import Engine, Finish, Generation, Request, Sampling
from agent_rl.rollout.renderer import Renderer

T = TypeVar("T")


@dataclass(frozen=True)
class Plan:
    """What one episode is: a task, which sample of it, how to sample, and its own seed."""

    name: str
    task: Task
    sample: int
    sampling: Sampling
    seed: int


class Episode:
    """Plays one plan and keeps the trajectory as it grows. The engine must have been told of `plan.name`."""

    def __init__(self, plan: Plan, env: AgentEnv, engine: Engine, renderer: Renderer, limits: Limits) -> None:
        """Prepare; nothing happens yet."""
        self.plan = plan
        self.waiting_for = "its start"
        self._env, self._engine, self._renderer, self._limits = env, engine, renderer, limits
        self._tokens: list[int] = []
        self.trajectory = Trajectory(plan.task.id, plan.sample, dict(plan.task.attributes))

    async def play(self) -> Trajectory:
        """Play to the end. A failure is in the trajectory, with its cause; nothing is raised but cancellation."""
        begun = time.perf_counter()
        trajectory = self.trajectory
        try:
            trajectory.stop = await asyncio.wait_for(self._turns(), self._limits.episode_seconds)
        except TimeoutError:
            error = InfrastructureError("episode", self._overdue(self._limits.episode_seconds))
            trajectory.stop, trajectory.failure = StopReason.FAILED, error.failure()
        except EpisodeError as error:
            trajectory.stop, trajectory.failure = StopReason.FAILED, error.failure()
        except Exception as error:  # whatever is wrong with one episode, the others go on
            broken = BrokenEnvironmentError("episode", f"{type(error).__name__}: {error}")
            trajectory.stop, trajectory.failure = StopReason.FAILED, broken.failure()
        finally:
            self._engine.close(self.plan.name)
            self._env.close()
        trajectory.seconds = time.perf_counter() - begun
        return trajectory

    async def _turns(self) -> StopReason:
        plan, limits = self.plan, self._limits
        reset = self._env.areset(seed=plan.seed % 2**31, options={"task": plan.task})
        messages, info = await self._from_env(reset, "its environment's reset")
        self.trajectory.messages.extend(messages)
        self._append(Segment(Origin.PROMPT, tuple(self._renderer.prompt(messages, info.get("tools", [])))))
        for number in range(limits.turns):
            room = limits.episode_tokens - len(self._tokens)
            if room <= 0:
                return StopReason.EPISODE_LENGTH
            turn = Turn()
            generation = await self._generate(number, min(room, limits.turn_tokens), turn)
            self.trajectory.turns.append(turn)
            message = self._renderer.parse(generation.tokens, info.get("tools", []))
            self.trajectory.messages.append(message)
            if generation.finish is not Finish.STOP:
                return StopReason.TURN_LENGTH if room > limits.turn_tokens else StopReason.EPISODE_LENGTH
            stop = await self._act(message, turn, last=number + 1 == limits.turns)
            if stop is not None:
                return stop
        raise AssertionError("the last turn returns a stop reason")

    async def _generate(self, number: int, max_new_tokens: int, turn: Turn) -> Generation:
        plan, begun = self.plan, time.perf_counter()
        request = Request(
            id=f"{plan.name}/{number}",
            episode=plan.name,
            tokens=self._tokens,
            max_new_tokens=max_new_tokens,
            stop_tokens=self._renderer.stop_tokens,
            seed=derive(plan.seed, "turn", number),
            sampling=plan.sampling,
        )
        self.waiting_for = f"the engine (turn {number + 1})"
        try:
            generation = await asyncio.wait_for(self._engine.generate(request), self._limits.turn_seconds)
        except TimeoutError as error:
            raise InfrastructureError("engine", self._overdue(self._limits.turn_seconds)) from error
        turn.generate_seconds = time.perf_counter() - begun
        if generation.finish is Finish.ABORT:
            raise InfrastructureError("engine", f"aborted turn {number + 1}")
        self._append(
            Segment(
                Origin.ACTION, tuple(generation.tokens), tuple(generation.logprobs), tuple(generation.weight_versions)
            )
        )
        return generation

    async def _act(self, message: Message, turn: Turn, last: bool) -> StopReason | None:
        """Hand the action to the environment; return why the episode ends, or None when it goes on."""
        begun = time.perf_counter()
        step = self._env.astep(message)
        observation, reward, terminated, truncated, info = await self._from_env(step, "its environment's step")
        turn.environment_seconds = time.perf_counter() - begun
        turn.reward = float(reward)
        turn.tool_calls = len(message.get("tool_calls", []))
        turn.invalid_calls = len(message.get("invalid_tool_calls", []))
        for name, value in info.get("components", {}).items():
            self.trajectory.components[name] = self.trajectory.components.get(name, 0.0) + value
        self.trajectory.messages.extend(observation)
        if terminated:
            return StopReason.ANSWERED
        if truncated or last:
            return StopReason.TURN_LIMIT
        tokens = self._renderer.observation(observation, self._tokens[-1])
        if len(self._tokens) + len(tokens) >= self._limits.episode_tokens:
            return StopReason.EPISODE_LENGTH
        self._append(Segment(Origin.OBSERVATION, tuple(tokens)))
        return None

    async def _from_env(self, work: Awaitable[T], what: str) -> T:
        """Await the environment: what it raises by mistake is its failure, what takes too long the infrastructure's."""
        self.waiting_for = what
        try:
            return await asyncio.wait_for(work, self._limits.tool_seconds)
        except EpisodeError:
            raise
        except TimeoutError as error:
            raise InfrastructureError("environment", self._overdue(self._limits.tool_seconds)) from error
        except Exception as error:
            raise BrokenEnvironmentError("environment", f"{type(error).__name__}: {error}") from error

    def _append(self, segment: Segment) -> None:
        self.trajectory.segments.append(segment)
        self._tokens = [*self._tokens, *segment.tokens]

    def _overdue(self, seconds: float) -> str:
        return f"waited {seconds:g} s for {self.waiting_for}"


def describe(trajectory: Trajectory) -> dict[str, Any]:
    """Return the counts of an episode that metrics are made of."""
    return {
        "reward": trajectory.reward,
        "turns": len(trajectory.turns),
        "tokens": sum(len(segment.tokens) for segment in trajectory.segments),
        "action_tokens": len(trajectory.action_logprobs),
        "tool_calls": sum(turn.tool_calls for turn in trajectory.turns),
        "invalid_calls": sum(turn.invalid_calls for turn in trajectory.turns),
    }
