"""Prompts, observations, mask and stop tokens of one trajectory, proven against its messages."""

import json
from collections.abc import Iterator, Sequence
from itertools import takewhile

from agent_rl.core.limits import Limits
from agent_rl.core.message import Message
from agent_rl.core.outcome import StopReason
from agent_rl.core.trajectory import Trajectory
from agent_rl.rollout.audit.findings import Check, Finding, counted
from agent_rl.rollout.audit.layout import Action, Given, Layout, Tokens, lay_out
from agent_rl.rollout.audit.rerender import Rerender

_SHOWN = 6  # tokens on either side of a difference that are shown


def check_tokens(trajectory: Trajectory, rerender: Rerender, limits: Limits) -> Iterator[Finding]:
    """Yield what contradicts the checks `render`, `mask` and `stop`.

    A token on the wrong side of the boundary between two segments is a matter of the mask (or of the stop token, when
    it is that), not of rendering: where the tokens are right and moving boundaries mends all, they are what is wrong.
    """
    layout = lay_out(trajectory)
    if isinstance(layout, Finding):
        yield layout
        return
    rerender = rerender.offering(trajectory.tools or [])
    expected = [_rendered(trajectory, layout, number, rerender) for number in range(len(layout.given))]
    pairs = list(zip(layout.given, expected, strict=True))
    tokens = tuple(trajectory.tokens)
    different = any(given.tokens != wanted for given, wanted in pairs)
    true = _align(tokens, layout, expected, rerender) if different else None
    if true is not None:
        for given, place in zip(layout.given, true, strict=True):
            if place != (given.start, given.start + len(given.tokens)):
                yield _moved(given, place, tokens, rerender)
        layout = _aligned(tokens, layout, true)
    for given, wanted in pairs if true is None else ():
        if given.tokens != wanted:
            yield _difference(given, wanted, rerender)
        elif given.pieces > 1:
            what = f"the observation lies in {given.pieces} segments"
            yield Finding(Check.MASK, what, given.turn, given.start)
    yield from _check_messages(layout, rerender)
    yield from _check_stops(trajectory, layout, rerender, limits)


def _rendered(trajectory: Trajectory, layout: Layout, number: int, rerender: Rerender) -> Tokens:
    """Return the tokens that the messages make; of a prompt with unknown tools, what is saved."""
    given = layout.given[number]
    if given.turn is not None:
        return rerender.observation(given.messages, layout.actions[given.turn].tokens)
    return given.tokens if trajectory.tools is None else rerender.prompt(given.messages, trajectory.tools)


def _align(tokens: Tokens, layout: Layout, expected: list[Tokens], rerender: Rerender) -> list[tuple[int, int]] | None:
    """Return begin and end of each of `expected` in the trajectory's tokens, or None when the tokens are others.

    What lies between two of them must say the message of its turn.
    """
    places: list[tuple[int, int]] = []
    end = 0
    for number, part in enumerate(expected):
        said = layout.actions[number - 1].message if number else None
        places_of_part = _occurrences(part, tokens, end) if number else ([0] if tokens[: len(part)] == part else [])
        at = next((at for at in places_of_part if said is None or rerender.parse(tokens[end:at]) == said), None)
        if at is None:
            return None
        end = at + len(part)
        places.append((at, end))
    after = layout.actions[len(expected) - 1 :]
    if after and rerender.parse(tokens[end:]) != after[0].message:
        return None
    return places if after or end == len(tokens) else None


def _aligned(tokens: Tokens, layout: Layout, places: list[tuple[int, int]]) -> Layout:
    """Return the layout with the actions between the true places of what was not sampled."""
    ends = [begin for begin, _ in places[1:]] + [len(tokens)]
    spans = zip(layout.actions, places, ends, strict=False)
    return Layout(layout.given, [Action(tokens[begin:end], begin, one.message) for one, (_, begin), end in spans])


