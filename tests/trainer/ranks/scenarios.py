"""What two ranks and one process do alike: each scenario is called in both, and what it returns is compared.

`python -m tests.trainer.ranks.scenarios RANK FOLDER` is one of two gloo ranks. It goes through all scenarios, and
leaves what each returned, or a traceback, in FOLDER/RANK.pt.
"""

import random
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from torch import distributed
from transformers import AutoModelForCausalLM, PreTrainedModel

from agent_rl.core.errors import UserError
from agent_rl.core.message import assistant, user
from agent_rl.core.trajectory import Group, Origin, Segment, Support
from agent_rl.models import attention, packed
from agent_rl.models.loading import load_model
from agent_rl.models.lora import add_adapters
from agent_rl.models.scratch import new_model
from agent_rl.models.settings import LoraSettings, ModelSettings
from agent_rl.models.weights import named_weights
from agent_rl.trainer import sharding
from agent_rl.trainer.algorithms import AlgorithmSettings, Batch, make_batch
from agent_rl.trainer.algorithms.correction import CorrectionSettings
from agent_rl.trainer.algorithms.kl import KlSettings
from agent_rl.trainer.algorithms.values import ValueOptimizerSettings, ValueSettings
from agent_rl.trainer.annotate import annotate
from agent_rl.trainer.batches import samples
from agent_rl.trainer.optimizer import OptimizerSettings
from agent_rl.trainer.ranks import Ranks
from agent_rl.trainer.reward_settings import GenerativeSettings, ScalarSettings
from agent_rl.trainer.worker_settings import WorkerSettings
from agent_rl.trainer.workers import (
    AdaptedReference,
    GenerativeReward,
    PolicyWorker,
    ReferenceWorker,
    ScalarReward,
    ValueWorker,
)
from agent_rl.trainer.workers.judging import Conversation
from tests.double import in_double

from ..conftest import VOCABULARY, trajectory
from ..reward_models import save_reward_model

Result = dict[str, Any]
OPTIMIZER = OptimizerSettings(lr=1e-3, warmup=2)
LORA = LoraSettings(rank=4, alpha=8)
WITH_REFERENCE = AlgorithmSettings(
    kl=KlSettings(coefficient=0.1), correction=CorrectionSettings(old="trainer", weights="truncate"), entropy=0.01
)


def model(dtype: str = "float64", tied: bool = True, noise: float = 0.0) -> PreTrainedModel:
    made = new_model(VOCABULARY, 2, 0, seed=11, layers=2, width=32).eval()
    if not tied:
        made.lm_head.weight = torch.nn.Parameter(made.lm_head.weight.detach() * 1.1)
        made.config.tie_word_embeddings = False
    made.set_attn_implementation(attention.NAME)
    with torch.no_grad():
        next(made.parameters()).mul_(1 + noise)
    return in_double(made) if dtype == "float64" else made


def step(count: int) -> Batch:
    rng = random.Random(3)
    made = [trajectory(rng, float(i % 2), turns=1 + i % 3) for i in range(count)]
    for number, one in enumerate(made):
        one.sample = number
    return make_batch([Group("t", made)])


def policy(made: PreTrainedModel, held: WorkerSettings | None = None) -> PolicyWorker:
    return PolicyWorker(made, OPTIMIZER, 60, 0.7, held)


def critic(made: PreTrainedModel) -> ValueWorker:
    return ValueWorker(made, ValueSettings(optimizer=ValueOptimizerSettings(lr=1e-2)), 60)


def weights(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in named_weights(module)}


def updates(worker: PolicyWorker, algorithm: AlgorithmSettings, batch: Batch, count: int = 3) -> list[dict[str, float]]:
    settled = algorithm.settle(batch, 1000)
    advantages = algorithm.advantage.advantages(settled)
    lessons = samples(settled, advantages + torch.linspace(-0.5, 0.5, len(advantages), dtype=torch.float64))
    return [worker.update(lessons, algorithm, 5, measure=True) for _ in range(count)]


def learned(worker: PolicyWorker, algorithm: AlgorithmSettings, count: int, *others: Any) -> Result:
    batch = annotate(step(count), [worker, *others])
    metrics = updates(worker, algorithm, batch)
    notes = batch.notes | {"computed": worker.computed()}
    return {"metrics": metrics, "weights": weights(worker.model), "notes": notes}


