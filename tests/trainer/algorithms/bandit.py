"""A bandit of two turns: what an algorithm has to learn within a second.

In each context the policy draws an arm in each of two turns, and a turn is worth 1 where the arm is the right one. The
policy is a table of logits, `[contexts, turns, arms]`; nothing else differs from training.
"""

from collections.abc import Sequence

import torch

from agent_rl.core.trajectory import Group, Origin, Segment, Trajectory, Turn
from agent_rl.trainer.algorithms import AlgorithmSettings, Batch, Tokens, make_batch
from agent_rl.trainer.algorithms.aggregation import weights
from agent_rl.trainer.algorithms.objective import objective

CONTEXTS, TURNS, ARMS = 3, 2, 3
RIGHT = [[0, 1], [2, 0], [1, 1]]
"""The right arm of each context and turn."""


def episode(context: int, sample: int, arms: list[int], logprobs: list[float]) -> Trajectory:
    """Return the trajectory of an episode that drew `arms`."""
    made = Trajectory(f"context {context}", sample)
    for number, (arm, logprob) in enumerate(zip(arms, logprobs, strict=True)):
        origin = Origin.OBSERVATION if number else Origin.PROMPT
        made.segments.append(Segment(origin, (ARMS + number, ARMS + TURNS + context)))
        made.segments.append(Segment(Origin.ACTION, (arm,), (logprob,), (0,)))
        hit = float(arm == RIGHT[context][number])
        made.turns.append(Turn(reward=hit))
        made.components[f"turn_{number}"] = hit
    return made


def roll_out(logits: torch.Tensor, samples: int, generator: torch.Generator, beside: Sequence[str] = ()) -> list[Group]:
    """Return a group of episodes of each context, with a greedy one and one that draws the right arms if wanted."""
    logprobs = logits.detach().log_softmax(-1)
    table = logprobs.tolist()
    groups = []
    for context in range(CONTEXTS):
        drawn = torch.multinomial(logprobs[context].exp(), samples, True, generator=generator).T  # [samples, turns]
        said = [[table[context][t][arm] for t, arm in enumerate(arms)] for arms in drawn.tolist()]
        made = [episode(context, i, arms, said[i]) for i, arms in enumerate(drawn.tolist())]
        groups.append(Group(f"context {context}", made))
        if "baseline" in beside:
            best = logprobs[context].argmax(-1).tolist()
            groups[-1].baseline.append(episode(context, samples, best, [0.0] * TURNS))
        if "demonstration" in beside:
            groups[-1].demonstration.append(episode(context, samples + 1, RIGHT[context], [0.0] * TURNS))
    return groups


def chosen(logits: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Return the log-probability of each trained token, `[A]`."""
    contexts = [int(t.task_id.split()[1]) for t in batch.trajectories for _ in t.turns]
    numbers = [number for t in batch.trajectories for number in range(len(t.turns))]
    arms = [token for t in batch.trajectories for s in t.segments if s.origin is Origin.ACTION for token in s.tokens]
    return logits.log_softmax(-1)[contexts, numbers, arms]


def learn(algorithm: AlgorithmSettings, steps: int = 25, updates: int = 2, seed: int = 0) -> float:
    """Train from equal odds and return the probability of the right arm, a mean over contexts and turns.

    Args:
        algorithm: What is learned; its bonus for entropy is left out.
        steps: Rollouts of `algorithm.samples` episodes of each context.
        updates: Optimizer steps on all of each rollout; from the second on, ratios are not 1.
        seed: Of what is drawn.
    """
    generator = torch.Generator().manual_seed(seed)
    logits = torch.zeros(CONTEXTS, TURNS, ARMS, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=0.1)
    for _ in range(steps):
        batch = make_batch(roll_out(logits, algorithm.samples, generator, algorithm.beside))
        advantages = algorithm.advantage.advantages(batch)
        sizes, old = batch.lengths, chosen(logits, batch).detach()
        factors, divisor = weights(algorithm.aggregation, sizes, batch.episodes.tolist(), algorithm.aggregation_tokens)
        spread = factors.repeat_interleave(torch.tensor(sizes))
        notes = batch.notes | {"guided": batch.by_episode(batch.guided)} | algorithm.loss.prepare(old, advantages)
        for _ in range(updates):
            tokens = Tokens(chosen(logits, batch), old, advantages, sizes, notes)
            result = objective(algorithm, tokens, None)
            optimizer.zero_grad()
            ((result.loss * spread).sum() / divisor).backward()
            optimizer.step()
    right = torch.tensor(RIGHT).unsqueeze(-1)
    return float(logits.detach().softmax(-1).gather(-1, right).mean())
