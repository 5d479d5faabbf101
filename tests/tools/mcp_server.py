"""A real MCP server for tests: over stdio, or with a port as its argument over streamable HTTP."""

import asyncio
import os
import sys
from pathlib import Path

from mcp.server.mcpserver import Image, MCPServer

server = MCPServer("test")
notes: list[str] = []


@server.tool()
def add(a: int, b: int = 1) -> str:
    """Add two numbers.

    They may be negative.
    """
    return str(a + b)


@server.tool()
def fail(why: str) -> str:
    """Fail."""
    raise ValueError(why)


@server.tool()
def note(text: str) -> str:
    """Keep a note; return all of them."""
    notes.append(text)
    return " ".join(notes)


@server.tool()
def process() -> str:
    """Return the number of the server's process."""
    return str(os.getpid())


@server.tool()
async def sleep(seconds: float, begun: str = "") -> str:
    """Sleep; make the file `begun` first, if one is named."""
    if begun:
        Path(begun).touch()
    await asyncio.sleep(seconds)
    return "slept"


@server.tool()
def die() -> str:
    """End the process in the middle of the call."""
    print("a last word", file=sys.stderr, flush=True)
    os._exit(1)


@server.tool(structured_output=False)
def picture() -> list[str | Image]:
    """Return words and a picture."""
    return ["look:", Image(data=b"12345", format="png")]


if len(sys.argv) > 1:
    server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[1]))
else:
    server.run()
