"""One trajectory in all its detail: the conversation, the turns, and every token with what is known of it."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Protocol

from agent_rl.core.message import Message, images_of, text_of
from agent_rl.core.trajectory import Origin, Trajectory

Range = tuple[int, int]


class Texts(Protocol):
    """Knows what tokens say."""

    def texts(self, ids: Sequence[int]) -> list[str]:
        """Return what each token says."""
        ...


def detail(trajectory: Trajectory, texts: Texts, learned: dict[str, list[float | None]] | None) -> dict[str, Any]:
    """Return what is shown of a trajectory, but for its row and its group.

    Args:
        trajectory: The trajectory.
        texts: Of its model's tokens.
        learned: What the trainer made of each sampled token; None where nothing is known.
    """
    return {
        "messages": messages(trajectory),
        "components": trajectory.components,
        "counters": trajectory.counters,
        "turns": [vars(turn) for turn in trajectory.turns],
        "tools": trajectory.tools or [],
        "segments": _segments(trajectory, texts),
        "learned": learned,
    }


def messages(trajectory: Trajectory) -> list[dict[str, Any]]:
    """Return the messages, each with the turn that it belongs to and the range of the segment that it is part of.

    An environment's answer belongs to the turn that it answers. Messages that were rendered together have one range.
    """
    turns = list(_turns_of_messages(trajectory))
    ranges = _ranges(trajectory)
    found = []
    for message, turn in zip(trajectory.messages, turns, strict=True):
        own = turn is not None and message["role"] == "assistant"
        key = (Origin.PROMPT if turn is None else Origin.ACTION if own else Origin.OBSERVATION, turn)
        reward = trajectory.turns[turn].reward if own and turn is not None else None
        found.append(_message(message) | {"turn": turn, "reward": reward, "tokens": ranges.get(key)})
    return found


def _message(message: Message) -> dict[str, Any]:
    calls = [call["function"] | {"invalid": False, "error": None} for call in message.get("tool_calls") or ()]
    failed = message.get("invalid_tool_calls") or ()
    invalid = [{"name": "", "arguments": call["text"], "invalid": True, "error": call["error"]} for call in failed]
    return {
        "role": message["role"],
        "text": text_of(message) if message.get("content") is not None else "",
        "images": [part["image_url"]["url"] for part in images_of(message)] if message.get("content") else [],
        "reasoning": message.get("reasoning_content"),
        "calls": [*calls, *invalid],
        "call_id": message.get("tool_call_id"),
        "name": message.get("name"),
    }


def _turns_of_messages(trajectory: Trajectory) -> Iterator[int | None]:
    """Yield the turn of each message; None before the first: a task's messages may hold some of an assistant."""
    spoken = [place for place, message in enumerate(trajectory.messages) if message["role"] == "assistant"]
    own = spoken[max(0, len(spoken) - len(trajectory.turns)) :]
    begins = [0, *own, len(trajectory.messages)]
    for turn, (begin, end) in enumerate(pairwise(begins), start=-1):
        yield from [None if turn < 0 else turn] * (end - begin)


def _ranges(trajectory: Trajectory) -> dict[tuple[Origin, int | None], Range]:
    """Return the first token and the one behind the last of each segment, by its origin and turn."""
    found: dict[tuple[Origin, int | None], Range] = {}
    at = 0
    for segment, turn in zip(trajectory.segments, _turns_of_segments(trajectory), strict=True):
        found[segment.origin, turn] = at, at + len(segment.tokens)
        at += len(segment.tokens)
    return found


def _turns_of_segments(trajectory: Trajectory) -> Iterator[int | None]:
    """Yield the turn of each segment: of an action its own, of an observation the one that it answers."""
    turn = None
    for segment in trajectory.segments:
        if segment.origin is Origin.ACTION:
            turn = 0 if turn is None else turn + 1
        yield turn


def _segments(trajectory: Trajectory, texts: Texts) -> list[dict[str, Any]]:
    """Return the segments; log-probabilities are those under what was drawn from, after top_p and top_k."""
    drawn = iter(trajectory.drawn_logprobs)
    return [
        {
            "origin": segment.origin,
            "turn": turn,
            "ids": segment.tokens,
            "texts": texts.texts(segment.tokens),
            "logprobs": [next(drawn) for _ in segment.logprobs],
            "versions": segment.weight_versions,
        }
        for segment, turn in zip(trajectory.segments, _turns_of_segments(trajectory), strict=True)
    ]
