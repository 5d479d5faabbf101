"""How busy a fleet of engines is kept in each rollout mode, in simulated time.

Eight engines sample 32 requests at once each, 50 tokens a second. A step learns from 64 groups of 8 episodes: three
tool turns and an answer, the length of each turn log-normal with median 400 and sigma 1.2, at most 8,192 tokens; tools
take 0.05 to 5 s (log-uniform). Training takes 5 % of the time in which the fleet could sample a step (with 10 %,
`async` comes to 96.5 %). Only tokens that are learned from count as busy; the last steps are played to see that
everything is that was begun. The time of `sync` and `oversample` is counted without the training, during which their
engines may be given to the trainer.

The ideal is 1: every slot samples at every moment. The scheduler, the retries, the deadlines and the pauses are the
real ones; simulated are the engines and the tools.
"""

import asyncio
import math
import random
from dataclasses import dataclass
from functools import partial
from typing import Any

from agent_rl.core.context import estimated_tokens
from agent_rl.core.deadlines import Excuse
from agent_rl.core.limits import Limits
from agent_rl.core.message import Message, assistant, user
from agent_rl.core.task import Task
from agent_rl.core.trajectory import Origin, Segment, Trajectory
from agent_rl.core.virtual_time import VirtualTimeLoop
from agent_rl.envs.base import AgentEnv, ResetResult, StepResult
from agent_rl.rollout.agents import Action, Plan
from agent_rl.rollout.engines.base import Engine, Request, Sampling
from agent_rl.rollout.engines.scripted import ScriptedEngine
from agent_rl.rollout.feed import Order, Rollout
from agent_rl.rollout.rollouts import Rollouts
from agent_rl.rollout.settings import RolloutSettings

ENGINES, SLOTS = 8, 32
GROUPS, SAMPLES, TURNS = 64, 8, 4
IN_FLIGHT = 280  # episodes: those that sample, and those that wait for their tools
TOKEN_SECONDS = 0.02
MEDIAN, SIGMA, MOST = 400, 1.2, 8192
TOOL_SECONDS = (0.05, 5.0)
TRAINING_SHARE = 0.05
DRAINED = 4  # steps at the end that are not counted
MODES: dict[str, dict[str, Any]] = {
    "sync": {"mode": "sync"},
    "oversample": {"mode": "oversample", "oversample": 2.0, "staleness": 2},
    "async": {"mode": "async", "staleness": 2},
}
_LIMITS = Limits(turns=TURNS, turn_tokens=MOST, episode_tokens=10**9, turn_seconds=1e9, episode_seconds=1e9)


@dataclass(frozen=True)
class Busy:
    """What a simulated run came to.

    Attributes:
        busy: Share of all slot-seconds in which a token was sampled that was learned from.
        staleness: Most versions by which a token that was learned from was older than the weights that learned.
        seconds: Simulated seconds of a step in which the engines were to sample.
    """

    busy: float
    staleness: int
    seconds: float


def turn_length(seed: object) -> int:
    """Return the length of a turn in tokens."""
    return max(1, min(MOST, round(random.Random(str(seed)).lognormvariate(math.log(MEDIAN), SIGMA))))


class Waiting(AgentEnv):
    """An environment whose tools only take time."""

    async def areset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> ResetResult:
        """Begin; every episode has tools of its own speed."""
        self._random, self._turn = random.Random(seed), 0
        return [user("begin")], {}

    async def astep(self, action: Message) -> StepResult:
        """Take the tools' time."""
        self._turn += 1
        if self._turn == TURNS:
            return [], self._random.random(), True, False, {}
        low, high = map(math.log, TOOL_SECONDS)
        await asyncio.sleep(math.exp(self._random.uniform(low, high)))
        return [user("go on")], 0.0, False, False, {}


