"""Episodes with all faults injected: none may be lost, counted twice or left hanging, and memory must stay flat.

A training run in mode `async`, in simulated time, on the scripted engine with the real renderer, tools, deadlines,
retries and record: 5 % of the attempts go wrong in one of the ways of `Fault` or `Trouble`. One episode in 25 is played
in real time as well, where tools, constructors and `close` block real threads.
"""

import argparse
import asyncio
import gc
import json
import logging
import random
import resource
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from transformers import AutoTokenizer

import agent_rl
from agent_rl import Task, TaskSet, ToolEnv, reward, tool
from agent_rl.core.limits import Limits
from agent_rl.core.message import assistant, tool_call, user
from agent_rl.core.outcome import InfrastructureError
from agent_rl.core.seeds import derive
from agent_rl.core.trajectory import Group
from agent_rl.core.virtual_time import VirtualTimeLoop
from agent_rl.envs.base import ResetResult, StepResult
from agent_rl.rollout.agents import TokenAgent
from agent_rl.rollout.engines.base import Request, Sampling
from agent_rl.rollout.engines.scripted import Fault, ScriptedEngine
from agent_rl.rollout.feed import Order
from agent_rl.rollout.manager import RolloutManager
from agent_rl.rollout.renderer import Renderer
from agent_rl.rollout.rollouts import Rollouts
from agent_rl.rollout.settings import PlaySettings, RolloutSettings
from agent_rl.tools import ToolPolicy

SHARE = 0.05  # of the attempts that go wrong
TASKS, SAMPLES = 16, 8
REAL = 25  # one episode in so many is played in real time too
LIMITS = Limits(turn_tokens=100, episode_tokens=1000)
TASK = Task("sum", (user("3+4?"),), "7")
TINY = Path(agent_rl.__file__).parent / "models" / "tiny"


class Trouble(StrEnum):
    """What an environment does wrong."""

    INFRASTRUCTURE = "the tool says that infrastructure failed"
    RAISES = "the tool raises KeyError"
    HANGS = "the tool hangs"
    BLOCKS = "the tool blocks its thread"
    CONSTRUCTOR = "the constructor raises"
    SLOW = "the constructor blocks its thread"
    RESET = "reset raises"
    NONSENSE = "step returns a reward that is not a number"
    CLOSE = "close raises"
    STUCK = "close blocks its thread"


SIMULATED = [t for t in Trouble if t not in (Trouble.BLOCKS, Trouble.SLOW, Trouble.STUCK)]


class Adder(ToolEnv):
    """Add two numbers with a tool, as far as its troubles allow."""

    rng = random.Random(0)
    troubles: ClassVar[Sequence[Trouble]] = SIMULATED
    share = SHARE * len(SIMULATED) / (len(SIMULATED) + len(Fault))
    released = threading.Event()

    def __init__(self, **settings: Any) -> None:
        """Draw the trouble."""
        super().__init__(**settings)
        self.trouble = self.rng.choice(self.troubles) if self.rng.random() < self.share else None
        if self.trouble is Trouble.CONSTRUCTOR:
            raise RuntimeError("no licence")
        if self.trouble is Trouble.SLOW:
            self.released.wait()

    def tasks(self, split: str) -> TaskSet:
        """Return one sum."""
        return TaskSet([TASK], split)

    async def areset(self, **given: Any) -> ResetResult:
        """Begin."""
        if self.trouble is Trouble.RESET:
            raise OSError("no such data")
        return await super().areset(**given)

    async def astep(self, action: Any) -> StepResult:
        """Answer."""
        observation, score, *rest = await super().astep(action)
        return (observation, float("nan") if self.trouble is Trouble.NONSENSE else score, *rest)  # type: ignore[return-value]

    def close(self) -> None:
        """End."""
        if self.trouble is Trouble.CLOSE:
            raise RuntimeError("already closed")
        if self.trouble is Trouble.STUCK:
            self.released.wait()

    @tool(policy=ToolPolicy(timeout=2))  # type: ignore[untyped-decorator]
    async def add(self, a: int, b: int) -> int:
        """Add."""
        if self.trouble is Trouble.INFRASTRUCTURE:
            raise InfrastructureError("add", "the service is down")
        if self.trouble is Trouble.RAISES:
            raise KeyError("a")
        await asyncio.sleep(1e9 if self.trouble is Trouble.HANGS else self.rng.expovariate(2))
        return a + b

    @reward
    def correct(self, task: Task, answer: str) -> float:
        """1 for the sum."""
        return float(answer == task.answer)


class BlockingAdder(Adder):
    """The same in real time, with a tool that runs in a thread."""

    troubles = tuple(Trouble)
    share = SHARE

    @tool(policy=ToolPolicy(timeout=0.5))  # type: ignore[untyped-decorator]
    def add(self, a: int, b: int) -> int:
        """Add."""
        if self.trouble is Trouble.BLOCKS:
            self.released.wait()
        if self.trouble in (Trouble.RAISES, Trouble.HANGS):
            raise KeyError("a")
        return a + b


class Script:
    """Calls the tool, then answers right or wrong; goes on where an engine gave a turn back."""

    def __init__(self, renderer: Renderer) -> None:
        """Render the turns."""
        call = renderer.action(assistant("", [tool_call("add", {"a": 3, "b": 4})]))
        self._turns = [[call] * 2, [renderer.action(assistant(text)) for text in ("7", "8")]]
        self._begun: dict[int, int] = {}  # where a turn begins; the same in every episode

    def __call__(self, request: Request) -> list[int]:
        """Return what is left to say."""
        turn = int(request.id.rpartition("/")[2])
        begun = self._begun.setdefault(turn, len(request.tokens))
        return self._turns[turn][derive(0, request.id) % 2][len(request.tokens) - begun :]


