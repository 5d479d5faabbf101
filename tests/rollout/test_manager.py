"""The manager: groups in order, failures apart from rewards, a budget, and a word about what is waited for."""

import asyncio
import logging
import re
import signal
import threading
import time
from dataclasses import replace
from functools import partial

import pytest

from agent_rl import ToolEnv
from agent_rl.core.limits import Limits
from agent_rl.core.message import assistant, image, tool_call, user
from agent_rl.core.outcome import Cause, InfrastructureError
from agent_rl.core.virtual_time import VirtualTimeLoop
from agent_rl.models import attention
from agent_rl.models.scratch import new_model
from agent_rl.rollout.agents import TokenAgent, group_plans
from agent_rl.rollout.engines import Sampling
from agent_rl.rollout.engines.embedded import EmbeddedEngine, EmbeddedSettings
from agent_rl.rollout.engines.scripted import ScriptedEngine
from agent_rl.rollout.failures import FailureBudgetError
from agent_rl.rollout.flights import Flight
from agent_rl.rollout.manager import RolloutManager
from agent_rl.rollout.rollouts import Rollouts
from agent_rl.rollout.settings import PlaySettings

CALL = assistant("", [tool_call("add", {"a": 3, "b": 4})])


def script(renderer):
    """Call the tool once, then answer 7."""
    turns = [renderer.action(CALL), renderer.action(assistant("7"))]
    return lambda request: turns[int(request.id.rpartition("/")[2])]


@pytest.fixture
def manager(adder, renderer):
    """Make managers, and close them when the test ends."""
    made: list[RolloutManager] = []

    def make(engine=None, **settings) -> RolloutManager:
        engine = engine or ScriptedEngine(script(renderer))
        play = PlaySettings(**settings)
        made.append(RolloutManager(engine, partial(TokenAgent, engine, renderer, play.limits), adder, play))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_groups_come_in_the_order_of_the_tasks_with_as_many_samples_as_asked_for(adder, renderer, manager):
    tasks = [adder().tasks("train")[i] for i in (4, 3, 4)]
    groups = manager().run(tasks, 3, Sampling(), seed=0)
    assert [group.task_id for group in groups] == ["train-4", "train-3", "train-4"]
    assert [[t.sample for t in group.trajectories] for group in groups] == [[0, 1, 2]] * 3
    assert [t.reward for t in groups[1].trajectories] == [1.0] * 3
    assert [t.reward for t in groups[0].trajectories] == [0.0] * 3


def test_an_infrastructure_failure_is_tried_again_with_a_fresh_environment(adder, renderer, manager):
    adder.broken_calls = 3
    groups = manager().run([adder().tasks("train")[3]] * 4, 2, Sampling(), seed=0)
    assert all(t.usable and t.reward == 1.0 for group in groups for t in group.trajectories)


def test_what_fails_for_good_is_left_out_and_within_the_budget_the_run_goes_on(adder, renderer, manager):
    adder.broken_calls = 1
    rollouts = manager(retries=0, failure_budget=0.2)
    groups = rollouts.run([adder().tasks("train")[3]], 8, Sampling(), seed=0)
    assert len(groups[0].trajectories) == 8
    assert len(groups[0].usable) == 7
    failed = next(t for t in groups[0].trajectories if not t.usable)
    assert failed.failure.cause is Cause.INFRASTRUCTURE


def test_over_the_budget_the_run_stops_and_names_the_culprit(adder, renderer, manager):
    adder.broken_calls = 1000
    with pytest.raises(FailureBudgetError, match=r"8 of 8 .* 3 times each, more .* 10%.*'adder': out of order"):
        manager().run([adder().tasks("train")[3]], 8, Sampling(), seed=0)


def test_a_failed_rollout_leaves_the_manager_fit_for_the_next(adder, renderer, manager):
    rollouts = manager()
    adder.broken_calls = 1000
    with pytest.raises(FailureBudgetError):
        rollouts.run([adder().tasks("train")[3]], 4, Sampling(), seed=0)
    adder.broken_calls = 0
    assert rollouts.run([adder().tasks("train")[3]], 4, Sampling(), seed=0)[0].usable


def test_every_episode_of_a_rollout_has_its_own_seed(adder, renderer, manager):
    engine = ScriptedEngine(script(renderer))
    manager(engine).run([adder().tasks("train")[3]] * 3, 4, Sampling(), seed=0)
    assert len({request.seed for request in engine.requests}) == len(engine.requests)


def simulated(engine, make_env, renderer, tasks, samples, **settings):
    """Play groups in simulated time, as a manager does in real time; return them and the seconds that it took."""
    chosen = PlaySettings(**settings)
    rollouts = Rollouts(engine, partial(TokenAgent, engine, renderer, chosen.limits), make_env, chosen)
    plans = [group_plans(f"run/{place}", task, samples, Sampling(), 0, place) for place, task in enumerate(tasks)]

    async def run():
        await rollouts.start()
        groups = await rollouts.play([Flight(place, planned) for place, planned in enumerate(plans)])
        await rollouts.stop()
        return groups, asyncio.get_running_loop().time()

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(run())


