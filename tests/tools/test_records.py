"""Recorded answers: written by any number of processes, played back call by call, and never guessed."""

import json
from itertools import count
from typing import Any

import pytest

from agent_rl import ToolEnv, ToolPolicy, make, tool
from agent_rl.core.errors import UserError
from agent_rl.core.message import assistant, tool_call
from agent_rl.core.outcome import Cause
from agent_rl.envs.generation import played as solved
from agent_rl.tools.records import FILE
from agent_rl.tools.settings import ToolsSettings, shared
from tests.tools.talkers import answers, play, run

clock = count()


class Reader(ToolEnv):
    """Tools whose answers change from call to call."""

    @tool
    def read(self, page: int, of: str = "x") -> str:
        return f"{page} of {of} at {next(clock)}"

    @tool(policy=ToolPolicy(replay=False))
    def turn(self) -> str:
        self.finish()
        return f"turned at {next(clock)}"


PAGES = [assistant("", [tool_call("read", {"page": page})]) for page in (1, 2, 1)]
TURN = assistant("", [tool_call("turn", {})])


def played(settings: ToolsSettings, *messages: Any, names: tuple[str, ...] = ("e/0", "e/1")) -> list[Any]:
    with shared(settings):
        return run(*(play(Reader, *messages, name=name) for name in names))


def test_a_run_is_repeated_with_the_answers_that_it_had(tmp_path):
    recorded = played(ToolsSettings(record=str(tmp_path)), *PAGES)
    replayed = played(ToolsSettings(replay=str(tmp_path)), *PAGES)
    assert [answers(episode) for episode in replayed] == [answers(episode) for episode in recorded]
    assert len({text for episode in recorded for text in answers(episode)}) == 6  # all of them differ
    (other,) = played(ToolsSettings(replay=str(tmp_path)), *PAGES, names=("other/0",))
    said = zip(*map(answers, recorded), strict=True)
    assert all(text in recorded_texts for text, recorded_texts in zip(answers(other), said, strict=True))


FEW = {"train_tasks": 2, "test_tasks": 1}
SLOW = pytest.mark.slow
MOVING = [
    pytest.param("countdown", {}, marks=SLOW),
    pytest.param("frozen_lake", {}, marks=SLOW),
    ("household", FEW),
    ("shop", FEW),
    ("sokoban", FEW),
    pytest.param("deep_research", {}, marks=SLOW),
    pytest.param("search_rewrite", {}, marks=SLOW),
]


@pytest.mark.parametrize(("name", "settings"), MOVING)
def test_a_replayed_episode_of_a_shipped_environment_has_the_reward_that_it_had(name, settings, tmp_path):
    task = make(name, **settings).task_set("train")[0]
    said = solved(make(name, **settings), task).messages[len(task.messages) :]
    acts = [message for message in said if message["role"] == "assistant"]

    def total(tools: ToolsSettings) -> float:
        with shared(tools):
            (episode,) = run(play(lambda: make(name, **settings), *acts, task=task))
        return episode.reward

    (tmp_path / FILE).touch()
    assert total(ToolsSettings(record=str(tmp_path))) == make(name, **settings).best_reward(task)
    assert total(ToolsSettings(replay=str(tmp_path))) == make(name, **settings).best_reward(task)


def test_episodes_of_the_same_name_get_their_answers_in_turn(tmp_path):
    def twice(settings: ToolsSettings) -> list[list[str]]:
        with shared(settings):
            return [answers(run(play(Reader, PAGES[0]))[0]) for _ in range(2)]

    recorded = twice(ToolsSettings(record=str(tmp_path)))
    assert recorded[0] != recorded[1]
    assert twice(ToolsSettings(replay=str(tmp_path))) == recorded


def test_a_call_that_was_not_recorded_is_the_environment_s_failure(tmp_path):
    played(ToolsSettings(record=str(tmp_path)), *PAGES)
    for messages in ([assistant("", [tool_call("read", {"page": 3})])], [PAGES[1], PAGES[1]]):
        (episode,) = played(ToolsSettings(replay=str(tmp_path)), *messages, names=("e/0",))
        assert episode.failure.cause is Cause.ENVIRONMENT
        assert "no answer is recorded to call" in episode.failure.message


def test_a_tool_that_changes_its_environment_is_run_in_a_replay_too(tmp_path):
    played(ToolsSettings(record=str(tmp_path)), PAGES[0], TURN, names=("e/0",))
    (episode,) = played(ToolsSettings(replay=str(tmp_path)), PAGES[0], TURN, names=("e/0",))
    assert len(episode.turns) == 2


def test_a_line_that_was_torn_is_left_out(tmp_path, caplog):
    played(ToolsSettings(record=str(tmp_path)), *PAGES, names=("e/0",))
    file = tmp_path / "answers.jsonl"
    assert [json.loads(line)["number"] for line in file.read_text().splitlines()] == [0, 0, 1]
    file.write_text(file.read_text()[:-9])
    (episode,) = played(ToolsSettings(replay=str(tmp_path)), *PAGES[:2], names=("e/0",))
    assert len(answers(episode)) == 2
    assert "1 lines of" in caplog.text


def test_settings_that_cannot_be_meant_are_refused(tmp_path):
    with pytest.raises(ValueError, match="cannot both be given"):
        ToolsSettings(record="a", replay="b")
    with (
        pytest.raises(UserError, match=r"tools.replay=.*: there is no answers.jsonl"),
        shared(ToolsSettings(replay=str(tmp_path))),
    ):
        pass


def test_a_line_that_was_broken_off_damages_no_other(tmp_path):
    recorded = played(ToolsSettings(record=str(tmp_path)), PAGES[0])
    with (tmp_path / FILE).open("a") as file:
        file.write('{"episode": "e/2", "tool"')  # and its writer was killed
    recorded += played(ToolsSettings(record=str(tmp_path)), PAGES[0], names=("e/3",))
    replayed = played(ToolsSettings(replay=str(tmp_path)), PAGES[0], names=("e/0", "e/1", "e/3"))
    assert [answers(episode) for episode in replayed] == [answers(episode) for episode in recorded]
