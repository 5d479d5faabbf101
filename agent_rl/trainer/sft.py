"""Supervised training on demonstrations, conversations and trajectories, with the masks of reinforcement learning."""

import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from agent_rl.core.errors import UserError
from agent_rl.core.manifest import seal
from agent_rl.core.seeds import derive
from agent_rl.envs.base import AgentEnv
from agent_rl.models import attention
from agent_rl.models.loading import device_of, load_model
from agent_rl.models.packed import pack, predict
from agent_rl.models.scratch import new_model, train_tokenizer
from agent_rl.rollout.renderer import Renderer
from agent_rl.tracking.base import Tracker
from agent_rl.tracking.console import Console
from agent_rl.tracking.run_folder import RunFolder
from agent_rl.trainer.checkpoints import commit_checkpoint
from agent_rl.trainer.optimizer import apply, learning_rate, make_optimizer
from agent_rl.trainer.sft_data import Demonstrations, Example, Examples, Source, read_data
from agent_rl.trainer.sft_settings import SftConfig

_TOKENIZER_TEXTS = 3000


def train_supervised(config: SftConfig, folder: RunFolder, tracker: Tracker, console: Console) -> Path:
    """Train, and return the checkpoint in Hugging Face format that was left in the run folder.

    Raises:
        UserError: There is nothing to learn from, or a step's gradient is not finite.
    """
    env = config.env.build()
    model, tokenizer = _beginning(config, env)
    source = _source(config, env, model, Renderer(tokenizer, config.renderer), console)
    optimizer = make_optimizer(list(model.parameters()), config.optimizer)
    begun, tokens, steps = time.perf_counter(), 0, source.steps
    model.train()
    for step in range(steps):
        examples = source.batch(step)
        loss, computed = _backward(model, examples, config.sft.micro_tokens)
        rate = learning_rate(config.optimizer, step, steps)
        norm = apply(optimizer, rate, config.optimizer.max_grad_norm)
        if norm is None:
            raise UserError(f"the gradient of step {step + 1} is not finite; try a lower optimizer.lr")
        tokens += computed
        if (step + 1) % config.sft.log_every == 0 or step + 1 == steps:
            seconds = time.perf_counter() - begun
            metrics = {
                "sft/loss": loss,
                "policy/grad_norm": norm,
                "policy/lr": rate,
                "progress/tokens": float(tokens),
                "speed/tokens_per_second": tokens / seconds,
            }
            tracker.log(step + 1, metrics)
            console.step(step + 1, steps, metrics)
    return _save(model, tokenizer, folder, steps)


def _backward(model: PreTrainedModel, examples: Sequence[Example], micro_tokens: int) -> tuple[float, int]:
    """Add the gradient of the mean loss over the trained tokens of a batch.

    Returns:
        That mean (nats), and how many tokens were computed; what examples share at their beginning counts once.
    """
    total = sum(sum(mask) for _, mask in examples)
    mean, computed = 0.0, 0
    for micro in _micro_batches(examples, micro_tokens):
        packed = pack(micro).to(model.device)
        loss = -predict(model, packed).logprobs.mean() * (len(packed.targets) / total)
        loss.backward()
        mean += loss.item()
        computed += packed.tokens.numel()
    return mean, computed


def _micro_batches(examples: Sequence[Example], tokens: int) -> list[list[Example]]:
    """Cut a batch into runs of at most `tokens` tokens; a longer example is a run of its own."""
    runs: list[list[Example]] = []
    room = 0
    for example in examples:
        size = len(example[0])
        if size > room or not runs:
            runs.append([])
            room = tokens
        runs[-1].append(example)
        room -= size
    return runs


def _source(config: SftConfig, env: AgentEnv, model: PreTrainedModel, renderer: Renderer, console: Console) -> Source:
    if config.sft.data is None:
        return Demonstrations(config, env, renderer)
    read = read_data(config, renderer, model.config.get_text_config().max_position_embeddings)
    console.line(f"{config.sft.data}: {read}")
    return Examples(read.examples, config)


def _beginning(config: SftConfig, env: AgentEnv) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    if not config.sft.from_scratch:
        return load_model(config.model)
    examples = [env.demonstrate(Random(derive(config.seed, "sft/tokenizer", i))) for i in range(_TOKENIZER_TEXTS)]
    tokenizer = train_tokenizer([example.messages for example in examples], examples[0].tools, config.sft.vocabulary)
    seed, shape = derive(config.seed, "sft/weights"), (config.sft.layers, config.sft.width)
    model = new_model(len(tokenizer), tokenizer.eos_token_id, tokenizer.pad_token_id, seed, *shape)
    model.set_attn_implementation(attention.NAME)
    return model.to(device_of(config.model)), tokenizer


def _save(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: RunFolder, steps: int) -> Path:
    work = folder.checkpoints / f".step_{steps:06d}"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    model.save_pretrained(work)
    tokenizer.save_pretrained(work)
    seal(work)
    return commit_checkpoint(work, keep=1)
