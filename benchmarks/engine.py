"""How fast the embedded engine generates, beside a plain decoding loop (the limit) and transformers' `generate`.

The three do the same ragged conversations of many turns with the same model of 0.85 million parameters, in float32 and
with random weights, one after the other in each round, so that a machine that drifts slows all of them. The best round
of each counts: what disturbs a round only makes it slower.
"""

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial

import torch
from calibration import matmul_gflops
from plain_decode import PlainDecoder
from transformers import GenerationConfig, PreTrainedModel
from workload import VOCABULARY, Conversation, Transcript, check, make_work, sampled_tokens

from agent_rl.core.seeds import derive
from agent_rl.models import attention
from agent_rl.models.scratch import new_model
from agent_rl.rollout.engines.base import Request, Sampling
from agent_rl.rollout.engines.embedded import EmbeddedEngine
from agent_rl.trainer.weights import PolicyWeights

_SAMPLING = Sampling()


class EmbeddedContestant:
    """The embedded engine with its default settings; every episode is a task of its own, and tools take no time."""

    def __init__(self, model: PreTrainedModel) -> None:
        """Start an engine."""
        self._model = model
        self._engine = EmbeddedEngine(model)
        self._runner = asyncio.Runner()  # an engine lives in one event loop
        self._rounds = 0

    def run(self, work: Sequence[Conversation], seed: int) -> list[Transcript]:
        """Play all conversations to their end."""
        self._rounds += 1
        return self._runner.run(self._play_all(work, seed))

    async def _play_all(self, work: Sequence[Conversation], seed: int) -> list[Transcript]:
        await self._engine.update_weights(PolicyWeights(self._rounds, self._model))  # no cache from before
        for name in range(len(work)):
            self._engine.open(str(name))
        plays = [self._play(str(name), conversation, seed) for name, conversation in enumerate(work)]
        return list(await asyncio.gather(*plays))

    async def _play(self, name: str, conversation: Conversation, seed: int) -> Transcript:
        transcript = Transcript()
        given = [conversation.prompt, *conversation.observations]
        for turn, (words, length) in enumerate(zip(given, conversation.lengths, strict=True)):
            tokens = transcript.tokens + words
            stream = derive(seed, name, turn)
            request = Request(f"{name}/{turn}", name, tokens, length, frozenset(), stream, _SAMPLING)
            generation = await self._engine.generate(request)
            transcript.tokens = tokens + generation.tokens
            transcript.logprobs += generation.logprobs
        self._engine.close(name)
        return transcript


@torch.inference_mode()
def generate(model: PreTrainedModel, work: Sequence[Conversation], seed: int) -> None:
    """Let `generate` play: it computes the conversation again in each turn and runs to the turn's greatest length."""
    torch.manual_seed(seed)
    conversations: list[list[int]] = [[] for _ in work]
    for turn in range(len(work[0].lengths)):
        for tokens, planned in zip(conversations, work, strict=True):
            tokens += planned.observations[turn - 1] if turn else planned.prompt
        longest = max(len(tokens) for tokens in conversations)
        ids = torch.tensor([[0] * (longest - len(tokens)) + tokens for tokens in conversations])
        mask = torch.tensor([[0] * (longest - len(tokens)) + [1] * len(tokens) for tokens in conversations])
        config = GenerationConfig(
            do_sample=True,
            temperature=1.0,
            top_k=0,
            top_p=1.0,
            pad_token_id=0,
            max_new_tokens=max(c.lengths[turn] for c in work),
        )
        sampled = model.generate(input_ids=ids, attention_mask=mask, generation_config=config)[:, longest:].tolist()
        for tokens, planned, new in zip(conversations, work, sampled, strict=True):
            assert len(new) >= planned.lengths[turn]
            tokens += new[: planned.lengths[turn]]


def main() -> None:
    arguments = _arguments()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    work = make_work(arguments.episodes, arguments.turns)
    contestants = _contestants(work)
    speeds: dict[str, list[float]] = {name: [] for name in contestants}
    calibrations = []
    for number in range(arguments.repeat):
        calibrations.append(matmul_gflops())
        for name, play in contestants.items():
            begun = time.perf_counter()
            play(work, number + 1)
            speeds[name].append(sampled_tokens(work) / (time.perf_counter() - begun))
    _report(speeds, max(calibrations), sampled_tokens(work), arguments.json)


def _contestants(work: Sequence[Conversation]) -> dict[str, Callable[[Sequence[Conversation], int], object]]:
    """Return the contestants, after they have shown that what they compute is right."""
    model, plain = (new_model(VOCABULARY, eos_token_id=0, pad_token_id=0, seed=0).eval() for _ in range(2))
    model.set_attn_implementation(attention.NAME)
    plain.generation_config.eos_token_id = None
    engine, limit = EmbeddedContestant(model), PlainDecoder(plain)
    for name, contestant in (("engine", engine), ("limit", limit)):
        worst = check(plain, work, contestant.run(work, seed=0))
        print(f"{name}: log-probabilities agree with a plain forward pass to {worst:.1e}")
    generate(plain, work[:8], seed=0)
    return {"engine": engine.run, "limit": limit.run, "generate": partial(generate, plain)}


def _report(speeds: dict[str, list[float]], gflops: float, tokens: int, as_json: bool) -> None:
    best = {name: max(rounds) for name, rounds in speeds.items()}
    print(f"\n{'':10} {'best':>9} {'median':>9}  tokens/s   {'engine is':>10}")
    for name, rounds in speeds.items():
        share = best["engine"] / best[name]
        print(f"{name:10} {best[name]:9,.0f} {statistics.median(rounds):9,.0f} {'':10} {share:10.2f} x")
    print(f"\n{tokens} tokens, {torch.get_num_threads()} threads; calibration {gflops:.1f} GFLOP/s")
    if as_json:
        figures = {
            "tokens_per_second": best["engine"],
            "limit_tokens_per_second": best["limit"],
            "generate_tokens_per_second": best["generate"],
            "engine_over_limit": best["engine"] / best["limit"],
            "engine_over_generate": best["engine"] / best["generate"],
            "rounds_tokens_per_second": speeds,
            "matmul_gflops": gflops,
            "threads": torch.get_num_threads(),
            "tokens": tokens,
        }
        print(json.dumps(figures))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compare the embedded engine with its limit and with generate.")
    parser.add_argument("--episodes", type=int, default=64)
    parser.add_argument("--turns", type=int, default=4, help="turns of the assistant; a tool answers between them")
    parser.add_argument("--threads", type=int, help="torch's threads; its own choice if not given")
    parser.add_argument("--repeat", type=int, default=3, help="rounds; the best one of each contestant counts")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON in the last line, too")
    return parser.parse_args()


if __name__ == "__main__":
    main()
