"""Rollouts: trajectories a second of the orchestration alone, and how busy a fleet of engines is kept.

The orchestration part plays episodes of three tool turns and an answer, 100 sampled tokens a turn, on an engine that
answers at once: real tokenizer, renderer, call parser, tool with its policy, deadlines, trajectories. Seen on one core
with such a workload: verl 0.9.1's ToolAgentLoop 104 trajectories/s, verifiers 0.4.0 in process 57; an environment
alone without any tokens (skyrl-gym) 5,272.

The fleet part is in `fleet.py`: the same rollouts in simulated time, in the three modes.
"""

import argparse
import asyncio
import json
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from fleet import busy_shares

from agent_rl import Task, TaskSet, ToolEnv, reward, tool
from agent_rl.core.limits import Limits
from agent_rl.core.message import assistant, tool_call, user
from agent_rl.core.trajectory import Group
from agent_rl.models.loading import SHIPPED
from agent_rl.rollout.agents import TokenAgent, group_plans
from agent_rl.rollout.engines.base import Request, Sampling
from agent_rl.rollout.engines.scripted import ScriptedEngine
from agent_rl.rollout.flights import Flight
from agent_rl.rollout.renderer import Renderer
from agent_rl.rollout.rollouts import Rollouts
from agent_rl.rollout.settings import PlaySettings
from agent_rl.rollout.store import write_trajectories

_TURN_TOKENS = 100
_LIMITS = Limits(turn_tokens=256, episode_tokens=4096)
_SAMPLES = 8


class Lookup(ToolEnv):
    """Look three things up, then answer."""

    def tasks(self, split: str) -> TaskSet:
        """Return one task."""
        return TaskSet([Task("t", (user("Which is the tallest building of the second city?"),), "seven")], split)

    @tool
    async def lookup(self, query: str) -> str:
        """Look something up."""
        return f"{query}: the second city lies on the river, and its tallest building was finished in the year seven."

    @reward
    def correct(self, task: Task, answer: str) -> float:
        """1 for an answer that holds the right word."""
        return float(task.answer in answer)


def script(renderer: Renderer) -> list[list[int]]:
    """Return the tokens of each turn: a thought and a call three times, then an answer, 100 tokens each."""
    call = [tool_call("lookup", {"query": "the tallest building of the second city"})]
    turns = [assistant("", call)] * 3 + [assistant("It is the building number seven.")]
    filler = renderer.action(assistant("let us see what is there and think about it " * 20))
    said = [renderer.action(message) for message in turns]
    return [filler[: _TURN_TOKENS - len(tokens)] + tokens for tokens in said]


async def play(renderer: Renderer, concurrent: int, episodes: int) -> tuple[list[Group], float]:
    """Play `episodes`, `concurrent` at once; return their groups and the seconds it took."""
    turns = script(renderer)

    def say(request: Request) -> list[int]:
        return turns[int(request.id.rpartition("/")[2])]

    engine = ScriptedEngine(say)
    make_agent = partial(TokenAgent, engine, renderer, _LIMITS)
    rollouts = Rollouts(engine, make_agent, Lookup, PlaySettings(limits=_LIMITS, concurrency=concurrent))
    task = Lookup().tasks("train")[0]
    flights = [
        Flight(place, group_plans(f"{place}", task, _SAMPLES, Sampling(), 0, place))
        for place in range(episodes // _SAMPLES)
    ]
    await rollouts.start()
    begun = time.perf_counter()
    groups = await rollouts.play(flights)
    seconds = time.perf_counter() - begun
    await rollouts.stop()
    return groups, seconds


def orchestration(episodes: int, repeats: int) -> dict[str, float]:
    """Return trajectories a second at 64 and at 4,096 concurrent episodes (the best of `repeats`), and of writing."""
    from transformers import AutoTokenizer

    renderer = Renderer(AutoTokenizer.from_pretrained(SHIPPED))
    figures: dict[str, float] = {}
    groups: list[Group] = []
    for concurrent in (64, 4096) * repeats:
        count = max(episodes, concurrent)
        groups, seconds = asyncio.run(play(renderer, concurrent, count))
        check(groups)
        name = f"trajectories_per_second_{concurrent}"
        figures[name] = max(figures.get(name, 0.0), count / seconds)
    trajectories = [trajectory for group in groups for trajectory in group.trajectories]
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        write_trajectories(Path(folder) / "step.jsonl.zst", trajectories)
        figures["written_per_second"] = len(trajectories) / (time.perf_counter() - begun)
    return figures


def check(groups: list[Group]) -> None:
    """Make sure that the work was done: four turns of 100 tokens, three calls that were answered, the reward."""
    for group in groups:
        for trajectory in group.trajectories:
            assert trajectory.reward == 1.0 and len(trajectory.turns) == 4, trajectory.failure
            assert sum(turn.tool_calls for turn in trajectory.turns) == 3
            assert sum(trajectory.loss_mask) == 4 * _TURN_TOKENS


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=4096, help="episodes of one measurement")
    parser.add_argument("--repeats", type=int, default=3, help="measurements of each kind; the best counts")
    parser.add_argument("--steps", type=int, default=40, help="training steps of the simulated fleet")
    parser.add_argument("--json", action="store_true", help="end with one JSON object on a line")
    arguments = parser.parse_args()
    figures: dict[str, Any] = orchestration(arguments.episodes, arguments.repeats)
    for name, value in figures.items():
        print(f"{name:<32} {value:10,.0f}")
    figures |= busy_shares(arguments.steps)
    if arguments.json:
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
