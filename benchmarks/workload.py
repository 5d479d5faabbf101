"""The work of the engine's benchmark: ragged conversations of many turns, and the check that one was played right."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from transformers import PreTrainedModel

VOCABULARY = 512
_COMMON = 75  # tokens at the beginning of every prompt
_GROUP = 8  # episodes that share a whole prompt


@dataclass(frozen=True)
class Conversation:
    """One episode as planned: what it begins with, how much is sampled in each turn, what is answered between turns."""

    prompt: list[int]
    lengths: list[int]
    observations: list[list[int]]


@dataclass
class Transcript:
    """One episode as it went: all its tokens, and the log-probability (nats) of each sampled one in order."""

    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)


def make_work(episodes: int, turns: int, seed: int = 0) -> list[Conversation]:
    """Return the same conversations for the same arguments.

    Prompts have 95 to 105 tokens; the first 75 are common to all, and 8 episodes share each whole prompt. A turn
    samples 10 to 40 tokens; between turns come observations of 15 to 35 random tokens.
    """
    random = np.random.default_rng(seed)

    def words(count: int) -> list[int]:
        return [int(token) for token in random.integers(VOCABULARY, size=count)]

    common = words(_COMMON)
    prompts = [common + words(int(random.integers(20, 31))) for _ in range(0, episodes, _GROUP)]
    return [
        Conversation(
            prompts[i // _GROUP],
            [int(length) for length in random.integers(10, 41, size=turns)],
            [words(int(random.integers(15, 36))) for _ in range(turns - 1)],
        )
        for i in range(episodes)
    ]


def sampled_tokens(work: Sequence[Conversation]) -> int:
    """Return how many tokens are sampled in all."""
    return sum(sum(conversation.lengths) for conversation in work)


@torch.inference_mode()
def check(model: PreTrainedModel, work: Sequence[Conversation], transcripts: Sequence[Transcript]) -> float:
    """Return the largest difference of a log-probability from the one that a plain forward pass gives.

    Raises:
        AssertionError: A transcript does not have the shape of its conversation, or a difference exceeds 1e-4.
    """
    worst = 0.0
    for conversation, transcript in zip(work, transcripts, strict=True):
        ids = torch.tensor([transcript.tokens])
        logprobs = model(input_ids=ids, use_cache=False).logits[0].log_softmax(-1)
        places = torch.tensor(_sampled_places(conversation, transcript.tokens))
        plain = logprobs[places - 1, ids[0, places]]
        worst = max(worst, float((plain - torch.tensor(transcript.logprobs)).abs().max()))
    assert worst < 1e-4, f"a log-probability is off by {worst:.1e}"
    return worst


def _sampled_places(conversation: Conversation, tokens: list[int]) -> list[int]:
    """Return the places of the sampled tokens, and make sure that the others are the conversation's."""
    given, end = [conversation.prompt, *conversation.observations], 0
    places: list[int] = []
    for words, length in zip(given, conversation.lengths, strict=True):
        assert tokens[end : end + len(words)] == words, "a transcript does not follow its conversation"
        end += len(words) + length
        places += range(end - length, end)
    assert end == len(tokens), "a transcript is not as long as its conversation"
    return places
