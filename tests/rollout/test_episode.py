"""Episodes: exact tokens, derived masks, stop reasons, and whose fault a failure is."""

import asyncio
import contextlib
import time

import pytest

from agent_rl.core.limits import Limits
from agent_rl.core.message import assistant, tool_call, user
from agent_rl.core.outcome import Cause, InfrastructureError, StopReason
from agent_rl.core.trajectory import Group, Origin, Trajectory
from agent_rl.core.virtual_time import VirtualTimeLoop
from agent_rl.rollout.agents import Plan, TokenAgent, checked
from agent_rl.rollout.engines import Finish, Generation, Request, Sampling
from agent_rl.rollout.engines.scripted import Fault, ScriptedEngine
from agent_rl.rollout.episode import Episode

CALL = assistant("", [tool_call("add", {"a": 3, "b": 4})])


def play(env, engine, renderer, limits: Limits | None = None) -> Trajectory:
    return play_parts(env, engine, renderer, limits)[-1]


def play_parts(env, engine, renderer, limits: Limits | None = None) -> list[Trajectory]:
    return asyncio.run(playing(env, engine, renderer, limits))


async def playing(env, engine, renderer, limits: Limits | None = None) -> list[Trajectory]:
    task, limits = env.tasks("train")["train-3"], limits or Limits()
    plan = Plan("e", task, 0, Sampling(), 1)
    engine.open("e")
    return await Episode(plan, lambda: env, TokenAgent(engine, renderer, limits, plan), limits).play()


def script(renderer, *messages):
    """Say one message a turn."""
    turns = [renderer.action(message) for message in messages]
    return lambda request: turns[int(request.id.rpartition("/")[2])]


def test_the_mask_is_exactly_what_was_sampled(adder, renderer):
    engine = ScriptedEngine(script(renderer, CALL, CALL, assistant("7")))
    trajectory = play(adder(), engine, renderer)
    sampled = [token for token, mask in zip(trajectory.tokens, trajectory.loss_mask, strict=True) if mask]
    said = [*renderer.action(CALL), *renderer.action(CALL), *renderer.action(assistant("7"))]
    assert sampled == said
    assert sum(token in renderer.stop_tokens for token in sampled) == 3  # the stop token is trained
    assert trajectory.action_turns == [0] * len(renderer.action(CALL)) + [1] * len(renderer.action(CALL)) + [2] * len(
        renderer.action(assistant("7"))
    )
    assert trajectory.reward == 1.0
    assert trajectory.stop is StopReason.ANSWERED


def test_the_engine_sees_exactly_the_tokens_of_the_trajectory_grown_turn_by_turn(adder, renderer):
    engine = ScriptedEngine(script(renderer, CALL, CALL, assistant("7")))
    trajectory = play(adder(), engine, renderer)
    for earlier, later in zip(engine.requests, engine.requests[1:], strict=False):
        assert later.tokens[: len(earlier.tokens)] == earlier.tokens
    assert trajectory.tokens[: len(engine.requests[-1].tokens)] == engine.requests[-1].tokens
    messages = [*trajectory.messages]
    whole = renderer.tokenizer.apply_chat_template(
        messages, tools=[t.schema() for t in adder().tools()], tokenize=True, return_dict=False
    )
    assert whole[: len(trajectory.tokens)] == trajectory.tokens


def test_its_prompt_can_be_rendered_again_from_what_is_recorded(adder, renderer):
    trajectory = play(adder(), ScriptedEngine(script(renderer, CALL, assistant("7"))), renderer)
    assert trajectory.tools
    assert tuple(renderer.prompt(trajectory.messages[:1], trajectory.tools)) == trajectory.segments[0].tokens


def test_a_turn_cut_by_length_ends_the_episode_and_the_environment_never_sees_it(adder, renderer):
    engine = ScriptedEngine(lambda request: [5] * 500)
    trajectory = play(adder(), engine, renderer, Limits(turn_tokens=9))
    assert trajectory.stop is StopReason.TURN_LENGTH
    assert len(trajectory.action_logprobs) == 9
    assert trajectory.reward == 0.0
    assert trajectory.failure is None


