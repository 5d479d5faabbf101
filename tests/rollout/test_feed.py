"""The feed: modes, staleness, refilled groups, carried and aborted ones, deadlines; in simulated time."""

import asyncio
import json
import random
from collections import Counter
from dataclasses import replace
from functools import partial

import pytest
from pydantic import ValidationError

from agent_rl.core.errors import UserError
from agent_rl.core.limits import Limits
from agent_rl.core.message import assistant, tool_call
from agent_rl.core.task import Task, TaskSet
from agent_rl.core.virtual_time import VirtualTimeLoop
from agent_rl.rollout.agents import TokenAgent, group_plans
from agent_rl.rollout.curriculum import Curriculum, CurriculumSettings
from agent_rl.rollout.engines import Sampling
from agent_rl.rollout.engines.scripted import Fault, ScriptedEngine
from agent_rl.rollout.failures import FailureBudgetError
from agent_rl.rollout.feed import Order, Rollout
from agent_rl.rollout.flights import Flight
from agent_rl.rollout.rollouts import Rollouts
from agent_rl.rollout.settings import RolloutSettings

COUNT, SAMPLES = 4, 3
CALL = assistant("", [tool_call("add", {"a": 3, "b": 4})])


class Version:
    def __init__(self, version: int) -> None:
        self.version = version


class Simulation:
    """A training run on a scripted engine whose turns take as long as their place in a random sequence says."""

    def __init__(self, adder, renderer, faults=lambda request: None, answers=("7", "8"), **settings):
        call, rng = renderer.action(CALL), random.Random(0)
        self.places: list[int] = []
        self.steps: list[Rollout] = []
        self.states: list[dict] = []
        self.slow = Counter()

        def script(request) -> list[int]:
            if not int(request.id.rpartition("/")[2]):
                return [5] * int(min(400, rng.lognormvariate(3, 1.2))) + call
            return renderer.action(assistant(rng.choice(answers)))

        self.engine = ScriptedEngine(script, token_seconds=0.1, slots=16, faults=faults)
        limits = Limits(turn_tokens=1000, episode_tokens=4000, turn_seconds=1e4, episode_seconds=1e5)
        self.settings = RolloutSettings(limits=limits, stall_seconds=1e6, **settings)
        make_agent = partial(TokenAgent, self.engine, renderer, limits)
        self.rollouts = Rollouts(self.engine, make_agent, adder, self.settings)
        self.order = Order(lambda place: self._task(adder, place), COUNT, SAMPLES, Sampling(), seed=1)

    def _task(self, adder, place: int) -> Task:
        self.places.append(place)
        task = adder().tasks("train")[3]
        return Task(f"{place}", task.messages, task.answer)

    def train(self, steps: int, first: int = 0, state: dict | None = None, seconds: float = 5.0) -> "Simulation":
        async def run() -> None:
            await self.rollouts.start()
            self.rollouts.follow(self.order, self.settings, first, state or {})
            await self.rollouts.update_weights(Version(first))
            try:
                for step in range(first, first + steps):
                    self.steps.append(await self.rollouts.take())
                    await asyncio.sleep(seconds)  # the trainer computes
                    await self.rollouts.update_weights(Version(step + 1))
                    self.states.append(self.rollouts.feed.state)
            finally:
                await self.rollouts.stop()

        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            runner.run(run())
        return self

    def learned(self) -> list[int]:
        return [int(group.task_id) for rollout in self.steps for group in rollout.groups]

    def staleness(self) -> list[int]:
        return [
            step - min(v for t in group.trajectories for s in t.segments for v in s.weight_versions)
            for step, rollout in enumerate(self.steps)
            for group in rollout.groups
        ]


@pytest.fixture
def simulate(adder, renderer, monkeypatch):
    async def add(self, a: int, b: int) -> int:  # a thread's time is not simulated
        await asyncio.sleep(0.5)
        return a + b

    monkeypatch.setattr(
        adder,
        "add",
        type(adder.__dict__["add"])("add", "Add.", adder.__dict__["add"].arguments, add, adder.__dict__["add"].policy),
    )
    return partial(Simulation, adder, renderer)


