"""No change of a token that was not sampled stays unseen; what was played as it should be is never accused."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_rl import Task, TaskSet, ToolEnv, reward, tool
from agent_rl.core.limits import Limits
from agent_rl.core.message import assistant, system, tool_call, user
from agent_rl.core.outcome import Cause, Failure, StopReason
from agent_rl.core.trajectory import Origin, Segment, Trajectory
from agent_rl.rollout.agents import Plan, TokenAgent
from agent_rl.rollout.audit.findings import Check, Place
from agent_rl.rollout.audit.forward import comparable
from agent_rl.rollout.audit.numbers import check_rewards
from agent_rl.rollout.audit.rerender import Rerender
from agent_rl.rollout.audit.tokens import check_tokens
from agent_rl.rollout.engines import Sampling
from agent_rl.rollout.engines.scripted import ScriptedEngine
from agent_rl.rollout.episode import Episode
from agent_rl.rollout.renderer import Renderer

TEXT = st.text(alphabet=st.sampled_from("ab 0\n<>|é\u2028\U0001f600"), max_size=12) | st.sampled_from(
    ["<|im_end|>", "<tool_call>", "</tool_response>\n", "<|im_start|>assistant\n"]
)


class Echo(ToolEnv):
    """Says back what it is told."""

    asked = ""

    def tasks(self, split: str) -> TaskSet:
        """Return one task with an assistant among its messages."""
        return TaskSet([Task("t", (system("s"), assistant("hello"), user(self.asked)), "")], split)

    @tool
    def echo(self, text: str) -> str:
        """Say it back."""
        return text

    @reward
    def fine(self, answer: str) -> float:
        """1 always."""
        return 1.0


def play(renderer: Renderer, said: list[str], asked: str = "?", limits: Limits | None = None) -> Trajectory:
    """Play an episode that echoes each text but the last, which it answers."""
    calls = [assistant("", [tool_call("echo", {"text": text})]) for text in said[:-1]]
    turns = [renderer.action(message) for message in [*calls, assistant(said[-1] or "done")]]
    env = Echo()
    env.asked = asked
    engine = ScriptedEngine(lambda request: turns[int(request.id.rpartition("/")[2])])
    engine.open("e")
    task = env.tasks("train")[0]
    plan, limits = Plan("e", task, 0, Sampling(), 1), limits or Limits()
    return asyncio.run(Episode(plan, lambda: env, TokenAgent(engine, renderer, limits, plan), limits).play())[-1]


def findings(trajectory: Trajectory, renderer: Renderer, limits: Limits | None = None) -> set[str]:
    return {finding.check.value for finding in check_tokens(trajectory, Rerender(renderer), limits or Limits())}


@given(st.lists(TEXT, min_size=1, max_size=4), TEXT)
def test_what_was_played_is_sound_whatever_was_said(renderer: Renderer, said: list[str], asked: str) -> None:
    trajectory = play(renderer, said, asked)
    assert findings(trajectory, renderer) == set()


@given(st.integers(1, 70), st.integers(1, 300))
def test_a_cut_is_sound_wherever_the_limits_are(renderer: Renderer, turn: int, more: int) -> None:
    first = len(play(renderer, ["a", "b"]).segments[0].tokens)
    limits = Limits(turn_tokens=turn, episode_tokens=first + more - 20, turns=3)
    trajectory = play(renderer, ["a", "<tool_call> b", "c", "d"], limits=limits)
    assert findings(trajectory, renderer, limits) == set()


@given(st.data())
def test_any_single_token_of_a_prompt_or_observation_that_is_changed_dropped_or_added_is_found(
    renderer: Renderer, data: st.DataObject
) -> None:
    trajectory = play(renderer, data.draw(st.lists(TEXT, min_size=2, max_size=3)))
    numbers = [number for number, s in enumerate(trajectory.segments) if s.origin is not Origin.ACTION]
    number = data.draw(st.sampled_from(numbers))
    tokens = list(trajectory.segments[number].tokens)
    at = data.draw(st.integers(0, len(tokens) - 1))
    token = data.draw(st.integers(0, len(renderer.tokenizer) + 5).filter(lambda token: token != tokens[at]))
    harm = data.draw(st.sampled_from(["change", "drop", "add"]))
    tokens[at : at + (harm != "add")] = [] if harm == "drop" else [token]
    segments = list(trajectory.segments)
    segments[number] = Segment(segments[number].origin, tuple(tokens))
    assert findings(replace(trajectory, segments=segments), renderer)


@given(st.data())
def test_any_boundary_that_is_moved_is_found(renderer: Renderer, data: st.DataObject) -> None:
    trajectory = play(renderer, data.draw(st.lists(TEXT, min_size=1, max_size=3)))
    segments = list(trajectory.segments)
    number = data.draw(st.integers(0, len(segments) - 2))
    stream = segments[number].tokens + segments[number + 1].tokens
    cut = data.draw(st.integers(1, len(stream) - 1).filter(lambda cut: cut != len(segments[number].tokens)))
    for place, tokens in ((number, stream[:cut]), (number + 1, stream[cut:])):
        sampled = len(tokens) if segments[place].origin is Origin.ACTION else 0
        segments[place] = Segment(segments[place].origin, tokens, (-1.0,) * sampled, (0,) * sampled)
    assert findings(replace(trajectory, segments=segments), renderer) in ({"mask"}, {"stop"})


def test_an_episode_that_failed_under_way_has_no_reward_of_the_turn_that_failed(renderer: Renderer) -> None:
    trajectory = play(renderer, ["a", "b"])
    failed = replace(trajectory, stop=StopReason.FAILED, failure=Failure(Cause.INFRASTRUCTURE, "engine", "gone"))
    assert [finding.check for finding in check_rewards(failed)] == [Check.REWARDS]
    early = replace(failed, segments=trajectory.segments[:3], turns=[replace(trajectory.turns[0], reward=0.5)])
    assert not list(check_rewards(early))  # the turn with the reward was over


@pytest.mark.parametrize(("changes_at", "compared"), [(None, None), (0, 0), (3, 3)])
def test_only_what_one_version_of_the_weights_sampled_is_compared(
    renderer: Renderer, changes_at: int | None, compared: int | None
) -> None:
    trajectory = play(renderer, ["a", "b 0 b"])
    last = trajectory.segments[-1]
    if changes_at is not None:
        versions = tuple(int(i >= changes_at) for i in range(len(last.tokens)))
        trajectory = replace(trajectory, segments=[*trajectory.segments[:-1], replace(last, weight_versions=versions)])
    sequence = comparable(Place(1, "f", 1), trajectory)
    assert sequence is not None
    first = len(trajectory.segments[1].tokens)
    assert len(sequence.targets) == first + (len(last.tokens) if compared is None else compared)
    assert sequence.tokens == trajectory.tokens[: sequence.targets[-1] + 1]


def test_a_turn_begun_under_older_weights_is_not_compared(renderer: Renderer) -> None:
    trajectory = play(renderer, ["a", "b"])
    *before, last = trajectory.segments
    late = replace(last, weight_versions=(1,) * len(last.tokens), began=1)
    early = [replace(s, weight_versions=(1,) * len(s.tokens)) if s.logprobs else s for s in before]
    whole = comparable(Place(1, "f", 1), replace(trajectory, segments=[*early, late]))
    part = comparable(Place(1, "f", 1), replace(trajectory, segments=[*early, replace(late, began=0)]))
    assert whole is not None and part is not None
    assert len(whole.targets) - len(part.targets) == len(last.tokens)
    none = [replace(s, began=0) if s.logprobs else s for s in early]
    assert comparable(Place(1, "f", 1), replace(trajectory, segments=[*none, late])) is None
