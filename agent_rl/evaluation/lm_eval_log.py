"""The log of an evaluation as lm-evaluation-harness writes its own: `results_DATE.json` and `samples_TASK_DATE.jsonl`.

Written against the files of lm_eval 0.4.13. A document is a task, a response an episode, a metric's value of a document
the mean over its usable episodes; the standard error is the package's, of the mean over documents.
"""

import hashlib
import json
import math
import re
import statistics
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from agent_rl import ADAPTERS, SHIPPED_ENVIRONMENTS
from agent_rl.core.errors import UserError
from agent_rl.core.files import read_json, write_json_atomic, write_text_atomic
from agent_rl.core.message import Message, text_of
from agent_rl.core.task import Task
from agent_rl.core.trajectory import Group, Trajectory
from agent_rl.envs.registration import label_of
from agent_rl.envs.section import EnvSection
from agent_rl.evaluation.figures import zero
from agent_rl.evaluation.recorded import Recorded
from agent_rl.evaluation.replay import taken_apart
from agent_rl.evaluation.results import ordered, task_figures
from agent_rl.tracking.run_folder import RunFolder

_FILTER = "none"  # how the package calls the responses as they are
_BETTER = ("success", "reward", "avg@", "pass@", "pass^")


def write_log(recorded: Recorded, out: Path) -> list[Path]:
    """Write the log of saved episodes below `out`, in a folder named after the model as the package has it.

    Args:
        recorded: The episodes.
        out: A folder that is empty or not there yet.

    Returns:
        The file of the results, and that of the samples.

    Raises:
        UserError: The environment, which knows the answers, cannot be made any more; or `out` is not empty.
        StorageError: The files cannot be written.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out} is not empty; choose another folder: out=FOLDER")
    tasks = EnvSection(**recorded.config["env"]).build().task_set(recorded.subject.split)
    name = re.sub(r"[^\w.+-]", "_", label_of(recorded.subject.env))
    samples = [
        _sample(place, group, tasks[group.task_id], recorded)
        for place, group in enumerate(recorded.groups)
        if group.usable
    ]
    values = [task_figures(group, recorded.subject, None) for group in recorded.groups if group.usable]
    names = ordered({metric for found in values for metric in found})
    for sample, found in zip(samples, values, strict=True):
        # What a task's episodes never did is a 0 there, as in the results.
        known = {metric: found.get(metric, 0.0) for metric in names if metric in found or zero(metric)}
        sample |= {"metrics": list(known), **known}
    moment = datetime.fromtimestamp(recorded.file.stat().st_mtime).isoformat().replace(":", "-")
    folder = out / sanitized(recorded.subject.model)
    files = [folder / f"results_{moment}.json", folder / f"samples_{name}_{moment}.jsonl"]
    write_text_atomic(files[1], "".join(json.dumps(sample, ensure_ascii=False) + "\n" for sample in samples))
    write_json_atomic(files[0], _results(name, names, samples, recorded))
    return files


def sanitized(model: str) -> str:
    """Return a model's name as the package makes a folder's name of it."""
    return re.sub(r"[\"<>:/|\\?*\[\]]+", "__", model)


def _sample(place: int, group: Group, task: Task, recorded: Recorded) -> dict[str, Any]:
    """Return what the package logs of a document, but for its metrics."""
    episodes = group.usable
    first = episodes[0][0]
    tools = json.dumps(first.tools or [], ensure_ascii=False)  # as text: schemas of all shapes fit into no table
    doc = {"id": task.id, "attributes": first.attributes, "tools": tools}
    prompt = json.dumps(taken_apart(first)[0], ensure_ascii=False)
    answers = [_answer(episode) for episode in episodes]
    return {
        "doc_id": place,
        "doc": doc,
        "target": task.answer,
        "arguments": {"gen_args_0": {"arg_0": prompt, "arg_1": _generation(recorded)}},
        "resps": [[_response(episode) for episode in episodes]],
        "filtered_resps": answers if len(answers) == 1 else [answers],
        "filter": _FILTER,
        "metrics": [],
        "doc_hash": _hash(json.dumps(doc, indent=2, ensure_ascii=False)),
        "prompt_hash": _hash(prompt),
        "target_hash": _hash(task.answer),
    }


def _results(
    name: str, metrics: Sequence[str], samples: Sequence[dict[str, Any]], recorded: Recorded
) -> dict[str, Any]:
    """Return the content of the file of results."""
    subject, facts = recorded.subject, read_json(RunFolder(recorded.run).run_json)
    hashes = "".join(sample["doc_hash"] + sample["prompt_hash"] + sample["target_hash"] for sample in samples)
    better = {metric: True if metric.startswith(_BETTER) and "/" not in metric else None for metric in metrics}
    listed = [{"metric": metric, "aggregation": "mean", "higher_is_better": better[metric]} for metric in metrics]
    shown: dict[str, Any] = {"name": name, "alias": name, "sample_len": len(samples)}
    for metric in metrics:
        values = [sample[metric] for sample in samples if metric in sample]
        shown[f"{metric},{_FILTER}"] = math.fsum(values) / len(values)
        error = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else "N/A"
        shown[f"{metric}_stderr,{_FILTER}"] = error
    known = (SHIPPED_ENVIRONMENTS | ADAPTERS).get(subject.env)
    return {
        "results": {name: shown},
        "group_subtasks": {},
        "configs": {
            name: {
                "task": name,
                "test_split": subject.split,
                "num_fewshot": 0,
                "metric_list": listed,
                "output_type": "generate_until",
                "generation_kwargs": _generation(recorded),
                "repeats": subject.n,
                "should_decontaminate": False,
                "metadata": {"environment": recorded.config["env"]},
            }
        },
        "versions": {name: int(known[0].rpartition("-v")[2])} if known else {},
        "n-shot": {name: 0},
        "higher_is_better": {name: better},
        "n-samples": {name: {"original": len(recorded.groups), "effective": len(samples)}},
        "config": {
            "model": "agent_rl",
            "model_args": {"model": subject.model},
            "batch_size": None,
            "batch_sizes": [],
            "device": None,
            "use_cache": None,
            "limit": None,
            "bootstrap_iters": 0,
            "gen_kwargs": _generation(recorded),
            **{f"{kind}_seed": subject.seed for kind in ("random", "numpy", "torch", "fewshot")},
        },
        "git_hash": facts.get("commit"),
        "date": datetime.fromisoformat(facts["started"]).timestamp() if "started" in facts else None,
        "agent_rl_version": facts.get("agent_rl"),
        "task_hashes": {name: _hash(hashes)},
        "model_source": "agent_rl",
        "model_name": subject.model,
        "model_name_sanitized": sanitized(subject.model),
        "system_instruction": None,
        "system_instruction_sha": None,
        "fewshot_as_multiturn": None,
        "chat_template": None,
        "chat_template_sha": None,
    }


def _generation(recorded: Recorded) -> dict[str, Any]:
    """Return how was generated, in the package's words."""
    temperature = recorded.subject.temperature
    most = recorded.config["rollout"]["limits"]["turn_tokens"]
    return {"until": [], "do_sample": temperature > 0, "temperature": temperature, "max_gen_toks": most}


