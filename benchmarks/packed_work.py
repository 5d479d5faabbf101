"""The work of the trainer's benchmark: trajectories of three turns, in groups that share a prompt or not."""

from collections.abc import Callable
from random import Random

from agent_rl.core.outcome import StopReason
from agent_rl.core.trajectory import Group, Origin, Segment, Trajectory, Turn

VOCABULARY = 512
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
