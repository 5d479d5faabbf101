"""What stands between a task of lm-evaluation-harness and an environment of ours: loading, prompts, scores."""

import copy
import functools
import json
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent_rl.core.errors import NotProvidedError, UserError, nearest
from agent_rl.core.message import Message
from agent_rl.core.outcome import told

Doc = dict[str, Any]
_SEED = 1234  # what the package seeds the choice of its few-shot examples with


@dataclass(frozen=True)
class Loaded:
    """A task of the package that generates, ready to prompt and to score.

    Attributes:
        task: The package's own object.
        filters: Those of its filters that read a single response, by name.
    """

    task: Any
    filters: dict[str, Any]

    def target(self, doc: Doc) -> str:
        """Return what the task says is right; the first where it says several things."""
        gold = self.task.doc_to_target(doc)
        if self.task.config.doc_to_choice is not None and isinstance(gold, int):
            gold = self.task.doc_to_choice(doc)[gold]
        return str(gold[0]) if isinstance(gold, list) and gold else str(gold)

    def prompts(self, split: str, shots: int | None) -> list[tuple[Doc, list[Message]]]:
        """Return the documents of a split with their prompts, those of "test" as the package's own chat prompts.

        Raises:
            NotProvidedError: The task has no training split.
            UserError: A prompt is none that can be said in a chat.
        """
        task = self.task if split == "test" else _of_training(self.task)
        number = task.config.num_fewshot or 0
        if shots is not None and task.config.num_fewshot != 0:  # a task without examples stays so, as in the package
            number = shots
        task.set_fewshot_seed(_SEED)
        docs = task.eval_docs if split == "test" else task.training_docs()
        return [(doc, _prompt(task, doc, number)) for doc in docs]

    def scores(self, doc: Doc, said: str) -> dict[str, float]:
        """Return the task's metrics of a response by "METRIC,FILTER", as far as they are numbers."""
        from lm_eval.api.instance import Instance

        for stop in filter(None, self.task.config.generation_kwargs["until"]):
            said = said.split(stop)[0]
        response = Instance("generate_until", doc, ("", {}), 0, (self.task.config.task, 0, 1), [said])
        scores: dict[str, float] = {}
        for name, chain in self.filters.items():
            chain.apply([response])
            found = self.task.process_results(dict(doc), [response.filtered_resps[name]])
            numbers = {metric: self._number(metric, value) for metric, value in found.items()}
            scores |= {f"{metric},{name}": value for metric, value in numbers.items() if math.isfinite(value)}
        return scores

    def lower_is_better(self, metric: str) -> bool:
        """Return whether a smaller value of a metric is a better one."""
        return self.task.higher_is_better().get(metric) is False

    def _number(self, metric: str, value: Any) -> float:
        """Return one response's value of a metric; of one that is made of a whole set, that of the set of this one."""
        try:
            return float(value)
        except (TypeError, ValueError):
            pass
        try:
            return float(self.task.aggregation()[metric]([value]))
        except (KeyError, TypeError, ValueError):
            return math.nan


@functools.cache
def load(name: str) -> dict[str, Loaded]:
    """Return the task `name`, or the tasks of a group or a tag, by their names.

    Raises:
        UserError: There is none, its data cannot be had, or it is of a kind that cannot be adapted.
    """
    try:
        from lm_eval.tasks import TaskManager
    except ImportError as error:
        raise UserError(f"env=lm_eval needs the package lm_eval: pip install 'agent-rl[lm-eval]' ({error})") from error
    file = Path(name).suffix in (".yaml", ".yml")
    if file and not Path(name).is_file():
        raise UserError(f"env.task: there is no file {name}")
    manager = TaskManager(include_defaults=not file)
    if not file and name not in manager.all_tasks:
        raise UserError(f"env.task: lm_eval has no task '{name}'{nearest(name, manager.all_tasks)}")
    try:
        tasks = manager.load(name)["tasks"]
    except Exception as error:  # the task's own code runs here, and its data is fetched
        raise UserError(f"env.task={name}: {told(error)}") from error
    with ThreadPoolExecutor(1) as thread:  # where episodes are scored: what wants the main thread is seen now
        return {leaf: thread.submit(_tried, leaf, task).result() for leaf, task in tasks.items()}