MODES = [
    {"mode": "sync"},
    {"mode": "oversample", "oversample": 1.5},
    {"mode": "oversample", "oversample": 2.0, "leftover": "abort"},
    {"mode": "async", "staleness": 1},
    {"mode": "async", "staleness": 2},
]


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: "-".join(map(str, mode.values())))
def test_every_step_has_whole_groups_and_no_place_is_learned_from_twice_or_lost(simulate, mode):
    run = simulate(**mode).train(12)
    assert all(len(rollout.groups) == COUNT for rollout in run.steps)
    assert all(len(g.trajectories) == SAMPLES and g.usable for rollout in run.steps for g in rollout.groups)
    assert len(set(run.learned())) == 12 * COUNT
    unfinished = set(run.states[-1]["again"])
    assert set(run.learned()) | unfinished == set(range(run.states[-1]["next"]))
    assert not set(run.learned()) & unfinished


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: "-".join(map(str, mode.values())))
def test_what_is_played_when_training_is_over_has_the_engine_to_itself(simulate, adder, mode):
    run = simulate(**mode)

    async def scenario() -> None:
        await run.rollouts.start()
        run.rollouts.follow(run.order, run.settings, 0, {})
        await run.rollouts.update_weights(Version(0))
        await run.rollouts.take()
        await run.rollouts.unfollow()
        assert run.engine.sampling == 0 and run.engine.paused
        trained = len(run.engine.requests)
        plans = group_plans("run/0", adder().tasks("train")[3], SAMPLES, Sampling(), 1, 0)
        await run.rollouts.play([Flight(0, plans)])
        assert all(request.episode.startswith("run/") for request in run.engine.requests[trained:])
        await run.rollouts.stop()

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(scenario())


def test_an_evaluation_in_between_tells_nothing_of_what_training_repeats_meanwhile(simulate, adder, caplog):
    def first_attempts_of_training(request) -> Fault | None:
        return None if "#" in request.episode or request.episode.startswith("run/") else Fault.REFUSE

    run = simulate(mode="async", staleness=2, faults=first_attempts_of_training)

    async def scenario() -> tuple[str, str]:
        await run.rollouts.start()
        run.rollouts.follow(run.order, run.settings, 0, {})
        await run.rollouts.take()
        caplog.clear()
        await run.rollouts.update_weights(Version(1))  # so that more is begun
        plans = group_plans("run/0", adder().tasks("train")[3], SAMPLES, Sampling(), 7, 0)
        await run.rollouts.play([Flight(0, plans)])
        evaluation = caplog.text
        await run.rollouts.take()
        await run.rollouts.stop()
        return evaluation, caplog.text

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        evaluation, training = runner.run(scenario())
    assert evaluation == ""
    assert "attempts were repeated" in training


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: "-".join(map(str, mode.values())))
def test_nothing_is_learned_from_that_is_older_than_the_staleness_allows(simulate, mode):
    run = simulate(**mode).train(20)
    assert max(run.staleness()) <= mode.get("staleness", 0 if mode["mode"] == "sync" else 2)
    if mode["mode"] != "sync" and mode.get("leftover") != "abort":
        assert max(run.staleness()) > 0  # the modes do work ahead


def test_an_episode_that_lives_across_weight_updates_records_the_version_of_each_token(simulate):
    run = simulate(mode="async").train(12)
    mixed = [
        segment.weight_versions
        for rollout in run.steps
        for group in rollout.groups
        for t in group.trajectories
        for segment in t.segments
        if len(set(segment.weight_versions)) > 1
    ]
    assert mixed
    assert all(list(versions) == sorted(versions) for versions in mixed)


def test_carried_groups_go_on_where_they_were(simulate):
    run = simulate(mode="oversample", oversample=2.0).train(8)
    begun = Counter(request.episode for request in run.engine.requests)
    assert set(begun.values()) <= {1, 2}  # two turns each, none begun twice


def test_aborted_groups_are_begun_anew_and_the_engine_forgets_them(simulate):
    run = simulate(mode="oversample", oversample=2.0, leftover="abort").train(8)
    assert max(Counter(run.places).values()) > 1
    assert not Counter(run.engine.opened) - Counter(run.engine.closed)


def test_what_is_overlapped_takes_less_time_than_what_waits(simulate):
    def seconds(**mode) -> float:
        run = simulate(**mode)
        clock: list[float] = []
        original = run.rollouts.stop

        async def stop() -> None:
            clock.append(asyncio.get_running_loop().time())
            await original()

        run.rollouts.stop = stop
        run.train(20, seconds=10.0)
        return clock[0]

    sync, oversample, overlapping = (seconds(**mode) for mode in (MODES[0], MODES[1], MODES[4]))
    assert overlapping < oversample < sync


