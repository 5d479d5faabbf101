"""The environment `household`."""

import functools
from collections.abc import Iterator
from random import Random

from pydantic import Field

from agent_rl.core.message import Message, assistant, system, tool_call, user
from agent_rl.core.task import Task, TaskSet
from agent_rl.envs.base import Demonstration
from agent_rl.envs.generation import GeneratedSettings, demonstration, generate
from agent_rl.envs.household.game import Game
from agent_rl.envs.household.planner import plan
from agent_rl.envs.household.world import KINDS, STEPS, Goal, Home, Kind, draw
from agent_rl.envs.reward import reward
from agent_rl.envs.tool_env import ToolEnv
from agent_rl.tools.policy import ToolPolicy
from agent_rl.tools.tool import Tool, tool

PROMPT = (
    "You do a chore in a home, one command at a time. Commands: look, inventory, go to X, open X, close X, "
    "take THING from X, put THING in X, clean THING with X, heat THING with X, cool THING with X, use X. "
    "You can carry one thing. A sink cleans, a microwave heats, a fridge cools."
)


class HouseholdSettings(GeneratedSettings):
    """Settings of the environment `household`."""

    kinds: tuple[Kind, ...] = Field(default=KINDS, min_length=1)
    """Kinds of chores: place, examine (difficulty 1), clean, heat, cool (2), two (3)."""
    things: int = Field(default=12, ge=2, le=100)
    """Things that lie about in a home."""
    list_commands: bool = True
    """Whether a tool that lists the commands that can be given is offered."""


class Household(ToolEnv):
    """Chores in generated homes in the manner of ALFWorld: find a thing, treat it, bring it to its place.

    The tools are asynchronous without awaiting, so that the calls of a turn happen one after the other, in order.
    """

    Settings = HouseholdSettings
    settings: HouseholdSettings
    game: Game

    def setup(self, task: Task) -> None:
        """Furnish the home."""
        home = Home(task.data["furniture"], task.data["things"])
        self.game = Game(home, Goal(**task.data["goal"]))

    @tool(policy=ToolPolicy(replay=False))  # type: ignore[untyped-decorator]
    async def act(self, command: str) -> str:
        """Give one command, such as go to fridge 1."""
        said = self.game.act(command)
        if self.game.done:
            self.finish()
        return said

    @tool
    async def commands(self) -> str:
        """List the commands that can be given now."""
        return "\n".join(self.game.commands())

    @reward
    def done(self) -> float:
        """1 when the chore is done, else 0."""
        return float(self.game.done)

    def tools(self) -> list[Tool]:
        """Return the tools, without the list of commands where it is switched off."""
        return [tool for tool in super().tools() if tool.name != "commands" or self.settings.list_commands]

    def tasks(self, split: str) -> TaskSet:
        """Return the chores of "train" or "test", each in a home of its own."""
        return task_set(self.settings, split)

    def solution(self, task: Task) -> Iterator[Message]:
        """Give the commands of the planner, which knows where everything lies."""
        for command in plan(self.game):
            yield assistant("", [tool_call("act", {"command": command})])

    def demonstrate(self, rng: Random) -> Demonstration:
        """Return the solution of a training task, played."""
        return demonstration(self, rng)


@functools.cache
def task_set(settings: HouseholdSettings, split: str) -> TaskSet:
    """Return the tasks of a split, the same ones at every call."""
    return generate(functools.partial(_draw, settings), split, settings, "household")


def _draw(settings: HouseholdSettings, rng: Random, name: str) -> Task:
    kind = rng.choice(settings.kinds)
    home, goal = draw(kind, settings.things, rng)
    return Task(
        id=name,
        messages=(system(PROMPT), user(f"{home.text}\nYour chore: {goal.text}")),
        answer=goal.text,
        attributes={"kind": kind, "difficulty": STEPS[kind]},
        data={"furniture": home.furniture, "things": home.things, "goal": vars(goal)},
    )
