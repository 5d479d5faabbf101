"""Prompts, observations, mask and stop tokens of one trajectory, proven against its messages."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import takewhile

from agent_rl.core.limits import Limits
from agent_rl.core.message import Message
from agent_rl.core.outcome import StopReason
from agent_rl.core.trajectory import Trajectory
from agent_rl.rollout.audit.findings import Check, Finding
from agent_rl.rollout.audit.layout import Action, Given, Layout, Tokens, lay_out
from agent_rl.rollout.audit.rerender import Rerender

_SHOWN = 6  # tokens on either side of a difference that are shown


def check_tokens(trajectory: Trajectory, rerender: Rerender, limits: Limits) -> Iterator[Finding]:
    """Yield what contradicts the checks `render`, `mask` and `stop`.

    A token on the wrong side of the boundary between two segments is a matter of the mask (or of the stop token, when
    it is that), not of rendering: where moving the boundary mends both sides, the boundary is what is wrong.
    """
    layout = lay_out(trajectory)
    if isinstance(layout, Finding):
        yield layout
        return
    layout, found = _mend(trajectory, layout, rerender)
    yield from found
    yield from _check_messages(layout, rerender)
    if not any(finding.check is Check.STOP for finding in found):
        yield from _check_stops(trajectory, layout, rerender, limits)


def _mend(trajectory: Trajectory, layout: Layout, rerender: Rerender) -> tuple[Layout, list[Finding]]:
    """Compare what was not sampled with its messages; return the layout with its boundaries mended, and findings."""
    actions = list(layout.actions)
    findings: list[Finding] = []
    for number, given in enumerate(layout.given):
        if number == 0 and trajectory.tools is None:
            continue
        before = actions[number - 1] if number else None
        after = actions[number] if number < len(actions) else None
        if before is None:
            expected = rerender.prompt(given.messages, trajectory.tools or [])
        else:
            expected = rerender.observation(given.messages, before.tokens)
        if given.tokens == expected:
            if given.pieces > 1:
                findings.append(_in_pieces(given))
            continue
        moved = _boundary(given, expected, before, after, rerender)
        if moved is None:
            findings.append(_difference(given, expected, rerender))
            continue
        findings.append(moved.finding)
        if before is not None and moved.before is not None:
            actions[number - 1] = moved.before
        if after is not None and moved.after is not None:
            actions[number] = moved.after
    return Layout(layout.given, actions), findings


@dataclass(frozen=True)
class _Moved:
    """A boundary that was moved: what to say, and the actions on either side as they were."""

    finding: Finding
    before: Action | None
    after: Action | None


def _boundary(
    given: Given, expected: Tokens, before: Action | None, after: Action | None, rerender: Rerender
) -> _Moved | None:
    """Return how the boundaries of `given` were moved, or None when moving them mends nothing."""
    left, right = before.tokens if before else (), after.tokens if after else ()
    stream = left + given.tokens + right
    start = given.start - len(left)
    for at in _occurrences(expected, stream):
        end = at + len(expected)
        if (before is None and at) or (after is None and end < len(stream)):
            continue
        old = replace(before, tokens=stream[:at]) if before else None
        new = replace(after, tokens=stream[end:], start=start + end) if after else None
        if all(_says(action, rerender) for action in (old, new) if action is not None):
            finding = _explain(given, stream, start, (at, end), len(left), rerender)
            return _Moved(finding, old, new)
    return None


def _explain(given: Given, stream: Tokens, start: int, true: tuple[int, int], left: int, rerender: Rerender) -> Finding:
    """Say which tokens lie on the wrong side; `stream` begins at `start` in the trajectory and `given` at `left` in it."""
    saved = (left, left + len(given.tokens))
    belongs, lies = set(range(*true)), set(range(*saved))
    first = min(belongs ^ lies)
    lost, gained = lies - belongs, belongs - lies
    if len(lost) == 1 and not gained and first < true[0] and stream[first] in rerender.stop_tokens:
        what = "the stop token lies in the observation, so it is not trained"
        return Finding(Check.STOP, what, given.turn, start + first, found=rerender.text(stream[first : first + 1]))
    name = "prompt" if given.turn is None else "observation"
    parts = [f"{len(lost)} sampled tokens are not trained" if lost else ""]
    parts += [f"{len(gained)} tokens of the {name} are trained" if gained else ""]
    next_turn = 0 if given.turn is None else given.turn + 1
    return Finding(
        Check.MASK,
        f"the boundary of the {name} is moved: {' and '.join(part for part in parts if part)}",
        given.turn if saved[0] != true[0] else next_turn,
        start + first,
        expected=rerender.text(stream[slice(*true)]),
        found=rerender.text(given.tokens),
    )


def _difference(given: Given, expected: Tokens, rerender: Rerender) -> Finding:
    """Say where saved tokens and rendered ones part, and where they meet again."""
    head = _alike(given.tokens, expected)
    tail = _alike(given.tokens[head:][::-1], expected[head:][::-1])
    changed, wanted = len(given.tokens) - head - tail, len(expected) - head - tail
    name = "prompt" if given.turn is None else "observation"
    return Finding(
        Check.RENDER,
        f"the {name} has {changed} tokens where its messages make {wanted}, behind {head} and before {tail} equal ones",
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


def _in_pieces(given: Given) -> Finding:
    return Finding(Check.MASK, f"the observation lies in {given.pieces} segments", given.turn, given.start)


def _says(action: Action, rerender: Rerender) -> bool:
    return rerender.parse(action.tokens) == action.message


def _occurrences(part: Tokens, whole: Tokens) -> Iterator[int]:
    return (at for at in range(len(whole) - len(part) + 1) if part and whole[at : at + len(part)] == part)


def _alike(one: Tokens, other: Tokens) -> int:
    """Return the number of leading tokens that agree."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _shown(tokens: Tokens, at: int, rerender: Rerender) -> str:
    near = tokens[max(0, at - _SHOWN) : at + _SHOWN]
    return f"{rerender.text(near)} {list(tokens[at : at + _SHOWN])}"


def _written(message: Message) -> str:
    return json.dumps(message, ensure_ascii=False)