@functools.cache
def chosen(name: str, metric: str | None, kind: str | None) -> tuple[str | None, str | None]:
    """Return the metric and the filter that are asked for.

    Raises:
        UserError: Not every task of `name` has them.
    """
    for leaf, loaded in load(name).items():
        doc = loaded.task.eval_docs[0]
        known = [score.rpartition(",")[::2] for score in loaded.scores(doc, loaded.target(doc))]
        for key, given, there in (("metric", metric, [m for m, _ in known]), ("filter", kind, [f for _, f in known])):
            if given is not None and given not in there:
                names = ", ".join(dict.fromkeys(there))
                raise UserError(f"env.{key}: {leaf} has no '{given}'{nearest(given, there)} (there are: {names})")
    return metric, kind


def _tried(name: str, task: Any) -> Loaded:
    """Return a task that was seen to score.

    Raises:
        UserError: It is of a kind that cannot be adapted, or its scores cannot be had here.
    """
    problem = _problem(task)
    if problem:
        raise UserError(f"env.task: {name} {problem}")
    doc = task.eval_docs[0]
    try:
        loaded = Loaded(task, {chain.name: chain for chain in task._filters if _takes_one(chain, doc)})
        for said in (loaded.target(doc), "nothing"):
            scores = loaded.scores(doc, said)
    except Exception as error:  # the task's own code runs here
        raise UserError(f"env.task: {name} cannot score a response here: {told(error)}") from error
    if not scores:
        raise UserError(f"env.task: {name} gives a single response no score")
    return loaded


def _problem(task: Any) -> str:
    """Return why a task cannot be adapted, if it cannot."""
    from lm_eval.api.task import ConfigurableTask

    if not isinstance(task, ConfigurableTask):
        return "is a class of its own, not made of a YAML file"
    if task.OUTPUT_TYPE != "generate_until":
        return f"compares probabilities ({task.OUTPUT_TYPE}); only tasks that generate text can be played"
    if getattr(task, "MULTIMODAL", False):
        return "shows images or plays sound, which this adapter does not have"
    if getattr(task, "UNSAFE_CODE", False):
        return "runs generated code in this process; env=code runs it in a sandbox"
    if task.config.gen_prefix is not None:
        return "begins the answer itself (gen_prefix), which an agent of a chat cannot go on with"
    return ""


def _takes_one(chain: Any, doc: Doc) -> bool:
    """Return whether a filter reads a single response; some, such as votes, want several of them."""
    from lm_eval.api.instance import Instance

    try:
        chain.apply([Instance("generate_until", doc, ("", {}), 0, resps=["nothing"])])
    except AssertionError:  # how the package refuses too few
        return False
    return True


def _of_training(task: Any) -> Any:
    """Return a task whose own documents are those it trains on, so that none is an example in its own prompt.

    Raises:
        NotProvidedError: It has none.
    """
    split = task.config.training_split
    if split is None:
        raise NotProvidedError(f"env.task: {task.config.task} has no training split")
    other = copy.copy(task)
    other._config, other.fewshot_cfg = copy.copy(task.config), copy.copy(task.fewshot_cfg)
    other._config.test_split = split
    if other.fewshot_cfg.split is None and other.fewshot_cfg.samples is None:
        other.fewshot_cfg.split = split  # what the package falls back to
    return other


def _prompt(task: Any, doc: Doc, shots: int) -> list[Message]:
    """Return the first messages of a document: what the package would have a chat template render."""

    def written(messages: Sequence[Message], add_generation_prompt: bool = True) -> str:
        return json.dumps(messages)

    text = task.fewshot_context(doc, shots, apply_chat_template=True, fewshot_as_multiturn=True, chat_template=written)
    try:
        messages: list[Message] = json.loads(text)
    except (TypeError, ValueError) as error:  # of a class that writes its prompts itself
        raise UserError(f"env.task: {task.config.task} has a prompt that is no conversation") from error
    return messages