def clip_with_a_reference(folder: Path) -> Result:
    return learned(policy(model()), WITH_REFERENCE, 7, ReferenceWorker(model(noise=0.3), 60, 0.7))


def in_float32(folder: Path) -> Result:
    return learned(policy(model("float32")), AlgorithmSettings(), 7)


def shared_prompts_and_logits_in_chunks(folder: Path) -> Result:
    batch, prompt = step(6), Segment(Origin.PROMPT, tuple(range(40)))
    for each in batch.trajectories:
        each.segments[0] = prompt
    at_once = packed._LOGITS
    packed._LOGITS = 16 * VOCABULARY
    try:
        worker = PolicyWorker(model(), OPTIMIZER, 120, 0.7)
        noted = annotate(batch, [worker])
        metrics = updates(worker, AlgorithmSettings(entropy=0.01), noted, 2)
        return {"metrics": metrics, "weights": weights(worker.model), "notes": noted.notes}
    finally:
        packed._LOGITS = at_once


def one_sample(folder: Path) -> Result:
    return learned(policy(model()), AlgorithmSettings(), 1)


def embeddings_of_their_own(folder: Path) -> Result:
    return learned(policy(model(tied=False)), AlgorithmSettings(aggregation="sequence"), 3)


def recomputed(folder: Path) -> Result:
    return learned(policy(model(), WorkerSettings(recompute=True)), AlgorithmSettings(), 5)


def offloaded(folder: Path) -> Result:
    held = WorkerSettings(offload=True) if Ranks.here().sharded else None
    return learned(policy(model(), held), AlgorithmSettings(), 5)


def nothing_to_learn(folder: Path) -> Result:
    worker, batch = policy(model()), step(3)
    idle = samples(batch, torch.zeros(len(batch.turns), dtype=torch.float64))
    return {"metrics": [worker.update(idle, AlgorithmSettings(), 1, measure=True)], "weights": weights(worker.model)}


def not_a_number_on_one_rank(folder: Path) -> Result:
    worker, batch = policy(model()), step(4)
    advantages = torch.ones(len(batch.turns), dtype=torch.float64)
    advantages[0] = float("nan")
    lessons = samples(batch, advantages)
    metrics = [worker.update(lessons, AlgorithmSettings(), 5), worker.update(lessons[1:], AlgorithmSettings(), 5)]
    kept = {"metrics/skipped": float(worker.skipped), "lr": metrics[1]["policy/lr"]}
    named = [{"policy/skipped_updates": each["policy/skipped_updates"]} for each in metrics]
    return {"metrics": [*named, kept], "weights": weights(worker.model)}


def values(folder: Path) -> Result:
    worker, learner = policy(model()), critic(model())
    algorithm = AlgorithmSettings(advantage={"name": "gae"})
    metrics = []
    for _ in range(3):
        batch = annotate(step(5), [learner])
        settled = algorithm.settle(batch, 1000)
        lessons = samples(settled, algorithm.advantage.advantages(settled))
        metrics.append(learner.update(lessons, 5) | worker.update(lessons, algorithm, 5))
    return {"metrics": metrics, "weights": weights(worker.model) | weights(learner.model), "notes": batch.notes}


def adapters(folder: Path) -> Result:
    made = model()
    add_adapters(made, LORA, seed=4)
    worker = policy(made)
    algorithm = AlgorithmSettings(kl=KlSettings(coefficient=0.1))
    first = learned(worker, algorithm, 5, AdaptedReference(worker))
    batch = annotate(step(5), [AdaptedReference(worker), worker])
    metrics = first["metrics"] + updates(worker, algorithm, batch)
    at = folder / "adapters"
    at.mkdir(exist_ok=True)
    worker.save(at)
    return {"metrics": metrics, "weights": weights(worker.model), "notes": batch.notes}


def adapters_come_back(folder: Path) -> Result:
    made = model()
    add_adapters(made, LORA, seed=5)
    worker = policy(made)
    worker.load(folder / "adapters")
    return {"metrics": updates(worker, AlgorithmSettings(), step(4)), "weights": weights(worker.model)}


