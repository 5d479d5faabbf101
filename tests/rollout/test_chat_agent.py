"""Episodes of a hosted model: the same outcomes as those of a policy, and nothing that could be trained on."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from agent_rl.core.errors import UserError
from agent_rl.core.limits import Limits
from agent_rl.core.outcome import Cause, StopReason
from agent_rl.core.trajectory import Group, Trajectory
from agent_rl.evaluation.figures import Prices, figures
from agent_rl.rollout.agents import ChatAgent
from agent_rl.rollout.engines import Sampling
from agent_rl.rollout.engines.openai.engine import OpenAIEngine
from agent_rl.rollout.engines.openai.settings import OpenAISettings
from agent_rl.rollout.failures import FailureBudgetError
from agent_rl.rollout.manager import RolloutManager
from agent_rl.rollout.settings import PlaySettings
from agent_rl.trainer.algorithms import make_batch
from tests.fake_openai import FakeOpenAI, Reply, Script, refuse, say, serving

Play = Callable[..., list[Group]]
CALL = say(None, ("add", '{"a": 3, "b": 4}'))


def turns(*replies: Reply) -> Script:
    """Say one reply a turn, the last one from then on."""
    return lambda body, _: replies[min(sum(m["role"] == "assistant" for m in body["messages"]), len(replies) - 1)]


@contextmanager
def playing(adder, script: Script, limits: Limits | None = None, attempts: int = 6, **rest) -> Iterator[tuple]:
    with serving(script) as fake:
        engine = OpenAIEngine(OpenAISettings(url=fake.url, model="m", attempts=attempts))
        play = PlaySettings(**{"retries": 0, "failure_budget": 1.0} | rest, limits=limits or Limits())
        rollouts = RolloutManager(engine, lambda plan, _: ChatAgent(engine, play.limits, plan), adder, play)

        def run(tasks: int = 1, samples: int = 1, temperature: float = 1.0) -> list[Group]:
            chosen = [adder().tasks("train")[3]] * tasks
            return rollouts.run(chosen, samples, Sampling(temperature=temperature), seed=0)

        try:
            yield run, fake
        finally:
            rollouts.close()


def play_one(adder, script: Script, limits: Limits | None = None, **rest) -> tuple[Trajectory, FakeOpenAI]:
    with playing(adder, script, limits, **rest) as (run, fake):
        return run()[0].trajectories[0], fake


def test_an_episode_calls_tools_answers_and_is_rewarded(adder):
    script = turns(say(None, ("add", '{"a": 3, "b": 4}'), reasoning="hm", usage=(20, 8)), say("7", usage=(40, 2)))
    played, fake = play_one(adder, script)
    assert (played.reward, played.stop, played.failure) == (1.0, StopReason.ANSWERED, None)
    assert [message["role"] for message in played.messages] == ["user", "assistant", "tool", "assistant"]
    assert played.messages[1]["reasoning_content"] == "hm"
    assert [(turn.prompt_tokens, turn.completion_tokens) for turn in played.turns] == [(20, 8), (40, 2)]
    assert [turn.tool_calls for turn in played.turns] == [1, 0]
    assert [body["tools"][0]["function"]["name"] for body in fake.bodies] == ["add", "add"]


def test_nothing_can_be_trained_on_it(adder):
    with playing(adder, turns(CALL, say("7"))) as (run, _):
        groups = run(samples=2)
    assert [played.segments for played in groups[0].trajectories] == [[], []]
    assert make_batch(groups).trajectories == []


def test_it_is_recorded_and_restored(adder):
    played, _ = play_one(adder, turns(CALL, say("7")))
    assert Trajectory.from_json(json.loads(json.dumps(played.to_json()))) == played


def test_its_tokens_are_counted_as_reported(adder):
    with playing(adder, turns(say(None, ("add", "{}"), usage=(20, 8)), say("7", usage=(40, 2)))) as (run, _):
        (episode,) = run()[0].usable
    found = figures(episode, 1.0, Prices(read=1.0, written=10.0))
    assert (found["tokens"], found["action_tokens"]) == (42, 10)
    assert found["cost"] == pytest.approx((20 + 40 + 10 * (8 + 2)) / 1e6)


def test_every_request_says_how_to_sample_with_a_seed_of_its_own(adder):
    with playing(adder, turns(CALL, say("7")), Limits(turn_tokens=50)) as (run, fake):
        run(samples=2, temperature=0.0)
    assert {(body["temperature"], body["max_tokens"]) for body in fake.bodies} == {(0.0, 50)}
    assert len({body["seed"] for body in fake.bodies}) == 4
    assert all(0 <= body["seed"] < 2**31 for body in fake.bodies)


def test_malformed_arguments_are_answered_and_the_episode_goes_on(adder):
    bad = say(None, ("add", "{bad"), ("add", "[3, 4]"), ("add", '{"a": 3, "b": 4}'), ids=["x", "x", "x"])
    played, _ = play_one(adder, turns(bad, say("7")))
    assert (played.reward, played.turns[0].tool_calls, played.turns[0].invalid_calls) == (1.0, 1, 2)
    answers = [message["content"] for message in played.messages if message["role"] == "tool"]
    assert answers[0] == "7"
    assert [answer.startswith("Error: a tool call") for answer in answers[1:]] == [True, True]


def test_null_content_without_a_call_is_an_empty_answer(adder):
    played, _ = play_one(adder, turns(say(None)))
    assert (played.messages[-1]["content"], played.reward, played.stop) == ("", 0.0, StopReason.ANSWERED)


@pytest.mark.parametrize(
    ("limits", "reply", "stop"),
    [
        (Limits(turn_tokens=5), say("7", finish="length"), StopReason.TURN_LENGTH),
        (Limits(turn_tokens=512), say("7", finish="length"), StopReason.EPISODE_LENGTH),
        (Limits(episode_tokens=15), CALL, StopReason.EPISODE_LENGTH),
        (Limits(turns=2), CALL, StopReason.TURN_LIMIT),
    ],
)
def test_limits_end_an_episode_as_a_result_of_the_model(adder, limits, reply, stop):
    played, _ = play_one(adder, turns(reply), limits)
    assert (played.stop, played.failure, played.reward) == (stop, None, 0.0)


def test_a_conversation_that_outgrows_the_model_ends_as_too_long(adder):
    played, _ = play_one(adder, turns(CALL, refuse(400, "too long", code="context_length_exceeded")))
    assert (played.stop, played.failure, len(played.turns)) == (StopReason.EPISODE_LENGTH, None, 1)


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (refuse(400, "the maximum context length is 8", param="max_tokens"), "maximum context length is 8"),
        (refuse(500, "out of memory"), "answered 500: out of memory (attempt 1 of 1)"),
        (refuse(400, "bad weather"), "answered 400: bad weather"),
        (Reply(200, b"<html>"), "no completion"),
        (Reply(hang=True), "did not answer within 0.2 s"),
        (say("x", finish="content_filter"), "turn 1 was broken off by the endpoint: content_filter"),
    ],
)
def test_what_the_endpoint_fails_at_is_never_a_reward(adder, reply, told):
    played, _ = play_one(adder, turns(reply), Limits(turn_seconds=0.2 if reply.hang else 60), attempts=1)
    assert played.failure.cause is Cause.INFRASTRUCTURE
    assert told in played.failure.message
    assert not played.usable


def test_a_failed_episode_is_tried_again_from_its_beginning(adder):
    def script(body, number):
        return Reply(200, b"<html>") if number == 1 else turns(CALL, say("7"))(body, number)

    played, fake = play_one(adder, script, retries=1)
    assert (played.reward, len(fake.bodies)) == (1.0, 4)


def test_an_outage_over_the_budget_ends_the_rollout_with_its_cause(adder):
    with (
        playing(adder, turns(refuse(500, "out of memory")), attempts=1, failure_budget=0.1) as (run, _),
        pytest.raises(FailureBudgetError, match=r"4 of 4 episodes failed once.*'openai'.*out of memory"),
    ):
        run(tasks=4)


def test_a_wrong_key_ends_everything_at_once(adder):
    """What other episodes wait for is not waited for: here for ever."""

    def script(body, number):
        return refuse(401, "wrong key") if number == 5 else Reply(hang=True)

    with playing(adder, script, retries=2) as (run, fake), pytest.raises(UserError, match="answered 401: wrong key"):
        run(tasks=6)
    assert len(fake.bodies) == 6


def test_a_rewritten_context_is_a_new_conversation(adder, monkeypatch):
    step = adder.astep

    async def rewrites(self, action):
        observation, reward, terminated, truncated, info = await step(self, action)
        if not terminated:
            info = info | {"context": [{"role": "user", "content": f"so far: {observation[0]['content']}"}]}
        return observation, reward, terminated, truncated, info

    monkeypatch.setattr(adder, "astep", rewrites)
    script: Script = lambda body, number: CALL if number == 0 else say("7")  # noqa: E731
    with playing(adder, script) as (run, fake):
        parts = run()[0].trajectories
    assert [part.stop for part in parts] == [StopReason.REWRITTEN, StopReason.ANSWERED]
    assert fake.bodies[1]["messages"] == [{"role": "user", "content": "so far: 7"}]
