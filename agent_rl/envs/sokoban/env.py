"""The environment `sokoban`."""

import functools
from collections.abc import Iterator
from random import Random
from typing import Literal

from pydantic import Field, NonNegativeInt

from agent_rl.core.message import Message, assistant, tool_call, tool_result, user
from agent_rl.core.task import Task, TaskSet
from agent_rl.envs.base import Demonstration
from agent_rl.envs.generation import GeneratedSettings, generate, split_of
from agent_rl.envs.reward import reward
from agent_rl.envs.sokoban import levels
from agent_rl.envs.sokoban.levels import DIRECTIONS, Room, State, drawn, moved
from agent_rl.envs.sokoban.solver import UndecidedError, pushes_in, solve
from agent_rl.envs.tool_env import ToolEnv
from agent_rl.tools.policy import ToolPolicy
from agent_rl.tools.tool import tool

PROMPT = "Push every box $ onto a goal . and do not get stuck. @ is you, # a wall; * and + stand on a goal.\n"
SOLVED = "Every box is on a goal."
STUCK = "A box is stuck: this cannot be solved any more."
PUSHES = 2
"""Pushes for each box that a level needs at least; what needs fewer is not asked."""
LOOKAHEAD = 5_000
"""States that are looked at after a push to see whether it was fatal."""
WISE = 0.5
"""Probability that the demonstrated player does what the solver would; else it goes anywhere."""


class SokobanSettings(GeneratedSettings):
    """Settings of the environment `sokoban`."""

    size: int = Field(default=6, ge=6, le=8)
    """Rows and columns of the room, its border of walls included."""
    boxes: int = Field(default=1, ge=1, le=3)
    """Boxes, and goals."""
    slack: NonNegativeInt = 8
    """Moves that are allowed beyond those of the shortest solution; then the episode ends without a reward."""
    end_when_stuck: bool = True
    """Whether the episode ends as soon as the level cannot be solved any more."""


class Sokoban(ToolEnv):
    """Push every box onto a goal: boxes are pushed one at a time and never pulled, so that a push can be fatal."""

    Settings = SokobanSettings
    settings: SokobanSettings

    def tasks(self, split: str) -> TaskSet:
        """Return the levels of "train" or "test"; none is in both, and each can be solved."""
        return _task_set(self.settings, split)

    def setup(self, task: Task) -> None:
        """Put the player and the boxes where the level begins."""
        self._room, self._state = levels.read(task.data["level"])
        self._left = task.data["moves"] + self.settings.slack

    @tool(policy=ToolPolicy(replay=False))  # type: ignore[untyped-decorator]
    async def move(self, direction: Literal["up", "down", "left", "right"]) -> str:
        """Move by one cell, pushing the box that is there."""
        if self._room.solved(self._state) or self._left <= 0:
            return "The game is over."
        before, self._state = self._state, moved(self._room, self._state, direction)
        self._left -= 1
        end = _end(self._room, before, self._state, self.settings.end_when_stuck)
        if end or self._left == 0:
            self._left = 0
            self.finish()
        return end or drawn(self._room, self._state)

    @reward
    def solved(self) -> float:
        """1 when every box is on a goal, else 0."""
        return float(self._room.solved(self._state))

    def solution(self, task: Task) -> Iterator[Message]:
        """Yield the moves of a shortest solution."""
        for direction in solve(*levels.read(task.data["level"])) or ():
            yield assistant("", [tool_call("move", {"direction": direction})])

    def demonstrate(self, rng: Random) -> Demonstration:
        """Return an episode, in a level made for it that is no test task, of a player that often strays."""
        room, state, way = _training_level(self.settings, rng)
        messages = [user(PROMPT + drawn(room, state))]
        for _ in range(len(way) + self.settings.slack):
            wise = _solution(room, state) if rng.random() < WISE else None  # none where it is stuck
            direction = wise[0] if wise else rng.choice(DIRECTIONS)
            before, state = state, moved(room, state, direction)
            end = _end(room, before, state, self.settings.end_when_stuck)
            call = tool_call("move", {"direction": direction})
            messages += [assistant("", [call]), tool_result(end or drawn(room, state), call)]
            if end:
                break
        return Demonstration(messages, [tool.schema() for tool in self.tools()])


def _end(room: Room, before: State, state: State, stuck_ends: bool) -> str:
    """Return what is said when a move has ended the game, else nothing."""
    if state.boxes == before.boxes:
        return ""
    if room.solved(state):
        return SOLVED
    return STUCK if stuck_ends and is_stuck(room, state) else ""


def is_stuck(room: Room, state: State) -> bool:
    """Return whether the solver proves, by looking at `LOOKAHEAD` states, that there is no solution any more.

    That is exact for one box in any room. With more boxes a few states pass as playable that are not.
    """
    try:
        return solve(room, state, LOOKAHEAD) is None
    except UndecidedError:
        return False


def _solution(room: Room, state: State) -> list[str] | None:
    try:
        return solve(room, state)
    except UndecidedError:
        return None


@functools.cache
def _task_set(settings: SokobanSettings, split: str) -> TaskSet:
    """Return the levels of a split, the same ones at every call."""
    return generate(functools.partial(_draw, settings), split, settings, f"sokoban/{settings.size}/{settings.boxes}")


def _draw(settings: SokobanSettings, rng: Random, name: str) -> Task:
    room, state, way = _level(settings, rng)
    return Task(
        id=name,
        messages=(user(PROMPT + drawn(room, state)),),
        attributes={"pushes": pushes_in(room, state, way)},
        data={"level": drawn(room, state, gap="").splitlines(), "moves": len(way)},
    )


def _level(settings: SokobanSettings, rng: Random) -> tuple[Room, State, list[str]]:
    """Return a level that needs enough pushes, and a shortest solution of it."""
    while True:
        room, state = levels.generate(rng, settings.size, settings.boxes)
        way = _solution(room, state)
        if way and pushes_in(room, state, way) >= PUSHES * settings.boxes:
            return room, state, way


def _training_level(settings: SokobanSettings, rng: Random) -> tuple[Room, State, list[str]]:
    while True:
        room, state, way = _level(settings, rng)
        if split_of(PROMPT + drawn(room, state)) == "train":
            return room, state, way
