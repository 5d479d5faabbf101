"""Tools with a state live as long as they say, and are closed then."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from agent_rl import Tool, ToolEnv, ToolSet, register_tool, tool
from agent_rl.core import scopes
from agent_rl.core.errors import UserError
from agent_rl.core.message import assistant, tool_call
from agent_rl.core.outcome import Cause
from agent_rl.tools.registry import TOOLS, named_tool
from tests.tools.talkers import TASK, answers, play

CALLS = [assistant("", [tool_call(name, {})]) for name in ("page", "visit", "chat", "own")]
made: list[str] = []
closed: list[str] = []


class Counting:
    def __init__(self) -> None:
        self.calls = 0
        made.append(type(self).__name__)

    def next(self) -> str:
        self.calls += 1
        return str(self.calls)


class Page(Counting, ToolSet):
    @tool
    def page(self) -> str:
        """Turn."""
        return self.next()

    def close(self) -> None:
        closed.append("Page")


class Visit(Counting, ToolSet, lives="group"):
    @tool
    async def visit(self) -> str:
        return self.next()

    async def close(self) -> None:
        closed.append("Visit")
        raise RuntimeError("already gone")


class Chat(Counting, ToolSet, lives="run"):
    @tool
    def chat(self) -> str:
        return self.next()

    def close(self) -> None:
        closed.append("Chat")


class Web(ToolEnv):
    toolsets = (Page, Visit, Chat)

    @tool
    def own(self) -> str:
        return "own"


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    made.clear()
    closed.clear()
    yield
    asyncio.run(scopes.settle())


def test_states_are_shared_and_closed_with_their_episode_group_or_run(caplog):
    async def work() -> None:
        for group in ("a", "b"):
            played = [await play(Web, *CALLS, name=f"{group}/{sample}", group=group) for sample in range(2)]
            before = 0 if group == "a" else 2
            assert [answers(episode) for episode in played] == [
                ["1", f"{1 + number}", f"{before + 1 + number}", "own"] for number in range(2)
            ]
            scopes.end_soon(group)
        await scopes.settle()

    asyncio.run(work())
    assert (made.count("Page"), made.count("Visit"), made.count("Chat")) == (4, 2, 1)
    assert sorted(closed) == sorted(made)
    assert "Visit could not be closed: RuntimeError: already gone" in caplog.text


def test_episodes_that_begin_at_the_same_time_share_one_instance():
    async def work() -> None:
        await asyncio.gather(*(play(Web, CALLS[1], name=f"a/{sample}", group="a") for sample in range(20)))
        await scopes.end("a")

    asyncio.run(work())
    assert (made.count("Visit"), made.count("Chat"), closed.count("Visit")) == (1, 1, 1)


def test_a_subclass_lives_as_long_as_its_base_unless_it_says_otherwise():
    class Longer(Page, lives="run"): ...

    class Same(Visit): ...

    assert (Longer.lives, Same.lives, Page.lives) == ("run", "group", "episode")
    with pytest.raises(TypeError, match="lives='day' must be one of episode, group, run"):
        type("Wrong", (ToolSet,), {}, lives="day")


def test_the_tools_of_sets_come_after_the_environment_s_own():
    env = Web()
    env.reset(options={"task": TASK})
    assert [offered.name for offered in env.tools()] == ["own", "page", "visit", "chat"]


@tool
def spell(word: str) -> str:
    return " ".join(word)


def test_tools_have_names_that_others_can_use():
    register_tool("spell", spell)
    assert named_tool("spell") is spell and "spell" in TOOLS
    with pytest.raises(UserError, match="unknown tool 'spel', did you mean 'spell'"):
        named_tool("spel")
    with pytest.raises(UserError, match="registered already"):
        register_tool("spell", Tool("other", "", spell.arguments, print))


def test_an_installed_package_brings_tools_by_an_entry_point(tmp_path, monkeypatch):
    (tmp_path / "brought.py").write_text(
        "from agent_rl import tool\n@tool\ndef brew(cups: int) -> int:\n    return cups\n"
    )
    package = tmp_path / "brought-1.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: brought\nVersion: 1\n")
    (package / "entry_points.txt").write_text("[agent_rl.tools]\nbrew = brought:brew\nbad = brought:nothing\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert named_tool("brew").name == "brew"
    with pytest.raises(UserError, match="the tool 'bad' cannot be loaded from brought:nothing: AttributeError"):
        named_tool("bad")


def test_what_is_made_after_its_episode_has_ended_is_closed_at_once():
    begun, goes_on, ended = threading.Event(), threading.Event(), threading.Event()

    class Late(ToolSet):
        def __init__(self) -> None:
            begun.set()
            goes_on.wait(10)

        async def close(self) -> None:
            ended.set()

    class Next(Page):
        pass

    class Slow(ToolEnv):
        toolsets = (Late, Next)

    trajectory = asyncio.run(play(Slow, tool_seconds=0.5))
    assert trajectory.failure is not None and trajectory.failure.cause is Cause.INFRASTRUCTURE
    assert begun.is_set() and not ended.is_set()
    goes_on.set()
    assert ended.wait(10)
    assert made == []  # and what comes after it is not begun, which nobody would end
