"""Rescoring: saved episodes get the rewards that an environment gives now, without a model."""

import functools
import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import PositiveFloat

from agent_rl.core.context import estimated_tokens
from agent_rl.core.deadlines import Excuse
from agent_rl.core.settings import Settings
from agent_rl.core.trajectory import Group, Trajectory
from agent_rl.envs.registration import environment
from agent_rl.envs.section import EnvSection
from agent_rl.evaluation.recorded import Recorded
from agent_rl.evaluation.replay import ReplayingAgent, rewarded, with_saved_answers
from agent_rl.evaluation.results import Results, summarize
from agent_rl.evaluation.stateless import check_stateless
from agent_rl.evaluation.tables import Row, Table
from agent_rl.models.settings import ModelSettings
from agent_rl.rollout.agents import Plan
from agent_rl.rollout.engines.scripted import ScriptedEngine
from agent_rl.rollout.feed import Progress
from agent_rl.rollout.flights import Flight
from agent_rl.rollout.manager import RolloutManager
from agent_rl.rollout.settings import PlaySettings
from agent_rl.tools.sandbox.current import using
from agent_rl.tools.sandbox.local.settings import LocalSettings
from agent_rl.tools.sandbox.settings import SandboxSettings
from agent_rl.tools.settings import ToolsSettings, shared

_ROUNDING = 1e-9
_SHOWN = 10  # tasks whose rewards changed that are named
_MOVED = ("success", "reward", "pass@", "pass^")  # the figures that rewards move


class RescoreConfig(Settings):
    """Everything `agent-rl rescore` reads; what is not given is as it was when the episodes were played."""

    env: EnvSection = EnvSection()
    """The environment and its settings."""
    answers: Literal["again", "saved"] = "again"
    """`again` runs the tools again, and an episode that is answered otherwise now has failed; `saved` runs none and
    takes the answers that were saved, for rewards that hang on nothing but what was said."""
    success_at: PositiveFloat = 1.0
    """Reward from which an episode counts as a success."""
    rollout: PlaySettings = PlaySettings()
    """How episodes are played."""
    tools: ToolsSettings = ToolsSettings()
    """The tools of the environment, whichever it is."""
    sandbox: SandboxSettings = LocalSettings()
    """What runs the programs that environments and tools want run."""
    model: ModelSettings | None = None
    """Whose tokenizer counts the tokens of answers that have a limit of them; null: they are estimated."""
    out: str | None = None
    """The folder of the new evaluation; by default `rescored-1`, or the next number, in the one that is rescored."""


@dataclass(frozen=True)
class Change:
    """An episode whose reward is another one than it was."""

    task: str
    sample: int
    before: float
    after: float


@dataclass(frozen=True)
class Rescored:
    """What came of rescoring.

    Attributes:
        groups: The groups with their new rewards.
        before: The results as they were.
        after: The results as they are now.
        changes: The episodes whose rewards changed.
        lost: What failed the episodes that were usable and could not be rescored.
    """

    groups: list[Group]
    before: Results
    after: Results
    changes: list[Change]
    lost: list[str]

    def to_json(self) -> dict[str, Any]:
        """Return the changes and both results."""
        return {
            "changed": len(self.changes),
            "lost": len(self.lost),
            "changes": [vars(change) for change in self.changes],
            "before": self.before.to_json(),
            "after": self.after.to_json(),
        }


def settings_of(recorded: Recorded, env: str | None) -> dict[str, Any]:
    """Return what `RescoreConfig` reads of a configuration that episodes were played under.

    Args:
        recorded: The episodes.
        env: The environment that is to take the place of theirs; it keeps those of their settings that it has too.
    """
    config = recorded.config
    base = {name: config[name] for name in RescoreConfig.model_fields if config.get(name) is not None and name != "out"}
    base["success_at"] = recorded.subject.success_at
    base["rollout"] = {name: value for name, value in config["rollout"].items() if name in PlaySettings.model_fields}
    base["tools"] = {**config["tools"], "record": None}  # what is there already
    wrappers = [wrapper for wrapper in config["env"].get("wrappers", []) if wrapper["name"] != "record"]  # as well
    base["env"] = {**config["env"], "wrappers": wrappers}
    if env is not None and env != config["env"]["name"]:
        known = {"name", "wrappers", *environment(env).settings_class().model_fields}
        base["env"] = {key: value for key, value in base["env"].items() if key in known}
    return base


