"""The figures of one episode, by the names that results give them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agent_rl.core.message import Message, text_of
from agent_rl.core.trajectory import Trajectory
from agent_rl.rollout.episode import describe

OTHER = "other"
"""What calls of tools are counted under that no prompt offered."""
_ZERO = ("reward/", "tools/", "stop/", "failed/")
_SHARES = ("success", "pass@", "pass^", "stop/", "failed/")


@dataclass(frozen=True)
class Prices:
    """What a hosted model costs, in US dollars per million tokens that it reads and writes."""

    read: float
    written: float


def figures(episode: Sequence[Trajectory], success_at: float, prices: Prices | None = None) -> dict[str, float]:
    """Return the figures of an episode, all its parts together.

    Args:
        episode: Its trajectories.
        success_at: Reward from which it counts as a success.
        prices: Give its cost, by the tokens that the endpoint reported.

    Returns:
        A value for each name. What an episode did not do (a tool, a component, a stop reason) is not among them and
        counts as 0, see `zero`; what is not known of it (tokens that nobody reported) is not among them either.
    """
    counts = describe(episode)
    last = episode[-1]
    found = {"success": float(counts["reward"] >= success_at), "reward": float(counts["reward"])}
    for part in episode:
        for name, value in part.components.items():
            found[f"reward/{name}"] = found.get(f"reward/{name}", 0.0) + value
    found |= {name: float(counts[name]) for name in ("turns", "tool_calls", "invalid_calls")}
    if counts["tokens"]:
        found |= {name: float(counts[name]) for name in ("tokens", "action_tokens")}
    found |= _tools(episode)
    found[f"stop/{last.stop}"] = 1.0
    found["failed/policy"] = float(last.failure is not None)
    found["seconds"] = sum(part.seconds for part in episode)
    if prices is not None:
        turns = [turn for part in episode for turn in part.turns]
        read, written = (sum(getattr(turn, f"{side}_tokens") for turn in turns) for side in ("prompt", "completion"))
        found["cost"] = (read * prices.read + written * prices.written) / 1e6
    return found


def zero(name: str) -> bool:
    """Whether an episode without the figure `name` has a 0 there; of others it is not known."""
    return name.startswith(_ZERO)


def share(name: str) -> bool:
    """Whether the figure `name` lies between 0 and 1 and is written as a share."""
    return name.startswith(_SHARES)


def _tools(episode: Sequence[Trajectory]) -> dict[str, float]:
    """Return how often each tool was called, and how many of its answers were errors."""
    counts: Counter[str] = Counter()
    for part in episode:
        offered = {tool["function"]["name"] for tool in part.tools or ()}
        for message in _own(part):
            for call in message.get("tool_calls", []):
                counts[f"tools/{_named(call['function']['name'], offered)}"] += 1
            if message["role"] == "tool" and text_of(message).startswith("Error:") and message.get("name"):
                counts[f"tools/{_named(message['name'], offered)}/errors"] += 1
    return {name: float(count) for name, count in counts.items()}


def _named(tool: str, offered: set[str]) -> str:
    return tool if tool in offered else OTHER


def _own(part: Trajectory) -> Iterator[Message]:
    """Yield what was said from the policy's first turn on; the messages before it may hold some of an assistant too."""
    spoken = [place for place, message in enumerate(part.messages) if message["role"] == "assistant"]
    own = spoken[-len(part.turns) :] if part.turns else []
    yield from part.messages[own[0] :] if own else []