def _moved(given: Given, true: tuple[int, int], tokens: Sequence[int], rerender: Rerender) -> Finding:
    """Say which tokens lie on the wrong side when `given` belongs to the places `true`."""
    saved = (given.start, given.start + len(given.tokens))
    belongs, lies = set(range(*true)), set(range(*saved))
    first = min(belongs ^ lies)
    lost, gained = lies - belongs, belongs - lies
    if len(lost) == 1 and not gained and first < true[0] and tokens[first] in rerender.stop_tokens:
        what = "the stop token lies in the observation, so it is not trained"
        return Finding(Check.STOP, what, given.turn, first, found=rerender.text(tokens[first : first + 1]))
    name = "prompt" if given.turn is None else "observation"
    parts = [f"not trained: {counted(len(lost), 'sampled tokens')}"] * bool(lost)
    parts += [f"trained: {counted(len(gained), 'tokens')} of the {name}"] * bool(gained)
    edge = 0 if saved[0] != true[0] else 1
    turn = 0 if given.turn is None else given.turn + edge
    edges = [
        f"{rerender.text(tokens[max(0, first - _SHOWN) : at])} ‖ {rerender.text(tokens[at : first + _SHOWN])}"
        for at in (true[edge], saved[edge])
    ]
    what = f"the boundary of the {name} is moved; {', '.join(parts)}"
    return Finding(Check.MASK, what, turn, first, expected=edges[0], found=edges[1])


def _difference(given: Given, expected: Tokens, rerender: Rerender) -> Finding:
    """Say where saved tokens and rendered ones part, and where they meet again."""
    head = _alike(given.tokens, expected)
    tail = _alike(given.tokens[head:][::-1], expected[head:][::-1])
    changed, wanted = len(given.tokens) - head - tail, len(expected) - head - tail
    name = "prompt" if given.turn is None else "observation"
    return Finding(
        Check.RENDER,
        f"the {name} has {counted(changed, 'tokens')} where its messages make {wanted}, "
        f"behind {head} and before {tail} equal ones",
        given.turn,
        given.start + head,
        expected=_shown(expected, head, rerender),
        found=_shown(given.tokens, head, rerender),
    )


def _check_messages(layout: Layout, rerender: Rerender) -> Iterator[Finding]:
    for turn, action in enumerate(layout.actions):
        said = rerender.parse(action.tokens)
        if said != action.message:
            yield Finding(
                Check.MASK,
                "the tokens of the turn say something else than its message",
                turn,
                action.start,
                expected=_written(action.message),
                found=_written(said) if said else rerender.text(action.tokens),
            )


def _check_stops(trajectory: Trajectory, layout: Layout, rerender: Rerender, limits: Limits) -> Iterator[Finding]:
    """Yield turns without their stop token, stop tokens elsewhere, and cuts that no limit explains."""
    for turn, action in enumerate(layout.actions):
        end = action.start + len(action.tokens) - 1
        inner = next((i for i, token in enumerate(action.tokens[:-1]) if token in rerender.stop_tokens), None)
        tail = rerender.text(action.tokens[-_SHOWN:])
        if inner is not None:
            yield Finding(Check.STOP, "a stop token does not end its turn", turn, action.start + inner, found=tail)
        stopped = action.tokens[-1] in rerender.stop_tokens
        last = turn + 1 == len(layout.actions)
        if not stopped and not (last and _may_be_cut(trajectory, action, limits)):
            what = f"the turn has no stop token, and no limit cut it (the episode's stop is '{trajectory.stop}')"
            yield Finding(Check.STOP, what, turn, end, found=tail)
        elif stopped and last and trajectory.stop is StopReason.TURN_LENGTH:
            yield Finding(Check.STOP, "a turn that was cut by its length has a stop token", turn, end, found=tail)
    if not layout.actions and trajectory.stop not in (StopReason.EPISODE_LENGTH, StopReason.FAILED):
        yield Finding(Check.STOP, f"nothing was sampled, but the episode's stop is '{trajectory.stop}'")


def _may_be_cut(trajectory: Trajectory, action: Action, limits: Limits) -> bool:
    """Return whether the last action may end without a stop token."""
    if trajectory.stop is StopReason.TURN_LENGTH:
        return len(action.tokens) == limits.turn_tokens
    if trajectory.stop is StopReason.EPISODE_LENGTH:
        return action.start + len(action.tokens) == limits.episode_tokens
    return trajectory.stop is StopReason.FAILED


def _occurrences(part: Tokens, whole: Tokens, begin: int) -> Iterator[int]:
    """Yield the places of `part` in `whole` from `begin` on."""
    ends = len(whole) - len(part) + 1
    return (at for at in range(begin, ends) if part and whole[at : at + len(part)] == part)


def _alike(one: Tokens, other: Tokens) -> int:
    """Return the number of leading tokens that agree."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _shown(tokens: Tokens, at: int, rerender: Rerender) -> str:
    near = tokens[max(0, at - _SHOWN) : at + _SHOWN]
    return f"{rerender.text(near)} {list(tokens[at : at + _SHOWN])}"


def _written(message: Message) -> str:
    return json.dumps(message, ensure_ascii=False)