def rescore(recorded: Recorded, config: RescoreConfig, progress: Progress | None = None) -> Rescored:
    """Give episodes the rewards of `config.env`. Those that had failed stay failed.

    Raises:
        UserError: The environment cannot be made, lacks one of the tasks, or has rewards that cannot be had so.
    """
    with shared(config.tools), using(config.sandbox):
        with closing(config.env.build()) as env:
            tasks = env.task_set(recorded.subject.split)
            if config.answers == "saved":
                check_stateless(env, tasks[0])
        flights: list[Flight] = []
        saved: dict[tuple[str, int], list[Trajectory]] = {}
        for place, group in enumerate(recorded.groups):
            plans = recorded.plans(place, tasks[group.task_id])
            episodes = {parts[0].sample: parts for parts in group.episodes if parts[-1].failure is None}
            chosen = [plan for plan in plans if plan.sample in episodes]
            saved |= {(plan.group, plan.sample): episodes[plan.sample] for plan in chosen}
            flights += [Flight(place, chosen)] if chosen else []
        played = _played(flights, saved, config, progress)
    return _compared(recorded, played, config)


def _played(
    flights: Sequence[Flight],
    saved: Mapping[tuple[str, int], list[Trajectory]],
    config: RescoreConfig,
    progress: Progress | None,
) -> dict[tuple[int, int], list[Trajectory]]:
    """Play the episodes of `flights` again; return them by place and sample, as saved but with their new rewards."""
    agents: dict[str, ReplayingAgent] = {}
    count = _counter(config.model)

    def agent(plan: Plan, excuse: Excuse) -> ReplayingAgent:
        agents[plan.name] = made = ReplayingAgent(saved[plan.group, plan.sample], count)
        return made

    make_env = config.env.build
    if config.answers == "saved":
        make_env = lambda: with_saved_answers(config.env.build(), agents)  # noqa: E731
    settings = config.rollout.model_copy(update={"failure_budget": 1.0})  # how many were lost is told
    manager = RolloutManager(ScriptedEngine(lambda request: []), agent, make_env, settings)
    try:
        groups = manager.play(flights, progress)
    finally:
        manager.close()
    return {
        (flight.place, parts[0].sample): rewarded(saved[flight.plans[0].group, parts[0].sample], parts)
        for flight, group in zip(flights, groups, strict=True)
        for parts in group.episodes
    }


def _compared(
    recorded: Recorded, played: Mapping[tuple[int, int], list[Trajectory]], config: RescoreConfig
) -> Rescored:
    groups: list[Group] = []
    changes: list[Change] = []
    lost: list[str] = []
    for place, group in enumerate(recorded.groups):
        groups.append(Group(group.task_id, []))
        for old in group.episodes:
            new = played.get((place, old[0].sample), old)
            groups[-1].trajectories += new
            before, after = (sum(part.reward for part in parts) for parts in (old, new))
            failure = new[-1].failure
            if failure is not None and old[-1].failure is None:
                lost.append(failure.message)
            elif abs(after - before) > _ROUNDING:
                changes.append(Change(group.task_id, old[0].sample, before, after))
    subject = replace(recorded.subject, env=config.env.name, success_at=config.success_at)
    before_all, after_all = summarize(recorded.groups, recorded.subject), summarize(groups, subject)
    return Rescored(groups, before_all, after_all, changes, lost)


def lines(found: Rescored) -> list[str]:
    """Return in words what changed."""
    tasks = list(dict.fromkeys(change.task for change in found.changes))
    said = f"{len(found.changes)} of {found.after.episodes} rewards changed"
    if tasks:
        more = f" and {len(tasks) - _SHOWN} more" if len(tasks) > _SHOWN else ""
        said += f", in {len(tasks)} tasks: {', '.join(tasks[:_SHOWN])}{more}"
    if not found.lost:
        return [said]
    message, count = Counter(found.lost).most_common(1)[0]
    return [
        said,
        f"{len(found.lost)} episodes could not be rescored and are in no figure now; {count} of them: {message}",
    ]


def table(found: Rescored) -> Table:
    """Return the figures that rewards move, before and after."""
    both = (found.before, found.after)
    named = dict.fromkeys(name for results in both for name in results.metrics if name.startswith(_MOVED))
    names = [name for name in named if name not in ("pass@1", "pass^1")]  # which are the success
    rows: list[Row] = [(name, *(f"{results.mean(name):.3f}" for results in both)) for name in names]
    return Table("figures", ("per episode", "before", "after"), rows)


def fresh(folder: Path) -> Path:
    """Return the first of `rescored-1`, `rescored-2` … in a folder that is not there yet."""
    return next(path for n in itertools.count(1) if not (path := folder / f"rescored-{n}").exists())


def _counter(model: ModelSettings | None) -> Callable[[str], int]:
    """Return what counts the tokens of a text; a tokenizer is loaded when it is first asked."""
    if model is None:
        return estimated_tokens

    @functools.cache
    def tokenizer() -> Any:
        from agent_rl.models.loading import load_tokenizer  # loads torch

        return load_tokenizer(model)

    return lambda text: len(tokenizer().encode(text, add_special_tokens=False))
