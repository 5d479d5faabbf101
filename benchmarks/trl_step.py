"""A GRPO step of TRL, in an environment of its own (`make test-peers` makes it): `python trl_step.py WORK.json`.

Each line on the standard input asks for one step; the answer is a line with its seconds. The model is the shipped one.
So that every episode has the same turns whatever the weights say, no end token or tag is sampled, each turn has the
same length, and the parser of completions is replaced: it finds a call in the first turns, which is quicker than to
look.
"""

# mypy: ignore-errors
# Its libraries live in another environment.

import json
import sys
import time
from pathlib import Path
from typing import Any

from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
from trl import GRPOConfig, GRPOTrainer
from trl.trainer import grpo_trainer

_STEPS = 1000  # more than are ever asked for


def lookup(query: str) -> str:
    """Look something up.

    Args:
        query: What to look for.
    """
    return WORK["answer"]


def scripted(tokenizer: Any, ids: list[int], prefix: list[int], tools: Any) -> dict[str, Any]:
    """Return a call of the tool in the first turns of an episode, and an answer after them."""
    said = {"role": "assistant", "content": tokenizer.decode(ids)}
    if prefix.count(tokenizer.convert_tokens_to_ids("<tool_response>")) < WORK["calls"]:
        said["tool_calls"] = [{"type": "function", "function": {"name": "lookup", "arguments": {"query": "it"}}}]
    return said


class Answering(TrainerCallback):
    """Waits for a line before each step and answers with its seconds after it."""

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        """Wait."""
        if not sys.stdin.readline():
            sys.exit()
        self.begun = time.process_time()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """Answer."""
        print(f"seconds {time.process_time() - self.begun}", flush=True)


def main() -> None:
    """Make a trainer and answer."""
    samples, tasks = WORK["samples"], len(WORK["questions"])
    tokenizer = AutoTokenizer.from_pretrained(WORK["model"])
    tokenizer.response_template = {}  # none is asked, but one has to be there
    grpo_trainer.parse_response = scripted
    data = Dataset.from_list([{"prompt": [{"role": "user", "content": words}]} for words in WORK["questions"]])
    settings = GRPOConfig(
        output_dir=WORK["folder"],
        per_device_train_batch_size=tasks * samples,
        num_generations=samples,
        max_completion_length=512,
        max_steps=_STEPS,
        learning_rate=1e-5,
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        save_strategy="no",
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
        generation_kwargs={"suppress_tokens": list(tokenizer.added_tokens_decoder)},
    )
    trainer = GRPOTrainer(
        model=AutoModelForCausalLM.from_pretrained(WORK["model"], dtype="float32"),
        reward_funcs=lambda completions, **_: [float(i % 3) for i in range(len(completions))],
        args=settings,
        train_dataset=data,
        processing_class=tokenizer,
        tools=[lookup],
        callbacks=[Answering()],
    )
    trainer.generation_config.max_new_tokens = WORK["turn_tokens"]
    trainer.train()


if __name__ == "__main__":
    WORK = json.loads(Path(sys.argv[1]).read_text())
    main()
