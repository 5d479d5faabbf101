"""Many environments at once: Gymnasium's vector environments with our spaces, and ours that waits for all at once."""

import asyncio
from typing import Any

import gymnasium
import pytest
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv
from gymnasium.vector.utils import concatenate, create_empty_array, iterate
from gymnasium.wrappers.vector import RecordEpisodeStatistics

from agent_rl import make_vec, register_env
from agent_rl.core.message import Message, assistant, user
from agent_rl.core.task import Task
from agent_rl.core.threads import in_thread
from agent_rl.envs.base import AgentEnv, ResetResult, StepResult
from agent_rl.envs.vector import ChatVectorEnv
from tests.envs.test_wrappers import ADD, Adder


class Rendezvous(AgentEnv):
    """A step ends only when every environment has begun one: stepped one by one, they would wait for ever."""

    waiting: asyncio.Barrier

    async def areset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> ResetResult:
        gymnasium.Env.reset(self, seed=seed)
        return [user("go")], {}

    async def astep(self, action: Message) -> StepResult:
        async with asyncio.timeout(20):
            await self.waiting.wait()
        if action["content"] == "fall":
            raise KeyError("fell")
        return [user("all here")], 1.0, False, False, {}


class SetUp(Adder):
    """What it sets up, it does in a thread."""

    def setup(self, task: Task) -> None:
        self.ready = True


def seen(env: Any) -> list[str]:
    """Return all that three turns of three environments give, of which some end on the way."""
    turns = [[ADD, assistant("1"), assistant("2")], [assistant("2"), ADD, ADD], [ADD] * 3]
    answers = [repr(env.reset(seed=5)), *[repr(env.step(actions)) for actions in turns]]
    env.close()
    return answers


@pytest.fixture
def adders() -> list[Any]:
    return [Adder, Adder, Adder]


def test_all_environments_wait_at_once_and_agree_with_gymnasiums_that_are_stepped_one_by_one(adders):
    ours, one_by_one = ChatVectorEnv(adders), SyncVectorEnv(adders)
    assert ours.observation_space == one_by_one.observation_space
    assert seen(ours) == seen(one_by_one)


def test_what_has_ended_is_reset_by_the_next_step_as_in_gymnasium(adders):
    env = ChatVectorEnv(adders)
    (first, *_), infos = env.reset(seed=5)
    assert (len(infos["task_id"]), infos["_task_id"].tolist()) == (3, [True] * 3)
    _, _, terminated, _, infos = env.step([assistant("x"), ADD, ADD])
    assert (terminated.tolist(), infos["_components"].tolist()) == ([True, False, False], [True] * 3)
    observations, rewards, terminated, _, infos = env.step([ADD] * 3)
    assert (observations[0][0]["role"], observations[1][0]["content"]) == (first[0]["role"], "4")
    assert (rewards[0], terminated[0], infos["_task_id"].tolist()) == (0.0, False, [True, False, False])
    env.close()


def test_steps_go_on_side_by_side_and_a_failure_of_one_is_raised():
    Rendezvous.waiting = asyncio.Barrier(4)
    env = ChatVectorEnv([Rendezvous] * 4)
    env.reset()
    assert env.step([assistant("here")] * 4)[1].tolist() == [1.0] * 4
    with pytest.raises(KeyError, match="fell"):
        env.step([*[assistant("here")] * 3, assistant("fall")])
    env.close()


def test_it_is_made_by_name_with_settings_and_composes_with_gymnasiums_vector_wrappers():
    register_env("vector_adder", Adder)
    env = RecordEpisodeStatistics(make_vec("vector_adder", 3))
    observations, _ = env.reset(seed=0)
    assert env.observation_space.contains(observations)
    *_, infos = env.step([ADD, assistant("0"), assistant("0")])
    assert infos["_episode"].tolist() == [False, True, True]
    env.close()


def test_too_few_seeds_or_actions_are_refused(adders):
    env = ChatVectorEnv(adders)
    with pytest.raises(ValueError, match="3 environments need as many seeds, not 2"):
        env.reset(seed=[1, 2])
    env.reset(seed=[1, 2, None])
    with pytest.raises(ValueError, match="3 environments need as many actions, not 1"):
        env.step([ADD])
    env.close()


def test_gymnasium_makes_vectors_of_registered_environments():
    register_env("vector_adder", Adder)
    env = gymnasium.make_vec("agent_rl/VectorAdder-v0", num_envs=2, vectorization_mode="sync")
    observations, _ = env.reset(seed=0)
    assert env.observation_space.contains(observations)
    assert env.step([ADD, assistant("1")])[2].tolist() == [False, True]
    assert [len(messages) for messages in env.step([ADD, ADD])[0]] == [1, 1]
    env.close()


def test_gymnasiums_processes_step_ours_without_shared_memory(adders):
    asyncio.run(in_thread(int))  # the thread is idle then, and missing in processes that are forked
    env = AsyncVectorEnv([SetUp, *adders[:1]], shared_memory=False)
    env.reset_async(seed=0)
    env.reset_wait(timeout=60)
    assert env.step((ADD, assistant("9")))[2].tolist() == [False, True]
    env.close()


def test_gymnasium_batches_and_takes_apart_what_is_in_our_spaces():
    env = Adder()
    for space in (env.observation_space, env.action_space):
        items = [space.sample() for _ in range(3)]
        batch = gymnasium.vector.utils.batch_space(space, 3)
        together = concatenate(space, items, create_empty_array(space, 3))
        assert batch.contains(together)
        assert list(iterate(batch, together)) == items
