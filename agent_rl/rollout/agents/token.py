"""The agent that learns: exact tokens from an engine, all of them recorded."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from agent_rl.core.deadlines import Excuse, Overdue, waiting_for, within
from agent_rl.core.errors import UserError
from agent_rl.core.limits import Limits
from agent_rl.core.message import Message
from agent_rl.core.outcome import BrokenEnvironmentError, EpisodeError, InfrastructureError, StopReason, told
from agent_rl.core.seeds import derive
from agent_rl.core.trajectory import Origin, Segment, Trajectory
from agent_rl.rollout.agents.base import Action, Plan
from agent_rl.rollout.engines.base import LOGPROB_ROUNDING, Engine, Finish, Generation, Request

if TYPE_CHECKING:
    from agent_rl.rollout.renderer import Renderer  # loads transformers

_FRUITLESS = 5  # times in a row that an engine may give a request back without a token


class TokenAgent:
    """The policy behind an engine: exact tokens in, exact tokens out, all of them in the trajectory."""

    def __init__(
        self,
        engine: Engine,
        renderer: "Renderer",
        limits: Limits,
        plan: Plan,
        excuse: Excuse | None = None,
    ) -> None:
        """Speak for `plan`, which the engine has been told of; the seconds that `excuse` counts move deadlines."""
        self._engine, self._renderer, self._limits = engine, renderer, limits
        self._plan, self._excuse = plan, excuse or Excuse()

    def begin(self, trajectory: Trajectory, messages: Sequence[Message], tools: list[dict[str, Any]]) -> None:
        """Render the prompt.

        Raises:
            BrokenEnvironmentError: The model cannot be told such messages; those of another task it may.
        """
        self._trajectory = trajectory
        self._tokens: list[int] = []
        with _telling():
            self._append(Segment(Origin.PROMPT, tuple(self._renderer.prompt(messages, tools))))

    async def act(self, number: int) -> Action | None:
        """Sample a turn; what the engine gives back unfinished is gone on with.

        Raises:
            InfrastructureError: The engine failed, took too long, or returned what cannot have been sampled.
            BrokenEnvironmentError: The episode's first prompt leaves no token to say anything.
        """
        room = self._limits.episode_tokens - len(self._tokens)
        if room <= 0:
            if not number:  # the limits do not fit the task, which is no result of the policy
                limit = f"rollout.limits.episode_tokens={self._limits.episode_tokens}"
                raise BrokenEnvironmentError("environment", f"its prompt has {len(self._tokens)} tokens, over {limit}")
            return None
        most = min(room, self._limits.turn_tokens)
        try:
            with waiting_for("the engine"):
                said = await within(self._limits.turn_seconds, self._sample(number, most), self._excuse)
        except Overdue as error:
            overdue = f"turn {number + 1} was not sampled within {self._limits.turn_seconds:g} s"
            raise InfrastructureError("engine", overdue) from error
        except (EpisodeError, UserError):
            raise
        except Exception as error:  # whatever an engine raises, the environment has not done it
            raise InfrastructureError("engine", told(error)) from error
        versions = tuple(said.weight_versions)
        supports = tuple(said.supports)
        self._append(Segment(Origin.ACTION, tuple(said.tokens), tuple(said.logprobs), versions, said.began, supports))
        message = self._renderer.parse(said.tokens, self._trajectory.tools or ())
        if said.finish is Finish.STOP:
            return Action(message)
        return Action(message, StopReason.TURN_LENGTH if room > most else StopReason.EPISODE_LENGTH)

    def hear(self, messages: Sequence[Message]) -> bool:
        """Append the tokens of the environment's answer, if there is room for them and one more.

        Raises:
            BrokenEnvironmentError: The model cannot be told such messages.
        """
        with _telling():
            tokens = self._renderer.observation(messages, self._tokens[-1])
        if len(self._tokens) + len(tokens) >= self._limits.episode_tokens:
            return False
        self._append(Segment(Origin.OBSERVATION, tuple(tokens)))
        return True

    def count_tokens(self, text: str) -> int:
        """Return the number of tokens of a text."""
        return self._renderer.count(text)

    def end(self) -> None:
        """Let the engine forget the episode."""
        self._engine.close(self._plan.name)

    async def _sample(self, number: int, most: int) -> Generation:
        """Sample a turn whole, in as many requests as it takes."""
        seed, fruitless = derive(self._plan.seed, "turn", number), 0
        said = await self._request(number, [], most, seed)
        while said.finish is Finish.ABORT and len(said.tokens) < most:
            known = len(said.tokens)
            more = await self._request(number, said.tokens, most - known, derive(seed, "after", known))
            fruitless = 0 if more.tokens else fruitless + 1
            if fruitless == _FRUITLESS:
                raise InfrastructureError("engine", f"gave turn {number + 1} back {_FRUITLESS} times without a token")
            said = Generation(
                said.tokens + more.tokens,
                said.logprobs + more.logprobs,
                more.finish,
                said.weight_versions + more.weight_versions,
                said.began,
                said.supports + more.supports,
            )
        return said

    async def _request(self, number: int, said: list[int], most: int, seed: int) -> Generation:
        plan = self._plan
        request = Request(
            id=f"{plan.name}/{number}",
            episode=plan.name,
            tokens=[*self._tokens, *said],
            max_new_tokens=most,
            stop_tokens=self._renderer.stop_tokens,
            seed=seed,
            sampling=plan.sampling,
            priority=plan.priority,
            excuse=self._excuse,
        )
        return checked(await self._engine.generate(request), request, self._renderer.vocabulary)

    def _append(self, segment: Segment) -> None:
        self._trajectory.segments.append(segment)
        self._tokens = [*self._tokens, *segment.tokens]


@contextmanager
def _telling() -> Iterator[None]:
    """Let messages that the renderer refuses be the failure of the environment that wrote them."""
    try:
        yield
    except UserError as error:
        raise BrokenEnvironmentError("renderer", str(error)) from error


def checked(said: Generation, request: Request, vocabulary: int) -> Generation:
    """Return what an engine returned, if it can have been sampled for `request` from `vocabulary` tokens.

    Raises:
        InfrastructureError: It cannot: too many tokens, unknown ones, log-probabilities that are none, a turn that does
            not end where it says. Learning from it would be learning from noise.
    """
    tokens, logprobs = said.tokens, said.logprobs
    problem = ""
    if not len(tokens) == len(logprobs) == len(said.weight_versions):
        problem = f"{len(tokens)} tokens, {len(logprobs)} log-probabilities, {len(said.weight_versions)} versions"
    elif said.supports and len(said.supports) != len(tokens):
        problem = f"{len(tokens)} tokens, {len(said.supports)} supports"
    elif len(tokens) > request.max_new_tokens or (not tokens and said.finish is not Finish.ABORT):
        problem = f"{len(tokens)} tokens where 1 to {request.max_new_tokens} were asked for"
    elif tokens and not 0 <= min(tokens) <= max(tokens) < vocabulary:
        problem = f"a token outside the vocabulary of {vocabulary}: {min(tokens)} or {max(tokens)}"
    elif logprobs and not (math.isfinite(sum(logprobs)) and max(logprobs) <= LOGPROB_ROUNDING):
        problem = "a log-probability that is not finite or above 0"
    elif said.finish is Finish.STOP and tokens[-1] not in request.stop_tokens:
        problem = f"a turn that stopped at token {tokens[-1]}, which is no stop token"
    elif not request.stop_tokens.isdisjoint(tokens[:-1]):
        problem = "a stop token in the middle of a turn"
    if problem:
        raise InfrastructureError("engine", f"returned {problem}")
    return said