def test_groups_without_signal_are_replaced_by_further_tasks(simulate):
    run = simulate(dynamic_sampling=True, refill=10.0).train(6)
    assert all(group.informative for rollout in run.steps for group in rollout.groups)
    dropped = [int(group.task_id) for rollout in run.steps for group in rollout.dropped]
    assert dropped
    assert not any(group.informative for rollout in run.steps for group in rollout.dropped)
    assert sorted(run.learned() + dropped) == list(range(run.states[-1]["next"]))


def test_when_nothing_ever_teaches_the_step_ends_all_the_same(simulate):
    run = simulate(answers=["7"], dynamic_sampling=True, refill=1.5).train(2)
    assert [len(rollout.groups) for rollout in run.steps] == [COUNT] * 2
    assert [len(rollout.dropped) for rollout in run.steps] == [6] * 2


def test_refilling_in_sync_mode_does_not_depend_on_what_ends_first(simulate):
    one = simulate(dynamic_sampling=True, refill=0.5).train(6)
    other = simulate(dynamic_sampling=True, refill=0.5)
    other.engine._pace = 0.01
    assert one.learned() == other.train(6).learned()


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: "-".join(map(str, mode.values())))
def test_a_resumed_run_loses_no_task(simulate, mode):
    first = simulate(**mode).train(5)
    state = first.states[-1]
    second = simulate(**mode).train(5, first=5, state=state)
    both = first.learned() + second.learned()
    assert len(set(both)) == len(both) == 10 * COUNT
    assert set(both) | set(second.states[-1]["again"]) == set(range(second.states[-1]["next"]))


@pytest.mark.parametrize("mode", MODES[1:], ids=lambda mode: "-".join(map(str, mode.values())))
def test_groups_that_end_while_the_engine_is_paused_are_in_the_state(simulate, adder, monkeypatch, mode):
    step = adder.astep

    async def slow(self, action):
        answer = await step(self, action)
        await asyncio.sleep(2.0)
        return answer

    monkeypatch.setattr(adder, "astep", slow)
    run = simulate(**mode).train(12)
    for number, state in enumerate(run.states):
        learned = {int(group.task_id) for rollout in run.steps[: number + 1] for group in rollout.groups}
        assert learned | set(state["again"]) == set(range(state["next"]))


def test_the_steps_deadline_ends_what_hangs_and_says_what_it_waited_for(simulate):
    hanging = lambda request: Fault.HANG if request.episode == "0/0/0" else None  # noqa: E731
    run = simulate(faults=hanging, step_seconds=200.0).train(1)
    failed = [t for t in run.steps[0].groups[0].trajectories if not t.usable]
    assert [t.sample for t in failed] == [0]
    assert failed[0].failure.message == "the step's deadline of 200 s passed; waiting for the engine"
    assert failed[0].reward == 0.0 and failed[0] not in [t for e in run.steps[0].groups[0].usable for t in e]


def test_a_pause_moves_the_deadlines_of_what_it_freezes(simulate):
    limits = Limits(turn_tokens=1000, episode_tokens=4000, turn_seconds=60.0, episode_seconds=150.0)
    run = simulate(mode="oversample", oversample=2.0, retries=0)
    run.rollouts._runner._settings = run.settings.model_copy(update={"limits": limits})
    run.train(8, seconds=5000.0)
    assert all(t.failure is None for rollout in run.steps for g in rollout.groups for t in g.trajectories)


def test_over_the_budget_a_training_step_stops_with_the_culprit(simulate):
    with pytest.raises(FailureBudgetError, match="'engine': the connection was lost"):
        simulate(faults=lambda request: Fault.REFUSE).train(1)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"mode": "sync", "staleness": 1}, "staleness has no effect"),
        ({"mode": "async", "oversample": 2.0}, "oversample has no effect"),
        ({"refill": 1.0}, "refill has no effect"),
        ({"mode": "oversample", "oversample": 3.0, "staleness": 1}, "needs a staleness of 2"),
    ],
)
def test_a_setting_that_the_mode_does_not_read_is_refused(given, said):
    with pytest.raises(ValidationError, match=said):
        RolloutSettings(**given)


@pytest.mark.parametrize("mode", ["sync", "oversample", "async"])
def test_what_only_the_user_can_mend_ends_the_step_at_once(adder, renderer, mode):
    def wrong_key(request) -> None:
        if request.id.startswith("2/"):
            raise UserError("the key is wrong")
        return Fault.HANG

    with pytest.raises(UserError, match="the key is wrong"):
        Simulation(adder, renderer, faults=wrong_key, mode=mode).train(1)


