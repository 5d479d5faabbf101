"""Environments of Gymnasium, unmodified, played in words."""

from typing import Any

import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import agent_rl
from agent_rl.core.errors import UserError
from agent_rl.core.message import Message, assistant, tool_call
from agent_rl.envs.adapters import texts
from agent_rl.envs.adapters.actions import Actions, IllegalActionError
from agent_rl.envs.base import AgentEnv
from agent_rl.envs.checker import check_environment
from agent_rl.envs.section import EnvSection


def newest(name: str) -> str:
    """Return the id of a game in the installed Gymnasium: Taxi-v4 from 1.3 on, CliffWalking-v1 from 1.2 on."""
    known = [spec.version or 0 for spec in gymnasium.registry.values() if (spec.namespace, spec.name) == (None, name)]
    return f"{name}-v{max(known)}"


TAXI = newest("Taxi")
TOY_TEXT = [TAXI, *map(newest, ("FrozenLake", "Blackjack", "CliffWalking"))]
OTHERS = ["CartPole-v1", "MountainCarContinuous-v0", "Pendulum-v1"]
DRY = {"is_slippery": False}


def act(*actions: Any) -> Message:
    return assistant("", [tool_call("act", {"action": action}, i) for i, action in enumerate(actions)])


def begun(name: str, seed: int = 0, **settings: Any) -> tuple[AgentEnv, str]:
    """An environment at the seed's task, and what the player is shown first."""
    env = agent_rl.make("gymnasium", id=name, **settings)
    messages, _ = env.reset(options={"split": "test" if seed % 2 else "train", "task_id": f"seed-{seed}"})
    return env, messages[-1]["content"]


@pytest.mark.parametrize("name", TOY_TEXT + OTHERS)
def test_check_finds_nothing_wrong(name: str) -> None:
    findings = list(check_environment(EnvSection(name="gymnasium", id=name)))
    assert [finding for finding in findings if finding.passed is False] == []


@pytest.mark.parametrize("name", TOY_TEXT + OTHERS)
def test_rewards_and_ends_are_gymnasiums_own(name: str) -> None:
    env, _ = begun(name, seed=4)
    twin = gymnasium.make(name)
    _, info = twin.reset(seed=4)
    twin.action_space.seed(0)
    for _ in range(60):
        action = twin.action_space.sample(info.get("action_mask"))
        _, reward, terminated, truncated, info = twin.step(action)
        _, ours, ended, cut, _ = env.step(act(np.asarray(action).tolist()))
        assert (ours, ended, cut) == (reward, terminated, truncated)
        if terminated or truncated:
            break


def test_a_frame_shows_the_player_in_brackets() -> None:
    env, shown = begun("FrozenLake-v1", kwargs=DRY)
    assert shown == "[S]FFF\nFHFH\nFFFH\nHFFG"
    assert env.step(act("right"))[0][0]["content"] == "  (Right)\nS[F]FF\nFHFH\nFFFH\nHFFG"


def test_several_colours_of_a_frame_are_named() -> None:
    _, shown = begun(TAXI, seed=1)
    assert {colour for colour in ("yellow", "magenta", "blue") if f":{colour}]" in shown} == {
        "yellow",
        "magenta",
        "blue",
    }
    assert "\x1b" not in shown


def test_without_frames_the_value_is_written_plainly() -> None:
    _, shown = begun("Blackjack-v1")
    assert shown.count(",") == 2 and shown.startswith("(") and "int64" not in shown


def test_the_first_message_has_the_rules_and_the_actions() -> None:
    env = agent_rl.make("gymnasium", id="FrozenLake-v1")
    messages, info = env.reset(seed=0)
    assert "start to goal" in messages[0]["content"] and "S start, F ice" in messages[0]["content"]
    assert "0 (Move left), 1 (Move down), 2 (Move right), 3 (Move up)" in messages[0]["content"]
    assert "Arguments" not in messages[0]["content"]
    assert [tool["function"]["name"] for tool in info["tools"]] == ["act"]


def test_instructions_replace_the_documentation() -> None:
    env = agent_rl.make("gymnasium", id=TAXI, instructions="Drive.")
    assert env.reset(seed=0)[0][0]["content"].startswith("Drive.\n\nCall the tool act")


