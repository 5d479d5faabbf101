"""Outlines: what lists and comparisons need of saved trajectories, read many times faster than the trajectories.

Of tokens and their log-probabilities only the number is read, of messages only who said something and what was called.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import zstandard

_CHUNK = 1 << 16  # compressed bytes read at once
_FIRST = 160  # characters of the first user's text that are kept
_ESCAPES = re.compile(rb"\\(u[dD][89abAB]..\\u[dD][c-fC-F]..|u[dD][89a-fA-F]..|.)", re.DOTALL)


class OutlineFailure(msgspec.Struct, frozen=True, gc=False):
    """Whose fault a failure was, where it came from, and what happened."""

    cause: str
    source: str
    message: str


class Outline(msgspec.Struct, frozen=True, gc=False):
    """What a list shows of a trajectory.

    Attributes:
        number: Its place in the file, from 0.
        task_id: The task.
        sample: Which of the task's samples it is.
        part: Which trajectory of its episode it is.
        attributes: The task's attributes.
        reward: The sum of its turns' rewards; NaN where that is no number.
        components: Every reward component by name, before weighting.
        stop: Why it ended, the value of a `StopReason`.
        failure: What went wrong, if anything did.
        turns: How many the policy had.
        tokens: All of them; of a hosted model's, those of the last turn and its prompt as reported.
        action_tokens: Those that the policy sampled; of a hosted model's, as reported.
        prompt_tokens: Those before the first action.
        tool_calls: Calls of tools.
        invalid_calls: Texts that should have been one and were none.
        tools: Calls by the name of the tool.
        counters: What tools and wrappers counted.
        seconds: Wall-clock time.
        first: The first text of a user, its white space made single spaces, cut to 160 characters.
    """

    number: int
    task_id: str
    sample: int
    part: int
    attributes: dict[str, Any]
    reward: float
    components: dict[str, float]
    stop: str
    failure: OutlineFailure | None
    turns: int
    tokens: int
    action_tokens: int
    prompt_tokens: int
    tool_calls: int
    invalid_calls: int
    tools: dict[str, int]
    counters: dict[str, float]
    seconds: float
    first: str

    @property
    def usable(self) -> bool:
        """Whether the episode says something about the policy: false when infrastructure or environment failed."""
        return self.failure is None or self.failure.cause == "policy"


def read_outlines(path: Path) -> list[Outline]:
    """Return the outlines of a `.jsonl.zst` file, in its order; of one that breaks off, those before that.

    Raises:
        ValueError: What is in the file are no trajectories.
        zstandard.ZstdError: The file is damaged.
    """
    return [outline(line, number) for number, line in enumerate(stored_lines(path))]


def outline(line: bytes, number: int) -> Outline:
    """Return the outline of the trajectory in a line.

    Raises:
        ValueError: It is no trajectory.
    """
    return _outline(decoded(_RECORDS, line), number)


def stored_lines(path: Path) -> Iterator[bytes]:
    """Yield the whole lines of a `.jsonl.zst` file of one frame or several; what breaks off at the end is left out.

    Raises:
        zstandard.ZstdError: The file is damaged.
    """
    rest = b""
    for chunk in _decompressed(path):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines


def stored_line(path: Path, number: int) -> bytes:
    """Return one of the lines that `stored_lines` yields, by its place; those before it are not taken apart.

    Raises:
        IndexError: There are not so many.
        zstandard.ZstdError: The file is damaged.
    """
    before, rest = 0, b""
    for chunk in _decompressed(path):
        ended = chunk.count(b"\n")
        if before + ended <= number:
            before += ended
            rest = chunk[chunk.rfind(b"\n") + 1 :] if ended else rest + chunk
            continue
        return (rest + chunk).split(b"\n", number - before + 1)[number - before]
    raise IndexError(f"{path} has {before} trajectories")


def decoded(decoder: msgspec.json.Decoder[Any], line: bytes) -> Any:
    """Return what `decoder` reads in a line that Python's `json` wrote.

    That writes numbers that are none, and halves of surrogate pairs, both of which are no JSON; they become null and
    U+FFFD.

    Raises:
        ValueError: It does not fit.
    """
    try:
        return decoder.decode(line)
    except msgspec.ValidationError:
        raise
    except ValueError:
        value = json.loads(line, parse_constant=lambda _: None)
    return decoder.decode(_ESCAPES.sub(_whole, json.dumps(value).encode()))


def _decompressed(path: Path) -> Iterator[bytes]:
    stream = zstandard.ZstdDecompressor().decompressobj()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            while chunk:
                yield stream.decompress(chunk)
                chunk = stream.unused_data
                if stream.eof:
                    stream = zstandard.ZstdDecompressor().decompressobj()


def _whole(escape: re.Match[bytes]) -> bytes:
    """Return an escape, or the replacement character in place of half a surrogate pair."""
    half = len(escape[1]) == 5 and escape[1][:2] in (b"ud", b"uD")
    return b"\\ufffd" if half else escape[0]


class _Function(msgspec.Struct, gc=False):
    name: str


class _Call(msgspec.Struct, gc=False):
    function: _Function


class _Message(msgspec.Struct, gc=False):
    role: str
    content: msgspec.Raw
    tool_calls: list[_Call] = []


class _Segment(msgspec.Struct, gc=False):
    origin: str
    tokens: msgspec.Raw

    @property
    def size(self) -> int:
        """How many tokens there are, none of which is read: a comma stands between two."""
        written = bytes(self.tokens)
        return written.count(b",") + 1 if len(written) > 2 else 0


class _Turn(msgspec.Struct, gc=False):
    reward: float | None = 0.0
    tool_calls: int = 0
    invalid_calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Record(msgspec.Struct, gc=False):
    task_id: str
    segments: list[_Segment]
    turns: list[_Turn]
    messages: list[_Message]
    stop: str
    sample: int = 0
    part: int = 0
    attributes: dict[str, Any] = {}
    components: dict[str, float | None] = {}
    counters: dict[str, float | None] = {}
    failure: OutlineFailure | None = None
    seconds: float | None = 0.0


class _Part(msgspec.Struct, gc=False):
    text: str = ""  # none where the part is an image


_RECORDS = msgspec.json.Decoder(_Record)
_CONTENTS = msgspec.json.Decoder(str | list[_Part])


def _outline(record: _Record, number: int) -> Outline:
    turns = record.turns
    sizes = [(segment.origin, segment.size) for segment in record.segments]
    actions = sum(size for origin, size in sizes if origin == "action")
    reported = turns[-1].prompt_tokens + turns[-1].completion_tokens if turns else 0
    return Outline(
        number=number,
        task_id=record.task_id,
        sample=record.sample,
        part=record.part,
        attributes=record.attributes,
        reward=sum((math.nan if turn.reward is None else turn.reward for turn in turns), 0.0),
        components=_known(record.components),
        stop=record.stop,
        failure=record.failure,
        turns=len(turns),
        tokens=sum(size for _, size in sizes) or reported,
        action_tokens=actions + sum(turn.completion_tokens for turn in turns),
        prompt_tokens=sizes[0][1] if sizes else 0,
        tool_calls=sum(turn.tool_calls for turn in turns),
        invalid_calls=sum(turn.invalid_calls for turn in turns),
        tools=_called(record),
        counters=_known(record.counters),
        seconds=math.nan if record.seconds is None else record.seconds,
        first=_first(record.messages),
    )


def _called(record: _Record) -> dict[str, int]:
    """Return how often the policy called each tool; a task's messages may hold calls as well, which come before."""
    spoken = [message for message in record.messages if message.role == "assistant"]
    own = spoken[max(0, len(spoken) - len(record.turns)) :]
    return dict(Counter(call.function.name for message in own for call in message.tool_calls))


def _first(messages: list[_Message]) -> str:
    content = next((message.content for message in messages if message.role == "user"), None)
    if content is None:
        return ""
    said = _CONTENTS.decode(content)
    text = said if isinstance(said, str) else " ".join(part.text for part in said)
    return " ".join(text[: 4 * _FIRST].split())[:_FIRST]


def _known(values: dict[str, float | None]) -> dict[str, float]:
    return {name: math.nan if value is None else value for name, value in values.items()}
