"""What a request becomes on the wire, and what an answer must be before anybody learns from it."""

import math
from typing import Any

from agent_rl.clients.sglang_answers import SOURCE, Answer
from agent_rl.core.outcome import InfrastructureError
from agent_rl.rollout.engines.base import LOGPROB_ROUNDING, Finish, Generation, Request

_SEEDS = 2**63


def check_request(request: Request, vocabulary: int, longest: int) -> None:
    """Refuse what would kill the server or can never be served.

    Raises:
        ValueError: No tokens, a token outside the vocabulary, or more than `longest` with the new ones.
    """
    size, new = len(request.tokens), request.max_new_tokens
    if not size or new < 1 or size + new > longest:
        raise ValueError(f"{size} tokens and {new} new ones do not fit the {longest} that the servers take")
    for token in (*request.tokens, *request.stop_tokens):
        if type(token) is not int or not 0 <= token < vocabulary:
            raise ValueError(f"token {token!r} is not in the vocabulary of {vocabulary}")


def sampling_params(request: Request, new: int, seeds: bool) -> dict[str, Any]:
    """Return the server's parameters for `new` more tokens, every one that matters named, so that no default counts.

    Args:
        request: What was asked.
        new: Tokens still to sample.
        seeds: Whether the server honours seeds.
    """
    sampling = request.sampling
    params: dict[str, Any] = {
        "max_new_tokens": new,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k or -1,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "frequency_penalty": 0.0,
        "presence_penalty": 0.0,
        "stop": [],
        "stop_token_ids": sorted(request.stop_tokens),
        # With stop tokens the model's own end-of-text cannot be switched off without them; see `go_on` in `read`.
        "ignore_eos": not request.stop_tokens,
        "skip_special_tokens": False,
    }
    if seeds:
        params["sampling_seed"] = request.seed % _SEEDS
    return params


def read(
    answer: Answer, rid: str, request: Request, new: int, vocabulary: int, versions: dict[str, int]
) -> tuple[Generation, bool]:
    """Return what an answer says, and whether to go on: it ended at a token that is no stop token of the request.

    Args:
        answer: From the server.
        rid: The id it was asked under.
        request: What was asked.
        new: Tokens that were asked for.
        vocabulary: Ids are below it.
        versions: Names of weights and their versions.

    Raises:
        InfrastructureError: The answer cannot be true.
    """
    meta, tokens = answer.meta_info, answer.output_ids
    if meta.id != rid:
        raise _wrong(f"answer to request {meta.id!r} instead of {rid!r}")
    if len(tokens) > new:
        raise _wrong(f"{len(tokens)} tokens where at most {new} were asked for")
    for token in tokens:
        if not 0 <= token < vocabulary:
            raise _wrong(f"token {token} is not in the vocabulary of {vocabulary}")
    if [entry[1] for entry in meta.output_token_logprobs] != tokens:
        raise _wrong("the log-probabilities belong to other tokens than those sampled")
    logprobs = [entry[0] for entry in meta.output_token_logprobs]
    for logprob in logprobs:
        if not math.isfinite(logprob) or logprob > LOGPROB_ROUNDING:
            raise _wrong(f"a log-probability of {logprob}")
    finish, go_on = _finish(answer, request, new)
    return Generation(tokens, logprobs, finish, _versions(answer, versions)), go_on


def _finish(answer: Answer, request: Request, new: int) -> tuple[Finish, bool]:
    reason, tokens = answer.meta_info.finish_reason, answer.output_ids
    early = [token for token in tokens[:-1] if token in request.stop_tokens]
    if early:
        raise _wrong(f"it went on behind the stop token {early[0]}")
    if reason.type == "abort":
        if reason.err_type is not None or reason.status_code is not None:
            raise _wrong(f"aborted: {reason.message} ({reason.err_type or reason.status_code})")
        return Finish.ABORT, False
    if reason.type == "stop":
        # Not a token where NaN logits made the server replace what it had sampled by a stop token.
        if not tokens or type(reason.matched) is not int or tokens[-1] != reason.matched:
            raise _wrong(f"it stopped at {reason.matched!r} but the last token is {tokens[-1:]}")
        if reason.matched in request.stop_tokens:
            return Finish.STOP, False
        return Finish.LENGTH, len(tokens) < new
    if len(tokens) != new:
        raise _wrong(f"it ended by length after {len(tokens)} of {new} tokens")
    return Finish.LENGTH, False


def _versions(answer: Answer, versions: dict[str, int]) -> list[int]:
    """Return the version of the weights that sampled each token."""
    found: list[int] = []
    for span in answer.meta_info.weight_versions:
        if span.start != len(found) or span.end < span.start:
            raise _wrong(f"the spans of weight versions have a hole or overlap at token {span.start}")
        if span.version not in versions:
            raise _wrong(f"weights called {span.version!r}, which nobody here gave it")
        found += [versions[span.version]] * (span.end - span.start)
    if len(found) != len(answer.output_ids):
        raise _wrong(f"weight versions of {len(found)} tokens for {len(answer.output_ids)} tokens")
    return found


def _wrong(what: str) -> InfrastructureError:
    return InfrastructureError(SOURCE, f"a wrong answer: {what}")
