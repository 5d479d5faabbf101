"""The work of the trainer's benchmark: trajectories of three turns, in groups that share a prompt or not."""

from collections.abc import Callable, Sequence
from random import Random

from agent_rl.core.outcome import StopReason
from agent_rl.core.trajectory import Group, Origin, Segment, Trajectory, Turn
from agent_rl.trainer.algorithms import AlgorithmSettings, make_batch
from agent_rl.trainer.annotate import annotate
from agent_rl.trainer.batches import samples
from agent_rl.trainer.workers import PolicyWorker

VOCABULARY = 512
_EPISODE_TOKENS = 4096
_TURNS = ((24, 16), (24, 8), (24, 0))  # tokens that are sampled, and that a tool answers


def make_groups(groups: int, samples: int, prompt: int, same: bool, seed: int = 0) -> list[Group]:
    """Return groups whose trajectories have `prompt` + 96 tokens, 72 of them sampled, and random rewards.

    With `same` the trajectories of a group have the same prompt; without, no two have anything in common.
    """
    random = Random(seed)

    def words(count: int) -> tuple[int, ...]:
        return tuple(random.randrange(VOCABULARY) for _ in range(count))

    made = []
    for number in range(groups):
        shown = words(prompt)
        rows = [_trajectory(shown if same else words(prompt), sample, random, words) for sample in range(samples)]
        made.append(Group(str(number), rows))
    return made


def full_update(worker: PolicyWorker, groups: Sequence[Group], algorithm: AlgorithmSettings) -> None:
    """Learn from groups as the training loop does, in one optimizer step."""
    batch = annotate(make_batch(groups), [worker] if "old" in algorithm.needs else [])
    episodes = algorithm.settle(batch, _EPISODE_TOKENS)
    compares = "old" not in algorithm.needs
    worker.update(samples(episodes, algorithm.advantage.advantages(episodes)), algorithm, 1000, measure=compares)


def _trajectory(
    prompt: tuple[int, ...], sample: int, random: Random, words: Callable[[int], tuple[int, ...]]
) -> Trajectory:
    made = Trajectory("", sample, segments=[Segment(Origin.PROMPT, prompt)], stop=StopReason.ANSWERED)
    for said, answered in _TURNS:
        logprobs = tuple(random.uniform(-6.5, -6.0) for _ in range(said))
        made.segments.append(Segment(Origin.ACTION, words(said), logprobs, (0,) * said))
        made.turns.append(Turn())
        if answered:
            made.segments.append(Segment(Origin.OBSERVATION, words(answered)))
    made.turns[-1].reward = random.random()
    return made