class LengthAgent:
    """Samples turns of a set length; what they say does not matter."""

    def __init__(self, engine: Engine, plan: Plan, excuse: Excuse) -> None:
        """Speak for `plan`."""
        self._engine, self._plan = engine, plan

    def begin(self, trajectory: Trajectory, messages: Any, tools: Any) -> None:
        """Note where the segments go."""
        self._trajectory = trajectory

    async def act(self, number: int) -> Action:
        """Sample a turn."""
        plan = self._plan
        most = turn_length((plan.seed, number))
        request = Request(f"{plan.name}/{number}", plan.name, [0], most, frozenset(), 0, plan.sampling, plan.priority)
        said = await self._engine.generate(request)
        self._trajectory.segments.append(
            Segment(Origin.ACTION, tuple(said.tokens), tuple(said.logprobs), tuple(said.weight_versions))
        )
        return Action(assistant("so"))

    def hear(self, messages: Any) -> bool:
        """Hear."""
        return True

    def count_tokens(self, text: str) -> int:
        """Return the number of tokens of a text."""
        return estimated_tokens(text)

    def end(self) -> None:
        """Let the engine forget the episode."""
        self._engine.close(self._plan.name)


@dataclass(frozen=True)
class Version:
    """Weights that are a number."""

    version: int


def simulate(mode: str, steps: int) -> Busy:
    """Return how busy the fleet was in `steps` steps."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(
            _run(RolloutSettings(limits=_LIMITS, concurrency=IN_FLIGHT, stall_seconds=1e9, **MODES[mode]), steps)
        )


async def _run(settings: RolloutSettings, steps: int) -> Busy:
    engine = ScriptedEngine(lambda request: [0] * request.max_new_tokens, TOKEN_SECONDS, ENGINES * SLOTS)
    rollouts = Rollouts(engine, partial(LengthAgent, engine), Waiting, settings)
    order = Order(lambda place: Task(str(place), (user("begin"),)), GROUPS, SAMPLES, Sampling(), seed=0)
    await rollouts.start()
    rollouts.follow(order, settings, 0, {})
    counted = steps - DRAINED
    learned: set[int] = set()
    seen, staleness, begun = Usage(), 0, 0
    probe = asyncio.create_task(seen.watch(engine))
    for step in range(steps):
        seen.counting = step < counted
        rollout = await rollouts.take()
        await asyncio.sleep(training_seconds())
        learned |= {int(group.task_id) for group in rollout.groups}
        staleness = max(staleness, step - min(min(segment.weight_versions) for segment in segments(rollout)))
        await rollouts.update_weights(Version(step + 1))  # type: ignore[arg-type]
        if step + 1 == counted:
            begun = rollouts.feed.state["next"]
    probe.cancel()
    await rollouts.stop()
    assert set(range(begun)) <= learned, "what was sampled in the counted time was learned from"
    return Busy(seen.sampling / (seen.seconds * ENGINES * SLOTS), staleness, seen.seconds / counted)


@dataclass
class Usage:
    """Looks every simulated second at how many slots sample, while the engines are to sample."""

    sampling: int = 0
    seconds: float = 0.0
    counting: bool = True

    async def watch(self, engine: ScriptedEngine) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(1)
            if self.counting and not engine.paused:
                self.sampling += engine.sampling
                self.seconds += 1


def segments(rollout: Rollout) -> list[Segment]:
    """Return what was sampled."""
    return [s for group in rollout.groups for trajectory in group.trajectories for s in trajectory.segments]


def training_seconds() -> float:
    """Return the simulated time of a training step."""
    turns = [turn_length(("mean", number)) for number in range(4096)]
    tokens = GROUPS * SAMPLES * TURNS * sum(turns) / len(turns)
    return TRAINING_SHARE * tokens * TOKEN_SECONDS / (ENGINES * SLOTS)


def busy_shares(steps: int) -> dict[str, float]:
    """Simulate every mode, print what came of it, and return the busy shares and the staleness."""
    figures: dict[str, float] = {}
    for mode in MODES:
        seen = simulate(mode, steps)
        figures |= {f"busy_{mode}": seen.busy, f"staleness_{mode}": float(seen.staleness)}
        print(
            f"{mode:<10} busy {seen.busy:6.1%} of the ideal 100 %, staleness at most {seen.staleness}, "
            f"{seen.seconds:,.0f} simulated seconds a step"
        )
    return figures
