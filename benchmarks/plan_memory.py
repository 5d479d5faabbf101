"""What `agent-rl plan` says of memory beside what a process needs: a random model of 107 million parameters, on a CPU.

    python -m benchmarks.plan_memory [--json] [KEY=VALUE ...]

Each configuration has a process of its own, which makes the workers and the cache, takes two optimizer steps on random
trajectories that fill a micro batch each, and writes a checkpoint. What it needed is its largest resident memory less
that behind the imports. Settings on the command line are those of `agent-rl train`, added to each configuration.
"""

import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from agent_rl.config import compose, validate
from agent_rl.trainer.settings import TrainConfig

CONFIGURATIONS = {
    "grpo": [],
    "recompute": ["worker.recompute=true"],
    "reference": ["algorithm.kl.coefficient=0.05", "worker.recompute=true"],
    "ppo": ["algorithm=ppo", "worker.recompute=true"],
    "lora": ["lora.rank=16", "worker.recompute=true"],
}
COMMON = ["trainer.micro_tokens=512", "engine.rows=8", "model.device=cpu", "rollout.limits.episode_tokens=512"]


def make_model(folder: Path) -> None:
    """Write a random model of 107 million parameters, with the tokenizer of `tiny`."""
    from agent_rl.models.loading import load_tokenizer
    from agent_rl.models.scratch import new_model
    from agent_rl.models.settings import ModelSettings

    tokenizer = load_tokenizer(ModelSettings())
    new_model(512, tokenizer.eos_token_id, tokenizer.pad_token_id, 0, layers=15, width=768).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def measure(config: TrainConfig, folder: Path) -> float:
    """Return the largest memory (MB) that two updates and a checkpoint need, beside the imports."""
    import torch

    from agent_rl.core.outcome import StopReason
    from agent_rl.core.trajectory import Group, Origin, Segment, Trajectory, Turn
    from agent_rl.rollout.engines.embedded.cache import RowCache, Shape
    from agent_rl.rollout.engines.embedded.settings import EmbeddedSettings
    from agent_rl.trainer.algorithms import make_batch
    from agent_rl.trainer.annotate import annotate
    from agent_rl.trainer.batches import samples
    from agent_rl.trainer.cluster.inline import InlineCluster
    from agent_rl.trainer.metrics import peak_memory_mb

    torch.ones(64, 64) @ torch.ones(64, 64)
    before = resident_mb()
    team = InlineCluster(config).team(None)
    assert team.model is not None
    model, most = team.model.config, config.rollout.limits.episode_tokens
    assert isinstance(config.engine, EmbeddedSettings)
    shape = Shape(model.num_hidden_layers, model.num_key_value_heads, model.head_dim, model.max_position_embeddings)
    cache = RowCache(shape, config.engine.rows, team.model.dtype, team.model.device)
    cache.reserve(most)
    with torch.inference_mode():
        cache.data.fill_(0.0)  # the system gives memory when it is written to
    rng = random.Random(0)

    def trajectory(number: int) -> Trajectory:
        prompt, said = (tuple(rng.randrange(500) for _ in range(size)) for size in (112, 400))
        action = Segment(Origin.ACTION, said, (-6.0,) * len(said), (0,) * len(said))
        segments = [Segment(Origin.PROMPT, prompt), action]
        return Trajectory("t", number, segments=segments, turns=[Turn(float(number))], stop=StopReason.ANSWERED)

    for _ in range(2):
        group = Group("t", [trajectory(0), trajectory(1)])  # a micro batch each
        noted = config.algorithm.settle(annotate(make_batch([group]), team.annotators), most)
        batch = samples(noted, config.algorithm.advantage.advantages(noted))
        for learner in team.learners:
            learner.update(batch, 2)
        team.policy.update(batch, config.algorithm, 2)
    for worker in team.workers:
        worker.save(folder)
    assert cache.data.numel()  # it is held to the end
    return peak_memory_mb() - before


def resident_mb() -> float:
    """Return the resident memory of this process now, in MB."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def planned(config: TrainConfig) -> float:
    """Return what the plan says of the same (MB)."""
    from agent_rl.trainer.memory import devices

    (device,) = devices(config)
    return device.total


def main() -> None:
    """Print the table."""
    words = [word for word in sys.argv[1:] if word != "--json"]
    rows = {}
    with tempfile.TemporaryDirectory() as place:
        make_model(Path(place))
        for name, chosen in CONFIGURATIONS.items():
            given = [*COMMON, f"model={place}", *chosen, *words]
            said = planned(validate(TrainConfig, compose("train", given)))
            command = [sys.executable, "-m", "benchmarks.plan_memory", "--measure", *given]
            seen = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])
            rows[name] = {"planned_mb": said, "measured_mb": seen, "ratio": said / seen}
            print(f"{name:<12} planned {said:7.0f} MB  measured {seen:7.0f} MB  {said / seen:.2f}", flush=True)
    if "--json" in sys.argv:
        print(json.dumps(rows))


if __name__ == "__main__" and "--measure" in sys.argv:
    import peft

    import agent_rl.trainer.run  # what the imports need is not what the run needs

    assert peft and agent_rl.trainer.run
    with tempfile.TemporaryDirectory() as place:
        print(measure(validate(TrainConfig, compose("train", sys.argv[2:])), Path(place)))
elif __name__ == "__main__":
    main()