def scored(folder: Path, held: WorkerSettings | None = None) -> Result:
    place = folder / ("reward_model_together" if held else "reward_model")
    Ranks.here().first(lambda: save_reward_model(place))
    settings = ModelSettings(path=str(place), device="cpu")
    worker = ScalarReward(*sharding.load_for_ranks(settings, scores=True), ScalarSettings(path=str(place)), 60, held)
    told = [Conversation([user("Where?"), assistant(number * "Here. ")], [], []) for number in range(1, 6)]
    scores = [[said.score for said in worker.judge(some)] for some in (told, told[:1])]
    return {"metrics": [], "notes": {"all": torch.tensor(scores[0]), "one": torch.tensor(scores[1])}}


def answered(folder: Path) -> Result:
    settings = GenerativeSettings(path="tiny", answer_tokens=8, retries=0)
    worker = GenerativeReward(*load_model(ModelSettings(path="tiny", device="cpu")), settings)
    told = [Conversation([user(f"Where is {number}?"), assistant("Here.")], [], []) for number in range(5)]
    said = "".join(one.problem for one in worker.judge(told))  # the model knows no verdicts, and says other things
    return {"metrics": [], "notes": {"said": torch.tensor(list(said.encode()), dtype=torch.float64)}}


def together(recompute: bool = False) -> WorkerSettings | None:
    """Let both ranks compute every micro batch together, if there are two."""
    return WorkerSettings(recompute=recompute, sequence_parallel=2) if Ranks.here().sharded else None


def shared(count: int, prompt: int = 40) -> Batch:
    """Return episodes that begin alike, some of whose tokens were drawn from a few."""
    batch, begin = step(count), Segment(Origin.PROMPT, tuple(range(prompt)))
    for number, each in enumerate(batch.trajectories):
        each.segments[0] = begin
        said = each.segments[1]
        if number % 2:
            supports = tuple(Support((token, (token + 7) % VOCABULARY), -0.1) for token in said.tokens)
            each.segments[1] = replace(said, supports=supports)
    return batch


def together_with_shared_prompts(folder: Path) -> Result:
    worker = PolicyWorker(model(), OPTIMIZER, 120, 0.7, together())
    noted = annotate(shared(6), [worker, ReferenceWorker(model(noise=0.3), 120, 0.7, together())])
    metrics = updates(worker, WITH_REFERENCE, noted)
    return {"metrics": metrics, "weights": weights(worker.model), "notes": noted.notes}


def together_by_sequence(folder: Path) -> Result:
    """Take ratios of whole sequences, whose tokens lie on both ranks, in layers that are computed twice."""
    algorithm = AlgorithmSettings(loss={"name": "gspo"}, aggregation="sequence")
    return learned(policy(model(tied=False), together(recompute=True)), algorithm, 7)


def together_in_float32(folder: Path) -> Result:
    return learned(policy(model("float32"), together()), AlgorithmSettings(), 7)


def together_with_one_head_of_keys(folder: Path) -> Result:
    few = model()
    few.config.num_key_value_heads = 1
    torch.manual_seed(6)
    made = in_double(type(few)(few.config).eval())
    return learned(policy(made, together()), AlgorithmSettings(), 5)


def together_values(folder: Path) -> Result:
    learner = ValueWorker(model(), ValueSettings(optimizer=ValueOptimizerSettings(lr=1e-2)), 60, together())
    algorithm = AlgorithmSettings(advantage={"name": "gae"})
    settled = algorithm.settle(annotate(step(5), [learner]), 1000)
    lessons = samples(settled, algorithm.advantage.advantages(settled))
    metrics = [learner.update(lessons, 5) for _ in range(3)]
    return {"metrics": metrics, "weights": weights(learner.model), "notes": settled.notes}


def together_scores(folder: Path) -> Result:
    return scored(folder, together())


def saved(folder: Path, name: str = "saved", behind: bool = False) -> Result:
    """Leave off in the middle; what comes after is `continued`'s."""
    worker, learner = policy(model("float32")), critic(model("float32"))
    learn_both(worker, learner)
    at = folder / name
    at.mkdir(exist_ok=True)
    for each in (worker, learner):
        each.save(at, behind)
    metrics = learn_both(worker, learner)
    while not all(each.saved() for each in (worker, learner)):
        time.sleep(0.01)
    return {"metrics": metrics, "weights": weights(worker.model) | weights(learner.model)}


