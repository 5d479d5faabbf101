"""How fast the trainer learns: beside a bare step of the same model, beside TRL, and how much memory the loss takes.

A full update begins with groups of trajectories and ends with new weights: advantages, packing, forward, loss,
backward, clipping, AdamW, metrics. The bare step is transformers' own forward on rows of equal length, without padding,
the mean log-probability of the trained tokens, backward and AdamW; no other logits are computed either. The two take
turns, so that a machine that drifts slows both; the fastest round of each counts.
"""

import argparse
import copy
import json
import os
import statistics
import time
from collections.abc import Callable, Sequence

import torch
from calibration import matmul_gflops
from grpo_step import OurStep, trl_step, trl_steps
from loss_memory import loss_memory
from packed_work import VOCABULARY, full_update, make_groups
from transformers import PreTrainedModel
from two_ranks import two_rank_speedup

from agent_rl.core.trajectory import Group
from agent_rl.models import attention
from agent_rl.models.scratch import new_model
from agent_rl.trainer.algorithms import AlgorithmSettings
from agent_rl.trainer.algorithms.correction import CorrectionSettings
from agent_rl.trainer.optimizer import OptimizerSettings
from agent_rl.trainer.settings import TrainerSettings
from agent_rl.trainer.workers import PolicyWorker

_VOCABULARIES = (32_000, 150_000)
_TRAINED = 2048  # tokens whose loss is measured


class BareStep:
    """Forward, backward and AdamW, and nothing else."""

    def __init__(self, model: PreTrainedModel, groups: Sequence[Group]) -> None:
        """Prepare the tokens of `groups`, a row for each trajectory."""
        rows = [trajectory for group in groups for trajectory in group.trajectories]
        self._model = model
        self._tokens = torch.tensor([row.tokens for row in rows])
        self._trained = torch.tensor([row.loss_mask for row in rows])[:, 1:]
        self._optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)

    def step(self) -> None:
        """Take one."""
        hidden = self._model.model(input_ids=self._tokens, use_cache=False).last_hidden_state
        logits = self._model.lm_head(hidden[:, :-1][self._trained])
        torch.nn.functional.cross_entropy(logits, self._tokens[:, 1:][self._trained]).backward()
        self._optimizer.step()
        self._optimizer.zero_grad()


def updates(groups: Sequence[Group], rounds: int) -> dict[str, float]:
    """Return the tokens a second of full updates, with old log-probabilities of either origin, and of bare steps."""
    model = new_model(VOCABULARY, eos_token_id=0, pad_token_id=0, seed=0).eval()
    bare = BareStep(copy.deepcopy(model), groups)
    model.set_attn_implementation(attention.NAME)
    worker = PolicyWorker(model, OptimizerSettings(lr=1e-5), TrainerSettings().micro_tokens, 1.0)
    engine = AlgorithmSettings(samples=len(groups[0].trajectories))
    trainer = engine.model_copy(update={"correction": CorrectionSettings(old="trainer")})
    contestants: dict[str, Callable[[], None]] = {
        "tokens_per_second": lambda: full_update(worker, groups, engine),
        "recomputed_tokens_per_second": lambda: full_update(worker, groups, trainer),
        "limit_tokens_per_second": bare.step,
    }
    seconds = {name: float("inf") for name in contestants}
    for number in range(rounds + 1):
        for name, step in contestants.items():
            begun = time.process_time()
            step()
            if number:  # the first one warms up
                seconds[name] = min(seconds[name], time.process_time() - begun)
    tokens = sum(len(trajectory.tokens) for group in groups for trajectory in group.trajectories)
    return {name: tokens / best for name, best in seconds.items()}


def beside_trl(python: str, rounds: int) -> dict[str, float]:
    """Return the seconds of steps, medians of rounds in which each takes one."""
    ours = OurStep()
    found: dict[str, list[float]] = {
        name: [] for name in ("step_seconds", "rollout_seconds", "update_seconds", "trl_step_seconds")
    }
    with trl_steps(python, ours.tasks) as peer:
        for number in range(rounds + 1):
            trl, phases = trl_step(peer), ours.step()
            for name, value in zip(found, (sum(phases.values()), *phases.values(), trl), strict=True):
                found[name] += [value] if number else []  # the first one warms up
    ours.close()
    return {name: statistics.median(each) for name, each in found.items()}


def main() -> None:
    """Measure and print."""
    arguments = _arguments()
    torch.set_num_threads(1)
    gflops = matmul_gflops()
    figures: dict[str, object] = dict(updates(make_groups(8, 4, 32, same=False), arguments.rounds))
    figures |= {
        f"shared_{name}": speed for name, speed in updates(make_groups(16, 4, 300, True), arguments.rounds).items()
    }
    figures |= two_rank_speedup(arguments.rounds)
    figures["load"] = os.getloadavg()[0]
    figures["loss_memory_mb"] = {str(size): loss_memory(size, _TRAINED) for size in _VOCABULARIES}
    figures["loss_memory_mb_twice_the_tokens"] = {str(size): loss_memory(size, 2 * _TRAINED) for size in _VOCABULARIES}
    if arguments.peer:
        figures |= beside_trl(arguments.peer, arguments.rounds)
    figures["matmul_gflops"] = max(gflops, matmul_gflops())
    _report(figures)
    if arguments.json:
        print(json.dumps(figures))


def _report(figures: dict[str, object]) -> None:
    for name, value in figures.items():
        if isinstance(value, float):
            print(f"{name:36} {value:10,.2f}")
        elif isinstance(value, dict):
            print(f"{name:36} " + ", ".join(f"{size}: {memory:,.0f}" for size, memory in value.items()))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="rounds in which everything takes its turn")
    parser.add_argument("--peer", metavar="PYTHON", help="the interpreter that has TRL: .venv-peers/bin/python")
    parser.add_argument("--json", action="store_true", help="end with one JSON object on a line")
    return parser.parse_args()


if __name__ == "__main__":
    main()
