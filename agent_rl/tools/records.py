"""Answers of tools written down, and played back, so that a run can be repeated without the services behind them."""

import functools
import json
import logging
from collections import Counter, deque
from dataclasses import asdict
from pathlib import Path
from typing import Any

from agent_rl.core import scopes
from agent_rl.core.context import current
from agent_rl.core.errors import UserError
from agent_rl.core.files import append_line
from agent_rl.core.outcome import BrokenEnvironmentError
from agent_rl.tools.answers import Answer, Question

logger = logging.getLogger(__name__)
RECORD, REPLAY = "AGENT_RL_TOOLS_RECORD", "AGENT_RL_TOOLS_REPLAY"
"""The environment variables that hold the folders into which answers are recorded, and from which they are played."""
FILE = "answers.jsonl"
"""What such a folder holds: an answer in each line."""


def occurrence(question: Question) -> int:
    """Return how often the episode has asked `question` before, and count this time."""
    asked: Counter[Question] = scopes.keep(current().episode, Counter, Counter)
    asked[question] += 1
    return asked[question] - 1


def record(folder: str, question: Question, number: int, answer: Answer) -> None:
    """Append an answer to the folder's file, which other processes append to as well.

    Raises:
        StorageError: It cannot be written.
    """
    line = {"episode": current().episode, **asdict(question), "number": number, **asdict(answer)}
    append_line(Path(folder) / FILE, json.dumps(line))


def replayed(folder: str, question: Question, number: int) -> Answer:
    """Return what the same episode was answered when the run was recorded, or else what any episode was.

    Evaluations before and after training, say, have episodes of the same name: they get their answers in turn.

    Raises:
        BrokenEnvironmentError: Nobody has asked this so often.
        UserError: Nothing was recorded in `folder`.
    """
    answers = _read(Path(folder))
    for episode in (current().episode, None):
        if kept := answers.get((episode, question, number)):
            return kept.popleft() if len(kept) > 1 else kept[0]
    raise BrokenEnvironmentError(question.tool, f"no answer is recorded to call {number + 1} with {question.arguments}")


def rewind(folder: str | None) -> None:
    """Play back from the beginning of `folder`, if one is given, which is read at once: it may be large."""
    _read.cache_clear()
    if folder:
        _read(Path(folder))


@functools.cache
def _read(folder: Path) -> dict[tuple[str | None, Question, int], deque[Answer]]:
    """Return the recorded answers by episode, question and number, the first of any episode under None."""
    answers: dict[tuple[str | None, Question, int], deque[Answer]] = {}
    for line in _lines(folder / FILE):
        question = Question(line["tool"], line["settings"], line["arguments"])
        answer = Answer(line["text"], line["left_out"])
        answers.setdefault((line["episode"], question, line["number"]), deque()).append(answer)
        answers.setdefault((None, question, line["number"]), deque([answer]))
    return answers


def _lines(path: Path) -> list[dict[str, Any]]:
    try:
        texts = path.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise UserError(f"the recorded answers {path} cannot be read: {error.strerror}") from error
    lines, damaged = [], 0
    for text in filter(None, texts):
        try:
            lines.append(json.loads(text))
        except ValueError:  # its writer was killed
            damaged += 1
    if damaged:
        logger.warning("%d lines of %s are damaged and left out", damaged, path)
    return lines