def fault_of(request: Request) -> Fault | None:
    """Return what goes wrong with a request: one in two of the faults of an attempt, at any of its two turns."""
    rng = random.Random(derive(1, request.id))
    share = SHARE * len(Fault) / (len(SIMULATED) + len(Fault)) / 2
    return rng.choice(list(Fault)) if rng.random() < share else None


@dataclass(frozen=True)
class Version:
    """A version of weights that nobody fetches."""

    version: int


async def simulate(renderer: Renderer, steps: int, figures: dict[str, float]) -> None:
    """Train for some steps in simulated time and count what became of the episodes."""
    engine = ScriptedEngine(Script(renderer), token_seconds=0.02, slots=256, faults=fault_of)
    settings = RolloutSettings(mode="async", limits=LIMITS, stall_seconds=1e6)
    rollouts = Rollouts(engine, partial(TokenAgent, engine, renderer, LIMITS), Adder, settings)
    order = Order(lambda place: replace(TASK, id=str(place)), TASKS, SAMPLES, Sampling(), 0)
    await rollouts.start()
    rollouts.follow(order, settings, 0, {})
    ended: Counter[tuple[str, int]] = Counter()
    for step in range(steps):
        count(groups := (await rollouts.take()).groups, figures)
        ended.update((group.task_id, episode[0].sample) for group in groups for episode in group.episodes)
        await rollouts.update_weights(Version(step + 1))  # type: ignore[arg-type]
        for log in (engine.requests, engine.opened, engine.closed):
            log.clear()
        if step + 1 == -(-steps // 5):
            figures["memory_mb_after_a_fifth"] = resident_mb()
    figures["memory_mb_at_the_end"] = resident_mb()
    state = rollouts.feed.state
    await rollouts.stop()
    await asyncio.sleep(60)  # what was cancelled has had its time
    begun = {(str(place), sample) for place in range(state["next"]) for sample in range(SAMPLES)}
    waiting = {(str(place), sample) for place in state["again"] for sample in range(SAMPLES)}
    figures["lost"] += len(begun - waiting - ended.keys())
    figures["counted_twice"] += ended.total() - len(ended) + len(waiting & ended.keys())
    figures["hanging"] += len(asyncio.all_tasks()) - 1
    figures["simulated_seconds"] = asyncio.get_running_loop().time()


def play(renderer: Renderer, episodes: int, figures: dict[str, float]) -> None:
    """Play some episodes in real time, some of whose threads block until all is over."""
    engine = ScriptedEngine(Script(renderer), faults=lambda r: None if fault_of(r) is Fault.HANG else fault_of(r))
    settings = PlaySettings(limits=LIMITS.model_copy(update={"tool_seconds": 5.0}), concurrency=64)
    manager = RolloutManager(engine, partial(TokenAgent, engine, renderer, settings.limits), BlockingAdder, settings)
    tasks = [replace(TASK, id=str(place)) for place in range(episodes // SAMPLES)]
    groups = manager.run(tasks, SAMPLES, Sampling(), 0)
    manager.close()
    Adder.released.set()
    count(groups, figures)
    ended = Counter((group.task_id, episode[0].sample) for group in groups for episode in group.episodes)
    figures["lost"] += len(tasks) * SAMPLES - len(ended)
    figures["counted_twice"] += ended.total() - len(ended)


def count(groups: Sequence[Group], figures: dict[str, float]) -> None:
    """Count what ended, what failed for good, and rewards that no answer has earned."""
    episodes = [episode for group in groups for episode in group.episodes]
    figures["episodes"] += len(episodes)
    figures["failed_for_good"] += sum(not episode[-1].usable for episode in episodes)
    for group in groups:
        answers = [episode[-1].messages[-1]["content"] for episode in group.usable]
        figures["wrong_rewards"] += group.rewards != [float(answer == TASK.answer) for answer in answers]


def resident_mb() -> float:
    """Return the memory of this process now."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


class Kept(logging.Handler):
    """Counts the attempts that the log says were repeated."""

    repeated = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Add up."""
        if "attempts were repeated" in record.msg and isinstance(record.args, tuple):
            self.repeated += int(str(record.args[2]))


def main() -> None:
    arguments = _arguments()
    kept = Kept()
    logging.getLogger("agent_rl").addHandler(kept)
    logging.getLogger("agent_rl").propagate = False
    renderer = Renderer(AutoTokenizer.from_pretrained(TINY))
    figures: dict[str, float] = defaultdict(float)
    begun = time.perf_counter()
    real = arguments.episodes // REAL
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(simulate(renderer, -(-(arguments.episodes - real) // (TASKS * SAMPLES)), figures))
    play(renderer, real, figures)
    figures["repeated_attempts"] = kept.repeated
    figures["seconds"] = time.perf_counter() - begun
    figures["memory_growth_mb"] = figures["memory_mb_at_the_end"] - figures["memory_mb_after_a_fifth"]
    figures = {name: figures[name] for name in _SHOWN}
    for name, value in figures.items():
        print(f"{name.replace('_', ' '):26} {value:,.1f}" if value % 1 else f"{name.replace('_', ' '):26} {value:,.0f}")
    if arguments.json:
        print(json.dumps(figures))


_SHOWN = (
    *("episodes", "repeated_attempts", "failed_for_good", "lost", "counted_twice", "hanging", "wrong_rewards"),
    *("seconds", "simulated_seconds", "memory_mb_after_a_fifth", "memory_mb_at_the_end", "memory_growth_mb"),
)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Play episodes with all faults injected and count what became of them."
    )
    parser.add_argument("--episodes", type=int, default=10_000, help="about how many")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON in the last line, too")
    return parser.parse_args()


if __name__ == "__main__":
    main()
