"""Supervised training on an environment's demonstrations, with the masks that reinforcement learning uses."""

import shutil
import time
from pathlib import Path
from random import Random

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from agent_rl.core.errors import UserError
from agent_rl.core.manifest import seal
from agent_rl.core.seeds import derive
from agent_rl.envs.base import AgentEnv, Demonstration
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
from agent_rl.trainer.settings import SftConfig

_TOKENIZER_TEXTS = 3000


def train_on_demonstrations(config: SftConfig, folder: RunFolder, tracker: Tracker, console: Console) -> Path:
    """Train, and return the checkpoint in Hugging Face format that was left in the run folder.

    Raises:
        UserError: The environment has no demonstrations, or a step's gradient is not finite.
    """
    env = config.env.build()
    model, tokenizer = _beginning(config, env)
    renderer = Renderer(tokenizer, config.renderer)
    optimizer = make_optimizer(list(model.parameters()), config.optimizer)
    begun, tokens, steps = time.perf_counter(), 0, config.sft.steps
    model.train()
    for step in range(steps):
        demonstrations = [env.demonstrate(_stream(config, step, i)) for i in range(config.sft.batch)]
        packed = pack([sequence(demonstration, renderer) for demonstration in demonstrations]).to(model.device)
        loss = -predict(model, packed).logprobs.mean()
        loss.backward()
        rate = learning_rate(config.optimizer, step, steps)
        norm = apply(optimizer, rate, config.optimizer.max_grad_norm)
        if norm is None:
            raise UserError(f"the gradient of step {step + 1} is not finite; try a lower optimizer.lr")
        tokens += packed.tokens.numel()
        if (step + 1) % config.sft.log_every == 0 or step + 1 == steps:
            seconds = time.perf_counter() - begun
            metrics = {
                "sft/loss": loss.item(),
                "policy/grad_norm": norm,
                "policy/lr": rate,
                "progress/tokens": float(tokens),
                "speed/tokens_per_second": tokens / seconds,
            }
            tracker.log(step + 1, metrics)
            console.step(step + 1, steps, metrics)
    return _save(model, tokenizer, folder, steps)


def sequence(demonstration: Demonstration, renderer: Renderer) -> tuple[list[int], list[bool]]:
    """Return the tokens of a conversation and the mask that is true at what the assistant says."""
    messages = demonstration.messages
    first = next(i for i, message in enumerate(messages) if message["role"] == "assistant")
    tokens = renderer.prompt(messages[:first], demonstration.tools)
    mask = [False] * len(tokens)
    at = first
    while at < len(messages):
        action = renderer.action(messages[at], tokens)
        end = next((i for i in range(at + 1, len(messages)) if messages[i]["role"] == "assistant"), len(messages))
        observation = renderer.observation(messages[at + 1 : end], action[-1]) if end > at + 1 else []
        tokens += action + observation
        mask += [True] * len(action) + [False] * len(observation)
        at = end
    return tokens, mask


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


def _stream(config: SftConfig, step: int, number: int) -> Random:
    return Random(derive(config.seed, "sft", step, number))
