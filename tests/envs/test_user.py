"""A model plays the user: it hears what the assistant says, answers, and says when all is done."""

import asyncio
import re
from typing import Any

import pytest

from agent_rl import Task, TaskSet, ToolEnv, reward, tool
from agent_rl.core.context import EpisodeContext, enter
from agent_rl.core.message import Message, assistant, system, tool_call, user
from agent_rl.core.outcome import BrokenEnvironmentError, InfrastructureError
from agent_rl.envs.wrappers.user import SimulatedUser
from tests.fake_openai import Reply, Script, refuse, say, serving


class Shop(ToolEnv):
    @tool
    def price(self, thing: str) -> str:
        """Look a price up."""
        return "7"

    @reward
    def told(self, messages: list[Message], answer: str) -> float:
        """1 if the user was told the price and the last words are a goodbye."""
        return float(any("7" in message["content"] for message in messages) and answer == "Bye!")

    def tasks(self, split: str) -> TaskSet:
        wants = {"instructions": "You want the price of a pear."}
        return TaskSet(
            [
                Task("silent", (system("You sell fruit."),), data=wants),
                Task("opened", (user("How much is a pear?"),), data=wants),
                Task("nobody", (user("?"),)),
            ],
            split,
        )


def scripted(*replies: str | Reply) -> Script:
    """Say the replies in turn; DONE is the token that ends the conversation."""

    def script(body: dict[str, Any], number: int) -> Reply:
        reply = replies[number]
        token = re.search(r"\[DONE-\w{8}\]", body["messages"][0]["content"])
        assert token is not None
        return say(reply.replace("DONE", token[0])) if isinstance(reply, str) else reply

    return script


def play(script: Script, task: str, actions: list[Message], **options: Any) -> tuple[list[Any], list[Any], Any, Any]:
    """Return the first observation, the steps, the fake and the counters of an episode."""
    counters: dict[str, float] = {}

    async def playing(url: str) -> tuple[list[Message], list[Any]]:
        enter(EpisodeContext(counters=counters))
        env = SimulatedUser(Shop(), endpoint={"model": "m", "url": url, "attempts": 1}, **options)
        first, _ = await env.areset(seed=0, options={"task_id": task})
        return first, [await env.astep(action) for action in actions]

    with serving(script) as fake:
        first, steps = asyncio.run(playing(fake.url))
    return first, steps, fake, counters


CALL = assistant("", [tool_call("price", {"thing": "pear"})])


def test_the_user_speaks_first_answers_and_ends_the_conversation():
    script = scripted("How much is a pear?", "Thank you.", "DONE")
    first, steps, fake, counters = play(script, "silent", [CALL, assistant("It is 7."), assistant("Bye!")])
    assert first == [system("You sell fruit."), user("How much is a pear?")]
    assert steps[0][0][0]["content"] == "7"
    assert steps[1] == ([user("Thank you.")], 0.0, False, False, {"components": {}})
    assert steps[2][1:3] == (1.0, True)
    heard = [message["content"] for message in fake.bodies[2]["messages"][2:]]
    assert heard == ["How much is a pear?", "It is 7.", "Thank you.", "Bye!"]
    assert "the price of a pear" in fake.bodies[0]["messages"][0]["content"]
    assert counters["user/calls"] == 3 and counters["user/done"] == 1


def test_a_task_may_open_the_conversation_and_turns_end_it():
    script = scripted("And a plum?")
    first, steps, fake, _ = play(script, "opened", [assistant("7"), assistant("Bye!")], turns=1)
    assert first == [user("How much is a pear?")]
    assert steps[0][0] == [user("And a plum?")]
    assert steps[1][1:3] == (1.0, True)
    assert len(fake.bodies) == 1


def test_a_user_that_is_neither_done_nor_says_anything_is_asked_again_and_then_a_failure():
    _, steps, _, counters = play(scripted("", "Thanks. DONE"), "opened", [assistant("7")])
    assert steps[0][2] and counters["user/retries"] == 1
    with pytest.raises(InfrastructureError, match="user: neither words nor"):
        play(scripted("DONE or not?", "", ""), "opened", [assistant("7")])


@pytest.mark.parametrize("trouble", [refuse(500, "oops"), refuse(401, "who?"), Reply(body=b"?"), Reply(drop=True)])
def test_a_user_that_cannot_be_asked_is_a_failure_of_the_infrastructure(trouble):
    with pytest.raises(InfrastructureError, match=r"^user: "):
        play(scripted(trouble), "opened", [assistant("7")])


def test_a_task_without_instructions_is_the_environments_failure():
    with pytest.raises(BrokenEnvironmentError, match=r"task 'nobody' has no text data\['instructions'\]"):
        play(scripted(), "nobody", [])


def test_gymnasiums_pair_works_too():
    with serving(scripted("Thanks", "DONE")) as fake:
        env = SimulatedUser(Shop(), endpoint={"model": "m", "url": fake.url})
        env.reset(seed=0, options={"task_id": "opened"})
        assert env.step(assistant("7"))[0] == [user("Thanks")]
        assert env.step(assistant("Bye!"))[1:3] == (1.0, True)
