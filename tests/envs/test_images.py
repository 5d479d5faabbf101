"""Images in messages: content parts from an environment to a hosted model, into trajectories, and refused as text."""

import base64
import io
import json

import pytest
from gymnasium.utils.env_checker import check_env

from agent_rl import Task, TaskSet
from agent_rl.clients.openai_messages import write_messages
from agent_rl.core.errors import UserError
from agent_rl.core.message import Message, assistant, image, images_of, text, text_of, tool_call, tool_result, user
from agent_rl.core.outcome import Cause
from agent_rl.core.trajectory import Trajectory
from agent_rl.envs.spaces import ChatSpace, MessageSpace
from agent_rl.envs.wrappers.conversation import tokens_of
from agent_rl.rollout.engines.scripted import ScriptedEngine
from tests.envs.test_wrappers import Adder
from tests.fake_openai import say
from tests.rollout.test_chat_agent import playing, turns
from tests.rollout.test_episode import play

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
SHOWN = user([text("What is this?"), image(PNG)])


class Gallery(Adder):
    """Asks about a picture."""

    def tasks(self, split: str) -> TaskSet:
        return TaskSet([Task(f"{split}-{i}", (SHOWN,), str(i)) for i in range(4)], split)


def test_an_image_is_held_by_the_message_whatever_it_is_made_of():
    pillow = pytest.importorskip("PIL.Image")
    part = image(PNG)
    assert part["image_url"]["url"].partition(",")[0] == "data:image/png;base64"
    drawn = image(pillow.open(io.BytesIO(PNG)))
    held = base64.b64decode(drawn["image_url"]["url"].partition(",")[2])
    assert pillow.open(io.BytesIO(held)).size == (1, 1)
    with pytest.raises(ValueError, match="PNG, JPEG, GIF or WebP"):
        image(b"%PDF")


def test_the_text_and_the_images_of_a_message_are_told_apart():
    assert text_of(user("plain")) == "plain" and images_of(user("plain")) == []
    assert text_of(user([text("a"), image(PNG), text("b")])) == "a\nb"
    assert images_of(SHOWN) == [image(PNG)]
    assert tokens_of([SHOWN]) == tokens_of([user("What is this?")])


def test_the_spaces_hold_parts_and_nothing_else_but_an_agent_says_text():
    assert ChatSpace().contains([SHOWN, tool_result([image(PNG)], tool_call("look", {}))])
    wrong = [
        [{"type": "text"}],
        [{"type": "image_url", "image_url": "x"}],
        ["a"],
        [{"type": "audio"}],
        {"type": "text"},
    ]
    assert not any(ChatSpace().contains([{"role": "user", "content": content}]) for content in wrong)
    assert not MessageSpace().contains({**SHOWN, "role": "assistant"})


@pytest.mark.filterwarnings("error")
def test_gymnasiums_own_check_finds_nothing_wrong_with_an_environment_that_shows_images():
    check_env(Gallery(), skip_render_check=True)


def test_a_trajectory_is_stored_and_restored_with_its_images():
    trajectory = Trajectory("t", messages=[SHOWN, assistant("a dot")])
    assert Trajectory.from_json(json.loads(json.dumps(trajectory.to_json()))) == trajectory


def test_a_hosted_model_is_shown_images_those_of_tools_as_the_users():
    look = assistant("", [tool_call("look", {})])
    answer: Message = tool_result([text("a door"), image(PNG)], look["tool_calls"][0])
    written = write_messages([SHOWN, look, answer])
    assert written[0] == {"role": "user", "content": SHOWN["content"]}
    assert written[2:] == [
        {"role": "tool", "tool_call_id": "call_0", "content": "a door"},
        {"role": "user", "content": [image(PNG)]},
    ]


def test_an_episode_of_a_hosted_model_reads_the_image_and_records_it():
    with playing(Gallery, turns(say("3"))) as (run, fake):
        played = run()[0].trajectories[0]
    assert fake.bodies[0]["messages"] == [{"role": "user", "content": SHOWN["content"]}]
    assert (played.reward, played.messages) == (1.0, [SHOWN, assistant("3")])


def test_a_model_of_text_refuses_images_as_a_failure_of_the_environment_and_reads_parts_of_text(renderer):
    assert renderer.prompt([user([text("What is"), text("this?")])], []) == renderer.prompt(
        [user("What is\nthis?")], []
    )
    failure = play(Gallery(), ScriptedEngine(lambda request: [5]), renderer).failure
    assert failure is not None and (failure.cause, failure.source) == (Cause.ENVIRONMENT, "renderer")
    assert "is read by text alone here: a user message holds an image" in failure.message
    with pytest.raises(UserError, match="a tool message holds an image"):
        renderer.observation([tool_result([image(PNG)], tool_call("look", {}))], None)
