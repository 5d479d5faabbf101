"""Demonstrations: the environment's own solution as an episode in exact tokens, beside the samples of a group."""

import asyncio
from functools import partial

import pytest

from agent_rl.core.errors import UserError
from agent_rl.core.limits import Limits
from agent_rl.core.message import assistant, tool_call
from agent_rl.core.outcome import Cause, StopReason
from agent_rl.core.trajectory import Group, Origin
from agent_rl.core.virtual_time import VirtualTimeLoop
from agent_rl.rollout.agents import group_plans, token_agent
from agent_rl.rollout.engines import Sampling
from agent_rl.rollout.engines.scripted import ScriptedEngine
from agent_rl.rollout.flights import Flight
from agent_rl.rollout.rollouts import Rollouts
from agent_rl.rollout.settings import PlaySettings


def play(env, renderer, **limits) -> tuple[Group, ScriptedEngine]:
    """Play a group of two samples, which answer at once and wrongly, and a demonstration."""
    engine = ScriptedEngine(lambda request: renderer.action(assistant("1")))
    settings = PlaySettings(limits=Limits(**limits), failure_budget=1.0)
    rollouts = Rollouts(engine, partial(token_agent, engine, renderer, settings.limits), env, settings)
    task = env().tasks("train")[3]

    async def run() -> Group:
        await rollouts.start()
        try:
            plans = group_plans("run/0", task, 2, Sampling(), 0, 0, ("demonstration",))
            return (await rollouts.play([Flight(0, plans)]))[0]
        finally:
            await rollouts.stop()

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(run()), engine


@pytest.fixture
def solved(adder):
    class Solved(adder):
        """Shows its sums, the last message by what its tool said."""

        shown = 2

        def solution(self, task):
            a, b = (int(word) for word in task.messages[0]["content"].rstrip("?").split("+"))
            yield assistant("", [tool_call("add", {"a": a, "b": b})])
            if self.shown == 2:
                yield assistant(str(a + b))

    return Solved


def test_a_demonstration_is_an_episode_in_the_tokens_of_the_policy(solved, renderer):
    group, engine = play(solved, renderer)
    assert [t.sample for t in group.trajectories] == [0, 1] and group.rewards == [0.0, 0.0]
    (shown,) = group.demonstration
    assert (shown.sample, shown.reward, shown.stop, shown.failure) == (2, 1.0, StopReason.ANSWERED, None)
    actions = [segment for segment in shown.segments if segment.origin is Origin.ACTION]
    assert [renderer.parse(list(s.tokens), shown.tools)["content"] for s in actions] == ["", "7"]
    assert all(s.logprobs == (0.0,) * len(s.tokens) for s in actions)
    assert shown.segments[0].tokens == group.trajectories[0].segments[0].tokens  # it begins as the samples do
    assert shown.turns[0].tool_calls == 1 and group.informative and group.shown == [group.demonstration]
    assert {name for name in engine.opened if name.endswith("/2")} == set()
    assert {request.episode.rpartition("/")[2] for request in engine.requests} == {"0", "1"}


def test_one_that_ends_too_early_has_failed_and_the_samples_stay(solved, renderer):
    solved.shown = 1
    group, _ = play(solved, renderer)
    assert group.demonstration[0].failure.cause is Cause.ENVIRONMENT
    assert "its solution ends after 1 turns" in group.demonstration[0].failure.message
    assert group.shown == [] and len(group.usable) == 2


def test_one_that_does_not_fit_ends_as_an_episode_would(solved, renderer):
    whole = play(solved, renderer)[0].demonstration[0]
    group, _ = play(solved, renderer, episode_tokens=len(whole.segments[0].tokens) + 3)
    assert group.demonstration[0].stop is StopReason.EPISODE_LENGTH and group.demonstration[0].usable


def test_an_environment_without_solutions_says_so_in_one_line(adder, renderer):
    with pytest.raises(UserError, match="Adder has no solutions"):
        play(adder, renderer)
