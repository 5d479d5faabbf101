"""What a tool of an MCP server answers, as text for the policy."""

import json

from mcp_types import (
    AudioContent,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
    TextResourceContents,
)


def text_of(result: CallToolResult) -> str:
    """Return the parts of an answer, one below the other; a structured answer without any is written as JSON.

    What is not text is named with its type and size, so that the policy knows that it was there.
    """
    if not result.content and result.structured_content is not None:
        return json.dumps(result.structured_content, ensure_ascii=False)
    return "\n".join(_part(block) for block in result.content)


def _part(block: ContentBlock) -> str:
    if isinstance(block, TextContent):
        return block.text
    if isinstance(block, ImageContent | AudioContent):
        return f"[{block.type}: {block.mime_type}, {_size(block.data)} bytes]"
    if isinstance(block, ResourceLink):
        return f"[resource: {block.uri}]"
    if isinstance(block, EmbeddedResource):
        held = block.resource
        if isinstance(held, TextResourceContents):
            return held.text
        return f"[resource: {held.uri}, {held.mime_type or 'unknown type'}, {_size(held.blob)} bytes]"
    return f"[{block.type}]"


def _size(base64: str) -> int:
    return len(base64.rstrip("=")) * 3 // 4