def continued(folder: Path, name: str = "saved") -> Result:
    Ranks.here().first(lambda: None)  # rank 0 writes the last file
    begun = AutoModelForCausalLM.from_pretrained(folder / name, attn_implementation=attention.NAME)
    worker, learner = policy(begun.eval()), critic(model("float32", noise=0.5))
    for each in (worker, learner):
        each.load(folder / name)
    return {"metrics": learn_both(worker, learner), "weights": weights(worker.model) | weights(learner.model)}


def saved_behind(folder: Path) -> Result:
    return saved(folder, "behind", behind=True)


def continued_from_behind(folder: Path) -> Result:
    return continued(folder, "behind")


def learn_both(worker: PolicyWorker, learner: ValueWorker) -> list[dict[str, float]]:
    algorithm = AlgorithmSettings(advantage={"name": "gae"})
    settled = algorithm.settle(annotate(step(5), [learner]), 1000)
    lessons = samples(settled, algorithm.advantage.advantages(settled))
    return [learner.update(lessons, 5) | worker.update(lessons, algorithm, 5) for _ in range(2)]


SCENARIOS: dict[str, Callable[[Path], Result]] = {
    scenario.__name__: scenario
    for scenario in (
        clip_with_a_reference,
        in_float32,
        shared_prompts_and_logits_in_chunks,
        one_sample,
        embeddings_of_their_own,
        recomputed,
        offloaded,
        nothing_to_learn,
        not_a_number_on_one_rank,
        values,
        adapters,
        adapters_come_back,
        scored,
        answered,
        together_with_shared_prompts,
        together_by_sequence,
        together_in_float32,
        together_with_one_head_of_keys,
        together_values,
        together_scores,
        saved,
        continued,
        saved_behind,
        continued_from_behind,
    )
}
"""Both return the same."""


def saved_by_one(folder: Path) -> Result:
    return continued(folder.parent / "one")


def computed_in_bfloat16(folder: Path) -> Result:
    worker = policy(model("float32"), WorkerSettings(compute="bfloat16"))
    seen: list[torch.dtype] = []
    projection = worker.model.model.layers[0].self_attn.q_proj
    projection.register_forward_hook(lambda module, given, out: seen.append(out.dtype))
    result = learned(worker, AlgorithmSettings(), 7)
    kept = {parameter.dtype for parameter in worker.model.parameters()}
    return result | {"computed": set(seen), "kept": kept}


def parts_of_the_weights(folder: Path) -> Result:
    made = policy(model()).model
    return {"parts": {name: parameter.to_local().numel() for name, parameter in made.named_parameters()}}


def read_by_rank_0_alone(folder: Path) -> Result:
    read: list[str] = []

    def reading(settings: ModelSettings) -> Any:
        read.append(settings.path)
        return load_model(settings)

    sharding.load_model = reading  # type: ignore[attr-defined]
    made, tokenizer = sharding.load_for_ranks(ModelSettings(path="tiny"))
    began = {parameter.device.type for parameter in made.parameters()}
    worker = ReferenceWorker(made, 60, 1.0)
    result = {"read": read, "began": began, "vocabulary": len(tokenizer), "weights": weights(worker.model)}
    return result | {"reference": worker.annotate(step(2)).notes["reference"]}


def heads_that_cannot_be_shared_out(folder: Path) -> Result:
    odd = model()
    odd.config.num_attention_heads = 3
    try:
        policy(odd, together())
    except UserError as error:
        return {"told": str(error)}
    return {}


def failures_are_told_to_all(folder: Path) -> Result:
    def fail() -> None:
        raise UserError("there is no such thing")

    try:
        Ranks.here().first(fail)
    except UserError as error:
        return {"told": str(error)}
    return {}


ON_RANKS: dict[str, Callable[[Path], Result]] = {
    scenario.__name__: scenario
    for scenario in (
        saved_by_one,
        computed_in_bfloat16,
        parts_of_the_weights,
        read_by_rank_0_alone,
        heads_that_cannot_be_shared_out,
        failures_are_told_to_all,
    )
}
"""Only several ranks can do this."""


def main(rank: int, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2, timeout=timedelta(seconds=240)
    )
    results: dict[str, Any] = {}
    for name, scenario in (SCENARIOS | ON_RANKS).items():
        print(name, time.time(), flush=True)
        try:
            results[name] = scenario(folder)
        except Exception:
            results[name] = traceback.format_exc()
            break  # the other rank may be anywhere
    torch.save(results, folder / f"{rank}.pt")
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
