"""One episode: the environment and the agent in turns."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from agent_rl.core import scopes
from agent_rl.core.context import EpisodeContext, enter
from agent_rl.core.deadlines import Excuse, Overdue, Waits, record_waits, waiting_for, within
from agent_rl.core.errors import UserError
from agent_rl.core.limits import Limits
from agent_rl.core.message import Message
from agent_rl.core.outcome import (
    BrokenEnvironmentError,
    EpisodeError,
    Failure,
    InfrastructureError,
    StopReason,
    told,
)
from agent_rl.core.threads import in_thread
from agent_rl.core.trajectory import Trajectory, Turn
from agent_rl.envs.answers import checked_reset, checked_step
from agent_rl.envs.base import AgentEnv
from agent_rl.envs.wrappers.base import ChatEnv, awaitable
from agent_rl.rollout.agents import Agent, Follower, Plan

_GRACE = 5.0  # seconds that an environment has to close when its episode was cut off
T = TypeVar("T")


class Episode:
    """Plays one plan and keeps what happens in `parts`: one trajectory, or several if the context is rewritten."""

    def __init__(
        self,
        plan: Plan,
        make_env: Callable[[], ChatEnv],
        agent: Agent,
        limits: Limits,
        paused: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """Prepare; nothing happens yet. What `paused` counts moves the episode's deadline."""
        self.plan = plan
        self.waits = Waits()
        self.begun = time.perf_counter()
        self._make_env, self._agent, self._limits, self._paused = make_env, agent, limits, paused
        self._places = Excuse()
        self._env: AgentEnv | None = None
        self._over = False
        self._context = EpisodeContext(plan.name, plan.group, agent.count_tokens, excuse=self._places)
        self.parts = [Trajectory(plan.task.id, plan.sample, 0, dict(plan.task.attributes))]

    async def play(self) -> list[Trajectory]:
        """Play to the end. A failure is in the trajectories, with its cause.

        Raises:
            UserError: The agent cannot speak until somebody mends something, such as a wrong key of a hosted model.
        """
        try:
            await within(self._limits.episode_seconds, self._turns(), self._excused)
        except Overdue:
            self.fail(InfrastructureError("episode", f"waited {self._limits.episode_seconds:g} s for {self.waiting}"))
        except EpisodeError as error:
            self.fail(error)
        except UserError:  # from the agent alone: no other episode can go well either
            raise
        except Exception as error:  # whatever is wrong with one episode, the others go on
            self.fail(BrokenEnvironmentError("episode", told(error)))
        finally:
            self._over = True
            self._agent.end()
            await self._close_env()
            await scopes.end(self.plan.name)
            self.parts[-1].counters = dict(self._context.counters)  # threads that were left behind may still count
        return self.parts

    def fail(self, error: EpisodeError) -> None:
        """End the episode with a failure, which none of its parts is a result of."""
        self._stop(StopReason.FAILED)
        failure: Failure = error.failure()
        for part in self.parts:
            part.failure = failure

    def _excused(self) -> float:
        """Return the seconds that do not count: pauses of the engine, waits for a place at it or at a tool."""
        return self._paused() + self._places()

    @property
    def waiting(self) -> str:
        """What the episode waits for: the innermost thing of each branch."""
        return ", ".join(dict.fromkeys(what for what, _ in self.waits.innermost())) or "its turn"

    async def _turns(self) -> None:
        record_waits(self.waits)
        enter(self._context)
        plan, limits = self.plan, self._limits
        env = self._env = await self._from_env(in_thread(self._constructed), "constructor")
        reset = env.areset(seed=plan.seed % 2**31, options={"task": plan.task})
        messages, info = checked_reset(await self._from_env(reset, "reset"))
        tools: list[dict[str, Any]] = info.get("tools", [])
        self._begin(messages, tools)
        if isinstance(self._agent, Follower):
            self._agent.follow(env.solution(plan.task))
        for number in range(limits.turns):
            begun = time.perf_counter()
            action = await self._agent.act(number)
            if action is None:
                return self._stop(StopReason.EPISODE_LENGTH)
            turn = Turn(
                generate_seconds=time.perf_counter() - begun,
                prompt_tokens=action.prompt_tokens,
                completion_tokens=action.completion_tokens,
            )
            trajectory = self.parts[-1]
            trajectory.turns.append(turn)
            trajectory.messages.append(action.message)
            if action.cut is not None:
                return self._stop(action.cut)
            observation, stop, more = await self._step(env, action.message, turn)
            trajectory.messages.extend(observation)
            if stop is None and number + 1 == limits.turns:
                stop = StopReason.TURN_LIMIT
            if stop is None and "context" in more:
                self._rewrite(more["context"], more.get("tools", tools))
            elif stop is None and not self._agent.hear(observation):
                stop = StopReason.EPISODE_LENGTH
            if stop is not None:
                return self._stop(stop)
        raise AssertionError("the last turn returns")

    async def _step(
        self, env: AgentEnv, message: Message, turn: Turn
    ) -> tuple[Sequence[Message], StopReason | None, dict[str, Any]]:
        """Hand an action to the environment; return its answer, why the episode ends if it does, and its info."""
        begun = time.perf_counter()
        answer = await self._from_env(env.astep(message), "step")
        turn.environment_seconds = time.perf_counter() - begun
        observation, turn.reward, terminated, truncated, info = checked_step(answer)
        turn.tool_calls = len(message.get("tool_calls", []))
        turn.invalid_calls = len(message.get("invalid_tool_calls", []))
        components = self.parts[-1].components
        for name, value in info.get("components", {}).items():
            components[name] = components.get(name, 0.0) + float(value)
        stop = StopReason.ANSWERED if terminated else StopReason.TURN_LIMIT if truncated else None
        return observation, stop, info

    def _begin(self, messages: Sequence[Message], tools: list[dict[str, Any]]) -> None:
        trajectory = self.parts[-1]
        trajectory.messages.extend(messages)
        trajectory.tools = list(tools)
        self._agent.begin(trajectory, messages, trajectory.tools)

    def _rewrite(self, context: Sequence[Message], tools: list[dict[str, Any]]) -> None:
        """Go on in a new trajectory whose prompt is the context as the environment wants it from now on."""
        self._stop(StopReason.REWRITTEN)
        last = self.parts[-1]
        self.parts.append(Trajectory(last.task_id, last.sample, last.part + 1, dict(last.attributes)))
        self._begin(context, tools)

    def _stop(self, reason: StopReason) -> None:
        now = time.perf_counter()
        self.parts[-1].stop = reason
        self.parts[-1].seconds += now - self.begun
        self.begun = now

    def _constructed(self) -> AgentEnv:
        """Return a new environment; one that comes after the episode has ended is closed again.

        What has only the synchronous twins, such as Gymnasium's own wrappers, is stepped in a thread.
        """
        env = awaitable(self._make_env())
        if self._over:
            env.close()
        return env

    async def _from_env(self, work: Awaitable[T], what: str, seconds: float = math.inf) -> T:
        """Await the environment: what it raises by mistake is its failure, what takes too long the infrastructure's."""
        seconds = min(seconds, self._limits.tool_seconds)
        try:
            with waiting_for(f"its environment's {what}"):
                return await within(seconds, work, self._places)
        except EpisodeError:
            raise
        except Overdue as error:
            raise InfrastructureError("environment", f"waited {seconds:g} s for its {what}") from error
        except Exception as error:
            raise BrokenEnvironmentError("environment", f"its {what} raised {told(error)}") from error

    async def _close_env(self) -> None:
        """Close the environment, in a thread because it may take its time; most have nothing to close."""
        if self._env is None or getattr(self._env.close, "__func__", None) is AgentEnv.close:
            return
        task = asyncio.current_task()
        interrupted = task is not None and task.cancelling()
        try:
            await self._from_env(in_thread(self._env.close), "close", _GRACE if interrupted else math.inf)
        except EpisodeError as error:
            if self.parts[-1].failure is None:
                self.fail(error)


def describe(episode: Sequence[Trajectory]) -> dict[str, Any]:
    """Return the counts of an episode, all its parts together, that metrics are made of."""
    turns = [turn for part in episode for turn in part.turns]
    return {
        "reward": sum(turn.reward for turn in turns),
        "turns": len(turns),
        "tokens": sum(_length(part) for part in episode),
        "action_tokens": sum(len(part.action_logprobs) for part in episode) + sum(t.completion_tokens for t in turns),
        "tool_calls": sum(turn.tool_calls for turn in turns),
        "invalid_calls": sum(turn.invalid_calls for turn in turns),
    }


def _length(part: Trajectory) -> int:
    """Return the tokens of a trajectory; of a hosted model's, those of the last turn and its prompt as reported."""
    reported = part.turns[-1].prompt_tokens + part.turns[-1].completion_tokens if part.turns else 0
    return sum(len(segment.tokens) for segment in part.segments) or reported