def test_an_illegal_action_is_answered_and_changes_nothing() -> None:
    env, _ = begun("FrozenLake-v1", kwargs=DRY)
    answers, reward, terminated, truncated, _ = env.step(act("jump", 4, "Down"))
    assert answers[0]["content"].startswith("Error: 'jump' is not a legal action. Legal actions: 0 (Move left)")
    assert answers[1]["content"].startswith("Error: '4'")
    assert "[F]HFH" in answers[2]["content"]
    assert (reward, terminated, truncated) == (0.0, False, False)


def test_a_mask_of_legal_actions_is_listed_and_held_to() -> None:
    env, shown = begun(TAXI, seed=1)
    assert "Legal actions: " in shown and "Pickup" not in shown
    answers, reward, *_ = env.step(act("Pickup passenger"))
    assert answers[0]["content"].startswith("Error:") and reward == 0


def test_several_calls_of_a_turn_are_played_in_order_until_the_game_is_over() -> None:
    env, _ = begun("FrozenLake-v1", kwargs=DRY)
    answers, reward, terminated, _, _ = env.step(act("down", "down", "right", "right", "down", "right", "right"))
    assert (reward, terminated) == (1.0, True)
    assert answers[-1]["content"] == "Error: the episode is over; this was not done."


def test_plain_text_acts_where_it_is_asked_for() -> None:
    env = agent_rl.make("gymnasium", id="FrozenLake-v1", kwargs=DRY, says="text")
    messages, info = env.reset(seed=0)
    assert info["tools"] == [] and "`Action: …`" in messages[0]["content"]
    assert "S[F]FF" in env.step(assistant("I go on.\nAction: Move right"))[0][0]["content"]
    assert "SF[F]F" in env.step(assistant("2"))[0][0]["content"]
    assert env.step(assistant("hm"))[0][0]["content"].startswith("Error: 'hm' is not a legal action")


def test_a_turn_without_a_call_is_answered() -> None:
    env, _ = begun("FrozenLake-v1")
    answers, _, terminated, _, _ = env.step(assistant("I would rather talk."))
    assert answers[0]["role"] == "user" and answers[0]["content"].startswith("Error:") and not terminated


def test_the_same_task_is_the_same_game() -> None:
    games = []
    for _ in range(2):
        env, shown = begun("FrozenLake-v1", seed=6)  # slippery: chance decides every step
        games.append([shown, *(env.step(act("right"))[0][0]["content"] for _ in range(5))])
    assert games[0] == games[1]


def test_what_cannot_be_made_is_the_users_to_mend() -> None:
    for wrong in ({"id": "FrozenLak-v1"}, {"id": "no_such_module:X-v0"}, {"kwargs": {"slippery": False}}):
        with pytest.raises(UserError, match=r"env\.id="):
            agent_rl.make("gymnasium", **wrong)


SPACES = [
    gymnasium.spaces.Discrete(3, start=-1),
    gymnasium.spaces.MultiDiscrete([2, 3]),
    gymnasium.spaces.MultiBinary(2),
    gymnasium.spaces.Box(-1, 1, (2, 2)),
]


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_every_action_of_a_space_can_be_said(space: gymnasium.Space[Any]) -> None:
    space.seed(0)
    for _ in range(20):
        action = space.sample()
        said = np.asarray(action).tolist()
        for form in (said, str(said)):
            assert np.array_equal(Actions(space, {}).read(form), action)


@settings(max_examples=60, deadline=None)
@given(
    st.one_of(
        st.text(),
        st.integers(),
        st.lists(st.floats() | st.integers() | st.text(max_size=2)),
        st.recursive(st.none(), st.lists),
    )
)
def test_whatever_is_said_is_a_legal_action_or_an_error(said: Any) -> None:
    for space in SPACES:
        try:
            assert space.contains(Actions(space, {0: "wait", 1: "go on"}).read(said))
        except IllegalActionError as error:
            assert len(str(error)) < 300


def test_a_space_that_cannot_be_said_is_refused() -> None:
    with pytest.raises(UserError, match="cannot say"):
        Actions(gymnasium.spaces.Dict({"a": gymnasium.spaces.Discrete(2)}), {})


def test_values_are_written_without_their_types() -> None:
    observed = {"place": np.array([1.0, 0.12345678], dtype=np.float32), "seen": (np.int64(3), True), "name": "x"}
    assert texts.value(observed) == "{place: [1, 0.1235], seen: (3, True), name: x}"
