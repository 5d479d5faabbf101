"""One call of a tool as its policy says: cache and records, a place under its limits, attempts, the cut."""

import asyncio
import inspect
import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from pydantic import BaseModel

from agent_rl.core.context import count, current
from agent_rl.core.deadlines import Overdue, waiting_for, within
from agent_rl.core.outcome import BrokenEnvironmentError, EpisodeError, InfrastructureError, told
from agent_rl.core.seeds import derive
from agent_rl.core.settings import Settings
from agent_rl.core.threads import in_thread
from agent_rl.tools import limiter, records
from agent_rl.tools.answers import Answer, Question, cache
from agent_rl.tools.policy import ToolPolicy

_AFTERMATH = 600.0
"""Seconds for which a plain function that overran its time-out, and so goes on in its thread, still holds its place."""


async def answered(name: str, function: Callable[..., Any], values: BaseModel, policy: ToolPolicy) -> Answer:
    """Return what `function` says to validated arguments, cut to the policy's lengths.

    Raises:
        InfrastructureError: It took too long, no place was free for too long, or its service could not be reached.
        BrokenEnvironmentError: It raised anything else, or a replayed run asks what was not recorded.
    """
    ask = partial(_attempts, name, function, values, policy)
    record, replay = os.environ.get(records.RECORD), os.environ.get(records.REPLAY)
    if policy.cache is None and not record and not replay:
        answer = await ask()
    else:
        answer = await _remembered(name, function, values, policy, ask)
    if policy.max_tokens is not None:
        limit = policy.max_tokens
        answer = await in_thread(lambda: answer.within_tokens(limit))
    if answer.left_out:
        count(f"tools/{name}/cut")
    return answer


async def _remembered(
    name: str, function: Callable[..., Any], values: BaseModel, policy: ToolPolicy, ask: Callable[[], Any]
) -> Answer:
    """Return what was recorded, what is in the cache, or else what `ask` says; record it if asked to."""
    question = Question(name, _hangs_on(function), json.dumps(values.model_dump(mode="json"), sort_keys=True))
    record, replay = os.environ.get(records.RECORD), os.environ.get(records.REPLAY)
    number = records.occurrence(question) if record or replay else 0
    if replay and policy.replay:
        return records.replayed(replay, question, number)
    if policy.cache is None:
        answer: Answer = await ask()
    else:
        # Files of one name bring modules of one name: a cache, which other projects share, tells them apart; and by a
        # hash of what may be secret, if the object that a tool is a method of gives one. Records are played without it.
        file = getattr(getattr(function, "__code__", None), "co_filename", "")
        secret = getattr(getattr(function, "__self__", None), "fingerprint", "")
        kept = replace(question, settings=f"{file} {secret} {question.settings}")
        answer, there = await cache(policy.cache).answer(kept, ask)
        count(f"tools/{name}/cached", there)
    if record and policy.replay:
        records.record(record, question, number, answer)
    return answer


def _hangs_on(function: Callable[..., Any]) -> str:
    """Return where a tool is declared, and the settings of the object that it is a method of."""
    settings = getattr(getattr(function, "__self__", None), "settings", None)
    place = f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', '')}"
    return f"{place} {settings.model_dump_json()}" if isinstance(settings, Settings) else place


async def _attempts(name: str, function: Callable[..., Any], values: BaseModel, policy: ToolPolicy) -> Answer:
    """Try until it goes well, the error is not the infrastructure's, or the attempts are used up."""
    arguments = {field: getattr(values, field) for field in type(values).model_fields}
    for attempt in range(policy.retries + 1):
        try:
            return await _attempt(name, function, arguments, policy)
        except Exception as error:
            if isinstance(error, Overdue):
                count(f"tools/{name}/timeouts")
            if not policy.transient(error):
                if isinstance(error, EpisodeError):
                    raise
                raise BrokenEnvironmentError(name, told(error)) from error
            if attempt == policy.retries:
                raise _failure(name, policy, error) from error
        count(f"tools/{name}/retries")
        with waiting_for(f"{name}, to try it again"), current().excuse.queueing():
            await asyncio.sleep(policy.pause(attempt, derive(0, current().episode, name, attempt)))
    raise AssertionError("the last attempt returns or raises")


def _failure(name: str, policy: ToolPolicy, error: Exception) -> EpisodeError:
    """Return the failure of an episode whose last attempt at a call failed like this."""
    if isinstance(error, InfrastructureError):
        return error
    said = f"no answer within {policy.timeout:g} s" if isinstance(error, Overdue) else told(error)
    return InfrastructureError(name, said)


async def _attempt(name: str, function: Callable[..., Any], arguments: dict[str, Any], policy: ToolPolicy) -> Answer:
    """Run the function once, in a place of its own if there are limits, within the time-out."""
    leave = _nothing
    if policy.limited:
        leave = (await limiter.wait_for_place(name, policy, name, f"seconds/tools/{name}/wait")).leave
    begun, since = time.perf_counter(), asyncio.get_running_loop().time()
    running = _Running(partial(function, **arguments), policy.max_chars, leave)
    try:
        with waiting_for(name):
            return await within(policy.timeout, running.run(inspect.iscoroutinefunction(function)))
    except Exception:
        current().excuse.forgive(since)
        raise
    finally:
        running.abandon()
        count(f"seconds/tools/{name}", time.perf_counter() - begun)


def _nothing() -> None:
    """Give back nothing."""


class _Running:
    """A function that runs and holds its place until it really ends, however long somebody waits for it."""

    def __init__(self, call: Callable[[], Any], limit: int, leave: Callable[[], None]) -> None:
        self._call, self._limit, self._leave = call, limit, leave
        self._in_thread = False

    async def run(self, is_async: bool) -> Answer:
        """Return what the function returns as text, made and cut where the function runs: it may be of any size."""
        if is_async:
            return Answer.of(await self._call(), self._limit)
        self._in_thread = True
        return await in_thread(self._run)

    def _run(self) -> Answer:
        try:
            return Answer.of(self._call(), self._limit)
        finally:
            self._in_thread = False
            self._leave()

    def abandon(self) -> None:
        """Give the place back, unless the function goes on in its thread; then when it ends, or after a while."""
        if self._in_thread:
            asyncio.get_running_loop().call_later(_AFTERMATH, self._leave)
        else:
            self._leave()