def greedy(run: Simulation) -> Simulation:
    run.order = replace(run.order, beside=("baseline",))
    return run


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: "-".join(map(str, mode.values())))
def test_every_group_has_a_greedy_episode_beside_its_samples_where_one_is_ordered(simulate, mode):
    run = greedy(simulate(**mode)).train(8)
    groups = [group for rollout in run.steps for group in rollout.groups]
    assert all([t.sample for t in group.trajectories] == list(range(SAMPLES)) for group in groups)
    assert all([t.sample for t in group.baseline] == [SAMPLES] and group.comparable for group in groups)
    temperatures = {request.episode.rpartition("/")[2]: request.sampling.temperature for request in run.engine.requests}
    assert temperatures == {"0": 1.0, "1": 1.0, "2": 1.0, "3": 0.0}
    if mode.get("leftover") != "abort":
        begun = Counter(request.episode for request in run.engine.requests)
        assert set(begun.values()) <= {1, 2}
    assert not Counter(run.engine.opened) - Counter(run.engine.closed)


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: "-".join(map(str, mode.values())))
def test_a_resumed_run_loses_no_group_with_a_greedy_episode(simulate, mode):
    first = greedy(simulate(**mode)).train(4)
    second = greedy(simulate(**mode)).train(4, first=4, state=first.states[-1])
    both = first.learned() + second.learned()
    assert len(set(both)) == len(both) == 8 * COUNT
    assert all(group.baseline and group.comparable for rollout in second.steps for group in rollout.groups)


def test_a_greedy_episode_that_fails_is_tried_again_and_its_group_left_out_when_that_is_of_no_use(simulate, caplog):
    def faults(request) -> Fault | None:
        place, _, sample = request.episode.split("/")
        if sample.partition("#")[0] != str(SAMPLES) or place == "1":
            return None
        return Fault.REFUSE if place == "0" or "#" not in sample else None

    run = greedy(simulate(faults=faults)).train(1)
    groups = run.steps[0].groups
    assert [bool(group.comparable) for group in groups] == [False, True, True, True]
    assert not groups[0].baseline[-1].usable and groups[0].usable
    assert "1 of 16 episodes failed for good" in caplog.text and "4 attempts were repeated" in caplog.text


def test_a_greedy_episode_changes_nothing_of_the_samples():
    task = Task("t", ())
    alone, beside = (group_plans("0", task, SAMPLES, Sampling(top_p=0.9), 5, 7, kinds) for kinds in ((), ("baseline",)))
    assert beside[:SAMPLES] == alone and len(beside) == SAMPLES + 1
    assert (beside[-1].kind, beside[-1].sampling) == ("baseline", Sampling(temperature=0.0))


class Ten:
    """The tasks of the sums, for a curriculum."""

    def __init__(self, run: Simulation, adder) -> None:
        tasks = TaskSet([Task(f"{i}", t.messages, t.answer) for i, t in enumerate(adder().tasks("train"))], "train")
        self.curriculum = Curriculum(tasks, CurriculumSettings(order="learnable"), 1, 1.0)
        run.order = replace(run.order, task=self.task, curriculum=self.curriculum)
        self.met: dict[int, list[str]] = {}

    def task(self, place: int) -> Task:
        task = self.curriculum.task(place)
        self.met.setdefault(place, []).append(task.id)
        return task


@pytest.mark.parametrize(
    "mode", [*MODES, {"dynamic_sampling": True}], ids=lambda mode: "-".join(map(str, mode.values()))
)
def test_a_curriculum_hears_of_every_group_and_a_resumed_run_goes_on_with_the_tasks_it_had_begun(simulate, adder, mode):
    run = simulate(**mode)
    ten = Ten(run, adder)
    run.train(6)
    state = run.states[-1]
    heard = sum(len(rollout.groups) + len(rollout.dropped) for rollout in run.steps)
    assert heard + len(state["again"]) == state["next"]
    assert all(len(set(ids)) == 1 for ids in ten.met.values())  # begun anew with the same task
    again = state["curriculum"]["flying"]
    assert again == {str(place): ten.met[place][0] for place in state["again"] if place in ten.met}
    other = simulate(**mode)
    resumed = Ten(other, adder)
    other.train(3, first=6, state=json.loads(json.dumps(state)))
    assert all(resumed.met[int(place)][0] == task for place, task in again.items())
