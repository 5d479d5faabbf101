"""Record: every episode of an environment as a line of a file."""

import json
import logging
import threading
from collections import Counter
from pathlib import Path
from typing import Any

from pydantic import Field

from agent_rl.core.context import count
from agent_rl.core.files import StorageError, append_line
from agent_rl.core.message import Message
from agent_rl.core.settings import Settings
from agent_rl.core.threads import in_thread
from agent_rl.envs.base import ResetResult, StepResult
from agent_rl.envs.wrappers.base import AgentWrapper

logger = logging.getLogger(__name__)


class RecordOptions(Settings):
    """Where episodes are recorded."""

    file: str = Field(min_length=1)
    """A JSONL file, made if need be, to which each episode adds a line when it ends."""


class Record(AgentWrapper):
    """Writes each episode as a line of a file: an object with these fields.

    `messages` has all that was said, `rewards` one number per turn, `infos` what came with the reset and with each
    turn, `terminated` and `truncated` how it ended. Both are false of an episode that was given up: it is written when
    the environment is reset or closed. What JSON does not know is written as text.

    An episode that cannot be written, on a full disk say, is none the worse for it: it is counted as `record/lost`, and
    the log says once that the file cannot be written, and when it can be again how many episodes it lacks.
    """

    Options = RecordOptions
    options: RecordOptions
    _episode: dict[str, Any] | None = None

    async def areset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> ResetResult:
        """Begin an episode and its record."""
        await in_thread(self._write)
        observation, info = await super().areset(seed=seed, options=options)
        self._episode = {
            "seed": seed,
            "messages": list(observation),
            "rewards": [],
            "infos": [info],
            "terminated": False,
            "truncated": False,
        }
        return observation, info

    async def astep(self, action: Message) -> StepResult:
        """Take a turn and note it; the episode is written with its last."""
        observation, reward, terminated, truncated, info = await super().astep(action)
        if self._episode is not None:
            self._episode["messages"] += [action, *observation]
            self._episode["rewards"].append(reward)
            self._episode["infos"].append(info)
            self._episode |= {"terminated": terminated, "truncated": truncated}
            if terminated or truncated:
                await in_thread(self._write)
        return observation, reward, terminated, truncated, info

    def close(self) -> None:
        """Write what was not ended, and close what is wrapped."""
        try:
            self._write()
        finally:
            super().close()

    def _write(self) -> None:
        """Add the episode to the file in one piece, so that environments side by side can share it."""
        episode, self._episode = self._episode, None
        if episode is None:
            return
        path = Path(self.options.file)
        line = json.dumps(episode, default=str)
        try:
            append_line(path, line)
        except StorageError as error:
            count("record/lost")
            _note_loss(path, error)
        else:
            _note_success(path)


_lost: Counter[Path] = Counter()
_noting = threading.Lock()


def _note_loss(path: Path, error: StorageError) -> None:
    with _noting:
        _lost[path] += 1
        if _lost[path] == 1:
            logger.warning("episodes are not recorded: %s", error)


def _note_success(path: Path) -> None:
    with _noting:
        if lost := _lost.pop(path, 0):
            logger.warning("episodes are recorded again; %d are missing in %s", lost, path)
