"""`agent-rl check`: prove an environment without a model."""

import json
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path

from gymnasium.utils.env_checker import check_env

from agent_rl.core.errors import NotProvidedError, UserError
from agent_rl.core.message import Message, assistant, text_of, tool_call
from agent_rl.core.outcome import BrokenEnvironmentError, InfrastructureError, told
from agent_rl.core.task import Task
from agent_rl.envs.base import AgentEnv, Finding
from agent_rl.envs.scripts import WRONG, Step, malformed, play, play_awaiting, play_counted
from agent_rl.envs.section import EnvSection
from agent_rl.envs.tool_env import ToolEnv

Play = Callable[[AgentEnv, Task | None, Iterable[Message]], list[Step]]
_PLAYED = 50
_REPEATED = 5
_SPLITS = ("train", "test")
_ROUNDING = 1e-6
_PROGRAM, _PRINTED = "print(6 * 7)", "42"


def check_environment(section: EnvSection) -> Iterator[Finding]:
    """Yield what holds of an environment; what does not is a finding too.

    Raises:
        UserError: The environment cannot be made: a setting is wrong, or something is missing on this machine.
    """
    broken = _broken(section)
    if broken is not None:
        yield broken
        return
    for check in (_gymnasium, _tasks, _repeatable, _solutions, _malformed, _python, _closes, _own):
        try:
            yield from check(section)
        except NotProvidedError as error:
            yield Finding(check.__name__.strip("_"), None, f"not checked: {error}")
        except Exception as error:  # the environment is what is on trial
            yield Finding(check.__name__.strip("_"), False, _told(error))


def _broken(section: EnvSection) -> Finding | None:
    """Return what is wrong with the environment so that no check can do anything with it, which is said once."""
    at = "constructor"
    try:
        env = section.build()
        try:
            for split in _SPLITS:
                at = f"tasks of '{split}'"
                list(env.task_set(split))
        finally:
            with suppress(Exception):  # a check of its own tells of it
                env.close()
    except NotProvidedError:  # such as tasks
        return None
    except Exception as error:
        if at == "constructor" and isinstance(error, UserError):
            raise
        return Finding(at, False, f"{_told(error)}; nothing else can be checked")
    return None


def _told(error: Exception) -> str:
    """Return an error in one line, one that was not written for the user with the line of code that it comes from."""
    if isinstance(error, BrokenEnvironmentError) and isinstance(error.__cause__, UserError):
        error = error.__cause__  # of a tool or a reward
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, InfrastructureError):
        return told(error)
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{told(error)} ({Path(last.filename).name}:{last.lineno})"


def _own(section: EnvSection) -> Iterator[Finding]:
    with closing(section.build()) as env:
        yield from env.check()


def _gymnasium(section: EnvSection) -> Iterator[Finding]:
    with closing(section.build()) as env:
        check_env(env, skip_render_check=True)
    yield Finding("gymnasium", True, "gymnasium's own check_env finds nothing wrong")


def _tasks(section: EnvSection) -> Iterator[Finding]:
    """Prove that ids are unique, which a task set refuses otherwise, and that no problem is in both splits."""
    with closing(section.build()) as env:
        splits = {split: list(env.task_set(split)) for split in _SPLITS}
    seen = ", ".join(f"{len(tasks)} in {split}" for split, tasks in splits.items())
    yield Finding("tasks", True, f"{seen}, ids unique")
    ids, problems = ([set(map(key, tasks)) for tasks in splits.values()] for key in (_id, _problem))
    shared, same = len(ids[0] & ids[1]), len(problems[0] & problems[1])
    yield Finding("splits", not shared, f"{shared} tasks are in both splits")
    yield Finding("problems", not same, f"{same} problems (first messages, answer, data) are in both splits")


def _repeatable(section: EnvSection) -> Iterator[Finding]:
    """Play whole episodes three times: twice by the synchronous twins, once by the asynchronous ones."""
    same, twins, messages = True, True, 0
    for task, script in _scripts(section):
        first, second = (_played(section, play, task, script) for _ in range(2))
        same &= first == second
        twins &= first == _played(section, play_awaiting, task, script)
        messages += sum(len(step.observation) for step in first)
    seen = f"the same seed gives the same {messages} messages, rewards and ends"
    yield Finding("repeatable", same, seen if same else "the same seed does not give the same episode")
    yield Finding("twins", twins, "reset and step " + ("agree" if twins else "do not agree") + " with areset and astep")