def test_when_nothing_moves_the_log_names_what_is_waited_for(adder, renderer, caplog):
    engine = ScriptedEngine(script(renderer), token_seconds=1.0)
    with caplog.at_level(logging.WARNING):
        simulated(engine, adder, renderer, [adder().tasks("train")[3]], 5, stall_seconds=9)
    assert "5 are playing: 5 x the engine 9 s; the engine: 5 requests in flight" in caplog.text


def test_progress_counts_up_to_all_episodes(adder, renderer, manager):
    seen: list[tuple[int, int]] = []
    rollouts = manager()
    rollouts.run([adder().tasks("train")[3]], 4, Sampling(), 0, lambda done, total: seen.append((done, total)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_an_interrupt_cancels_the_episodes_and_closes_them(adder, renderer, manager):
    def interrupts_when_all_wait(request):
        if len(engine.requests) == 3:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        return script(renderer)(request)

    engine = ScriptedEngine(interrupts_when_all_wait, token_seconds=600)
    rollouts = manager(engine)
    with pytest.raises(KeyboardInterrupt):
        rollouts.run([adder().tasks("train")[3]], 3, Sampling(), seed=0)
    assert sorted(set(engine.closed)) == [f"run/0/train-3/{i}" for i in range(3)]
    assert "no requests" in engine.status() or engine.status().startswith("0 requests")


def test_what_was_repeated_is_said_in_one_line(adder, manager, caplog):
    adder.broken_calls = 3
    manager().run([adder().tasks("train")[3]] * 4, 2, Sampling(), seed=0)
    lines = [record.getMessage() for record in caplog.records]
    assert lines == [
        "0 of 8 episodes failed for good and are left out, 3 attempts were repeated: 3 x adder: out of order"
    ]


def test_a_task_that_the_model_cannot_be_told_fails_alone_and_is_named_when_all_do(adder, manager, caplog):
    told = adder().tasks("train")[3]
    untold = replace(told, id="seen", messages=(user([image(b"\x89PNG\r\n\x1a\n")]),))
    said = "'renderer': .* is read by text alone here: a user message holds an image"
    first, second = manager(failure_budget=0.5).run([told, untold], 2, Sampling(), seed=0)
    assert (first.rewards, second.usable) == ([1.0, 1.0], [])
    assert re.search(said.replace("'", ""), caplog.text)
    with pytest.raises(FailureBudgetError, match=f"^2 of 2 episodes failed .* {said}"):
        manager(failure_budget=0.5).run([untold], 2, Sampling(), seed=0)


def test_no_more_episodes_play_at_once_than_allowed_and_all_are_played(adder, renderer, manager):
    engine = ScriptedEngine(script(renderer), token_seconds=0.001)
    most = 0

    def counted(request):
        nonlocal most
        most = max(most, len(engine._running))
        return script(renderer)(request)

    engine._script = counted
    groups = manager(engine, concurrency=6).run([adder().tasks("train")[3]] * 10, 2, Sampling(), seed=0)
    assert sum(len(group.trajectories) for group in groups) == 20
    assert 4 <= most < 6


def test_the_wait_for_a_place_at_the_engine_is_held_against_no_deadline(adder, renderer):
    engine = ScriptedEngine(script(renderer), token_seconds=0.01, slots=1)
    limits = Limits(turn_seconds=1.0, episode_seconds=1.5)
    groups, seconds = simulated(engine, adder, renderer, [adder().tasks("train")[3]] * 8, 4, limits=limits, retries=0)
    assert seconds > 3.0  # the last ones waited for longer than either deadline
    assert all(t.failure is None for group in groups for t in group.trajectories)


def test_a_tool_that_blocks_the_event_loop_is_named_with_its_line(adder, manager, caplog, monkeypatch):

    from agent_rl.core.threads import LoopThread

    async def blocks(self, action):
        time.sleep(0.5)
        return [], 0.0, True, False, {}

    monkeypatch.setattr(adder, "astep", blocks)
    monkeypatch.setattr(LoopThread, "_PATIENCE", 0.1)
    manager().run([adder().tasks("train")[3]], 1, Sampling(), seed=0)
    assert "the event loop has not turned for 0.1 s: it is in blocks" in caplog.text
    assert "test_manager.py" in caplog.text


def test_fresh_attempts_never_wait_behind_episodes_that_wait_for_them(adder, renderer, manager, monkeypatch):
    """The engine's rows once went to episodes in the queue, which began only when a fresh attempt had ended."""
    failing = {"train-1", "train-2", "train-3", "train-4"}

    async def areset(self, *, seed=None, options=None):
        if options["task"].id in failing:
            failing.remove(options["task"].id)
            raise InfrastructureError("adder", "not yet")
        return await ToolEnv.areset(self, seed=seed, options=options)

    monkeypatch.setattr(adder, "areset", areset)
    model = new_model(len(renderer.tokenizer), 2, 0, seed=3).eval()
    model.set_attn_implementation(attention.NAME)
    engine = EmbeddedEngine(model, EmbeddedSettings(rows=2))
    tasks = [adder().tasks("train")[i] for i in range(10)]
    limits = Limits(turns=1, turn_tokens=5, turn_seconds=5.0)
    groups = manager(engine, concurrency=3, limits=limits).run(tasks, 1, Sampling(), seed=0)
    assert all(group.usable for group in groups)
