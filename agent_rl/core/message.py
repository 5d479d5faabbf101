"""Chat messages in the OpenAI format: what environments and agents say to each other."""

import base64
import io
import json
from typing import Any, Literal, NotRequired, Protocol, TypedDict

Role = Literal["system", "user", "assistant", "tool"]

_ENCODER = json.JSONEncoder(ensure_ascii=False)  # `json.dumps` would make one for every call


class TextPart(TypedDict):
    """A part of a content: some text."""

    type: Literal["text"]
    text: str


class ImageURL(TypedDict):
    """Where an image is: a `data:` URL that holds it, or an address that whoever reads the message can reach."""

    url: str


class ImagePart(TypedDict):
    """A part of a content: an image."""

    type: Literal["image_url"]
    image_url: ImageURL


Content = str | list[TextPart | ImagePart]
"""What a message says: a text, or parts in the order in which they are read."""


class FunctionCall(TypedDict):
    """The function of a tool call; `arguments` is a JSON object written as a string, as in the OpenAI format."""

    name: str
    arguments: str


class ToolCall(TypedDict):
    """One call of a tool by the assistant."""

    id: str
    type: Literal["function"]
    function: FunctionCall


class InvalidToolCall(TypedDict):
    """Text in which the policy tried to call a tool and failed: the raw text and what is wrong with it."""

    text: str
    error: str


class Message(TypedDict):
    """A chat message. Assistant messages may carry `tool_calls`, tool messages answer one by `tool_call_id`.

    `reasoning_content` is what an assistant thought before it spoke; it is there, be it empty, if it wrote a thought.
    The content of an assistant's message is a text; that of others may have parts.
    """

    role: Role
    content: Content
    reasoning_content: NotRequired[str]
    tool_calls: NotRequired[list[ToolCall]]
    invalid_tool_calls: NotRequired[list[InvalidToolCall]]
    tool_call_id: NotRequired[str]
    name: NotRequired[str]


class _Picture(Protocol):
    """What Pillow's images can do, which is not imported here."""

    def save(self, fp: io.BytesIO, format: str) -> None: ...


_SIGNATURES = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif", b"RIFF": "webp"}


def image(source: bytes | _Picture) -> ImagePart:
    """Return an image as a part of a content, held in a `data:` URL.

    Args:
        source: The bytes of a PNG, JPEG, GIF or WebP file, or an image of Pillow, which is written as PNG.

    Raises:
        ValueError: The bytes are none of these.
    """
    if not isinstance(source, bytes):
        file = io.BytesIO()
        source.save(file, format="PNG")
        source = file.getvalue()
    kind = next((kind for signature, kind in _SIGNATURES.items() if source.startswith(signature)), None)
    if kind is None:
        raise ValueError("an image is the bytes of a PNG, JPEG, GIF or WebP file")
    return {"type": "image_url", "image_url": {"url": f"data:image/{kind};base64,{base64.b64encode(source).decode()}"}}


def text(content: str) -> TextPart:
    """Return a text as a part of a content."""
    return {"type": "text", "text": content}


def text_of(message: Message) -> str:
    """Return the text of a message; of one with parts, the texts among them, a line each."""
    content = message["content"]
    return content if isinstance(content, str) else "\n".join(p["text"] for p in content if p["type"] == "text")


def images_of(message: Message) -> list[ImagePart]:
    """Return the images of a message, in order."""
    content = message["content"]
    return [] if isinstance(content, str) else [part for part in content if part["type"] == "image_url"]


def system(content: Content) -> Message:
    """Return a system message."""
    return {"role": "system", "content": content}


def user(content: Content) -> Message:
    """Return a user message."""
    return {"role": "user", "content": content}


def assistant(content: str, tool_calls: list[ToolCall] | None = None) -> Message:
    """Return an assistant message, with tool calls if there are any."""
    message: Message = {"role": "assistant", "content": content}
    if tool_calls:
        message["tool_calls"] = tool_calls
    return message


def tool_result(content: Content, call: ToolCall) -> Message:
    """Return the tool message that answers `call`."""
    return {"role": "tool", "content": content, "tool_call_id": call["id"], "name": call["function"]["name"]}


def tool_call(name: str, arguments: dict[str, Any], index: int = 0) -> ToolCall:
    """Return a tool call; `index` is its place in the turn and makes its id unique there."""
    written = _ENCODER.encode(arguments)
    return {"id": f"call_{index}", "type": "function", "function": {"name": name, "arguments": written}}