def _solutions(section: EnvSection) -> Iterator[Finding]:
    with closing(section.build()) as env:
        tasks = _spread(list(env.task_set("test")), _PLAYED)
        short = [said for task in tasks if (said := _short(env, task))]
        wrong = [_reward(env, task, [WRONG] * 20) - env.best_reward(task) for task in tasks]
    full, less = len(tasks) - len(short), sum(gap < -_ROUNDING for gap in wrong)
    seen = "; ".join([f"{full} of {len(tasks)} get all of the reward", *short[:1]])
    yield Finding("solution", not short, seen)
    yield Finding("wrong answer", less == len(tasks), f"{less} of {len(tasks)} get less")


def _malformed(section: EnvSection) -> Iterator[Finding]:
    """Play a policy that makes every mistake in calling tools; where there are tools, every call is to be answered."""
    with closing(section.build()) as env:
        script = malformed(env)
        steps = play(env, None, script)[1:]
    asked = [len(step.action.get("tool_calls", []) + step.action.get("invalid_tool_calls", [])) for step in steps]
    answered = sum(min(calls, len(step.observation)) for calls, step in zip(asked, steps, strict=True))
    sound = True
    if isinstance(env, ToolEnv):
        early = len(steps) < len(script) and env.malformed.stop_after is None
        sound = answered == sum(asked) and not early
    told = f"{sum(asked)} malformed calls in {len(steps)} turns got {answered} answers"
    yield Finding("malformed calls", sound, f"{told} and a reward of {sum(step.reward for step in steps):g}")


def _python(section: EnvSection) -> Iterator[Finding]:
    """Have the tool `python` run a program, where there is one: nothing else may have tried the sandbox."""
    with closing(section.build()) as env:
        offered = []
        with suppress(Exception):  # the other checks tell of it
            offered = [tool["function"] for tool in env.reset(seed=0)[1].get("tools", [])]
        taken = [[*one.get("parameters", {}).get("properties", {})] for one in offered if one["name"] == "python"]
        if taken != [["code"]]:
            return
        steps, _ = play_counted(env, None, [assistant("", [tool_call("python", {"code": _PROGRAM})])])
    said = " ".join(text_of(message) for message in steps[-1].observation)
    yield Finding("python", _PRINTED in said, f"{_PROGRAM} gives {said!r}")


def _closes(section: EnvSection) -> Iterator[Finding]:
    env = section.build()
    env.reset(seed=0)
    env.close()
    env.close()
    yield Finding("closes", True, "in the middle of an episode, and once more")


def _scripts(section: EnvSection) -> list[tuple[Task | None, list[Message]]]:
    """Return episodes to play: a series of mistakes, and solutions where there are any."""
    with closing(section.build()) as env:
        scripts: list[tuple[Task | None, list[Message]]] = [(None, malformed(env))]
        try:
            for task in _spread(list(env.task_set("train")), _REPEATED):
                script: list[Message] = []
                _reward(env, task, _noted(env.solution(task), script))
                scripts.append((task, script))
        except NotProvidedError:
            return scripts
        return scripts


def _played(section: EnvSection, by: Play, task: Task | None, script: list[Message]) -> list[Step]:
    with closing(section.build()) as env:
        return by(env, task, script)


def _noted(actions: Iterable[Message], into: list[Message]) -> Iterator[Message]:
    for action in actions:
        into.append(action)
        yield action


def _reward(env: AgentEnv, task: Task, actions: Iterable[Message]) -> float:
    return sum(step.reward for step in play(env, task, actions))


def _short(env: AgentEnv, task: Task) -> str:
    """Return what the solution of a task got, and what for, where that is not all of its reward; else nothing."""
    steps, counters = play_counted(env, task, env.solution(task))
    got, best = sum(step.reward for step in steps), env.best_reward(task)
    if abs(got - best) <= _ROUNDING:
        return ""
    parts: Counter[str] = Counter(counters)
    for step in steps:
        parts.update(step.components)
    why = ", ".join(f"{name} {value:g}" for name, value in sorted(parts.items()))
    return f"task '{task.id}' gets {got:g} of {best:g}" + (f" ({why})" if why else "")


def _spread(tasks: Sequence[Task], most: int) -> list[Task]:
    """Return at most so many tasks, evenly over all of them."""
    return [tasks[i * len(tasks) // most] for i in range(most)] if len(tasks) > most else list(tasks)


def _id(task: Task) -> str:
    return task.id


def _problem(task: Task) -> str:
    return json.dumps([task.messages, task.answer, task.data], default=str, sort_keys=True)
