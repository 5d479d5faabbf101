"""Trajectory: the segments of an episode in order. Tokens, mask and positions are computed from them, never stored."""

import itertools
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from agent_rl.core.message import Message
from agent_rl.core.outcome import Cause, Failure, StopReason


class Origin(StrEnum):
    """Who wrote the tokens of a segment."""

    PROMPT = "prompt"
    ACTION = "action"  # sampled by the policy; the only origin that is trained
    OBSERVATION = "observation"


class Support(NamedTuple):
    """What a token was drawn from, where top_p or top_k left tokens out.

    Attributes:
        tokens: The token ids that were kept.
        mass: Log of their probability together (nats), before the others were left out.
    """

    tokens: tuple[int, ...]
    mass: float


@dataclass(frozen=True)
class Segment:
    """A run of tokens of one origin.

    Attributes:
        origin: Who wrote the tokens.
        tokens: Token ids, exactly as the engine saw or sampled them.
        logprobs: For an action, the log-probability (nats) of each token under the distribution it was drawn from,
            before top_p and top_k; empty for the other origins.
        weight_versions: For an action, the version of the policy's weights that sampled each token.
        began: For an action, the version under which its engine began it, where the engine says so. An older one than
            that of the first token: new weights came in between, and the prefix was computed by the old ones.
        supports: For an action that was drawn with top_p or top_k, what each token was drawn from, where the engine
            says so; else empty.
    """

    origin: Origin
    tokens: tuple[int, ...]
    logprobs: tuple[float, ...] = ()
    weight_versions: tuple[int, ...] = ()
    began: int | None = None
    supports: tuple[Support, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a segment whose parts do not fit together."""
        expected = len(self.tokens) if self.origin is Origin.ACTION else 0
        if not len(self.logprobs) == len(self.weight_versions) == expected:
            raise ValueError(
                f"a segment of {len(self.tokens)} {self.origin} tokens needs {expected} log-probabilities and weight "
                f"versions, got {len(self.logprobs)} and {len(self.weight_versions)}"
            )
        if self.supports and len(self.supports) != expected:
            raise ValueError(f"a segment of {len(self.tokens)} {self.origin} tokens has {len(self.supports)} supports")


@dataclass
class Turn:
    """What one turn did: its reward, the tools it called, and where its time went (seconds).

    `prompt_tokens` and `completion_tokens` are what a hosted model reported; 0 where the segments hold the tokens.
    """

    reward: float = 0.0
    tool_calls: int = 0
    invalid_calls: int = 0
    generate_seconds: float = 0.0
    environment_seconds: float = 0.0
    prompt_tokens: int = 0
    completion_tokens: int = 0


@dataclass
class Trajectory:
    """One episode as the trainer, the store and the viewer see it.

    An environment that rewrites the context (drops old observations, hands over to a sub-agent) makes several
    trajectories of one episode: they have the same `sample`, and `part` counts them.

    Attributes:
        task_id: The task.
        sample: Which of the group's samples of the task this is, from 0.
        part: Which trajectory of the episode this is, from 0.
        attributes: The task's attributes, for breaking figures down.
        segments: Prompt, action and observation tokens in order; none of a hosted model, which speaks by messages.
        turns: One record per turn of the policy.
        messages: The same episode as chat messages.
        components: Every reward component by name, summed over the episode, before weighting.
        stop: Why it ended.
        failure: What went wrong, if anything did.
        seconds: Wall-clock time of the episode.
        tools: The tools that the prompt offered, as the chat template took them; None when there was no prompt.
        counters: What tools and wrappers counted in the episode, earlier attempts at it included.
    """

    task_id: str
    sample: int = 0
    part: int = 0
    attributes: dict[str, Any] = field(default_factory=dict)
    segments: list[Segment] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    components: dict[str, float] = field(default_factory=dict)
    stop: StopReason = StopReason.FAILED
    failure: Failure | None = None
    seconds: float = 0.0
    tools: list[dict[str, Any]] | None = None
    counters: dict[str, float] = field(default_factory=dict)

    @property
    def tokens(self) -> list[int]:
        """All token ids in order, `[S]`."""
        return [token for segment in self.segments for token in segment.tokens]

    @property
    def loss_mask(self) -> list[bool]:
        """True at the tokens the policy sampled, `[S]`."""
        return [segment.origin is Origin.ACTION for segment in self.segments for _ in segment.tokens]

    @property
    def action_logprobs(self) -> list[float]:
        """Log-probabilities of the sampled tokens in order, `[A]` with A the number of true entries of the mask."""
        return [logprob for segment in self.segments for logprob in segment.logprobs]

    @property
    def action_supports(self) -> list[Support | None]:
        """What each sampled token was drawn from, in order, `[A]`; None where that is all tokens."""
        actions = (segment for segment in self.segments if segment.origin is Origin.ACTION)
        return [support for s in actions for support in (s.supports or [None] * len(s.tokens))]

    @property
    def drawn_logprobs(self) -> list[float]:
        """Log-probabilities of the sampled tokens under what they were drawn from, after top_p and top_k, `[A]`."""
        pairs = zip(self.action_logprobs, self.action_supports, strict=True)
        return [logprob - support.mass if support else logprob for logprob, support in pairs]

    @property
    def action_turns(self) -> list[int]:
        """The turn of each sampled token, `[A]`."""
        actions = (segment for segment in self.segments if segment.origin is Origin.ACTION)
        return [turn for turn, segment in enumerate(actions) for _ in segment.tokens]

    @property
    def reward(self) -> float:
        """The sum of the turns' rewards."""
        return sum(turn.reward for turn in self.turns)

    @property
    def usable(self) -> bool:
        """Whether the episode says something about the policy: false when infrastructure or environment failed."""
        return self.failure is None or self.failure.cause is Cause.POLICY

    def to_json(self) -> dict[str, Any]:
        """Return the trajectory as JSON-ready values; `from_json` restores it."""
        return vars(self) | {  # as `dataclasses.asdict` would, which copies every single token
            "segments": [vars(segment) for segment in self.segments],
            "turns": [vars(turn) for turn in self.turns],
            "failure": self.failure and vars(self.failure),
            "reward": self.reward,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Trajectory":
        """Restore a trajectory written by `to_json`."""
        failure = data["failure"] and Failure(**data["failure"] | {"cause": Cause(data["failure"]["cause"])})
        segments = [
            Segment(
                Origin(s["origin"]),
                tuple(s["tokens"]),
                tuple(s["logprobs"]),
                tuple(s["weight_versions"]),
                s.get("began"),
                tuple(Support(tuple(tokens), mass) for tokens, mass in s.get("supports", ())),
            )
            for s in data["segments"]
        ]
        rest = {key: value for key, value in data.items() if key != "reward"}
        turns = [Turn(**turn) for turn in data["turns"]]
        return cls(
            **rest | {"segments": segments, "turns": turns, "stop": StopReason(data["stop"]), "failure": failure}
        )


@dataclass
class Group:
    """The trajectories of one task that are compared with each other, the parts of an episode side by side.

    `baseline` is the greedy episode, in its parts, that they are compared with where one was asked for, and
    `demonstration` what the environment showed of its own solution. They are none of the group's episodes; nothing is
    learned from the baseline's tokens.
    """

    task_id: str
    trajectories: list[Trajectory]
    baseline: list[Trajectory] = field(default_factory=list)
    demonstration: list[Trajectory] = field(default_factory=list)

    @property
    def episodes(self) -> list[list[Trajectory]]:
        """The trajectories of each episode; one for most."""
        return [list(parts) for _, parts in itertools.groupby(self.trajectories, key=lambda t: t.sample)]

    @property
    def usable(self) -> list[list[Trajectory]]:
        """The episodes that say something about the policy."""
        return [episode for episode in self.episodes if all(part.usable for part in episode)]

    @property
    def played(self) -> list[list[Trajectory]]:
        """The trajectories of everything that was played, what was played beside the episodes included."""
        return [*self.episodes, *filter(None, (self.baseline, self.demonstration))]

    @property
    def comparable(self) -> list[list[Trajectory]]:
        """The episodes to learn from: the usable ones, or none where the baseline that was asked for has failed."""
        return self.usable if all(part.usable for part in self.baseline) else []

    @property
    def shown(self) -> list[list[Trajectory]]:
        """The demonstration to learn from, if there is one and it went well."""
        usable = bool(self.demonstration) and all(part.usable for part in self.demonstration)
        return [self.demonstration] if usable and self.comparable else []

    @property
    def rewards(self) -> list[float]:
        """The reward of each usable episode, the sum of its parts'."""
        return [sum(part.reward for part in episode) for episode in self.usable]

    @property
    def baseline_reward(self) -> float | None:
        """The reward of the baseline, the sum of its parts'; None where there is none or it has failed."""
        known = self.baseline and all(part.usable for part in self.baseline)
        return sum(part.reward for part in self.baseline) if known else None

    @property
    def informative(self) -> bool:
        """Whether the rewards of what is compared differ, so that comparing says anything."""
        if not self.comparable:
            return False
        base = self.baseline_reward
        beside = [sum(part.reward for part in episode) for episode in self.shown] + ([] if base is None else [base])
        return len({*self.rewards, *beside}) > 1
