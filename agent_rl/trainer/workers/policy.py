"""The policy worker: it holds the model that trains, in this process."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from transformers import PreTrainedModel

from agent_rl.core.errors import UserError
from agent_rl.models.packed import Packed, chosen_logprobs, entropies, pack, target_logits
from agent_rl.trainer.algorithms import AlgorithmSettings, Tokens
from agent_rl.trainer.algorithms.aggregation import weights
from agent_rl.trainer.algorithms.objective import k3, objective
from agent_rl.trainer.batches import Sample, micro_batches
from agent_rl.trainer.optimizer import OptimizerSettings, apply, learning_rate, make_optimizer


class PolicyWorker:
    """Computes log-probabilities and updates on packed batches."""

    def __init__(
        self, model: PreTrainedModel, optimizer: OptimizerSettings, micro_tokens: int, temperature: float
    ) -> None:
        """Train `model` with micro batches of at most `micro_tokens` tokens; `temperature` is the rollout's."""
        self.model = model
        self.settings = optimizer
        self.temperature = temperature
        self.micro_tokens = micro_tokens
        self.optimizer = make_optimizer(list(model.parameters()), optimizer)
        self.updates = 0

    def update(self, batch: Sequence[Sample], algorithm: AlgorithmSettings, updates: int) -> dict[str, float]:
        """Take one optimizer step on a mini batch and return its metrics.

        The weights of tokens are those of the whole mini batch, so that micro batches change the loss by rounding only.
        Samples whose advantages are 0 have no gradient, unless entropy is rewarded; they are not computed, but count in
        the mean of the loss.
        Entropy, KL and clip fraction are means over the tokens that were computed, and absent when there were none.

        Args:
            batch: The mini batch.
            algorithm: Gives the loss of each token, and its weight.
            updates: Optimizer steps of the whole run, for the schedule.
        """
        trained = sum(sample.trained for sample in batch)
        lengths, episodes = [sample.trained for sample in batch], [sample.episode for sample in batch]
        factors, divisor = weights(algorithm.aggregation, lengths, episodes, algorithm.aggregation_tokens)
        weighted = [replace(sample, weight=factor) for sample, factor in zip(batch, factors.tolist(), strict=True)]
        computed = [sample for sample in weighted if algorithm.dense or sample.advantages.any()]
        sums: dict[str, float] = defaultdict(float)
        for micro in micro_batches(computed, self.micro_tokens):
            self._backward(micro, algorithm, divisor, sums)
        seen = sums.pop("tokens", 0.0)
        metrics = {
            "policy/loss": sums.pop("loss", 0.0) / divisor,
            "policy/computed_share": seen / max(1, trained),
        }
        metrics |= {f"policy/{name}": value / seen for name, value in sums.items()}
        rate = learning_rate(self.settings, self.updates, updates)
        norm = apply(self.optimizer, rate, self.settings.max_grad_norm) if computed else 0.0
        self.updates += 1
        return metrics | {
            "policy/lr": rate,
            "policy/grad_norm": norm or 0.0,
            "policy/skipped_updates": float(norm is None),
        }

    def logprobs(self, batch: Sequence[Sample]) -> list[float]:
        """Return the log-probabilities of the trained tokens of all samples, in order, without a gradient."""
        with torch.no_grad():
            packed = self._pack(batch)
            values: list[float] = chosen_logprobs(target_logits(self.model, packed, self.temperature), packed).tolist()
        return values

    def save(self, folder: Path) -> None:
        """Write the model in Hugging Face format and the optimizer's state into `folder`."""
        self.model.save_pretrained(folder)
        torch.save({"optimizer": self.optimizer.state_dict(), "updates": self.updates}, folder / "trainer.pt")

    def load(self, folder: Path) -> None:
        """Restore the optimizer's state; the model has been loaded from the same folder.

        Raises:
            UserError: The state is missing or damaged.
        """
        try:
            state = torch.load(folder / "trainer.pt", weights_only=True)
            self.optimizer.load_state_dict(state["optimizer"])
            self.updates = state["updates"]
        except Exception as error:
            raise UserError(
                f"the trainer's state in {folder} cannot be read: {type(error).__name__}: {error}"
            ) from error

    def _backward(
        self, micro: list[Sample], algorithm: AlgorithmSettings, divisor: float, sums: dict[str, float]
    ) -> None:
        packed = self._pack(micro)
        logits = target_logits(self.model, packed, self.temperature)
        tokens = _tokens(micro, chosen_logprobs(logits, packed))
        entropy = entropies(logits) if algorithm.entropy else None
        result = objective(algorithm, tokens, entropy)
        factors = tokens.logprobs.new_tensor([sample.weight for sample in micro for _ in range(sample.trained)])
        loss = (result.loss * factors).sum()
        (loss / divisor).backward()
        with torch.no_grad():
            gap = tokens.old_logprobs - tokens.logprobs
            sums["tokens"] += len(gap)
            sums["loss"] += float(loss)
            sums["entropy"] += float((entropies(logits) if entropy is None else entropy).sum())
            sums["kl"] += float(k3(gap).sum())
            sums["clip_fraction"] += float(result.clipped.sum())

    def _pack(self, samples: Sequence[Sample]) -> Packed:
        packed = pack([(sample.trajectory.tokens, sample.trajectory.loss_mask) for sample in samples])
        return packed.to(self.model.device)


def _tokens(micro: Sequence[Sample], logprobs: Tensor) -> Tokens:
    """Return the trained tokens of a micro batch, in the precision of the model's log-probabilities."""
    notes = {name: torch.cat([sample.notes[name] for sample in micro]).to(logprobs) for name in micro[0].notes}
    sampled = [logprob for sample in micro for logprob in sample.trajectory.action_logprobs]
    advantages = torch.cat([sample.advantages for sample in micro]).to(logprobs)
    old = notes.pop("old", None)
    return Tokens(
        logprobs=logprobs,
        old_logprobs=logprobs.new_tensor(sampled) if old is None else old,
        advantages=advantages,
        lengths=[sample.trained for sample in micro],
        notes=notes,
    )
