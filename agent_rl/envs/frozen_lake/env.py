"""The environment `frozen_lake`."""

import functools
from collections.abc import Iterator
from random import Random
from typing import Literal

from gymnasium.envs.toy_text.frozen_lake import FrozenLakeEnv
from pydantic import Field, NonNegativeInt

from agent_rl.core.errors import NotProvidedError, UserError, nearest
from agent_rl.core.message import Message, assistant, tool_call, tool_result, user
from agent_rl.core.seeds import derive
from agent_rl.core.settings import Settings
from agent_rl.core.task import Task, TaskSet
from agent_rl.envs.base import Demonstration
from agent_rl.envs.frozen_lake.maps import DIRECTIONS, Lake, distances, drawn, generate, moved, shortest
from agent_rl.envs.reward import reward
from agent_rl.envs.tool_env import ToolEnv
from agent_rl.tools.policy import ToolPolicy
from agent_rl.tools.tool import tool

PROMPT = "Walk from P to G, not into H.\n"
FELL = "You fell into a hole."
ARRIVED = "You reached the goal."
SPLITS = {"train": 2000, "test": 400}
"""Maps per split."""


class FrozenLakeSettings(Settings):
    """Settings of the environment `frozen_lake`."""

    size: int = Field(default=4, ge=3, le=8)
    """Rows and columns of the lake."""
    slack: NonNegativeInt = 4
    """Moves that are allowed beyond those of the shortest way; then the episode ends without a reward."""
    slippery: bool = False
    """Whether a move goes astray to either side with probability 2/3, as in Gymnasium's FrozenLake."""
    strays: float = Field(default=0.2, ge=0.0, le=1.0)
    """How often the demonstrated player goes straight on, or anywhere, instead of nearer to the goal on purpose."""


class FrozenLake(ToolEnv):
    """Walk over a frozen lake to the goal, around the holes; Gymnasium's FrozenLake on generated maps."""

    Settings = FrozenLakeSettings
    settings: FrozenLakeSettings

    def tasks(self, split: str) -> TaskSet:
        """Return the maps of "train" or "test"; none is in both."""
        if split not in SPLITS:
            raise UserError(f"unknown split '{split}'{nearest(split, SPLITS)} (there are: {', '.join(SPLITS)})")
        return _task_set(split, self.settings.size)

    def setup(self, task: Task) -> None:
        """Put the player on the start of the task's map."""
        lake = lake_of(task)
        self._engine = FrozenLakeEnv(desc=list(lake), is_slippery=self.settings.slippery)
        self._at, _ = self._engine.reset(seed=int(self.np_random.integers(2**31)))
        self._left = task.attributes["distance"] + self.settings.slack
        self._arrived = False

    @tool(policy=ToolPolicy(replay=False))  # type: ignore[untyped-decorator]
    async def move(self, direction: Literal["left", "down", "right", "up"]) -> str:
        """Move by one cell."""
        if self._arrived or self._left <= 0:
            return "The walk is over."
        self._at, gained, over, *_ = self._engine.step(DIRECTIONS.index(direction))
        self._left -= 1
        self._arrived = gained > 0
        if over or self._left == 0:
            self._left = 0
            self.finish()
        if over:
            return ARRIVED if self._arrived else FELL
        return drawn(lake_of(self.task), self._at)

    @reward
    def arrived(self) -> float:
        """1 when the player reached the goal, else 0."""
        return float(self._arrived)

    def solution(self, task: Task) -> Iterator[Message]:
        """Yield the moves of a shortest way, which ice that is slippery does not promise."""
        if self.settings.slippery:
            raise NotProvidedError("no move is certain on slippery ice")
        lake = lake_of(task)
        known, at = distances(lake), "".join(lake).index("S")
        while known[at]:
            direction = next(shortest(lake, at, known))
            at = moved(at, direction, len(lake))
            yield assistant("", [tool_call("move", {"direction": direction})])

    def demonstrate(self, rng: Random) -> Demonstration:
        """Return an episode, on a map that is not held out and does not slip, of a player that often strays."""
        lake = generate(rng, self.settings.size)
        while _held_out(lake):
            lake = generate(rng, self.settings.size)
        known, cells = distances(lake), "".join(lake)
        at, direction = cells.index("S"), rng.choice(DIRECTIONS)
        messages = [user(PROMPT + drawn(lake, at))]
        for _ in range(known[at] + self.settings.slack):
            direction = self._strayed(rng, direction, list(shortest(lake, at, known)))
            at = moved(at, direction, len(lake))
            ends = {"G": ARRIVED, "H": FELL}.get(cells[at])
            call = tool_call("move", {"direction": direction})
            messages += [assistant("", [call]), tool_result(ends or drawn(lake, at), call)]
            if ends:
                break
        return Demonstration(messages, [tool.schema() for tool in self.tools()])

    def _strayed(self, rng: Random, before: str, wise: list[str]) -> str:
        """Return where the demonstrated player goes that went `before`; `wise` directions lead nearer to the goal."""
        style = rng.random()
        if style < 1 - self.settings.strays:
            return rng.choice(wise)
        return before if style < 1 - self.settings.strays / 2 else rng.choice(DIRECTIONS)


def lake_of(task: Task) -> Lake:
    """Return the map of a task."""
    return tuple(task.data["lake"])


def _held_out(lake: Lake) -> bool:
    """Return whether a map belongs to the split "test", which its own letters choose."""
    return derive(0, "frozen_lake/split", *lake) % 4 == 0


@functools.cache
def _task_set(split: str, size: int) -> TaskSet:
    """Return the maps of a split: a map belongs to the split that its own letters choose."""
    rng = Random(derive(0, "frozen_lake", split, size))
    lakes: dict[Lake, None] = {}
    while len(lakes) < SPLITS[split]:
        lake = generate(rng, size)
        if _held_out(lake) == (split == "test"):
            lakes[lake] = None
    return TaskSet([_task(lake) for lake in lakes], split)


def _task(lake: Lake) -> Task:
    start = "".join(lake).index("S")
    return Task(
        id="-".join(lake),
        messages=(user(PROMPT + drawn(lake, start)),),
        attributes={"distance": distances(lake)[start]},
        data={"lake": list(lake)},
    )
