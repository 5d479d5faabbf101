"""The turns of a trajectory, taken apart: which tokens are whose, and which message each turn should say."""

from dataclasses import dataclass

from agent_rl.core.message import Message
from agent_rl.core.trajectory import Origin, Trajectory
from agent_rl.rollout.audit.findings import Check, Finding

Tokens = tuple[int, ...]


@dataclass(frozen=True)
class Given:
    """Tokens that the policy did not sample: the prompt (turn None) or the observation after a turn.

    Attributes:
        turn: The turn they follow.
        tokens: What is saved.
        start: Their place in the trajectory.
        messages: What they should say.
        pieces: Segments they are saved in.
    """

    turn: int | None
    tokens: Tokens
    start: int
    messages: list[Message]
    pieces: int = 1


@dataclass(frozen=True)
class Action:
    """A turn of the policy: what is saved, its place in the trajectory, and the message it became."""

    tokens: Tokens
    start: int
    message: Message


@dataclass(frozen=True)
class Layout:
    """A trajectory as prompt, actions and observations; `given[i]` stands before `actions[i]`."""

    given: list[Given]
    actions: list[Action]


def lay_out(trajectory: Trajectory) -> Layout | Finding:
    """Take a trajectory apart, or say why it has no order of prompt, action, observation, action …."""
    runs = _runs(trajectory)
    disorder = _disorder(runs)
    if disorder:
        return disorder
    sampled = [run for run in runs if run[0] is Origin.ACTION]
    spoken = [number for number, message in enumerate(trajectory.messages) if message["role"] == "assistant"]
    own = spoken[len(spoken) - len(sampled) :]  # the messages of a task may hold some of an assistant as well
    if len(sampled) != len(trajectory.turns) or len(own) != len(sampled):
        return Finding(
            Check.MASK,
            f"{len(sampled)} actions are trained, but there are {len(trajectory.turns)} turns and {len(spoken)} "
            "messages of an assistant",
        )
    ends = [*own, len(trajectory.messages)]
    begins = [0, *(number + 1 for number in own)]
    said = [trajectory.messages[begin:end] for begin, end in zip(begins, ends, strict=True)]
    given = [run for run in runs if run[0] is not Origin.ACTION]
    return Layout(
        [
            Given(turn - 1 if turn else None, tokens, start, messages, pieces)
            for turn, ((_, tokens, start, pieces), messages) in enumerate(zip(given, said, strict=False))
        ],
        [Action(run[1], run[2], trajectory.messages[number]) for run, number in zip(sampled, own, strict=True)],
    )


Run = tuple[Origin, Tokens, int, int]
"""Origin, tokens, place in the trajectory, and number of segments."""


def _runs(trajectory: Trajectory) -> list[Run]:
    """Return the segments, observations that follow each other as one."""
    runs: list[Run] = []
    at = 0
    for segment in trajectory.segments:
        if segment.origin is Origin.OBSERVATION and runs and runs[-1][0] is Origin.OBSERVATION:
            origin, tokens, start, pieces = runs.pop()
            runs.append((origin, tokens + segment.tokens, start, pieces + 1))
        else:
            runs.append((segment.origin, segment.tokens, at, 1))
        at += len(segment.tokens)
    return runs


def _disorder(runs: list[Run]) -> Finding | None:
    if not runs or not runs[0][1]:
        return Finding(Check.MASK, "there is no prompt before what is trained", position=0)
    for number, (origin, tokens, start, _) in enumerate(runs):
        wanted = Origin.PROMPT if not number else Origin.ACTION if number % 2 else Origin.OBSERVATION
        turn = (number - 1) // 2 if number else None
        if origin is not wanted:
            return Finding(
                Check.MASK, "the segments are out of order", turn, start, expected=wanted.value, found=origin.value
            )
        if not tokens:
            return Finding(Check.MASK, f"the {origin} has no tokens", turn, start)
    return None
