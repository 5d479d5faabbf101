"""The manager: groups in order, failures apart from rewards, a budget, and a word about what is waited for."""

import asyncio
import logging

import pytest

from agent_rl.core.message import assistant, tool_call
from agent_rl.core.outcome import Cause
from agent_rl.rollout.engines import Sampling
from agent_rl.rollout.engines.scripted import ScriptedEngine
from agent_rl.rollout.manager import FailureBudgetError, RolloutManager, RolloutSettings

CALL = assistant("", [tool_call("add", {"a": 3, "b": 4})])


def script(renderer):
    """Call the tool once, then answer 7."""
    turns = [renderer.action(CALL), renderer.action(assistant("7"))]
    return lambda request: turns[int(request.id.rpartition("/")[2])]


def manager(adder, renderer, engine=None, **settings) -> RolloutManager:
    engine = engine or ScriptedEngine(script(renderer))
    return RolloutManager(engine, renderer, adder, RolloutSettings(**settings))


def test_groups_come_in_the_order_of_the_tasks_with_as_many_samples_as_asked_for(adder, renderer):
    tasks = [adder().tasks("train")[i] for i in (4, 3, 4)]
    groups = manager(adder, renderer).run(tasks, 3, Sampling(), seed=0)
    assert [group.task_id for group in groups] == ["train-4", "train-3", "train-4"]
    assert [[t.sample for t in group.trajectories] for group in groups] == [[0, 1, 2]] * 3
    assert [t.reward for t in groups[1].trajectories] == [1.0] * 3
    assert [t.reward for t in groups[0].trajectories] == [0.0] * 3


def test_an_infrastructure_failure_is_tried_again_with_a_fresh_environment(adder, renderer):
    adder.broken_calls = 3
    groups = manager(adder, renderer).run([adder().tasks("train")[3]] * 4, 2, Sampling(), seed=0)
    assert all(t.usable and t.reward == 1.0 for group in groups for t in group.trajectories)


def test_what_fails_for_good_is_left_out_and_within_the_budget_the_run_goes_on(adder, renderer):
    adder.broken_calls = 1
    rollouts = manager(adder, renderer, retries=0, failure_budget=0.2)
    groups = rollouts.run([adder().tasks("train")[3]], 8, Sampling(), seed=0)
    assert len(groups[0].trajectories) == 8
    assert len(groups[0].usable) == 7
    failed = next(t for t in groups[0].trajectories if not t.usable)
    assert failed.failure.cause is Cause.INFRASTRUCTURE


def test_over_the_budget_the_run_stops_and_names_the_culprit(adder, renderer):
    adder.broken_calls = 1000
    with pytest.raises(FailureBudgetError, match=r"8 of 8 episodes failed 3 times each.*'adder': out of order"):
        manager(adder, renderer).run([adder().tasks("train")[3]], 8, Sampling(), seed=0)


def test_a_failed_rollout_leaves_the_manager_fit_for_the_next(adder, renderer):
    rollouts = manager(adder, renderer)
    adder.broken_calls = 1000
    with pytest.raises(FailureBudgetError):
        rollouts.run([adder().tasks("train")[3]], 4, Sampling(), seed=0)
    adder.broken_calls = 0
    assert rollouts.run([adder().tasks("train")[3]], 4, Sampling(), seed=0)[0].usable


def test_every_episode_of_a_rollout_has_its_own_seed(adder, renderer):
    engine = ScriptedEngine(script(renderer))
    manager(adder, renderer, engine).run([adder().tasks("train")[3]] * 3, 4, Sampling(), seed=0)
    assert len({request.seed for request in engine.requests}) == len(engine.requests)


def test_when_nothing_moves_the_log_names_what_is_waited_for(adder, renderer, caplog):
    engine = ScriptedEngine(script(renderer), seconds=0.3)
    with caplog.at_level(logging.WARNING):
        manager(adder, renderer, engine, stall_seconds=0.1).run([adder().tasks("train")[3]], 5, Sampling(), seed=0)
    assert "5 are waiting: 5 for the engine (turn 1)" in caplog.text


def test_progress_counts_up_to_all_episodes(adder, renderer):
    seen: list[tuple[int, int]] = []
    rollouts = manager(adder, renderer)
    rollouts.run([adder().tasks("train")[3]], 4, Sampling(), 0, lambda done, total: seen.append((done, total)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_an_interrupt_cancels_the_episodes_and_closes_them(adder, renderer):
    engine = ScriptedEngine(script(renderer), seconds=30)
    rollouts = manager(adder, renderer, engine)

    async def interrupted() -> None:
        work = asyncio.create_task(rollouts._play_all(plans, None))
        await asyncio.sleep(0.05)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)

    from agent_rl.rollout.episode import Plan

    plans = [Plan(f"e{i}", adder().tasks("train")[3], i, Sampling(), i) for i in range(3)]
    asyncio.run(interrupted())
    assert sorted(engine.closed) == ["e0", "e1", "e2"]