def test_an_episode_never_grows_over_its_tokens(adder, renderer):
    first = len(renderer.prompt(adder().tasks("train")["train-3"].messages, [t.schema() for t in adder().tools()]))
    for room in range(1, 60):
        engine = ScriptedEngine(script(renderer, CALL, CALL, CALL, CALL, CALL, CALL, CALL, CALL))
        trajectory = play(adder(), engine, renderer, Limits(episode_tokens=first + room))
        assert len(trajectory.tokens) <= first + room
        assert trajectory.stop is StopReason.EPISODE_LENGTH
        assert len(trajectory.tokens) == len(trajectory.loss_mask)
        assert trajectory.segments[-1].origin is not Origin.PROMPT


def test_the_last_turn_is_not_followed_by_an_observation(adder, renderer):
    engine = ScriptedEngine(lambda request: renderer.action(CALL))
    trajectory = play(adder(), engine, renderer, Limits(turns=3))
    assert trajectory.stop is StopReason.TURN_LIMIT
    assert len(trajectory.turns) == 3
    assert trajectory.segments[-1].origin is Origin.ACTION


def test_a_malformed_call_is_answered_not_failed(adder, renderer):
    broken = assistant("<tool_call>\n{oops\n</tool_call>")
    engine = ScriptedEngine(script(renderer, broken, assistant("7")))
    trajectory = play(adder(), engine, renderer)
    assert trajectory.turns[0].invalid_calls == 1
    assert "Error" in trajectory.messages[2]["content"]
    assert trajectory.reward == 1.0


def test_what_infrastructure_fails_is_a_failure_and_never_a_reward(adder, renderer):
    adder.broken_calls = 1
    trajectory = play(adder(), ScriptedEngine(script(renderer, CALL)), renderer)
    assert trajectory.stop is StopReason.FAILED
    assert (trajectory.failure.cause, trajectory.failure.source) == (Cause.INFRASTRUCTURE, "adder")
    assert not trajectory.usable


def test_what_the_environment_raises_is_the_environments_failure(adder, renderer, monkeypatch):
    def broken(self) -> list[object]:
        raise KeyError("oops")

    monkeypatch.setattr(adder, "rewards", broken)
    trajectory = play(adder(), ScriptedEngine(script(renderer, assistant("7"))), renderer)
    assert trajectory.failure.cause is Cause.ENVIRONMENT
    assert "KeyError" in trajectory.failure.message


@pytest.mark.parametrize(
    ("limits", "named"), [({"turn_seconds": 0.05}, "turn 1"), ({"episode_seconds": 0.05}, "the engine")]
)
def test_an_engine_that_never_answers_ends_by_a_deadline_that_names_it(adder, renderer, limits, named):
    engine = ScriptedEngine(lambda request: [5], token_seconds=60)
    trajectory = play(adder(), engine, renderer, Limits(**limits))
    assert trajectory.failure.cause is Cause.INFRASTRUCTURE
    assert named in trajectory.failure.message
    assert engine.closed == ["e"]


def test_a_tool_that_never_answers_ends_by_a_deadline(adder, renderer, monkeypatch):
    async def sleeps(self, action):
        await asyncio.sleep(60)

    monkeypatch.setattr(adder, "astep", sleeps)
    begun = time.monotonic()
    trajectory = play(adder(), ScriptedEngine(script(renderer, CALL)), renderer, Limits(tool_seconds=0.05))
    assert "waited 0.05 s for its step" in trajectory.failure.message
    assert time.monotonic() - begun < 30


def test_what_the_engine_gives_back_unfinished_is_gone_on_with(adder, renderer):
    whole = renderer.action(CALL)
    turns = {0: whole, 1: renderer.action(assistant("7"))}
    prompts: list[int] = []

    def rest(request: Request) -> list[int]:
        number = int(request.id.rpartition("/")[2])
        if not number:
            prompts.append(len(request.tokens))
        return turns[number][len(request.tokens) - prompts[0] :] if not number else turns[number]

    engine = ScriptedEngine(rest, faults=lambda request: Fault.ABORT if len(engine.requests) < 4 else None)
    trajectory = play(adder(), engine, renderer)
    assert trajectory.segments[1].tokens == tuple(whole)
    assert len({request.seed for request in engine.requests}) == len(engine.requests)
    assert trajectory.reward == 1.0


