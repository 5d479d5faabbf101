"""OpenEnv servers, written with OpenEnv's own library: `python openenv_server.py PORT KIND`."""

import sys
from random import Random
from typing import Any, ClassVar, Literal

import uvicorn
from openenv.core.env_server import Action, Environment, Observation, State, create_fastapi_app
from pydantic import Field


class Guess(Action):
    """Guess the number, or give up."""

    number: int
    mood: Literal["sure", "unsure"] = "sure"


class Hint(Observation):
    """What is told after a guess."""

    hint: str
    guesses: list[int] = Field(default_factory=list)


class GuessNumber(Environment):
    """A number from 0 to 9, drawn by the seed."""

    SUPPORTS_CONCURRENT_SESSIONS: ClassVar[bool] = True

    def reset(self, seed: int | None = None, episode_id: str | None = None, **rest: Any) -> Hint:
        self.secret, self.guesses = Random(seed).randrange(10), []
        return Hint(hint=f"A number from 0 to {rest.get('highest', 9)}.")

    def step(self, action: Guess, timeout_s: float | None = None, **rest: Any) -> Hint:
        if action.number == -1:
            raise ZeroDivisionError("a bug of this environment")
        self.guesses.append(action.number)
        right = action.number == self.secret
        hint = "right" if right else "higher" if action.number < self.secret else "lower"
        return Hint(hint=hint, guesses=self.guesses, reward=float(right), done=right)

    @property
    def state(self) -> State:
        return State(step_count=len(self.guesses))


def mcp_app() -> Any:
    """An environment whose actions are calls of MCP tools."""
    from fastmcp import FastMCP
    from openenv.core.env_server.mcp_environment import MCPEnvironment
    from openenv.core.env_server.mcp_types import CallToolAction, CallToolObservation

    class Adder(MCPEnvironment):
        SUPPORTS_CONCURRENT_SESSIONS: ClassVar[bool] = True

        def __init__(self) -> None:
            server = FastMCP("adder")

            @server.tool
            def add(a: int, b: int) -> int:
                """Add two numbers."""
                return a + b

            super().__init__(server)

        def reset(self, seed: int | None = None, episode_id: str | None = None, **rest: Any) -> Observation:
            return Observation(metadata={"status": "ready"})

        def _step_impl(self, action: Action, timeout_s: float | None = None, **rest: Any) -> Observation:
            raise NotImplementedError

        @property
        def state(self) -> State:
            return State()

    return create_fastapi_app(Adder, CallToolAction, CallToolObservation, max_concurrent_envs=64)


if __name__ == "__main__":
    app = mcp_app() if sys.argv[2] == "mcp" else create_fastapi_app(GuessNumber, Guess, Hint, max_concurrent_envs=64)
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
