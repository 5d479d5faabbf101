"""The policy worker: it holds the model that trains, or this rank's part of it."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from agent_rl.models.lora import load_adapters, save_adapters
from agent_rl.models.packed import Predicted
from agent_rl.models.weights import adapter_parameters, whole
from agent_rl.trainer.algorithms import AlgorithmSettings, Batch, Tokens
from agent_rl.trainer.algorithms.aggregation import weights
from agent_rl.trainer.algorithms.kl import k3
from agent_rl.trainer.algorithms.objective import objective
from agent_rl.trainer.algorithms.supervised import supervised_weights
from agent_rl.trainer.batches import Sample, noted, pack_samples, unlearned
from agent_rl.trainer.checkpoints import ADAPTERS
from agent_rl.trainer.mismatch import mismatch
from agent_rl.trainer.optimizer import OptimizerSettings, apply, learning_rate, make_optimizer
from agent_rl.trainer.ranks import IDLE, Ranks
from agent_rl.trainer.saving import AtOnce, Behind, Write
from agent_rl.trainer.sharding import predicted, prepare
from agent_rl.trainer.states import load_state, state_writer
from agent_rl.trainer.weights import PolicyWeights, exporter
from agent_rl.trainer.worker_settings import WorkerSettings
from agent_rl.trainer.workers.tokenwise import logprobs

_STATE = "trainer.pt"

Seen = tuple[int, Tensor]
"""Where in a mini batch the tokens of a sample begin, and their log-probabilities."""


class PolicyWorker:
    """Computes log-probabilities and updates on packed batches."""

    def __init__(
        self,
        model: PreTrainedModel,
        optimizer: OptimizerSettings,
        micro_tokens: int,
        temperature: float,
        held: WorkerSettings | None = None,
    ) -> None:
        """Train `model` with micro batches of at most `micro_tokens` tokens; `temperature` is the rollout's.

        Where torch.distributed has been initialised, `model` is dealt out over the ranks, and all make the same calls.
        """
        held = held or WorkerSettings()
        self.ranks = Ranks.here(held.sequence_parallel)
        self.device = self.ranks.device(model)
        prepare(model, held, self.ranks)
        self.model = model
        self.settings = optimizer
        self.temperature = temperature
        self.micro_tokens = micro_tokens
        adapters = list(adapter_parameters(model).values())
        self.optimizer = make_optimizer(adapters or list(model.parameters()), optimizer)
        self._behind = Behind(self.ranks)
        self.updates = 0
        self.skipped = 0
        self._seen: list[Seen] = []
        self._trained = 0

    def update(
        self, batch: Sequence[Sample], algorithm: AlgorithmSettings, updates: int, measure: bool = False
    ) -> dict[str, float]:
        """Take one optimizer step on a mini batch and return its metrics.

        The weights of tokens are those of the whole mini batch, so that micro batches change the loss by rounding only.
        Samples whose advantages are 0 have no gradient, unless the algorithm is `dense`; they are not computed, but
        count in the mean of the loss. A loss or gradient that is not finite means no step; `skipped` counts those.
        Entropy, KL and clip fraction are means over the tokens that were computed, and absent when there were none.

        Args:
            batch: The mini batch.
            algorithm: Gives the loss of each token, and its weight.
            updates: Optimizer steps of the whole run, for the schedule.
            measure: Whether to say how far the log-probabilities are from the old ones, the engine's: the mismatch, if
                nothing of the step has been learned yet.
        """
        trained = sum(sample.trained for sample in batch)
        lengths, episodes = [sample.trained for sample in batch], [sample.episode for sample in batch]
        factors, divisor = weights(algorithm.aggregation, lengths, episodes, algorithm.aggregation_tokens)
        weighted = [
            replace(sample, weight=factor)
            for sample, factor in zip(_prepared(batch, algorithm, factors, divisor), factors.tolist(), strict=True)
        ]
        computed = [sample for sample in weighted if algorithm.dense or sample.advantages.any()]
        begins = accumulate(lengths, initial=0)
        places = {id(sample): begin for sample, begin in zip(weighted, begins, strict=False)}
        self._seen, self._trained = [], trained
        sums: dict[str, float] = defaultdict(float)
        gaps: list[Tensor] = []
        for micro in self.ranks.micro_batches(computed, self.micro_tokens):
            gaps += self._backward(micro, algorithm, divisor, sums, places) if micro else self._idle()
        sums = self.ranks.totals(sums)
        seen, loss = sums.pop("tokens", 0.0), sums.pop("loss", 0.0)
        metrics = {
            "policy/loss": loss / divisor,
            "policy/computed_share": seen / max(1, trained),
        }
        metrics |= {f"policy/{name}": value / seen for name, value in sums.items()}
        if measure and computed:
            found = torch.cat([gap for each in self.ranks.found(gaps) for gap in each])
            metrics |= mismatch(found) if len(found) else {}
        rate = learning_rate(self.settings, self.updates, updates)
        norm = apply(self.optimizer, rate, self.settings.max_grad_norm, loss) if computed else 0.0
        self.updates += 1
        self.skipped += norm is None
        return metrics | {
            "policy/lr": rate,
            "policy/grad_norm": norm or 0.0,
            "policy/skipped_updates": float(norm is None),
        }

    def computed(self) -> Tensor:
        """Return the log-probabilities of the trained tokens of the last update's batch, `[A]`, float64.

        They are those of its forward pass, before the weights changed; NaN of tokens that were not computed.
        """
        found = torch.full((self._trained,), torch.nan, dtype=torch.float64)
        for seen in self.ranks.gathered(self._seen):
            for begin, part in seen:
                found[begin : begin + len(part)] = part
        return found

    def logprobs(self, batch: Sequence[Sample]) -> Tensor:
        """Return the log-probabilities of the trained tokens of all samples, in order, without a gradient, `[A]`."""
        return logprobs(self.model, self.ranks, batch, self.micro_tokens, self.temperature)

    def annotate(self, batch: Batch) -> Batch:
        """Return the batch with the note `old`: the log-probabilities as they are before the step, `[A]`, float64."""
        return batch.noted(old=self.logprobs(unlearned(batch)))

    def weights(self, version: int, tokenizer: PreTrainedTokenizerBase | None = None) -> PolicyWeights:
        """Return the weights as they are now, as `version`, for the engine."""
        updates = self.updates
        return PolicyWeights(version, self.model, tokenizer, lambda: self.updates == updates)

    def save(self, folder: Path, behind: bool = False) -> None:
        """Write the model in Hugging Face format, adapters merged and beside, and the optimizer's state.

        What is to be written `behind` is copied now, and written by a thread; `saved` says when it is.
        """
        saving = self._behind if behind else AtOnce(self.ranks)
        writes: list[Write] = [exporter(self.model, folder, saving)]
        named = {name: whole(weight.detach()) for name, weight in adapter_parameters(self.model).items()}
        if adapters := saving.keep(named):
            writes.append(lambda: saving.first(lambda: save_adapters(self.model, adapters, folder / ADAPTERS)))
        counts = {"updates": self.updates, "skipped": self.skipped}
        file = folder / _STATE
        saving.write([*writes, state_writer(file, self.optimizer, self.model, self.ranks, False, saving, **counts)])

    def saved(self) -> bool:
        """Return whether all that was to be written behind is written.

        Raises:
            Exception: What kept it from being written.
        """
        return self._behind.done()

    def load(self, folder: Path) -> None:
        """Restore adapters and the optimizer's state; a model without adapters has been loaded from the same folder.

        Raises:
            UserError: The state is missing or damaged.
        """
        if adapter_parameters(self.model):
            load_adapters(self.model, folder / ADAPTERS)
        state = load_state(folder / _STATE, self.optimizer, self.model, self.ranks, own=False)
        self.updates, self.skipped = state["updates"], state["skipped"]

    def _backward(
        self,
        micro: list[Sample],
        algorithm: AlgorithmSettings,
        divisor: float,
        sums: dict[str, float],
        places: dict[int, int],
    ) -> list[Tensor]:
        """Add a micro batch to the gradient and to `sums`; return log p - log p_old of its sampled tokens.

        `places` says where in the mini batch the tokens of each sample, by its identity, begin.
        """
        logprobs, entropies = self._predicted(micro, algorithm.entropy > 0)
        tokens = _tokens(micro, logprobs)
        result = objective(algorithm, tokens, entropies if algorithm.entropy else None)
        factors = tokens.logprobs.new_tensor([sample.weight for sample in micro for _ in range(sample.trained)])
        loss = (result.loss * factors).sum()
        (loss / divisor).backward()
        with torch.no_grad():
            parts = logprobs.double().cpu().split(tokens.lengths)
            self._seen += [(places[id(sample)], part.clone()) for sample, part in zip(micro, parts, strict=True)]
            gap = tokens.old_logprobs - tokens.logprobs
            sums["tokens"] += len(gap)
            if "guided" in tokens.notes:  # what was shown has no old policy to be far from
                gap = gap[tokens.notes["guided"] == 0]
            sums["loss"] += float(loss)
            sums["entropy"] += float(entropies.sum())
            sums["kl"] += float(k3(gap).sum())
            sums["clip_fraction"] += float(result.clipped.sum())
        return [-gap.cpu()]

    def _idle(self) -> list[Tensor]:
        """Add nothing to the gradient, for the ranks compute every micro batch together."""
        (self._predicted(IDLE).logprobs.sum() * 0.0).backward()
        return []

    def _predicted(self, samples: Sequence[Sample], entropy_gradient: bool = False) -> Predicted:
        packed = pack_samples(samples).to(self.device)
        return predicted(self.model, self.ranks, packed, self.temperature, entropy_gradient)


def _prepared(batch: Sequence[Sample], algorithm: AlgorithmSettings, factors: Tensor, divisor: float) -> list[Sample]:
    """Return the samples with what the loss computes from all tokens of the mini batch."""
    if not batch:
        return []
    old, advantages = [sample.old_logprobs for sample in batch], [sample.advantages for sample in batch]
    notes = algorithm.loss.prepare(torch.cat(old), torch.cat(advantages))
    if algorithm.supervised.weight:
        successful = torch.cat([sample.notes["successful"] for sample in batch])
        spread = factors.repeat_interleave(torch.tensor([sample.trained for sample in batch]))
        notes["supervised"] = supervised_weights(algorithm.supervised.weight, successful, spread, divisor)
    return noted(batch, notes)


def _tokens(micro: Sequence[Sample], logprobs: Tensor) -> Tokens:
    """Return the trained tokens of a micro batch, in the precision of the model's log-probabilities."""
    return Tokens(
        logprobs=logprobs,
        old_logprobs=torch.cat([sample.old_logprobs for sample in micro]).to(logprobs),
        advantages=torch.cat([sample.advantages for sample in micro]).to(logprobs),
        lengths=[sample.trained for sample in micro],
        notes={name: torch.cat([sample.notes[name] for sample in micro]).to(logprobs) for name in micro[0].notes},
    )