def test_an_engine_that_only_gives_back_is_a_failure(adder, renderer):
    engine = ScriptedEngine(lambda request: [5], faults=lambda request: Fault.ABORT)
    trajectory = play(adder(), engine, renderer)
    assert trajectory.failure.cause is Cause.INFRASTRUCTURE
    assert "gave turn 1 back" in trajectory.failure.message


@pytest.mark.parametrize("fault", [f for f in Fault if f not in (Fault.HANG, Fault.ABORT)])
def test_what_cannot_have_been_sampled_is_a_failure_of_the_engine(adder, renderer, fault):
    engine = ScriptedEngine(script(renderer, CALL), faults=lambda request: fault)
    trajectory = play(adder(), engine, renderer)
    assert (trajectory.failure.cause, trajectory.failure.source) == (Cause.INFRASTRUCTURE, "engine")
    assert trajectory.action_logprobs == []
    assert trajectory.reward == 0.0 and not trajectory.usable


def test_a_stop_token_within_a_turn_is_refused(adder, renderer):
    stop = min(renderer.stop_tokens)
    with pytest.raises(InfrastructureError, match="in the middle"):
        checked(
            Generation([5, stop, stop], [0.0] * 3, Finish.STOP, [0] * 3),
            Request("r", "e", [1], 9, frozenset([stop]), 0, Sampling()),
            512,
        )


def test_a_rewritten_context_begins_a_new_trajectory_of_the_same_episode(adder, renderer, monkeypatch):
    step = adder.astep

    async def rewrites(self, action):
        observation, reward, terminated, truncated, info = await step(self, action)
        if not terminated:
            info = info | {"context": [*self.task.messages, user(f"so far: {observation[0]['content']}")]}
        return observation, reward, terminated, truncated, info

    monkeypatch.setattr(adder, "astep", rewrites)
    parts = play_parts(adder(), ScriptedEngine(script(renderer, CALL, CALL, assistant("7"))), renderer)
    assert [(part.sample, part.part, part.stop) for part in parts] == [
        (0, 0, StopReason.REWRITTEN),
        (0, 1, StopReason.REWRITTEN),
        (0, 2, StopReason.ANSWERED),
    ]
    assert [[segment.origin for segment in part.segments] for part in parts] == [[Origin.PROMPT, Origin.ACTION]] * 3
    group = Group("train-3", parts)
    assert group.rewards == [1.0] and len(group.episodes) == 1


def test_a_tool_that_swallows_cancellation_cannot_hold_the_episode(adder, renderer, monkeypatch):
    async def stubborn(self, action):
        for _ in range(200):
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0.05)

    async def ended() -> tuple[Trajectory, float]:
        (part,) = await playing(adder(), ScriptedEngine(script(renderer, CALL)), renderer, Limits(tool_seconds=0.05))
        return part, asyncio.get_running_loop().time()

    monkeypatch.setattr(adder, "astep", stubborn)
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        trajectory, now = runner.run(ended())
    assert "waited 0.05 s for its step" in trajectory.failure.message
    assert now < 1.0  # simulated seconds; the tool goes on for ten


def test_each_turn_has_its_own_random_stream(adder, renderer):
    engine = ScriptedEngine(script(renderer, CALL, CALL, assistant("7")))
    play(adder(), engine, renderer)
    seeds = {request.seed for request in engine.requests}
    assert len(seeds) == 3


def test_the_scripted_engine_obeys_the_limits_of_a_request():
    engine = ScriptedEngine(lambda request: [1, 2, 3, 4])

    def generate(new: int, stops: frozenset[int]):
        return asyncio.run(engine.generate(Request("r", "e", [0], new, stops, 0, Sampling())))

    assert generate(2, frozenset()).finish is Finish.LENGTH
    assert generate(9, frozenset({3})).tokens == [1, 2, 3]


def test_a_prompt_that_leaves_no_room_is_no_result_of_the_policy(adder, renderer):
    engine = ScriptedEngine(script(renderer, CALL))
    trajectory = play(adder(), engine, renderer, Limits(episode_tokens=20))
    assert not trajectory.usable and trajectory.failure.cause is Cause.ENVIRONMENT
    assert (
        trajectory.failure.message
        == f"its prompt has {len(trajectory.tokens)} tokens, over rollout.limits.episode_tokens=20"
    )
    assert not engine.requests
