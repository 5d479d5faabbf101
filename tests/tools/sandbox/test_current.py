"""The sandbox of a run: chosen once, for all that the run starts."""

import asyncio
import multiprocessing
import subprocess
import sys
from multiprocessing.queues import SimpleQueue

from agent_rl.core.scopes import RUN, end
from agent_rl.tools.sandbox.base import Program
from agent_rl.tools.sandbox.current import current_sandbox, using
from agent_rl.tools.sandbox.local import LocalSandbox, LocalSettings


def test_it_is_made_once_and_closed_with_the_run() -> None:
    with using(LocalSettings(concurrency=3)):
        made = current_sandbox()
        assert isinstance(made, LocalSandbox)
        assert made.settings.concurrency == 3
        assert current_sandbox() is made
    assert current_sandbox() is not made
    asyncio.run(end(RUN))
    with using(LocalSettings(concurrency=3)):
        assert current_sandbox() is not made
    asyncio.run(end(RUN))


def test_processes_started_meanwhile_use_the_same_settings() -> None:
    code = "from agent_rl.tools.sandbox.current import current_sandbox; print(current_sandbox().settings.concurrency)"
    with using(LocalSettings(concurrency=7)):
        assert subprocess.check_output([sys.executable, "-c", code], text=True) == "7\n"


def _run(text: str, answers: "SimpleQueue[str] | None" = None) -> str:
    said = asyncio.run(current_sandbox().run(Program(f"print('{text}')"))).stdout
    if answers is not None:
        answers.put(said)
    return said


def test_a_process_that_was_forked_runs_programs_too() -> None:
    context = multiprocessing.get_context("fork")
    answers: SimpleQueue[str] = context.SimpleQueue()
    assert _run("before") == "before\n"
    child = context.Process(target=_run, args=("child", answers))
    child.start()
    child.join(60)
    child.kill()
    assert not answers.empty()
    assert answers.get() == "child\n"
    assert _run("after") == "after\n"
