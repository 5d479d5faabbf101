"""Plays episodes that call a limited tool of a server: `python -m tests.tools.limited_episodes URL FIRST COUNT`."""

import asyncio
import sys

import httpx

from agent_rl import ToolEnv, ToolPolicy, tool
from agent_rl.core.message import tool_call
from tests.tools.talkers import answers, assistant, play

URL, FIRST, COUNT = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


class Asking(ToolEnv):
    client: httpx.AsyncClient

    @tool(policy=ToolPolicy(concurrency=4, per_second=50, timeout=10))
    async def ask(self, number: int) -> str:
        return (await self.client.get(f"{URL}/{number}")).text


async def main() -> None:
    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=8)) as client:
        Asking.client = client
        numbers = range(FIRST, FIRST + COUNT)
        calls = [assistant("", [tool_call("ask", {"number": number})]) for number in numbers]
        # The deadline of a step is far shorter than the queue.
        named = zip(numbers, calls, strict=True)
        playing = [play(Asking, call, name=f"e/{number}", tool_seconds=5.0) for number, call in named]
        for number, episode in zip(numbers, await asyncio.gather(*playing), strict=True):
            print(number, *answers(episode), episode.failure or "")


asyncio.run(main())
