"""Tasks from a file: JSONL or parquet, one task a row."""

from pathlib import Path
from typing import Any

from agent_rl.core.errors import UserError
from agent_rl.core.message import Message, user
from agent_rl.core.rows import numbered_rows
from agent_rl.core.task import Task, TaskSet
from agent_rl.envs.spaces import ChatSpace

_ENDINGS = (".jsonl", ".parquet")
_ASKED = ("messages", "prompt", "question")
_CHAT = ChatSpace()


def read_tasks(place: str, split: str) -> TaskSet:
    """Return the tasks of `split` that lie at `place`.

    A row has the columns `messages`, or `prompt` or `question` (a text, which becomes the user's message, or a list of
    messages); and as far as needed `answer` (a text or a number), `id`, `attributes` and `data`. What other columns
    hold is in the task's `data`. A task without an id is named after the file and its line.

    Args:
        place: A file for all splits; a folder of train.jsonl, test.parquet and so on; or a file's name with `{split}`.
        split: The split.

    Raises:
        UserError: There is no such file, or a line is none of a task; the message names file and line.
    """
    file = _file(place, split)
    lines: dict[str, int] = {}
    tasks = []
    for line, row in numbered_rows(file):
        try:
            task = _task(row, f"{file.stem}-{line}")
            if task.id in lines:
                raise ValueError(f"the id '{task.id}' is that of line {lines[task.id]} already")
        except ValueError as error:
            raise UserError(f"{file}, line {line}: {error}") from error
        lines[task.id] = line
        tasks.append(task)
    if not tasks:
        raise UserError(f"{file} has no tasks")
    return TaskSet(tasks, split)


def _file(place: str, split: str) -> Path:
    path = Path(place.replace("{split}", split)).expanduser()
    if path.is_dir():
        found = [path / f"{split}{ending}" for ending in _ENDINGS if (path / f"{split}{ending}").is_file()]
        if len(found) != 1:
            raise UserError(f"the folder {path} must have one of {' and '.join(split + ending for ending in _ENDINGS)}")
        return found[0]
    if path.suffix not in _ENDINGS:
        raise UserError(f"env.tasks: {path} is neither a folder nor ends in {' or '.join(_ENDINGS)}")
    if not path.is_file():
        raise UserError(f"env.tasks: there is no file {path}")
    return path


def _task(row: Any, name: str) -> Task:
    """Return a row as a task; raise `ValueError` where it is none."""
    if not isinstance(row, dict):
        raise ValueError(f"a task is an object, this is a {type(row).__name__}")
    rest = {key: value for key, value in row.items() if value is not None}
    given = rest.pop("id", name)
    messages, answer = _messages(rest), rest.pop("answer", "")
    attributes, data = rest.pop("attributes", {}), rest.pop("data", {})
    for key, value in (("attributes", attributes), ("data", data)):
        if not isinstance(value, dict):
            raise ValueError(f"{key} must be an object, this is a {type(value).__name__}")
    return Task(_text("id", given), messages, _text("answer", answer), attributes, rest | data)


def _messages(row: dict[str, Any]) -> tuple[Message, ...]:
    """Take what is asked out of a row."""
    there = [name for name in _ASKED if name in row]
    if len(there) != 1:
        seen = " and ".join(there) or "none"
        raise ValueError(f"a task has exactly one of {', '.join(_ASKED)}; this has {seen}")
    asked = row.pop(there[0])
    messages = [user(asked)] if isinstance(asked, str) else asked
    if not messages or not _CHAT.contains(messages):
        raise ValueError(f"{there[0]} must be a text or a list of messages with role and content")
    return tuple(messages)


def _text(name: str, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"{name} must be a text or a number, this is a {type(value).__name__}")
    return str(value)