def _answer(episode: Sequence[Trajectory]) -> str:
    """Return the text of the last thing that the policy said."""
    turns = [message for part in episode for message, _ in taken_apart(part)[1]]
    return text_of(turns[-1]) if turns else ""


def _response(episode: Sequence[Trajectory]) -> str:
    """Return everything that was said after the prompt."""
    turns = [turn for part in episode for turn in taken_apart(part)[1]]
    return "\n".join(_written(message) for said, heard in turns for message in (said, *heard))


def _written(message: Message) -> str:
    """Return a message as a text; what others than the policy said, and its calls, stand between tags."""
    said = text_of(message)
    if message["role"] != "assistant":
        return f"<{message['role']}>\n{said}\n</{message['role']}>"
    thought = f"<think>\n{message['reasoning_content']}\n</think>\n" if "reasoning_content" in message else ""
    calls = [
        f'<tool_call>\n{{"name": {json.dumps(call["function"]["name"])}, '
        f'"arguments": {call["function"]["arguments"]}}}\n</tool_call>'
        for call in message.get("tool_calls", [])
    ]
    invalid = [f"<tool_call>\n{bad['text']}\n</tool_call>" for bad in message.get("invalid_tool_calls", [])]
    return thought + "\n".join([*([said] if said or not (calls or invalid) else []), *calls, *invalid])


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
