"""An engine that says what a script tells it, for tests and benchmarks."""

import asyncio
from collections.abc import Callable

from agent_rl.rollout.engines.base import Finish, Generation, Request

Script = Callable[[Request], list[int]]


class ScriptedEngine:
    """Answers each request with the tokens of a script, at a log-probability of 0, after a set time.

    It ends a turn by the rules of the real ones: at the first stop token, or after `max_new_tokens`.
    """

    def __init__(self, script: Script, seconds: float = 0.0) -> None:
        """Ask `script` for the tokens of each request; it may raise what an engine may raise."""
        self.requests: list[Request] = []
        self.opened: list[str] = []
        self.closed: list[str] = []
        self.version = 0
        self._script, self._seconds = script, seconds
        self._aborted: set[str] = set()

    def open(self, episode: str) -> None:
        """Note the episode."""
        self.opened.append(episode)

    def close(self, episode: str) -> None:
        """Note that the episode ended."""
        self.closed.append(episode)

    async def generate(self, request: Request) -> Generation:
        """Return what the script says."""
        self.requests.append(request)
        if self._seconds:
            await asyncio.sleep(self._seconds)
        tokens = self._script(request)[: request.max_new_tokens]
        ends = [place for place, token in enumerate(tokens) if token in request.stop_tokens]
        tokens = tokens[: ends[0] + 1] if ends else tokens
        finish = Finish.STOP if ends else Finish.LENGTH
        if request.id in self._aborted:
            finish = Finish.ABORT
        return Generation(tokens, [0.0] * len(tokens), finish, [self.version] * len(tokens))

    def abort(self, request_id: str) -> None:
        """Let the request end as aborted."""
        self._aborted.add(request_id)

    def update_weights(self, version: int) -> None:
        """Note the version."""
        self.version = version
