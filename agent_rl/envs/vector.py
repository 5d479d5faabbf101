"""Many environments at once: `make_vec`, a `gymnasium.vector.VectorEnv` whose environments wait side by side."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from agent_rl.core.message import Message
from agent_rl.core.threads import LoopThread
from agent_rl.envs.base import Observation, StepResult
from agent_rl.envs.registration import make
from agent_rl.envs.wrappers.base import ChatEnv, awaitable

T = TypeVar("T")
Observations = tuple[Observation, ...]
Array = npt.NDArray[Any]


class ChatVectorEnv(VectorEnv[Observations, Sequence[Message], Array]):
    """Steps N environments at once, on an event loop of its own: a turn takes as long as the slowest of them.

    Observations are a tuple of N lists of messages, actions any sequence of N assistant messages; rewards and flags are
    arrays `[N]`. Gymnasium's default holds for what ends: the step after resets it, whatever its action is, with a
    reward of 0. `gymnasium.make_vec` gives the same one environment after the other.
    """

    metadata = {"render_modes": [], "autoreset_mode": AutoresetMode.NEXT_STEP}  # noqa: RUF012  (Gymnasium's own)

    def __init__(self, make_envs: Sequence[Callable[[], ChatEnv]]) -> None:
        """Make the environments."""
        self.envs = [awaitable(make_env()) for make_env in make_envs]
        self.num_envs = len(self.envs)
        self.single_observation_space = self.envs[0].observation_space
        self.single_action_space = self.envs[0].action_space
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._over = np.zeros(self.num_envs, dtype=np.bool_)
        self._loop = LoopThread()

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observations, dict[str, Any]]:
        """Begin an episode in every environment.

        Args:
            seed: The first environment's, the next ones' being the numbers after it; or one for each.
            options: What each environment's `reset` is given.

        Raises:
            ValueError: There are not as many seeds as environments.
        """
        given = seed if isinstance(seed, int) else None
        one_each = [None if given is None else given + place for place in range(self.num_envs)]
        seeds = list(seed) if isinstance(seed, Sequence) else one_each
        if len(seeds) != self.num_envs:
            raise ValueError(f"{self.num_envs} environments need as many seeds, not {len(seeds)}")
        self._over[:] = False
        answers = self._all(
            [partial(env.areset, seed=s, options=options) for env, s in zip(self.envs, seeds, strict=True)]
        )
        return tuple(messages for messages, _ in answers), self._infos([info for _, info in answers])

    def step(self, actions: Sequence[Message]) -> tuple[Observations, Array, Array, Array, dict[str, Any]]:
        """Take one message for each environment; return messages, rewards, terminated, truncated and infos of all.

        Raises:
            ValueError: There are not as many actions as environments.
        """
        if len(actions) != self.num_envs:
            raise ValueError(f"{self.num_envs} environments need as many actions, not {len(actions)}")
        answers = self._all([partial(self._next, place, action) for place, action in enumerate(actions)])
        observations, rewards, terminated, truncated, infos = zip(*answers, strict=True)
        ended = np.array(terminated, dtype=np.bool_), np.array(truncated, dtype=np.bool_)
        self._over = ended[0] | ended[1]
        return observations, np.array(rewards, dtype=np.float64), *ended, self._infos(infos)

    def close_extras(self, **kwargs: Any) -> None:
        """Close the environments and end the loop."""
        for env in self.envs:
            env.close()
        self._loop.close()

    async def _next(self, place: int, action: Message) -> StepResult:
        env = self.envs[place]
        if not self._over[place]:
            return await env.astep(action)
        observation, info = await env.areset()
        return observation, 0.0, False, False, info

    def _all(self, work: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
        """Do all of it at once, on the loop; the first failure is raised, and nothing is left running."""

        async def together() -> list[T]:
            tasks = [asyncio.ensure_future(part()) for part in work]
            try:
                return await asyncio.gather(*tasks)
            finally:
                for task in tasks:
                    task.cancel()

        return self._loop.run(together)

    def _infos(self, infos: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Return the environments' infos as Gymnasium has them: by key, an array and which environments gave one."""
        together: dict[str, Any] = {}
        for place, info in enumerate(infos):
            together = self._add_info(together, info, place)
        return together


def make_vec(name: str, num_envs: int = 1, **settings: Any) -> ChatVectorEnv:
    """Return `num_envs` environments, by name or path, that are stepped at once.

    Raises:
        UserError: There is no such environment, or a setting is unknown or wrong.
    """
    return ChatVectorEnv([lambda: make(name, **settings)] * num_envs)
